from pymps._command_buffer cimport CommandBuffer
from pymps._device cimport Device
from pymps._native cimport *
from pymps._trainer cimport Trainer


cdef class TrainingMatrices:
    cdef Trainer trainer
    cdef const pymps_training_functions *training  # the trainer may go first where garbage is collected
    cdef pymps_training_matrices *handle  # owned
    cdef CommandBuffer _command_buffer    # that temporary ones live on; else None

    # The id, after checking that the layer has such weights.
    cdef object checked_id(self, str name, object matrix_id)
    # Raises unless they are those of this layer's, and can be used by work on `command_buffer`, or at once (None).
    cdef int check_use(self, str name, Trainer trainer, CommandBuffer command_buffer) except -1


cdef class TrainingWeights(TrainingMatrices):
    pass


cdef class WeightGradients(TrainingMatrices):
    pass


# Without weights yet.
cdef TrainingWeights new_weights(Device device)
cdef WeightGradients make_gradients(Trainer trainer, object dtype, CommandBuffer command_buffer)
# One array in a buffer of the device, as a matrix.
cdef pymps_matrix matrix_of(object array) except *
