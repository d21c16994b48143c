"""Sequences: the arrays of a call as one matrix per step, in place where the device reaches them."""

cimport cython
cimport numpy as cnp
from cpython.mem cimport PyMem_Free, PyMem_Malloc
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

    def __dealloc__(self):
        PyMem_Free(self.matrices)

    cdef int locate(self, Device device) except -1:
        """Finds the blocks that lie in buffers of the device, and how much staging memory the others need."""
        self.matrices = <pymps_matrix *>PyMem_Malloc(self.steps * sizeof(pymps_matrix))
        if self.matrices == NULL:
            raise MemoryError
        cdef Buffer buffer
        cdef cnp.ndarray block
        cdef Py_ssize_t first = 0
        for block in self.blocks:
            buffer = buffer_under(block)
            if buffer is not None and device.is_same(buffer.device) and lies_in(block, buffer):
                self._place(block, buffer, first)
            else:
                if self._outside is None:
                    self._outside, self._copies = [], []
                self._outside.append((block, first))
                self.staging_bytes += aligned(cnp.PyArray_NBYTES(block))
            first += cnp.PyArray_DIM(block, 0)
        return 0

    cdef int locate_in_place(self, Device device) except -1:
        """The same where there is no staging memory."""
        self.locate(device)
        if self._outside is not None:
            name = f"{self.name}[{self._outside[0][1]}]" if self.is_list else self.name
            raise ValueError(
                f"{name}: memory that no matrix in a buffer of the device describes, expected an array from the device's "
                "empty, zeros, array or wrap, or rows of one in their order"
            )
        return 0

    cdef int stage(self, Buffer staging, size_t offset) except -1:
        """Gives those others their places in staging memory, from `offset` on."""
        if self._outside is None:
            return 0
        for block, first in self._outside:
            copy = array_over(staging, block.shape, self.dtype, offset)
            self._place(copy, staging, first)
            self._copies.append((block, copy))
            offset += aligned(copy.nbytes)
        return 0

    cdef int copy_in(self) except -1:
        if self._copies is not None:
            for block, copy in self._copies:
                np.copyto(copy, block)
        return 0

    cdef int copy_out(self) except -1:
        if self._copies is not None:
            for block, copy in self._copies:
                np.copyto(block, copy)
        return 0

    cdef int _place(self, object block, Buffer buffer, Py_ssize_t first) except -1:
        cdef pymps_matrix matrix
        matrix.buffer = buffer.handle
        matrix.offset_bytes = <char *>cnp.PyArray_DATA(block) - buffer.data
        matrix.rows = cnp.PyArray_DIM(block, 1)
        matrix.columns = cnp.PyArray_DIM(block, 2)
        matrix.row_bytes = row_bytes(block)
        matrix.data_type = PYMPS_FLOAT32 if cnp.PyArray_ITEMSIZE(block) == 4 else PYMPS_FLOAT16
        cdef Py_ssize_t step, stride = cnp.PyArray_STRIDE(block, 0)
        for step in range(cnp.PyArray_DIM(block, 0)):
            self.matrices[first + step] = matrix
            matrix.offset_bytes += stride
        return 0


cdef Sequence make_sequence(str name, list blocks, bint is_list):
    cdef Sequence sequence = Sequence.__new__(Sequence)
    cdef cnp.ndarray block
    sequence.name = name
    sequence.blocks = blocks
    sequence.is_list = is_list
    for block in blocks:
        sequence.steps += cnp.PyArray_DIM(block, 0)
    block = blocks[0]
    sequence.rows = cnp.PyArray_DIM(block, 1)
    sequence.dtype = <object>cnp.PyArray_DESCR(block)
    return sequence


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
    if not is_same_type(checked.blocks[0], x.blocks[0]):
        raise TypeError(f"{name}: {checked.dtype}, expected {x.dtype}, the dtype of {x.name}")
    cdef Py_ssize_t index
    for index in range(len(x.blocks)):
        check_block_pair(checked, index, checked.blocks[index], x.blocks[index])
    return checked


cdef int check_block_pair(Sequence out, Py_ssize_t index, cnp.ndarray block, cnp.ndarray source) except -1:
    """Checks the index-th block of an output against that of x."""
    where = place_of(out.name, index if out.is_list else -1)
    if (cnp.PyArray_DIM(block, 0) != cnp.PyArray_DIM(source, 0)
            or cnp.PyArray_DIM(block, 1) != cnp.PyArray_DIM(source, 1)):
        axes = slice(1 if out.is_list else 0, None)
        expected = ((<object>source).shape[:2] + (<object>block).shape[2:])[axes]
        raise ValueError(f"{where}: shape {(<object>block).shape[axes]}, expected {expected}")
    if not cnp.PyArray_ISWRITEABLE(block):
        raise ValueError(f"{where}: read-only, expected a writable array")
    if overlaps_itself(block):
        raise ValueError(f"{where}: rows that share memory (strides {(<object>block).strides}), expected rows apart")
    return 0


cdef Sequence checked_sequence(str name, object value, bint is_list, Py_ssize_t features):
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


cdef str place_of(str name, Py_ssize_t step):
    return name if step < 0 else f"{name}[{step}]"


cdef bint overlaps_itself(cnp.ndarray block) noexcept:
    """Whether two rows of a block may meet. Rows that interleave count, too."""
    cdef Py_ssize_t reach = cnp.PyArray_DIM(block, 2) * cnp.PyArray_ITEMSIZE(block)
    cdef Py_ssize_t stride
    cdef int axis, inner = 1 if abs(cnp.PyArray_STRIDE(block, 1)) < abs(cnp.PyArray_STRIDE(block, 0)) else 0
    for axis in (inner, 1 - inner):
        if cnp.PyArray_DIM(block, axis) > 1:
            stride = abs(cnp.PyArray_STRIDE(block, axis))
            if stride < reach:
                return True
            reach += stride * (cnp.PyArray_DIM(block, axis) - 1)
    return False


cdef bint is_same_type(cnp.ndarray a, cnp.ndarray b) noexcept:
    """Of arrays that have been checked."""
    return cnp.PyArray_TYPE(a) == cnp.PyArray_TYPE(b)


cdef int check_overlap(Sequence x, list outs) except -1:
    """No step of an output shares memory with any other step but those of x with each other.

    Goes through all blocks by address; `reaching` are those before that reach beyond the present one's start.
    """
    cdef uintptr_t first, end
    sequences = [x, *outs]
    if are_apart(sequences):
        return 0
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


cdef bint are_apart(list sequences) noexcept:
    """Whether it takes no closer look to see that: x and each output have a stretch of memory of their own, and the
    steps of an output follow each other there."""
    cdef uintptr_t low[3]
    cdef uintptr_t high[3]
    cdef Py_ssize_t number, other
    for number in range(len(sequences)):
        if not find_stretch(sequences[number], number > 0, &low[number], &high[number]):
            return False
        for other in range(number):
            if low[number] < high[other] and low[other] < high[number]:
                return False
    return True


cdef bint find_stretch(Sequence sequence, bint ascending, uintptr_t *low, uintptr_t *high) noexcept:
    """The bytes that all blocks span; False where they should ascend and do not."""
    cdef uintptr_t first, end
    cdef Py_ssize_t index
    for index in range(len(sequence.blocks)):
        find_byte_bounds(sequence.blocks[index], &first, &end)
        if index == 0:
            low[0], high[0] = first, end
        elif ascending and first < high[0]:
            return False
        else:
            low[0], high[0] = min(low[0], first), max(high[0], end)
    return True


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
        return make_sequence(name, [new_array(device, (x.steps, x.rows, features), x.dtype)], False)
    ends = np.cumsum([block.shape[1] for block in x.blocks])
    rows = new_array(device, (1, int(ends[len(ends) - 1]), features), x.dtype)
    return make_sequence(name, np.split(rows, ends[:len(ends) - 1], axis=1), True)


cdef object as_argument(Sequence sequence):
    """The arrays as a caller has them."""
    return [block[0] for block in sequence.blocks] if sequence.is_list else sequence.blocks[0]
