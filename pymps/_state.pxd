from pymps._command_buffer cimport CommandBuffer
from pymps._native cimport *


cdef class RecurrentState:
    cdef const pymps_backend *native
    cdef pymps_state *handle                # owned
    cdef readonly object layer              # the MatrixInferenceLayer whose state it is
    cdef readonly Py_ssize_t batch
    cdef CommandBuffer _command_buffer      # what makes it; None: complete

    # Raises unless work on `command_buffer`, or work that begins now (None), may start from it.
    cdef int check_start(self, CommandBuffer command_buffer) except -1
    cdef bint _is_complete(self) except -1
    cdef object _array(self, layer_index, pymps_state_matrix which)


cdef class NewStates:
    cdef const pymps_backend *native
    cdef pymps_state **handles  # owned, and what they point to
    cdef Py_ssize_t count

    cdef list taken(self, object layer, Py_ssize_t batch, CommandBuffer command_buffer)


cdef RecurrentState make_state(object layer, pymps_state *handle, Py_ssize_t batch, CommandBuffer command_buffer=*)
cdef NewStates make_states(const pymps_backend *native, Py_ssize_t count)


cdef class FloatArrays:
    cdef const float **data  # owned; NULL where there are none
    cdef list arrays         # what it points to
