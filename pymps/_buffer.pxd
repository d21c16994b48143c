from pymps._device cimport Device
from pymps._native cimport *


cdef class Buffer:
    cdef const pymps_backend *native
    cdef pymps_buffer *handle
    cdef object owner  # what `handle` belongs to where it is borrowed, else None
    cdef bint owned    # whether `handle` belongs to this object
    cdef readonly Device device
    cdef char *data
    cdef bint read_only


cdef Buffer make_buffer(Device device, pymps_buffer *handle, object owner, bint read_only)
cdef Buffer new_buffer(Device device, size_t length)
cdef object array_over(Buffer buffer, tuple shape, object dtype, size_t offset=*, object strides=*)
cdef Buffer buffer_under(object array)
cpdef object new_array(Device device, object shape, object dtype)
cpdef object copied_array(Device device, object source, object dtype)
cpdef object wrapped_array(Device device, object array)
