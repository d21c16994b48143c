"""Sequences and streams: states, lengths, strides and element types, for any stack."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
from checking import assert_state, assert_steps, descriptor, inference_layer
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import conventional, random_state, seeds
from tolerance import assert_within

import pymps

INPUTS, OUTPUTS, BATCH = 6, 10, 3
Layer = pymps.MatrixInferenceLayer
Stack = list[ref.LSTM]
Rng = np.random.Generator
Float32 = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.generic]


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(11)


@pytest.fixture
def stack(rng: Rng) -> Stack:
    return [conventional(rng, INPUTS, 17, peepholes=True), conventional(rng, 17, OUTPUTS)]


@pytest.fixture
def layer(device: pymps.Device, stack: Stack) -> Layer:
    return inference_layer(device, *stack)


def random_x(rng: Rng, steps: int, batch: int = BATCH) -> Float32:
    return rng.standard_normal((steps, batch, INPUTS)).astype(np.float32)


def test_sequences_of_different_lengths(device: pymps.Device, layer: Layer, stack: Stack, rng: Rng) -> None:
    """Lengths 4, 3 and 2: rows 3, 3, 2, 1; the final state holds each sequence's own last state."""
    whole = random_x(rng, 4)
    x = [whole[t, :rows] for t, rows in enumerate((3, 3, 2, 1))]
    assert_steps(device, stack, x)
    y, final = layer(x)
    assert [y_t.shape for y_t in y] == [(3, OUTPUTS), (3, OUTPUTS), (2, OUTPUTS), (1, OUTPUTS)]
    for row, length in enumerate((4, 3, 2)):
        alone, state = layer(whole[:length, row : row + 1])
        for t in range(length):
            assert_within(y[t][row], alone[t, 0].astype(np.float64), 2e-6, f"row {row} of step {t}")
        for index in range(2):
            actual, expected = final.memory_cell(index)[row], state.memory_cell(index)[0].astype(np.float64)
            assert_within(actual, expected, 2e-6, f"c of row {row}")


def test_intermediate_states(layer: Layer, rng: Rng) -> None:
    """The state after step t is the final state of the first t + 1 steps; the last is the final one."""
    x = random_x(rng, 4)
    y, states = layer(x, store_all_intermediate_states=True)
    assert len(states) == 4
    for t, state in enumerate(states):
        _, final = layer(x[: t + 1])
        expected = [[m(i).astype(np.float64) for i in (0, 1)] for m in (final.recurrent_output, final.memory_cell)]
        assert_state(state, (expected[0], expected[1]), 2e-6, f"after step {t}")
        np.testing.assert_array_equal(state.recurrent_output(1), y[t])


@settings(max_examples=60)
@given(cut=st.integers(1, 7), store_all=st.booleans(), rng=seeds)
def test_a_sequence_in_two_parts(device: pymps.Device, cut: int, store_all: bool, rng: Rng) -> None:
    """Any state, final or intermediate, continues where it was taken."""
    stack = [conventional(rng, INPUTS, OUTPUTS, peepholes=True), conventional(rng, OUTPUTS, 5)]
    layer, x = inference_layer(device, *stack), random_x(rng, 8)
    whole, _ = layer(x)
    if store_all:
        _, states = layer(x, store_all_intermediate_states=True)
        state = states[cut - 1]
    else:
        _, state = layer(x[:cut])
    rest, _ = layer(x[cut:], state)
    assert_within(rest, whole[cut:].astype(np.float64), 2e-6, f"after {cut} steps")


def test_a_state_may_start_many_sequences(layer: Layer, rng: Rng) -> None:
    """A call does not change the state it is given."""
    _, state = layer(random_x(rng, 2))
    kept = [state.memory_cell(index).copy() for index in (0, 1)]
    x = random_x(rng, 3)
    first, _ = layer(x, state)
    second, _ = layer(x, state)
    np.testing.assert_array_equal(first, second)
    for index in (0, 1):
        np.testing.assert_array_equal(state.memory_cell(index), kept[index])


def test_state_given_in_part(layer: Layer, stack: Stack, rng: Rng) -> None:
    """None stands for zeros: a layer's h or c, or all of them."""
    h, c = ([m.astype(np.float32) for m in part] for part in random_state(rng, stack, BATCH))
    zeros = [np.zeros_like(m) for m in h]
    x = random_x(rng, 2)
    for given_h, given_c, full_h, full_c in (
        ([None, h[1]], [c[0], None], [zeros[0], h[1]], [c[0], zeros[1]]),
        (h, None, h, zeros),
        (None, c, zeros, c),
    ):
        actual, _ = layer(x, layer.state(h=given_h, c=given_c))
        expected, _ = layer(x, layer.state(h=full_h, c=full_c))
        np.testing.assert_array_equal(actual, expected)


def test_state_reads_back(layer: Layer, stack: Stack, rng: Rng) -> None:
    """A state holds copies of what it was made from."""
    values = random_state(rng, stack, BATCH)
    h, c = ([m.astype(np.float32) for m in part] for part in values)
    state = layer.state(h=h, c=c)
    for m in h + c:
        m[:] = 0
    assert_state(state, values, 0.0, "state")


def row_padded(device: pymps.Device, x: Numbers) -> Numbers:
    """5 numbers between rows, in a device buffer."""
    return device.zeros((*x.shape[:2], x.shape[2] + 5), x.dtype)[:, :, : x.shape[2]]


def batch_major(device: pymps.Device, x: Numbers) -> Numbers:
    """(B, T, C) in memory: the rows of a step are T C numbers apart."""
    return device.zeros((x.shape[1], x.shape[0], x.shape[2]), x.dtype).transpose(1, 0, 2)


def every_third_step(device: pymps.Device, x: Numbers) -> Numbers:
    return device.zeros((3 * len(x), *x.shape[1:]), x.dtype)[1::3]


def in_numpy(device: pymps.Device, x: Numbers) -> Numbers:
    """The same strides as row_padded, outside any device buffer."""
    return np.zeros((*x.shape[:2], x.shape[2] + 5), x.dtype)[:, :, 2:-3]


LAYOUTS = [row_padded, batch_major, every_third_step, in_numpy]


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("place_y", LAYOUTS)
@pytest.mark.parametrize("place_x", LAYOUTS)
def test_strides(
    device: pymps.Device,
    layer: Layer,
    rng: Rng,
    place_x: Callable[[pymps.Device, Numbers], Numbers],
    place_y: Callable[[pymps.Device, Numbers], Numbers],
    dtype: npt.DTypeLike,
) -> None:
    """Sources and destinations with gaps; what lies in the gaps is neither read nor written."""
    x = random_x(rng, 4).astype(dtype)
    expected, _ = layer(x)
    source, out = place_x(device, x), place_y(device, expected)
    source.base[:] = np.nan
    out.base[:] = 77.0
    source[:] = x
    y, _ = layer(source, out=out)
    assert y is out
    np.testing.assert_array_equal(y, expected)
    out[:] = 77.0
    np.testing.assert_array_equal(out.base, 77.0)


def test_one_buffer_for_many_steps(device: pymps.Device, layer: Layer, rng: Rng) -> None:
    """The same memory may be the source of several steps: a step stride of 0."""
    x = np.broadcast_to(random_x(rng, 1), (4, BATCH, INPUTS))
    expected, _ = layer(x.copy())
    shared = device.array(x[0])
    for source in (x, np.broadcast_to(shared, x.shape), [shared] * 4):
        y, _ = layer(source)
        np.testing.assert_array_equal(np.array(y), expected)


def test_list_and_array_agree(layer: Layer, rng: Rng) -> None:
    x = random_x(rng, 5)
    array, _ = layer(x)
    rows, _ = layer(list(x))
    assert isinstance(rows, list)
    np.testing.assert_array_equal(np.array(rows), array)


def test_float16_sequence(device: pymps.Device, layer: Layer, stack: Stack, rng: Rng) -> None:
    """float16 in, float16 out: the float32 result rounded once; the state stays float32."""
    x = random_x(rng, 5).astype(np.float16)
    assert_steps(device, stack, x)
    y, state = layer(x)
    exact, _ = layer(x.astype(np.float32))
    assert y.dtype == np.float16
    assert state.memory_cell(0).dtype == np.float32
    np.testing.assert_array_equal(y, exact.astype(np.float16))


def test_direction_is_for_bidirectional_runs_alone(device: pymps.Device, stack: Stack, rng: Rng) -> None:
    """A sequence runs forward, whatever layer_sequence_direction says."""
    forward, backward = descriptor(stack[0]), descriptor(stack[0])
    backward.layer_sequence_direction = pymps.RNNSequenceDirection.BACKWARD
    x = random_x(rng, 4)
    expected, _ = pymps.MatrixInferenceLayer(device, forward)(x)
    y, _ = pymps.MatrixInferenceLayer(device, backward)(x)
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("steps", [1, 2, 64, 300])
def test_long_sequence(layer: Layer, stack: Stack, rng: Rng, steps: int) -> None:
    """End to end: these recurrences forget, so errors do not pile up."""
    x = random_x(rng, steps)
    y, state = layer(x)
    expected, states = ref.sequence(stack, list(x))
    assert_within(y, np.array(expected), 2e-6, "y")
    assert_state(state, states[-1], 4e-6, "final state")


@pytest.mark.parametrize("batch", [1, BATCH])
def test_stream_equals_sequence(layer: Layer, stack: Stack, rng: Rng, batch: int) -> None:
    x = random_x(rng, 12, batch)
    expected, states = ref.sequence(stack, list(x))
    with layer.stream(batch) as stream:
        assert stream.state is None
        for t in range(len(x)):
            stream.x[:] = x[t]
            stream.step()
            assert_within(stream.y, expected[t], 2e-6, f"step {t}")
        assert_state(stream.state, states[-1], 4e-6, "state")
        stream.reset()
        stream.x[:] = x[0]
        stream.step()
        assert_within(stream.y, expected[0], 2e-6, "first step after a reset")


def test_stream_from_a_state(layer: Layer, rng: Rng) -> None:
    """A sequence's state continues in a stream, and a stream's in a sequence."""
    x = random_x(rng, 6)
    whole, _ = layer(x)
    _, state = layer(x[:2])
    with layer.stream(BATCH) as stream:
        for _ in range(2):  # the state given is not used up
            stream.state = state
            for t in (2, 3):
                stream.x[:] = x[t]
                stream.step()
                assert_within(stream.y, whole[t].astype(np.float64), 2e-6, f"step {t}")
        rest, _ = layer(x[4:], stream.state)
        assert_within(rest, whole[4:].astype(np.float64), 2e-6, "after the stream")
        stream.state = None
        stream.x[:] = x[0]
        stream.step()
        assert_within(stream.y, whole[0].astype(np.float64), 2e-6, "from zeros")


def test_streams_of_one_layer_are_independent(layer: Layer, rng: Rng) -> None:
    x = random_x(rng, 5, 2)
    whole, _ = layer(x)
    with layer.stream() as first, layer.stream() as second:
        for t in range(5):
            first.x[0], second.x[0] = x[t]
            first.step()
            second.step()
            assert_within(np.concatenate([first.y, second.y]), whole[t].astype(np.float64), 2e-6, f"step {t}")
