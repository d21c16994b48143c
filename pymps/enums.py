"""Apple's enumerations, with Apple's values."""

from enum import IntEnum

__all__ = [
    "ChannelFormat",
    "CommandBufferStatus",
    "DataType",
    "MatrixId",
    "NeuronType",
    "RNNBidirectionalCombineMode",
    "RNNSequenceDirection",
    "RegularizationType",
    "StorageMode",
]


class ChannelFormat(IntEnum):
    """The type of an image's elements (``MPSImageFeatureChannelFormat``): uint8, uint16, float16 or float32.

    The integers stand for the numbers from 0 to 1: 255 and 65535 for 1. What is beyond them is written as 0 or 1.
    """

    UNORM8 = 1
    UNORM16 = 2
    FLOAT16 = 3
    FLOAT32 = 4


class CommandBufferStatus(IntEnum):
    """How far a command buffer has come (``MTLCommandBufferStatus``)."""

    NOT_ENQUEUED = 0
    ENQUEUED = 1
    COMMITTED = 2
    SCHEDULED = 3
    COMPLETED = 4
    ERROR = 5


class DataType(IntEnum):
    """The type of matrix elements and weights (``MPSDataType``); UINT8 is for weights alone."""

    UINT8 = 8
    FLOAT16 = 0x10000010
    FLOAT32 = 0x10000020


class MatrixId(IntEnum):
    """Weights of a layer that is trained (``MPSRNNMatrixId``).

    Of the symbols of the descriptors' formulas, W are input weights, U recurrent weights, V memory weights (of a GRU:
    input gate weights) and b bias terms. The cell gate is what Apple calls "memory gate" here.
    """

    SINGLE_GATE_INPUT_WEIGHTS = 0
    SINGLE_GATE_RECURRENT_WEIGHTS = 1
    SINGLE_GATE_BIAS_TERMS = 2
    LSTM_INPUT_GATE_INPUT_WEIGHTS = 3
    LSTM_INPUT_GATE_RECURRENT_WEIGHTS = 4
    LSTM_INPUT_GATE_MEMORY_WEIGHTS = 5
    LSTM_INPUT_GATE_BIAS_TERMS = 6
    LSTM_FORGET_GATE_INPUT_WEIGHTS = 7
    LSTM_FORGET_GATE_RECURRENT_WEIGHTS = 8
    LSTM_FORGET_GATE_MEMORY_WEIGHTS = 9
    LSTM_FORGET_GATE_BIAS_TERMS = 10
    LSTM_CELL_GATE_INPUT_WEIGHTS = 11
    LSTM_CELL_GATE_RECURRENT_WEIGHTS = 12
    LSTM_CELL_GATE_MEMORY_WEIGHTS = 13
    LSTM_CELL_GATE_BIAS_TERMS = 14
    LSTM_OUTPUT_GATE_INPUT_WEIGHTS = 15
    LSTM_OUTPUT_GATE_RECURRENT_WEIGHTS = 16
    LSTM_OUTPUT_GATE_MEMORY_WEIGHTS = 17
    LSTM_OUTPUT_GATE_BIAS_TERMS = 18
    GRU_INPUT_GATE_INPUT_WEIGHTS = 19
    GRU_INPUT_GATE_RECURRENT_WEIGHTS = 20
    GRU_INPUT_GATE_BIAS_TERMS = 21
    GRU_RECURRENT_GATE_INPUT_WEIGHTS = 22
    GRU_RECURRENT_GATE_RECURRENT_WEIGHTS = 23
    GRU_RECURRENT_GATE_BIAS_TERMS = 24
    GRU_OUTPUT_GATE_INPUT_WEIGHTS = 25
    GRU_OUTPUT_GATE_RECURRENT_WEIGHTS = 26
    GRU_OUTPUT_GATE_INPUT_GATE_WEIGHTS = 27
    GRU_OUTPUT_GATE_BIAS_TERMS = 28


class NeuronType(IntEnum):
    """The kind of an activation (``MPSCNNNeuronType``); `Neuron` gives the formulas."""

    NONE = 0
    RELU = 1
    LINEAR = 2
    SIGMOID = 3
    HARD_SIGMOID = 4
    TANH = 5
    ABSOLUTE = 6
    SOFT_PLUS = 7
    SOFT_SIGN = 8
    ELU = 9
    PRELU = 10
    RELUN = 11
    POWER = 12
    EXPONENTIAL = 13
    LOGARITHM = 14
    GELU = 15


class RNNBidirectionalCombineMode(IntEnum):
    """What becomes of the two results of a bidirectional run (``MPSRNNBidirectionalCombineMode``)."""

    NONE = 0
    ADD = 1
    CONCATENATE = 2


class RNNSequenceDirection(IntEnum):
    """Which way a layer walks a sequence in a bidirectional run (``MPSRNNSequenceDirection``)."""

    FORWARD = 0
    BACKWARD = 1


class RegularizationType(IntEnum):
    """What an optimizer adds to gradients (``MPSNNRegularizationType``)."""

    NONE = 0
    L1 = 1
    L2 = 2


class StorageMode(IntEnum):
    """Where a buffer's memory lies (``MTLStorageMode``)."""

    SHARED = 0
    MANAGED = 1
    PRIVATE = 2
