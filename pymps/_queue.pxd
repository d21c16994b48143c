from pymps._device cimport Device
from pymps._native cimport *


cdef class CommandQueue:
    cdef const pymps_backend *native
    cdef pymps_queue *handle  # owned
    cdef readonly Device device
