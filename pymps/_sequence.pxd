from pymps._buffer cimport Buffer
from pymps._device cimport Device
from pymps._native cimport *


cdef class Sequence:
    cdef str name                # of the argument
    cdef list blocks             # arrays of shape (steps, rows, features), one after the other in time
    cdef bint is_list            # whether they came as a list, one step each
    cdef Py_ssize_t steps, rows  # all steps; the rows of the first
    cdef object dtype
    cdef pymps_matrix *matrices  # owned; one per step
    cdef size_t staging_bytes    # what those blocks need that lie in no buffer of the device
    cdef list _outside           # those blocks, as (block, index of its first step); None: there are none
    cdef list _copies            # and after `stage`, as (block, its copy in staging memory)

    cdef int locate(self, Device device) except -1
    cdef int locate_in_place(self, Device device) except -1
    cdef int stage(self, Buffer staging, size_t offset) except -1
    cdef int copy_in(self) except -1
    cdef int copy_out(self) except -1
    cdef int _place(self, object block, Buffer buffer, Py_ssize_t first) except -1


cdef Sequence checked_input(str name, object x, Py_ssize_t features)
cdef Sequence checked_output(str name, object out, Sequence x, Py_ssize_t features)
cdef int check_overlap(Sequence x, list outs) except -1
cdef Sequence new_output(str name, Sequence x, Device device, Py_ssize_t features)
cdef object as_argument(Sequence sequence)
