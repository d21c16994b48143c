"""Images and their layers on command buffers: what is read and written, shared memory, temporary images and states."""

import conventional
import numpy as np
import numpy.typing as npt
import pytest
from command_buffers import command_buffer, finish
from image_checking import image_layer
from image_strategies import random_images

import pymps
from pymps import ChannelFormat

DTYPES = {
    ChannelFormat.UNORM8: np.uint8,
    ChannelFormat.UNORM16: np.uint16,
    ChannelFormat.FLOAT16: np.float16,
    ChannelFormat.FLOAT32: np.float32,
}
SHAPE = COUNT, HEIGHT, WIDTH = 2, 5, 7
every_format = pytest.mark.parametrize("channel_format", DTYPES)
Rng = np.random.Generator
Layer = pymps.ImageInferenceLayer


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(97)


@pytest.fixture
def layer(device: pymps.Device, rng: Rng) -> Layer:
    stack = conventional.full(rng, "LSTM", 3, 6, kernel=(3, 3)), conventional.full(rng, "GRU", 6, 5, kernel=(3, 2))
    return image_layer(device, *stack)


def random_x(rng: Rng, steps: int = 3, dtype: npt.DTypeLike = np.float32) -> npt.NDArray[np.generic]:
    return random_images(rng, (steps, *SHAPE, 3), dtype)


def empty_images(device: pymps.Device, count: int, channels: int) -> list[pymps.Image]:
    return [pymps.Image(device, WIDTH, HEIGHT, channels, number_of_images=COUNT) for _ in range(count)]


@pytest.mark.parametrize("channels", [1, 3, 4, 5, 8, 9])
@every_format
def test_written_and_read(device: pymps.Device, rng: Rng, channel_format: ChannelFormat, channels: int) -> None:
    """Every bit comes back, whatever lies how in the array that is written: channels are in fours in a texture."""
    dtype = DTYPES[channel_format]
    image = pymps.Image(device, WIDTH, HEIGHT, channels, channel_format, COUNT)
    assert (image.shape, image.dtype) == ((*SHAPE, channels), dtype)
    assert not image.read().any()
    pixels = random_images(rng, image.shape, dtype)
    image.write(pixels)
    np.testing.assert_array_equal(image.read(), pixels)
    turned = np.moveaxis(np.ascontiguousarray(np.moveaxis(pixels[::-1], -1, 1)), 1, -1)
    image.write(turned)
    out = np.zeros(image.shape, dtype)
    assert image.read(out) is out
    np.testing.assert_array_equal(out, turned)


def test_an_image_over_an_array(device: pymps.Device, rng: Rng) -> None:
    """It has the array's memory, or says that it has not: then it is a copy."""
    pixels = device.array(random_images(rng, (*SHAPE, 3), np.float32))
    image = pymps.Image.of(pixels)
    np.testing.assert_array_equal(image.read(), pixels)
    before = pixels.copy()
    pixels += 1
    np.testing.assert_array_equal(image.read(), pixels if image.shares_memory else before)
    if image.shares_memory:
        image.write(before)
        np.testing.assert_array_equal(pixels, before)
        assert np.shares_memory(image.array, pixels)


def test_an_array_with_gaps_is_copied(device: pymps.Device, rng: Rng) -> None:
    wide = device.array(random_images(rng, (COUNT, HEIGHT, WIDTH + 1, 3), np.float32))
    image = pymps.Image.of(wide[:, :, :-1])
    assert not image.shares_memory
    np.testing.assert_array_equal(image.read(), wide[:, :, :-1])


@every_format
def test_a_sequence_of_images(device: pymps.Device, layer: Layer, rng: Rng, channel_format: ChannelFormat) -> None:
    x = random_x(rng, dtype=DTYPES[channel_format])
    expected, _ = layer(x)
    sources = [device.image(x_t) for x_t in x]
    assert {image.channel_format for image in sources} == {channel_format}
    destinations, work = empty_images(device, 3, 5), command_buffer(device)
    (state,) = layer.encode_sequence(work, sources, destinations)
    finish(work)
    y = np.array([image.read() for image in destinations])
    np.testing.assert_array_equal(y.astype(expected.dtype), expected)
    np.testing.assert_array_equal(state.recurrent_output(1), y[-1])


def test_images_in_buffers(device: pymps.Device, layer: Layer, rng: Rng) -> None:
    """Arrays of the device are sources and destinations as they are where its images may lie in buffers."""
    x, y = device.array(random_x(rng)), device.zeros((3, *SHAPE, 5))
    sources, destinations = ([pymps.Image.of(part) for part in array] for array in (x, y))
    work = command_buffer(device)
    layer.encode_sequence(work, sources, destinations)
    finish(work)
    expected, _ = layer(np.array(x))
    for image, expected_t in zip(destinations, expected, strict=True):
        np.testing.assert_array_equal(image.read(), expected_t)
    if destinations[0].shares_memory:
        np.testing.assert_array_equal(y, expected)


def test_temporary_images_and_states(device: pymps.Device, layer: Layer, rng: Rng) -> None:
    """Two layers on one command buffer, with images between them that are gone thereafter; and a state that only the
    next call sees."""
    above = image_layer(device, conventional.full(rng, "single gate", 5, 2, kernel=(3, 3)))
    x = random_x(rng, steps=4)
    middle, _ = layer(x)
    expected, _ = above(middle)
    work = command_buffer(device)
    between = [pymps.Image.temporary(work, WIDTH, HEIGHT, 5, number_of_images=COUNT) for _ in x]
    sources, destinations = [device.image(x_t) for x_t in x], empty_images(device, 4, 2)
    (state,) = layer.encode_sequence(work, sources[:2], between[:2], states_are_temporary=True)
    assert (state.is_temporary, state.read_count) == (True, 1)
    layer.encode_sequence(work, sources[2:], between[2:], state)
    above.encode_sequence(work, between, destinations)
    finish(work)
    for image, expected_t in zip(destinations, expected, strict=True):
        np.testing.assert_allclose(image.read(), expected_t, rtol=1e-5, atol=2e-6)


def test_intermediate_states_as_images(device: pymps.Device, layer: Layer, rng: Rng) -> None:
    x, work = random_x(rng), command_buffer(device)
    destinations = empty_images(device, 3, 5)
    sources = [device.image(x_t) for x_t in x]
    states = layer.encode_sequence(work, sources, destinations, store_all_intermediate_states=True)
    finish(work)
    _, expected = layer(x, store_all_intermediate_states=True)
    for state, wanted, y in zip(states, expected, destinations, strict=True):
        np.testing.assert_array_equal(state.recurrent_output_image(1).read(), y.read())
        np.testing.assert_array_equal(state.memory_cell_image(0).read(), wanted.memory_cell(0))
        np.testing.assert_array_equal(state.recurrent_output_image(0).read(), wanted.recurrent_output(0))


def test_bidirectional(device: pymps.Device, rng: Rng) -> None:
    forward = conventional.full(rng, "LSTM", 3, 5, kernel=(3, 3))
    backward = conventional.full(rng, "GRU", 3, 5, kernel=(3, 3), backward=True)
    layer, x, work = image_layer(device, forward, backward), random_x(rng), command_buffer(device)
    halves = [empty_images(device, 3, 5) for _ in range(2)]
    layer.encode_bidirectional_sequence(work, [device.image(x_t) for x_t in x], *halves)
    finish(work)
    for images, expected in zip(halves, layer.bidirectional(x), strict=True):
        np.testing.assert_array_equal([image.read() for image in images], expected)
