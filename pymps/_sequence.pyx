"""Sequences: the arrays of a call as one matrix per step, in place where the device reaches them."""

cimport cython
cimport numpy as cnp
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport uintptr_t

import numpy as np

from pymps._buffer cimport Buffer, array_over, buffer_under, new_array
from pymps._device cimport Device
from pymps._values import describe, is_plain_array

cnp.import_array()

# In this machine's byte order.
cdef tuple DTYPES = (np.dtype(np.float32), np.dtype(np.float16))

# Staged blocks begin at multiples of this many bytes, a cache line.
cdef enum:
    ALIGNMENT = 64

# How hard to look whether out shares memory with x; beyond that it counts as sharing.
cdef object MAX_OVERLAP_WORK = 100_000


@cython.final
cdef class Sequence:
    """The steps of an input or an output. The arrays have been checked."""

    def __cinit__(self, str name, list blocks, bint is_list):
        self.name = name
        self.blocks = blocks
        self.is_list = is_list
        self.steps = sum([len(block) for block in blocks])
        self.rows = blocks[0].shape[1]
        self.dtype = blocks[0].dtype
        self._outside = []
        self._copies = []

    def __dealloc__(self):
        PyMem_Free(self.matrices)

    cdef int locate(self, Device device) except -1:
        """Finds the blocks that lie in buffers of the device, and how much staging memory the others need."""
        self.matrices = <pymps_matrix *>PyMem_Calloc(self.steps, sizeof(pymps_matrix))
        if self.matrices == NULL:
            raise MemoryError
        cdef Buffer buffer
        cdef Py_ssize_t first = 0
        for block in self.blocks:
            buffer = buffer_under(block)
            if buffer is not None and device.is_same(buffer.device) and lies_in(block, buffer):
                self._place(block, buffer, first)
            else:
                self._outside.append((block, first))
                self.staging_bytes += aligned(block.nbytes)
            first += len(block)
        return 0

    cdef int locate_in_place(self, Device device) except -1:
        """The same where there is no staging memory."""
        self.locate(device)
        if self._outside:
            name = f"{self.name}[{self._outside[0][1]}]" if self.is_list else self.name
            raise ValueError(
                f"{name}: memory that no matrix in a buffer of the device describes, expected an array from the device's "
                "empty, zeros, array or wrap, or rows of one in their order"
            )
        return 0

    cdef int stage(self, Buffer staging, size_t offset) except -1:
        """Gives those others their places in staging memory, from `offset` on."""
        for block, first in self._outside:
            copy = array_over(staging, block.shape, self.dtype, offset)
            self._place(copy, staging, first)
            self._copies.append((block, copy))
            offset += aligned(copy.nbytes)
        return 0

    cdef int copy_in(self) except -1:
        for block, copy in self._copies:
            np.copyto(copy, block)
        return 0

    cdef int copy_out(self) except -1:
        for block, copy in self._copies:
            np.copyto(block, copy)
        return 0

    cdef int _place(self, object block, Buffer buffer, Py_ssize_t first) except -1:
        cdef cnp.npy_intp *shape = cnp.PyArray_DIMS(block)
        cdef cnp.npy_intp *strides = cnp.PyArray_STRIDES(block)
        cdef size_t offset = <char *>cnp.PyArray_DATA(block) - buffer.data
        cdef pymps_matrix *matrix
        cdef Py_ssize_t step
        for step in range(shape[0]):
            matrix = &self.matrices[first + step]
            matrix.buffer = buffer.handle
            matrix.offset_bytes = offset + step * strides[0]
            matrix.rows = shape[1]
            matrix.columns = shape[2]
            matrix.row_bytes = row_bytes(block)
            matrix.data_type = PYMPS_FLOAT32 if cnp.PyArray_ITEMSIZE(block) == 4 else PYMPS_FLOAT16
        return 0


cdef size_t aligned(size_t length) noexcept:
    return (length + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


cdef Py_ssize_t row_bytes(cnp.ndarray block) noexcept:
    """From one row to the next; the stride of a single row means nothing."""
    if cnp.PyArray_DIM(block, 1) == 1:
        return cnp.PyArray_DIM(block, 2) * cnp.PyArray_ITEMSIZE(block)
    return cnp.PyArray_STRIDE(block, 1)


cdef void find_byte_bounds(cnp.ndarray block, uintptr_t *low, uintptr_t *high) noexcept:
    """The bytes that a block spans, as the addresses of the first and behind the last."""
    cdef Py_ssize_t axis, reach
    low[0] = <uintptr_t>cnp.PyArray_DATA(block)
    high[0] = low[0] + cnp.PyArray_ITEMSIZE(block)
    for axis in range(cnp.PyArray_NDIM(block)):
        reach = (cnp.PyArray_DIM(block, axis) - 1) * cnp.PyArray_STRIDE(block, axis)
        if reach < 0:
            low[0] += reach
        else:
            high[0] += reach


cdef bint lies_in(cnp.ndarray block, Buffer buffer) noexcept:
    """Whether a matrix of the buffer can describe each step: rows one behind the other, elements aligned."""
    cdef Py_ssize_t item = cnp.PyArray_ITEMSIZE(block), rows = row_bytes(block)
    if rows < cnp.PyArray_DIM(block, 2) * item or rows % item != 0 or not cnp.PyArray_ISALIGNED(block):
        return False
    cdef uintptr_t low, high, start = <uintptr_t>buffer.data
    find_byte_bounds(block, &low, &high)
    return start <= low and high <= start + buffer.native.buffer_length_bytes(buffer.handle)


# ---- Checks ----

cdef Sequence checked_input(str name, object x, Py_ssize_t features):
    return checked_sequence(name, x, isinstance(x, (list, tuple)), features)


cdef Sequence checked_output(str name, object out, Sequence x, Py_ssize_t features):
    """Checks out by itself and against the steps of x."""
    if x.is_list and not isinstance(out, (list, tuple)):
        raise TypeError(f"{name}: {describe(out)}, expected a list of arrays, as {x.name} is")
    cdef Sequence checked = checked_sequence(name, out, x.is_list, features)
    if len(checked.blocks) != len(x.blocks):
        raise ValueError(f"{name}: {len(checked.blocks)} steps, expected {len(x.blocks)}, those of {x.name}")
    if checked.dtype != x.dtype:
        raise TypeError(f"{name}: {checked.dtype}, expected {x.dtype}, the dtype of {x.name}")
    for index, (block, source) in enumerate(zip(checked.blocks, x.blocks)):
        where = f"{name}[{index}]" if x.is_list else name
        if block.shape[:2] != source.shape[:2]:
            axes = slice(1 if x.is_list else 0, None)
            expected = (source.shape[:2] + (features,))[axes]
            raise ValueError(f"{where}: shape {block.shape[axes]}, expected {expected}")
        if not block.flags.writeable:
            raise ValueError(f"{where}: read-only, expected a writable array")
        if overlaps_itself(block):
            raise ValueError(f"{where}: rows that share memory (strides {block.strides}), expected rows apart")
    return checked


cdef Sequence checked_sequence(str name, object value, bint is_list, Py_ssize_t features):
    if not is_list:
        return Sequence(name, [checked_block(name, value, 3, features)], False)
    if not value:
        raise ValueError(f"{name}: empty, expected at least one step")
    blocks = [checked_block(f"{name}[{step}]", array, 2, features)[np.newaxis] for step, array in enumerate(value)]
    for step, block in enumerate(blocks):
        if block.dtype != blocks[0].dtype:
            raise TypeError(f"{name}[{step}]: {block.dtype}, expected {blocks[0].dtype} as in {name}[0]")
        if step > 0 and block.shape[1] > blocks[step - 1].shape[1]:
            raise ValueError(
                f"{name}[{step}]: {block.shape[1]} rows, expected at most the {blocks[step - 1].shape[1]} of the step "
                "before: sequences may end but not begin later"
            )
    return Sequence(name, blocks, True)


cdef object checked_block(str name, object array, int ndim, Py_ssize_t features):
    axes = "(T, B, " if ndim == 3 else "(rows, "
    expected = f"a float32 or float16 array of shape {axes}{features})"
    if not is_plain_array(array) or array.dtype not in DTYPES:
        raise TypeError(f"{name}: {describe(array)}, expected {expected}")
    if array.ndim != ndim or array.shape[ndim - 1] != features or array.size == 0:
        raise ValueError(f"{name}: {describe(array)}, expected {expected}, each length at least 1")
    if features > 1 and array.strides[ndim - 1] != array.itemsize:
        raise ValueError(f"{name}: strides {array.strides}, expected contiguous rows, the last {array.itemsize}")
    return array


cdef bint overlaps_itself(cnp.ndarray block):
    """Whether two rows of a block may meet. Rows that interleave count, too."""
    cdef Py_ssize_t reach = cnp.PyArray_DIM(block, 2) * cnp.PyArray_ITEMSIZE(block)
    strides = [(abs(block.strides[axis]), block.shape[axis]) for axis in range(2) if block.shape[axis] > 1]
    for stride, length in sorted(strides):
        if stride < reach:
            return True
        reach += stride * (length - 1)
    return False


cdef int check_overlap(Sequence x, list outs) except -1:
    """No step of an output shares memory with any other step but those of x with each other.

    Goes through all blocks by address; `reaching` are those before that reach beyond the present one's start.
    """
    cdef uintptr_t first, end
    sequences = [x, *outs]
    spans = []
    for number, sequence in enumerate(sequences):
        for index, block in enumerate((<Sequence>sequence).blocks):
            find_byte_bounds(block, &first, &end)
            spans.append((first, end, number, index, block))
    spans.sort(key=lambda span: span[:2])
    reaching = [[] for _ in sequences]
    for low, high, number, index, block in spans:
        for other in range(0 if number > 0 else 1, len(sequences)):
            reaching[other] = [span for span in reaching[other] if span[1] > low]
            for _, _, _, other_index, other_block in reaching[other]:
                if shares_memory(block, other_block):
                    raise_overlap(sequences, sorted([(index, number), (other_index, other)]))
        reaching[number].append((low, high, number, index, block))
    return 0


cdef int raise_overlap(list sequences, list places) except -1:
    names = [(<Sequence>sequence).name for sequence in sequences]
    text = " and ".join([f"step {step} of {names[number]}" for step, number in places])
    if not (<Sequence>sequences[0]).is_list:
        text = " and ".join([names[number] for step, number in places])
    raise ValueError(f"{names[max(places[0][1], places[1][1])]}: {text} share memory, expected memory of its own")


cdef bint shares_memory(object a, object b) except -1:
    try:
        return np.shares_memory(a, b, max_work=MAX_OVERLAP_WORK)
    except np.exceptions.TooHardError:
        return True


# ---- Results ----

cdef Sequence new_output(str name, Sequence x, Device device, Py_ssize_t features):
    """Arrays for the output, in the form of x, in one buffer of the device."""
    if not x.is_list:
        return Sequence(name, [new_array(device, (x.steps, x.rows, features), x.dtype)], False)
    ends = np.cumsum([block.shape[1] for block in x.blocks])
    rows = new_array(device, (1, int(ends[len(ends) - 1]), features), x.dtype)
    return Sequence(name, np.split(rows, ends[:len(ends) - 1], axis=1), True)


cdef object as_argument(Sequence sequence):
    """The arrays as a caller has them."""
    return [block[0] for block in sequence.blocks] if sequence.is_list else sequence.blocks[0]
