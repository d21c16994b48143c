"""The data that the programs share: scikit-learn's bundled scans of handwritten digits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

IMAGES = 1797
ROWS = 8  # of an image: the steps of the sequence
COLUMNS = 8  # of an image: the input features of a step
CLASSES = 10
HELD_OUT_FRACTION = 0.25
SPLIT_SEED = 0

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def load_images() -> tuple[Floats, Integers]:
    """Load all images and what they show.

    Returns
    -------
    images : ndarray, shape (IMAGES, ROWS, COLUMNS), float32
        Brightness from 0 to 1. The scans have 17 levels, 0 to 16, so the division is exact.
    labels : ndarray, shape (IMAGES,), int64
        The digit, 0 to 9.
    """
    from sklearn.datasets import load_digits  # takes a second, which --help and a wrong option need not wait for

    digits = load_digits()
    return (digits.images / 16).astype(np.float32), digits.target.astype(np.int64)


def split_images(labels: Integers) -> tuple[Integers, Integers]:
    """Indices of the images to train on, and of those held out: always the same, each digit in proportion."""
    from sklearn.model_selection import train_test_split

    training, held_out = train_test_split(
        np.arange(len(labels)), test_size=HELD_OUT_FRACTION, stratify=labels, random_state=SPLIT_SEED
    )
    return training, held_out
