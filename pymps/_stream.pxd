from pymps._inference_layer cimport InferenceLayer
from pymps._native cimport *


cdef class StepStream:
    # x and y are rows of numbers, one behind the other; a row of an image stream is a pixel: row r of x begins at
    # x_data + r * x_row_floats. Valid until close(), or for as long as an array over it lives.
    cdef float *x_data
    cdef float *y_data
    cdef Py_ssize_t x_row_floats, y_row_floats
    cdef readonly InferenceLayer layer

    cdef const pymps_backend *_native
    cdef pymps_stream *_handle  # borrowed from `_memory`; NULL: closed
    cdef NativeStream _memory
    cdef object _x, _y
    cdef bint _busy             # some thread is at work; set and cleared atomically

    # One step, without the GIL. On failure -1 with an exception set, which takes the GIL.
    cdef int _warm_up(self) except -1
    cdef int step_nogil(self) except -1 nogil
    # The stream's memory, as arrays whose axes before the features are `extent`.
    cdef int take(self, InferenceLayer layer, NativeStream memory, tuple extent) except -1
    cdef int _acquire(self) except -1 nogil
    cdef void _release(self) noexcept nogil
    cdef int _check_open(self) except -1
    # What the states of streams of matrices and of images have each of their own.
    cdef int _check_state(self, object state) except -1
    cdef object _new_state(self, pymps_state *handle)


cdef class Stream(StepStream):
    cdef readonly Py_ssize_t batch


cdef class NativeStream:
    cdef const pymps_backend *native
    cdef pymps_stream *handle  # owned


# Owns the stream that `handle` is, if `status` says that there is one; else raises its error.
cdef NativeStream own_stream(InferenceLayer layer, pymps_stream *handle, pymps_status status, const pymps_error *error)
