from pymps._command_buffer cimport WriteCount
from pymps._descriptor cimport NativeDescriptor
from pymps._device cimport Device
from pymps._native cimport *
from pymps._sequence cimport Staging


cdef class Trainer:
    cdef const pymps_backend *native
    cdef const pymps_training_functions *training
    cdef readonly Device device
    cdef pymps_training_layer *handle  # owned
    cdef pymps_queue *queue            # owned
    cdef Staging staging
    cdef pymps_training_layer_info info
    cdef readonly dict shapes          # of what can be trained, by MatrixId
    cdef object lock                   # whoever has it uses the queue, the staging memory and what work on it writes
    cdef WriteCount writes             # of the weights

    # Run one piece of work, and wait for it. The caller has the lock.
    cdef int forward(self, const pymps_training_forward *forward, pymps_training_tape **tape) except -1
    cdef int gradient(self, const pymps_training_gradient *gradient) except -1
    cdef int copy(self, pymps_training_matrices *matrices, pymps_matrix_id matrix_id, const pymps_matrix *matrix,
                  bint from_matrix) except -1
    cdef int update(self, pymps_optimizer *optimizer, pymps_training_matrices *gradients,
                    pymps_training_matrices *weights) except -1


# `weights` becomes the first weights, which the caller owns; `failures` is that of make_descriptor.
cdef Trainer make_trainer(Device device, NativeDescriptor descriptor, bint is_diagonal, list failures,
                          pymps_training_matrices **weights)
