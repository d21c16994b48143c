from pymps._command_buffer cimport CommandBuffer
from pymps._native cimport *


cdef class State:
    cdef const pymps_backend *native
    cdef pymps_state *handle                # owned
    cdef readonly object layer              # whose state it is
    cdef CommandBuffer _command_buffer      # what makes it; None: complete

    cdef State made(self, object layer, pymps_state *handle, CommandBuffer command_buffer)
    # Raises unless work of `layer` on `command_buffer`, or work that begins now (None), may start from it.
    cdef int check_start(self, str name, object layer, CommandBuffer command_buffer) except -1
    # The index, after checking that there is such a layer and that the CPU may look at it.
    cdef size_t checked_index(self, object layer_index) except? 0
    cdef bint _is_complete(self) except -1


cdef class RecurrentState(State):
    cdef readonly Py_ssize_t batch

    cdef object _array(self, layer_index, pymps_state_matrix which)


cdef class NewStates:
    cdef const pymps_backend *native
    cdef pymps_state **handles  # owned, and what they point to
    cdef Py_ssize_t count

    cdef pymps_state *take(self, Py_ssize_t index) noexcept


cdef RecurrentState make_state(object layer, pymps_state *handle, Py_ssize_t batch, CommandBuffer command_buffer=*)
cdef int check_state(str name, object layer, object state, Py_ssize_t batch, CommandBuffer command_buffer=*) except -1
# The same where the state may have fewer rows than the batch.
cdef int check_state_rows(str name, object layer, object state, Py_ssize_t least, Py_ssize_t most,
                          CommandBuffer command_buffer) except -1
cdef NewStates make_states(const pymps_backend *native, Py_ssize_t count)
# Raises the error that `status` stands for, unless it is PYMPS_OK.
cdef int check_cell(pymps_status status, const pymps_error *error, size_t index, pymps_state_matrix which) except -1


cdef class FloatArrays:
    cdef const float **data  # owned; NULL where there are none
    cdef list arrays         # what it points to


cdef tuple extent_of(object h, object c, Py_ssize_t ndim)
