"""Sequences of matrices."""

cimport cython
cimport numpy as cnp
from cpython.mem cimport PyMem_Free, PyMem_Malloc

import numpy as np

from pymps._buffer cimport Buffer, new_array
from pymps._command_buffer cimport CommandBuffer
from pymps._device cimport Device
from pymps._native cimport *
from pymps._sequence cimport Sequence, overlaps_itself, place_of, spans_part_of
from pymps._state cimport check_state, make_state
from pymps._values import describe, is_plain_array

cnp.import_array()

# In this machine's byte order.
cdef tuple DTYPES = (np.dtype(np.float32), np.dtype(np.float16))


@cython.final
cdef class MatrixSequence(Sequence):
    """Blocks of shape (steps, rows, features), as one matrix per step."""

    def __dealloc__(self):
        PyMem_Free(self.matrices)

    cdef int _make_room(self, Device device) except -1:
        self.matrices = <pymps_matrix *>PyMem_Malloc(self.steps * sizeof(pymps_matrix))
        if self.matrices == NULL:
            raise MemoryError
        return 0

    cdef bint _lies_in(self, object block, Buffer buffer) except -1:
        """Whether a matrix of the buffer can describe each step: rows one behind the other, elements aligned."""
        return is_matrix(block) and spans_part_of(block, buffer)

    cdef int _place(self, object block, Buffer buffer, Py_ssize_t first) except -1:
        cdef cnp.ndarray array = block
        cdef pymps_matrix matrix
        matrix.buffer = buffer.handle
        matrix.offset_bytes = <char *>cnp.PyArray_DATA(array) - buffer.data
        matrix.rows = cnp.PyArray_DIM(array, 1)
        matrix.columns = cnp.PyArray_DIM(array, 2)
        matrix.row_bytes = row_bytes(array)
        matrix.data_type = PYMPS_FLOAT32 if cnp.PyArray_ITEMSIZE(array) == 4 else PYMPS_FLOAT16
        cdef Py_ssize_t step, stride = cnp.PyArray_STRIDE(array, 0)
        for step in range(cnp.PyArray_DIM(array, 0)):
            self.matrices[first + step] = matrix
            matrix.offset_bytes += stride
        return 0

    cdef MatrixSequence checked_like(self, str name, object value, Py_ssize_t features):
        if self.is_list and not isinstance(value, (list, tuple)):
            raise TypeError(f"{name}: {describe(value)}, expected a list of arrays, as {self.name} is")
        cdef MatrixSequence checked = checked_sequence(name, value, self.is_list, features)
        if len(checked.blocks) != len(self.blocks):
            raise ValueError(f"{name}: {len(checked.blocks)} steps, expected {len(self.blocks)}, those of {self.name}")
        if not is_same_type(checked.blocks[0], self.blocks[0]):
            raise TypeError(f"{name}: {checked.dtype}, expected {self.dtype}, the dtype of {self.name}")
        cdef Py_ssize_t index
        for index in range(len(self.blocks)):
            check_block_pair(checked, index, checked.blocks[index], self.blocks[index])
        return checked

    cdef Sequence checked_output(self, str name, object out, Py_ssize_t features):
        cdef MatrixSequence checked = self.checked_like(name, out, features)
        cdef Py_ssize_t index
        for index in range(len(checked.blocks)):
            check_result(place_of(name, index if self.is_list else -1), checked.blocks[index])
        return checked

    cdef MatrixSequence on_device(self, Device device):
        self.locate(device)
        if self._outside is None:
            return self
        cdef MatrixSequence copy = self.new_output(self.name, device, self.blocks[0].shape[2])
        for target, block in zip(copy.blocks, self.blocks):
            np.copyto(target, block)
        copy.locate(device)
        return copy

    cdef MatrixSequence steps_of(self, Device device, Py_ssize_t first, Py_ssize_t end):
        if first == 0 and end == self.steps:
            return self
        blocks = self.blocks[first:end] if self.is_list else [self.blocks[0][first:end]]
        cdef MatrixSequence part = make_sequence(self.name, blocks, self.is_list)
        part.locate_in_place(device)
        return part

    cdef Sequence new_output(self, str name, Device device, Py_ssize_t features):
        if not self.is_list:
            return make_sequence(name, [new_array(device, (self.steps, self.rows, features), self.dtype)], False)
        ends = np.cumsum([block.shape[1] for block in self.blocks])
        rows = new_array(device, (1, int(ends[len(ends) - 1]), features), self.dtype)
        return make_sequence(name, np.split(rows, ends[:len(ends) - 1], axis=1), True)

    cdef int check_state(self, object layer, object state, CommandBuffer command_buffer) except -1:
        return check_state("state", layer, state, self.rows, command_buffer)

    cdef object new_state(self, object layer, pymps_state *handle, CommandBuffer command_buffer):
        return make_state(layer, handle, self.rows, command_buffer)


cdef MatrixSequence make_sequence(str name, list blocks, bint is_list):
    cdef MatrixSequence sequence = MatrixSequence.__new__(MatrixSequence)
    sequence.rows = cnp.PyArray_DIM(blocks[0], 1)
    sequence.described(name, blocks, is_list)
    return sequence


cdef Py_ssize_t row_bytes(cnp.ndarray block) noexcept:
    """From one row to the next; the stride of a single row means nothing."""
    if cnp.PyArray_DIM(block, 1) == 1:
        return cnp.PyArray_DIM(block, 2) * cnp.PyArray_ITEMSIZE(block)
    return cnp.PyArray_STRIDE(block, 1)


cdef bint is_matrix(cnp.ndarray block) noexcept:
    cdef Py_ssize_t item = cnp.PyArray_ITEMSIZE(block), rows = row_bytes(block)
    return rows >= cnp.PyArray_DIM(block, 2) * item and rows % item == 0 and cnp.PyArray_ISALIGNED(block)


# ---- Checks ----

cdef MatrixSequence checked_input(str name, object x, Py_ssize_t features):
    return checked_sequence(name, x, isinstance(x, (list, tuple)), features)


cdef int check_block_pair(MatrixSequence other, Py_ssize_t index, cnp.ndarray block, cnp.ndarray source) except -1:
    """Checks the index-th block of what belongs to x against that of x."""
    if (cnp.PyArray_DIM(block, 0) != cnp.PyArray_DIM(source, 0)
            or cnp.PyArray_DIM(block, 1) != cnp.PyArray_DIM(source, 1)):
        where = place_of(other.name, index if other.is_list else -1)
        axes = slice(1 if other.is_list else 0, None)
        expected = ((<object>source).shape[:2] + (<object>block).shape[2:])[axes]
        raise ValueError(f"{where}: shape {(<object>block).shape[axes]}, expected {expected}")
    return 0


cdef int check_result(str where, cnp.ndarray block) except -1:
    """Checks that a block of an output can be written."""
    if not cnp.PyArray_ISWRITEABLE(block):
        raise ValueError(f"{where}: read-only, expected a writable array")
    if overlaps_itself(block):
        raise ValueError(f"{where}: rows that share memory (strides {(<object>block).strides}), expected rows apart")
    return 0


cdef MatrixSequence checked_sequence(str name, object value, bint is_list, Py_ssize_t features):
    if not is_list:
        return make_sequence(name, [checked_block(name, -1, value, 3, features)], False)
    if not value:
        raise ValueError(f"{name}: empty, expected at least one step")
    cdef cnp.ndarray block, before = None
    cdef Py_ssize_t step
    blocks = [checked_block(name, step, array, 2, features)[np.newaxis] for step, array in enumerate(value)]
    for step, block in enumerate(blocks):
        if before is None:
            before = block
        if not is_same_type(block, blocks[0]):
            raise TypeError(f"{name}[{step}]: {block.dtype}, expected {blocks[0].dtype} as in {name}[0]")
        if cnp.PyArray_DIM(block, 1) > cnp.PyArray_DIM(before, 1):
            raise ValueError(
                f"{name}[{step}]: {block.shape[1]} rows, expected at most the {before.shape[1]} of the step "
                "before: sequences may end but not begin later"
            )
        before = block
    return make_sequence(name, blocks, True)


cdef object checked_block(str name, Py_ssize_t step, object array, int ndim, Py_ssize_t features):
    """An array that fits; `step` is its index in a list, -1 outside one."""
    if cnp.PyArray_CheckExact(array) and fits(array, ndim, features):
        return array
    where = place_of(name, step)
    axes = "(T, B, " if ndim == 3 else "(rows, "
    expected = f"a float32 or float16 array of shape {axes}{features})"
    if not is_plain_array(array) or array.dtype not in DTYPES:
        raise TypeError(f"{where}: {describe(array)}, expected {expected}")
    if array.ndim != ndim or array.shape[ndim - 1] != features or array.size == 0:
        raise ValueError(f"{where}: {describe(array)}, expected {expected}, each length at least 1")
    if features > 1 and array.strides[ndim - 1] != array.itemsize:
        raise ValueError(f"{where}: strides {array.strides}, expected contiguous rows, the last {array.itemsize}")
    return array


cdef bint fits(cnp.ndarray array, int ndim, Py_ssize_t features) noexcept:
    """What checked_block asks of an array, in short."""
    cdef int number = cnp.PyArray_TYPE(array)
    return (
        (number == cnp.NPY_FLOAT32 or number == cnp.NPY_FLOAT16)
        and cnp.PyArray_ISNOTSWAPPED(array)
        and cnp.PyArray_NDIM(array) == ndim
        and cnp.PyArray_DIM(array, ndim - 1) == features
        and cnp.PyArray_SIZE(array) > 0
        and (features == 1 or cnp.PyArray_STRIDE(array, ndim - 1) == cnp.PyArray_ITEMSIZE(array))
    )


cdef bint is_same_type(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Of arrays that have been checked."""
    return cnp.PyArray_TYPE(a) == cnp.PyArray_TYPE(b)
