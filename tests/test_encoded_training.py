"""Passes of training layers that are encoded into command buffers, against PyTorch's autograd in float64."""

from dataclasses import replace

import numpy as np
import pytest
from autograd import Gradients, Named, gradients
from bad_input import expect
from command_buffers import command_buffer, finish, in_flight
from reference import GRU, LSTM, Layer, SingleGate
from training_models import assert_solved, cell, ending, matrix_id, named_gradients, state_arrays, training_problem
from training_runs import prepared, problem

import pymps

KINDS = (LSTM, GRU, SingleGate)


# ---- Order ----


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [(3, 3, 3), (4, 3, 3, 1)])
def test_both_passes_on_one_command_buffer(device: pymps.Device, kind: type[Layer], rows: tuple[int, ...]) -> None:
    run, work = prepared(device, problem(kind, rows=rows)), command_buffer(device)
    weight_gradients = run.layer.weight_gradients()
    tape = run.forward(work)
    assert run.gradient(work, tape, weight_gradients=weight_gradients) == tape.state_gradients
    assert not any(array.any() for array in run.y + run.dx)
    assert not any(array.any() for array in weight_gradients.values())
    finish(work)
    assert_solved(run.found(tape, weight_gradients), run.problem)


@pytest.mark.parametrize("count", [2, 3])
def test_passes_on_command_buffers_of_one_queue(device: pymps.Device, count: int) -> None:
    """The second is encoded before the first is committed; the third step is one of the CPU's."""
    run, queue = prepared(device, problem()), device.new_command_queue()
    works = [queue.command_buffer() for _ in range(2)]
    weight_gradients = run.layer.weight_gradients()
    tape = run.forward(works[0])
    run.gradient(works[1], tape, weight_gradients=weight_gradients)
    for work in works:
        work.commit()
    works[1].wait_until_completed()
    assert_solved(run.found(tape, weight_gradients), run.problem)
    if count == 3:
        run.layer.gradient(tape, run.dy, state_gradient=run.end, weight_gradients=weight_gradients, accumulate=True)
        doubled = {name: array / 2 for name, array in named_gradients(weight_gradients, run.problem.layer).items()}
        assert_solved(replace(run.found(tape, weight_gradients), weights=doubled), run.problem)


def test_a_tape_in_flight(device: pymps.Device) -> None:
    run, work = prepared(device, problem()), command_buffer(device)
    tape = run.forward(work)

    def assert_refused() -> None:
        text = r"tape: its command buffer has not completed, expected a wait for it before"
        expect(RuntimeError, text, run.layer.gradient, tape, run.dy)
        expect(RuntimeError, text, run.layer.gradient, tape[1:], run.dy[1:])
        assert tape.state is not None
        expect(RuntimeError, "the state's command buffer has not completed", tape.state.recurrent_output)

    assert_refused()
    with in_flight(work):
        assert_refused()
    dx, weight_gradients = run.layer.gradient(tape, run.dy, state_gradient=run.end)
    assert_solved(replace(run.found(tape, weight_gradients), dx=dx), run.problem)


def test_one_tape_is_differentiated_again(device: pymps.Device) -> None:
    run, work = prepared(device, problem()), command_buffer(device)
    sum_, one = run.layer.weight_gradients(), run.layer.weight_gradients(np.float16)
    tape = run.forward(work)
    run.gradient(work, tape, weight_gradients=sum_)
    run.gradient(work, tape, weight_gradients=one)
    run.gradient(work, tape, weight_gradients=sum_, accumulate=True)
    run.gradient(work, tape)
    finish(work)
    halved = {name: array / 2 for name, array in named_gradients(sum_, run.problem.layer).items()}
    assert_solved(replace(run.found(tape, sum_), weights=halved), run.problem)
    for name, array in named_gradients(one, run.problem.layer).items():
        np.testing.assert_allclose(array, halved[name], rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temporary", [False, True])
def test_two_halves_are_the_whole(device: pymps.Device, kind: type[Layer], temporary: bool) -> None:
    """Forward through both, then backward: all on one command buffer, each half going on from the other's state."""
    run, work = prepared(device, problem(kind, rows=(3, 3, 3, 2))), command_buffer(device)
    layer, weight_gradients = run.layer, run.layer.weight_gradients()
    options = {"states_are_temporary": temporary, "tape_is_temporary": temporary}
    first = layer.encode_forward_sequence(work, run.x[:2], run.y[:2], run.start, **options)
    second = layer.encode_forward_sequence(work, run.x[2:], run.y[2:], first.state, tape_is_temporary=temporary)
    assert (first.is_temporary, first.state.is_temporary) == (temporary, temporary)
    (middle,) = layer.encode_gradient_sequence(
        work,
        second,
        run.dy[2:],
        run.dx[2:],
        state_gradient=run.end,
        weight_gradients=weight_gradients,
        states_are_temporary=temporary,
    )
    (start,) = layer.encode_gradient_sequence(
        work,
        first,
        run.dy[:2],
        run.dx[:2],
        state_gradient=middle,
        weight_gradients=weight_gradients,
        accumulate=True,
    )
    assert [state.read_count for state in (first.state, middle, start)] == [0, 0, 0]
    finish(work)
    h1, c1 = state_arrays(second.state, run.problem.layer)
    dh0, dc0 = state_arrays(start, run.problem.layer)
    named = named_gradients(weight_gradients, run.problem.layer)
    assert_solved(Gradients(run.y, h1, c1, run.dx, dh0, dc0, named), run.problem)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temporary", [False, True])
def test_parts_where_rows_end(device: pymps.Device, kind: type[Layer], temporary: bool) -> None:
    """Each part of one tape goes on from the state of the part behind it, which lacks the rows that have ended."""
    run, work = prepared(device, ending(problem(kind, rows=(4, 4, 3, 2, 2)))), command_buffer(device)
    layer, weight_gradients = run.layer, run.layer.weight_gradients()
    tape = run.forward(work, tape_is_temporary=temporary)
    state = layer.state_gradient(run.problem.dh1[:2], cell(run.problem.dc1[:2]))
    for first, end in ((3, 5), (2, 3), (0, 2)):
        (state,) = layer.encode_gradient_sequence(
            work,
            tape[first:end],
            run.dy[first:end],
            run.dx[first:end],
            state_gradient=state,
            weight_gradients=weight_gradients,
            accumulate=end < 5,
            states_are_temporary=temporary and first > 0,
        )
        assert state.batch == len(run.x[first])
    finish(work)
    h1, c1 = state_arrays(tape.state, run.problem.layer)
    named = named_gradients(weight_gradients, run.problem.layer)
    found = Gradients(run.y, h1, c1, run.dx, *state_arrays(state, run.problem.layer), named)
    assert_solved(found, run.problem)


def test_all_intermediate_states(device: pymps.Device) -> None:
    run, work = prepared(device, problem()), command_buffer(device)
    tape = run.forward(work, store_all_intermediate_states=True)
    states = run.gradient(work, tape, store_all_intermediate_states=True)
    finish(work)
    same, same_tape = run.layer.forward(run.x, run.start, store_all_intermediate_states=True)
    run.layer.gradient(same_tape, run.dy, state_gradient=run.end, store_all_intermediate_states=True)
    assert len(states) == len(tape.states) == len(same) == 4
    for one, other in zip([*tape.states, *states], [*same_tape.states, *same_tape.state_gradients]):
        for found, expected in zip(state_arrays(one, run.problem.layer), state_arrays(other, run.problem.layer)):
            np.testing.assert_array_equal(found, expected)


# ---- Training ----


def descended(weights: Named, found: Gradients, rate: float) -> Named:
    return {name: array.astype(np.float64) - rate * found.weights[name] for name, array in weights.items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temporary", [False, True])
def test_training_on_one_command_buffer(device: pymps.Device, kind: type[Layer], temporary: bool) -> None:
    """Each pass sees the weights that the step before it leaves, and nothing waits between."""
    first = problem(kind)
    expected = first.weights
    work, run = command_buffer(device), prepared(device, first)
    sgd = pymps.StochasticGradientDescent(run.layer, 0.25)
    outputs = []
    for seed in range(3):
        one = replace(training_problem(first.layer, seed=seed), weights=expected)
        exact = gradients(one)
        expected = descended(expected, exact, 0.25)
        step = prepared(device, one, run.layer)
        tape = step.forward(work, tape_is_temporary=temporary)
        weight_gradients = run.layer.weight_gradients(command_buffer=work if temporary else None)
        step.gradient(work, tape, weight_gradients=weight_gradients)
        sgd.encode_step(work, weight_gradients)
        sgd.learning_rate = 0.25  # which is read on encoding
        outputs.append((step.y, exact.y))
    assert sgd.time_step == 3
    finish(work)
    for y, exact_y in outputs:
        for found, wanted in zip(y, exact_y):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=5e-6)
    for name, array in expected.items():
        found = run.layer.weights[matrix_id(first.layer, *name)]
        np.testing.assert_allclose(found, array, rtol=0, atol=2e-5, err_msg=str(name))


def test_a_batch_in_parts_on_temporary_gradients(device: pymps.Device) -> None:
    """The gradients of two batches add up before one step."""
    one, two = problem(seed=2), problem(seed=3)
    work, run = command_buffer(device), prepared(device, one)
    other = prepared(device, two, run.layer)
    weight_gradients = run.layer.weight_gradients(command_buffer=work)
    run.gradient(work, run.forward(work), weight_gradients=weight_gradients)
    other.gradient(work, other.forward(work), weight_gradients=weight_gradients, accumulate=True)
    pymps.StochasticGradientDescent(run.layer, 0.5).encode_step(work, weight_gradients)
    finish(work)
    expected = descended(descended(one.weights, gradients(one), 0.5), gradients(two), 0.5)
    for name, array in expected.items():
        found = run.layer.weights[matrix_id(one.layer, *name)]
        np.testing.assert_allclose(found, array, rtol=0, atol=1e-5, err_msg=str(name))
