from pymps._command_buffer cimport CommandBuffer
from pymps._matrix_sequence cimport MatrixSequence
from pymps._native cimport *
from pymps._trainer cimport Trainer


cdef class NativeTape:
    cdef Trainer trainer
    cdef const pymps_training_functions *training  # the trainer may go first where garbage is collected
    cdef pymps_training_tape *handle  # owned
    cdef CommandBuffer command_buffer # that makes it; None: complete
    cdef bint was_encoded             # by a call that did not run it
    cdef size_t encoded, committed    # how often the weights had been written before

    # Whether the tape is of no use any more to work on `command_buffer`, or to work that begins now (None).
    cdef bint weights_have_changed(self, CommandBuffer command_buffer) noexcept


cdef class Tape:
    cdef NativeTape native
    cdef MatrixSequence x             # of all steps of the pass, in buffers of the device
    cdef Py_ssize_t first, count      # its own steps
    cdef readonly object layer        # the MatrixTrainingLayer
    cdef list _states                 # of forward: the last, or those of all steps; None: of none of these
    cdef list _gradients              # of gradient: the first, or those of all steps; None: none yet

    # Raises unless work of the layer on `command_buffer`, or work that begins now (None), may read it.
    cdef int check_use(self, Trainer trainer, CommandBuffer command_buffer) except -1
    # The same of a state that its gradient starts from: of all rows, or of those that the steps behind its own have, or
    # its last step where none are behind.
    cdef int check_last_state(self, object state, CommandBuffer command_buffer) except -1
    # x of its own steps
    cdef MatrixSequence sources(self)


cdef Tape make_tape(object layer, Trainer trainer, MatrixSequence x, CommandBuffer command_buffer)
