"""Apple's enumerations, with Apple's values."""

from enum import IntEnum

__all__ = [
    "ChannelFormat",
    "CommandBufferStatus",
    "DataType",
    "NeuronType",
    "RNNBidirectionalCombineMode",
    "RNNSequenceDirection",
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


class StorageMode(IntEnum):
    """Where a buffer's memory lies (``MTLStorageMode``)."""

    SHARED = 0
    MANAGED = 1
    PRIVATE = 2
