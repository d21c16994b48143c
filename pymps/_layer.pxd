from pymps._inference_layer cimport InferenceLayer


cdef class MatrixInferenceLayer(InferenceLayer):
    pass
