"""Buffers, and the arrays over them."""

cimport cython
cimport numpy as cnp
from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_WRITABLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc
from posix.unistd cimport _SC_PAGESIZE, sysconf

import math
import operator

import numpy as np

from pymps._backend cimport check, made_here, raise_error
from pymps._values import describe, is_plain_array
from pymps.enums import StorageMode

cnp.import_array()


@cython.final
cdef class Buffer:
    """Memory of a device that the CPU sees too (``MTLBuffer``).

    It is made by `Device.empty`, `zeros`, `array` and `wrap`, and by streams and states; `Buffer.of` finds it. It
    exports its bytes: ``memoryview(buffer)``.

    Attributes
    ----------
    device : Device
        Where it was made.
    """

    def __cinit__(self, *key):
        if key != (made_here,):
            raise TypeError("Buffer: made by Device.empty, zeros, array and wrap, not by a call")

    def __dealloc__(self):
        if self.owned:
            self.native.buffer_release(self.handle)
            release_idle_sources()

    @staticmethod
    def of(array):
        """The buffer under an array.

        Parameters
        ----------
        array : ndarray
            An array over a buffer, or a view of one.

        Returns
        -------
        Buffer

        Raises
        ------
        TypeError
            Not an ndarray.
        ValueError
            There is no buffer under it.
        """
        if not isinstance(array, np.ndarray):
            raise TypeError(f"array: {describe(array)}, expected an ndarray")
        buffer = buffer_under(array)
        if buffer is None:
            raise ValueError(f"array: {describe(array)} in memory of its own, expected one in a device's buffer")
        return buffer

    @property
    def length(self):
        """How long it is, in bytes."""
        return self.native.buffer_length_bytes(self.handle)

    @property
    def contents(self):
        """Its bytes, as a memoryview: writable, unless it holds a state."""
        return memoryview(self)

    @property
    def storage_mode(self):
        """Where its memory lies, a StorageMode."""
        return StorageMode(self.native.buffer_storage_mode(self.handle))

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, self.data, self.length, self.read_only, flags)

    def __repr__(self):
        return f"<pymps.Buffer of {self.length} bytes on {self.device!r}>"


cdef Buffer make_buffer(Device device, pymps_buffer *handle, object owner, bint read_only):
    """Takes over the reference `handle`, unless `owner` has it."""
    cdef Buffer buffer = Buffer.__new__(Buffer, made_here)
    buffer.native = device.native
    buffer.handle = handle
    buffer.owner = owner
    buffer.owned = owner is None
    buffer.device = device
    buffer.data = <char *>device.native.buffer_contents(handle)
    buffer.read_only = read_only
    return buffer


cdef Buffer new_buffer(Device device, size_t length):
    cdef pymps_buffer *handle = NULL
    cdef pymps_error error
    check(device.native.buffer_create(device.handle, length, PYMPS_STORAGE_SHARED, &handle, &error), &error)
    return make_buffer(device, handle, None, False)


cdef object array_over(Buffer buffer, tuple shape, object dtype, size_t offset=0, object strides=None):
    return np.ndarray(shape, dtype, buffer, offset, strides)


cdef Buffer buffer_under(object array):
    """The buffer at the end of an array's chain of bases, or None."""
    base = array
    while base is not None:
        if isinstance(base, Buffer):
            return base
        if cnp.PyArray_Check(base):
            base = cnp.get_array_base(base)
        else:
            base = base.obj if isinstance(base, memoryview) else getattr(base, "base", None)
    return None


# ---- What Device.empty, array and wrap do ----

cpdef object new_array(Device device, object shape, object dtype):
    dtype = checked_dtype("dtype", dtype)
    dimensions = checked_shape(shape)
    length = math.prod(dimensions) * dtype.itemsize
    if not 0 < length <= device.max_buffer_length:
        raise ValueError(
            f"shape: {dimensions} of {dtype} takes {length} bytes, expected 1 to {device.max_buffer_length}, "
            "the device's max_buffer_length"
        )
    return array_over(new_buffer(device, length), dimensions, dtype)


cpdef object copied_array(Device device, object source, object dtype):
    source = np.asarray(source, dtype)
    copy = new_array(device, source.shape, source.dtype)
    copy[...] = source
    return copy


cpdef object wrapped_array(Device device, object array):
    if not is_plain_array(array):
        raise TypeError(f"array: {describe(array)}, expected an ndarray")
    dtype = checked_dtype("array", array.dtype)
    if not (array.flags.c_contiguous and array.flags.writeable):
        raise ValueError(f"array: {describe(array)}, not C-contiguous and writable as expected")
    cdef Py_ssize_t page = sysconf(_SC_PAGESIZE)
    cdef uintptr_t address = <uintptr_t>cnp.PyArray_DATA(array)
    if address % page != 0 or array.nbytes == 0 or array.nbytes % page != 0:
        raise ValueError(
            f"array: {array.nbytes} bytes at {address:#x}, expected whole pages of {page} bytes at a page's start"
        )
    return array_over(_wrapped_buffer(device, array), array.shape, dtype)


cdef object checked_dtype(str name, object dtype):
    try:
        checked = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"{name}: {describe(dtype)}, expected a dtype") from None
    if checked.hasobject or checked.itemsize == 0 or checked.subdtype is not None:
        raise TypeError(f"{name}: {checked!r}, expected one of plain elements that take memory")
    return checked


cdef tuple checked_shape(object shape):
    try:
        lengths = shape if isinstance(shape, (tuple, list)) else (shape,)
        dimensions = tuple(operator.index(length) for length in lengths)
    except TypeError:
        raise TypeError(f"shape: {type(shape).__name__} {shape!r}, expected an int or a tuple of ints") from None
    if any(length < 0 for length in dimensions):
        raise ValueError(f"shape: {dimensions}, expected no negative length")
    return dimensions


# ---- Memory that others own ----
#
# Metal says that it has done with wrapped memory on a thread of its choice, at a time of its choice, when the interpreter
# may be gone. So that thread only puts the source on a list, without the GIL; Python threads let go of what is listed.

cdef extern from *:
    void *exchange "__atomic_exchange_n"(void **place, void *value, int order) noexcept nogil
    bint compare_exchange "__atomic_compare_exchange_n"(void **place, void **expected, void *desired, bint weak,
                                                        int success, int failure) noexcept nogil
    int ACQUIRE_RELEASE "__ATOMIC_ACQ_REL"
    int RELAXED "__ATOMIC_RELAXED"

cdef struct Source:
    Py_buffer view  # keeps the exporter alive, and its memory in place
    void *next

cdef void *_idle_sources = NULL


cdef void _source_is_idle(void *context) noexcept nogil:
    cdef Source *source = <Source *>context
    source.next = NULL
    while not compare_exchange(&_idle_sources, &source.next, source, False, ACQUIRE_RELEASE, RELAXED):
        pass


cdef void release_idle_sources() noexcept:
    cdef Source *source = <Source *>exchange(&_idle_sources, NULL, ACQUIRE_RELEASE)
    cdef Source *following
    while source != NULL:
        following = <Source *>source.next
        PyBuffer_Release(&source.view)
        free(source)
        source = following


cdef Buffer _wrapped_buffer(Device device, array):
    release_idle_sources()
    cdef pymps_buffer *handle = NULL
    cdef pymps_error error
    cdef Source *source = <Source *>malloc(sizeof(Source))
    if source == NULL:
        raise MemoryError
    try:
        # As bytes: some dtypes (dates) export no buffer of their own.
        PyObject_GetBuffer(array.reshape(-1).view(np.uint8), &source.view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)
    except BaseException:
        free(source)
        raise
    if device.native.buffer_wrap(device.handle, source.view.buf, source.view.len, _source_is_idle, source,
                                 &handle, &error) != PYMPS_OK:
        PyBuffer_Release(&source.view)
        free(source)
        raise_error(&error)
    return make_buffer(device, handle, None, False)
