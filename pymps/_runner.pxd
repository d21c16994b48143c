from pymps._device cimport Device
from pymps._native cimport *
from pymps._sequence cimport Sequence, Staging


cdef class Runner:
    cdef const pymps_backend *native
    cdef pymps_layer *layer   # owned
    cdef pymps_queue *queue   # owned
    cdef Staging staging

    cdef int run(self, Sequence x, Sequence y, pymps_state *state, size_t state_count,
                 pymps_state **states) except -1 nogil
    cdef int run_bidirectional(self, Sequence x, Sequence y, Sequence backward_y,
                               pymps_combine_mode combine_mode) except -1
    cdef pymps_status encode(self, pymps_command_buffer *command_buffer, Sequence x, Sequence y, pymps_state *state,
                             size_t state_count, bint are_temporary, pymps_state **states,
                             pymps_error *error) noexcept nogil
    # `backward_y` may be None.
    cdef pymps_status encode_bidirectional(self, pymps_command_buffer *command_buffer, Sequence x, Sequence y,
                                           Sequence backward_y, pymps_combine_mode combine_mode, pymps_error *error)


# Commits what was encoded with this status, waits for it, and releases the command buffer.
cdef int finish(const pymps_backend *native, pymps_command_buffer *command_buffer, pymps_status status,
                pymps_error *error) except -1 nogil
cdef Runner make_runner(const pymps_backend *native, pymps_layer *layer, Device device)
