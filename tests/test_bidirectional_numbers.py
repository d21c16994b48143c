"""Bidirectional runs against the float64 reference: two stacks over one sequence, and what becomes of their outputs."""

import conventional
import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
from checking import inference_layer
from conventional import KINDS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference import Array, Layer
from strategies import seeds
from tolerance import assert_within

import pymps
from pymps import RNNBidirectionalCombineMode as Mode

INPUTS, OUTPUTS, BATCH = 6, 11, 3
TOLERANCE = 4e-6  # 2e-6 for outputs within 1, and twice that for a sum of two
Rng = np.random.Generator
Arrays = list[npt.NDArray[np.generic]]


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(61)


def half(rng: Rng, *kinds: str, backward: bool, hidden: int = 9) -> list[Layer]:
    """A stack of INPUTS to OUTPUTS channels, `hidden` between."""
    channels = [INPUTS, *[hidden] * (len(kinds) - 1), OUTPUTS]
    pairs = zip(kinds, channels[:-1], channels[1:], strict=True)
    return [conventional.full(rng, kind, below, above, backward=backward) for kind, below, above in pairs]


def combined(mode: Mode, forward: Array, backward: Array) -> list[Array]:
    if mode == Mode.NONE:
        return [forward, backward]
    return [forward + backward if mode == Mode.ADD else np.concatenate([forward, backward], axis=-1)]


def run(layer: pymps.MatrixInferenceLayer, mode: Mode, x: object) -> list[Arrays]:
    """The result sequences: two with NONE, one otherwise."""
    layer.bidirectional_combine_mode = mode
    y = layer.bidirectional(x)
    return [list(part) for part in (y if mode == Mode.NONE else (y,))]


def assert_bidirectional(device: pymps.Device, stack: list[Layer], x: Arrays) -> None:
    """Compares with the reference, end to end: a bidirectional run gives no states."""
    layer = inference_layer(device, *stack)
    forward, backward = ref.bidirectional(stack, x)
    for mode in Mode:
        if mode == Mode.ADD and forward[0].shape != backward[0].shape:
            continue
        steps = list(zip(*run(layer, mode, x), strict=True))
        for t, (y, *expected) in enumerate(zip(steps, forward, backward, strict=True)):
            for part, expected_part in zip(y, combined(mode, *expected), strict=True):
                assert part.dtype == x[t].dtype
                rounding = 0 if part.dtype == np.float32 else 2**-11  # half a unit in the last place below 2
                assert_within(part, expected_part, TOLERANCE + rounding, f"{mode.name}, step {t}")


HALVES = {
    "LSTM and LSTM": (["LSTM"], ["LSTM"]),
    "GRU and GRU": (["GRU"], ["GRU"]),
    "single gates": (["single gate"], ["single gate"]),
    "LSTM and GRU": (["LSTM"], ["GRU"]),
    "two and one": (["single gate", "LSTM"], ["GRU"]),
    "one and three": (["GRU"], ["LSTM", "single gate", "GRU"]),
}
halves = pytest.mark.parametrize("kinds", HALVES.values(), ids=HALVES)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@halves
def test_modes(device: pymps.Device, rng: Rng, kinds: tuple[list[str], list[str]], dtype: npt.DTypeLike) -> None:
    stack = half(rng, *kinds[0], backward=False) + half(rng, *kinds[1], backward=True, hidden=7)
    assert_bidirectional(device, stack, list(rng.standard_normal((5, BATCH, INPUTS)).astype(dtype)))


@halves
def test_lengths(device: pymps.Device, rng: Rng, kinds: tuple[list[str], list[str]]) -> None:
    """Rows 3, 3, 2, 1: each sequence runs back from its own end, from a zero state."""
    stack = half(rng, *kinds[0], backward=False) + half(rng, *kinds[1], backward=True)
    whole = rng.standard_normal((4, BATCH, INPUTS), np.float32)
    assert_bidirectional(device, stack, [whole[t, :rows] for t, rows in enumerate((3, 3, 2, 1))])


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(
    kinds=st.lists(st.tuples(st.sampled_from(list(KINDS)), st.booleans()), min_size=2, max_size=5).filter(
        lambda kinds: len({backward for _, backward in kinds}) == 2
    ),
    rows=st.lists(st.integers(1, 5), min_size=1, max_size=5),
    rng=seeds,
)
def test_random_stacks(device: pymps.Device, kinds: list[tuple[str, bool]], rows: list[int], rng: Rng) -> None:
    """Forward and backward layers in any order: each takes what the nearest below it of its direction gives."""
    channels = {False: INPUTS, True: INPUTS}
    stack = []
    for kind, backward in kinds:
        outputs = int(rng.integers(1, 20))
        stack.append(conventional.full(rng, kind, channels[backward], outputs, backward=backward))
        channels[backward] = outputs
    x = [rng.standard_normal((count, INPUTS), np.float32) for count in sorted(rows, reverse=True)]
    assert_bidirectional(device, stack, x)


def test_interleaved_layers(device: pymps.Device, rng: Rng) -> None:
    """The order of the halves in the stack means nothing, that within a half does."""
    forward, backward = half(rng, "LSTM", "GRU", backward=False), half(rng, "GRU", "LSTM", backward=True)
    x = rng.standard_normal((4, BATCH, INPUTS), np.float32)
    expected = run(inference_layer(device, *forward, *backward), Mode.CONCATENATE, x)
    for stack in ([*backward, *forward], [forward[0], backward[0], backward[1], forward[1]]):
        np.testing.assert_array_equal(run(inference_layer(device, *stack), Mode.CONCATENATE, x), expected)


@pytest.mark.parametrize("batch", [1, 4, 17])
@pytest.mark.parametrize("steps", [1, 2, 40])
def test_sizes(device: pymps.Device, rng: Rng, steps: int, batch: int) -> None:
    stack = half(rng, "GRU", backward=False) + half(rng, "LSTM", backward=True)
    assert_bidirectional(device, stack, list(rng.standard_normal((steps, batch, INPUTS), np.float32)))


def test_calls_know_nothing_of_each_other(device: pymps.Device, rng: Rng) -> None:
    """Both halves start from zeros every time."""
    layer = inference_layer(device, *half(rng, "LSTM", backward=False), *half(rng, "GRU", backward=True))
    x = rng.standard_normal((3, BATCH, INPUTS), np.float32)
    first = run(layer, Mode.NONE, x)
    run(layer, Mode.NONE, 5 * x)
    np.testing.assert_array_equal(run(layer, Mode.NONE, x), first)


@pytest.mark.parametrize("place", ["device buffer", "NumPy"])
@pytest.mark.parametrize("mode", Mode)
def test_strides(device: pymps.Device, rng: Rng, mode: Mode, place: str) -> None:
    """Results in columns of a larger array; what lies beside them stays as it is."""
    layer = inference_layer(device, *half(rng, "GRU", backward=False), *half(rng, "LSTM", backward=True))
    x = rng.standard_normal((4, BATCH, INPUTS), np.float32)
    expected = run(layer, mode, x)
    width = 2 * OUTPUTS if mode == Mode.CONCATENATE else OUTPUTS

    def padded(columns: int) -> npt.NDArray[np.float32]:
        shape = (8, BATCH, columns + 5)
        return device.zeros(shape) if place == "device buffer" else np.zeros(shape, np.float32)

    source, outs = padded(INPUTS), [padded(width) for _ in expected]
    source[:], source[::2, :, 3 : 3 + INPUTS] = np.nan, x
    for out in outs:
        out[:] = 77.0
    views = [out[::2, :, 3 : 3 + width] for out in outs]
    layer.bidirectional(source[::2, :, 3 : 3 + INPUTS], **dict(zip(("out", "backward_out"), views)))
    for view, out, part in zip(views, outs, expected, strict=True):
        np.testing.assert_array_equal(view, part)
        view[:] = 77.0
        np.testing.assert_array_equal(out, 77.0)
