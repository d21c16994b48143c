"""What runs the calls of a layer."""

cimport cython

from pymps._backend cimport check
from pymps._device cimport Device
from pymps._sequence cimport Sequence, Staging


@cython.final
cdef class Runner:
    """All that one call needs for itself, so that calls in different threads share nothing: a copy of the layer, a
    command queue, staging memory."""

    def __dealloc__(self):
        if self.native != NULL:
            self.native.layer_release(self.layer)
            self.native.queue_release(self.queue)

    cdef int run(self, Sequence x, Sequence y, pymps_state *state, size_t state_count,
                 pymps_state **states) except -1 nogil:
        cdef pymps_command_buffer *command_buffer = NULL
        cdef pymps_error error
        cdef pymps_status status = self.native.command_buffer_create(self.queue, &command_buffer, &error)
        if status == PYMPS_OK:
            status = self.encode(command_buffer, x, y, state, state_count, False, states, &error)
        return finish(self.native, command_buffer, status, &error)

    cdef int run_bidirectional(self, Sequence x, Sequence y, Sequence backward_y,
                               pymps_combine_mode combine_mode) except -1:
        cdef pymps_command_buffer *command_buffer = NULL
        cdef pymps_error error
        cdef pymps_status status
        with nogil:
            status = self.native.command_buffer_create(self.queue, &command_buffer, &error)
        if status == PYMPS_OK:
            status = self.encode_bidirectional(command_buffer, x, y, backward_y, combine_mode, &error)
        with nogil:
            finish(self.native, command_buffer, status, &error)
        return 0

    cdef pymps_status encode(self, pymps_command_buffer *command_buffer, Sequence x, Sequence y, pymps_state *state,
                             size_t state_count, bint are_temporary, pymps_state **states,
                             pymps_error *error) noexcept nogil:
        if x.images != NULL:
            return self.native.images.image_layer_encode_sequence(
                self.layer, command_buffer, x.steps, x.images, y.images, state, state_count, are_temporary, states, error)
        return self.native.layer_encode_sequence(
            self.layer, command_buffer, x.steps, x.matrices, y.matrices, state, state_count, are_temporary, states, error)

    cdef pymps_status encode_bidirectional(self, pymps_command_buffer *command_buffer, Sequence x, Sequence y,
                                           Sequence backward_y, pymps_combine_mode combine_mode, pymps_error *error):
        cdef pymps_matrix *matrices = NULL if backward_y is None else backward_y.matrices
        cdef pymps_image **images = NULL if backward_y is None else backward_y.images
        with nogil:
            if x.images != NULL:
                return self.native.images.image_layer_encode_bidirectional_sequence(
                    self.layer, command_buffer, x.steps, x.images, y.images, images, combine_mode, error)
            return self.native.layer_encode_bidirectional_sequence(
                self.layer, command_buffer, x.steps, x.matrices, y.matrices, matrices, combine_mode, error)


cdef int finish(const pymps_backend *native, pymps_command_buffer *command_buffer, pymps_status status,
                pymps_error *error) except -1 nogil:
    if status == PYMPS_OK:
        status = native.command_buffer_commit(command_buffer, error)
    if status == PYMPS_OK:
        status = native.command_buffer_wait(command_buffer, error)
    native.command_buffer_release(command_buffer)
    return check(status, error)


cdef Runner make_runner(const pymps_backend *native, pymps_layer *layer, Device device):
    cdef Runner runner = Runner.__new__(Runner)
    cdef pymps_error error
    runner.native = native
    runner.staging = Staging()
    with nogil:
        check(native.layer_copy(layer, &runner.layer, &error), &error)
        check(native.queue_create(device.handle, &runner.queue, &error), &error)
    return runner
