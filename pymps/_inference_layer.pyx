"""What layers of matrices and layers of images have in common."""

from pymps._archive cimport archived
from pymps._backend cimport check
from pymps._command_buffer cimport CommandBuffer
from pymps._data_source cimport raise_failures
from pymps._descriptor cimport make_layer
from pymps._device cimport Device
from pymps._runner cimport Runner, make_runner
from pymps._sequence cimport Sequence, check_overlap
from pymps._stack cimport make_stack
from pymps._state cimport NewStates, State, make_states
from pymps._values import checked_bool, checked_member, describe
from pymps.enums import RNNBidirectionalCombineMode


cdef class InferenceLayer:
    """A stack of recurrent layers on a device. The classes derived from it say what their sequences are."""

    def __cinit__(self, Device device not None, descriptor):
        self.native = device.native
        self.device = device
        self._combine_mode = RNNBidirectionalCombineMode.NONE
        self._idle = []
        self._failures = []

    cdef int make(self, object descriptor, bint takes_images) except -1:
        return self.take(make_layer(self.device, descriptor, takes_images, self._failures))

    cdef int take(self, pymps_layer *handle) except -1:
        self.handle = handle
        self.stack = make_stack(self.native, self.handle)
        self.input_feature_channels = self.stack.info.input_feature_channels
        self.output_feature_channels = self.stack.info.output_feature_channels
        self.number_of_layers = self.stack.info.number_of_layers
        return 0

    def __dealloc__(self):
        if self.native != NULL:
            self.native.layer_release(self.handle)

    cdef Sequence checked_input(self, str name, object x):
        raise NotImplementedError

    # ---- Calls ----

    cdef tuple run(self, object x, object state, object out, object store_all_intermediate_states):
        cdef Sequence source = self.checked_input("x", x)
        cdef Sequence target
        self.stack.check_runs_sequence()
        if state is not None:
            source.check_state(self, state, None)
        every = checked_bool("store_all_intermediate_states", store_all_intermediate_states)
        if out is None:
            target = source.new_output("out", self.device, self.output_feature_channels)
            out = target.as_argument()
        else:
            target = source.checked_output("out", out, self.output_feature_channels)
            check_overlap(source, [target])
        states = self._run(source, target, state, source.steps if every else 1)
        return out, states if every else states[0]

    cdef list _run(self, Sequence source, Sequence target, State state, Py_ssize_t count):
        cdef pymps_state *initial = NULL if state is None else state.handle
        cdef NewStates states = make_states(self.native, count)
        cdef Runner runner = self.runner()
        try:
            runner.staging.stage(self.device, [source, target])
            source.copy_in()
            with nogil:
                runner.run(source, target, initial, count, states.handles)
            target.copy_out()
        finally:
            self._idle.append(runner)
        return self._taken(states, source, None)

    cdef list _taken(self, NewStates states, Sequence source, CommandBuffer command_buffer):
        cdef Py_ssize_t index
        return [source.new_state(self, states.take(index), command_buffer) for index in range(states.count)]

    cdef object run_bidirectional(self, object x, object out, object backward_out):
        cdef Sequence source = self.checked_input("x", x)
        cdef Sequence forward, backward
        forward, backward = self._checked_pair(source, out, backward_out, ("out", "backward_out"))
        self._run_bidirectional(source, forward, backward)
        y = forward.as_argument() if out is None else out
        if backward is None:
            return y
        return y, backward.as_argument() if backward_out is None else backward_out

    cdef tuple _checked_pair(self, Sequence source, object out, object backward_out, tuple names):
        cdef Py_ssize_t channels = self.stack.combined_channels(self._combine_mode)
        wanted = [(names[0], out, channels)]
        if self._combine_mode == RNNBidirectionalCombineMode.NONE:
            wanted.append((names[1], backward_out, self.stack.info.backward_output_feature_channels))
        elif backward_out is not None:
            raise ValueError(f"{names[1]}: {describe(backward_out)}, expected None where the combine mode is "
                             f"{self._combine_mode.name}")
        pair = []
        for name, value, features in wanted:
            if value is None:
                pair.append(source.new_output(name, self.device, features))
            else:
                pair.append(source.checked_output(name, value, features))
        check_overlap(source, pair)
        return pair[0], pair[1] if len(pair) == 2 else None

    cdef int _run_bidirectional(self, Sequence source, Sequence forward, Sequence backward) except -1:
        cdef Sequence target
        targets = [forward] if backward is None else [forward, backward]
        cdef Runner runner = self.runner()
        try:
            runner.staging.stage(self.device, [source, *targets])
            source.copy_in()
            runner.run_bidirectional(source, forward, backward, <pymps_combine_mode><int>self._combine_mode)
            for target in targets:
                target.copy_out()
        finally:
            self._idle.append(runner)
        return 0

    # ---- On a command buffer ----

    cdef list encode(self, CommandBuffer command_buffer, Sequence source, object destinations, object state,
                     object store_all_intermediate_states, object states_are_temporary):
        cdef Sequence target = source.checked_output("destinations", destinations, self.output_feature_channels)
        check_overlap(source, [target])
        self.stack.check_runs_sequence()
        self._check_command_buffer(command_buffer)
        cdef pymps_state *initial = NULL
        if state is not None:
            source.check_state(self, state, command_buffer)
            initial = (<State>state).handle
        every = checked_bool("store_all_intermediate_states", store_all_intermediate_states)
        cdef bint are_temporary = checked_bool("states_are_temporary", states_are_temporary)
        source.locate_in_place(self.device)
        target.locate_in_place(self.device)
        cdef NewStates states = make_states(self.native, source.steps if every else 1)
        cdef pymps_error error
        cdef pymps_status status
        cdef Runner runner = self.runner()
        try:
            command_buffer.begin()
            with nogil:
                status = runner.encode(command_buffer.handle, source, target, initial, states.count, are_temporary,
                                       states.handles, &error)
            command_buffer.end(status, &error)
        finally:
            self._idle.append(runner)
        return self._taken(states, source, command_buffer)

    cdef int encode_bidirectional(self, CommandBuffer command_buffer, Sequence source, object forward,
                                  object backward) except -1:
        if forward is None or (backward is None and self._combine_mode == RNNBidirectionalCombineMode.NONE):
            raise TypeError(f"{'forward' if forward is None else 'backward'}: None, expected an array or a list of arrays")
        cdef Sequence target, backward_target
        target, backward_target = self._checked_pair(source, forward, backward, ("forward", "backward"))
        self._check_command_buffer(command_buffer)
        source.locate_in_place(self.device)
        target.locate_in_place(self.device)
        if backward_target is not None:
            backward_target.locate_in_place(self.device)
        cdef pymps_combine_mode mode = <pymps_combine_mode><int>self._combine_mode
        cdef pymps_error error
        cdef Runner runner = self.runner()
        try:
            command_buffer.begin()
            command_buffer.end(runner.encode_bidirectional(command_buffer.handle, source, target, backward_target, mode,
                                                           &error), &error)
        finally:
            self._idle.append(runner)
        return 0

    cdef int _check_command_buffer(self, CommandBuffer command_buffer) except -1:
        if not self.device.is_same(command_buffer.device):
            raise ValueError(
                f"command_buffer: of {command_buffer.device!r}, expected one of {self.device!r}, the layer's device"
            )
        return 0

    # ---- What both say of themselves ----

    @property
    def bidirectional_combine_mode(self):
        """What becomes of the two results of a bidirectional run, an RNNBidirectionalCombineMode: ``NONE`` at first.

        It can be set. ``NONE``: two results. ``ADD``: their sum. ``CONCATENATE``: their features side by side, the
        forward ones first.
        """
        return self._combine_mode

    @bidirectional_combine_mode.setter
    def bidirectional_combine_mode(self, value):
        self._combine_mode = checked_member("bidirectional_combine_mode", value, RNNBidirectionalCombineMode)

    def to_bytes(self):
        """The layer with its weights, for `from_bytes`.

        Returns
        -------
        bytes
            In a form of the device's backend: no other backend reads it.

        Raises
        ------
        DeviceError
            The device can't tell the layer's weights, or there is no memory for them.
        """
        return archived(self.native, self.handle)

    def __reduce__(self):
        name = type(self).__name__
        article = "an" if name[0] in "AEIOU" else "a"
        raise TypeError(f"{article} {name} belongs to a device: it has to_bytes and from_bytes instead of copies and pickles")

    cdef Runner runner(self):
        """A runner for one call, which puts it back into `_idle`."""
        if self._idle:
            return self._idle.pop()
        cdef Runner runner = make_runner(self.native, self.handle, self.device)
        raise_failures(self._failures)
        return runner

    def __repr__(self):
        return f"<pymps.{type(self).__name__} {self.stack.text()} on {self.device!r}>"
