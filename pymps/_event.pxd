from pymps._device cimport Device
from pymps._native cimport *


cdef class SharedEvent:
    cdef const pymps_backend *native
    cdef pymps_shared_event *handle  # owned
    cdef readonly Device device


cpdef SharedEvent make_event(Device device)
