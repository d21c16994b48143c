from pymps._command_buffer cimport CommandBuffer
from pymps._device cimport Device
from pymps._matrix_sequence cimport MatrixSequence
from pymps._native cimport *
from pymps._sequence cimport Sequence
from pymps._state cimport NewStates, State
from pymps._tape cimport Tape
from pymps._trainer cimport Trainer
from pymps._training_matrices cimport TrainingMatrices, TrainingWeights, WeightGradients


cdef class TrainingLayer:
    cdef Trainer trainer
    cdef readonly Device device
    cdef readonly Py_ssize_t input_feature_channels, output_feature_channels, number_of_layers
    cdef readonly TrainingWeights weights
    cdef object _template  # a descriptor without weights
    cdef dict _neurons     # by weight property that had a source

    cdef tuple run_forward(self, object x, object state, object out, object store_all_intermediate_states)
    cdef tuple run_gradient(self, Tape tape, object dy, object state_gradient, object weight_gradients,
                            object source_gradient, object accumulate, object store_all_intermediate_states)
    cdef Tape encode_forward(self, CommandBuffer command_buffer, object sources, object destinations, object state,
                             object store_all_intermediate_states, object states_are_temporary,
                             object tape_is_temporary)
    cdef list encode_gradient(self, CommandBuffer command_buffer, Tape tape, object dy, object dx, object state_gradient,
                              WeightGradients weight_gradients, object accumulate,
                              object store_all_intermediate_states, object states_are_temporary)
    cdef int encode_copy(self, CommandBuffer command_buffer, TrainingMatrices matrices, object matrix_id, object array,
                         object from_array) except -1
    cdef object new_state(self, bint is_gradient, object h, object c)

    cdef pymps_training_forward _forward(self, Sequence source, Sequence target, State state, NewStates states) noexcept
    cdef pymps_training_gradient _gradient(self, Tape tape, Sequence sources, Sequence dy, Sequence dx, State state,
                                           WeightGradients gradients, NewStates states) noexcept
    cdef list _taken(self, NewStates states, Py_ssize_t rows, CommandBuffer command_buffer)
    cdef MatrixSequence _new_or_checked_dx(self, MatrixSequence sources, object source_gradient)
    cdef WeightGradients _checked_gradients(self, object weight_gradients, bint adds)
    cdef int _check_accumulation(self, WeightGradients gradients, bint adds, CommandBuffer command_buffer) except -1
    cdef int _check_command_buffer(self, CommandBuffer command_buffer) except -1
