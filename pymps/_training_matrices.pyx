"""Weights that are trained, and gradients of them."""

cimport cython
cimport numpy as cnp

from collections.abc import ItemsView, KeysView, Mapping, ValuesView

import numpy as np

from pymps._backend cimport check, made_here
from pymps._buffer cimport Buffer, buffer_under, copied_array, new_array
from pymps._values import checked_array, checked_member, describe
from pymps.enums import MatrixId

cnp.import_array()


cdef class TrainingMatrices:
    """One array per MatrixId that the layer has, in memory of the device."""

    def __cinit__(self, *key):
        if len(key) != 1 or key[0] is not made_here:
            raise TypeError(f"{type(self).__name__}: made by a MatrixTrainingLayer, not by a call")

    def __dealloc__(self):
        if self.training != NULL:
            self.training.training_matrices_release(self.handle)

    cdef object checked_id(self, str name, object matrix_id):
        member = checked_member(name, matrix_id, MatrixId)
        if member not in self.trainer.shapes:
            raise KeyError(f"{name}: {member.name}, expected weights that the layer's descriptor has")
        return member

    cdef int check_use(self, str name, Trainer trainer, CommandBuffer command_buffer) except -1:
        if self.trainer is not trainer:
            raise ValueError(f"{name}: of another layer, expected those of this layer")
        if self._command_buffer is not None and command_buffer is not self._command_buffer:
            raise ValueError(f"{name}: temporary, expected use on the command buffer that they were made for alone")
        return 0

    @property
    def dtype(self):
        """The dtype of all arrays, float32 or float16."""
        data_type = self.trainer.training.training_matrices_data_type(self.handle)
        return np.dtype(np.float32 if data_type == PYMPS_FLOAT32 else np.float16)

    def __getitem__(self, matrix_id):
        member = self.checked_id("matrix_id", matrix_id)
        self.check_use(type(self).__name__, self.trainer, None)
        array = new_array(self.trainer.device, self.trainer.shapes[member], self.dtype)
        cdef pymps_matrix matrix = matrix_of(array)
        with self.trainer.lock:
            self.trainer.copy(self.handle, <pymps_matrix_id><int>member, &matrix, False)
        return array

    def __iter__(self):
        return iter(self.trainer.shapes)

    def __len__(self):
        return len(self.trainer.shapes)

    def __contains__(self, matrix_id):
        return matrix_id in self.trainer.shapes

    def keys(self):
        """The ids, in the order of their numbers."""
        return KeysView(self)

    def values(self):
        """The arrays, in the order of their ids."""
        return ValuesView(self)

    def items(self):
        """The ids with their arrays."""
        return ItemsView(self)

    def get(self, matrix_id, default=None):
        """The array with this id, or `default` where the layer has none."""
        return self[matrix_id] if matrix_id in self else default

    def __reduce__(self):
        raise TypeError(f"{type(self).__name__}: belong to a device, expected no copies and pickles")

    def __repr__(self):
        return f"<pymps.{type(self).__name__} of {len(self)} {self.dtype} arrays on {self.trainer.device!r}>"


@cython.final
cdef class TrainingWeights(TrainingMatrices):
    """The weights of a layer that is trained, by `MatrixId`: `MatrixTrainingLayer.weights`.

    What is read is a copy, and what is set is copied in: ``weights[matrix_id] = array``. Shapes are those of a
    `WeightSource`: (out, in) for input weights, (out, out) for recurrent and memory weights, (out,) for bias terms and
    diagonal memory weights. It is float32 where the descriptor has `use_float32_weights`, else float16. Neither waits for
    command buffers: weights that one of them changes are to be read and set once it has completed.

    Raises
    ------
    KeyError
        The layer has no such weights.
    TypeError, ValueError
        No `MatrixId`, or not an array of this shape and dtype: nothing is converted silently.
    """

    def __setitem__(self, matrix_id, array):
        member = self.checked_id("matrix_id", matrix_id)
        checked_array(f"weights[{member.name}]", array, self.trainer.shapes[member], self.dtype.type)
        copy = copied_array(self.trainer.device, array, self.dtype)
        cdef pymps_matrix matrix = matrix_of(copy)
        with self.trainer.lock:
            self.trainer.writes.wrote()
            self.trainer.copy(self.handle, <pymps_matrix_id><int>member, &matrix, True)


@cython.final
cdef class WeightGradients(TrainingMatrices):
    """The gradients of a layer's weights, by `MatrixId`, in the shapes of the weights.

    Made by `MatrixTrainingLayer.gradient` and `MatrixTrainingLayer.weight_gradients`. What is read is a copy, which waits
    for no command buffer: gradients that one makes are to be read once it has completed.

    Raises
    ------
    KeyError
        The layer has no such weights.
    TypeError, ValueError
        No `MatrixId`; or the gradients are temporary: the CPU can't read them.
    """

    @property
    def is_temporary(self):
        """Whether they live on the command buffer that they were made for alone, until something reads them."""
        return bool(self.trainer.training.training_matrices_is_temporary(self.handle))


Mapping.register(TrainingMatrices)


cdef TrainingWeights new_weights(Device device):
    cdef TrainingWeights weights = TrainingWeights.__new__(TrainingWeights, made_here)
    weights.training = device.native.training
    return weights


cdef WeightGradients make_gradients(Trainer trainer, object dtype, CommandBuffer command_buffer):
    cdef pymps_data_type data_type = checked_data_type(dtype)
    cdef pymps_command_buffer *native = NULL if command_buffer is None else command_buffer.handle
    cdef WeightGradients gradients = WeightGradients.__new__(WeightGradients, made_here)
    cdef pymps_error error
    with nogil:
        check(trainer.training.training_gradients_create(trainer.handle, data_type, native, &gradients.handle, &error),
              &error)
    gradients.trainer, gradients.training = trainer, trainer.training
    gradients._command_buffer = command_buffer
    return gradients


cdef pymps_data_type checked_data_type(object dtype) except *:
    try:
        checked = np.dtype(dtype)
    except TypeError:
        checked = None
    if checked not in (np.float32, np.float16):
        raise TypeError(f"dtype: {dtype!r}, expected float32 or float16")
    return PYMPS_FLOAT32 if checked == np.float32 else PYMPS_FLOAT16


cdef pymps_matrix matrix_of(object array) except *:
    cdef Buffer buffer = buffer_under(array)
    cdef cnp.ndarray rows = array if array.ndim == 2 else array[np.newaxis]
    cdef pymps_matrix matrix
    matrix.buffer = buffer.handle
    matrix.offset_bytes = <char *>cnp.PyArray_DATA(rows) - buffer.data
    matrix.rows = cnp.PyArray_DIM(rows, 0)
    matrix.columns = cnp.PyArray_DIM(rows, 1)
    matrix.row_bytes = matrix.columns * cnp.PyArray_ITEMSIZE(rows)
    matrix.data_type = PYMPS_FLOAT32 if cnp.PyArray_ITEMSIZE(rows) == 4 else PYMPS_FLOAT16
    return matrix
