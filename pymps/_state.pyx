"""States of recurrent layers."""

cimport cython
cimport numpy as cnp
from cpython.mem cimport PyMem_Calloc, PyMem_Free

import numpy as np

from pymps._backend cimport check, made_here
from pymps._buffer cimport Buffer, array_over, make_buffer
from pymps._command_buffer cimport CommandBuffer
from pymps._device cimport Device
from pymps._values import COUNT_MAX, checked_int, describe, is_plain_array

cnp.import_array()


cdef class State:
    """What the states of all layers have in common."""

    def __cinit__(self, *key):
        if len(key) != 1 or key[0] is not made_here:
            raise TypeError(f"{type(self).__name__}: made by a layer, by its state() and by its streams, not by a call")

    def __dealloc__(self):
        if self.native != NULL:
            self.native.state_release(self.handle)

    cdef State made(self, object layer, pymps_state *handle, CommandBuffer command_buffer):
        """Itself, after taking over the reference `handle`."""
        cdef Device device = layer.device
        self.native = device.native
        self.handle = handle
        self.layer = layer
        self._command_buffer = command_buffer
        return self

    @property
    def number_of_layers(self):
        """How many layers the stack has."""
        return self.layer.number_of_layers

    @property
    def is_temporary(self):
        """Whether it lives on the command buffer that makes it alone."""
        return bool(self.native.state_is_temporary(self.handle))

    @property
    def read_count(self):
        """How many sequences may still start from a temporary state, 1 at first; 0 for any other state.

        It can be set, before it has reached 0.
        """
        return self.native.state_read_count(self.handle)

    @read_count.setter
    def read_count(self, value):
        cdef size_t count = checked_int("read_count", value, 0, COUNT_MAX)
        cdef pymps_error error
        check(self.native.state_set_read_count(self.handle, count, &error), &error)

    cdef size_t checked_index(self, object layer_index) except? 0:
        cdef size_t index = checked_int("layer_index", layer_index, 0, self.number_of_layers - 1)
        if self.is_temporary:
            raise ValueError("the state is temporary: the CPU can't read it")
        if not self._is_complete():
            raise RuntimeError("the state's command buffer has not completed, expected a wait for it before")
        return index

    cdef int check_start(self, str name, object layer, CommandBuffer command_buffer) except -1:
        if self.layer is not layer:
            raise ValueError(f"{name}: of another layer, expected one of this layer")
        if self.is_temporary:
            if command_buffer is not self._command_buffer:
                raise ValueError(f"{name}: temporary, expected use on the command buffer that makes it alone")
        elif command_buffer is None and not self._is_complete():
            raise RuntimeError(f"{name}: its command buffer has not completed, expected a wait for it before")
        return 0

    cdef bint _is_complete(self) except -1:
        if self._command_buffer is not None and self._command_buffer.is_complete():
            self._command_buffer = None
        return self._command_buffer is None


@cython.final
cdef class RecurrentState(State):
    """What a layer remembers: the output h and the memory cell c of each layer of its stack
    (``MPSRNNRecurrentMatrixState``).

    It is made by calling a `MatrixInferenceLayer`, by its methods `state` and `encode_sequence`, and by `Stream.state`.
    A `MatrixTrainingLayer` makes it, too; what its gradients make holds dL/dh and dL/dc instead. It never changes.

    Attributes
    ----------
    layer : MatrixInferenceLayer or MatrixTrainingLayer
        Whose state it is: no other layer takes it.
    batch : int
        How many rows it has.
    """

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

    cdef object _array(self, layer_index, pymps_state_matrix which):
        cdef size_t index = self.checked_index(layer_index)
        cdef pymps_matrix matrix
        cdef pymps_error error
        check_cell(self.native.state_matrix(self.handle, index, which, &matrix, &error), &error, index, which)
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


cdef RecurrentState make_state(object layer, pymps_state *handle, Py_ssize_t batch, CommandBuffer command_buffer=None):
    """Takes over the reference `handle`."""
    cdef RecurrentState state = RecurrentState.__new__(RecurrentState, made_here)
    state.batch = batch
    state.made(layer, handle, command_buffer)
    return state


cdef int check_state(str name, object layer, object state, Py_ssize_t batch,
                     CommandBuffer command_buffer=None) except -1:
    return check_state_rows(name, layer, state, batch, batch, command_buffer)


cdef int check_state_rows(str name, object layer, object state, Py_ssize_t least, Py_ssize_t most,
                          CommandBuffer command_buffer) except -1:
    if not isinstance(state, RecurrentState):
        raise TypeError(f"{name}: {describe(state)}, expected a RecurrentState or None")
    cdef Py_ssize_t batch = (<RecurrentState>state).batch
    if (<RecurrentState>state).layer is layer and not least <= batch <= most:
        raise ValueError(f"{name}: {batch} rows, expected {most if least == most else f'{least} to {most}'}")
    return (<RecurrentState>state).check_start(name, layer, command_buffer)


cdef int check_cell(pymps_status status, const pymps_error *error, size_t index, pymps_state_matrix which) except -1:
    if status == PYMPS_ERROR_ARGUMENT and which == PYMPS_MEMORY_CELL:
        raise ValueError(f"layer_index: {index}, a layer without a memory cell, expected an LSTM")
    return check(status, error)


@cython.final
cdef class NewStates:
    """Room for the states that a sequence makes."""

    def __dealloc__(self):
        cdef Py_ssize_t index
        for index in range(self.count):
            self.native.state_release(self.handles[index])
        PyMem_Free(self.handles)

    cdef pymps_state *take(self, Py_ssize_t index) noexcept:
        cdef pymps_state *handle = self.handles[index]
        self.handles[index] = NULL
        return handle


cdef NewStates make_states(const pymps_backend *native, Py_ssize_t count):
    cdef NewStates states = NewStates.__new__(NewStates)
    states.native = native
    states.handles = <pymps_state **>PyMem_Calloc(count, sizeof(void *))
    if states.handles == NULL:
        raise MemoryError
    states.count = count
    return states


@cython.final
cdef class FloatArrays:
    """h or c of a stack, as C wants it: one pointer per layer.

    Each array has the axes `extent`, whose names are `axes`, and the layer's output channels; () stands for no extent
    that is known.
    """

    def __cinit__(self, str name, object values, tuple extent, str axes, tuple outputs):
        if values is None:
            return
        if not isinstance(values, (list, tuple)):
            raise TypeError(f"{name}: {describe(values)}, expected a list of arrays, one per layer")
        if len(values) != len(outputs):
            raise ValueError(f"{name}: {len(values)} arrays, expected {len(outputs)}, one per layer")
        self.data = <const float **>PyMem_Calloc(len(values), sizeof(void *))
        if self.data == NULL:
            raise MemoryError
        self.arrays = []
        cdef Py_ssize_t index
        for index, array in enumerate(values):
            if array is None:
                continue
            expected = f"a float32 array of shape ({', '.join(map(str, extent)) or axes}, {outputs[index]})"
            if not is_plain_array(array) or array.dtype != np.float32:
                raise TypeError(f"{name}[{index}]: {describe(array)}, expected {expected}")
            if not extent or array.shape != (*extent, outputs[index]):
                raise ValueError(f"{name}[{index}]: {describe(array)}, expected {expected}")
            kept = np.ascontiguousarray(array)
            self.arrays.append(kept)
            self.data[index] = <const float *>cnp.PyArray_DATA(kept)

    def __dealloc__(self):
        PyMem_Free(self.data)


cdef tuple extent_of(object h, object c, Py_ssize_t ndim):
    """The axes before the channels of the first array of h or c that has `ndim` axes; () where there is none."""
    for values in (h, c):
        for array in values if isinstance(values, (list, tuple)) else ():
            if is_plain_array(array) and array.ndim == ndim and array.size > 0:
                return array.shape[:ndim - 1]
    return ()
