from pymps._command_buffer cimport CommandBuffer
from pymps._device cimport Device
from pymps._native cimport *
from pymps._runner cimport Runner
from pymps._sequence cimport Sequence
from pymps._stack cimport Stack
from pymps._state cimport RecurrentState


cdef class MatrixInferenceLayer:
    cdef const pymps_backend *native
    cdef pymps_layer *handle  # owned; copied and archived only
    cdef readonly Device device
    cdef readonly Py_ssize_t input_feature_channels, output_feature_channels, number_of_layers
    cdef Stack stack
    cdef object _combine_mode  # an RNNBidirectionalCombineMode
    cdef list _idle            # the runners that no call uses
    cdef list _failures        # what data sources have raised and nobody has heard of

    cdef int check_state(self, object state, Py_ssize_t batch, CommandBuffer command_buffer=*) except -1
    cdef int _describe(self) except -1
    cdef int _check_command_buffer(self, CommandBuffer command_buffer) except -1
    cdef tuple _checked_pair(self, Sequence source, object out, object backward_out, tuple names)
    cdef list _run(self, Sequence source, Sequence target, RecurrentState state, Py_ssize_t count)
    cdef int _run_bidirectional(self, Sequence source, Sequence forward, Sequence backward) except -1
    cdef Runner _runner(self)
