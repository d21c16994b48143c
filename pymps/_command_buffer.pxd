from pymps._device cimport Device
from pymps._event cimport SharedEvent
from pymps._native cimport *


cdef class WriteCount:
    cdef size_t encoded, committed  # how often something was written, by work that was encoded, and that was committed

    # By work that runs at once.
    cdef void wrote(self) noexcept


cdef class CommandBuffer:
    cdef const pymps_backend *native
    cdef pymps_command_buffer *handle  # owned
    cdef readonly object queue  # the CommandQueue: queues know command buffers, not the reverse
    cdef Device device
    cdef list _scheduled_handlers, _completed_handlers
    cdef list _writes    # a WriteCount for each write that was encoded; None: no write
    cdef bint _busy      # some thread encodes; guarded by the GIL
    cdef bint _enqueued, _committed
    cdef object _error   # the CommandBufferError, once it is known

    # Between the two, only the caller encodes. `begin` raises where that can't be.
    cdef int begin(self) except -1
    cdef int end(self, pymps_status status, const pymps_error *error) except -1
    # Notes that what was encoded writes.
    cdef int will_write(self, WriteCount count) except -1
    cdef bint is_complete(self) except -1
    cdef int _register(self) except -1
    cdef int _notify(self, list handlers) except -1
    cdef int _check_event(self, SharedEvent event) except -1
    cdef double _time(self, int which)


cdef CommandBuffer make_command_buffer(Device device, object queue, pymps_command_buffer *handle)  # takes over the handle
