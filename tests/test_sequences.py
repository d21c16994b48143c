"""Sequences and streams: states, lengths, strides and element types, for any stack."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import conventional
import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
from checking import arrays, as_float32, assert_state, assert_steps, inference_layer, initial_state
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import random_state, seeds
from tolerance import assert_within

import pymps

INPUTS, OUTPUTS, BATCH = 6, 10, 3
Layer = pymps.MatrixInferenceLayer
Stack = list[ref.Layer]
Rng = np.random.Generator
Float32 = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.generic]


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(11)


STACKS = {"LSTMs": ("LSTM", "LSTM"), "GRUs": ("GRU", "GRU"), "single gates": ("single gate",) * 2} | {
    "GRU below LSTM": ("GRU", "LSTM"),
    "LSTM below single gate": ("LSTM", "single gate"),
}


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest, rng: Rng) -> Stack:
    below, above = STACKS[request.param]
    return [conventional.full(rng, below, INPUTS, 17), conventional.KINDS[above](rng, 17, OUTPUTS)]


@pytest.fixture
def layer(device: pymps.Device, stack: Stack) -> Layer:
    return inference_layer(device, *stack)


def random_x(rng: Rng, steps: int, batch: int = BATCH) -> Float32:
    return rng.standard_normal((steps, batch, INPUTS)).astype(np.float32)


def assert_row(actual: pymps.RecurrentState, row: int, expected: pymps.RecurrentState, what: str) -> None:
    """One row of a state, against the state of a sequence that ran alone."""
    h, c = arrays(actual)
    one_row = [m[row : row + 1] for m in h], [m[row : row + 1] for m in c]
    assert_state(expected, one_row, 2e-6, what)


def test_sequences_of_different_lengths(device: pymps.Device, layer: Layer, stack: Stack, rng: Rng) -> None:
    """Lengths 4, 3 and 2: rows 3, 3, 2, 1. A sequence that has ended keeps its own last state; so the states hold
    (y1, x1, z1), (y2, x2, z2), (y3, x3, z2), (y4, x3, z2)."""
    whole, lengths = random_x(rng, 4), (4, 3, 2)
    x = [whole[t, :rows] for t, rows in enumerate((3, 3, 2, 1))]
    assert_steps(device, stack, x)
    y, states = layer(x, store_all_intermediate_states=True)
    _, final = layer(x)
    assert [y_t.shape for y_t in y] == [(3, OUTPUTS), (3, OUTPUTS), (2, OUTPUTS), (1, OUTPUTS)]
    for row, length in enumerate(lengths):
        alone, alone_states = layer(whole[:length, row : row + 1], store_all_intermediate_states=True)
        for t in range(length):
            assert_within(y[t][row], alone[t, 0].astype(np.float64), 2e-6, f"row {row} of step {t}")
        for t, state in enumerate(states):
            assert_row(state, row, alone_states[min(t, length - 1)], f"row {row} after step {t}")
        assert_row(final, row, alone_states[-1], f"row {row} of the final state")


def test_intermediate_states(layer: Layer, rng: Rng) -> None:
    """The state after step t is the final state of the first t + 1 steps; the last is the final one."""
    x = random_x(rng, 4)
    y, states = layer(x, store_all_intermediate_states=True)
    assert len(states) == 4
    for t, state in enumerate(states):
        _, final = layer(x[: t + 1])
        assert_state(state, arrays(final), 2e-6, f"after step {t}")
        np.testing.assert_array_equal(state.recurrent_output(1), y[t])


@settings(max_examples=60)
@given(
    kinds=st.tuples(*[st.sampled_from(list(conventional.KINDS))] * 2),
    cut=st.integers(1, 7),
    store_all=st.booleans(),
    rng=seeds,
)
def test_a_sequence_in_two_parts(
    device: pymps.Device, kinds: tuple[str, str], cut: int, store_all: bool, rng: Rng
) -> None:
    """Any state, final or intermediate, continues where it was taken."""
    stack = [conventional.full(rng, kinds[0], INPUTS, OUTPUTS), conventional.KINDS[kinds[1]](rng, OUTPUTS, 5)]
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
    kept = arrays(state)
    x = random_x(rng, 3)
    first, _ = layer(x, state)
    second, _ = layer(x, state)
    np.testing.assert_array_equal(first, second)
    assert_state(state, kept, 0.0, "state")


def test_state_given_in_part(layer: Layer, stack: Stack, rng: Rng) -> None:
    """None stands for zeros: a layer's h or c, or all of them."""
    values, zeros = random_state(rng, stack, BATCH), ref.zero_state(stack, BATCH)
    h, c = map(as_float32, values)
    x = random_x(rng, 2)
    given = [
        ([None, h[1]], [c[0], None], [zeros[0][0], values[0][1]], [values[1][0], zeros[1][1]]),
        (h, None, values[0], zeros[1]),
    ]
    if any(m is not None for m in c):
        given.append((None, c, zeros[0], values[1]))
    for given_h, given_c, full_h, full_c in given:
        actual, _ = layer(x, layer.state(h=given_h, c=given_c))
        expected, _ = layer(x, initial_state(layer, (full_h, full_c)))
        np.testing.assert_array_equal(actual, expected)


def test_state_reads_back(layer: Layer, stack: Stack, rng: Rng) -> None:
    """A state holds copies of what it was made from."""
    values = random_state(rng, stack, BATCH)
    h, c = map(as_float32, values)
    state = layer.state(h=h, c=c)
    for m in h + c:
        if m is not None:
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


def test_lists_of_steps_from_anywhere(device: pymps.Device, layer: Layer, rng: Rng) -> None:
    """Steps of a list may come from one buffer or several, in any order and more than once, or from NumPy; results may
    go down in memory."""
    one, other, outside = device.array(random_x(rng, 4)), device.array(random_x(rng, 2)), random_x(rng, 1)
    x = [one[0], one[2], one[1], outside[0], one[1], other[1], other[0], one[3]]
    expected, _ = layer(np.array(x))
    y = device.zeros((len(x), BATCH, OUTPUTS))
    for out in ([*y], [*y[::-1]], [*np.zeros_like(y)], [*y[:3], *np.zeros_like(y[3:])]):
        result, _ = layer(x, out=out)
        assert result is out
        np.testing.assert_array_equal(np.array(out), expected)


def test_other_arrays_over_one_buffer(device: pymps.Device, rng: Rng) -> None:
    """In turn, and from several threads at the same time: each call sees its own shapes and element type."""
    memory = device.array(rng.integers(0, 2, (6, 4, 12)).astype(np.float16))
    xs = [
        memory,
        memory[:, :2],
        memory.reshape(6, 8, 6),
        memory.view(np.float32),
        memory[::2, ::2, 6:],
        memory[..., :6],
    ]
    layers = {
        features: inference_layer(device, conventional.full(rng, "LSTM", features, OUTPUTS)) for features in (6, 12)
    }
    expected = [layers[x.shape[2]](np.array(x))[0] for x in xs]

    def run_all(start: int) -> None:
        for i in range(start, start + 10 * len(xs)):
            x = xs[i % len(xs)]
            np.testing.assert_array_equal(layers[x.shape[2]](x)[0], expected[i % len(xs)])

    run_all(0)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run_all, range(4)))


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
    assert state.recurrent_output(0).dtype == np.float32
    np.testing.assert_array_equal(y, exact.astype(np.float16))


def test_direction_is_for_bidirectional_runs_alone(device: pymps.Device, stack: Stack, rng: Rng) -> None:
    """A sequence runs forward through all layers, whatever layer_sequence_direction says."""
    x = random_x(rng, 4)
    expected, _ = inference_layer(device, *stack)(x)
    for directions in ((True, True), (False, True), (True, False)):
        turned = [replace(layer, backward=backward) for layer, backward in zip(stack, directions, strict=True)]
        y, _ = inference_layer(device, *turned)(x)
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
