"""Bidirectional runs over images against the float64 reference, in the three combine modes."""

import conventional
import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_checking import as_kept, image_layer
from image_strategies import random_images
from reference import Layer
from strategies import seeds
from test_bidirectional_numbers import TOLERANCE, combined
from tolerance import assert_within

import pymps
from pymps import RNNBidirectionalCombineMode as Mode

INPUTS, SHAPE = 3, (2, 5, 6)
KERNELS = st.tuples(st.integers(1, 4), st.integers(1, 4))
Rng = np.random.Generator


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(61)


def assert_bidirectional(device: pymps.Device, stack: list[Layer], x: npt.NDArray[np.generic]) -> None:
    """Compares with the reference, end to end: a bidirectional run gives no states."""
    layer = image_layer(device, *stack)
    forward, backward = ref.bidirectional(as_kept(stack), list(x))
    for mode in Mode:
        if mode == Mode.ADD and forward[0].shape != backward[0].shape:
            continue
        layer.bidirectional_combine_mode = mode
        y = layer.bidirectional(x)
        for t, expected in enumerate(zip(forward, backward, strict=True)):
            parts = [half[t] for half in y] if mode == Mode.NONE else [y[t]]
            for part, expected_part in zip(parts, combined(mode, *expected), strict=True):
                assert part.dtype == x.dtype
                rounding = 0 if part.dtype == np.float32 else 2**-11  # half a unit in the last place below 2
                assert_within(part, expected_part, TOLERANCE + rounding, f"{mode.name}, step {t}")


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_modes(device: pymps.Device, rng: Rng, dtype: npt.DTypeLike) -> None:
    stack = [
        conventional.full(rng, "LSTM", INPUTS, 4, kernel=(3, 3)),
        conventional.full(rng, "GRU", INPUTS, 7, kernel=(2, 5), backward=True),
        conventional.full(rng, "single gate", 7, 4, kernel=(3, 3), backward=True),
    ]
    assert_bidirectional(device, stack, random_images(rng, (4, *SHAPE, INPUTS), dtype))


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(
    layers=st.lists(
        st.tuples(st.sampled_from(list(conventional.KINDS)), KERNELS, st.integers(1, 9), st.booleans()),
        min_size=2,
        max_size=4,
    ).filter(lambda layers: len({backward for *_, backward in layers}) == 2),
    steps=st.integers(1, 4),
    rng=seeds,
)
def test_random_stacks(
    device: pymps.Device, layers: list[tuple[str, tuple[int, int], int, bool]], steps: int, rng: Rng
) -> None:
    """Forward and backward layers in any order: each takes what the nearest below it of its direction gives."""
    channels = {False: INPUTS, True: INPUTS}
    stack = []
    for kind, kernel, outputs, backward in layers:
        stack.append(conventional.full(rng, kind, channels[backward], outputs, kernel=kernel, backward=backward))
        channels[backward] = outputs
    assert_bidirectional(device, stack, random_images(rng, (steps, *SHAPE, INPUTS), np.float32))
