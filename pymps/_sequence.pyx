"""Sequences: the arrays of a call, in place where the device reaches them, else by way of staging memory."""

cimport cython
cimport numpy as cnp
from libc.stdint cimport uintptr_t

import numpy as np

from pymps._buffer cimport Buffer, array_over, buffer_under, new_buffer
from pymps._command_buffer cimport CommandBuffer
from pymps._device cimport Device

cnp.import_array()

# Staged blocks begin at multiples of this many bytes, a cache line.
cdef enum:
    ALIGNMENT = 64

# How hard to look whether out shares memory with x; beyond that it counts as sharing.
cdef object MAX_OVERLAP_WORK = 100_000


@cython.final
cdef class Staging:
    """Memory of the device that calls copy through, one after the other."""

    def __cinit__(self):
        self.images = self.idle = []

    cdef int stage(self, Device device, list sequences) except -1:
        """Locates the sequences of a call, and gives their blocks places where they lie in no buffer of the device."""
        cdef Sequence sequence
        cdef size_t needed = 0
        cdef bint is_in_place = True
        for sequence in sequences:
            sequence.locate(device)
            needed += sequence.staging_bytes
            is_in_place = is_in_place and sequence._outside is None
        if is_in_place:
            return 0
        self.prepare(device, needed)
        for sequence in sequences:
            sequence.stage(self)
        return 0

    cdef int prepare(self, Device device, size_t needed) except -1:
        """Makes room for the blocks of a call."""
        self.offset = 0
        self.idle, self.images = self.images, []
        if needed == 0:
            return 0
        if self.buffer is None or device.native.buffer_length_bytes(self.buffer.handle) < needed:
            self.buffer = None  # first, so that the device need not hold both
            self.buffer = new_buffer(device, needed)
        return 0

    cdef object place(self, object block):
        """An array for a copy of a block."""
        copy = array_over(self.buffer, block.shape, block.dtype, self.offset)
        self.offset += aligned(copy.nbytes)
        return copy


cdef class Sequence:
    """The steps of an input or an output. The arrays have been checked."""

    cdef Sequence described(self, str name, list blocks, bint is_list):
        """Itself, after noting what it is."""
        cdef cnp.ndarray block = blocks[0]
        self.dtype = <object>cnp.PyArray_DESCR(block)
        self.name = name
        self.blocks = blocks
        self.is_list = is_list
        for block in blocks:
            self.steps += cnp.PyArray_DIM(block, 0)
        return self

    cdef int locate(self, Device device) except -1:
        """Finds the blocks that lie in buffers of the device, and how much staging memory the others need."""
        self._make_room(device)
        cdef Buffer buffer
        cdef cnp.ndarray block
        cdef Py_ssize_t first = 0
        for block in self.blocks:
            buffer = buffer_under(block)
            if buffer is not None and device.is_same(buffer.device) and self._lies_in(block, buffer):
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
            where = place_of(self.name, self._outside[0][1] if self.is_list else -1)
            kind, part = ("matrix", "rows of one in their order") if self.images == NULL else ("image", "whole images of one")
            raise ValueError(
                f"{where}: memory that no {kind} in a buffer of the device describes, expected an array from the device's "
                f"empty, zeros, array or wrap, or {part}"
            )
        return 0

    cdef int stage(self, Staging staging) except -1:
        """Gives those others their places in staging memory."""
        if self._outside is None:
            return 0
        for block, first in self._outside:
            copy = staging.place(block)
            self._place(copy, staging.buffer, first)
            self._copies.append((block, copy))
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

    cdef object as_argument(self):
        """The arrays as a caller has them."""
        return [block[0] for block in self.blocks] if self.is_list else self.blocks[0]

    cdef int _make_room(self, Device device) except -1:
        raise NotImplementedError

    cdef bint _lies_in(self, object block, Buffer buffer) except -1:
        """Whether the device can read and write each step of a block in place."""
        raise NotImplementedError

    cdef int _place(self, object block, Buffer buffer, Py_ssize_t first) except -1:
        raise NotImplementedError

    cdef Sequence checked_output(self, str name, object out, Py_ssize_t features):
        """Checks `out` by itself and against the steps of this input."""
        raise NotImplementedError

    cdef Sequence new_output(self, str name, Device device, Py_ssize_t features):
        """Arrays for the output, in the form of this input, in one buffer of the device."""
        raise NotImplementedError

    cdef int check_state(self, object layer, object state, CommandBuffer command_buffer) except -1:
        """Raises unless the sequence can start from `state`; see RecurrentState's check_start."""
        raise NotImplementedError

    cdef object new_state(self, object layer, pymps_state *handle, CommandBuffer command_buffer):
        """Takes over the reference `handle`."""
        raise NotImplementedError


cdef size_t aligned(size_t length) noexcept:
    return (length + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


cdef str place_of(str name, Py_ssize_t step):
    """How messages call a step; -1: all of them."""
    return name if step < 0 else f"{name}[{step}]"


cdef bint spans_part_of(object block, Buffer buffer) except -1:
    cdef uintptr_t low, high, start = <uintptr_t>buffer.data
    find_byte_bounds(block, &low, &high)
    return start <= low and high <= start + buffer.native.buffer_length_bytes(buffer.handle)


# ---- Memory that is shared ----

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


cdef bint overlaps_itself(object block) except -1:
    """Whether two elements of a block may meet. Rows that interleave count, too."""
    cdef cnp.ndarray array = block
    cdef Py_ssize_t reach = cnp.PyArray_ITEMSIZE(array), stride, least = 0
    cdef int axis, inner
    cdef unsigned done = 0  # a bit for each axis; the one of the least stride comes next
    while True:
        inner = -1
        for axis in range(cnp.PyArray_NDIM(array)):
            stride = abs(cnp.PyArray_STRIDE(array, axis))
            if not done >> axis & 1 and cnp.PyArray_DIM(array, axis) > 1 and (inner < 0 or stride < least):
                inner, least = axis, stride
        if inner < 0:
            return False
        if least < reach:
            return True
        reach += least * (cnp.PyArray_DIM(array, inner) - 1)
        done |= <unsigned>1 << inner


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
    """The bytes that all blocks span; False where they should ascend and do not. Native code compares Images."""
    cdef uintptr_t first, end
    low[0] = high[0] = 0
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
