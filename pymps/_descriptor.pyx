"""Descriptors on their way to a layer."""

cimport cython
cimport numpy as cnp

import numpy as np

from pymps._backend cimport check
from pymps.descriptors import LSTMDescriptor
from pymps._values import describe

cnp.import_array()

cdef dict MATRIX_IDS = {
    "input_gate_input_weights": PYMPS_LSTM_INPUT_GATE_INPUT_WEIGHTS,
    "input_gate_recurrent_weights": PYMPS_LSTM_INPUT_GATE_RECURRENT_WEIGHTS,
    "input_gate_memory_weights": PYMPS_LSTM_INPUT_GATE_MEMORY_WEIGHTS,
    "forget_gate_input_weights": PYMPS_LSTM_FORGET_GATE_INPUT_WEIGHTS,
    "forget_gate_recurrent_weights": PYMPS_LSTM_FORGET_GATE_RECURRENT_WEIGHTS,
    "forget_gate_memory_weights": PYMPS_LSTM_FORGET_GATE_MEMORY_WEIGHTS,
    "cell_gate_input_weights": PYMPS_LSTM_CELL_GATE_INPUT_WEIGHTS,
    "cell_gate_recurrent_weights": PYMPS_LSTM_CELL_GATE_RECURRENT_WEIGHTS,
    "cell_gate_memory_weights": PYMPS_LSTM_CELL_GATE_MEMORY_WEIGHTS,
    "output_gate_input_weights": PYMPS_LSTM_OUTPUT_GATE_INPUT_WEIGHTS,
    "output_gate_recurrent_weights": PYMPS_LSTM_OUTPUT_GATE_RECURRENT_WEIGHTS,
    "output_gate_memory_weights": PYMPS_LSTM_OUTPUT_GATE_MEMORY_WEIGHTS,
}


cdef class NativeDescriptor:
    """Owns a pymps_descriptor with the present values of an LSTMDescriptor."""

    def __dealloc__(self):
        if self.native != NULL:
            self.native.descriptor_release(self.handle)

    cdef int _set_weights(self, pymps_matrix_id matrix_id, str name, object source) except -1:
        cdef pymps_weights weights
        cdef pymps_error error
        array, bias, neuron = source.weights, source.bias, source.neuron
        label = None if source.label is None else source.label.encode("utf-8")
        outputs, inputs = array.shape if array.ndim == 2 else (array.size, 1)
        weights.data_type = PYMPS_FLOAT16 if array.dtype == np.float16 else PYMPS_FLOAT32
        weights.data = data_of(name, array, outputs * inputs, np.float16 if array.dtype == np.float16 else np.float32)
        weights.output_feature_channels, weights.input_feature_channels = outputs, inputs
        weights.bias = <const float *>data_of(name, bias, outputs, np.float32)
        weights.neuron = native_neuron(neuron.type, neuron.a, neuron.b, neuron.c)
        weights.neuron.channel_a = <const float *>data_of(name, neuron.channel_a, outputs, np.float32)
        weights.neuron.channel_count = 0 if neuron.channel_a is None else outputs
        weights.label = NULL
        weights.ranges = NULL
        weights.lookup_table = NULL
        if label is not None:
            weights.label = label
        return check(self.native.descriptor_set_weights(self.handle, matrix_id, &weights, &error), &error)


cdef NativeDescriptor make_descriptor(const pymps_backend *native, object descriptor):
    if not isinstance(descriptor, LSTMDescriptor):
        raise TypeError(f"descriptor: {describe(descriptor)}, expected an LSTMDescriptor or a list of them")
    cdef NativeDescriptor made = NativeDescriptor.__new__(NativeDescriptor)
    cdef pymps_error error
    check(native.lstm_descriptor_create(descriptor.input_feature_channels, descriptor.output_feature_channels,
                                        &made.handle, &error), &error)
    made.native = native
    native.descriptor_set_use_float32_weights(made.handle, descriptor.use_float32_weights)
    native.descriptor_set_use_layer_input_unit_transform_mode(made.handle,
                                                              descriptor.use_layer_input_unit_transform_mode)
    check(native.lstm_descriptor_set_memory_weights_are_diagonal(
        made.handle, descriptor.memory_weights_are_diagonal, &error), &error)
    cdef pymps_neuron neuron = native_neuron(
        descriptor.cell_to_output_neuron_type, descriptor.cell_to_output_neuron_param_a,
        descriptor.cell_to_output_neuron_param_b, descriptor.cell_to_output_neuron_param_c)
    check(native.lstm_descriptor_set_cell_to_output_neuron(made.handle, &neuron, &error), &error)
    for name, matrix_id in MATRIX_IDS.items():
        source = getattr(descriptor, name)
        if source is not None:
            made._set_weights(matrix_id, name, source)
    return made


cdef pymps_neuron native_neuron(int type, float a, float b, float c):
    cdef pymps_neuron neuron
    neuron.type, neuron.a, neuron.b, neuron.c = type, a, b, c
    neuron.channel_a = NULL
    neuron.channel_count = 0
    return neuron


cdef const void *data_of(str name, object array, Py_ssize_t count, object dtype) except? NULL:
    """WeightSource makes its arrays to fit; but an array can be reshaped in place, and WeightSource subclassed."""
    if array is None:
        return NULL
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.size != count or not array.flags.c_contiguous:
        raise ValueError(f"{name}: {describe(array)}, not what the WeightSource was made with")
    return cnp.PyArray_DATA(array)
