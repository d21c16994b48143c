"""What runs the calls of a training layer."""

cimport cython

from threading import Lock

from pymps._backend cimport check
from pymps._command_buffer cimport WriteCount
from pymps._data_source cimport raise_failures
from pymps._descriptor cimport NativeDescriptor
from pymps._device cimport Device
from pymps._runner cimport finish
from pymps._sequence cimport Staging
from pymps.enums import MatrixId


@cython.final
cdef class Trainer:
    """The native layer, and a queue on which all its work runs in its order. Its calls take turns."""

    def __dealloc__(self):
        if self.native != NULL:
            self.training.training_layer_release(self.handle)
            self.native.queue_release(self.queue)

    cdef int forward(self, const pymps_training_forward *forward, pymps_training_tape **tape) except -1:
        cdef pymps_command_buffer *command_buffer = NULL
        cdef pymps_error error
        cdef pymps_status status
        with nogil:
            status = self.native.command_buffer_create(self.queue, &command_buffer, &error)
            if status == PYMPS_OK:
                status = self.training.training_layer_encode_forward(self.handle, command_buffer, forward, tape, &error)
            finish(self.native, command_buffer, status, &error)
        return 0

    cdef int gradient(self, const pymps_training_gradient *gradient) except -1:
        cdef pymps_command_buffer *command_buffer = NULL
        cdef pymps_error error
        cdef pymps_status status
        with nogil:
            status = self.native.command_buffer_create(self.queue, &command_buffer, &error)
            if status == PYMPS_OK:
                status = self.training.training_layer_encode_gradient(self.handle, command_buffer, gradient, &error)
            finish(self.native, command_buffer, status, &error)
        return 0

    cdef int copy(self, pymps_training_matrices *matrices, pymps_matrix_id matrix_id, const pymps_matrix *matrix,
                  bint from_matrix) except -1:
        cdef pymps_command_buffer *command_buffer = NULL
        cdef pymps_error error
        cdef pymps_status status
        with nogil:
            status = self.native.command_buffer_create(self.queue, &command_buffer, &error)
            if status == PYMPS_OK:
                status = self.training.training_layer_encode_copy(self.handle, command_buffer, matrices, matrix_id,
                                                                  matrix, 0, 0, from_matrix, &error)
            finish(self.native, command_buffer, status, &error)
        return 0

    cdef int update(self, pymps_optimizer *optimizer, pymps_training_matrices *gradients,
                    pymps_training_matrices *weights) except -1:
        cdef pymps_command_buffer *command_buffer = NULL
        cdef pymps_error error
        cdef pymps_status status
        with nogil:
            status = self.native.command_buffer_create(self.queue, &command_buffer, &error)
            if status == PYMPS_OK:
                status = self.training.optimizer_encode(optimizer, command_buffer, gradients, weights, &error)
            finish(self.native, command_buffer, status, &error)
        return 0


cdef Trainer make_trainer(Device device, NativeDescriptor descriptor, bint is_diagonal, list failures,
                          pymps_training_matrices **weights):
    cdef Trainer trainer = Trainer.__new__(Trainer)
    trainer.native = device.native
    trainer.training = device.native.training
    trainer.device = device
    trainer.staging = Staging()
    trainer.lock = Lock()
    trainer.writes = WriteCount()
    cdef pymps_error error
    cdef pymps_status status
    with nogil:
        status = trainer.training.training_layer_create(device.handle, descriptor.handle, &trainer.handle, weights,
                                                        &error)
    raise_failures(failures)
    check(status, &error)
    trainer.training.training_layer_info(trainer.handle, &trainer.info)
    trainer.shapes = shapes_of(trainer, is_diagonal)
    with nogil:
        check(device.native.queue_create(device.handle, &trainer.queue, &error), &error)
    return trainer


cdef dict shapes_of(Trainer trainer, bint is_diagonal):
    """The shape of each array, as a WeightSource has it: biases and diagonals are vectors."""
    cdef size_t rows, columns
    shapes = {}
    for matrix_id in MatrixId:
        if not trainer.training.training_layer_matrix_shape(trainer.handle, <pymps_matrix_id><int>matrix_id, &rows,
                                                            &columns):
            continue
        is_vector = matrix_id.name.endswith("BIAS_TERMS") or (is_diagonal and "MEMORY" in matrix_id.name)
        shape = (rows, columns)
        shapes[matrix_id] = shape[1:] if is_vector else shape
    return shapes
