from pymps._layer cimport MatrixInferenceLayer
from pymps._native cimport *


cdef class Stream:
    # x is batch rows of the layer's input channels, y batch rows of its output channels: row r of x begins at
    # x_data + r * x_row_floats. Valid until close(), or for as long as an array over it lives.
    cdef float *x_data
    cdef float *y_data
    cdef Py_ssize_t x_row_floats, y_row_floats
    cdef readonly Py_ssize_t batch
    cdef readonly MatrixInferenceLayer layer

    cdef const pymps_backend *_native
    cdef pymps_stream *_handle  # borrowed from `_memory`; NULL: closed
    cdef NativeStream _memory
    cdef object _x, _y
    cdef bint _busy             # some thread is at work; set and cleared atomically

    # One step, without the GIL. On failure -1 with an exception set, which takes the GIL.
    cdef int step_nogil(self) except -1 nogil
    cdef int _acquire(self) except -1 nogil
    cdef void _release(self) noexcept nogil
    cdef int _check_open(self) except -1


cdef class NativeStream:
    cdef const pymps_backend *native
    cdef pymps_stream *handle  # owned
