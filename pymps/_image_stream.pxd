from pymps._stream cimport StepStream


cdef class ImageStream(StepStream):
    cdef readonly Py_ssize_t number_of_images, height, width
