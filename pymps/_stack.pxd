from pymps._native cimport *


cdef class Stack:
    cdef pymps_layer_info info
    cdef tuple outputs  # the output channels of each layer

    cdef int check_runs_sequence(self) except -1
    # The channels of the forward destinations.
    cdef Py_ssize_t combined_channels(self, object combine_mode) except -1
    cdef str text(self)


cdef Stack make_stack(const pymps_backend *native, pymps_layer *layer)
