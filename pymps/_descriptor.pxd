from pymps._device cimport Device
from pymps._native cimport *


cdef class NativeDescriptor:
    cdef const pymps_backend *native
    cdef pymps_descriptor *handle  # owned
    cdef dict sources              # of each property that has one, what has its neuron (after a layer is made)

    cdef int _create(self, object descriptor, object kind) except -1
    cdef int _set_values(self, object descriptor) except -1
    cdef int _set_lstm_values(self, object descriptor) except -1
    cdef int _set_weights(self, pymps_matrix_id matrix_id, str name, object source) except -1
    cdef int _set_data_source(self, pymps_matrix_id matrix_id, str name, object source, tuple shape,
                              list failures) except -1


# The weight properties of a descriptor, with their ids.
cdef dict matrix_ids_of(object descriptor)
# `failures` gets what its data sources raise: see raise_failures.
cdef NativeDescriptor make_descriptor(const pymps_backend *native, object descriptor, list failures)
# A layer of a descriptor, or of a list of them. The caller owns what it returns.
cdef pymps_layer *make_layer(Device device, object descriptor, bint takes_images, list failures) except NULL
