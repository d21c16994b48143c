from pymps._buffer cimport Buffer
from pymps._device cimport Device


cdef class Place:
    cdef Buffer buffer
    cdef size_t offset, length
    cdef char *start
    cdef str name
    cdef bint is_writable

    cdef int check_writable(self) except -1


cdef Buffer checked_buffer(Device device, str name, object array)
