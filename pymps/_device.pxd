from pymps._native cimport *


cdef class Device:
    cdef const pymps_backend *native
    cdef pymps_device *handle  # owned
    cdef size_t _index
    cdef pymps_device_info _info
    cdef int _find(self, object name) except -1
    cdef bint is_same(self, Device other) noexcept
