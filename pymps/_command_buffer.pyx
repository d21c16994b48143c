"""Command buffers."""

cimport cython
from cpython.exc cimport PyErr_WriteUnraisable
from cpython.ref cimport PyObject, Py_INCREF, Py_XDECREF

from pymps._backend cimport check, exception_of, made_here
from pymps._buffer cimport Buffer
from pymps._callback cimport enter, leave, release
from pymps._place cimport Place, checked_buffer
from pymps._event import EVENT_VALUE_MAX
from pymps._values import checked_int, describe
from pymps.enums import CommandBufferStatus

cdef extern from "Python.h":
    PyObject *PyObject_CallOneArg(object function, object argument)  # NULL: an exception is set


@cython.final
cdef class WriteCount:
    """How often command buffers write something that several of them share."""

    cdef void wrote(self) noexcept:
        self.encoded += 1
        self.committed += 1


@cython.final
cdef class CommandBuffer:
    """Work for a device, written down first and then committed as a whole (``MTLCommandBuffer``).

    Made by `CommandQueue.command_buffer`. What is encoded into it runs in that order. It keeps alive the memory that it
    uses until it has run; what a dropped one holds is dropped with it, unless it was committed or enqueued. Encoding is
    for one thread at a time; any number of threads may wait.

    Attributes
    ----------
    queue : CommandQueue
        Whose it is.
    """

    def __cinit__(self, *key):
        if key != (made_here,):
            raise TypeError("CommandBuffer: made by CommandQueue.command_buffer, not by a call")
        self._scheduled_handlers = []
        self._completed_handlers = []

    def __del__(self):
        # Once enqueued it holds its place, and those behind it wait.
        if self._enqueued and not self._committed:
            self.commit()

    def __dealloc__(self):
        if self.native != NULL:
            with nogil:
                self.native.command_buffer_release(self.handle)

    # ---- Its life ----

    def enqueue(self):
        """Take a place in the queue now, before the commit: those that come later wait for this one.

        Raises
        ------
        ValueError
            It is enqueued or committed already.
        RuntimeError
            Another thread is encoding into it.
        """
        cdef pymps_error error
        cdef pymps_status status
        self.begin()
        with nogil:
            status = self.native.command_buffer_enqueue(self.handle, &error)
        self._enqueued = self._enqueued or status == PYMPS_OK
        self.end(status, &error)

    def commit(self):
        """Hand it to the device: nothing more can be encoded.

        The portable backend may run it before it returns. The GIL is released meanwhile.

        Raises
        ------
        ValueError
            It is committed already.
        RuntimeError
            Another thread is encoding into it.
        """
        cdef pymps_error error
        cdef pymps_status status
        cdef WriteCount count
        self.begin()
        self._committed = True
        for count in self._writes or ():
            count.committed += 1
        try:
            self._register()
        except BaseException:
            self._busy = False
            raise
        with nogil:
            status = self.native.command_buffer_commit(self.handle, &error)
        self.end(status, &error)

    def wait_until_scheduled(self):
        """Wait until its turn has come.

        The GIL is released meanwhile. Metal's wait can't be interrupted: a KeyboardInterrupt is raised after it.

        Raises
        ------
        ValueError
            It is not committed, or called by a handler of a command buffer of the same queue.
        """
        cdef pymps_error error
        with nogil:
            check(self.native.command_buffer_wait_until_scheduled(self.handle, &error), &error)

    def wait_until_completed(self):
        """Wait until it has run and its handlers have returned.

        The GIL is released meanwhile. Metal's wait can't be interrupted: a KeyboardInterrupt is raised after it.

        Raises
        ------
        CommandBufferError
            The device failed; carries Metal's code and text.
        ValueError
            It is not committed, or called by a handler of a command buffer of the same queue.
        """
        cdef pymps_error error
        with nogil:
            check(self.native.command_buffer_wait(self.handle, &error), &error)

    @property
    def status(self):
        """How far it has come, a CommandBufferStatus."""
        return CommandBufferStatus(self.native.command_buffer_status(self.handle))

    @property
    def error(self):
        """A CommandBufferError where the device failed, else None."""
        cdef pymps_error error
        cdef pymps_status status
        if self._error is None and self.native.command_buffer_status(self.handle) == PYMPS_COMMAND_BUFFER_ERROR:
            with nogil:
                status = self.native.command_buffer_wait(self.handle, &error)
            if status != PYMPS_ERROR_COMMAND_BUFFER:
                check(status, &error)
            self._error = exception_of(&error)
        return self._error

    @property
    def kernel_start_time(self):
        """When the CPU began to schedule it, in seconds of the host's clock; 0.0 until then."""
        return self._time(0)

    @property
    def kernel_end_time(self):
        """When the CPU had scheduled it, in seconds of the host's clock; 0.0 until then."""
        return self._time(1)

    @property
    def gpu_start_time(self):
        """When the device began to run it, in seconds of the host's clock; 0.0 until then."""
        return self._time(2)

    @property
    def gpu_end_time(self):
        """When the device had run it, in seconds of the host's clock; 0.0 until it has completed."""
        return self._time(3)

    # ---- Handlers ----

    def add_scheduled_handler(self, handler):
        """Have a function called when its turn has come.

        Parameters and errors are those of `add_completed_handler`.
        """
        self._add(self._scheduled_handlers, handler)

    def add_completed_handler(self, handler):
        """Have a function called when it has run, whether that went well or not.

        Parameters
        ----------
        handler : callable
            Called once, with this command buffer, on some thread; handlers are called in the order in which they were
            added. What it raises goes to ``sys.unraisablehook``. It is not called where the command buffer is dropped
            without a commit, nor once the interpreter is ending. It can't wait for this command buffer.

        Raises
        ------
        TypeError
            Not callable.
        ValueError
            It is committed already.
        """
        self._add(self._completed_handlers, handler)

    def _add(self, list handlers, handler):
        if not callable(handler):
            raise TypeError(f"handler: {describe(handler)}, expected a callable")
        if self._committed:
            raise_committed()
        handlers.append(handler)

    cdef int _register(self) except -1:
        """Until the commit native code knows nothing of the handlers, and the garbage collector all."""
        cdef pymps_error error
        cdef pymps_status status
        for handlers in (self._scheduled_handlers, self._completed_handlers):
            if not handlers:
                continue
            Py_INCREF(self)  # `release` undoes it
            if handlers is self._scheduled_handlers:
                status = self.native.command_buffer_add_scheduled_handler(
                    self.handle, call_scheduled_handlers, release, <void *>self, &error)
            else:
                status = self.native.command_buffer_add_completed_handler(
                    self.handle, call_completed_handlers, release, <void *>self, &error)
            if status != PYMPS_OK:
                Py_XDECREF(<PyObject *>self)
            check(status, &error)
        return 0

    cdef int _notify(self, list handlers) except -1:
        cdef PyObject *result
        for handler in handlers:
            result = PyObject_CallOneArg(handler, self)
            if result == NULL:
                PyErr_WriteUnraisable(handler)
            Py_XDECREF(result)
        handlers.clear()
        return 0

    # ---- Commands ----

    def encode_signal_event(self, SharedEvent event not None, value):
        """When all that was encoded before has run, raise an event's number.

        Parameters
        ----------
        event : SharedEvent
            An event of the device.
        value : int
            The new number, 0 to 2**64 - 1.

        Raises
        ------
        TypeError, ValueError
            The message names the argument, what came and what was expected. ValueError also where the command buffer is
            committed.
        RuntimeError
            Another thread is encoding into it.
        """
        cdef uint64_t number = checked_int("value", value, 0, EVENT_VALUE_MAX)
        self._check_event(event)
        cdef pymps_error error
        self.begin()
        self.end(self.native.command_buffer_encode_signal_event(self.handle, event.handle, number, &error), &error)

    def encode_wait_for_event(self, SharedEvent event not None, value):
        """Let what is encoded afterwards wait until an event's number is at least `value`.

        Parameters and errors are those of `encode_signal_event`.
        """
        cdef uint64_t number = checked_int("value", value, 0, EVENT_VALUE_MAX)
        self._check_event(event)
        cdef pymps_error error
        self.begin()
        self.end(self.native.command_buffer_encode_wait_event(self.handle, event.handle, number, &error), &error)

    def copy(self, source, destination):
        """Copy an array on the device.

        Parameters
        ----------
        source : ndarray
            C-contiguous, in a buffer of the device. It starts at a multiple of 4 bytes in the buffer and is a multiple
            of 4 bytes long.
        destination : ndarray
            The same, of the same shape and dtype; writable, sharing no memory with `source`.

        Raises
        ------
        TypeError, ValueError
            The message names the argument, what came and what was expected. ValueError also where the command buffer is
            committed.
        RuntimeError
            Another thread is encoding into it.
        """
        cdef Place origin = Place(self.device, "source", source)
        cdef Place target = Place(self.device, "destination", destination)
        if source.dtype != destination.dtype or source.shape != destination.shape:
            raise ValueError(f"destination: {describe(destination)}, expected {describe(source)} as source is")
        target.check_writable()
        if origin.start < target.start + target.length and target.start < origin.start + origin.length:
            raise ValueError("destination: shares memory with source, expected memory of its own")
        cdef pymps_error error
        self.begin()
        self.end(self.native.command_buffer_copy(self.handle, origin.buffer.handle, origin.offset, target.buffer.handle,
                                                 target.offset, target.length, &error), &error)

    def fill(self, array, value):
        """Set every byte of an array on the device.

        Parameters
        ----------
        array : ndarray
            C-contiguous and writable, in a buffer of the device. It starts at a multiple of 4 bytes in the buffer and
            is a multiple of 4 bytes long.
        value : int
            The byte, 0 to 255.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As from `copy`.
        """
        cdef Place target = Place(self.device, "array", array)
        target.check_writable()
        cdef uint8_t byte = checked_int("value", value, 0, 255)
        cdef pymps_error error
        self.begin()
        self.end(self.native.command_buffer_fill(self.handle, target.buffer.handle, target.offset, target.length, byte,
                                                 &error), &error)

    def synchronize(self, array):
        """Make what the device has written visible to the CPU: of use where the buffer's storage mode is ``MANAGED``.

        Parameters
        ----------
        array : ndarray
            In a buffer of the device, all of which is synchronized.

        Raises
        ------
        TypeError, ValueError, RuntimeError
            As from `copy`.
        """
        cdef Buffer buffer = checked_buffer(self.device, "array", array)
        cdef pymps_error error
        self.begin()
        self.end(self.native.command_buffer_synchronize(self.handle, buffer.handle, &error), &error)

    cdef int begin(self) except -1:
        if self._committed:
            raise_committed()
        if self._busy:
            raise RuntimeError("the command buffer is in use by another thread, expected one thread at a time")
        self._busy = True
        return 0

    cdef int end(self, pymps_status status, const pymps_error *error) except -1:
        self._busy = False
        return check(status, error)

    cdef int will_write(self, WriteCount count) except -1:
        if self._writes is None:
            self._writes = []
        self._writes.append(count)
        count.encoded += 1
        return 0

    cdef bint is_complete(self) except -1:
        if self.error is not None:
            raise self.error
        return self.native.command_buffer_status(self.handle) == PYMPS_COMMAND_BUFFER_COMPLETED

    cdef int _check_event(self, SharedEvent event) except -1:
        if not self.device.is_same(event.device):
            raise ValueError(f"event: of {event.device!r}, expected one of {self.device!r}")
        return 0

    cdef double _time(self, int which):
        cdef pymps_command_buffer_times times
        self.native.command_buffer_times(self.handle, &times)
        return (times.kernel_start, times.kernel_end, times.gpu_start, times.gpu_end)[which]

    def __repr__(self):
        return f"<pymps.CommandBuffer, {self.status.name}, of {self.queue!r}>"


cdef void call_scheduled_handlers(void *context, pymps_status status, const pymps_error *error) noexcept nogil:
    if enter():
        with gil:
            notify_scheduled(<CommandBuffer>context)
        leave()


cdef void call_completed_handlers(void *context, pymps_status status, const pymps_error *error) noexcept nogil:
    if enter():
        with gil:
            notify_completed(<CommandBuffer>context, status, error)
        leave()


cdef void notify_scheduled(CommandBuffer command_buffer) noexcept:
    command_buffer._notify(command_buffer._scheduled_handlers)


cdef void notify_completed(CommandBuffer command_buffer, pymps_status status, const pymps_error *error) noexcept:
    if status != PYMPS_OK:
        command_buffer._error = exception_of(error)
    command_buffer._notify(command_buffer._completed_handlers)


cdef int raise_committed() except -1:
    raise ValueError("the command buffer is committed, expected one that is not")


cdef CommandBuffer make_command_buffer(Device device, object queue, pymps_command_buffer *handle):
    cdef CommandBuffer made = CommandBuffer.__new__(CommandBuffer, made_here)
    made.native, made.handle = device.native, handle
    made.device, made.queue = device, queue
    return made
