from pymps._command_buffer cimport CommandBuffer
from pymps._device cimport Device
from pymps._native cimport *


cdef class Image:
    cdef const pymps_backend *native
    cdef pymps_image *handle           # owned
    cdef readonly Device device
    cdef pymps_image_descriptor descriptor
    cdef object memory                 # an array over the image's own memory; None: the image alone has it
    cdef bint read_only
    cdef CommandBuffer command_buffer  # that a temporary image lives on; else None

    cdef int _check_access(self) except -1


# The channel format of a dtype; None: there is none.
cdef object format_of(object dtype)
cdef object dtype_of(pymps_channel_format channel_format)
cdef pymps_image_descriptor describe_images(object array)
# Takes over the reference `handle`.
cdef Image make_image(Device device, pymps_image *handle, object memory=*, bint read_only=*)
cdef Image new_image(Device device, const pymps_image_descriptor *descriptor)
# The bytes of a C-contiguous array, in or out.
cdef int write_image(Image image, object array) except -1
cdef int read_image(Image image, object array) except -1
cpdef Image image_of(Device device, object array)
