"""Images alone: what they hold, whose memory they have, and what they refuse."""

import copy
import gc
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from bad_input import HUGE, cases, expect, f32
from command_buffers import command_buffer
from models import allocated_size, assert_allocated

import pymps
from pymps import ChannelFormat, Image

FORMATS = {
    ChannelFormat.UNORM8: np.uint8,
    ChannelFormat.UNORM16: np.uint16,
    ChannelFormat.FLOAT16: np.float16,
    ChannelFormat.FLOAT32: np.float32,
}


def elements(shape: tuple[int, ...], dtype: type[np.generic]) -> Any:
    return np.random.default_rng(0).integers(0, 255, shape).astype(dtype)


@pytest.mark.parametrize(("channel_format", "dtype"), FORMATS.items())
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 5, 4), (3, 4, 2, 7)])
def test_read_gives_what_was_written(
    device: pymps.Device, channel_format: ChannelFormat, dtype: type[np.generic], shape: tuple[int, int, int, int]
) -> None:
    images, height, width, channels = shape
    image = Image(device, width, height, channels, channel_format, images)
    assert (image.device, image.shape, image.dtype) == (device, shape, dtype)
    assert (image.width, image.height, image.feature_channels, image.number_of_images) == (
        width,
        height,
        channels,
        images,
    )
    assert (image.channel_format, image.shares_memory, image.is_temporary) == (channel_format, False, False)
    assert not image.read().any()
    given = elements((images, width, height, channels), dtype).transpose(0, 2, 1, 3)
    image.write(given)
    np.testing.assert_array_equal(image.read(), given)
    out = np.zeros(shape, dtype)
    assert image.read(out) is out
    np.testing.assert_array_equal(out, given)


@pytest.mark.parametrize("dtype", FORMATS.values())
@pytest.mark.parametrize("ndim", [3, 4])
def test_images_of_arrays(device: pymps.Device, dtype: type[np.generic], ndim: int) -> None:
    given = elements((2, 4, 5, 3)[4 - ndim :], dtype)
    copied = device.image(given)
    assert not copied.shares_memory
    expect(ValueError, r"memory of its own", lambda: copied.array)
    array = device.array(given)
    for shared in (device.image(array), Image.of(array)):
        assert shared.shares_memory == device.has_linear_images
        np.testing.assert_array_equal(shared.read(), given.reshape(shared.shape))
    np.testing.assert_array_equal(copied.read(), given.reshape(copied.shape))
    given[...] = 0
    assert copied.read().any()


def test_a_shared_image_is_its_array(device: pymps.Device) -> None:
    if not device.has_linear_images:
        pytest.skip("images have memory of their own")
    array = device.zeros((3, 2, 4, 5, 3))
    image = Image.of(array[1])
    array[1] = 7
    assert (image.read() == 7).all()
    image.write(np.full(image.shape, 3, np.float32))
    assert (array[1] == 3).all()
    assert not array[::2].any()
    assert np.shares_memory(image.array, array[1])
    del array
    gc.collect()
    assert (image.array == 3).all()


@pytest.mark.parametrize("cut", [np.s_[:, ::2], np.s_[:, :, :2], np.s_[..., 1:], np.s_[::-1]])
def test_views_with_gaps_are_copied(device: pymps.Device, cut: Any) -> None:
    array = device.array(elements((2, 4, 4, 3), np.float32))
    image = Image.of(array[cut])
    assert not image.shares_memory
    np.testing.assert_array_equal(image.read(), array[cut])


def test_a_read_only_array_makes_a_read_only_image(device: pymps.Device) -> None:
    array = device.zeros((1, 2, 2, 1))
    array.flags.writeable = False
    image = Image.of(array)
    if image.shares_memory:
        expect(ValueError, r"the image is read-only", image.write, f32(1, 2, 2, 1))


def test_readers_in_many_threads(device: pymps.Device) -> None:
    given = elements((4, 16, 16, 9), np.float32)
    image = device.image(given)
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(lambda _: image.read(), range(40)):
            np.testing.assert_array_equal(result, given)


def test_nothing_is_left(device: pymps.Device) -> None:
    size = allocated_size(device)
    for _ in range(10):
        image = Image(device, 64, 64, 8)
        image.write(image.read())
        Image.of(device.zeros((1, 8, 8, 4)))
        Image.temporary(command_buffer(device), 64, 64, 8)
    del image
    assert_allocated(device, size)


def test_handles(device: pymps.Device) -> None:
    image = Image(device, 2, 3, 4)
    for use in (copy.copy, copy.deepcopy, pickle.dumps):
        expect(TypeError, r"an Image belongs to a device", use, image)
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Mine", (Image,), {})
    assert "(1, 3, 2, 4), FLOAT32" in repr(image)


@cases(
    ("no device", lambda d: Image(None, 1, 1, 1), TypeError, r"device: None, expected a Device"),
    ("device name", lambda d: Image("portable", 1, 1, 1), TypeError, r"device: str 'portable', expected a Device"),
    ("nothing", lambda d: Image(), TypeError, r"at least 1 positional argument"),
    ("no width", lambda d: Image(d), TypeError, r"width: None, expected an int"),
    ("width", lambda d: Image(d, 0, 1, 1), ValueError, r"width: 0, expected 1 to"),
    ("height", lambda d: Image(d, 1, -1, 1), ValueError, r"height: -1, expected 1 to"),
    ("float", lambda d: Image(d, 1, 1, 2.0), TypeError, r"feature_channels: float 2.0, expected an int"),
    ("NaN", lambda d: Image(d, float("nan"), 1, 1), TypeError, r"width: float nan, expected an int"),
    ("bool", lambda d: Image(d, True, 1, 1), TypeError, r"width: bool True, expected an int"),
    ("huge", lambda d: Image(d, HUGE, 1, 1), ValueError, r"width: 4611686018427387904, expected 1 to"),
    ("too wide", lambda d: Image(d, 16385, 1, 1), ValueError, r"width: 16385, expected at most 16384"),
    ("too deep", lambda d: Image(d, 1, 1, 8193), ValueError, r"8193 channels, expected at most 2048 slices"),
    ("too many", lambda d: Image(d, 1, 1, 5, number_of_images=1025), ValueError, r"number_of_images: 1025 of 5"),
    ("format", lambda d: Image(d, 1, 1, 1, 5), ValueError, r"channel_format: 5, expected UNORM8 \(1\), UNORM16"),
    (
        "format type",
        lambda d: Image(d, 1, 1, 1, "f4"),
        TypeError,
        r"channel_format: str 'f4', expected a ChannelFormat",
    ),
    ("of memory", lambda d: Image.of(f32(1, 2, 3, 4)), ValueError, r"in memory of its own, expected one in a device's"),
    ("of list", lambda d: Image.of([1]), TypeError, r"array: list of length 1, expected an ndarray"),
    (
        "float64",
        lambda d: d.image(np.ones((1, 2, 3))),
        TypeError,
        r"array: float64 array .*expected a float32, float16",
    ),
    ("int8", lambda d: d.image(np.ones((1, 2, 3), "i1")), TypeError, r"array: int8 array"),
    ("byte order", lambda d: d.image(f32(1, 2, 3).astype(">f4")), TypeError, r"array: >f4 array"),
    ("masked", lambda d: d.image(np.ma.ones((1, 2, 3), "f")), TypeError, r"array: float32 MaskedArray"),
    ("None", lambda d: d.image(None), TypeError, r"array: None, expected a float32"),
    ("2-D", lambda d: d.image(f32(2, 3)), ValueError, r"array: .*\(2, 3\), expected .*\(N, H, W, C\) or \(H, W, C\)"),
    ("5-D", lambda d: d.image(f32(1, 1, 1, 2, 3)), ValueError, r"array: .*\(1, 1, 1, 2, 3\)"),
    ("empty", lambda d: d.image(f32(1, 0, 2, 3)), ValueError, r"array: .*\(1, 0, 2, 3\).*each length at least 1"),
    ("endless", lambda d: d.image(np.broadcast_to(f32(1), (1 << 30, 1 << 20, 3))), ValueError, r"expected at most"),
)
def test_bad_images(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use, device)


@cases(
    ("write shape", lambda i: i.write(f32(2, 3, 4)), ValueError, r"array: .*\(2, 3, 4\), expected .*\(1, 2, 3, 4\)"),
    ("write dtype", lambda i: i.write(np.ones((1, 2, 3, 4))), TypeError, r"array: float64 array .*expected a float32"),
    ("write None", lambda i: i.write(None), TypeError, r"array: None"),
    ("read shape", lambda i: i.read(f32(1, 2, 4, 3)), ValueError, r"out: .*\(1, 2, 4, 3\), expected"),
    ("read dtype", lambda i: i.read(np.ones((1, 2, 3, 4), "e")), TypeError, r"out: float16 array"),
    (
        "read into a view",
        lambda i: i.read(f32(1, 2, 3, 8)[..., ::2]),
        ValueError,
        r"out: .*not C-contiguous and writable",
    ),
    ("read count", lambda i: setattr(i, "read_count", 1), ValueError, r"not temporary, expected one with a read count"),
    ("width", lambda i: setattr(i, "width", 1), AttributeError, r"width"),
)
def test_bad_access(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    image = Image(device, 3, 2, 4)
    expect(error, text, use, image)
    assert not image.read().any()


def test_temporary_images(device: pymps.Device) -> None:
    work = command_buffer(device)
    image = Image.temporary(work, 3, 2, 4, ChannelFormat.FLOAT16)
    assert (image.is_temporary, image.read_count, image.dtype, image.shares_memory) == (True, 1, np.float16, False)
    text = r"the image is temporary: the CPU can't see it"
    expect(ValueError, text, image.read)
    expect(ValueError, text, image.write, np.ones(image.shape, np.float16))
    expect(ValueError, r"temporary", image.synchronize, work)
    for value, error in ((-1, ValueError), (1.0, TypeError)):
        expect(error, r"read_count: ", setattr, image, "read_count", value)
    image.read_count = 0
    expect(ValueError, r"a read count of 0, which is final", setattr, image, "read_count", 1)
    expect(TypeError, r"'command_buffer' has incorrect type", Image.temporary, None, 1, 1, 1)
    expect(ValueError, r"width: 0, expected 1 to", Image.temporary, work, 0, 1, 1)
    work.commit()
    expect(ValueError, r"the command buffer is committed", Image.temporary, work, 1, 1, 1)
    work.wait_until_completed()


def test_synchronize(device: pymps.Device) -> None:
    work = command_buffer(device)
    image = device.image(elements((1, 2, 2, 3), np.float32))
    image.synchronize(work)
    work.commit()
    work.wait_until_completed()
    expect(ValueError, r"the command buffer is committed", image.synchronize, work)
    expect(TypeError, r"'command_buffer' has incorrect type", image.synchronize, None)
