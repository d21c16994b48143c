"""Weights on their way to a layer: those at hand, and those that a data source fetches."""

cimport cython
cimport numpy as cnp
from libc.string cimport memset, strncpy

import numpy as np

from pymps._callback cimport release, report, retain
from pymps._values import checked_bool, describe

cnp.import_array()


@cython.final
cdef class Fetcher:
    """Stands between native code and a DataSource, for one property of one descriptor.

    Native code knows no exceptions: those of the source are kept for whoever makes the layer.
    """

    cdef pymps_data_source native(self):
        cdef pymps_data_source source
        source.context = <void *>self
        source.retain, source.release = retain, release
        source.load, source.purge = load, purge
        return source

    cdef int load(self, pymps_weights *weights) except -1:
        from pymps.data_source import fetch_weights  # there is a DataSource, so it is loaded
        where = f"{self._name}: load() of {type(self._source).__name__}"
        if not checked_bool(where, self._source.load()):
            raise ValueError(f"{where}: False, expected True")
        try:
            fetched = fetch_weights(self._name, self._source, self._shape)
            self._fetched.append(describe_weights(self._name, fetched, weights))
            self.neuron = fetched.neuron
        except BaseException:
            try:
                self._source.purge()
            except BaseException as another:
                report(another, self._source)
            raise
        return 0

    cdef int purge(self) except -1:
        try:
            self._source.purge()
        finally:
            self._fetched.pop()
        return 0


cdef Fetcher make_fetcher(object source, str name, tuple shape, list failures):
    cdef Fetcher fetcher = Fetcher.__new__(Fetcher)
    fetcher._source = source
    fetcher._name = name
    fetcher._shape = shape
    fetcher._failures = failures
    fetcher._fetched = []
    return fetcher


cdef int raise_failures(list failures) except -1:
    if not failures:
        return 0
    first, *others = failures
    failures.clear()
    for other in others:
        report(other, None)
    raise first


cdef pymps_status load(void *context, pymps_weights *weights, pymps_error *error) noexcept with gil:
    cdef Fetcher fetcher = <Fetcher>context
    memset(weights, 0, sizeof(pymps_weights))
    try:
        fetcher.load(weights)
        return PYMPS_OK
    except BaseException as exception:
        fetcher._failures.append(exception)
        text = f"{fetcher._name}: {type(exception).__name__} in its data source".encode("utf-8")
        if error != NULL:
            memset(error, 0, sizeof(pymps_error))
            error.status = PYMPS_ERROR_EXCEPTION
            strncpy(error.text, text, sizeof(error.text) - 1)
        return PYMPS_ERROR_EXCEPTION


cdef void purge(void *context) noexcept with gil:
    cdef Fetcher fetcher = <Fetcher>context
    try:
        fetcher.purge()
    except BaseException as exception:
        fetcher._failures.append(exception)


cdef tuple describe_weights(str name, object source, pymps_weights *weights):
    array, bias, neuron, label = source.weights, source.bias, source.neuron, source.label
    outputs, inputs, kernel_height, kernel_width = array.size, 1, 1, 1
    if array.ndim == 2:
        outputs, inputs = array.shape
    elif array.ndim == 4:
        outputs, kernel_height, kernel_width, inputs = array.shape
    dtype = array.dtype.type
    label = None if label is None else label.encode("utf-8")
    weights.data_type = PYMPS_UINT8 if dtype is np.uint8 else PYMPS_FLOAT16 if dtype is np.float16 else PYMPS_FLOAT32
    weights.data = data_of(name, array, array.size, np.float32 if weights.data_type == PYMPS_FLOAT32 else dtype)
    weights.output_feature_channels, weights.input_feature_channels = outputs, inputs
    weights.kernel_width, weights.kernel_height = kernel_width, kernel_height
    weights.bias = <const float *>data_of(name, bias, outputs, np.float32)
    weights.neuron = native_neuron(neuron.type, neuron.a, neuron.b, neuron.c)
    weights.neuron.channel_a = <const float *>data_of(name, neuron.channel_a, outputs, np.float32)
    weights.neuron.channel_count = 0 if neuron.channel_a is None else outputs
    weights.label = NULL
    if label is not None:
        weights.label = label
    weights.ranges = <const float (*)[2]>data_of(name, source.ranges, 2 * outputs, np.float32)
    weights.lookup_table = <const float *>data_of(name, source.lookup_table, 256, np.float32)
    return source, label


cdef pymps_neuron native_neuron(int type, float a, float b, float c):
    cdef pymps_neuron neuron
    neuron.type, neuron.a, neuron.b, neuron.c = type, a, b, c
    neuron.channel_a = NULL
    neuron.channel_count = 0
    return neuron


cdef const void *data_of(str name, object array, Py_ssize_t count, object dtype) except? NULL:
    """Whoever made `source` has checked its arrays; but arrays can be reshaped in place, and objects tampered with."""
    if array is None:
        return NULL
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.size != count or not array.flags.c_contiguous:
        raise ValueError(f"{name}: {describe(array)}, not what the WeightSource was made with")
    return cnp.PyArray_DATA(array)
