"""What runs the passes of a training layer."""

cimport numpy as cnp
from libc.string cimport memset

import numpy as np

from pymps._backend cimport check
from pymps._descriptor cimport NativeDescriptor, make_descriptor
from pymps._matrix_sequence cimport checked_input
from pymps._sequence cimport check_overlap
from pymps._state cimport check_state, make_state, make_states
from pymps._tape cimport make_tape
from pymps._trainer cimport make_trainer
from pymps._training_matrices cimport make_gradients, new_weights
from pymps._values import checked_array, checked_bool, describe
from pymps.rnn_descriptor import RNNDescriptor

cnp.import_array()


cdef class TrainingLayer:
    """The passes of a training layer, which the class derived from it explains."""

    def __cinit__(self, Device device not None, descriptor):
        if not isinstance(descriptor, RNNDescriptor):
            raise TypeError(
                f"descriptor: {describe(descriptor)}, expected an LSTMDescriptor, a GRUDescriptor or a SingleGateDescriptor"
            )
        failures = []
        cdef NativeDescriptor native = make_descriptor(device.native, descriptor, failures)
        is_diagonal = getattr(descriptor, "memory_weights_are_diagonal", False)
        self.device = device
        self._template = descriptor._without_sources()
        self.weights = new_weights(device)
        self.trainer = make_trainer(device, native, is_diagonal, failures, &self.weights.handle)
        self.weights.trainer = self.trainer
        self._neurons = {name: source.neuron for name, source in native.sources.items()}
        self.input_feature_channels = self.trainer.info.input_feature_channels
        self.output_feature_channels = self.trainer.info.output_feature_channels
        self.number_of_layers = 1

    # ---- Passes ----

    cdef tuple run_forward(self, object x, object state, object out, object store_all_intermediate_states):
        cdef MatrixSequence source = checked_input("x", x, self.input_feature_channels)
        cdef Sequence target
        cdef State initial = None
        if state is not None:
            check_state("state", self, state, source.rows, None)
            initial = state
        every = checked_bool("store_all_intermediate_states", store_all_intermediate_states)
        if out is None:
            target = source.new_output("out", self.device, self.output_feature_channels)
            out = target.as_argument()
        else:
            target = source.checked_output("out", out, self.output_feature_channels)
            check_overlap(source, [target])
        source = source.on_device(self.device)
        cdef NewStates states = make_states(self.trainer.native, source.steps if every else 1)
        cdef Tape tape
        cdef pymps_training_forward forward
        with self.trainer.lock:
            self.trainer.staging.stage(self.device, [target])
            tape = make_tape(self, self.trainer, source, None)
            forward = self._forward(source, target, initial, states)
            self.trainer.forward(&forward, &tape.native.handle)
            target.copy_out()
        tape._states = self._taken(states, source.rows, None)
        return out, tape

    cdef tuple run_gradient(self, Tape tape, object dy, object state_gradient, object weight_gradients,
                            object source_gradient, object accumulate, object store_all_intermediate_states):
        tape.check_use(self.trainer, None)
        cdef MatrixSequence sources = tape.sources()
        cdef MatrixSequence dy_sequence = sources.checked_like("dy", dy, self.output_feature_channels)
        cdef MatrixSequence dx_sequence = self._new_or_checked_dx(sources, source_gradient)
        if state_gradient is not None:
            tape.check_last_state(state_gradient, None)
        cdef bint adds = checked_bool("accumulate", accumulate)
        every = checked_bool("store_all_intermediate_states", store_all_intermediate_states)
        cdef WeightGradients gradients = self._checked_gradients(weight_gradients, adds)
        if dx_sequence is not None:
            check_overlap(sources, [dx_sequence])
            check_overlap(dy_sequence, [dx_sequence])
        cdef NewStates states = make_states(self.trainer.native, sources.steps if every else 1)
        cdef pymps_training_gradient gradient
        with self.trainer.lock:
            self.trainer.staging.stage(self.device, [s for s in (dy_sequence, dx_sequence) if s is not None])
            dy_sequence.copy_in()
            tape.check_use(self.trainer, None)
            gradient = self._gradient(tape, sources, dy_sequence, dx_sequence, state_gradient, gradients, states)
            gradient.accumulate_weight_gradients = adds
            self.trainer.gradient(&gradient)
            if dx_sequence is not None:
                dx_sequence.copy_out()
        tape._gradients = self._taken(states, sources.rows, None)
        if source_gradient is True:
            source_gradient = dx_sequence.as_argument()
        return None if dx_sequence is None else source_gradient, gradients

    # ---- On a command buffer ----

    cdef Tape encode_forward(self, CommandBuffer command_buffer, object sources, object destinations, object state,
                             object store_all_intermediate_states, object states_are_temporary,
                             object tape_is_temporary):
        cdef MatrixSequence source = checked_input("sources", sources, self.input_feature_channels)
        cdef Sequence target = source.checked_output("destinations", destinations, self.output_feature_channels)
        check_overlap(source, [target])
        self._check_command_buffer(command_buffer)
        if state is not None:
            check_state("state", self, state, source.rows, command_buffer)
        every = checked_bool("store_all_intermediate_states", store_all_intermediate_states)
        cdef bint states_end = checked_bool("states_are_temporary", states_are_temporary)
        cdef bint tape_ends = checked_bool("tape_is_temporary", tape_is_temporary)
        source.locate_in_place(self.device)
        target.locate_in_place(self.device)
        cdef NewStates states = make_states(self.trainer.native, source.steps if every else 1)
        cdef Tape tape = make_tape(self, self.trainer, source, command_buffer)
        cdef pymps_training_forward forward = self._forward(source, target, state, states)
        forward.states_are_temporary = states_end
        forward.tape_is_temporary = tape_ends
        cdef pymps_error error
        cdef pymps_status status
        command_buffer.begin()
        with nogil:
            status = self.trainer.training.training_layer_encode_forward(
                self.trainer.handle, command_buffer.handle, &forward, &tape.native.handle, &error)
        command_buffer.end(status, &error)
        tape._states = self._taken(states, source.rows, command_buffer)
        return tape

    cdef list encode_gradient(self, CommandBuffer command_buffer, Tape tape, object dy, object dx, object state_gradient,
                              WeightGradients weight_gradients, object accumulate,
                              object store_all_intermediate_states, object states_are_temporary):
        self._check_command_buffer(command_buffer)
        tape.check_use(self.trainer, command_buffer)
        cdef MatrixSequence sources = tape.sources()
        cdef MatrixSequence dy_sequence = sources.checked_like("dy", dy, self.output_feature_channels)
        cdef MatrixSequence dx_sequence = None
        if dx is not None:
            dx_sequence = sources.checked_output("dx", dx, self.input_feature_channels)
            check_overlap(sources, [dx_sequence])
            check_overlap(dy_sequence, [dx_sequence])
            dx_sequence.locate_in_place(self.device)
        dy_sequence.locate_in_place(self.device)
        if state_gradient is not None:
            tape.check_last_state(state_gradient, command_buffer)
        cdef bint adds = checked_bool("accumulate", accumulate)
        every = checked_bool("store_all_intermediate_states", store_all_intermediate_states)
        cdef bint states_end = checked_bool("states_are_temporary", states_are_temporary)
        self._check_accumulation(weight_gradients, adds, command_buffer)
        cdef NewStates states = make_states(self.trainer.native, sources.steps if every else 1)
        cdef pymps_training_gradient gradient = self._gradient(tape, sources, dy_sequence, dx_sequence, state_gradient,
                                                               weight_gradients, states)
        gradient.accumulate_weight_gradients = adds
        gradient.states_are_temporary = states_end
        cdef pymps_error error
        cdef pymps_status status
        command_buffer.begin()
        with nogil:
            status = self.trainer.training.training_layer_encode_gradient(
                self.trainer.handle, command_buffer.handle, &gradient, &error)
        command_buffer.end(status, &error)
        tape._gradients = self._taken(states, sources.rows, command_buffer)
        return tape.state_gradients

    cdef int encode_copy(self, CommandBuffer command_buffer, TrainingMatrices matrices, object matrix_id, object array,
                         object from_array) except -1:
        self._check_command_buffer(command_buffer)
        matrices.check_use("matrices", self.trainer, command_buffer)
        member = matrices.checked_id("matrix_id", matrix_id)
        cdef pymps_matrix_id native_id = <pymps_matrix_id><int>member
        cdef bint writes = checked_bool("from_array", from_array)
        checked_array("array", array, self.trainer.shapes[member], matrices.dtype.type)
        if not writes and not array.flags.writeable:
            raise ValueError("array: read-only, expected a writable array")
        rows = array if array.ndim == 2 else array[np.newaxis]
        cdef MatrixSequence place = checked_input("array", rows[np.newaxis], rows.shape[1])
        place.locate_in_place(self.device)
        cdef pymps_error error
        cdef pymps_status status
        command_buffer.begin()
        with nogil:
            status = self.trainer.training.training_layer_encode_copy(
                self.trainer.handle, command_buffer.handle, matrices.handle, native_id, place.matrices, 0, 0,
                writes, &error)
        command_buffer.end(status, &error)
        if writes and matrices is self.weights:
            command_buffer.will_write(self.trainer.writes)
        return 0

    # ---- States ----

    cdef object new_state(self, bint is_gradient, object h, object c):
        given = h if h is not None else c
        if given is None:
            raise ValueError("h, c: no array, expected at least one, which says how many rows there are")
        rows = given.shape[0] if getattr(given, "ndim", 0) == 2 else "B"
        if h is not None:
            h = np.ascontiguousarray(checked_array("h", h, (rows, self.output_feature_channels), np.float32))
        if c is not None:
            c = np.ascontiguousarray(checked_array("c", c, (rows, self.output_feature_channels), np.float32))
        if c is not None and not self.trainer.info.has_memory_cell:
            raise ValueError(f"c: {describe(c)}, expected None for a layer without a memory cell")
        cdef float *h_data = NULL if h is None else <float *>cnp.PyArray_DATA(h)
        cdef float *c_data = NULL if c is None else <float *>cnp.PyArray_DATA(c)
        cdef Py_ssize_t batch = rows
        cdef pymps_state *handle = NULL
        cdef pymps_error error
        with nogil:
            check(self.trainer.training.training_state_create(
                self.trainer.handle, is_gradient, batch, h_data, c_data, &handle, &error), &error)
        return make_state(self, handle, batch)

    # ---- Parts of the above ----

    cdef pymps_training_forward _forward(self, Sequence source, Sequence target, State state, NewStates states) noexcept:
        cdef pymps_training_forward forward
        memset(&forward, 0, sizeof(forward))
        forward.weights = self.weights.handle
        forward.steps = source.steps
        forward.sources = source.matrices
        forward.destinations = target.matrices
        forward.state = NULL if state is None else state.handle
        forward.state_count = states.count
        forward.states = states.handles
        return forward

    cdef pymps_training_gradient _gradient(self, Tape tape, Sequence sources, Sequence dy, Sequence dx, State state,
                                           WeightGradients gradients, NewStates states) noexcept:
        cdef pymps_training_gradient gradient
        memset(&gradient, 0, sizeof(gradient))
        gradient.weights = self.weights.handle
        gradient.tape = tape.native.handle
        gradient.first_step = tape.first
        gradient.steps = tape.count
        gradient.sources = sources.matrices
        gradient.dy = dy.matrices
        gradient.dx = NULL if dx is None else dx.matrices
        gradient.weight_gradients = NULL if gradients is None else gradients.handle
        gradient.state = NULL if state is None else state.handle
        gradient.state_count = states.count
        gradient.states = states.handles
        return gradient

    cdef list _taken(self, NewStates states, Py_ssize_t rows, CommandBuffer command_buffer):
        cdef Py_ssize_t index
        return [make_state(self, states.take(index), rows, command_buffer) for index in range(states.count)]

    cdef MatrixSequence _new_or_checked_dx(self, MatrixSequence sources, object source_gradient):
        if source_gradient is True:
            return sources.new_output("dx", self.device, self.input_feature_channels)
        if source_gradient is False:
            return None
        return sources.checked_output("source_gradient", source_gradient, self.input_feature_channels)

    cdef WeightGradients _checked_gradients(self, object weight_gradients, bint adds):
        if weight_gradients is None and not adds:
            return make_gradients(self.trainer, np.float32, None)
        if weight_gradients is False or weight_gradients is None:
            self._check_accumulation(None, adds, None)
            return None
        if not isinstance(weight_gradients, WeightGradients):
            raise TypeError(f"weight_gradients: {describe(weight_gradients)}, expected WeightGradients, False or None")
        self._check_accumulation(weight_gradients, adds, None)
        return weight_gradients

    cdef int _check_accumulation(self, WeightGradients gradients, bint adds, CommandBuffer command_buffer) except -1:
        if gradients is not None:
            gradients.check_use("weight_gradients", self.trainer, command_buffer)
        elif adds:
            raise ValueError("accumulate: True, expected weight_gradients to add to")
        return 0

    cdef int _check_command_buffer(self, CommandBuffer command_buffer) except -1:
        if not self.device.is_same(command_buffer.device):
            raise ValueError(
                f"command_buffer: of {command_buffer.device!r}, expected one of {self.device!r}, the layer's device"
            )
        return 0
