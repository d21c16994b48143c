from pymps._native cimport *


cdef class RecurrentState:
    cdef const pymps_backend *native
    cdef pymps_state *handle    # owned
    cdef readonly object layer  # the MatrixInferenceLayer whose state it is
    cdef readonly Py_ssize_t batch

    cdef object _array(self, layer_index, pymps_state_matrix which)


cdef RecurrentState make_state(object layer, pymps_state *handle, Py_ssize_t batch)
