"""Layers of matrices."""

cimport cython

from pymps._archive cimport unarchived
from pymps._backend cimport check, made_here
from pymps._command_buffer cimport CommandBuffer
from pymps._device cimport Device
from pymps._inference_layer cimport InferenceLayer
from pymps._matrix_sequence cimport checked_input
from pymps._native cimport *
from pymps._runner cimport Runner
from pymps._sequence cimport Sequence
from pymps._state cimport FloatArrays, extent_of, make_state


@cython.final
cdef class MatrixInferenceLayer(InferenceLayer):
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

    def __cinit__(self, device, descriptor):
        if descriptor is not made_here:  # else from_bytes brings the handle
            self.make(descriptor, False)

    cdef Sequence checked_input(self, str name, object x):
        return checked_input(name, x, self.input_feature_channels)

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
        return self.run(x, state, out, store_all_intermediate_states)

    # ---- Both directions ----

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
        return self.run_bidirectional(x, out, backward_out)

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
        cdef Sequence source = self.checked_input("sources", sources)
        return self.encode(command_buffer, source, destinations, state, store_all_intermediate_states,
                           states_are_temporary)

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
        self.encode_bidirectional(command_buffer, self.checked_input("sources", sources), forward, backward)

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
        self.stack.check_runs_sequence()
        extent = extent_of(h, c, 2)
        cdef FloatArrays outputs = FloatArrays("h", h, extent, "B", self.stack.outputs)
        cdef FloatArrays cells = FloatArrays("c", c, extent, "B", self.stack.outputs)
        if not extent:
            raise ValueError("h, c: no array, expected at least one, which says how many rows there are")
        cdef Py_ssize_t batch = extent[0]
        cdef pymps_state *handle = NULL
        cdef pymps_error error
        cdef Runner runner = self.runner()
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
        layer.take(unarchived(device, data, False))
        return layer
