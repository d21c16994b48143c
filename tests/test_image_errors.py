"""Bad input of every kind for layers of images: a clear exception, and the layer still works."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bad_input import HUGE, Subclass, cases, expect, f32
from command_buffers import command_buffer, finish
from image_models import conv_lstm, image_layer, movie
from models import layer, lstm, sequence

import pymps
from pymps import ConvolutionDescriptor, Image, ImageInferenceLayer, LSTMDescriptor, WeightSource

X = (4, 2, 4, 6, 3)
Y = (4, 2, 4, 6, 5)


@cases(
    ("3-D weights", lambda: WeightSource(f32(5, 3, 3)), ValueError, r"weights: .*\(5, 3, 3\), expected .*\(out, in\)"),
    ("5-D weights", lambda: WeightSource(f32(5, 1, 3, 3, 3)), ValueError, r"weights: .*\(5, 1, 3, 3, 3\)"),
    ("no pixels", lambda: WeightSource(f32(5, 0, 3, 3)), ValueError, r"weights: .*expected .*\(out, kh, kw, in\)"),
    ("float64", lambda: WeightSource(np.ones((5, 3, 3, 3))), TypeError, r"weights: float64 array .*kh, kw"),
    (
        "inputs",
        lambda: setattr(LSTMDescriptor(3, 5), "input_gate_input_weights", WeightSource(f32(5, 3, 3, 4))),
        ValueError,
        r"input_gate_input_weights: weights of shape \(5, 3, 3, 4\), expected \(5, 3\)",
    ),
    (
        "transposed",
        lambda: setattr(LSTMDescriptor(3, 5), "input_gate_input_weights", WeightSource(f32(3, 3, 3, 5))),
        ValueError,
        r"weights of shape \(3, 3, 3, 5\)",
    ),
    (
        "diagonal",
        lambda: setattr(diagonal(), "input_gate_memory_weights", WeightSource(f32(5, 3, 3, 5))),
        ValueError,
        r"weights of shape \(5, 3, 3, 5\), expected \(5,\) \(memory_weights_are_diagonal is True\)",
    ),
    (
        "w_hh",
        lambda: LSTMDescriptor.from_arrays(f32(20, 3, 3, 3), f32(20, 3, 3, 4)),
        ValueError,
        r"w_hh: .*expected .*\(16, kh, kw, 4\)",
    ),
    (
        "w_ih",
        lambda: LSTMDescriptor.from_arrays(f32(19, 3, 3, 3), f32(20, 5)),
        ValueError,
        r"w_ih: .*expected .*\(20, kh, kw, in\)",
    ),
    (
        "peepholes",
        lambda: LSTMDescriptor.from_arrays(f32(20, 3), f32(20, 5), peepholes={"i": f32(5, 3, 3, 4)}),
        ValueError,
        r"peepholes\['i'\]: .*expected .*\(5, kh, kw, 5\)",
    ),
    ("kernel", lambda: ConvolutionDescriptor(3, 5, None, 0), ValueError, r"kernel_width: 0, expected 1 to"),
    ("kernel type", lambda: ConvolutionDescriptor(3, 5, None, 1, 2.0), TypeError, r"kernel_height: float 2.0"),
)
def test_weights(use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use)


def diagonal() -> LSTMDescriptor:
    descriptor = LSTMDescriptor(3, 5)
    descriptor.memory_weights_are_diagonal = True
    return descriptor


@cases(
    ("no device", lambda d: ImageInferenceLayer(None, conv_lstm()), TypeError, r"'device' has incorrect type"),
    ("None", lambda d: ImageInferenceLayer(d, None), TypeError, r"descriptor: None, expected an LSTMDescriptor"),
    ("empty list", lambda d: ImageInferenceLayer(d, []), ValueError, r"descriptor: an empty list"),
    (
        "chain",
        lambda d: ImageInferenceLayer(d, [conv_lstm(3, 5), conv_lstm(4, 2)]),
        ValueError,
        r"descriptors\[1\].input_feature_channels: 4, expected 5",
    ),
    ("too large", lambda d: ImageInferenceLayer(d, LSTMDescriptor(1, (1 << 31) - 1)), ValueError, r"most \d+ bytes"),
    ("windows", lambda d: ImageInferenceLayer(d, crossed()), ValueError, r"expected weights of at most \d+ bytes"),
    (
        "matrices",
        lambda d: pymps.MatrixInferenceLayer(d, conv_lstm()),
        ValueError,
        r"kernel_height, kernel_width: 3 x 2 of matrix_id 3, expected 1 x 1 in a layer of matrices",
    ),
    (
        "archive",
        lambda d: ImageInferenceLayer.from_bytes(d, b"x" * 99),
        ValueError,
        r"data: not the archive of a layer",
    ),
    ("no archive", lambda d: ImageInferenceLayer.from_bytes(d, None), TypeError, r"data: None, expected bytes"),
)
def test_layer(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use, device)


def crossed() -> LSTMDescriptor:
    """Kernels that are small, where a window that holds them both is not."""
    descriptor = LSTMDescriptor(1, 1)
    descriptor.input_gate_input_weights = WeightSource(f32(1, 1, 1 << 20, 1))
    descriptor.forget_gate_input_weights = WeightSource(f32(1, 1 << 20, 1, 1))
    return descriptor


def test_weights_tampered_with(device: pymps.Device) -> None:
    source = WeightSource(f32(5, 3, 3, 3), f32(5))
    descriptor = LSTMDescriptor(3, 5)
    descriptor.input_gate_input_weights = source
    for weights, text in (
        (f32(5, 3, 3), r"input_gate_input_weights: float32 array of shape \(5,\), not what"),
        (f32(2, 3, 3, 3), r"input_gate_input_weights: float32 array of shape \(5,\), not what"),
        (f32(5, 3, 3, 4), r"input_feature_channels: 4, expected 3"),
        (f32(5, 3, 3, 6)[..., ::2], r"not what the WeightSource was made with"),
    ):
        object.__setattr__(source, "weights", weights)
        expect(ValueError, text, ImageInferenceLayer, device, descriptor)


@cases(
    (
        "None",
        None,
        TypeError,
        r"x: None, expected a float32, float16, uint16 or uint8 array of shape \(T, N, H, W, 3\)",
    ),
    ("float64", np.ones(X), TypeError, r"x: float64 array"),
    ("int8", np.ones(X, "i1"), TypeError, r"x: int8 array"),
    ("bool", np.ones(X, bool), TypeError, r"x: bool array"),
    ("byte order", f32(*X).astype(">f4"), TypeError, r"x: >f4 array"),
    ("object", np.ones(X, object), TypeError, r"x: object array"),
    ("masked", np.ma.ones(X, "f"), TypeError, r"x: float32 MaskedArray"),
    ("subclass", np.ones(1, "f8").view(Subclass), TypeError, r"x: float32 Subclass"),
    ("0-d", f32(), ValueError, r"x: float32 array of shape \(\)"),
    ("4-D", f32(*X[1:]), ValueError, r"x: .*\(2, 4, 6, 3\), expected .*\(T, N, H, W, 3\)"),
    ("3-D", f32(4, 2, 3), ValueError, r"x: .*\(4, 2, 3\)"),
    ("6-D", f32(1, *X), ValueError, r"x: .*\(1, 4, 2, 4, 6, 3\)"),
    ("channels", f32(4, 2, 4, 6, 4), ValueError, r"x: .*\(4, 2, 4, 6, 4\), expected .*\(T, N, H, W, 3\)"),
    ("no steps", f32(0, 2, 4, 6, 3), ValueError, r"x: .*each length at least 1"),
    ("no images", f32(4, 0, 4, 6, 3), ValueError, r"x: .*each length at least 1"),
    ("no pixels", f32(4, 2, 4, 0, 3), ValueError, r"x: .*each length at least 1"),
    ("endless", np.broadcast_to(f32(1, 1, 1, 1, 3), (1 << 20, 1 << 10, 1 << 9, 1 << 9, 3)), ValueError, r"bytes"),
    (
        "too wide",
        np.broadcast_to(f32(1, 1, 1, 1, 3), (1, 1, 1, 16385, 3)),
        ValueError,
        r"width: 16385, expected at most",
    ),
    ("too many", f32(1, 1025, 1, 1, 3), ValueError, r"number_of_images: 1025 of 5 channels, expected at most 2048"),
    ("empty list", [], ValueError, r"x: empty, expected at least one step"),
    ("list of None", [None], TypeError, r"x\[0\]: None, expected .*\(N, H, W, 3\)"),
    ("list of 5-D", [f32(*X)], ValueError, r"x\[0\]: .*expected .*\(N, H, W, 3\)"),
    (
        "list sizes",
        [f32(2, 4, 6, 3), f32(2, 6, 4, 3)],
        ValueError,
        r"x\[1\]: shape \(2, 6, 4, 3\), expected \(2, 4, 6, 3\)",
    ),
    ("list shrinks", [f32(2, 4, 6, 3), f32(1, 4, 6, 3)], ValueError, r"x\[1\]: shape \(1, 4, 6, 3\)"),
    ("list dtypes", [f32(2, 4, 6, 3), np.ones((2, 4, 6, 3), "e")], TypeError, r"x\[1\]: float16, expected float32"),
    ("dict", {0: f32(*X)}, TypeError, r"x: dict of length 1"),
)
def test_x(device: pymps.Device, use: object, error: type[Exception], text: str) -> None:
    run = image_layer(device)
    expect(error, text, run, use)
    run(movie())


def test_images_are_for_command_buffers(device: pymps.Device) -> None:
    expect(TypeError, r"x\[0\]: Image, expected", image_layer(device), [device.image(f32(2, 4, 6, 3))])


def read_only(array: Any) -> Any:
    array.flags.writeable = False
    return array


@cases(
    ("list for array", [f32(*Y[1:])] * 4, TypeError, r"out: list of length 4"),
    ("float64", np.ones(Y), TypeError, r"out: float64 array"),
    ("steps", f32(3, *Y[1:]), ValueError, r"out: 3 steps, expected 4, those of x"),
    ("images", f32(4, 1, 4, 6, 5), ValueError, r"out: \(N, H, W\) is \(1, 4, 6\), expected \(2, 4, 6\)"),
    ("turned", f32(4, 2, 6, 4, 5), ValueError, r"out: \(N, H, W\) is \(2, 6, 4\), expected \(2, 4, 6\)"),
    ("channels", f32(*X), ValueError, r"out: .*expected .*\(T, N, H, W, 5\)"),
    ("read-only", read_only(f32(*Y)), ValueError, r"out: read-only, expected a writable array"),
    (
        "repeated",
        np.lib.stride_tricks.as_strided(f32(*Y[1:]), Y, (0, 480, 120, 20, 4)),
        ValueError,
        r"out: elements that",
    ),
    ("meet", np.lib.stride_tricks.as_strided(f32(9999), Y, (960, 480, 120, 16, 4)), ValueError, r"out: elements that"),
)
def test_out(device: pymps.Device, use: object, error: type[Exception], text: str) -> None:
    run = image_layer(device)
    for x in (movie(), device.array(movie())):
        with pytest.raises(error, match=text):
            run(x, out=use)  # type: ignore[call-overload]


@pytest.mark.parametrize("in_place", [True, False])
def test_out_must_not_overlap_x(device: pymps.Device, in_place: bool) -> None:
    run = image_layer(device, 3, 3)
    memory = device.zeros((9, *X[1:])) if in_place else np.zeros((9, *X[1:]), np.float32)
    x = memory[:4]
    for out in (x, memory[3:7], x[::-1], memory[1::2]):
        expect(ValueError, r"out: x and out share memory, expected memory of its own", lambda y: run(x, out=y), out)
    expect(ValueError, r"out: step \d of (x|out) and step \d of", lambda: run([*x], out=[*memory[1:5]]))
    expect(ValueError, r"out: step \d of out and step \d of out", lambda: run([*x], out=[memory[5]] * 4))
    run(x, out=memory[4:8])
    run(memory[:8:2], out=memory[1::2])


@cases(
    ("array", lambda run: f32(2, 4, 6, 5), TypeError, r"state: float32 array .*expected a RecurrentImageState or None"),
    ("of matrices", lambda run: layer(run.device)(sequence())[1], TypeError, r"state: RecurrentState, expected"),
    ("images", lambda run: run(movie(images=1))[1], ValueError, r"is \(1, 4, 6\), expected \(2, 4, 6\)"),
    ("size", lambda run: run(movie(height=6, width=4))[1], ValueError, r"is \(2, 6, 4\), expected \(2, 4, 6\)"),
    ("other layer", lambda run: image_layer(run.device)(movie())[1], ValueError, r"state: of another layer"),
)
def test_state_argument(device: pymps.Device, use: Callable[..., Any], error: type[Exception], text: str) -> None:
    run = image_layer(device)
    expect(error, text, run, movie(), use(run))
    stream = run.stream(2, 4, 6)
    expect(error, text, setattr, stream, "state", use(run))
    assert stream.state is None
    of_matrices = layer(device)
    expect(TypeError, r"state: RecurrentImageState, expected", of_matrices, sequence(), run(movie())[1])


@cases(
    ("nothing", lambda run: run.state(), ValueError, r"h, c: no array, expected at least one, which says how large"),
    ("bare array", lambda run: run.state(f32(2, 4, 6, 5)), TypeError, r"h: float32 array .*expected a list of arrays"),
    ("too many", lambda run: run.state([f32(2, 4, 6, 5)] * 2), ValueError, r"h: 2 arrays, expected 1, one per layer"),
    ("float16", lambda run: run.state([np.ones((2, 4, 6, 5), "e")]), TypeError, r"h\[0\]: float16 array"),
    ("2-D", lambda run: run.state([f32(2, 5)]), ValueError, r"h\[0\]: .*\(2, 5\), expected .*\(N, H, W, 5\)"),
    ("1-D", lambda run: run.state([f32(5)]), ValueError, r"h\[0\]: .*\(5,\), expected .*\(N, H, W, 5\)"),
    ("channels", lambda run: run.state([f32(2, 4, 6, 4)]), ValueError, r"h\[0\]: .*expected .*\(2, 4, 6, 5\)"),
    ("empty", lambda run: run.state([f32(2, 0, 6, 5)]), ValueError, r"h\[0\]: .*expected .*\(N, H, W, 5\)"),
    (
        "sizes differ",
        lambda run: run.state([f32(2, 4, 6, 5)], [f32(2, 6, 4, 5)]),
        ValueError,
        r"c\[0\]: .*\(2, 6, 4, 5\), expected .*\(2, 4, 6, 5\)",
    ),
    ("layer_index", lambda run: run(movie())[1].memory_cell(1), ValueError, r"layer_index: 1, expected 0 to 0"),
    ("image index", lambda run: run(movie())[1].memory_cell_image(-1), ValueError, r"layer_index: -1"),
    ("by hand", lambda run: pymps.RecurrentImageState(), TypeError, r"RecurrentImageState: .*not by a call"),
)
def test_states(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use, image_layer(device))


def test_only_an_lstm_has_a_memory_cell(device: pymps.Device) -> None:
    run = ImageInferenceLayer(device, pymps.SingleGateDescriptor.from_arrays(f32(5, 3, 3, 3), f32(5, 5)))
    _, state = run(movie())
    for read in (state.memory_cell, state.memory_cell_image):
        expect(ValueError, r"layer_index: 0, a layer without a memory cell, expected an LSTM", read)
    expect(ValueError, r"c\[0\]: given for a layer without a memory cell", run.state, None, [f32(2, 4, 6, 5)])


@cases(
    ("images", lambda run: run.stream(0, 4, 6), ValueError, r"number_of_images: 0, expected 1 to"),
    ("height", lambda run: run.stream(1, -1, 6), ValueError, r"height: -1, expected 1 to"),
    ("width", lambda run: run.stream(1, 4, 6.0), TypeError, r"width: float 6.0, expected an int"),
    ("huge", lambda run: run.stream(1, HUGE, 6), ValueError, r"height: 4611686018427387904, expected 1 to"),
    ("too wide", lambda run: run.stream(1, 4, 16385), ValueError, r"width: 16385, expected at most 16384"),
    ("too large", lambda run: run.stream(400, 16384, 16384), ValueError, r"expected at most \d+ bytes"),
    ("of matrices", lambda run: pymps.Stream(run), TypeError, r"'layer' has incorrect type"),
    ("no layer", lambda run: pymps.ImageStream(None), TypeError, r"'layer' has incorrect type"),
    ("other", lambda run: pymps.ImageStream(layer(run.device)), TypeError, r"'layer' has incorrect type"),
)
def test_streams(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use, image_layer(device))


def new_images(device: pymps.Device, steps: int, channels: int, width: int = 6, number: int = 2) -> list[Image]:
    return [Image(device, width, 4, channels, number_of_images=number) for _ in range(steps)]


@cases(
    ("no array", lambda r, w, x, y: r.encode_sequence(w, x, None), TypeError, r"destinations\[?.*None, expected"),
    ("one image", lambda r, w, x, y: r.encode_sequence(w, x[0], y), TypeError, r"sources: Image, expected"),
    (
        "mixed",
        lambda r, w, x, y: r.encode_sequence(w, [*x[:3], x[3].read()], y),
        TypeError,
        r"sources\[3\]: float32 arr",
    ),
    (
        "mixed first",
        lambda r, w, x, y: r.encode_sequence(w, [None, *x], y),
        TypeError,
        r"sources\[0\]: None, expected an",
    ),
    (
        "numpy",
        lambda r, w, x, y: r.encode_sequence(w, movie(), y),
        ValueError,
        r"sources: (memory that no image|arrays)",
    ),
    ("steps", lambda r, w, x, y: r.encode_sequence(w, x, y[:3]), ValueError, r"destinations: 3 steps, expected 4"),
    ("channels", lambda r, w, x, y: r.encode_sequence(w, y, y), ValueError, r"sources\[0\]: an image of shape"),
    (
        "in the end",
        lambda r, w, x, y: r.encode_sequence(w, x, [*y[:3], x[3]]),
        ValueError,
        r"destinations\[3\]: an image",
    ),
    (
        "size",
        lambda r, w, x, y: r.encode_sequence(w, x, new_images(r.device, 4, 5, 7)),
        ValueError,
        r"\(2, 4, 7\), expected",
    ),
    (
        "number",
        lambda r, w, x, y: r.encode_sequence(w, x, new_images(r.device, 4, 5, 6, 1)),
        ValueError,
        r"\(1, 4, 6\), e",
    ),
    (
        "twice",
        lambda r, w, x, y: r.encode_sequence(w, x, [y[0]] * 4),
        ValueError,
        r"destinations\[1\]: shares memory with",
    ),
    ("queue", lambda r, w, x, y: r.encode_sequence(w.queue, x, y), TypeError, r"'command_buffer' has"),
    ("state", lambda r, w, x, y: r.encode_sequence(w, x, y, 3), TypeError, r"state: int 3, expected"),
    ("of state", lambda r, w, x, y: encode_into_state(r, w, x), ValueError, r"destinations\[0\]: read-only, expected"),
    ("all", lambda r, w, x, y: r.encode_sequence(w, x, y, store_all_intermediate_states=1), TypeError, r"store_all"),
    ("temporary", lambda r, w, x, y: r.encode_sequence(w, x, y, states_are_temporary=1), TypeError, r"states_are"),
    ("bidirectional", lambda r, w, x, y: r.encode_bidirectional_sequence(w, x, y, y), ValueError, r"can't run bidir"),
    ("elsewhere", lambda r, w, x, y: encode_foreign(r, w, y), ValueError, r"expected a temporary image of this one"),
    (
        "two steps",
        lambda r, w, x, y: encode_twice(r, w, y),
        ValueError,
        r"sources\[1\]: the temporary image of sources\[0\]",
    ),
)
def test_bad_sequences(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    run, work = image_layer(device), command_buffer(device)
    x, y = [device.image(images) for images in movie()], new_images(device, 4, 5)
    expect(error, text, use, run, work, x, y)
    run.encode_sequence(work, x, y)
    finish(work)
    np.testing.assert_array_equal([image.read() for image in y], run(movie())[0])
    expect(ValueError, r"command buffer is committed", run.encode_sequence, work, x, y)


def encode_into_state(run: ImageInferenceLayer, work: pymps.CommandBuffer, x: list[Image]) -> None:
    run.encode_sequence(work, x[:1], [run(movie())[1].recurrent_output_image()])


def encode_foreign(run: ImageInferenceLayer, work: pymps.CommandBuffer, y: list[Image]) -> None:
    foreign = Image.temporary(command_buffer(run.device), 6, 4, 3, number_of_images=2)
    run.encode_sequence(work, [foreign], y[:1])


def encode_twice(run: ImageInferenceLayer, work: pymps.CommandBuffer, y: list[Image]) -> None:
    run.encode_sequence(work, [Image.temporary(work, 6, 4, 3, number_of_images=2)] * 2, y[:2])


def test_shared_memory(device: pymps.Device) -> None:
    """Images over one buffer: sources may overlap, destinations may not."""
    if not device.has_linear_images:
        pytest.skip("images have memory of their own")
    run, work = image_layer(device, 3, 3), command_buffer(device)
    memory = device.zeros((9, 2, 4, 6, 3))
    flat = memory.reshape(-1)
    size = memory[0].size
    images = [Image.of(part) for part in memory]
    half_a_step = Image.of(flat[size // 2 : size // 2 + size].reshape(memory[0].shape))
    run.encode_sequence(work, [images[0], half_a_step, images[0]], images[2:5])
    for x, y in (([images[1]], [half_a_step]), ([half_a_step], [images[0]]), (images[:2], [images[5], half_a_step])):
        expect(
            ValueError,
            r"destinations\[\d\]: shares memory with (sources|destinations)",
            run.encode_sequence,
            work,
            x,
            y,
        )
    finish(work)


def test_other_devices(device: pymps.Device) -> None:
    """Another handle to the same device is no other device."""
    run = image_layer(device)
    same = pymps.Device(device.backend)
    x, y = [Image.of(images) for images in same.array(movie())], new_images(same, 4, 5)
    work = command_buffer(device)
    run.encode_sequence(work, x, y)
    finish(work)
    np.testing.assert_array_equal([image.read() for image in y], run(movie())[0])


def test_a_layer_of_matrices_is_none_of_images(device: pymps.Device) -> None:
    descriptor = lstm()
    x, _ = pymps.MatrixInferenceLayer(device, descriptor)(sequence())
    expect(ValueError, r"x: .*expected .*\(T, N, H, W, 3\)", ImageInferenceLayer(device, descriptor), sequence())
    assert x.shape == (4, 2, 5)
