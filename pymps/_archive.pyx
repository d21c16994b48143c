"""Layers as bytes."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize

from pymps._backend cimport check
from pymps._values import describe


@cython.final
cdef class Pieces:
    """What native code has written so far."""

    cdef int append(self, const char *bytes, size_t length) except -1:
        self.pieces.append(PyBytes_FromStringAndSize(bytes, length))
        return 0


cdef void write(void *context, const void *bytes, size_t length) noexcept with gil:
    cdef Pieces pieces = <Pieces>context
    try:
        pieces.append(<const char *>bytes, length)
    except BaseException as exception:
        pieces.failure = exception


cdef bytes archived(const pymps_backend *native, pymps_layer *layer):
    cdef Pieces pieces = Pieces.__new__(Pieces)
    cdef pymps_error error
    cdef pymps_status status
    pieces.pieces = []
    with nogil:
        status = native.layer_archive(layer, write, <void *>pieces, &error)
    check(status, &error)
    if pieces.failure is not None:
        raise pieces.failure
    return b"".join(pieces.pieces)


cdef pymps_layer *unarchived(Device device, object data, bint takes_images) except NULL:
    cdef pymps_layer *layer = NULL
    cdef Py_buffer view
    cdef pymps_error error
    cdef pymps_status status
    try:
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    except (TypeError, BufferError):
        raise TypeError(f"data: {describe(data)}, expected bytes or the like, contiguous") from None
    with nogil:
        if takes_images:
            status = device.native.images.image_layer_unarchive(device.handle, view.buf, view.len, &layer, &error)
        else:
            status = device.native.layer_unarchive(device.handle, view.buf, view.len, &layer, &error)
    PyBuffer_Release(&view)
    check(status, &error)
    return layer
