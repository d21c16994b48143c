from pymps._trainable cimport TrainingLayer


cdef class MatrixTrainingLayer(TrainingLayer):
    pass
