from pymps._device cimport Device
from pymps._sequence cimport Sequence


cdef class MatrixSequence(Sequence):
    cdef readonly Py_ssize_t rows  # of the first step

    # Checks a value by itself, and that it has the form, the dtype and the rows of this input.
    cdef MatrixSequence checked_like(self, str name, object value, Py_ssize_t features)
    # Itself where it lies in buffers of the device, else a copy there that nothing else uses; located.
    cdef MatrixSequence on_device(self, Device device)
    # Some steps of a sequence that lies in buffers of the device.
    cdef MatrixSequence steps_of(self, Device device, Py_ssize_t first, Py_ssize_t end)


cdef MatrixSequence make_sequence(str name, list blocks, bint is_list)
cdef MatrixSequence checked_input(str name, object x, Py_ssize_t features)
