"""The peers' layout: channels before pixels, and one convolution of x and h side by side."""

import numpy as np

from bench.cases import Array, Float32, Layer


def nchw(images: Array) -> Float32:
    return np.ascontiguousarray(np.moveaxis(images, -1, -3), np.float32)


def nhwc(images: Array) -> Array:
    return np.moveaxis(images, -3, -1)


def gate_weights(layer: Layer, order: str) -> tuple[Float32, Float32]:
    """Weights (G*O, I + O, kernel, kernel) of all gates in `order`, and their bias."""
    w = np.concatenate([layer.stacked(layer.w_ih, order), layer.stacked(layer.w_hh, order)], axis=-1)
    return nchw(w), layer.stacked(layer.bias, order)
