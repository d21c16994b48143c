"""Bidirectional runs: what goes in and comes out, in which memory, and what is refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bad_input import cases, expect, f32
from models import lstm, sequence
from test_zero_copy import Copies

import pymps
from pymps import MatrixInferenceLayer, RNNBidirectionalCombineMode, RNNSequenceDirection

NONE, ADD, CONCATENATE = RNNBidirectionalCombineMode


def backward(descriptor: Any) -> Any:
    descriptor.layer_sequence_direction = RNNSequenceDirection.BACKWARD
    return descriptor


def both(device: pymps.Device, outputs: int = 5, backward_outputs: int = 5, mode: Any = NONE) -> MatrixInferenceLayer:
    run = MatrixInferenceLayer(device, [lstm(3, outputs), backward(lstm(3, backward_outputs, seed=1))])
    run.bidirectional_combine_mode = mode
    return run


def one_by_one(device: pymps.Device, x: Any, outputs: int = 5, backward_outputs: int = 5) -> tuple[Any, Any]:
    """The same by two layers that run forward."""
    forward, _ = MatrixInferenceLayer(device, lstm(3, outputs))(x)
    reverse, _ = MatrixInferenceLayer(device, lstm(3, backward_outputs, seed=1))(x[::-1])
    return forward, reverse[::-1]


# ---- Results ----


def test_none_gives_two_results(device: pymps.Device) -> None:
    x = sequence()
    y, backward_y = both(device, 5, 4).bidirectional(x)
    expected = one_by_one(device, x, 5, 4)
    np.testing.assert_allclose(y, expected[0], rtol=1e-5, atol=2e-6)
    np.testing.assert_allclose(backward_y, expected[1], rtol=1e-5, atol=2e-6)
    assert (y.shape, backward_y.shape, y.dtype) == ((4, 2, 5), (4, 2, 4), np.float32)


def test_add_and_concatenate_give_one(device: pymps.Device) -> None:
    x = sequence()
    y, backward_y = both(device).bidirectional(x)
    added = both(device, mode=ADD).bidirectional(x)
    np.testing.assert_allclose(added, y + backward_y, rtol=1e-5, atol=2e-6)
    joined = both(device, 5, 4, mode=CONCATENATE).bidirectional(x)
    assert joined.shape == (4, 2, 9)
    np.testing.assert_array_equal(joined[..., :5], both(device, 5, 4).bidirectional(x)[0])
    np.testing.assert_array_equal(joined[..., 5:], both(device, 5, 4).bidirectional(x)[1])


def test_the_mode_is_a_property(device: pymps.Device) -> None:
    run = both(device)
    assert run.bidirectional_combine_mode is NONE
    for mode, arrays in ((ADD, 1), (CONCATENATE, 1), (NONE, 2)):
        run.bidirectional_combine_mode = int(mode)  # type: ignore[assignment]
        assert run.bidirectional_combine_mode is mode
        result = run.bidirectional(sequence())
        assert isinstance(result, tuple) == (arrays == 2)
    for value, error, text in (
        (3, ValueError, r"bidirectional_combine_mode: 3, expected NONE \(0\), ADD \(1\) or CONCATENATE \(2\)"),
        ("ADD", TypeError, r"bidirectional_combine_mode: str 'ADD', expected an RNNBidirectionalCombineMode"),
        (None, TypeError, r"bidirectional_combine_mode: None"),
    ):
        expect(error, text, setattr, run, "bidirectional_combine_mode", value)
    assert run.bidirectional_combine_mode is NONE


def test_float16(device: pymps.Device) -> None:
    x = sequence().astype(np.float16)
    y, backward_y = both(device).bidirectional(x)
    assert y.dtype == backward_y.dtype == np.float16
    expected = both(device).bidirectional(x.astype(np.float32))
    np.testing.assert_allclose(backward_y, expected[1], atol=2e-3)


def test_lists(device: pymps.Device) -> None:
    """Sequences of different lengths: each ends with its own last row, both ways."""
    x = sequence(steps=3, batch=3)
    steps = [x[0], x[1, :2], x[2, :1]]
    for mode in (NONE, ADD, CONCATENATE):
        run = both(device, mode=mode)
        result = run.bidirectional(steps)
        for index, parts in enumerate(result if mode is NONE else [result]):
            assert [part.shape[0] for part in parts] == [3, 2, 1]
            for row in range(3):
                alone = run.bidirectional(x[: 3 - row, row : row + 1])
                wanted = alone[index] if mode is NONE else alone
                got = np.stack([parts[t][row] for t in range(3 - row)])
                np.testing.assert_allclose(got, wanted[:, 0], rtol=1e-5, atol=2e-6)


def test_out_is_written_and_returned(device: pymps.Device) -> None:
    expected = both(device).bidirectional(sequence())
    for make in (device.zeros, np.zeros):
        out, backward_out = make((4, 2, 5), "f4"), make((4, 2, 5), "f4")
        result = both(device).bidirectional(sequence(), out=out, backward_out=backward_out)
        assert result[0] is out
        assert result[1] is backward_out
        np.testing.assert_array_equal(result, expected)
        only = both(device).bidirectional(sequence(), backward_out=backward_out)
        assert only[1] is backward_out
        np.testing.assert_array_equal(only[0], expected[0])
    joined = np.zeros((4, 2, 10), np.float32)
    assert both(device, mode=CONCATENATE).bidirectional(sequence(), out=joined) is joined
    np.testing.assert_array_equal(joined, np.concatenate(expected, axis=2))


def test_a_chain_runs_both_ways_of_being_called(device: pymps.Device) -> None:
    """Direction counts in bidirectional runs alone."""
    run = MatrixInferenceLayer(device, [lstm(3, 3), backward(lstm(3, 3, seed=1))])
    chain = MatrixInferenceLayer(device, [lstm(3, 3), lstm(3, 3, seed=1)])
    np.testing.assert_array_equal(run(sequence())[0], chain(sequence())[0])
    y, backward_y = run.bidirectional(sequence())
    expected = one_by_one(device, sequence(), 3, 3)
    np.testing.assert_allclose(y, expected[0], rtol=1e-5, atol=2e-6)
    np.testing.assert_allclose(backward_y, expected[1], rtol=1e-5, atol=2e-6)


# ---- Memory ----


@pytest.mark.parametrize("mode", [NONE, ADD, CONCATENATE])
def test_nothing_is_copied_in_device_memory(device: pymps.Device, monkeypatch: pytest.MonkeyPatch, mode: Any) -> None:
    copies = Copies(monkeypatch)
    run = both(device, mode=mode)
    frame = device.zeros((4, 2, 3 + 10 + 10))
    frame[..., :3] = sequence()
    out = frame[..., 3 : 13 if mode is CONCATENATE else 8]
    backward_out = {"backward_out": frame[..., 13:18]} if mode is NONE else {}
    result = run.bidirectional(frame[..., :3], out=out, **backward_out)
    assert copies.count == 0
    np.testing.assert_array_equal(np.stack(result), np.stack(run.bidirectional(sequence())))


def test_what_lies_elsewhere_is_copied_once(device: pymps.Device, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = Copies(monkeypatch)
    run = both(device)
    run.bidirectional(sequence(), out=f32(4, 2, 5), backward_out=f32(4, 2, 5))
    assert copies.count == 3
    run.bidirectional(sequence())
    assert copies.count == 4


# ---- Errors ----


@cases(
    ("no steps", lambda run: run.bidirectional(f32(0, 2, 3)), ValueError, r"x: .*\(0, 2, 3\).*at least 1"),
    ("features", lambda run: run.bidirectional(f32(4, 2, 4)), ValueError, r"x: .*\(4, 2, 4\), expected"),
    ("float64", lambda run: run.bidirectional(np.ones((4, 2, 3))), TypeError, r"x: float64 array"),
    ("rows grow", lambda run: run.bidirectional([f32(1, 3), f32(2, 3)]), ValueError, r"x\[1\]: 2 rows, expected"),
    ("out", lambda run: run.bidirectional(f32(4, 2, 3), out=f32(4, 2, 10)), ValueError, r"out: .*\(4, 2, 10\)"),
    (
        "backward_out",
        lambda run: run.bidirectional(f32(4, 2, 3), backward_out=f32(3, 2, 4)),
        ValueError,
        r"backward_out: shape \(3, 2, 4\), expected \(4, 2, 4\)",
    ),
    (
        "swapped",
        lambda run: run.bidirectional(f32(4, 2, 3), out=f32(4, 2, 4), backward_out=f32(4, 2, 5)),
        ValueError,
        r"out: .*\(4, 2, 4\), expected .*\(T, B, 5\)",
    ),
    (
        "out dtype",
        lambda run: run.bidirectional(f32(4, 2, 3), backward_out=f32(4, 2, 4).astype("e")),
        TypeError,
        r"backward_out: float16, expected float32, the dtype of x",
    ),
    ("positional", lambda run: run.bidirectional(f32(4, 2, 3), f32(4, 2, 5)), TypeError, r"positional"),
    ("call", lambda run: run(f32(4, 2, 3)), ValueError, r"the stack is for bidirectional runs alone, expected"),
    ("stream", lambda run: run.stream(), ValueError, r"the stack is for bidirectional runs alone"),
    ("state", lambda run: run.state([f32(2, 5), None]), ValueError, r"the stack is for bidirectional runs alone"),
)
def test_errors(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use, both(device, 5, 4))


def test_backward_out_is_for_none_alone(device: pymps.Device) -> None:
    run = both(device)
    for mode in (ADD, CONCATENATE):
        run.bidirectional_combine_mode = mode
        text = rf"backward_out: float32 array .*expected None where the combine mode is {mode.name}"
        expect(ValueError, text, lambda: run.bidirectional(sequence(), backward_out=f32(4, 2, 5)))


def test_add_wants_equal_channels(device: pymps.Device) -> None:
    run = both(device, 5, 4, mode=ADD)
    expect(ValueError, r"bidirectional_combine_mode: ADD for 5 forward and 4 backward", run.bidirectional, sequence())


@pytest.mark.parametrize("descriptors", [[lstm()], [backward(lstm())], [lstm(3, 4), lstm(4, 5)]])
def test_one_direction_is_not_enough(device: pymps.Device, descriptors: Any) -> None:
    run = MatrixInferenceLayer(device, descriptors)
    expect(ValueError, r"the stack can't run bidirectionally, expected forward and", run.bidirectional, sequence())


def test_stacks_that_run_neither_way(device: pymps.Device) -> None:
    for descriptors in (
        [lstm(3, 5), backward(lstm(4, 5))],
        [lstm(3, 5), backward(lstm(3, 5)), lstm(4, 5)],
    ):
        with pytest.raises(ValueError, match=r"descriptors\[\d\]|descriptors"):
            MatrixInferenceLayer(device, descriptors)


@pytest.mark.parametrize("in_place", [True, False])
def test_destinations_share_no_memory(device: pymps.Device, in_place: bool) -> None:
    memory = device.zeros((12, 2, 5)) if in_place else np.zeros((12, 2, 5), np.float32)
    run = MatrixInferenceLayer(device, [lstm(5, 5), backward(lstm(5, 5))])
    x = memory[:4]
    for out, backward_out, text in (
        (memory[2:6], memory[6:10], r"out: x and out share memory"),
        (memory[4:8], memory[3:7], r"backward_out: (x|out) and backward_out share memory"),
        (memory[4:8], memory[4:8], r"backward_out: out and backward_out share memory"),
    ):
        expect(ValueError, text, lambda y, b: run.bidirectional(x, out=y, backward_out=b), out, backward_out)
        steps = r"step \d of \w+ and step \d of \w+ share memory"
        expect(
            ValueError, steps,
            lambda y, b: run.bidirectional([*x], out=[*y], backward_out=[*b]), out, backward_out,
        )  # fmt: skip
    run.bidirectional(x, out=memory[4:8], backward_out=memory[8:])


# ---- On a command buffer ----


@pytest.mark.parametrize("mode", [NONE, ADD, CONCATENATE])
def test_encode(device: pymps.Device, mode: Any) -> None:
    run = both(device, mode=mode)
    x = device.array(sequence())
    destinations = [device.zeros((4, 2, 10 if mode is CONCATENATE else 5)) for _ in range(2 if mode is NONE else 1)]
    command_buffer = device.new_command_queue().command_buffer()
    run.encode_bidirectional_sequence(command_buffer, x, *destinations)
    assert not any(array.any() for array in destinations)
    command_buffer.commit()
    command_buffer.wait_until_completed()
    expected = run.bidirectional(sequence())
    np.testing.assert_array_equal(np.stack(destinations), np.stack(expected if mode is NONE else [expected]))


def test_encode_errors(device: pymps.Device) -> None:
    run = both(device)
    command_buffer = device.new_command_queue().command_buffer()
    x, y, z = device.array(sequence()), device.zeros((4, 2, 5)), device.zeros((4, 2, 5))
    for arguments, error, text in (
        ((x, y), TypeError, r"backward: None, expected an array or a list of arrays"),
        ((x, None, z), TypeError, r"forward: None, expected"),
        ((x, y, y), ValueError, r"backward: forward and backward share memory"),
        ((sequence(), y, z), ValueError, r"sources: memory that no matrix in a buffer of the device describes"),
        ((x, f32(4, 2, 5), z), ValueError, r"forward: memory that no matrix"),
        ((x, y, f32(4, 2, 5)), ValueError, r"backward: memory that no matrix"),
        ((x, y, device.zeros((4, 2, 4))), ValueError, r"backward: .*\(4, 2, 4\), expected"),
        (([*x], [*y], [*f32(4, 2, 5)]), ValueError, r"backward\[0\]: memory that no matrix"),
    ):
        expect(error, text, run.encode_bidirectional_sequence, command_buffer, *arguments)
    expect(TypeError, r"command_buffer", run.encode_bidirectional_sequence, None, x, y, z)
    run.bidirectional_combine_mode = ADD
    expect(ValueError, r"backward: .*expected None", run.encode_bidirectional_sequence, command_buffer, x, y, z)
    run.encode_bidirectional_sequence(command_buffer, x, y)
    command_buffer.commit()
    expect(ValueError, r"command buffer is committed", run.encode_bidirectional_sequence, command_buffer, x, y)
    command_buffer.wait_until_completed()
