from pymps._native cimport *


cdef class NativeDescriptor:
    cdef const pymps_backend *native
    cdef pymps_descriptor *handle  # owned
    cdef int _set_weights(self, pymps_matrix_id matrix_id, str name, object source) except -1


cdef NativeDescriptor make_descriptor(const pymps_backend *native, object descriptor)
