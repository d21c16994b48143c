"""Command queues."""

cimport cython

from pymps._backend cimport check, made_here
from pymps._command_buffer cimport make_command_buffer
from pymps._values import checked_count


@cython.final
cdef class CommandQueue:
    """Command buffers of one queue run one after the other, in the order of their commits (``MTLCommandQueue``).

    Made by `Device.new_command_queue`. Any number of threads may use it.

    Attributes
    ----------
    device : Device
        Where it was made.
    """

    def __cinit__(self, *key):
        if key != (made_here,):
            raise TypeError("CommandQueue: made by Device.new_command_queue, not by a call")

    def __dealloc__(self):
        if self.native != NULL:
            self.native.queue_release(self.handle)

    def command_buffer(self):
        """A new command buffer.

        Waits while the queue is full of command buffers that have not completed. The GIL is released meanwhile; a
        KeyboardInterrupt has to wait too.

        Returns
        -------
        CommandBuffer

        Raises
        ------
        ValueError
            The queue is full of command buffers that are not committed: no wait would end.
        DeviceError
            Out of device memory.
        """
        cdef pymps_command_buffer *handle = NULL
        cdef pymps_error error
        with nogil:
            check(self.native.command_buffer_create(self.handle, &handle, &error), &error)
        return make_command_buffer(self.device, self, handle)

    def __repr__(self):
        return f"<pymps.CommandQueue on {self.device!r}>"


cpdef CommandQueue make_queue(Device device, object max_command_buffer_count):
    cdef CommandQueue queue = CommandQueue.__new__(CommandQueue, made_here)
    cdef pymps_error error
    cdef size_t count
    if max_command_buffer_count is None:
        check(device.native.queue_create(device.handle, &queue.handle, &error), &error)
    else:
        count = checked_count("max_command_buffer_count", max_command_buffer_count)
        check(device.native.queue_create_with_max_command_buffer_count(device.handle, count, &queue.handle, &error),
              &error)
    queue.native = device.native
    queue.device = device
    return queue
