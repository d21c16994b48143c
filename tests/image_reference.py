"""The convolution of images in float64, on scipy.signal: what reference.py has for a product where rows are images."""

import numpy as np
import numpy.typing as npt
from scipy.signal import correlate

Array = npt.NDArray[np.float64]


def convolution(images: Array, weights: Array) -> Array:
    """Weights (out, height, width, in) applied to images (N, H, W, in): (N, H, W, out).

    The window of a pixel begins half a kernel, rounded down, above and left of it; outside of an image all is zero.
    """
    margins = [(size >> 1, size - 1 - (size >> 1)) for size in weights.shape[1:3]]
    padded = np.pad(images, [(0, 0), *margins, (0, 0)])
    return np.concatenate([correlate(padded, taps[np.newaxis], "valid", "direct") for taps in weights], axis=-1)
