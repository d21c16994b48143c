"""States of layers of images."""

cimport cython

import numpy as np

from pymps._backend cimport made_here
from pymps._buffer cimport Buffer, array_over, make_buffer
from pymps._command_buffer cimport CommandBuffer
from pymps._image cimport Image, dtype_of, make_image, read_image
from pymps._state cimport State, check_cell
from pymps._values import describe


@cython.final
cdef class RecurrentImageState(State):
    """What a layer of images remembers: the output h and the memory cell c of each layer of its stack
    (``MPSRNNRecurrentImageState``).

    It is made by calling an `ImageInferenceLayer`, by its methods `state` and `encode_sequence`, and by
    `ImageStream.state`. It never changes.

    Attributes
    ----------
    layer : ImageInferenceLayer
        Whose state it is: no other layer takes it.
    width : int
        Pixels of a line of its images.
    height : int
        Lines of one.
    number_of_images : int
        How many there are.
    """

    def recurrent_output(self, layer_index=0):
        """The output h of one layer of the stack.

        Parameters
        ----------
        layer_index : int
            0 is the layer that sees x.

        Returns
        -------
        ndarray, shape (N, H, W, O), float32
            Read-only: a view of the state's memory, or a copy where the device keeps that from the CPU.

        Raises
        ------
        TypeError, ValueError
            There is no such layer, or the state is temporary.
        RuntimeError
            The command buffer that makes the state has not completed.
        CommandBufferError
            It has failed.
        """
        return self._array(layer_index, PYMPS_RECURRENT_OUTPUT)

    def memory_cell(self, layer_index=0):
        """The memory cell c of one layer of the stack, which has to be an LSTM.

        Parameters, result and errors are those of `recurrent_output`.
        """
        return self._array(layer_index, PYMPS_MEMORY_CELL)

    def recurrent_output_image(self, layer_index=0):
        """The output h of one layer of the stack, as an `Image` that can't be written.

        Parameters and errors are those of `recurrent_output`.
        """
        return self._image(layer_index, PYMPS_RECURRENT_OUTPUT)

    def memory_cell_image(self, layer_index=0):
        """The memory cell c of one layer of the stack, which has to be an LSTM, as an `Image` that can't be written.

        Parameters and errors are those of `recurrent_output`.
        """
        return self._image(layer_index, PYMPS_MEMORY_CELL)

    cdef Image _image(self, layer_index, pymps_state_matrix which):
        cdef size_t index = self.checked_index(layer_index)
        cdef pymps_image *handle = NULL
        cdef size_t offset = 0
        cdef pymps_error error
        check_cell(self.native.images.image_state_image(self.handle, index, which, &handle, &error), &error, index, which)
        cdef Image image = make_image(self.layer.device, handle, None, True)
        cdef pymps_buffer *memory = self.native.images.image_buffer(handle, &offset)
        if memory != NULL:
            buffer = make_buffer(image.device, memory, None, True)
            image.memory = array_over(buffer, image.shape, image.dtype, offset)
        return image

    cdef object _array(self, layer_index, pymps_state_matrix which):
        cdef Image image = self._image(layer_index, which)
        if image.memory is not None:
            return image.memory
        copy = np.empty(image.shape, image.dtype)
        read_image(image, copy)
        copy.flags.writeable = False
        return copy

    def __repr__(self):
        return (f"<pymps.RecurrentImageState of {self.number_of_images} images of {self.width} x {self.height}, "
                f"{self.number_of_layers} layers>")


cdef RecurrentImageState make_image_state(object layer, pymps_state *handle, tuple extent,
                                          CommandBuffer command_buffer=None):
    """Takes over the reference `handle`."""
    cdef RecurrentImageState state = RecurrentImageState.__new__(RecurrentImageState, made_here)
    state.number_of_images, state.height, state.width = extent
    state.made(layer, handle, command_buffer)
    return state


cdef int check_image_state(object layer, object state, tuple extent, CommandBuffer command_buffer=None) except -1:
    if not isinstance(state, RecurrentImageState):
        raise TypeError(f"state: {describe(state)}, expected a RecurrentImageState or None")
    cdef RecurrentImageState given = state
    came = given.number_of_images, given.height, given.width
    if given.layer is layer and came != extent:
        raise ValueError(f"state: (number_of_images, height, width) is {came}, expected {extent}")
    return given.check_start("state", layer, command_buffer)
