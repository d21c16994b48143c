from pymps._device cimport Device
from pymps._sequence cimport Sequence


cdef class MatrixSequence(Sequence):
    cdef readonly Py_ssize_t rows  # of the first step


cdef MatrixSequence checked_input(str name, object x, Py_ssize_t features)
