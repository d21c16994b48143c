from pymps._device cimport Device
from pymps._native cimport *


cdef class Pieces:
    cdef list pieces
    cdef object failure  # the exception that ended it, or None

    cdef int append(self, const char *bytes, size_t length) except -1


cdef bytes archived(const pymps_backend *native, pymps_layer *layer)
# The caller owns what it returns.
cdef pymps_layer *unarchived(Device device, object data, bint takes_images) except NULL
