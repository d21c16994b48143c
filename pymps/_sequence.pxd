from pymps._buffer cimport Buffer
from pymps._command_buffer cimport CommandBuffer
from pymps._device cimport Device
from pymps._native cimport *


cdef class Staging:
    cdef Buffer buffer       # grows as needed; None until then
    cdef size_t offset       # where the next block goes
    cdef list images         # Images that this call uses, where these can't lie in buffers
    cdef list idle           # those of the last call that this one does not use

    cdef int stage(self, Device device, list sequences) except -1
    cdef int prepare(self, Device device, size_t needed) except -1
    cdef object place(self, object block)


cdef class Sequence:
    cdef str name                # of the argument
    cdef list blocks             # arrays whose first axis is time, one after the other in time
    cdef bint is_list            # whether they came as a list, one step each
    cdef Py_ssize_t steps
    cdef object dtype
    cdef pymps_matrix *matrices  # one per step; NULL in a sequence of images
    cdef pymps_image **images    # one per step; NULL in a sequence of matrices
    cdef size_t staging_bytes    # what those blocks need that lie in no buffer of the device
    cdef list _outside           # those blocks, as (block, index of its first step); None: there are none
    cdef list _copies            # and after `stage`, as (block, its copy in staging memory)

    cdef int locate(self, Device device) except -1
    cdef int locate_in_place(self, Device device) except -1
    cdef int stage(self, Staging staging) except -1
    cdef int copy_in(self) except -1
    cdef int copy_out(self) except -1
    cdef object as_argument(self)
    cdef Sequence described(self, str name, list blocks, bint is_list)

    # What sequences of matrices and of images do each in their own way.
    cdef int _make_room(self, Device device) except -1
    cdef bint _lies_in(self, object block, Buffer buffer) except -1
    cdef int _place(self, object block, Buffer buffer, Py_ssize_t first) except -1
    cdef Sequence checked_output(self, str name, object out, Py_ssize_t features)
    cdef Sequence new_output(self, str name, Device device, Py_ssize_t features)
    cdef int check_state(self, object layer, object state, CommandBuffer command_buffer) except -1
    cdef object new_state(self, object layer, pymps_state *handle, CommandBuffer command_buffer)


cdef str place_of(str name, Py_ssize_t step)
cdef bint spans_part_of(object block, Buffer buffer) except -1
cdef bint overlaps_itself(object block) except -1
cdef int check_overlap(Sequence x, list outs) except -1
