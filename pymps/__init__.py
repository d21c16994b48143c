"""Apple's recurrent layers (Metal Performance Shaders) from Python, one step at a time with the least latency.

    >>> import numpy as np, pymps
    >>> device = pymps.Device()
    >>> layer = pymps.MatrixInferenceLayer(device, pymps.LSTMDescriptor(64, 128))
    >>> y, state = layer(np.zeros((10, 1, 64), np.float32))    # sequences
    >>> with layer.stream() as stream:                         # one step at a time
    ...     stream.x[:] = 1
    ...     stream.step()

Importing pymps costs next to nothing: each name below is imported when it is first used, and the native library is
loaded by the first device.
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymps._buffer import Buffer
    from pymps._command_buffer import CommandBuffer
    from pymps._device import Device, devices
    from pymps._event import SharedEvent
    from pymps._image import Image
    from pymps._image_layer import ImageInferenceLayer
    from pymps._image_state import RecurrentImageState
    from pymps._image_stream import ImageStream
    from pymps._layer import MatrixInferenceLayer
    from pymps._optimizer import Adam, RMSProp, StochasticGradientDescent
    from pymps._queue import CommandQueue
    from pymps._state import RecurrentState
    from pymps._stream import Stream
    from pymps._tape import Tape
    from pymps._training_layer import MatrixTrainingLayer
    from pymps._training_matrices import TrainingWeights, WeightGradients
    from pymps.data_source import ConvolutionDescriptor, DataSource
    from pymps.descriptors import GRUDescriptor, LSTMDescriptor, SingleGateDescriptor
    from pymps.enums import (
        ChannelFormat,
        CommandBufferStatus,
        DataType,
        MatrixId,
        NeuronType,
        RegularizationType,
        RNNBidirectionalCombineMode,
        RNNSequenceDirection,
        StorageMode,
    )
    from pymps.errors import CommandBufferError, DeviceError
    from pymps.neurons import Neuron
    from pymps.weights import WeightSource
else:
    try:
        import pymps._backend  # noqa: F401 (fails here and now where nothing is built)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"pymps is not built for this Python in {os.path.dirname(__file__)}: type `pip install -e .` in its source"
        ) from error

    _MODULES = {
        "Adam": "_optimizer",
        "Buffer": "_buffer",
        "ChannelFormat": "enums",
        "CommandBuffer": "_command_buffer",
        "CommandBufferError": "errors",
        "CommandBufferStatus": "enums",
        "CommandQueue": "_queue",
        "ConvolutionDescriptor": "data_source",
        "DataSource": "data_source",
        "DataType": "enums",
        "Device": "_device",
        "DeviceError": "errors",
        "GRUDescriptor": "descriptors",
        "Image": "_image",
        "ImageInferenceLayer": "_image_layer",
        "ImageStream": "_image_stream",
        "LSTMDescriptor": "descriptors",
        "MatrixId": "enums",
        "MatrixInferenceLayer": "_layer",
        "MatrixTrainingLayer": "_training_layer",
        "Neuron": "neurons",
        "NeuronType": "enums",
        "RMSProp": "_optimizer",
        "RNNBidirectionalCombineMode": "enums",
        "RNNSequenceDirection": "enums",
        "RecurrentImageState": "_image_state",
        "RecurrentState": "_state",
        "RegularizationType": "enums",
        "SharedEvent": "_event",
        "SingleGateDescriptor": "descriptors",
        "StochasticGradientDescent": "_optimizer",
        "StorageMode": "enums",
        "Stream": "_stream",
        "Tape": "_tape",
        "TrainingWeights": "_training_matrices",
        "WeightGradients": "_training_matrices",
        "WeightSource": "weights",
        "devices": "_device",
    }

    def __getattr__(name):
        if name not in _MODULES:
            raise AttributeError(f"module 'pymps' has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(f"pymps.{_MODULES[name]}"), name)
        return value

    def __dir__():
        return sorted({*globals(), *__all__})


__all__ = [
    "Adam",
    "Buffer",
    "ChannelFormat",
    "CommandBuffer",
    "CommandBufferError",
    "CommandBufferStatus",
    "CommandQueue",
    "ConvolutionDescriptor",
    "DataSource",
    "DataType",
    "Device",
    "DeviceError",
    "GRUDescriptor",
    "Image",
    "ImageInferenceLayer",
    "ImageStream",
    "LSTMDescriptor",
    "MatrixId",
    "MatrixInferenceLayer",
    "MatrixTrainingLayer",
    "Neuron",
    "NeuronType",
    "RMSProp",
    "RNNBidirectionalCombineMode",
    "RNNSequenceDirection",
    "RecurrentImageState",
    "RecurrentState",
    "RegularizationType",
    "SharedEvent",
    "SingleGateDescriptor",
    "StochasticGradientDescent",
    "StorageMode",
    "Stream",
    "Tape",
    "TrainingWeights",
    "WeightGradients",
    "WeightSource",
    "devices",
    "get_include",
]

__version__ = "0.1.0"


def get_include() -> str:
    """Where pymps.h, pymps_image.h and pymps_training.h lie, for compiling against pymps.

    Returns
    -------
    str
        The path of a directory.
    """
    return os.path.join(os.path.dirname(__file__), "include")
