"""Shared events."""

cimport cython

from pymps._backend cimport check, made_here
from pymps._values import checked_int


EVENT_VALUE_MAX = (1 << 64) - 1


@cython.final
cdef class SharedEvent:
    """A number by which the CPU and command buffers of one device wait for each other (``MTLSharedEvent``).

    Made by `Device.new_shared_event`. Any number of threads may use it.

    Attributes
    ----------
    device : Device
        Where it was made.
    """

    def __cinit__(self, *key):
        if key != (made_here,):
            raise TypeError("SharedEvent: made by Device.new_shared_event, not by a call")

    def __dealloc__(self):
        if self.native != NULL:
            self.native.shared_event_release(self.handle)

    @property
    def signaled_value(self):
        """The number, 0 at first. Setting it ends the waits for this and any lower number."""
        return self.native.shared_event_signaled_value(self.handle)

    @signaled_value.setter
    def signaled_value(self, value):
        cdef uint64_t checked = checked_int("signaled_value", value, 0, EVENT_VALUE_MAX)
        with nogil:
            self.native.shared_event_set_signaled_value(self.handle, checked)

    def __repr__(self):
        return f"<pymps.SharedEvent at {self.signaled_value} on {self.device!r}>"


cpdef SharedEvent make_event(Device device):
    cdef SharedEvent event = SharedEvent.__new__(SharedEvent, made_here)
    cdef pymps_error error
    check(device.native.shared_event_create(device.handle, &event.handle, &error), &error)
    event.native = device.native
    event.device = device
    return event
