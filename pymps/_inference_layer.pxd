from pymps._command_buffer cimport CommandBuffer
from pymps._device cimport Device
from pymps._native cimport *
from pymps._runner cimport Runner
from pymps._sequence cimport Sequence
from pymps._stack cimport Stack
from pymps._state cimport NewStates, State


cdef class InferenceLayer:
    cdef const pymps_backend *native
    cdef pymps_layer *handle  # owned; copied and archived only
    cdef readonly Device device
    cdef readonly Py_ssize_t input_feature_channels, output_feature_channels, number_of_layers
    cdef Stack stack
    cdef object _combine_mode  # an RNNBidirectionalCombineMode
    cdef list _idle            # the runners that no call uses
    cdef list _failures        # what data sources have raised and nobody has heard of

    # One of the two comes first.
    cdef int make(self, object descriptor, bint takes_images) except -1
    cdef int take(self, pymps_layer *handle) except -1

    cdef Sequence checked_input(self, str name, object x)
    cdef tuple run(self, object x, object state, object out, object store_all_intermediate_states)
    cdef object run_bidirectional(self, object x, object out, object backward_out)
    cdef list encode(self, CommandBuffer command_buffer, Sequence source, object destinations, object state,
                     object store_all_intermediate_states, object states_are_temporary)
    cdef int encode_bidirectional(self, CommandBuffer command_buffer, Sequence source, object forward,
                                  object backward) except -1
    # For one call, which puts it back into `_idle`.
    cdef Runner runner(self)

    cdef list _run(self, Sequence source, Sequence target, State state, Py_ssize_t count)
    cdef list _taken(self, NewStates states, Sequence source, CommandBuffer command_buffer)
    cdef tuple _checked_pair(self, Sequence source, object out, object backward_out, tuple names)
    cdef int _run_bidirectional(self, Sequence source, Sequence forward, Sequence backward) except -1
    cdef int _check_command_buffer(self, CommandBuffer command_buffer) except -1
