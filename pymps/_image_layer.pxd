from pymps._inference_layer cimport InferenceLayer


cdef class ImageInferenceLayer(InferenceLayer):
    pass
