from pymps._native cimport *


cdef class Fetcher:
    cdef object _source  # the DataSource
    cdef str _name       # of the property that it was set to
    cdef tuple _shape    # of the weights that this property takes
    cdef list _failures  # what was raised, in the order of time; shared by all fetchers of a layer
    cdef readonly object neuron  # of the last load; None: there was none
    cdef list _fetched   # of each load without a purge: what its `weights` point to

    cdef pymps_data_source native(self)
    cdef int load(self, pymps_weights *weights) except -1
    cdef int purge(self) except -1


cdef Fetcher make_fetcher(object source, str name, tuple shape, list failures)

# Raises what the fetchers of a layer have met with, if anything.
cdef int raise_failures(list failures) except -1

# Fills `weights` from a WeightSource or a FetchedWeights. The result owns what `weights` then points to.
cdef tuple describe_weights(str name, object source, pymps_weights *weights)
cdef pymps_neuron native_neuron(int type, float a, float b, float c)
