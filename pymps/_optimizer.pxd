from pymps._native cimport *
from pymps._trainer cimport Trainer


cdef class Optimizer:
    cdef Trainer trainer
    cdef readonly object layer          # the MatrixTrainingLayer
    cdef const pymps_training_functions *training  # the trainer may go first where garbage is collected
    cdef pymps_optimizer *handle        # owned
    cdef pymps_optimizer_options _options

    cdef int _describe(self, object learning_rate, object rescale, object clip, object regularization_type,
                       object regularization_scale) except -1
