"""Where an array lies on a device."""

cimport cython
cimport numpy as cnp

from pymps._buffer cimport buffer_under
from pymps._values import describe, is_plain_array

cnp.import_array()


@cython.final
cdef class Place:
    """The bytes of an array in a buffer of a device."""

    def __cinit__(self, Device device, str name, array):
        self.buffer = checked_buffer(device, name, array)
        if not array.flags.c_contiguous:
            raise ValueError(f"{name}: strides {array.strides}, expected a C-contiguous array")
        self.name = name
        self.start = <char *>cnp.PyArray_DATA(array)
        self.offset = self.start - self.buffer.data
        self.length = array.nbytes
        self.is_writable = array.flags.writeable
        if self.length == 0 or self.offset % 4 != 0 or self.length % 4 != 0:
            raise ValueError(
                f"{name}: {self.length} bytes at offset {self.offset} in its buffer, expected multiples of 4 bytes, more "
                "than 0"
            )

    cdef int check_writable(self) except -1:
        if not self.is_writable:
            raise ValueError(f"{self.name}: read-only, expected a writable array")
        return 0


cdef Buffer checked_buffer(Device device, str name, object array):
    if not is_plain_array(array):
        raise TypeError(f"{name}: {describe(array)}, expected an ndarray in a buffer of the device")
    cdef Buffer buffer = buffer_under(array)
    if buffer is None or not device.is_same(buffer.device):
        where = "memory of its own" if buffer is None else f"a buffer of {buffer.device!r}"
        raise ValueError(f"{name}: {describe(array)} in {where}, expected a buffer of {device!r}")
    return buffer
