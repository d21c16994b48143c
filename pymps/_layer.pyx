"""Layers."""

cimport cython

from pymps._archive cimport archived, unarchived
from pymps._backend cimport check, made_here
from pymps._command_buffer cimport CommandBuffer
from pymps._data_source cimport raise_failures
from pymps._descriptor cimport make_layer
from pymps._device cimport Device
from pymps._runner cimport Runner, make_runner
from pymps._sequence cimport Sequence, as_argument, check_overlap, checked_input, checked_output, new_output
from pymps._stack cimport make_stack
from pymps._state cimport FloatArrays, NewStates, RecurrentState, make_state, make_states
from pymps._values import checked_bool, checked_member, describe, is_plain_array
from pymps.enums import RNNBidirectionalCombineMode


@cython.final
cdef class MatrixInferenceLayer:
    """A stack of one or more recurrent layers, with the weights on a device (``MPSRNNMatrixInferenceLayer``).

    Any number of threads may call it, and step its streams, at the same time.

    Parameters
    ----------
    device : Device
        Where it runs.
    descriptor : LSTMDescriptor, GRUDescriptor, SingleGateDescriptor, or list of these
        The layers, the one that sees x first. Each one's output channels are the next one's input channels; or, for
        bidirectional runs alone, the next one's of the same direction. Later changes of a descriptor do not reach the
        layer.

    Attributes
    ----------
    device : Device
    input_feature_channels : int
        Features of a row of x, `I` below: the input channels of the first layer.
    output_feature_channels : int
        Features of a row of y, `O` below: the output channels of the last layer.
    number_of_layers : int
        How many layers the stack has.

    Raises
    ------
    TypeError, ValueError
        The message names the argument, what came and what was expected.
    DeviceError
        The device can't hold the layer.
    Exception
        Whatever a `DataSource` of a descriptor raises, as it is.
    """

    def __cinit__(self, Device device not None, descriptor):
        self.native = device.native
        self.device = device
        self._combine_mode = RNNBidirectionalCombineMode.NONE
        self._idle = []
        self._failures = []
        if descriptor is not made_here:  # else from_bytes brings the handle
            self.handle = make_layer(device, descriptor, self._failures)
            self._describe()

    cdef int _describe(self) except -1:
        self.stack = make_stack(self.native, self.handle)
        self.input_feature_channels = self.stack.info.input_feature_channels
        self.output_feature_channels = self.stack.info.output_feature_channels
        self.number_of_layers = self.stack.info.number_of_layers
        return 0

    def __dealloc__(self):
        if self.native != NULL:
            self.native.layer_release(self.handle)

    def __call__(self, x, state=None, *, out=None, store_all_intermediate_states=False):
        """Run the layer over a batch of sequences.

        Parameters
        ----------
        x : ndarray, shape (T, B, I), float32 or float16, or list of ndarray, shape (rows, I)
            T steps of B rows of I features, each row contiguous. As a list, one array per step, in which the number of
            rows never grows: row r of all steps is one sequence, the longest come first. Read in place where it lies
            in a buffer of the device, slices included, else copied once. It must not change during the call.
        state : RecurrentState, optional
            Where the sequences start: a state of this layer with B rows. None: zeros.
        out : ndarray, shape (T, B, O), or list of ndarray, shape (rows, O), optional
            Where y goes: of the form and dtype of x, writable, sharing no memory with x. Written in place where it
            lies in a buffer of the device. None: new arrays, as from ``device.empty``.
        store_all_intermediate_states : bool
            Return the state after every step, not only after the last.

        Returns
        -------
        y : ndarray or list of ndarray
            `out` where it was given. Complete: the device has finished.
        state : RecurrentState, or list of RecurrentState
            The state after the last step, or after each step. A sequence that has ended keeps its last state.

        Raises
        ------
        TypeError
            A dtype other than float32 and float16, or of the machine's other byte order: nothing is converted
            silently. An argument of another type.
        ValueError
            A shape, a stride or memory that does not fit; a state of another layer or batch.
        DeviceError
            Out of device memory.
        CommandBufferError
            The device failed; carries Metal's code and text.

        Notes
        -----
        `LSTMDescriptor` gives the formulas. NaN and infinity are data.
        """
        cdef Sequence source = checked_input("x", x, self.input_feature_channels)
        cdef Sequence target
        self.stack.check_runs_sequence()
        if state is not None:
            self.check_state(state, source.rows)
        every = checked_bool("store_all_intermediate_states", store_all_intermediate_states)
        if out is None:
            target = new_output("out", source, self.device, self.output_feature_channels)
            out = as_argument(target)
        else:
            target = checked_output("out", out, source, self.output_feature_channels)
            check_overlap(source, [target])
        states = self._run(source, target, state, source.steps if every else 1)
        return out, states if every else states[0]

    cdef list _run(self, Sequence source, Sequence target, RecurrentState state, Py_ssize_t count):
        cdef pymps_state *initial = NULL if state is None else state.handle
        cdef NewStates states = make_states(self.native, count)
        cdef Runner runner = self._runner()
        try:
            runner.stage(self.device, [source, target])
            source.copy_in()
            with nogil:
                runner.run(source, target, initial, count, states.handles)
            target.copy_out()
        finally:
            self._idle.append(runner)
        return states.taken(self, source.rows, None)

    # ---- Both directions ----

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

    def bidirectional(self, x, *, out=None, backward_out=None):
        """Run the layers of direction ``FORWARD`` from the first step on and those of ``BACKWARD`` from the last one on.

        Both see x and start from zeros; neither sees the other.

        Parameters
        ----------
        x : ndarray, shape (T, B, I), float32 or float16, or list of ndarray, shape (rows, I)
            As for a call of the layer.
        out : ndarray, shape (T, B, O), or list of ndarray, shape (rows, O), optional
            As for a call of the layer. O is the number of output channels of the last forward layer (``NONE``, ``ADD``),
            or of that and the last backward layer together (``CONCATENATE``).
        backward_out : ndarray, shape (T, B, O), or list of ndarray, shape (rows, O), optional
            For ``NONE`` alone: the same for the last backward layer.

        Returns
        -------
        y : ndarray or list of ndarray
            `out` where it was given. What stands at index t belongs to step t of x.
        backward_y : ndarray or list of ndarray
            For ``NONE`` alone: `backward_out` where it was given.

        Raises
        ------
        TypeError, ValueError, DeviceError, CommandBufferError
            As from a call of the layer. ValueError also where the stack lacks one of the directions, and where ``ADD``
            finds different numbers of output channels.
        """
        cdef Sequence source = checked_input("x", x, self.input_feature_channels)
        forward, backward = self._checked_pair(source, out, backward_out, ("out", "backward_out"))
        self._run_bidirectional(source, forward, backward)
        y = as_argument(forward) if out is None else out
        if backward is None:
            return y
        return y, as_argument(backward) if backward_out is None else backward_out

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
                pair.append(new_output(name, source, self.device, features))
            else:
                pair.append(checked_output(name, value, source, features))
        check_overlap(source, pair)
        return pair[0], pair[1] if len(pair) == 2 else None

    cdef int _run_bidirectional(self, Sequence source, Sequence forward, Sequence backward) except -1:
        cdef Sequence target
        targets = [forward] if backward is None else [forward, backward]
        cdef Runner runner = self._runner()
        try:
            runner.stage(self.device, [source, *targets])
            source.copy_in()
            runner.run_bidirectional(source, forward, backward, <pymps_combine_mode><int>self._combine_mode)
            for target in targets:
                target.copy_out()
        finally:
            self._idle.append(runner)
        return 0

    # ---- On a command buffer ----

    def encode_sequence(self, CommandBuffer command_buffer not None, sources, destinations, state=None, *,
                        store_all_intermediate_states=False, states_are_temporary=False):
        """Encode what a call of the layer does; it happens once the command buffer is committed.

        Parameters
        ----------
        command_buffer : CommandBuffer
            Of the layer's device.
        sources : ndarray, shape (T, B, I), float32 or float16, or list of ndarray, shape (rows, I)
            As `x` of a call, in a buffer of the device: nothing is copied. Kept alive until the command buffer has
            completed, and not to change until then.
        destinations : ndarray, shape (T, B, O), or list of ndarray, shape (rows, O)
            As `out` of a call, in a buffer of the device. Complete once the command buffer is.
        state : RecurrentState, optional
            Where the sequences start. It is complete, or made by work of the same queue that was committed before or
            encoded into the same command buffer before, or else the command buffer waits for it by an event.
        store_all_intermediate_states : bool
            Make the state after every step, not only after the last.
        states_are_temporary : bool
            Make states that live on this command buffer alone: of use as `state` of what is encoded into it later.

        Returns
        -------
        list of RecurrentState
            The state after the last step, or after each step. They can be read once the command buffer has completed.

        Raises
        ------
        TypeError, ValueError, DeviceError
            As from a call of the layer. ValueError also where an array lies outside the device's buffers, and where the
            command buffer is committed.
        RuntimeError
            Another thread is encoding into the command buffer.
        """
        cdef Sequence source = checked_input("sources", sources, self.input_feature_channels)
        cdef Sequence target = checked_output("destinations", destinations, source, self.output_feature_channels)
        check_overlap(source, [target])
        self.stack.check_runs_sequence()
        self._check_command_buffer(command_buffer)
        cdef pymps_state *initial = NULL
        if state is not None:
            self.check_state(state, source.rows, command_buffer)
            initial = (<RecurrentState>state).handle
        every = checked_bool("store_all_intermediate_states", store_all_intermediate_states)
        cdef bint are_temporary = checked_bool("states_are_temporary", states_are_temporary)
        source.locate_in_place(self.device)
        target.locate_in_place(self.device)
        cdef NewStates states = make_states(self.native, source.steps if every else 1)
        cdef pymps_error error
        cdef pymps_status status
        cdef Runner runner = self._runner()
        try:
            command_buffer.begin()
            with nogil:
                status = self.native.layer_encode_sequence(
                    runner.layer, command_buffer.handle, source.steps, source.matrices, target.matrices, initial,
                    states.count, are_temporary, states.handles, &error)
            command_buffer.end(status, &error)
        finally:
            self._idle.append(runner)
        return states.taken(self, source.rows, command_buffer)

    def encode_bidirectional_sequence(self, CommandBuffer command_buffer not None, sources, forward, backward=None):
        """Encode what `bidirectional` does; it happens once the command buffer is committed.

        Parameters
        ----------
        command_buffer : CommandBuffer
            Of the layer's device.
        sources : ndarray, shape (T, B, I), float32 or float16, or list of ndarray, shape (rows, I)
            As `x` of `bidirectional`, in a buffer of the device: nothing is copied. Kept alive until the command buffer
            has completed, and not to change until then.
        forward : ndarray, shape (T, B, O), or list of ndarray, shape (rows, O)
            As `out` of `bidirectional`, in a buffer of the device. Complete once the command buffer is.
        backward : ndarray, shape (T, B, O), or list of ndarray, shape (rows, O), optional
            The same for `backward_out`: needed where `bidirectional_combine_mode` is ``NONE``.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As from `bidirectional` and `encode_sequence`.
        """
        cdef Sequence source = checked_input("sources", sources, self.input_feature_channels)
        if forward is None or (backward is None and self._combine_mode == RNNBidirectionalCombineMode.NONE):
            raise TypeError(f"{'forward' if forward is None else 'backward'}: None, expected an array or a list of arrays")
        cdef Sequence target, backward_target
        target, backward_target = self._checked_pair(source, forward, backward, ("forward", "backward"))
        self._check_command_buffer(command_buffer)
        source.locate_in_place(self.device)
        target.locate_in_place(self.device)
        cdef pymps_matrix *backward_matrices = NULL
        if backward_target is not None:
            backward_target.locate_in_place(self.device)
            backward_matrices = backward_target.matrices
        cdef pymps_combine_mode mode = <pymps_combine_mode><int>self._combine_mode
        cdef pymps_error error
        cdef pymps_status status
        cdef Runner runner = self._runner()
        try:
            command_buffer.begin()
            with nogil:
                status = self.native.layer_encode_bidirectional_sequence(
                    runner.layer, command_buffer.handle, source.steps, source.matrices, target.matrices,
                    backward_matrices, mode, &error)
            command_buffer.end(status, &error)
        finally:
            self._idle.append(runner)

    cdef int _check_command_buffer(self, CommandBuffer command_buffer) except -1:
        if not self.device.is_same(command_buffer.device):
            raise ValueError(
                f"command_buffer: of {command_buffer.device!r}, expected one of {self.device!r}, the layer's device"
            )
        return 0

    # ---- States and streams ----

    def state(self, h=None, c=None):
        """A state to start from.

        Parameters
        ----------
        h, c : list of (ndarray, shape (B, O of that layer), float32, or None), optional
            The output and the memory cell of each layer of the stack, the layer that sees x first. None stands for
            zeros; a layer other than an LSTM has no memory cell, and takes None alone. At least one array is needed: it
            says what B is. Copied.

        Returns
        -------
        RecurrentState

        Raises
        ------
        TypeError, ValueError
            The message names the argument, what came and what was expected.
        DeviceError
            Out of device memory.
        """
        given = [array for values in (h, c) if isinstance(values, (list, tuple)) for array in values]
        rows = [array.shape[0] for array in given if is_plain_array(array) and array.ndim == 2]
        cdef Py_ssize_t batch = rows[0] if rows else 0
        self.stack.check_runs_sequence()
        cdef FloatArrays outputs = FloatArrays("h", h, batch, self.stack.outputs)
        cdef FloatArrays cells = FloatArrays("c", c, batch, self.stack.outputs)
        if batch == 0:
            raise ValueError("h, c: no array, expected at least one, which says how many rows there are")
        cdef pymps_state *handle = NULL
        cdef pymps_error error
        cdef Runner runner = self._runner()
        try:
            with nogil:
                check(self.native.state_create(runner.layer, batch, outputs.data, cells.data, &handle, &error), &error)
        finally:
            self._idle.append(runner)
        return make_state(self, handle, batch)

    def stream(self, batch=1):
        """A stream: the layer one step at a time, through fixed buffers.

        Parameters
        ----------
        batch : int
            How many rows a step has.

        Returns
        -------
        Stream

        Raises
        ------
        TypeError, ValueError
            `batch` is no number of rows.
        DeviceError
            Out of device memory.
        """
        from pymps._stream import Stream  # streams know layers, not the reverse
        return Stream(self, batch)

    # ---- Archives ----

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

    @staticmethod
    def from_bytes(Device device not None, data):
        """A layer from what `to_bytes` returned, perhaps in another process.

        Parameters
        ----------
        device : Device
            Where it runs: a device of the same backend.
        data : bytes-like
            From `to_bytes`, and from someone you trust: a checksum finds damage, not malice.

        Returns
        -------
        MatrixInferenceLayer
            It gives the numbers that the other one gives. Its `bidirectional_combine_mode` is ``NONE``.

        Raises
        ------
        TypeError
            Not bytes-like.
        ValueError
            Not from `to_bytes`, of another backend or version, or damaged.
        DeviceError
            The device can't hold the layer.
        """
        cdef MatrixInferenceLayer layer = MatrixInferenceLayer.__new__(MatrixInferenceLayer, device, made_here)
        layer.handle = unarchived(device, data)
        layer._describe()
        return layer

    def __reduce__(self):
        raise TypeError("a MatrixInferenceLayer belongs to a device: it has to_bytes and from_bytes instead of copies and "
                        "pickles")

    cdef int check_state(self, object state, Py_ssize_t batch, CommandBuffer command_buffer=None) except -1:
        if not isinstance(state, RecurrentState):
            raise TypeError(f"state: {describe(state)}, expected a RecurrentState or None")
        if (<RecurrentState>state).layer is not self:
            raise ValueError("state: of another layer, expected one of this layer")
        if (<RecurrentState>state).batch != batch:
            raise ValueError(f"state: {(<RecurrentState>state).batch} rows, expected {batch}")
        return (<RecurrentState>state).check_start(command_buffer)

    cdef Runner _runner(self):
        """A runner for one call, which puts it back into `_idle`."""
        if self._idle:
            return self._idle.pop()
        cdef Runner runner = make_runner(self.native, self.handle, self.device)
        raise_failures(self._failures)
        return runner

    def __repr__(self):
        return f"<pymps.MatrixInferenceLayer {self.stack.text()} on {self.device!r}>"
