from pymps._buffer cimport Buffer
from pymps._device cimport Device
from pymps._native cimport *
from pymps._sequence cimport Sequence
from pymps._state cimport RecurrentState


cdef class MatrixInferenceLayer:
    cdef const pymps_backend *native
    cdef pymps_layer *handle  # owned; copied from only, with the GIL held
    cdef readonly Device device
    cdef readonly Py_ssize_t input_feature_channels, output_feature_channels, number_of_layers
    cdef tuple _outputs       # the output channels of each layer of the stack
    cdef list _idle           # the runners that no call uses

    cdef int check_state(self, object state, Py_ssize_t batch) except -1
    cdef list _run(self, Sequence source, Sequence target, RecurrentState state, Py_ssize_t count)
    cdef Runner _runner(self)


cdef class Runner:
    cdef const pymps_backend *native
    cdef pymps_layer *layer   # owned
    cdef pymps_queue *queue   # owned
    cdef Buffer staging       # grows as needed; None until then

    cdef int stage(self, Device device, Sequence x, Sequence y) except -1
    cdef int run(self, Sequence x, Sequence y, pymps_state *state, size_t state_count,
                 pymps_state **states) except -1 nogil
