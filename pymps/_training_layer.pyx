"""Layers that are trained."""

cimport cython

import numpy as np

from pymps._command_buffer cimport CommandBuffer
from pymps._descriptor cimport matrix_ids_of
from pymps._tape cimport Tape
from pymps._trainable cimport TrainingLayer
from pymps._training_matrices cimport TrainingMatrices, WeightGradients, make_gradients
from pymps.enums import MatrixId
from pymps.weights import WeightSource


@cython.final
cdef class MatrixTrainingLayer(TrainingLayer):
    """One recurrent layer whose weights can be trained (``MPSRNNMatrixTrainingLayer``).

    Any number of threads may use it; their calls take turns.

    Parameters
    ----------
    device : Device
        Where it runs.
    descriptor : LSTMDescriptor, GRUDescriptor or SingleGateDescriptor
        The layer, and the numbers that its weights begin with. What has no source is not trained: it stays zero; the
        bias of a gate is trained where the gate has input weights. A direction is ignored: to train a backward layer,
        reverse the steps. Later changes of the descriptor do not reach the layer.

    Attributes
    ----------
    device : Device
    input_feature_channels : int
        Features of a row of x, `I` below.
    output_feature_channels : int
        Features of a row of y, `O` below.
    number_of_layers : int
        1.
    weights : TrainingWeights
        The weights by `MatrixId`, to read and to set.

    Raises
    ------
    TypeError, ValueError
        The message names the argument, what came and what was expected.
    DeviceError
        The device can't hold the layer.
    Exception
        Whatever a `DataSource` of the descriptor raises, as it is.

    Examples
    --------
    >>> layer = pymps.MatrixTrainingLayer(device, descriptor)
    >>> adam = pymps.Adam(layer, learning_rate=0.01)
    >>> y, tape = layer.forward(x)
    >>> dx, gradients = layer.gradient(tape, y - target)    # of half the sum of squared distances
    >>> adam.step(gradients)
    >>> trained = pymps.MatrixInferenceLayer(device, layer.descriptor())

    Notes
    -----
    The descriptors give the formulas of the forward pass. Gradients are their derivatives, summed over steps and rows.
    At a corner of an activation the derivative is that of the side that holds it: of ReLU, 1 at 0; of ReLUN, 0 from b
    on.
    """

    @property
    def matrix_ids(self):
        """The `MatrixId` of all weights that can be trained, in the order of their numbers."""
        return tuple(self.trainer.shapes)

    # ---- Passes ----

    def forward(self, x, state=None, *, out=None, store_all_intermediate_states=False):
        """Run the layer over a batch of sequences, and remember what the gradient needs.

        Parameters
        ----------
        x : ndarray, shape (T, B, I), float32 or float16, or list of ndarray, shape (rows, I)
            As for a call of a `MatrixInferenceLayer`. Where it lies in a buffer of the device it is not copied: then it
            must not change until the gradient is computed.
        state : RecurrentState, optional
            Where the sequences start: a state of forward passes of this layer with B rows. None: zeros.
        out : ndarray, shape (T, B, O), or list of ndarray, shape (rows, O), optional
            Where y goes: of the form and dtype of x, writable, sharing no memory with x. None: new arrays, as from
            ``device.empty``.
        store_all_intermediate_states : bool
            Keep the state after every step in the tape, not only after the last.

        Returns
        -------
        y : ndarray or list of ndarray
            `out` where it was given. Complete: the device has finished.
        tape : Tape
            For `gradient`; ``tape.state`` is the state after the last step.

        Raises
        ------
        TypeError
            A dtype other than float32 and float16, or an argument of another type.
        ValueError
            A shape, a stride or memory that does not fit; a state of another layer, of a gradient or of another batch.
        DeviceError
            Out of device memory.
        CommandBufferError
            The device failed; carries Metal's code and text.
        """
        return self.run_forward(x, state, out, store_all_intermediate_states)

    def gradient(self, Tape tape not None, dy, *, state_gradient=None, weight_gradients=None, source_gradient=True,
                 accumulate=False, store_all_intermediate_states=False):
        """The gradient of a loss L through the steps of a forward pass.

        Parameters
        ----------
        tape : Tape
            Of a forward pass, or a part of it. The weights must not have changed since: what changes them on a command
            buffer counts from the commit on, but for a tape of `encode_forward_sequence` as soon as it is encoded. The
            tape can be used again.
        dy : ndarray, shape (T, B, O), or list of ndarray, shape (rows, O)
            dL/dy of these steps: of the form, the dtype and the rows of x.
        state_gradient : RecurrentState, optional
            dL/dh and dL/dc that reach the state after the last step in another way than by `dy`: what the gradient of
            the steps that follow has left in ``tape.state_gradient``, or made by the method `state_gradient`. It has B
            rows; or where rows end, as many as the step that follows, or as the last one of the whole pass: zeros for
            the others. None: zeros for all.
        weight_gradients : WeightGradients or False, optional
            Where the gradients of the weights go: those of an earlier call, which saves memory. None: new ones. False:
            they are not computed.
        source_gradient : bool, ndarray, shape (T, B, I), or list of ndarray, shape (rows, I)
            Whether to compute dL/dx, or where it goes: then of the form, the dtype and the rows of x, writable, sharing
            no memory with x and `dy`.
        accumulate : bool
            Add to what `weight_gradients` hold, instead of replacing it.
        store_all_intermediate_states : bool
            Keep dL/dh and dL/dc before every step in the tape, not only before the first.

        Returns
        -------
        dx : ndarray, list of ndarray, or None
            dL/dx.
        gradients : WeightGradients or None
            dL/d(weights), summed over steps and rows.

        Raises
        ------
        TypeError
            A dtype other than that of x, or an argument of another type.
        ValueError
            A shape, a stride or memory that does not fit; a tape, a state or gradients of another layer; weights that
            have changed since the forward pass; a state of a forward pass.
        RuntimeError
            The command buffer that makes the tape has not completed.
        DeviceError
            Out of device memory.
        CommandBufferError
            The device failed; carries Metal's code and text.

        Notes
        -----
        ``tape.state_gradient`` then has dL/dh and dL/dc of the state that the steps started from.
        """
        return self.run_gradient(tape, dy, state_gradient, weight_gradients, source_gradient, accumulate,
                                 store_all_intermediate_states)

    def weight_gradients(self, dtype=np.float32, CommandBuffer command_buffer=None):
        """Gradients of zeros, for `gradient` and `encode_gradient_sequence`.

        Parameters
        ----------
        dtype : dtype
            float32 or float16, whatever the weights are.
        command_buffer : CommandBuffer, optional
            On which they live alone, until something encoded there reads them: an optimizer's step. None: they last.

        Returns
        -------
        WeightGradients

        Raises
        ------
        TypeError, ValueError
            The message names the argument, what came and what was expected.
        RuntimeError
            Another thread is encoding into the command buffer.
        DeviceError
            Out of device memory.
        """
        if command_buffer is None:
            return make_gradients(self.trainer, dtype, None)
        self._check_command_buffer(command_buffer)
        return make_gradients(self.trainer, dtype, command_buffer)

    # ---- On a command buffer ----

    def encode_forward_sequence(self, CommandBuffer command_buffer not None, sources, destinations, state=None, *,
                                store_all_intermediate_states=False, states_are_temporary=False,
                                tape_is_temporary=False):
        """Encode what `forward` does; it happens once the command buffer is committed.

        Parameters
        ----------
        command_buffer : CommandBuffer
            Of the layer's device.
        sources : ndarray, shape (T, B, I), float32 or float16, or list of ndarray, shape (rows, I)
            As `x` of `forward`, in a buffer of the device: nothing is copied. Not to change until the gradient is
            computed.
        destinations : ndarray, shape (T, B, O), or list of ndarray, shape (rows, O)
            As `out` of `forward`, in a buffer of the device. Complete once the command buffer is.
        state : RecurrentState, optional
            Where the sequences start, as for `MatrixInferenceLayer.encode_sequence`.
        store_all_intermediate_states : bool
            Keep the state after every step in the tape, not only after the last.
        states_are_temporary : bool
            Make states that live on this command buffer alone.
        tape_is_temporary : bool
            Make a tape that lives on this command buffer alone: for one `encode_gradient_sequence` of each step.

        Returns
        -------
        Tape
            Its states can be read once the command buffer has completed.

        Raises
        ------
        TypeError, ValueError, DeviceError
            As from `forward`. ValueError also where an array lies outside the device's buffers, and where the command
            buffer is committed.
        RuntimeError
            Another thread is encoding into the command buffer.
        """
        return self.encode_forward(command_buffer, sources, destinations, state, store_all_intermediate_states,
                                   states_are_temporary, tape_is_temporary)

    def encode_gradient_sequence(self, CommandBuffer command_buffer not None, Tape tape not None, dy, dx=None, *,
                                 state_gradient=None, WeightGradients weight_gradients=None, accumulate=False,
                                 store_all_intermediate_states=False, states_are_temporary=False):
        """Encode what `gradient` does; it happens once the command buffer is committed.

        Parameters
        ----------
        command_buffer : CommandBuffer
            Of the layer's device.
        tape : Tape
            Complete, or made by work of the same queue that was committed before or encoded into the same command
            buffer before. No change of the weights may have been encoded since the pass was, whether it has run or not:
            what counts is the order of encoding, and all is to be committed in that order.
        dy : ndarray, shape (T, B, O), or list of ndarray, shape (rows, O)
            As for `gradient`, in a buffer of the device: nothing is copied. Not to change until the command buffer has
            completed.
        dx : ndarray, shape (T, B, I), or list of ndarray, shape (rows, I), optional
            Where dL/dx goes, in a buffer of the device. None: it is not computed.
        state_gradient : RecurrentState, optional
            As for `gradient`; made where the tape may be made.
        weight_gradients : WeightGradients, optional
            Where dL/d(weights) goes, complete once the command buffer is. None: it is not computed.
        accumulate : bool
            Add to what `weight_gradients` hold, instead of replacing it.
        store_all_intermediate_states : bool
            Keep dL/dh and dL/dc before every step in the tape, not only before the first.
        states_are_temporary : bool
            Make these so that they live on this command buffer alone.

        Returns
        -------
        list of RecurrentState
            dL/dh and dL/dc before the first step, or before each step: ``tape.state_gradients``.

        Raises
        ------
        TypeError, ValueError, DeviceError
            As from `gradient`. ValueError also where an array lies outside the device's buffers, where the command
            buffer is committed, and where a temporary tape was used before.
        RuntimeError
            Another thread is encoding into the command buffer.
        """
        return self.encode_gradient(command_buffer, tape, dy, dx, state_gradient, weight_gradients, accumulate,
                                    store_all_intermediate_states, states_are_temporary)

    def encode_copy_weights(self, CommandBuffer command_buffer not None, matrix_id, array, *, from_array=False,
                            TrainingMatrices matrices=None):
        """Encode a copy of some weights to an array, or from one.

        Parameters
        ----------
        command_buffer : CommandBuffer
            Of the layer's device.
        matrix_id : MatrixId
            Which weights.
        array : ndarray
            Of the shape and dtype of these weights, with contiguous rows, in a buffer of the device: nothing is copied
            besides. A part of a larger array is such an array, too.
        from_array : bool
            Copy what the array holds once this runs to the weights; else the other way round. Complete once the command
            buffer is.
        matrices : TrainingWeights or WeightGradients, optional
            Whose they are. None: `weights`.

        Raises
        ------
        KeyError
            The layer has no such weights.
        TypeError, ValueError
            The message names the argument, what came and what was expected.
        RuntimeError
            Another thread is encoding into the command buffer.
        """
        self.encode_copy(command_buffer, self.weights if matrices is None else matrices, matrix_id, array, from_array)

    # ---- States ----

    def state(self, h=None, c=None):
        """A state for a forward pass to start from.

        Parameters
        ----------
        h, c : ndarray, shape (B, O), float32, optional
            The output and the memory cell. None stands for zeros; a layer other than an LSTM has no memory cell. At
            least one is needed: it says what B is. Copied.

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
        return self.new_state(False, h, c)

    def state_gradient(self, h=None, c=None):
        """dL/dh and dL/dc of the state after the last step, for `gradient`.

        Parameters, result and errors are those of `state`.
        """
        return self.new_state(True, h, c)

    # ---- For inference ----

    def descriptor(self):
        """A descriptor with the present weights, for a `MatrixInferenceLayer`.

        Returns
        -------
        LSTMDescriptor, GRUDescriptor or SingleGateDescriptor
            As the one that the layer was made of, but for the numbers.

        Raises
        ------
        DeviceError, CommandBufferError
            The weights could not be read.
        """
        made = self._template._without_sources()
        for name, neuron in self._neurons.items():
            matrix_id = MatrixId(matrix_ids_of(made)[name])
            values = self.weights.get(matrix_id)
            if values is None:  # the identity
                values = np.eye(self.output_feature_channels, dtype=np.float32)
            bias = self._bias_beside(matrix_id)
            setattr(made, name, WeightSource(values, bias, neuron))
        return made

    def _bias_beside(self, matrix_id):
        """The bias terms that go with input weights; None for all other weights."""
        if not matrix_id.name.endswith("INPUT_WEIGHTS"):
            return None
        name = matrix_id.name.removesuffix("INPUT_WEIGHTS") + "BIAS_TERMS"
        return self.weights[MatrixId[name]].astype(np.float32)

    def __reduce__(self):
        raise TypeError("a MatrixTrainingLayer belongs to a device: it has descriptor() instead of copies and pickles")

    def __repr__(self):
        channels = f"{self.input_feature_channels} -> {self.output_feature_channels}"
        return f"<pymps.MatrixTrainingLayer {channels} on {self.device!r}>"
