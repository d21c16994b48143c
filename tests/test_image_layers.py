"""Layers of images: the forms of their arguments, and which memory is used in place."""

import gc
import itertools
from typing import Any

import numpy as np
import pytest
from bad_input import expect, f32
from command_buffers import command_buffer, finish
from image_models import conv_lstm, image_layer, movie
from models import allocated_size, assert_allocated, assert_close

import pymps
from pymps import Image, ImageInferenceLayer, WeightSource

# ---- Calls ----


def test_properties(device: pymps.Device) -> None:
    run = ImageInferenceLayer(device, [conv_lstm(3, 5), conv_lstm(5, 2)])
    assert run.device is device
    assert (run.input_feature_channels, run.output_feature_channels, run.number_of_layers) == (3, 2, 2)
    assert "ImageInferenceLayer 3 -> 5 -> 2" in repr(run)
    _, state = run(movie())
    assert (state.layer, state.number_of_images, state.height, state.width, state.number_of_layers) == (run, 2, 4, 6, 2)
    for index, outputs in enumerate((5, 2)):
        for array in (state.recurrent_output(index), state.memory_cell(layer_index=index)):
            assert (array.shape, array.dtype, array.flags.writeable) == ((2, 4, 6, outputs), np.float32, False)
        for image in (state.recurrent_output_image(index), state.memory_cell_image(index)):
            assert image.shape == (2, 4, 6, outputs)
    np.testing.assert_array_equal(state.recurrent_output_image(1).read(), state.recurrent_output(1))
    expect(ValueError, r"the image is read-only", state.memory_cell_image(0).write, f32(2, 4, 6, 5))


def test_all_forms_agree(device: pymps.Device) -> None:
    """Arrays and lists, in a device's buffers and outside, whole and as views of any strides."""
    run = image_layer(device)
    x = movie()
    expected, _ = run(x)
    memory, doubled = device.array(x), np.repeat(np.repeat(x, 2, axis=2), 2, axis=4)
    transposed = np.ascontiguousarray(x.transpose(4, 3, 2, 1, 0)).transpose(4, 3, 2, 1, 0)
    padded = device.zeros((8, 2, 4, 6, 3))
    padded[::2] = x
    forms: list[Any] = [memory, doubled[:, :, ::2, :, ::2], transposed, padded[::2], x[::-1].copy()[::-1]]
    forms += [list(x), list(memory), tuple(memory), [memory[0], *x[1:]]]
    for form in forms:
        y, _ = run(form)
        assert isinstance(y, np.ndarray if isinstance(form, np.ndarray) else list)
        np.testing.assert_array_equal(np.array(y), expected)


def test_out(device: pymps.Device) -> None:
    run = image_layer(device)
    x = movie()
    expected, _ = run(x)
    for out in (
        np.zeros((4, 2, 4, 6, 5), np.float32),
        device.zeros((4, 2, 4, 6, 5)),
        device.zeros((4, 2, 4, 6, 8))[..., :5],
    ):
        assert run(x, out=out)[0] is out
        np.testing.assert_array_equal(out, expected)
    outs = [np.zeros((2, 4, 6, 5), np.float32) for _ in range(4)]
    run(list(x), out=outs)
    np.testing.assert_array_equal(np.array(outs), expected)
    memory = device.zeros((8, 2, 4, 6, 5))
    run(x, out=memory[1::2])
    np.testing.assert_array_equal(memory[1::2], expected)
    assert not memory[::2].any()


@pytest.mark.parametrize(("dtype", "result"), [("e", "e"), ("f", "f"), ("u1", "f"), ("u2", "f")])
@pytest.mark.parametrize("in_place", [False, True])
def test_dtypes(device: pymps.Device, dtype: str, result: str, in_place: bool) -> None:
    """Integers are numbers from 0 to 1; the state is float32 whatever comes."""
    run = image_layer(device)
    scale = {"u1": 255, "u2": 65535}.get(dtype, 1)
    x = (movie() * scale).astype(dtype)
    y, state = run(device.array(x) if in_place else x)
    expected, _ = run(x.astype("f") / np.float32(scale))
    assert y.dtype == np.dtype(result)
    assert state.memory_cell().dtype == np.float32
    np.testing.assert_allclose(y, expected.astype(result), rtol=1e-3 if result == "e" else 1e-5, atol=1e-6)


@pytest.mark.parametrize(("dtype", "scale"), [("u1", 255), ("u2", 65535)])
def test_integers_out(device: pymps.Device, dtype: str, scale: int) -> None:
    run = image_layer(device)
    out = np.zeros((4, 2, 4, 6, 5), dtype)
    run(movie(), out=out)
    expected = np.clip(run(movie())[0], 0, 1) * scale
    assert np.abs(out - expected.astype(np.float64)).max() <= 0.51


def test_sequences_can_be_cut(device: pymps.Device) -> None:
    run = image_layer(device)
    x = movie(7)
    whole, states = run(x, store_all_intermediate_states=True)
    assert len(states) == 7
    first, state = run(x[:3])
    second, end = run(x[3:], state)
    assert_close(np.concatenate([first, second]), whole)
    assert_close(state.memory_cell(), states[2].memory_cell())
    assert_close(end.recurrent_output(), states[6].recurrent_output())


def test_state_of_given_values(device: pymps.Device) -> None:
    run = ImageInferenceLayer(device, [conv_lstm(3, 5), conv_lstm(5, 2)])
    rng = np.random.default_rng(0)
    h, c = ([rng.standard_normal((2, 4, 6, n), np.float32) for n in (5, 2)] for _ in "hc")
    state = run.state(h=h, c=[c[0].swapaxes(1, 2).copy().swapaxes(1, 2), None])
    np.testing.assert_array_equal(state.recurrent_output(0), h[0])
    np.testing.assert_array_equal(state.recurrent_output(1), h[1])
    np.testing.assert_array_equal(state.memory_cell(0), c[0])
    assert not state.memory_cell(1).any()
    zeros = run.state(c=[None, np.zeros_like(c[1])])
    np.testing.assert_array_equal(run(movie(), zeros)[0], run(movie())[0])
    y, end = run(movie(), state)
    again = run.state([end.recurrent_output(i) for i in (0, 1)], [end.memory_cell(i) for i in (0, 1)])
    np.testing.assert_array_equal(run(movie(), again)[0], run(movie(), end)[0])
    assert (y != run(movie())[0]).any()


def test_a_matrix_is_a_kernel_of_one_pixel(device: pymps.Device) -> None:
    rng = np.random.default_rng(0)
    w, u = (rng.uniform(-0.5, 0.5, (20, n)).astype(np.float16) for n in (3, 5))
    flat = pymps.LSTMDescriptor.from_arrays(w, u)
    kernels = pymps.LSTMDescriptor.from_arrays(w[:, None, None], u[:, None, None])
    x = movie()
    expected, _ = ImageInferenceLayer(device, flat)(x)
    np.testing.assert_array_equal(ImageInferenceLayer(device, kernels)(x)[0], expected)
    rows, _ = pymps.MatrixInferenceLayer(device, kernels)(x.reshape(4, -1, 3))
    np.testing.assert_allclose(rows.reshape(expected.shape), expected, rtol=1e-5, atol=1e-6)


def test_peepholes(device: pymps.Device) -> None:
    """A diagonal is a kernel of one pixel whose channels stay apart."""
    rng = np.random.default_rng(0)
    w, u = (rng.uniform(-0.5, 0.5, (20, 3, 3, n)).astype(np.float16) for n in (3, 5))
    v = {letter: rng.uniform(-0.5, 0.5, 5).astype(np.float16) for letter in "ifo"}
    diagonal = pymps.LSTMDescriptor.from_arrays(w, u, peepholes=v)
    around = {letter: np.zeros((5, 3, 3, 5), np.float16) for letter in "ifo"}
    for letter, kernel in around.items():
        kernel[:, 1, 1] = np.diag(v[letter])
    full = pymps.LSTMDescriptor.from_arrays(w, u, peepholes=around)
    y, _ = ImageInferenceLayer(device, diagonal)(movie())
    assert_close(ImageInferenceLayer(device, full)(movie())[0], y)
    assert (y != ImageInferenceLayer(device, pymps.LSTMDescriptor.from_arrays(w, u))(movie())[0]).any()


def test_bidirectional(device: pymps.Device) -> None:
    backward = conv_lstm(seed=5)
    backward.layer_sequence_direction = pymps.RNNSequenceDirection.BACKWARD
    run = ImageInferenceLayer(device, [conv_lstm(), backward])
    x = movie()
    y, back = run.bidirectional(x)
    np.testing.assert_array_equal(y, ImageInferenceLayer(device, conv_lstm())(x)[0])
    np.testing.assert_array_equal(back, ImageInferenceLayer(device, conv_lstm(seed=5))(x[::-1])[0][::-1])
    run.bidirectional_combine_mode = pymps.RNNBidirectionalCombineMode.ADD
    assert_close(run.bidirectional(list(x)), y + back)
    run.bidirectional_combine_mode = pymps.RNNBidirectionalCombineMode.CONCATENATE
    out = device.zeros((4, 2, 4, 6, 10), np.float16)
    assert run.bidirectional(x, out=out) is out
    np.testing.assert_array_equal(out, np.concatenate([y, back], axis=4).astype(np.float16))
    expect(ValueError, r"the stack is for bidirectional|stack can't|layer's output channels", run, x)


def test_archives(device: pymps.Device) -> None:
    run = ImageInferenceLayer(device, [conv_lstm(3, 5), conv_lstm(5, 2)])
    back = ImageInferenceLayer.from_bytes(device, run.to_bytes())
    np.testing.assert_array_equal(back(movie())[0], run(movie())[0])
    expect(
        ValueError,
        r"data: the archive of a layer of images, expected one of matrices",
        pymps.MatrixInferenceLayer.from_bytes,
        device,
        run.to_bytes(),
    )
    of_matrices = pymps.MatrixInferenceLayer(device, pymps.LSTMDescriptor(3, 5)).to_bytes()
    text = r"data: the archive of a layer of matrices, expected one of images"
    expect(ValueError, text, ImageInferenceLayer.from_bytes, device, of_matrices)
    damaged = bytearray(run.to_bytes())
    damaged[len(damaged) // 2] ^= 1
    expect(ValueError, r"data: damaged", ImageInferenceLayer.from_bytes, device, damaged)


class Kernel(pymps.DataSource):
    def __init__(self, weights: Any, kernel: tuple[int, int] = (1, 1)) -> None:
        outputs, inputs = weights.shape[0], weights.shape[-1]
        self.descriptor = pymps.ConvolutionDescriptor(inputs, outputs, None, kernel[1], kernel[0])
        self.values = weights

    def weights(self) -> Any:
        return self.values


def test_data_sources(device: pymps.Device) -> None:
    descriptor, fetched = conv_lstm(), conv_lstm()
    kernel = descriptor.input_gate_recurrent_weights
    assert isinstance(kernel, WeightSource)
    fetched.input_gate_recurrent_weights = Kernel(kernel.weights, (3, 3))
    expected, _ = ImageInferenceLayer(device, descriptor)(movie())
    np.testing.assert_array_equal(ImageInferenceLayer(device, fetched)(movie())[0], expected)
    flat = np.ones((5, 5), np.float32)
    for one in (Kernel(flat), Kernel(flat[:, None, None])):
        fetched.input_gate_recurrent_weights = one
        ImageInferenceLayer(device, fetched)
    fetched.input_gate_recurrent_weights = Kernel(kernel.weights, (2, 3))
    expect(
        ValueError, r"weights\(\) of Kernel: .*\(5, 3, 3, 5\), .*\(5, 2, 3, 5\)", ImageInferenceLayer, device, fetched
    )
    only = pymps.LSTMDescriptor(3, 5)
    only.input_gate_recurrent_weights = Kernel(kernel.weights, (3, 3))
    text = r"kernel_height, kernel_width: 3 x 3 of matrix_id 4, expected 1 x 1"
    expect(ValueError, text, pymps.MatrixInferenceLayer, device, only)


# ---- Streams ----


def test_stream_equals_sequence(device: pymps.Device) -> None:
    run = image_layer(device)
    x = movie(9)
    expected, end = run(x)
    with run.stream(number_of_images=2, height=4, width=6) as stream:
        assert (stream.layer, stream.number_of_images, stream.height, stream.width) == (run, 2, 4, 6)
        assert (stream.x.shape, stream.y.shape) == ((2, 4, 6, 3), (2, 4, 6, 5))
        assert stream.state is None
        for _ in range(2):
            for x_t, y_t in zip(x, expected):
                stream.x[:] = x_t
                stream.step()
                assert_close(stream.y, y_t)
            assert stream.state is not None
            assert_close(stream.state.memory_cell(), end.memory_cell())
            stream.reset()
        _, stream.state = run(x[:4])
        stream.x[:] = x[4]
        stream.step()
        assert_close(stream.y, expected[4])
        kept = stream.x
    assert stream.closed
    kept[:] = 1
    expect(ValueError, r"the stream is closed", stream.step)


def test_streams_of_one_layer_are_independent(device: pymps.Device) -> None:
    run = image_layer(device)
    x = movie()
    expected, _ = run(x)
    with run.stream(1, 4, 6) as first, run.stream(1, 4, 6) as second:
        for x_t, y_t in zip(x, expected):
            first.x[0], second.x[0] = x_t
            first.step()
            second.step()
            assert_close(np.concatenate([first.y, second.y]), y_t)


# ---- On a command buffer ----


def images_of(device: pymps.Device, arrays: Any) -> list[Image]:
    return [device.image(array) for array in arrays]


def new_images(device: pymps.Device, steps: int, outputs: int) -> list[Image]:
    return [Image(device, 6, 4, outputs, number_of_images=2) for _ in range(steps)]


def values(images: list[Image]) -> Any:
    return np.array([image.read() for image in images])


def test_a_pipeline(device: pymps.Device) -> None:
    """Images, temporary images and images of other formats, each layer reading what the one before writes."""
    runs = [image_layer(device, 3, 5), image_layer(device, 5, 4), image_layer(device, 4, 2)]
    work = command_buffer(device)
    between = [Image.temporary(work, 6, 4, 5, number_of_images=2) for _ in range(4)]
    halves = [Image(device, 6, 4, 4, pymps.ChannelFormat.FLOAT16, 2) for _ in range(4)]
    stages = [images_of(device, movie()), between, halves, new_images(device, 4, 2)]
    for run, (x, y) in zip(runs, itertools.pairwise(stages)):
        run.encode_sequence(work, x, y)
    assert [image.read_count for image in between] == [0] * 4
    finish(work)
    first, _ = runs[1](runs[0](movie())[0], out=np.zeros((4, 2, 4, 6, 4), np.float16))
    np.testing.assert_array_equal(values(stages[3]), runs[2](first.astype("f"))[0])


def test_arrays_in_buffers(device: pymps.Device) -> None:
    run = image_layer(device)
    x, y = device.array(movie()), device.zeros((4, 2, 4, 6, 5))
    work = command_buffer(device)
    if not device.has_linear_images:
        expect(ValueError, r"sources: arrays, expected Images", run.encode_sequence, work, x, y)
        return
    run.encode_sequence(work, x, y)
    images = new_images(device, 4, 5)
    run.encode_sequence(work, list(x), images)
    finish(work)
    expected, _ = run(movie())
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(values(images), expected)


@pytest.mark.parametrize("are_temporary", [False, True])
def test_states_on_a_command_buffer(device: pymps.Device, are_temporary: bool) -> None:
    run = image_layer(device)
    x, y = images_of(device, movie(6)), new_images(device, 6, 5)
    work = command_buffer(device)
    (state,) = run.encode_sequence(work, x[:3], y[:3], states_are_temporary=are_temporary)
    assert (state.is_temporary, state.read_count) == (are_temporary, int(are_temporary))
    reads = [state.recurrent_output, state.memory_cell, state.recurrent_output_image, state.memory_cell_image]
    for read in reads:
        if are_temporary:
            expect(ValueError, r"the state is temporary: the CPU can't read it", read)
        else:
            expect(RuntimeError, r"has not completed", read)
    run.encode_sequence(work, x[3:], y[3:], state)
    if are_temporary:
        expect(ValueError, r"read count of 0", run.encode_sequence, work, x[3:], new_images(device, 3, 5), state)
        expect(ValueError, r"state: temporary", run, movie(), state)
    finish(work)
    assert_close(values(y), run(movie(6))[0])


def test_bidirectional_on_a_command_buffer(device: pymps.Device) -> None:
    backward = conv_lstm(seed=5)
    backward.layer_sequence_direction = pymps.RNNSequenceDirection.BACKWARD
    run = ImageInferenceLayer(device, [conv_lstm(), backward])
    x, forward, back = images_of(device, movie()), new_images(device, 4, 5), new_images(device, 4, 5)
    work = command_buffer(device)
    expect(TypeError, r"backward: None, expected", run.encode_bidirectional_sequence, work, x, forward)
    run.encode_bidirectional_sequence(work, x, forward, back)
    finish(work)
    for came, expected in zip((forward, back), run.bidirectional(movie())):
        np.testing.assert_array_equal(values(came), expected)


def test_nothing_is_left(device: pymps.Device) -> None:
    run = image_layer(device)

    def use() -> None:
        work = command_buffer(device)
        x, y = images_of(device, movie()), new_images(device, 4, 5)
        (state,) = run.encode_sequence(work, x, y)
        finish(work)
        assert state.recurrent_output().shape == state.memory_cell_image().shape
        run(movie(), state, store_all_intermediate_states=True)
        run.stream(2, 4, 6).step()

    use()
    size = allocated_size(device)
    for _ in range(10):
        use()
        gc.collect()
    assert_allocated(device, size)
