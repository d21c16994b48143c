"""States of recurrent layers."""

cimport cython
cimport numpy as cnp

import operator

import numpy as np

from pymps._backend cimport check, made_here
from pymps._buffer cimport Buffer, array_over, make_buffer
from pymps._device cimport Device
from pymps._values import describe

cnp.import_array()


@cython.final
cdef class RecurrentState:
    """What a layer remembers: the output h and the memory cell c of each layer of its stack
    (``MPSRNNRecurrentMatrixState``).

    It is made by calling a `MatrixInferenceLayer`, by its `state` method, and by `Stream.state`. It never changes.

    Attributes
    ----------
    layer : MatrixInferenceLayer
        Whose state it is: no other layer takes it.
    batch : int
        How many rows it has.
    """

    def __cinit__(self, *key):
        if key != (made_here,):
            raise TypeError("RecurrentState: made by a layer, by its state() and by Stream.state, not by a call")

    def __dealloc__(self):
        if self.native != NULL:
            self.native.state_release(self.handle)

    @property
    def number_of_layers(self):
        """How many layers the stack has."""
        return self.layer.number_of_layers

    def recurrent_output(self, layer_index=0):
        """The output h of one layer of the stack.

        Parameters
        ----------
        layer_index : int
            0 is the layer that sees x.

        Returns
        -------
        ndarray, shape (B, O), float32
            Read-only: a view of the state's memory, or a copy where the device keeps that from the CPU.

        Raises
        ------
        TypeError, ValueError
            There is no such layer.
        """
        return self._array(layer_index, PYMPS_RECURRENT_OUTPUT)

    def memory_cell(self, layer_index=0):
        """The memory cell c of one layer of the stack.

        Parameters, result and errors are those of `recurrent_output`.
        """
        return self._array(layer_index, PYMPS_MEMORY_CELL)

    cdef object _array(self, layer_index, pymps_state_matrix which):
        cdef size_t index = checked_index(layer_index, self.number_of_layers)
        cdef pymps_matrix matrix
        cdef pymps_error error
        check(self.native.state_matrix(self.handle, index, which, &matrix, &error), &error)
        cdef Device device = self.layer.device
        cdef Buffer buffer = make_buffer(device, matrix.buffer, None, True)
        dtype = "float32" if matrix.data_type == PYMPS_FLOAT32 else "float16"
        if self.native.buffer_storage_mode(matrix.buffer) == PYMPS_STORAGE_SHARED:
            strides = (matrix.row_bytes, (matrix.data_type & 127) // 8)
            return array_over(buffer, (matrix.rows, matrix.columns), dtype, matrix.offset_bytes, strides)
        copy = np.empty((matrix.rows, matrix.columns), dtype)
        cdef void *destination = cnp.PyArray_DATA(copy)
        with nogil:
            check(self.native.matrix_read(device.handle, &matrix, destination, &error), &error)
        copy.flags.writeable = False
        return copy

    def __repr__(self):
        return f"<pymps.RecurrentState of {self.batch} rows, {self.number_of_layers} layers>"


cdef RecurrentState make_state(object layer, pymps_state *handle, Py_ssize_t batch):
    """Takes over the reference `handle`."""
    cdef RecurrentState state = RecurrentState.__new__(RecurrentState, made_here)
    cdef Device device = layer.device
    state.native = device.native
    state.handle = handle
    state.layer = layer
    state.batch = batch
    return state


cdef size_t checked_index(object layer_index, Py_ssize_t count) except? 0:
    try:
        index = operator.index(layer_index)
    except TypeError:
        raise TypeError(f"layer_index: {describe(layer_index)}, expected an int") from None
    if not 0 <= index < count:
        raise ValueError(f"layer_index: {index}, expected 0 to {count - 1}")
    return index
