"""Descriptors on their way to a layer."""

cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free

from pymps._backend cimport check
from pymps._data_source cimport Fetcher, describe_weights, make_fetcher, native_neuron, raise_failures
from pymps._values import describe
from pymps.descriptors import GRUDescriptor, LSTMDescriptor, SingleGateDescriptor
from pymps.weights import WeightSource

# The weight properties of each kind of descriptor.
cdef dict MATRIX_IDS = {
    LSTMDescriptor: {
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
    },
    GRUDescriptor: {
        "input_gate_input_weights": PYMPS_GRU_INPUT_GATE_INPUT_WEIGHTS,
        "input_gate_recurrent_weights": PYMPS_GRU_INPUT_GATE_RECURRENT_WEIGHTS,
        "recurrent_gate_input_weights": PYMPS_GRU_RECURRENT_GATE_INPUT_WEIGHTS,
        "recurrent_gate_recurrent_weights": PYMPS_GRU_RECURRENT_GATE_RECURRENT_WEIGHTS,
        "output_gate_input_weights": PYMPS_GRU_OUTPUT_GATE_INPUT_WEIGHTS,
        "output_gate_recurrent_weights": PYMPS_GRU_OUTPUT_GATE_RECURRENT_WEIGHTS,
        "output_gate_input_gate_weights": PYMPS_GRU_OUTPUT_GATE_INPUT_GATE_WEIGHTS,
    },
    SingleGateDescriptor: {
        "input_weights": PYMPS_SINGLE_GATE_INPUT_WEIGHTS,
        "recurrent_weights": PYMPS_SINGLE_GATE_RECURRENT_WEIGHTS,
    },
}


@cython.final
cdef class NativeDescriptor:
    """Owns a pymps_descriptor with the present values of a descriptor."""

    def __dealloc__(self):
        if self.native != NULL:
            self.native.descriptor_release(self.handle)

    cdef int _create(self, object descriptor, object kind) except -1:
        cdef pymps_error error
        create = self.native.lstm_descriptor_create
        if kind is GRUDescriptor:
            create = self.native.gru_descriptor_create
        elif kind is SingleGateDescriptor:
            create = self.native.single_gate_descriptor_create
        return check(create(descriptor.input_feature_channels, descriptor.output_feature_channels, &self.handle, &error),
                     &error)

    cdef int _set_values(self, object descriptor) except -1:
        cdef pymps_error error
        self.native.descriptor_set_use_float32_weights(self.handle, descriptor.use_float32_weights)
        self.native.descriptor_set_use_layer_input_unit_transform_mode(
            self.handle, descriptor.use_layer_input_unit_transform_mode)
        check(self.native.descriptor_set_layer_sequence_direction(
            self.handle, <pymps_sequence_direction><int>descriptor.layer_sequence_direction, &error), &error)
        if isinstance(descriptor, LSTMDescriptor):
            self._set_lstm_values(descriptor)
        elif isinstance(descriptor, GRUDescriptor):
            check(self.native.gru_descriptor_set_gate_pnorm_value(
                self.handle, descriptor.gate_pnorm_value, &error), &error)
            check(self.native.gru_descriptor_set_flip_output_gates(
                self.handle, descriptor.flip_output_gates, &error), &error)
        return 0

    cdef int _set_lstm_values(self, object descriptor) except -1:
        cdef pymps_error error
        check(self.native.lstm_descriptor_set_memory_weights_are_diagonal(
            self.handle, descriptor.memory_weights_are_diagonal, &error), &error)
        cdef pymps_neuron neuron = native_neuron(
            descriptor.cell_to_output_neuron_type, descriptor.cell_to_output_neuron_param_a,
            descriptor.cell_to_output_neuron_param_b, descriptor.cell_to_output_neuron_param_c)
        return check(self.native.lstm_descriptor_set_cell_to_output_neuron(self.handle, &neuron, &error), &error)

    cdef int _set_weights(self, pymps_matrix_id matrix_id, str name, object source) except -1:
        cdef pymps_weights weights
        cdef pymps_error error
        owner = describe_weights(name, source, &weights)
        self.sources[name] = source
        check(self.native.descriptor_set_weights(self.handle, matrix_id, &weights, &error), &error)
        del owner
        return 0

    cdef int _set_data_source(self, pymps_matrix_id matrix_id, str name, object source, tuple shape,
                              list failures) except -1:
        cdef Fetcher fetcher = make_fetcher(source, name, shape, failures)
        self.sources[name] = fetcher
        cdef pymps_data_source native = fetcher.native()
        cdef pymps_error error
        return check(self.native.descriptor_set_data_source(self.handle, matrix_id, &native, &error), &error)


cdef dict matrix_ids_of(object descriptor):
    for kind, matrix_ids in MATRIX_IDS.items():
        if isinstance(descriptor, kind):
            return matrix_ids
    raise AssertionError(f"{describe(descriptor)}: not a descriptor")


cdef NativeDescriptor make_descriptor(const pymps_backend *native, object descriptor, list failures):
    cdef NativeDescriptor made = NativeDescriptor.__new__(NativeDescriptor)
    made.native = native
    made.sources = {}
    for kind in MATRIX_IDS:
        if isinstance(descriptor, kind):
            break
    else:
        raise TypeError(
            f"descriptor: {describe(descriptor)}, expected an LSTMDescriptor, a GRUDescriptor, a SingleGateDescriptor or "
            "a list of them"
        )
    made._create(descriptor, kind)
    made._set_values(descriptor)
    for name, matrix_id in MATRIX_IDS[kind].items():
        source = getattr(descriptor, name)
        if isinstance(source, WeightSource):
            made._set_weights(matrix_id, name, source)
        elif source is not None:
            made._set_data_source(matrix_id, name, source, descriptor._shape(getattr(kind, name).kind)[0], failures)
    return made


cdef pymps_layer *make_layer(Device device, object descriptor, bint takes_images, list failures) except NULL:
    descriptors = list(descriptor) if isinstance(descriptor, (list, tuple)) else [descriptor]
    if not descriptors:
        raise ValueError("descriptor: an empty list, expected at least one descriptor")
    made = [make_descriptor(device.native, one, failures) for one in descriptors]
    cdef size_t count = len(made)
    cdef pymps_descriptor **handles = <pymps_descriptor **>PyMem_Calloc(count, sizeof(void *))
    if handles == NULL:
        raise MemoryError
    cdef pymps_layer *layer = NULL
    cdef pymps_error error
    cdef pymps_status status
    cdef size_t index
    try:
        for index in range(count):
            handles[index] = (<NativeDescriptor>made[index]).handle
        with nogil:
            if takes_images:
                status = device.native.images.image_layer_create(device.handle, handles, count, &layer, &error)
            else:
                status = device.native.layer_create(device.handle, handles, count, &layer, &error)
    finally:
        PyMem_Free(handles)
    if failures:
        device.native.layer_release(layer)
    raise_failures(failures)
    check(status, &error)
    return layer
