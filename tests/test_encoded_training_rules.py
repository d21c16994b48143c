"""What of training lives on one command buffer alone, and what encoding refuses: then nothing is written or spoiled."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from autograd import Problem, gradients
from bad_input import cases, expect, f32
from command_buffers import command_buffer, finish
from models import sequence
from training_models import assert_solved, matrix_id, named_gradients, training_layer
from training_runs import prepared, problem

import pymps
from pymps import MatrixId

# ---- What lives on one command buffer alone ----


def test_a_temporary_tape(device: pymps.Device) -> None:
    run, queue = prepared(device, problem()), device.new_command_queue()
    work, other = queue.command_buffer(), queue.command_buffer()
    weight_gradients = run.layer.weight_gradients()
    tape = run.forward(work, tape_is_temporary=True)
    assert (tape.is_temporary, tape[1:].is_temporary, tape.state.is_temporary) == (True, True, False)
    elsewhere = r"tape: temporary, expected use on the command buffer that makes it alone"
    expect(ValueError, elsewhere, run.layer.gradient, tape, run.dy)
    expect(ValueError, elsewhere, run.gradient, other, tape)
    run.gradient(work, tape, weight_gradients=weight_gradients)
    before = tape.state_gradient
    used = r"tape: temporary, and the gradient of step \d is encoded already, expected to be used once"
    expect(ValueError, used, run.gradient, work, tape)
    expect(ValueError, used, run.layer.encode_gradient_sequence, work, tape[3:], run.dy[3:])
    assert tape.state_gradient is before
    finish(work)
    expect(ValueError, elsewhere, run.layer.gradient, tape, run.dy)
    assert_solved(run.found(tape, weight_gradients), run.problem)


def rest_of(problem: Problem, first: int) -> Problem:
    """From a step on, from the state that those before it leave, for the rows that are left."""
    before = replace(problem, x=problem.x[:first], dy=problem.dy[:first])
    left, exact = len(problem.x[first]), gradients(before)
    states = {"h0": exact.h1, "c0": exact.c1, "dh1": problem.dh1, "dc1": problem.dc1}
    return replace(
        problem,
        x=problem.x[first:],
        dy=problem.dy[first:],
        **{name: array[:left].astype(np.float32) for name, array in states.items()},
    )


def test_each_step_of_a_temporary_tape_once(device: pymps.Device) -> None:
    run, work = prepared(device, problem()), command_buffer(device)
    layer, weight_gradients = run.layer, run.layer.weight_gradients()
    tape = run.forward(work, tape_is_temporary=True)
    end = layer.state_gradient(run.problem.dh1[:1], run.problem.dc1[:1])  # of the row that the last step has
    (middle,) = layer.encode_gradient_sequence(
        work, tape[3:], run.dy[3:], run.dx[3:], state_gradient=end, weight_gradients=weight_gradients
    )
    used = r"tape: temporary, and the gradient of step 3 is encoded already"
    expect(ValueError, used, layer.encode_gradient_sequence, work, tape, run.dy)
    layer.encode_gradient_sequence(work, tape[1:3], run.dy[1:3])
    layer.encode_gradient_sequence(work, tape[:1], run.dy[:1])
    finish(work)
    exact = gradients(rest_of(run.problem, 3))
    np.testing.assert_allclose(run.dx[3], exact.dx[0], rtol=0, atol=5e-6)
    np.testing.assert_allclose(middle.recurrent_output(), exact.dh0, rtol=0, atol=5e-6)
    for name, array in named_gradients(weight_gradients, run.problem.layer).items():
        np.testing.assert_allclose(array, exact.weights[name], rtol=0, atol=1e-5)


def test_temporary_states_are_counted(device: pymps.Device) -> None:
    run, work = prepared(device, problem(rows=(3, 3))), command_buffer(device)
    layer = run.layer
    tape = run.forward(work, states_are_temporary=True)
    (state,) = run.gradient(work, tape, states_are_temporary=True)
    for one in (tape.state, state):
        assert (one.is_temporary, one.read_count) == (True, 1)
        one.read_count = 2
    again = layer.encode_forward_sequence(work, run.x, run.y, tape.state)
    layer.encode_gradient_sequence(work, again, run.dy, state_gradient=state)
    assert (tape.state.read_count, state.read_count) == (1, 1)
    layer.encode_forward_sequence(work, run.x, run.y, tape.state)
    layer.encode_gradient_sequence(work, again, run.dy, state_gradient=state)
    assert (tape.state.read_count, state.read_count) == (0, 0)
    final = r"state: temporary with a read count of 0, expected at least 1"
    expect(ValueError, final, layer.encode_forward_sequence, work, run.x, run.y, tape.state)
    expect(ValueError, final, lambda: layer.encode_gradient_sequence(work, again, run.dy, state_gradient=state))
    other = command_buffer(device)
    expect(ValueError, r"state: temporary", layer.encode_forward_sequence, other, run.x, run.y, tape.state)
    expect(ValueError, r"state: temporary", layer.forward, run.x, tape.state)
    finish(work)


def test_temporary_gradients(device: pymps.Device) -> None:
    run, queue = prepared(device, problem()), device.new_command_queue()
    work, other = queue.command_buffer(), queue.command_buffer()
    layer, sgd = run.layer, pymps.StochasticGradientDescent(run.layer, 0.5)
    before = {name: array.copy() for name, array in layer.weights.items()}
    weight_gradients = layer.weight_gradients(np.float16, work)
    assert (weight_gradients.is_temporary, weight_gradients.dtype) == (True, np.float16)
    assert set(weight_gradients) == set(layer.matrix_ids)
    name = layer.matrix_ids[0]
    elsewhere = r": temporary, expected use on the command buffer that they were made for alone"
    expect(ValueError, "WeightGradients" + elsewhere, lambda: weight_gradients[name])
    expect(ValueError, "gradients" + elsewhere, sgd.step, weight_gradients)
    expect(ValueError, "gradients" + elsewhere, sgd.encode_step, other, weight_gradients)
    tape = run.forward(work)
    run.gradient(work, tape, weight_gradients=weight_gradients)
    array = device.zeros(before[name].shape, np.float16)
    use = partial(layer.encode_copy_weights, work, name, array, matrices=weight_gradients)
    expect(ValueError, "matrices: temporary, expected ones that last", use)
    sgd.encode_step(work, weight_gradients)
    used = r"gradients: temporary and read already, expected to be read once"
    expect(ValueError, used, sgd.encode_step, work, weight_gradients)
    assert sgd.time_step == 1
    finish(work)
    exact = gradients(run.problem)
    for (gate, letter), array in exact.weights.items():
        name = matrix_id(run.problem.layer, gate, letter)
        np.testing.assert_allclose(
            layer.weights[name], before[name] - 0.5 * array, rtol=0, atol=1e-3 * np.abs(array).max()
        )


# ---- What is refused ----

WI = MatrixId.LSTM_INPUT_GATE_INPUT_WEIGHTS


@dataclass
class Scene:
    """A layer with a pass on a command buffer that is not committed, and what calls would take."""

    layer: pymps.MatrixTrainingLayer
    other: pymps.MatrixTrainingLayer
    work: pymps.CommandBuffer
    x: Any
    y: Any
    dy: Any
    dx: Any
    tape: pymps.Tape
    weight_gradients: pymps.WeightGradients

    def forward(self, sources: Any = None, destinations: Any = None, state: Any = None, **options: Any) -> object:
        sources = self.x if sources is None else sources
        destinations = self.y if destinations is None else destinations
        return self.layer.encode_forward_sequence(self.work, sources, destinations, state, **options)

    def gradient(self, **options: Any) -> object:
        usual = {"tape": self.tape, "dy": self.dy, "dx": self.dx, "weight_gradients": self.weight_gradients}
        return self.layer.encode_gradient_sequence(self.work, **{**usual, **options})

    def copy(self, array: Any, matrix_id: Any = WI, **options: Any) -> object:
        return self.layer.encode_copy_weights(self.work, matrix_id, array, **options)

    def step(self, gradients: Any) -> object:
        return pymps.StochasticGradientDescent(self.layer, 1.0).encode_step(self.work, gradients)

    def new(self, *shape: int) -> Any:
        return self.layer.device.zeros(shape)

    def foreign_tape(self) -> pymps.Tape:
        return self.other.forward(self.x)[1]


def scene(device: pymps.Device) -> Scene:
    layer, work = training_layer(device), command_buffer(device)
    x, y = device.array(sequence()), device.zeros((4, 2, 5))
    dy, dx = device.array(f32(4, 2, 5)), device.zeros((4, 2, 3))
    _, tape = layer.forward(x)
    _, weight_gradients = layer.gradient(tape, dy)
    tape = layer.encode_forward_sequence(work, x, y)
    return Scene(layer, training_layer(device), work, x, y, dy, dx, tape, weight_gradients)


def assert_unspoiled(s: Scene, use: Callable[[], object], error: type[Exception], text: str) -> None:
    """The call fails, and what was encoded before it and comes after it is as if it had not been made."""
    weights, before = dict(s.layer.weights), dict(s.weight_gradients)
    expect(error, text, use)
    assert all(np.array_equal(array, before[name]) for name, array in s.weight_gradients.items())
    s.layer.encode_gradient_sequence(s.work, s.tape, s.dy, s.dx, weight_gradients=s.weight_gradients, accumulate=True)
    finish(s.work)
    assert all(np.array_equal(array, weights[name]) for name, array in s.layer.weights.items())
    y, tape = s.layer.forward(s.x)
    dx, once = s.layer.gradient(tape, s.dy)
    np.testing.assert_array_equal(s.y, y)
    np.testing.assert_array_equal(s.dx, dx)
    for name, array in s.weight_gradients.items():
        np.testing.assert_allclose(array, before[name] + once[name], rtol=1e-6)


OUTSIDE = "memory that no matrix in a buffer of the device describes"


@cases(
    ("sources outside", lambda s: s.forward(sequence()), ValueError, f"sources: {OUTSIDE}"),
    ("destinations outside", lambda s: s.forward(None, f32(4, 2, 5)), ValueError, f"destinations: {OUTSIDE}"),
    ("in a list", lambda s: s.forward([*s.x[:3], f32(2, 3)], [*s.y]), ValueError, rf"sources\[3\]: {OUTSIDE}"),
    ("flipped", lambda s: s.forward(s.x[:, ::-1]), ValueError, f"sources: {OUTSIDE}"),
    ("steps", lambda s: s.forward(s.x[:3]), ValueError, r"destinations: shape \(4, 2, 5\), expected \(3, 2, 5\)"),
    ("features", lambda s: s.forward(s.y), ValueError, r"sources: .*expected .*\(T, B, 3\)"),
    ("dtype", lambda s: s.forward(None, s.new(4, 2, 5).astype("e")), TypeError, "destinations: float16, expected"),
    ("float64", lambda s: s.forward(s.x.astype("d")), TypeError, "sources: float64 array"),
    ("a list and an array", lambda s: s.forward([*s.x]), TypeError, "destinations: .*expected a list of arrays, as"),
    (
        "growing",
        lambda s: s.forward([s.x[0, :1], s.x[1]], [*s.y[:2]]),
        ValueError,
        r"sources\[1\]: 2 rows, expected at",
    ),
    ("state", lambda s: s.forward(state=3), TypeError, "state: int 3, expected a RecurrentState"),
    ("other rows", lambda s: s.forward(state=s.layer.state(f32(3, 5))), ValueError, "state: 3 rows, expected 2"),
    ("other layer's", lambda s: s.forward(state=s.other.state(f32(2, 5))), ValueError, "state: of another layer"),
    ("of a gradient", lambda s: s.forward(state=s.layer.state_gradient(f32(2, 5))), ValueError, "one of a forward"),
    ("every", lambda s: s.forward(store_all_intermediate_states=1), TypeError, "store_all_intermediate_states: int 1"),
    ("states", lambda s: s.forward(states_are_temporary=None), TypeError, "states_are_temporary: None, expected a"),
    ("tape", lambda s: s.forward(tape_is_temporary="no"), TypeError, "tape_is_temporary: str 'no', expected a bool"),
    ("queue", lambda s: s.layer.encode_forward_sequence(s.work.queue, s.x, s.y), TypeError, "'command_buffer' has"),
    ("none", lambda s: s.layer.encode_forward_sequence(None, s.x, s.y), TypeError, "'command_buffer' has"),
)
def test_forward(device: pymps.Device, use: Callable[[Scene], object], error: type[Exception], text: str) -> None:
    s = scene(device)
    assert_unspoiled(s, partial(use, s), error, text)


@cases(
    ("no tape", lambda s: s.gradient(tape=None), TypeError, "'tape' has incorrect type"),
    ("other layer's", lambda s: s.gradient(tape=s.foreign_tape()), ValueError, "tape: of another layer, expected one"),
    ("dy outside", lambda s: s.gradient(dy=f32(4, 2, 5)), ValueError, f"dy: {OUTSIDE}"),
    ("dx outside", lambda s: s.gradient(dx=f32(4, 2, 3)), ValueError, f"dx: {OUTSIDE}"),
    ("dy steps", lambda s: s.gradient(dy=s.dy[:3]), ValueError, r"dy: shape \(3, 2, 5\), expected \(4, 2, 5\)"),
    ("dy rows", lambda s: s.gradient(dy=s.dy[:, :1]), ValueError, r"dy: shape \(4, 1, 5\), expected \(4, 2, 5\)"),
    ("dx features", lambda s: s.gradient(dx=s.new(4, 2, 5)), ValueError, r"dx: .*expected .*\(T, B, 3\)"),
    ("dx dtype", lambda s: s.gradient(dx=s.dx.astype("e")), TypeError, "dx: float16, expected float32"),
    ("over x", lambda s: s.gradient(dx=s.x), ValueError, "dx: .*share memory"),
    ("over dy", lambda s: s.gradient(dx=over(s.dy)), ValueError, "dx: .*share memory"),
    ("state", lambda s: s.gradient(state_gradient=2), TypeError, "state_gradient: int 2, expected a Recurr"),
    ("of forward", lambda s: s.gradient(state_gradient=s.layer.state(f32(2, 5))), ValueError, "one of a gradient pass"),
    ("gradients", lambda s: s.gradient(weight_gradients=True), TypeError, "'weight_gradients' has incorrect type"),
    ("weights", lambda s: s.gradient(weight_gradients=s.layer.weights), TypeError, "'weight_gradients' has incorrect"),
    ("others", lambda s: s.gradient(weight_gradients=s.other.weight_gradients()), ValueError, "of another layer"),
    ("accumulate", lambda s: s.gradient(accumulate=1), TypeError, "accumulate: int 1, expected a bool"),
    ("to nothing", lambda s: s.gradient(weight_gradients=None, accumulate=True), ValueError, "accumulate: True, expe"),
    ("every", lambda s: s.gradient(store_all_intermediate_states=1), TypeError, "store_all_intermediate_states: int"),
    ("states", lambda s: s.gradient(states_are_temporary=1), TypeError, "states_are_temporary: int 1, expected a bool"),
)
def test_gradient(device: pymps.Device, use: Callable[[Scene], object], error: type[Exception], text: str) -> None:
    s = scene(device)
    assert_unspoiled(s, partial(use, s), error, text)


def over(array: Any) -> Any:
    """Of the shape of dx, within an array of the shape of dy."""
    return array[..., 1:4]


@cases(
    ("outside", lambda s: s.copy(f32(5, 3)), ValueError, f"array: {OUTSIDE}"),
    ("shape", lambda s: s.copy(s.new(3, 5)), ValueError, r"array: .*expected a float32 array of shape \(5, 3\)"),
    ("dtype", lambda s: s.copy(s.new(5, 3).view("i4"), from_array=True), TypeError, "array: int32 array"),
    ("half", lambda s: s.copy(s.new(5, 3).astype("e"), from_array=True), TypeError, "array: float16 array"),
    ("columns apart", lambda s: s.copy(s.new(5, 6)[:, ::2]), ValueError, "array: strides .*expected contiguous rows"),
    ("transposed", lambda s: s.copy(s.new(3, 5).T, from_array=True), ValueError, "array: strides .*expected"),
    ("read-only", lambda s: s.copy(constant(s.new(5, 3))), ValueError, "array: read-only, expected a writable"),
    ("list", lambda s: s.copy([[1.0]]), TypeError, "array: list of length 1, expected a float32 array"),
    ("unknown", lambda s: s.copy(s.new(5, 3), 29), ValueError, "matrix_id: 29, expected"),
    ("absent", lambda s: s.copy(s.new(5), MatrixId.LSTM_INPUT_GATE_MEMORY_WEIGHTS), KeyError, "LSTM_INPUT_GATE_MEM"),
    ("direction", lambda s: s.copy(s.new(5, 3), from_array=1), TypeError, "from_array: int 1, expected a bool"),
    ("matrices", lambda s: s.copy(s.new(5, 3), matrices={}), TypeError, "'matrices' has incorrect type"),
    ("others", lambda s: s.copy(s.new(5, 3), matrices=s.other.weights), ValueError, "matrices: of another layer"),
    ("no gradients", lambda s: s.step(None), TypeError, "'gradients' has incorrect type"),
    ("weights", lambda s: s.step(s.layer.weights), TypeError, "'gradients' has incorrect type"),
    ("others' step", lambda s: s.step(s.other.weight_gradients()), ValueError, "gradients: of another layer"),
)
def test_weights(device: pymps.Device, use: Callable[[Scene], object], error: type[Exception], text: str) -> None:
    s = scene(device)
    assert_unspoiled(s, partial(use, s), error, text)


def constant(array: Any) -> Any:
    array.flags.writeable = False
    return array


def test_a_read_only_array_can_be_copied_from(device: pymps.Device) -> None:
    s = scene(device)
    s.copy(constant(s.new(5, 3)), from_array=True)
    finish(s.work)
    assert not s.layer.weights[WI].any()


def test_after_the_commit(device: pymps.Device) -> None:
    s = scene(device)
    sgd = pymps.StochasticGradientDescent(s.layer, 1.0)
    finish(s.work)
    for use in (
        s.forward,
        s.gradient,
        lambda: s.copy(s.new(5, 3)),
        lambda: s.copy(s.new(5, 3), from_array=True),
        lambda: sgd.encode_step(s.work, s.weight_gradients),
        lambda: s.layer.weight_gradients(command_buffer=s.work),
    ):
        expect(ValueError, "committed, expected", use)
    assert sgd.time_step == 0
    s.layer.gradient(s.tape, s.dy)  # since the weights have not changed


def test_a_step_that_fails_changes_nothing(device: pymps.Device) -> None:
    s = scene(device)
    temporary, sgd = s.layer.weight_gradients(command_buffer=s.work), pymps.StochasticGradientDescent(s.layer, 1.0)
    sgd.encode_step(s.work, temporary)
    tape = s.layer.encode_forward_sequence(s.work, s.x, s.y)
    expect(ValueError, "gradients: temporary and read already", sgd.encode_step, s.work, temporary)
    assert sgd.time_step == 1
    s.layer.encode_gradient_sequence(s.work, tape, s.dy)
    finish(s.work)


@pytest.mark.parametrize("change", ["copy", "step", "set"])
def test_weights_that_have_changed(device: pymps.Device, change: str) -> None:
    """An older tape is of no use, however they change; copies of other things do not count."""
    s = scene(device)
    for matrices in (None, s.weight_gradients):
        s.copy(s.new(5, 3), matrices=matrices)
    s.copy(s.new(5, 3), matrices=s.weight_gradients, from_array=True)
    s.gradient()
    if change == "set":
        s.layer.weights[WI] = f32(5, 3)
    elif change == "copy":
        s.copy(s.new(5, 3), from_array=True)
    else:
        s.step(s.weight_gradients)
    expect(ValueError, "tape: the layer's weights have changed since its forward pass", s.gradient)
    s.gradient(tape=s.layer.encode_forward_sequence(s.work, s.x, s.y))
    finish(s.work)


@pytest.mark.parametrize("change", ["copy", "step"])
def test_weights_that_change_later(device: pymps.Device, change: str) -> None:
    """To passes that run by themselves, a change counts from its commit on."""
    s = scene(device)
    _, before = s.layer.forward(s.x)
    if change == "copy":
        s.copy(s.new(5, 3), from_array=True)
    else:
        s.step(s.weight_gradients)
    _, between = s.layer.forward(s.x)
    for tape in (before, between):
        s.layer.gradient(tape, s.dy)
    finish(s.work)
    for tape in (before, between):
        expect(ValueError, "tape: the layer's weights have changed", s.layer.gradient, tape, s.dy)
    s.layer.gradient(s.layer.forward(s.x)[1], s.dy)


def test_another_handle_is_no_other_device(device: pymps.Device) -> None:
    s, same = scene(device), pymps.Device(device.backend)
    work = command_buffer(same)
    y, dx = same.zeros((4, 2, 5)), same.zeros((4, 2, 3))
    tape = s.layer.encode_forward_sequence(work, same.array(s.x), y)
    s.layer.encode_gradient_sequence(work, tape, same.array(s.dy), dx)
    finish(work)
    expected_y, expected_tape = s.layer.forward(s.x)
    np.testing.assert_array_equal(y, expected_y)
    np.testing.assert_array_equal(dx, s.layer.gradient(expected_tape, s.dy)[0])
