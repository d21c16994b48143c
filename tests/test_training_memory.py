"""Arrays in buffers of the device are used in place by training layers, others by way of one copy."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bad_input import expect, f32
from copies import Copies
from models import Float32, allocated_size, assert_allocated, lstm, run_child, sequence
from test_zero_copy import strided
from training_models import training_layer

import pymps
from pymps import MatrixId

WI = MatrixId.LSTM_INPUT_GATE_INPUT_WEIGHTS
UI = MatrixId.LSTM_INPUT_GATE_RECURRENT_WEIGHTS


def dy_sequence() -> Float32:
    return sequence(features=5, seed=6)


def results(layer: pymps.MatrixTrainingLayer, x: Any, dy: Any, **options: Any) -> tuple[Any, Any, Any]:
    """y, dx and the gradients of W and U of a gate."""
    y, tape = layer.forward(x)
    dx, gradients = layer.gradient(tape, dy, **options)
    return np.array(y), np.array(dx), (gradients[WI], gradients[UI])


def assert_same(found: tuple[Any, Any, Any], expected: tuple[Any, Any, Any]) -> None:
    for one, other in zip((*found[:2], *found[2]), (*expected[:2], *expected[2])):
        np.testing.assert_array_equal(one, other)


# ---- In place ----


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_arrays_outside_are_copied_once(device: pymps.Device, dtype: type, copies: Copies) -> None:
    layer = training_layer(device)
    x, dy = sequence().astype(dtype), dy_sequence().astype(dtype)
    _, tape = layer.forward(x)
    assert copies.count == 1
    layer.gradient(tape, dy)
    assert copies.count == 2
    out, dx = np.empty((4, 2, 5), dtype), np.empty((4, 2, 3), dtype)
    _, tape = layer.forward(device.array(x), out=out)
    assert copies.count == 3
    layer.gradient(tape, device.array(dy), source_gradient=dx)
    assert copies.count == 4
    expected_y, expected_tape = layer.forward(device.array(x))
    np.testing.assert_array_equal(out, expected_y)
    np.testing.assert_array_equal(dx, layer.gradient(expected_tape, device.array(dy))[0])
    assert copies.count == 4


def test_layouts_are_read_in_place(device: pymps.Device, copies: Copies) -> None:
    layer = training_layer(device)
    expected = results(layer, sequence(), dy_sequence())
    copies.count = 0
    for x, dy in zip(strided(device, sequence()), strided(device, dy_sequence())[::-1]):
        assert_same(results(layer, x, dy), expected)
        assert_same(results(layer, [*x], [*dy]), expected)
    assert copies.count == 0


def test_layouts_are_written_in_place(device: pymps.Device, copies: Copies) -> None:
    layer = training_layer(device)
    x, dy = device.array(sequence()), device.array(dy_sequence())
    y, tape = layer.forward(x)
    expected, _ = layer.gradient(tape, dy)
    for out, dx in zip(strided(device, 0 * y), strided(device, 0 * expected)):
        _, tape = layer.forward(x, out=out)
        layer.gradient(tape, dy, source_gradient=dx)
        np.testing.assert_array_equal(out, y)
        np.testing.assert_array_equal(dx, expected)
    assert copies.count == 0


def test_neighbours_stay_as_they_are(device: pymps.Device) -> None:
    layer = training_layer(device)
    frame = device.zeros((6, 4, 15))
    frame[:] = -1
    out, dx = frame[1:5, 1:3, 2:7], frame[1:5, 1:3, 9:12]
    _, tape = layer.forward(sequence(), out=out)
    layer.gradient(tape, dy_sequence(), source_gradient=dx)
    assert (out != -1).all()
    assert (dx != -1).all()
    out[...] = dx[...] = -1
    assert (frame == -1).all()


def test_everything_in_one_buffer(device: pymps.Device, copies: Copies) -> None:
    """Features of x, y, dy and dx beside each other."""
    layer = training_layer(device)
    whole = device.zeros((4, 2, 16))
    x, y, dy, dx = whole[..., :3], whole[..., 3:8], whole[..., 8:13], whole[..., 13:]
    x[...], dy[...] = sequence(), dy_sequence()
    copies.count = 0
    _, tape = layer.forward(x, out=y)
    layer.gradient(tape, dy, source_gradient=dx)
    assert copies.count == 0
    np.testing.assert_array_equal(x, sequence())
    np.testing.assert_array_equal(dy, dy_sequence())
    expected_y, expected_dx, _ = results(layer, sequence(), dy_sequence())
    np.testing.assert_array_equal(y, expected_y)
    np.testing.assert_array_equal(dx, expected_dx)


def test_x_in_a_buffer_is_the_tapes(device: pymps.Device) -> None:
    """So its numbers must stay; those of any other array may change: the tape has a copy."""
    layer = training_layer(device)
    _, _, (expected, _) = results(layer, sequence(), dy_sequence())
    for x, is_copied in [(sequence(), True), (device.array(sequence()), False)]:
        _, tape = layer.forward(x)
        x[...] = 0
        _, gradients = layer.gradient(tape, dy_sequence())
        if is_copied:
            np.testing.assert_array_equal(gradients[WI], expected)
        else:
            assert not gradients[WI].any()
            assert gradients[MatrixId.LSTM_INPUT_GATE_BIAS_TERMS].any()


def test_results_are_in_buffers(device: pymps.Device) -> None:
    layer = training_layer(device)
    y, tape = layer.forward(sequence())
    dx, gradients = layer.gradient(tape, dy_sequence())
    for array in (y, dx, gradients[WI], layer.weights[WI]):
        buffer = pymps.Buffer.of(array)
        assert buffer.device == device
        assert np.shares_memory(array.reshape(-1).view(np.uint8), np.asarray(buffer.contents))
    ys, tape = layer.forward([*sequence()])
    dxs, _ = layer.gradient(tape, [*dy_sequence()])
    for arrays in (ys, dxs):
        assert all(pymps.Buffer.of(array) is pymps.Buffer.of(arrays[0]) for array in arrays)


def test_y_goes_on_as_dy_and_x(device: pymps.Device, copies: Copies) -> None:
    """What one call returns is taken in place by the next."""
    first, second = training_layer(device, 3, 5), training_layer(device, 5, 4)
    x = device.array(sequence())
    h, tape = first.forward(x)
    y, upper = second.forward(h)
    dh, _ = second.gradient(upper, y)
    dx, _ = first.gradient(tape, dh)
    assert copies.count == 0
    copied_h, copied_tape = first.forward(x.copy())
    copied_y, copied_upper = second.forward(copied_h.copy())
    copied_dh, _ = second.gradient(copied_upper, copied_y.copy())
    np.testing.assert_array_equal(dx, first.gradient(copied_tape, copied_dh.copy())[0])


def test_repeated_and_read_only_steps(device: pymps.Device, copies: Copies) -> None:
    """Of the same memory at every step, as a dL/dy may have it that is the same everywhere."""
    layer = training_layer(device)
    x, dy = device.array(sequence(1)), device.array(dy_sequence()[:1])
    repeated_x, repeated_dy = np.broadcast_to(x, (4, 2, 3)), np.broadcast_to(dy, (4, 2, 5))
    found = results(layer, repeated_x, repeated_dy)
    assert copies.count == 0
    assert_same(found, results(layer, repeated_x.copy(), repeated_dy.copy()))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda array: array[:, ::-1].copy()[:, ::-1], id="rows turned around"),
        pytest.param(lambda array: np.asfortranarray(array.transpose(2, 0, 1)).transpose(1, 2, 0), id="copied axes"),
        pytest.param(lambda array: unaligned(array), id="unaligned"),
    ],
)
def test_any_layout_outside(device: pymps.Device, change: Callable[[Float32], Float32]) -> None:
    layer = training_layer(device)
    x, dy = change(sequence()), change(dy_sequence())
    assert_same(results(layer, x, dy), results(layer, sequence(), dy_sequence()))


def unaligned(array: Float32) -> Float32:
    moved = np.empty(array.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(array.shape)
    moved[...] = array
    return moved


def test_overlaps(device: pymps.Device) -> None:
    layer = training_layer(device, 5, 5)
    whole = device.zeros((5, 2, 5))
    _, tape = layer.forward(whole[:4])
    text = "share memory, expected memory of its own"
    expect(ValueError, text, lambda: layer.forward(whole[:4], out=whole[1:]))
    expect(ValueError, text, lambda: layer.gradient(tape, f32(4, 2, 5), source_gradient=whole[1:]))
    other = np.zeros((5, 2, 5), np.float32)
    expect(ValueError, text, lambda: layer.forward(other[:4], out=other[1:]))
    expect(ValueError, text, lambda: layer.gradient(tape, other[:4], source_gradient=other[1:]))
    rows_meet = np.lib.stride_tricks.as_strided(device.zeros(100), (4, 2, 5), (40, 8, 4))
    expect(ValueError, "rows that share memory", lambda: layer.forward(f32(4, 2, 5), out=rows_meet))
    assert not whole.any()


# ---- How much ----


def test_staging_memory_is_reused(device: pymps.Device) -> None:
    layer = training_layer(device)
    x, dy = sequence(100, 50), sequence(100, 50, 5)
    out, dx, gradients = np.empty_like(dy), np.empty_like(x), layer.weight_gradients()

    def use(steps: int) -> None:
        _, tape = layer.forward(x[:steps], out=out[:steps])
        layer.gradient(tape, dy[:steps], source_gradient=dx[:steps], weight_gradients=gradients)

    def use_both() -> None:
        use(100)
        use(7)

    use_both()
    size = allocated_size(device)
    for _ in range(5):
        use_both()
    assert_allocated(device, size)


def test_a_tape_takes_memory_for_its_steps_alone(device: pymps.Device) -> None:
    x, out = device.array(sequence(40, 32, 8)), device.empty((40, 32, 64))

    def size_of_tape(steps: int) -> int:
        layer = pymps.MatrixTrainingLayer(device, lstm(8, 64))
        before = allocated_size(device)
        _, tape = layer.forward(x[:steps], out=out[:steps])
        assert len(tape) == steps
        return allocated_size(device) - before

    long, short = size_of_tape(40), size_of_tape(10)
    assert long <= 40 * 32 * 64 * 4 * 10  # at most ten numbers for each output
    assert 0 < short < long / 2


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="the limit is Linux's")
def test_a_pass_that_fails() -> None:
    """For want of memory at run time: an error wherever its results are asked for, and the next pass runs."""
    run_child("""
import os, resource, numpy as np, pymps
device = pymps.Device("portable")
outputs, rows = 1 << 8, 1 << 12
weights = np.ones((4 * outputs, 1), np.float32), np.ones((4 * outputs, outputs), np.float32)
layer = pymps.MatrixTrainingLayer(device, pymps.LSTMDescriptor.from_arrays(*weights))
x, y, dy = device.zeros((1, rows, 1)), device.zeros((1, rows, outputs)), device.zeros((1, rows, outputs))
before = dict(layer.weights)
gradients = layer.weight_gradients()
queue = device.new_command_queue()
warm, work = queue.command_buffer(), queue.command_buffer()
warm.commit()
warm.wait_until_completed()
tape = layer.encode_forward_sequence(work, x, y)
(state,) = layer.encode_gradient_sequence(work, tape, dy, weight_gradients=gradients)
limits = resource.getrlimit(resource.RLIMIT_AS)
size = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGESIZE")
resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 20), limits[1]))
work.commit()
failures = []
for use in (
    work.wait_until_completed,
    tape.state.recurrent_output,
    state.memory_cell,
    lambda: layer.gradient(tape, dy),
    lambda: layer.forward(x, tape.state),
):
    try:
        use()
    except pymps.CommandBufferError as error:
        failures.append(error.code)
resource.setrlimit(resource.RLIMIT_AS, limits)
assert failures == [8] * 5, failures
again, tape = layer.forward(x)
layer.gradient(tape, dy)
assert all((array == before[name]).all() for name, array in layer.weights.items())
""")
