"""Streams: the low-latency path."""

cimport cython

from pymps._backend cimport check
from pymps._buffer cimport Buffer, array_over, make_buffer
from pymps._inference_layer cimport InferenceLayer
from pymps._layer cimport MatrixInferenceLayer
from pymps._state cimport State, check_state, make_state
from pymps._values import checked_count

cdef extern from *:
    bint exchange "__atomic_exchange_n"(bint *place, bint value, int order) noexcept nogil
    void store "__atomic_store_n"(bint *place, bint value, int order) noexcept nogil
    int ACQUIRE "__ATOMIC_ACQUIRE"
    int RELEASE "__ATOMIC_RELEASE"


cdef class StepStream:
    """What streams of matrices and of images have in common."""

    cdef int take(self, InferenceLayer layer, NativeStream memory, tuple extent) except -1:
        self._native = layer.native
        self.layer = layer
        self._memory = memory
        self._handle = memory.handle
        cdef pymps_matrix matrix
        self._native.stream_source(self._handle, &matrix)
        self._x = array_of(layer, memory, &matrix, extent)
        self.x_data, self.x_row_floats = data_of(self._native, &matrix), matrix.row_bytes // sizeof(float)
        self._native.stream_destination(self._handle, &matrix)
        self._y = array_of(layer, memory, &matrix, extent)
        self.y_data, self.y_row_floats = data_of(self._native, &matrix), matrix.row_bytes // sizeof(float)
        self._warm_up()
        return 0

    cdef int _warm_up(self) except -1:
        """One step from zeros to zeros, so that the first of a caller's finds the way there in the caches."""
        with nogil:
            self.step_nogil()
        self.reset()
        self._y[...] = 0
        return 0

    @cython.binding(False)
    def step(self):
        """Run one step: `y` and the state after it from `x` and the state before it.

        Waits until `y` is complete. The GIL is released meanwhile.

        Raises
        ------
        ValueError
            The stream is closed.
        RuntimeError
            Another thread is in a step of this stream; that step is not harmed.
        CommandBufferError
            The device failed; the state is what it was.
        """
        with nogil:
            self.step_nogil()

    cdef int step_nogil(self) except -1 nogil:
        cdef pymps_error error
        self._acquire()
        cdef pymps_status status = self._native.stream_step(self._handle, &error)
        self._release()
        return check(status, &error)

    @property
    def state(self):
        """The state after the last step; None before the first one and after `reset`.

        It can be set, to a state of the layer with the extent of `x` or to None.
        """
        self._acquire()
        cdef pymps_state *state = self._native.stream_state(self._handle)
        self._release()
        return None if state == NULL else self._new_state(state)

    @state.setter
    def state(self, state):
        if state is not None:
            self._check_state(state)
        cdef pymps_error error
        self._acquire()
        cdef pymps_status status = self._native.stream_set_state(
            self._handle, NULL if state is None else (<State>state).handle, &error)
        self._release()
        check(status, &error)

    def reset(self):
        """Forget the state: the next step starts from zeros.

        Raises
        ------
        ValueError
            The stream is closed.
        RuntimeError
            Another thread is in a step of this stream.
        """
        self.state = None

    def close(self):
        """Give the stream's memory back, as soon as no view of `x` or `y` is left. May be called again.

        Raises
        ------
        RuntimeError
            Another thread is in a step of this stream.
        """
        if self._handle == NULL:
            return
        self._acquire()
        self._handle = NULL
        self._memory = self._x = self._y = None
        self._release()

    @property
    def closed(self):
        """Whether `close` has been called."""
        return self._handle == NULL

    def __enter__(self):
        self._check_open()
        return self

    def __exit__(self, *exception):
        self.close()

    cdef int _acquire(self) except -1 nogil:
        if exchange(&self._busy, True, ACQUIRE):
            raise_busy()
        if self._handle == NULL:
            self._release()
            raise_closed()
        return 0

    cdef void _release(self) noexcept nogil:
        store(&self._busy, False, RELEASE)

    cdef int _check_open(self) except -1:
        return 0 if self._handle != NULL else raise_closed()

    cdef int _check_state(self, object state) except -1:
        raise NotImplementedError

    cdef object _new_state(self, pymps_state *handle):
        """Takes over the reference `handle`."""
        raise NotImplementedError


@cython.final
cdef class Stream(StepStream):
    """A layer one step at a time: write `x`, call `step`, read `y`. The state is carried along.

    Made by `MatrixInferenceLayer.stream`. `x` and `y` stay the same arrays, in buffers of the device, and a step
    allocates nothing. Different streams may step in different threads at the same time; one stream is for one thread
    at a time. A stream is a context manager that closes itself.

    Attributes
    ----------
    layer : MatrixInferenceLayer
    batch : int
        How many rows a step has, `B` below.
    """

    def __cinit__(self, MatrixInferenceLayer layer not None, batch=1):
        self.batch = checked_count("batch", batch)
        layer.stack.check_runs_sequence()
        cdef pymps_stream *handle = NULL
        cdef pymps_error error
        cdef pymps_status status
        with nogil:
            status = layer.native.stream_create(layer.handle, self.batch, &handle, &error)
        self.take(layer, own_stream(layer, handle, status, &error), (self.batch,))

    @property
    def x(self):
        """The input of the next step: ndarray, shape (B, I), float32. It outlives the stream."""
        self._check_open()
        return self._x

    @property
    def y(self):
        """The output of the last step: ndarray, shape (B, O), float32. It outlives the stream."""
        self._check_open()
        return self._y

    cdef int _check_state(self, object state) except -1:
        return check_state("state", self.layer, state, self.batch)

    cdef object _new_state(self, pymps_state *handle):
        return make_state(self.layer, handle, self.batch)

    def __repr__(self):
        return f"<pymps.Stream of {self.batch} rows, {'closed' if self.closed else 'open'}, {self.layer!r}>"


cdef class NativeStream:
    """Owns a pymps_stream, for the Stream and for the arrays over its buffers."""

    def __dealloc__(self):
        if self.native != NULL:
            self.native.stream_release(self.handle)


cdef int raise_busy() except -1 with gil:
    raise RuntimeError("the stream is in use by another thread, expected one thread at a time")


cdef int raise_closed() except -1 with gil:
    raise ValueError("the stream is closed")


cdef NativeStream own_stream(InferenceLayer layer, pymps_stream *handle, pymps_status status, const pymps_error *error):
    check(status, error)
    cdef NativeStream memory = NativeStream.__new__(NativeStream)
    memory.native = layer.native
    memory.handle = handle
    return memory


cdef object array_of(InferenceLayer layer, NativeStream memory, const pymps_matrix *matrix, tuple extent):
    cdef Buffer buffer = make_buffer(layer.device, matrix.buffer, memory, False)
    return array_over(buffer, (*extent, matrix.columns), "float32", matrix.offset_bytes)


cdef float *data_of(const pymps_backend *native, const pymps_matrix *matrix) noexcept:
    return <float *>(<char *>native.buffer_contents(matrix.buffer) + matrix.offset_bytes)
