# cython: boundscheck=False, wraparound=False
# The calls around a step, many in a row: breakdown.py and jitter.py time them.
from libc.stdint cimport int64_t, uint64_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from pymps cimport Stream, pymps_backend, pymps_error, pymps_stream

cdef extern from "limits.h" nogil:
    uint64_t bench_read_vectors(const void *memory, size_t vectors, size_t repeats)
    size_t bench_read_granularity(int threads)
    float bench_chain(size_t links)


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


# What is timed call by call gives one number for each: from the end of the one before to its own end.

def time_calls(call, int64_t[::1] nanoseconds):
    cdef Py_ssize_t index
    cdef int64_t before = now(), after
    for index in range(nanoseconds.shape[0]):
        call()
        after = now()
        nanoseconds[index] = after - before
        before = after


def time_steps(Stream stream not None, int64_t[::1] nanoseconds):
    """Through the C interface: stream_step."""
    cdef Step what = Step(stream._native, stream._handle)
    with nogil:
        time_work(step, &what, nanoseconds)


def time_reads(const uint64_t[::1] words, size_t links, int64_t[::1] nanoseconds):
    """A read of `words`, but for what its granularity leaves over, and then the chain."""
    cdef Read what = Read(&words[0], words.nbytes // bench_read_granularity(1), links)
    with nogil:
        time_work(read, &what, nanoseconds)


def time_chains(size_t links, int64_t[::1] nanoseconds):
    with nogil:
        time_work(chain, &links, nanoseconds)


cdef struct Step:
    const pymps_backend *native
    pymps_stream *stream


cdef void step(const void *context) noexcept nogil:
    cdef const Step *what = <const Step *>context
    cdef pymps_error error
    what.native.stream_step(what.stream, &error)


cdef struct Read:
    const void *memory
    size_t vectors
    size_t links


cdef void read(const void *context) noexcept nogil:
    cdef const Read *what = <const Read *>context
    bench_read_vectors(what.memory, what.vectors, 1)
    bench_chain(what.links)


cdef void chain(const void *context) noexcept nogil:
    bench_chain((<const size_t *>context)[0])


ctypedef void (*Work)(const void *context) noexcept nogil


cdef void time_work(Work work, const void *context, int64_t[::1] nanoseconds) noexcept nogil:
    cdef Py_ssize_t index
    cdef int64_t before = now(), after
    for index in range(nanoseconds.shape[0]):
        work(context)
        after = now()
        nanoseconds[index] = after - before
        before = after


cdef int64_t now() noexcept nogil:
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1000000000 + time.tv_nsec
