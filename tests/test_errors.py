"""Bad input of every kind: a clear exception that names the argument, what came and what was expected."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bad_input import HUGE, Subclass, cases, expect, f32
from models import layer, lstm, sequence

import pymps
from pymps import LSTMDescriptor, MatrixInferenceLayer, WeightSource

# ---- Buffers ----


@cases(
    ("no elements", lambda d: d.empty((0, 5)), ValueError, r"shape: \(0, 5\) .*takes 0 bytes, expected 1 to"),
    ("negative", lambda d: d.empty((-1, 5)), ValueError, r"shape: \(-1, 5\), expected no negative length"),
    ("float", lambda d: d.empty(2.0), TypeError, r"shape: float 2.0, expected an int or a tuple of ints"),
    ("float inside", lambda d: d.zeros((2, 3.0)), TypeError, r"shape: tuple \(2, 3.0\), expected"),
    ("None", lambda d: d.empty(None), TypeError, r"shape: NoneType None, expected"),
    ("str", lambda d: d.empty("3"), TypeError, r"shape: str '3', expected"),
    ("too long", lambda d: d.empty(HUGE), ValueError, r"shape: .*takes 18446744073709551616 bytes, expected 1 to"),
    ("overflow", lambda d: d.empty((1 << 40, 1 << 40)), ValueError, r"shape: .*bytes, expected 1 to"),
    ("beyond C", lambda d: d.empty(1 << 80, "u1"), ValueError, r"shape: .*bytes, expected 1 to"),
    ("beyond device", lambda d: d.empty(d.max_buffer_length + 1, "u1"), ValueError, r"the device's max_buffer_length"),
    ("dtype", lambda d: d.empty(3, "spam"), TypeError, r"dtype: str 'spam', expected a dtype"),
    ("object", lambda d: d.empty(3, object), TypeError, r"dtype: dtype\('O'\), expected one of plain elements"),
    ("object inside", lambda d: d.empty(3, "O,i4"), TypeError, r"dtype: dtype\(.*expected one of plain elements"),
    ("no size", lambda d: d.empty(3, "S0"), TypeError, r"dtype: dtype\('S'\)"),
    ("subarray", lambda d: d.empty(3, "(2,)f4"), TypeError, r"dtype: dtype\("),
    ("array of objects", lambda d: d.array([None]), TypeError, r"dtype: dtype\('O'\)"),
    ("empty array", lambda d: d.array([]), ValueError, r"shape: \(0,\)"),
    ("ragged", lambda d: d.array([[1], [1, 2]]), ValueError, r"inhomogeneous"),
    ("wrap bytes", lambda d: d.wrap(b"x" * 4096), TypeError, r"array: bytes .*expected an ndarray"),
    ("wrap None", lambda d: d.wrap(None), TypeError, r"array: None, expected an ndarray"),
    ("wrap masked", lambda d: d.wrap(np.ma.ones(4096, "u1")), TypeError, r"array: uint8 MaskedArray"),
    ("wrap objects", lambda d: d.wrap(np.empty(512, object)), TypeError, r"array: dtype\('O'\)"),
    ("wrap 0-d", lambda d: d.wrap(np.array(1)), ValueError, r"array: 8 bytes at 0x.*whole pages"),
    ("of list", lambda d: pymps.Buffer.of([1]), TypeError, r"array: list of length 1, expected an ndarray"),
    ("of None", lambda d: pymps.Buffer.of(None), TypeError, r"array: None, expected an ndarray"),
)
def test_buffers(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use, device)


@pytest.mark.parametrize("kind", [pymps.Buffer, pymps.RecurrentState])
def test_handles_are_not_made_by_hand(kind: type) -> None:
    for arguments in [(), (object(),), (None,)]:
        expect(TypeError, r"not by a call", kind, *arguments)
        expect(TypeError, r"not by a call", kind.__new__, kind, *arguments)


# ---- Layers ----


@cases(
    (
        "no device",
        lambda d: MatrixInferenceLayer(None, lstm()),
        TypeError,
        r"'device' has incorrect type .* got NoneType",
    ),
    ("device name", lambda d: MatrixInferenceLayer("portable", lstm()), TypeError, r"'device' has incorrect type"),
    ("None", lambda d: MatrixInferenceLayer(d, None), TypeError, r"descriptor: None, expected an LSTMDescriptor"),
    ("None inside", lambda d: MatrixInferenceLayer(d, [lstm(), None]), TypeError, r"descriptor: None"),
    ("weights", lambda d: MatrixInferenceLayer(d, f32(5, 3)), TypeError, r"descriptor: float32 array"),
    ("empty list", lambda d: MatrixInferenceLayer(d, []), ValueError, r"descriptor: an empty list, expected at least"),
    (
        "chain",
        lambda d: MatrixInferenceLayer(d, [lstm(3, 5), lstm(4, 2)]),
        ValueError,
        r"descriptors\[1\].input_feature_channels: 4, expected 5",
    ),
    ("too large", lambda d: MatrixInferenceLayer(d, LSTMDescriptor(1, (1 << 31) - 1)), ValueError, r"most \d+ bytes"),
    ("nothing", lambda d: MatrixInferenceLayer(), TypeError, r"takes exactly 2 positional arguments"),
)
def test_layer(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use, device)


def test_weights_tampered_with(device: pymps.Device) -> None:
    """Arrays can be changed behind a WeightSource's back: what would be read beyond its end is refused."""
    descriptor = LSTMDescriptor(3, 5)
    source = WeightSource(f32(5, 3), f32(5))
    descriptor.input_gate_input_weights = source
    object.__setattr__(source, "bias", f32(2))
    expect(ValueError, r"input_gate_input_weights: .*\(2,\), not what", MatrixInferenceLayer, device, descriptor)
    object.__setattr__(source, "bias", None)
    object.__setattr__(source, "weights", f32(2, 3))
    expect(ValueError, r"weights.output_feature_channels: 2, expected 5", MatrixInferenceLayer, device, descriptor)
    object.__setattr__(source, "weights", np.ones((5, 3), np.int64))
    expect(ValueError, r"input_gate_input_weights: int64", MatrixInferenceLayer, device, descriptor)


@cases(
    ("None", None, TypeError, r"x: None, expected a float32 or float16 array of shape \(T, B, 3\)"),
    ("str", "x", TypeError, r"x: str 'x', expected"),
    ("int", 3, TypeError, r"x: int 3, expected"),
    ("memoryview", memoryview(f32(4, 2, 3)), TypeError, r"x: memoryview"),
    ("float64", np.ones((4, 2, 3)), TypeError, r"x: float64 array of shape \(4, 2, 3\), expected a float32 or float16"),
    ("int32", np.ones((4, 2, 3), np.int32), TypeError, r"x: int32 array"),
    ("object", np.ones((4, 2, 3), object), TypeError, r"x: object array"),
    ("byte order", f32(4, 2, 3).astype(">f4"), TypeError, r"x: >f4 array of shape"),
    ("masked", np.ma.ones((4, 2, 3), "f"), TypeError, r"x: float32 MaskedArray"),
    ("subclass", np.ones(1, "f8").view(Subclass), TypeError, r"x: float32 Subclass"),
    ("0-d", f32(), ValueError, r"x: float32 array of shape \(\), expected"),
    ("2-D", f32(4, 3), ValueError, r"x: float32 array of shape \(4, 3\), expected"),
    ("4-D", f32(1, 4, 2, 3), ValueError, r"x: float32 array of shape \(1, 4, 2, 3\)"),
    ("features", f32(4, 2, 4), ValueError, r"x: float32 array of shape \(4, 2, 4\), expected .*\(T, B, 3\)"),
    ("no steps", f32(0, 2, 3), ValueError, r"x: .*\(0, 2, 3\).*each length at least 1"),
    ("no rows", f32(4, 0, 3), ValueError, r"x: .*\(4, 0, 3\).*each length at least 1"),
    ("rows not contiguous", f32(4, 2, 6)[..., ::2], ValueError, r"x: strides \(48, 24, 8\), expected contiguous rows"),
    ("rows reversed", f32(4, 2, 3)[..., ::-1], ValueError, r"x: strides \(24, 12, -4\), expected contiguous rows"),
    ("Fortran", np.asfortranarray(f32(4, 2, 3)), ValueError, r"x: strides \(4, 16, 32\)"),
    ("repeated feature", np.broadcast_to(f32(4, 2, 1), (4, 2, 3)), ValueError, r"x: strides \(8, 4, 0\)"),
    ("endless", np.broadcast_to(f32(1, 1, 3), (1 << 40, 1 << 19, 3)), ValueError, r"shape: .*bytes, expected 1 to"),
    ("empty list", [], ValueError, r"x: empty, expected at least one step"),
    ("list of None", [None], TypeError, r"x\[0\]: None, expected a float32 or float16 array of shape \(rows, 3\)"),
    ("list of lists", [[1.0, 2.0, 3.0]], TypeError, r"x\[0\]: list"),
    ("list of 3-D", [f32(4, 2, 3)], ValueError, r"x\[0\]: .*\(4, 2, 3\), expected .*\(rows, 3\)"),
    ("list of 1-D", [f32(3)], ValueError, r"x\[0\]: .*\(3,\)"),
    ("list features", [f32(2, 3), f32(2, 4)], ValueError, r"x\[1\]: .*\(2, 4\), expected .*\(rows, 3\)"),
    ("list rows grow", [f32(2, 3), f32(1, 3), f32(2, 3)], ValueError, r"x\[2\]: 2 rows, expected at most the 1"),
    ("list no rows", [f32(2, 3), f32(0, 3)], ValueError, r"x\[1\]: .*\(0, 3\)"),
    ("list dtypes", [f32(2, 3), np.ones((2, 3), "e")], TypeError, r"x\[1\]: float16, expected float32 as in x\[0\]"),
    ("list strides", [f32(2, 3), f32(2, 6)[:, ::2]], ValueError, r"x\[1\]: strides \(24, 8\)"),
    ("dict", {0: f32(2, 3)}, TypeError, r"x: dict of length 1"),
)
def test_x(device: pymps.Device, use: object, error: type[Exception], text: str) -> None:
    expect(error, text, layer(device), use)


def read_only(array: Any) -> Any:
    array.flags.writeable = False
    return array


@cases(
    ("list for array", [f32(2, 5)] * 4, TypeError, r"out: list of length 4, expected a .*\(T, B, 5\)"),
    ("str", "out", TypeError, r"out: str 'out'"),
    ("float64", np.ones((4, 2, 5)), TypeError, r"out: float64 array"),
    ("other dtype than x", np.ones((4, 2, 5), "e"), TypeError, r"out: float16, expected float32, the dtype of x"),
    ("byte order", np.ones((4, 2, 5), ">f4"), TypeError, r"out: >f4 array"),
    ("steps", f32(3, 2, 5), ValueError, r"out: shape \(3, 2, 5\), expected \(4, 2, 5\)"),
    ("rows", f32(4, 1, 5), ValueError, r"out: shape \(4, 1, 5\), expected \(4, 2, 5\)"),
    ("features", f32(4, 2, 3), ValueError, r"out: .*\(4, 2, 3\), expected .*\(T, B, 5\)"),
    ("read-only", read_only(f32(4, 2, 5)), ValueError, r"out: read-only, expected a writable array"),
    ("rows not contiguous", f32(4, 2, 10)[..., ::2], ValueError, r"out: strides"),
    ("repeated step", np.lib.stride_tricks.as_strided(f32(2, 5), (4, 2, 5), (0, 20, 4)), ValueError, r"out: rows that"),
    ("repeated row", np.lib.stride_tricks.as_strided(f32(4, 5), (4, 2, 5), (20, 0, 4)), ValueError, r"out: rows that"),
    ("rows meet", np.lib.stride_tricks.as_strided(f32(80), (4, 2, 5), (40, 16, 4)), ValueError, r"out: rows that"),
)
def test_out(device: pymps.Device, use: object, error: type[Exception], text: str) -> None:
    run = layer(device)
    for x in (sequence(), device.array(sequence())):
        with pytest.raises(error, match=text):
            run(x, out=use)  # type: ignore[call-overload]


@cases(
    ("array for list", f32(4, 2, 5), TypeError, r"out: float32 array .*expected a list of arrays, as x is"),
    ("too short", [f32(2, 5)] * 3, ValueError, r"out: 3 steps, expected 4, those of x"),
    ("rows", [f32(2, 5)] * 3 + [f32(1, 5)], ValueError, r"out\[3\]: shape \(1, 5\), expected \(2, 5\)"),
    ("same array twice", [f32(2, 5)] * 4, ValueError, r"out: step \d of out and step \d of out share memory"),
    ("read-only", [f32(2, 5), read_only(f32(2, 5)), f32(2, 5), f32(2, 5)], ValueError, r"out\[1\]: read-only"),
    ("None inside", [None] * 4, TypeError, r"out\[0\]: None"),
)
def test_out_of_a_list(device: pymps.Device, use: object, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        layer(device)([*sequence()], out=use)  # type: ignore[arg-type]


@pytest.mark.parametrize("in_place", [True, False])
def test_out_must_not_overlap_x(device: pymps.Device, in_place: bool) -> None:
    run = layer(device, 3, 3)
    memory = device.zeros((9, 2, 3)) if in_place else np.zeros((9, 2, 3), np.float32)
    x = memory[:4]
    for out in (x, memory[3:7], x[::-1], memory[1::2]):
        expect(ValueError, r"out: x and out share memory, expected memory of its own", lambda y: run(x, out=y), out)
    expect(ValueError, r"out: step 0 of (x|out) and step 1 of (x|out)", lambda: run([*x], out=[*memory[1:5]]))
    run(x, out=memory[4:8])
    run([*x], out=[*memory[4:8]])
    run(memory[::2], out=device.zeros((5, 2, 3)))
    run(memory[:8:2], out=memory[1::2])


@cases(
    ("array", lambda run: f32(2, 5), TypeError, r"state: float32 array .*expected a RecurrentState or None"),
    ("stream", lambda run: run.stream(2), TypeError, r"state: Stream"),
    ("list", lambda run: [run(sequence())[1]], TypeError, r"state: list"),
    ("other batch", lambda run: run(sequence(batch=3))[1], ValueError, r"state: 3 rows, expected 2"),
    ("other layer", lambda run: layer(run.device)(sequence())[1], ValueError, r"state: of another layer, expected"),
)
def test_state_argument(device: pymps.Device, use: Callable[..., Any], error: type[Exception], text: str) -> None:
    run = layer(device)
    expect(error, text, run, sequence(), use(run))
    stream = run.stream(2)
    expect(error, text, setattr, stream, "state", use(run))
    assert stream.state is None
    stream.step()


@cases(
    ("nothing", lambda run: run.state(), ValueError, r"h, c: no array, expected at least one"),
    ("Nones", lambda run: run.state([None], [None]), ValueError, r"h, c: no array, expected at least one"),
    ("bare array", lambda run: run.state(f32(2, 5)), TypeError, r"h: float32 array .*expected a list of arrays"),
    ("bare c", lambda run: run.state([f32(2, 5)], f32(2, 5)), TypeError, r"c: float32 array .*expected a list"),
    ("too many", lambda run: run.state([f32(2, 5), f32(2, 5)]), ValueError, r"h: 2 arrays, expected 1, one per layer"),
    ("empty", lambda run: run.state([], [f32(2, 5)]), ValueError, r"h: 0 arrays, expected 1"),
    ("list", lambda run: run.state([[[1.0] * 5]]), TypeError, r"h\[0\]: list .*float32 array of shape \(B, 5\)"),
    ("float64", lambda run: run.state([np.ones((2, 5))]), TypeError, r"h\[0\]: float64 array"),
    ("float16", lambda run: run.state([np.ones((2, 5), "e")]), TypeError, r"h\[0\]: float16 array"),
    ("byte order", lambda run: run.state(c=[f32(2, 5).astype(">f4")]), TypeError, r"c\[0\]: >f4 array"),
    ("1-D", lambda run: run.state([f32(5)]), ValueError, r"h\[0\]: .*\(5,\), expected .*\(B, 5\)"),
    ("features", lambda run: run.state([f32(2, 4)]), ValueError, r"h\[0\]: .*\(2, 4\), expected .*\(2, 5\)"),
    ("no rows", lambda run: run.state([f32(0, 5)]), ValueError, r"h\[0\]: .*\(0, 5\), expected .*\(B, 5\)"),
    ("rows differ", lambda run: run.state([f32(2, 5)], [f32(3, 5)]), ValueError, r"c\[0\]: .*\(3, 5\), .*\(2, 5\)"),
    ("layer_index type", lambda run: run(sequence())[1].memory_cell("0"), TypeError, r"layer_index: str '0', expected"),
    ("layer_index", lambda run: run(sequence())[1].memory_cell(1), ValueError, r"layer_index: 1, expected 0 to 0"),
    ("negative", lambda run: run(sequence())[1].recurrent_output(-1), ValueError, r"layer_index: -1, expected 0 to 0"),
    ("huge", lambda run: run(sequence())[1].recurrent_output(1 << 70), ValueError, r"layer_index: 118059162071741130"),
)
def test_states(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use, layer(device))


@cases(
    ("zero", lambda run: run.stream(0), ValueError, r"batch: 0, expected 1 to"),
    ("negative", lambda run: run.stream(-1), ValueError, r"batch: -1, expected 1 to"),
    ("float", lambda run: run.stream(1.0), TypeError, r"batch: float 1.0, expected an int"),
    ("None", lambda run: run.stream(batch=None), TypeError, r"batch: None, expected an int"),
    ("too many", lambda run: run.stream(HUGE), ValueError, r"batch: 4611686018427387904, expected 1 to"),
    ("beyond device", lambda run: run.stream((1 << 31) - 1), ValueError, r"rows: 2147483647 .*expected at most"),
    ("no layer", lambda run: pymps.Stream(None), TypeError, r"'layer' has incorrect type .* got NoneType"),
    ("other layer", lambda run: pymps.Stream(lstm()), TypeError, r"'layer' has incorrect type"),
    ("store_all", lambda run: run(sequence(), store_all_intermediate_states=1), TypeError, r"store_all_.*: int 1"),
    ("positional out", lambda run: run(sequence(), None, f32(4, 2, 5)), TypeError, r"positional"),
)
def test_streams_and_calls(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use, layer(device))


def test_a_layer_works_after_errors(device: pymps.Device) -> None:
    run = layer(device)
    expected, _ = run(sequence())
    for bad in (None, f32(4, 2, 4), np.ones((4, 2, 3)), [f32(1, 3), f32(2, 3)]):
        with pytest.raises((TypeError, ValueError)):
            run(bad)
    np.testing.assert_array_equal(run(sequence())[0], expected)


def test_command_buffer_error_has_a_code() -> None:
    error = pymps.CommandBufferError("the device was lost", 11)
    assert (str(error), error.code) == ("the device was lost", 11)
    assert isinstance(error, RuntimeError)
    assert issubclass(pymps.DeviceError, RuntimeError)
