"""Sequences of images: states, element types, places of arrays, streams and archives, for any stack."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import conventional
import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
from checking import arrays, as_float32, assert_state, initial_state
from image_checking import as_kept, assert_image_steps, image_layer
from image_strategies import random_images
from strategies import random_state
from tolerance import assert_within

import pymps

INPUTS, OUTPUTS = 3, 5
SHAPE = COUNT, HEIGHT, WIDTH = 2, 6, 7
Layer = pymps.ImageInferenceLayer
Stack = list[ref.Layer]
Rng = np.random.Generator
Float32 = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.generic]


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(83)


STACKS = {
    "LSTMs": ("LSTM", "LSTM"),
    "GRU below LSTM": ("GRU", "LSTM"),
    "LSTM below single gate": ("LSTM", "single gate"),
}


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest, rng: Rng) -> Stack:
    below, above = STACKS[request.param]
    return [
        conventional.full(rng, below, INPUTS, 9, kernel=(3, 3)),
        conventional.full(rng, above, 9, OUTPUTS, kernel=(2, 5)),
    ]


@pytest.fixture
def layer(device: pymps.Device, stack: Stack) -> Layer:
    return image_layer(device, *stack)


def random_x(rng: Rng, steps: int, dtype: npt.DTypeLike = np.float32) -> Numbers:
    return random_images(rng, (steps, *SHAPE, INPUTS), dtype)


def test_intermediate_states(layer: Layer, rng: Rng) -> None:
    """The state after step t is the final state of the first t + 1 steps; the last is the final one."""
    x = random_x(rng, 4)
    y, states = layer(x, store_all_intermediate_states=True)
    assert len(states) == 4
    for t, state in enumerate(states):
        _, final = layer(x[: t + 1])
        assert (state.number_of_images, state.height, state.width) == SHAPE
        assert_state(state, arrays(final), 2e-6, f"after step {t}")
        np.testing.assert_array_equal(state.recurrent_output(1), y[t])


@pytest.mark.parametrize("cut", [1, 3, 4])
def test_a_sequence_in_two_parts(layer: Layer, rng: Rng, cut: int) -> None:
    """Any state, final or intermediate, continues where it was taken."""
    x = random_x(rng, 5)
    whole, states = layer(x, store_all_intermediate_states=True)
    for state in (states[cut - 1], layer(x[:cut])[1]):
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
    values, zeros = random_state(rng, stack, *SHAPE), ref.zero_state(stack, *SHAPE)
    h, c = map(as_float32, values)
    x = random_x(rng, 2)
    for given_h, given_c, full_h, full_c in (
        ([None, h[1]], [c[0], None], [zeros[0][0], values[0][1]], [values[1][0], zeros[1][1]]),
        (h, None, values[0], zeros[1]),
        (None, c, zeros[0], values[1]),
    ):
        actual, _ = layer(x, layer.state(h=given_h, c=given_c))
        expected, _ = layer(x, initial_state(layer, (full_h, full_c)))
        np.testing.assert_array_equal(actual, expected)


def test_state_reads_back(layer: Layer, stack: Stack, rng: Rng) -> None:
    """A state holds copies of what it was made from; its images are of the same numbers."""
    values = random_state(rng, stack, *SHAPE)
    h, c = map(as_float32, values)
    state = layer.state(h=h, c=c)
    for m in h + c:
        if m is not None:
            m[:] = 0
    assert_state(state, values, 0.0, "state")
    for index, expected in enumerate(values[0]):
        np.testing.assert_array_equal(state.recurrent_output_image(index).read(), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8, np.uint16])
def test_element_types(device: pymps.Device, layer: Layer, stack: Stack, rng: Rng, dtype: npt.DTypeLike) -> None:
    """Whole numbers come in from 0 to 1; states stay float32."""
    x = random_x(rng, 3, dtype)
    assert_image_steps(device, stack, x)
    _, state = layer(x)
    assert state.recurrent_output(0).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float16, np.uint8, np.uint16])
def test_results_of_other_types(device: pymps.Device, rng: Rng, dtype: npt.DTypeLike) -> None:
    """What does not lie from 0 to 1 becomes the nearest whole number's end; the rest is rounded once."""
    layer = image_layer(device, conventional.single_gate(rng, INPUTS, OUTPUTS, kernel=(3, 3)))
    x = random_x(rng, 4)
    exact, _ = layer(x)
    assert exact.min() < 0 < exact.max()
    out = np.zeros((4, *SHAPE, OUTPUTS), dtype)
    y, _ = layer(x, out=out)
    assert y is out
    if np.dtype(dtype).kind == "f":
        np.testing.assert_array_equal(out, exact.astype(dtype))
        return
    scaled = np.clip(exact.astype(np.float64), 0, 1) * np.iinfo(dtype).max
    assert np.abs(out - scaled).max() <= 0.5 + np.iinfo(dtype).max * 2.0**-23


def in_a_device_buffer(device: pymps.Device, x: Numbers) -> Numbers:
    return device.zeros(x.shape, x.dtype)


def cropped(device: pymps.Device, x: Numbers) -> Numbers:
    """A window of larger images, in a device buffer."""
    steps, count, height, width, channels = x.shape
    return device.zeros((steps, count, height + 3, width + 4, channels), x.dtype)[:, :, 1:-2, 2:-2]


def channels_first(device: pymps.Device, x: Numbers) -> Numbers:
    return np.moveaxis(np.zeros((*x.shape[:2], x.shape[4], *x.shape[2:4]), x.dtype), 2, -1)


def every_other_step(device: pymps.Device, x: Numbers) -> Numbers:
    return device.zeros((2 * len(x), *x.shape[1:]), x.dtype)[1::2]


def batch_major(device: pymps.Device, x: Numbers) -> Numbers:
    return np.zeros((x.shape[1], x.shape[0], *x.shape[2:]), x.dtype).swapaxes(0, 1)


def whole(view: Numbers) -> Numbers:
    """What lies in the same memory as `view`, with it."""
    return view.base if isinstance(view.base, np.ndarray) else view


PLACES = [in_a_device_buffer, cropped, channels_first, every_other_step, batch_major]


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("place_y", PLACES)
@pytest.mark.parametrize("place_x", PLACES)
def test_places(
    device: pymps.Device,
    layer: Layer,
    rng: Rng,
    place_x: Callable[[pymps.Device, Numbers], Numbers],
    place_y: Callable[[pymps.Device, Numbers], Numbers],
    dtype: npt.DTypeLike,
) -> None:
    """Sources and destinations anywhere; what lies beside them is neither read nor written."""
    x = random_x(rng, 3).astype(dtype)
    expected, _ = layer(x)
    source, out = place_x(device, x), place_y(device, expected)
    whole(source)[:], whole(out)[:] = np.nan, 77.0
    source[:] = x
    y, _ = layer(source, out=out)
    assert y is out
    np.testing.assert_array_equal(y, expected)
    out[:] = 77.0
    np.testing.assert_array_equal(whole(out), 77.0)


def test_list_and_array_agree(device: pymps.Device, layer: Layer, rng: Rng) -> None:
    """Steps of a list may come from anywhere, in any order and more than once."""
    one, other = device.array(random_x(rng, 3)), random_x(rng, 2)
    x = [one[0], one[2], other[1], one[1], one[1], other[0]]
    expected, _ = layer(np.array(x))
    y, _ = layer(x)
    assert isinstance(y, list)
    np.testing.assert_array_equal(np.array(y), expected)
    out = device.zeros((len(x), *SHAPE, OUTPUTS))
    for destinations in ([*out], [*out[::-1]], [*np.zeros_like(out)]):
        assert layer(x, out=destinations)[0] is destinations
        np.testing.assert_array_equal(np.array(destinations), expected)


def test_stream_equals_sequence(layer: Layer, stack: Stack, rng: Rng) -> None:
    x = random_x(rng, 8)
    expected, states = ref.sequence(as_kept(stack), list(x))
    with layer.stream(number_of_images=COUNT, height=HEIGHT, width=WIDTH) as stream:
        assert (stream.x.shape, stream.y.shape) == ((*SHAPE, INPUTS), (*SHAPE, OUTPUTS))
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
    with layer.stream(COUNT, HEIGHT, WIDTH) as stream:
        for _ in range(2):  # the state given is not used up
            stream.state = state
            for t in (2, 3):
                stream.x[:] = x[t]
                stream.step()
                assert_within(stream.y, whole[t].astype(np.float64), 2e-6, f"step {t}")
        rest, _ = layer(x[4:], stream.state)
        assert_within(rest, whole[4:].astype(np.float64), 2e-6, "after the stream")


def test_streams_of_one_layer_are_independent(layer: Layer, rng: Rng) -> None:
    x = random_x(rng, 4)
    whole, _ = layer(x)
    with layer.stream(1, HEIGHT, WIDTH) as first, layer.stream(1, HEIGHT, WIDTH) as second:
        for t in range(4):
            first.x[0], second.x[0] = x[t]
            first.step()
            second.step()
            assert_within(np.concatenate([first.y, second.y]), whole[t].astype(np.float64), 2e-6, f"step {t}")


def test_archive(device: pymps.Device, layer: Layer, stack: Stack, rng: Rng) -> None:
    """A layer that comes back gives the very same numbers, whatever becomes of the first."""
    x = random_x(rng, 3)
    expected, _ = layer(x, initial_state(layer, random_state(np.random.default_rng(1), stack, *SHAPE)))
    back = Layer.from_bytes(pymps.Device(device.backend), layer.to_bytes())
    del layer
    y, _ = back(x, initial_state(back, random_state(np.random.default_rng(1), stack, *SHAPE)))
    np.testing.assert_array_equal(y, expected)


def test_images_of_many_sizes_in_turn(layer: Layer, rng: Rng) -> None:
    """The layer has no size: each call brings its own, from several threads at the same time too."""
    shapes = [(2, 1, 4, 5), (3, 2, 9, 2), (1, 1, 16, 16), (2, 4, 1, 1)]
    xs = [random_images(rng, (*shape, INPUTS), np.float32) for shape in shapes]
    expected = [layer(x)[0] for x in xs]

    def run_all(start: int) -> None:
        for n in range(start, start + 4 * len(xs)):
            np.testing.assert_array_equal(layer(xs[n % len(xs)])[0], expected[n % len(xs)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run_all, range(4)))
