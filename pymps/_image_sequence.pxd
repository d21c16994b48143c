from pymps._device cimport Device
from pymps._native cimport *
from pymps._sequence cimport Sequence


cdef class ImageSequence(Sequence):
    cdef readonly tuple extent              # number of images, height, width: of every step
    cdef pymps_image_descriptor descriptor  # of a step that came as an array
    cdef list given                         # the Images, where they came as such: then there are no blocks; else None
    # Where images lie in buffers, which then belong to the sequence; NULL: they do not.
    cdef const pymps_image_functions *_linear
    cdef Device _device                     # where they are; None until `locate`


# Arrays, or a list of them.
cdef ImageSequence checked_input(str name, object x, Py_ssize_t features)
# The same, or a list of Images.
cdef ImageSequence checked_images(str name, object x, Py_ssize_t features)
