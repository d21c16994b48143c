"""Small layers of images, for tests that are not about numbers."""

import numpy as np
import numpy.typing as npt

import pymps

Float32 = npt.NDArray[np.float32]


def conv_lstm(
    inputs: int = 3, outputs: int = 5, kernel: tuple[int, int] = (3, 2), seed: int = 0
) -> pymps.LSTMDescriptor:
    """A convolutional LSTM of random weights."""
    rng = np.random.default_rng(seed)
    shapes = (4 * outputs, *kernel, inputs), (4 * outputs, 3, 3, outputs), (4 * outputs,)
    w_ih, w_hh, bias = (rng.uniform(-0.5, 0.5, shape).astype(np.float32) for shape in shapes)
    return pymps.LSTMDescriptor.from_arrays(w_ih, w_hh, bias)


def image_layer(device: pymps.Device, inputs: int = 3, outputs: int = 5) -> pymps.ImageInferenceLayer:
    return pymps.ImageInferenceLayer(device, conv_lstm(inputs, outputs))


def movie(
    steps: int = 4, images: int = 2, height: int = 4, width: int = 6, channels: int = 3, seed: int = 1
) -> Float32:
    """Numbers from 0 to 1, as pictures have."""
    return np.random.default_rng(seed).random((steps, images, height, width, channels), np.float32)
