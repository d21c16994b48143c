# The calls around a step, many in a row: breakdown.py and jitter.py time them.
from libc.stdint cimport int64_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from pymps cimport Stream, pymps_error


cdef class Nothing:
    """What a call from Python takes by itself."""

    def call(self):
        return None


def give_the_gil_up(Py_ssize_t times):
    cdef Py_ssize_t time
    for time in range(times):
        with nogil:
            pass


def step_from_c(Stream stream not None, Py_ssize_t times):
    """Through the C interface: stream_step."""
    cdef pymps_error error
    cdef Py_ssize_t time
    with nogil:
        for time in range(times):
            stream._native.stream_step(stream._handle, &error)


def step_from_cython(Stream stream not None, Py_ssize_t times):
    cdef Py_ssize_t time
    with nogil:
        for time in range(times):
            stream.step_nogil()


def time_calls(call, int64_t[::1] nanoseconds):
    """One number for each call: from the end of the one before to its own end."""
    cdef Py_ssize_t index
    cdef int64_t before = now(), after
    for index in range(nanoseconds.shape[0]):
        call()
        after = now()
        nanoseconds[index] = after - before
        before = after


cdef int64_t now() noexcept nogil:
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1000000000 + time.tv_nsec
