from pymps._command_buffer cimport CommandBuffer
from pymps._image cimport Image
from pymps._native cimport *
from pymps._state cimport State


cdef class RecurrentImageState(State):
    cdef readonly Py_ssize_t width, height, number_of_images

    cdef Image _image(self, layer_index, pymps_state_matrix which)
    cdef object _array(self, layer_index, pymps_state_matrix which)


# `extent` is (number_of_images, height, width).
cdef RecurrentImageState make_image_state(object layer, pymps_state *handle, tuple extent,
                                          CommandBuffer command_buffer=*)
cdef int check_image_state(object layer, object state, tuple extent, CommandBuffer command_buffer=*) except -1
