"""Layers of images."""

cimport cython

from pymps._archive cimport unarchived
from pymps._backend cimport check, made_here
from pymps._command_buffer cimport CommandBuffer
from pymps._device cimport Device
from pymps._image_sequence cimport checked_images, checked_input
from pymps._image_state cimport make_image_state
from pymps._inference_layer cimport InferenceLayer
from pymps._native cimport *
from pymps._runner cimport Runner
from pymps._sequence cimport Sequence
from pymps._state cimport FloatArrays, extent_of


@cython.final
cdef class ImageInferenceLayer(InferenceLayer):
    """A stack of one or more recurrent layers whose products are convolutions, with the weights on a device
    (``MPSRNNImageInferenceLayer``).

    Any number of threads may call it, and step its streams, at the same time.

    Parameters
    ----------
    device : Device
        Where it runs.
    descriptor : LSTMDescriptor, GRUDescriptor, SingleGateDescriptor, or list of these
        The layers, the one that sees x first, as for a `MatrixInferenceLayer`. Weights may have kernels of any size,
        (out, kh, kw, in), each its own. Later changes of a descriptor do not reach the layer.

    Attributes
    ----------
    device : Device
    input_feature_channels : int
        Channels of a pixel of x, `I` below: the input channels of the first layer.
    output_feature_channels : int
        Channels of a pixel of y, `O` below: the output channels of the last layer.
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

    Notes
    -----
    The formulas are those of the descriptors [1]_, where ``*`` is Apple's convolution [2]_, which turns no kernel around
    and keeps the size of the image, with zeros beyond its edges::

        (W*x)[y, x, o] = sum over i, j, c of W[o, i, j, c] x[y + i - kh // 2, x + j - kw // 2, c]

    Biases, activations and diagonals are the same at every pixel. Weights are kept as float16, whatever a descriptor's
    `use_float32_weights` says.

    Where all kernels of a layer are three pixels wide, the portable device sums for two neighbours in a line at a time.
    The error of a sum is then in proportion to the largest numbers in its window, even where they are multiplied by
    zeros, and infinity in a window can make NaN of what would have been infinity.

    References
    ----------
    .. [1] Apple, MPSRNNImageInferenceLayer,
       developer.apple.com/documentation/metalperformanceshaders/mpsrnnimageinferencelayer
    .. [2] Apple, MPSCNNConvolution, developer.apple.com/documentation/metalperformanceshaders/mpscnnconvolution
    """

    def __cinit__(self, device, descriptor):
        if descriptor is not made_here:  # else from_bytes brings the handle
            self.make(descriptor, True)

    cdef Sequence checked_input(self, str name, object x):
        return checked_input(name, x, self.input_feature_channels)

    def __call__(self, x, state=None, *, out=None, store_all_intermediate_states=False):
        """Run the layer over sequences of images.

        Parameters
        ----------
        x : ndarray, shape (T, N, H, W, I), or list of T ndarray, shape (N, H, W, I)
            T steps of N images of H lines of W pixels of I channels: float32, float16, or uint8 or uint16 for the
            numbers from 0 to 1. Read in place where each step lies C-contiguous in a buffer of the device and the
            device's images can lie in buffers, else copied once. It must not change during the call.
        state : RecurrentImageState, optional
            Where the sequences start: a state of this layer with images of that number and size. None: zeros.
        out : ndarray, shape (T, N, H, W, O), or list of ndarray, shape (N, H, W, O), optional
            Where y goes: of the form of x and any of these dtypes, writable, sharing no memory with x. Written in place
            as x is read. None: new arrays, as from ``device.empty``.
        store_all_intermediate_states : bool
            Return the state after every step, not only after the last.

        Returns
        -------
        y : ndarray or list of ndarray
            `out` where it was given; else of the dtype of x where that is a float, float32 where it is not. Complete:
            the device has finished.
        state : RecurrentImageState, or list of RecurrentImageState
            The state after the last step, or after each step.

        Raises
        ------
        TypeError
            Another dtype, or one of the machine's other byte order: nothing is converted silently. An argument of
            another type.
        ValueError
            A shape or memory that does not fit; a state of another layer or size.
        DeviceError
            Out of device memory.
        CommandBufferError
            The device failed; carries Metal's code and text.

        Notes
        -----
        NaN and infinity are data. They reach every pixel in whose window they are; the window of a product is that of
        the largest kernel among its gates.
        """
        return self.run(x, state, out, store_all_intermediate_states)

    def bidirectional(self, x, *, out=None, backward_out=None):
        """Run the layers of direction ``FORWARD`` from the first step on and those of ``BACKWARD`` from the last one on.

        Both see x and start from zeros; neither sees the other.

        Parameters
        ----------
        x : ndarray, shape (T, N, H, W, I), or list of T ndarray, shape (N, H, W, I)
            As for a call of the layer.
        out : ndarray, shape (T, N, H, W, O), or list of ndarray, shape (N, H, W, O), optional
            As for a call of the layer. O is the number of output channels of the last forward layer (``NONE``, ``ADD``),
            or of that and the last backward layer together (``CONCATENATE``).
        backward_out : ndarray, shape (T, N, H, W, O), or list of ndarray, shape (N, H, W, O), optional
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
        sources : list of Image, or what `x` of a call may be
            One for each step, all of one size and number of images; a temporary one is a source of one step alone. Arrays
            lie in buffers of the device, whose images can do so: nothing is copied. Kept alive until the command buffer
            has completed, and not to change until then.
        destinations : list of Image, or what `out` of a call may be
            The same, of O channels. Complete once the command buffer is.
        state : RecurrentImageState, optional
            Where the sequences start. It is complete, or made by work of the same queue that was committed before or
            encoded into the same command buffer before, or else the command buffer waits for it by an event.
        store_all_intermediate_states : bool
            Make the state after every step, not only after the last.
        states_are_temporary : bool
            Make states that live on this command buffer alone: of use as `state` of what is encoded into it later.

        Returns
        -------
        list of RecurrentImageState
            The state after the last step, or after each step. They can be read once the command buffer has completed.

        Raises
        ------
        TypeError, ValueError, DeviceError
            As from a call of the layer. ValueError also where an array lies outside the device's buffers, where images
            share memory, and where the command buffer is committed.
        RuntimeError
            Another thread is encoding into the command buffer.
        """
        cdef Sequence source = checked_images("sources", sources, self.input_feature_channels)
        return self.encode(command_buffer, source, destinations, state, store_all_intermediate_states,
                           states_are_temporary)

    def encode_bidirectional_sequence(self, CommandBuffer command_buffer not None, sources, forward, backward=None):
        """Encode what `bidirectional` does; it happens once the command buffer is committed.

        Parameters
        ----------
        command_buffer : CommandBuffer
            Of the layer's device.
        sources : list of Image, or what `x` of `bidirectional` may be
            As for `encode_sequence`.
        forward : list of Image, or what `out` of `bidirectional` may be
            The same. Complete once the command buffer is.
        backward : list of Image, or what `backward_out` of `bidirectional` may be, optional
            The same: needed where `bidirectional_combine_mode` is ``NONE``.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As from `bidirectional` and `encode_sequence`.
        """
        cdef Sequence source = checked_images("sources", sources, self.input_feature_channels)
        self.encode_bidirectional(command_buffer, source, forward, backward)

    # ---- States and streams ----

    def state(self, h=None, c=None):
        """A state to start from.

        Parameters
        ----------
        h, c : list of (ndarray, shape (N, H, W, O of that layer), float32, or None), optional
            The output and the memory cell of each layer of the stack, the layer that sees x first. None stands for
            zeros; a layer other than an LSTM has no memory cell, and takes None alone. At least one array is needed: it
            says what N, H and W are. Copied.

        Returns
        -------
        RecurrentImageState

        Raises
        ------
        TypeError, ValueError
            The message names the argument, what came and what was expected.
        DeviceError
            Out of device memory.
        """
        self.stack.check_runs_sequence()
        extent = extent_of(h, c, 4)
        cdef FloatArrays outputs = FloatArrays("h", h, extent, "N, H, W", self.stack.outputs)
        cdef FloatArrays cells = FloatArrays("c", c, extent, "N, H, W", self.stack.outputs)
        if not extent:
            raise ValueError("h, c: no array, expected at least one, which says how large the images are")
        cdef size_t images, height, width
        images, height, width = extent
        cdef pymps_state *handle = NULL
        cdef pymps_error error
        cdef Runner runner = self.runner()
        try:
            with nogil:
                check(self.native.images.image_state_create(runner.layer, width, height, images, outputs.data, cells.data,
                                                            &handle, &error), &error)
        finally:
            self._idle.append(runner)
        return make_image_state(self, handle, extent)

    def stream(self, number_of_images=1, height=1, width=1):
        """A stream: the layer one step at a time, through fixed buffers.

        Parameters
        ----------
        number_of_images : int
            How many images a step has.
        height, width : int
            Of an image, in pixels.

        Returns
        -------
        ImageStream

        Raises
        ------
        TypeError, ValueError
            Not a number of images, or not a size of one.
        DeviceError
            Out of device memory.
        """
        from pymps._image_stream import ImageStream  # streams know layers, not the reverse
        return ImageStream(self, number_of_images, height, width)

    # ---- Archives ----

    @staticmethod
    def from_bytes(Device device not None, data):
        """A layer from what `to_bytes` returned, perhaps in another process.

        Parameters
        ----------
        device : Device
            Where it runs: a device of the same backend.
        data : bytes-like
            From `to_bytes` of an `ImageInferenceLayer`, and from someone you trust: a checksum finds damage, not malice.

        Returns
        -------
        ImageInferenceLayer
            It gives the numbers that the other one gives. Its `bidirectional_combine_mode` is ``NONE``.

        Raises
        ------
        TypeError
            Not bytes-like.
        ValueError
            Not from `to_bytes`, of another backend, version or kind of layer, or damaged.
        DeviceError
            The device can't hold the layer.
        """
        cdef ImageInferenceLayer layer = ImageInferenceLayer.__new__(ImageInferenceLayer, device, made_here)
        layer.take(unarchived(device, data, True))
        return layer
