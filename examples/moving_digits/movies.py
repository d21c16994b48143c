"""The moving pictures that train.py and predict.py share, made of scikit-learn's bundled scans of handwritten digits.

Two digits move through a frame along its diagonals, and bounce off the edges.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

IMAGES = 1797
SIDE = 24  # of a frame, in pixels
DIGIT_SIDE = 8
DIGITS = 2  # in a frame
SPEEDS = (-1, 1)  # pixels a frame, across and down
FRAMES = 16  # of a movie
SEEN = 8  # the frames that the network is shown; it makes the others itself
TEST_MOVIES = 100  # of held-out digits

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


def load_digits() -> Floats:
    """Load all scans, shape (IMAGES, DIGIT_SIDE, DIGIT_SIDE): brightness from 0 to 1."""
    from sklearn.datasets import load_digits as load_scans  # takes a second, which --help need not wait for

    return (load_scans().images / 16).astype(np.float32)


def make_movies(digits: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Make movies, shape (FRAMES, count, SIDE, SIDE, 1); digits, places and directions are drawn movie by movie.

    Where digits overlap the brighter pixel shows.
    """
    movies = np.zeros((FRAMES, count, SIDE, SIDE, 1), np.float32)
    room = SIDE - DIGIT_SIDE
    for movie, _ in np.ndindex(count, DIGITS):
        digit = digits[rng.integers(len(digits))]
        start, speed = rng.integers(room + 1, size=2), rng.choice(SPEEDS, size=2)
        for t, (y, x) in enumerate(bounce(start + speed * np.arange(FRAMES)[:, np.newaxis], room)):
            part = movies[t, movie, y : y + DIGIT_SIDE, x : x + DIGIT_SIDE, 0]
            np.maximum(part, digit, out=part)
    return movies


def bounce(place: Integers, room: int) -> Integers:
    """Fold a straight line's places into those of a way that is reflected at 0 and at `room`."""
    return room - abs(room - place % (2 * room))
