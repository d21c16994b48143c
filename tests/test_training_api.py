"""What training layers, tapes and optimizers say and take, and how forms of arguments and results go together."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from autograd import Gradients, gradients
from bad_input import cases, expect, f32
from checking import descriptor
from command_buffers import command_buffer, finish
from models import lstm, sequence
from reference import GRU, LSTM, Layer, SingleGate
from training_models import (
    assert_solved,
    cell,
    ending,
    matrix_id,
    named_gradients,
    reference_layer,
    state_arrays,
    training_layer,
    training_problem,
)

import pymps
from pymps import MatrixId

KINDS = (LSTM, GRU, SingleGate)
UI = MatrixId.LSTM_INPUT_GATE_RECURRENT_WEIGHTS


def passed(device: pymps.Device) -> tuple[pymps.MatrixTrainingLayer, pymps.Tape]:
    layer = training_layer(device)
    return layer, layer.forward(sequence())[1]


def equal(one: pymps.WeightGradients, other: pymps.WeightGradients, factor: float = 1) -> bool:
    return all(np.array_equal(array * np.float32(factor), other[name]) for name, array in one.items())


# ---- Layers ----


@pytest.mark.parametrize("kind", KINDS)
def test_layers(device: pymps.Device, kind: type[Layer]) -> None:
    layer = pymps.MatrixTrainingLayer(device, descriptor(reference_layer(kind)))
    assert layer.device == device
    assert (layer.input_feature_channels, layer.output_feature_channels, layer.number_of_layers) == (3, 5, 1)
    prefix = {LSTM: "LSTM_", GRU: "GRU_", SingleGate: "SINGLE_GATE_"}[kind]
    assert layer.matrix_ids == tuple(name for name in MatrixId if name.name.startswith(prefix))


def test_what_has_no_source_is_not_trained(device: pymps.Device) -> None:
    one = pymps.LSTMDescriptor(5, 5)
    one.use_layer_input_unit_transform_mode = True
    one.output_gate_recurrent_weights = pymps.WeightSource(f32(5, 5))
    one.cell_gate_memory_weights = pymps.WeightSource(f32(5, 5))
    ids = [MatrixId.LSTM_CELL_GATE_MEMORY_WEIGHTS, MatrixId.LSTM_OUTPUT_GATE_RECURRENT_WEIGHTS]
    assert list(pymps.MatrixTrainingLayer(device, one).matrix_ids) == ids


def test_a_direction_is_ignored(device: pymps.Device) -> None:
    backward = lstm()
    backward.layer_sequence_direction = pymps.RNNSequenceDirection.BACKWARD
    y, tape = pymps.MatrixTrainingLayer(device, backward).forward(sequence())
    expected_y, expected_tape = training_layer(device).forward(sequence())
    np.testing.assert_array_equal(y, expected_y)
    dx, _ = tape.layer.gradient(tape, y)
    np.testing.assert_array_equal(dx, expected_tape.layer.gradient(expected_tape, y)[0])


@cases(
    ("weights", lambda s, t: setattr(s, "weights", 1), AttributeError, "weights"),
    ("ids", lambda s, t: setattr(s, "matrix_ids", ()), AttributeError, "matrix_ids"),
    ("device", lambda s, t: setattr(s, "device", None), AttributeError, "device"),
    ("channels", lambda s, t: setattr(s, "input_feature_channels", 1), AttributeError, "input_feature_channels"),
    ("state", lambda s, t: setattr(t, "state", None), AttributeError, "state"),
    ("layer", lambda s, t: setattr(t, "layer", None), AttributeError, "layer"),
    ("new", lambda s, t: setattr(s, "anything", 1), AttributeError, "anything"),
)
def test_read_only(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use, *passed(device))


@pytest.mark.parametrize(
    "kind", [pymps.MatrixTrainingLayer, pymps.Tape, pymps.TrainingWeights, pymps.WeightGradients, pymps.Adam]
)
def test_no_subclasses(kind: type) -> None:
    expect(TypeError, "not an acceptable base type", type, "Derived", (kind,), {})


def test_reprs(device: pymps.Device) -> None:
    layer, tape = passed(device)
    _, made = layer.gradient(tape, f32(4, 2, 5))
    on = f"on {device!r}>"
    assert repr(layer) == f"<pymps.MatrixTrainingLayer 3 -> 5 {on}"
    assert repr(layer.weights) == f"<pymps.TrainingWeights of 12 float32 arrays {on}"
    assert repr(made) == f"<pymps.WeightGradients of 12 float32 arrays {on}"
    assert repr(layer.weight_gradients(np.float16)) == f"<pymps.WeightGradients of 12 float16 arrays {on}"
    assert repr(tape[1:]) == f"<pymps.Tape of 3 steps of {layer!r}>"
    assert repr(pymps.Adam(layer, 0.125)) == f"<pymps.Adam of learning rate 0.125 for {layer!r}>"
    assert "2 rows, 1 layers" in repr(tape.state)


# ---- Forms of arguments ----


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_arrays_and_lists(device: pymps.Device, kind: type[Layer], dtype: type) -> None:
    """A list of all rows at each step is what the array is, in results too."""
    layer = pymps.MatrixTrainingLayer(device, descriptor(reference_layer(kind)))
    x, dy = sequence().astype(dtype), sequence(features=5, seed=6).astype(dtype)
    y, tape = layer.forward(x)
    ys, tapes = layer.forward(tuple(x))
    dx, one = layer.gradient(tape, dy)
    dxs, other = layer.gradient(tapes, list(dy))
    assert (y.shape, dx.shape, y.dtype, dx.dtype) == ((4, 2, 5), (4, 2, 3), dtype, dtype)
    assert isinstance(ys, list)
    assert isinstance(dxs, list)
    np.testing.assert_array_equal(ys, y)
    np.testing.assert_array_equal(dxs, dx)
    assert equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [(1,), (2, 2), (4, 2, 2, 1), (5, 5, 5, 5, 3, 1, 1)])
def test_rows_that_end(device: pymps.Device, kind: type[Layer], rows: tuple[int, ...]) -> None:
    """What ends keeps its state, and dL/dh of its end reaches its own last step."""
    problem = training_problem(reference_layer(kind), rows)
    layer = pymps.MatrixTrainingLayer(device, descriptor(problem.layer))
    y, tape = layer.forward(problem.x, layer.state(problem.h0, cell(problem.c0)))
    end = layer.state_gradient(problem.dh1, cell(problem.dc1))
    dx, made = layer.gradient(tape, problem.dy, state_gradient=end)
    assert [(len(one), len(other)) for one, other in zip(y, dx)] == [(count, count) for count in rows]
    assert (tape.state.batch, tape.state_gradient.batch) == (rows[0], rows[0])
    h1, c1 = state_arrays(tape.state, problem.layer)
    dh0, dc0 = state_arrays(tape.state_gradient, problem.layer)
    assert_solved(Gradients(y, h1, c1, dx, dh0, dc0, named_gradients(made, problem.layer)), problem)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [1, 2, 3, 4])
def test_parts_where_rows_end(device: pymps.Device, kind: type[Layer], cut: int) -> None:
    """The state before some steps is all that those before them get: nothing comes from behind other rows' ends."""
    problem = ending(training_problem(reference_layer(kind), (5, 5, 3, 2, 2)))
    layer = pymps.MatrixTrainingLayer(device, descriptor(problem.layer))
    y, tape = layer.forward(problem.x, layer.state(problem.h0, cell(problem.c0)))
    h1, c1 = state_arrays(tape.state, problem.layer)
    end = layer.state_gradient(problem.dh1[:2], cell(problem.dc1[:2]))
    late, early = tape[cut:], tape[:cut]
    dx_late, made = layer.gradient(late, problem.dy[cut:], state_gradient=end)
    assert late.state_gradient.batch == len(problem.x[cut])
    rows = f"{len(problem.x[cut])} to 5" if cut > 1 else "5"
    for count in (1, 6):
        use = partial(layer.gradient, early, problem.dy[:cut], state_gradient=layer.state_gradient(f32(count, 5)))
        expect(ValueError, f"state_gradient: {count} rows, expected {rows}$", use)
    dx, _ = layer.gradient(
        early, problem.dy[:cut], state_gradient=late.state_gradient, weight_gradients=made, accumulate=True
    )
    dh0, dc0 = state_arrays(early.state_gradient, problem.layer)
    named = named_gradients(made, problem.layer)
    assert_solved(Gradients(y, h1, c1, dx + dx_late, dh0, dc0, named), problem)


def test_results_go_where_they_are_wanted(device: pymps.Device) -> None:
    layer = training_layer(device)
    expected_y, expected_tape = layer.forward(sequence())
    expected_dx, _ = layer.gradient(expected_tape, f32(4, 2, 5))
    for make in (device.zeros, lambda shape: np.zeros(shape, np.float32)):
        out, dx_out = make((4, 2, 5)), make((4, 2, 3))
        y, tape = layer.forward(sequence(), out=out)
        dx, _ = layer.gradient(tape, f32(4, 2, 5), source_gradient=dx_out)
        assert y is out
        assert dx is dx_out
        np.testing.assert_array_equal(y, expected_y)
        np.testing.assert_array_equal(dx, expected_dx)
        outs, dx_outs = [make((2, 5)) for _ in range(4)], [make((2, 3)) for _ in range(4)]
        ys, tape = layer.forward([*sequence()], out=outs)
        dxs, _ = layer.gradient(tape, [*f32(4, 2, 5)], source_gradient=dx_outs)
        assert ys is outs
        assert dxs is dx_outs
        np.testing.assert_array_equal(ys, expected_y)
        np.testing.assert_array_equal(dxs, expected_dx)


def test_results_that_are_not_wanted(device: pymps.Device) -> None:
    layer, tape = passed(device)
    dx, made = layer.gradient(tape, f32(4, 2, 5))
    assert made is not None
    only_dx, none = layer.gradient(tape, f32(4, 2, 5), weight_gradients=False)
    assert none is None
    np.testing.assert_array_equal(only_dx, dx)
    no_dx, only = layer.gradient(tape, f32(4, 2, 5), source_gradient=False)
    assert no_dx is None
    assert equal(only, made)
    before = tape.state_gradient
    assert layer.gradient(tape, f32(4, 2, 5), source_gradient=False, weight_gradients=False) == (None, None)
    assert tape.state_gradient is not before
    np.testing.assert_array_equal(tape.state_gradient.memory_cell(), before.memory_cell())


def test_gradients_are_replaced_or_added_to(device: pymps.Device) -> None:
    layer, tape = passed(device)
    _, once = layer.gradient(tape, f32(4, 2, 5))
    made = layer.weight_gradients()
    for expected, options in [(1, {}), (1, {}), (2, {"accumulate": True}), (3, {"accumulate": True}), (1, {})]:
        _, same = layer.gradient(tape, f32(4, 2, 5), weight_gradients=made, **options)
        assert same is made
        for name, array in made.items():
            np.testing.assert_allclose(array, expected * once[name], rtol=1e-6, err_msg=name.name)


def test_half_gradients_are_added_to(device: pymps.Device) -> None:
    layer, tape = passed(device)
    half = layer.weight_gradients(np.float16)
    for _ in range(3):
        layer.gradient(tape, f32(4, 2, 5), weight_gradients=half, accumulate=True)
    _, once = layer.gradient(tape, f32(4, 2, 5))
    for name, array in half.items():
        np.testing.assert_allclose(array, 3 * once[name], rtol=4e-3, atol=1e-3, err_msg=name.name)


# ---- Tapes and states ----


def test_tapes(device: pymps.Device) -> None:
    layer, tape = passed(device)
    assert (len(tape), tape.layer, tape.is_temporary) == (4, layer, False)
    assert (tape.state_gradient, tape.state_gradients) == (None, [])
    assert tape.states == [tape.state]
    assert (tape.state.layer, tape.state.batch, tape.state.number_of_layers) == (layer, 2, 1)
    layer.gradient(tape, f32(4, 2, 5))
    first = tape.state_gradient
    assert tape.state_gradients == [first]
    layer.gradient(tape, 2 * f32(4, 2, 5))
    np.testing.assert_allclose(tape.state_gradient.recurrent_output(), 2 * first.recurrent_output(), rtol=1e-5)


@pytest.mark.parametrize("every", [False, True])
def test_parts_of_tapes(device: pymps.Device, every: bool) -> None:
    layer = training_layer(device)
    _, tape = layer.forward(sequence(), store_all_intermediate_states=every)
    for steps, length, last in [
        (slice(None), 4, 3),
        (slice(1, 3), 2, 2),
        (slice(-2, None), 2, 3),
        (slice(0, 99), 4, 3),
        (slice(None, -1), 3, 2),
        (slice(3, 4, 1), 1, 3),
    ]:
        part = tape[steps]
        assert (len(part), part.layer) == (length, layer)
        assert part.states == (tape.states[steps] if every else tape.states if last == 3 else [])
        assert part.state is (tape.states[last] if every else tape.state if last == 3 else None)
    inner = tape[1:4][1:2]
    dx, _ = layer.gradient(inner, f32(1, 2, 5))
    same, _ = layer.gradient(tape[2:3], f32(1, 2, 5))
    np.testing.assert_array_equal(dx, same)
    assert inner.state_gradient is not None
    assert tape.state_gradient is None


def test_states_after_every_step(device: pymps.Device) -> None:
    layer = training_layer(device)
    y, tape = layer.forward(sequence(), store_all_intermediate_states=True)
    assert len(tape.states) == 4
    for state, y_t in zip(tape.states, y):
        np.testing.assert_array_equal(state.recurrent_output(), y_t)
    assert tape.state is tape.states[3]
    layer.gradient(tape, f32(4, 2, 5), store_all_intermediate_states=True)
    assert len(tape.state_gradients) == 4
    assert tape.state_gradient is tape.state_gradients[0]


@pytest.mark.parametrize("name", ["state", "state_gradient"])
def test_states_of_given_numbers(device: pymps.Device, name: str) -> None:
    layer = training_layer(device)
    make = getattr(layer, name)
    h, c = sequence(2, 2, 5)
    wide = sequence(1, 2, 9)[0]
    for given, expected in [
        ({"h": h, "c": c}, (h, c)),
        ({"h": h}, (h, 0 * c)),
        ({"c": c}, (0 * h, c)),
        ({"h": wide[:, 1:6], "c": np.asfortranarray(c)}, (wide[:, 1:6], c)),
    ]:
        state = make(**given)
        assert (state.layer, state.batch, state.is_temporary, state.read_count) == (layer, 2, False, 0)
        np.testing.assert_array_equal(state.recurrent_output(), expected[0])
        np.testing.assert_array_equal(state.memory_cell(), expected[1])
    copied = h.copy()
    state = make(copied)
    copied[...] = 0
    np.testing.assert_array_equal(state.recurrent_output(), h)
    gru = pymps.MatrixTrainingLayer(device, descriptor(reference_layer(GRU)))
    expect(ValueError, "a layer without a memory cell", getattr(gru, name)(h).memory_cell)


def test_states_are_read_only(device: pymps.Device) -> None:
    layer, tape = passed(device)
    layer.gradient(tape, f32(4, 2, 5))
    for state in (tape.state, tape.state_gradient, layer.state(f32(2, 5))):
        for array in (state.recurrent_output(), state.memory_cell()):
            with pytest.raises(ValueError, match="read-only"):
                array[0, 0] = 1


def test_a_pass_goes_on_from_a_state(device: pymps.Device) -> None:
    layer = training_layer(device)
    y, _ = layer.forward(sequence())
    early, tape = layer.forward(sequence()[:2])
    before = tape.state.recurrent_output().copy()
    late, _ = layer.forward(sequence()[2:], tape.state)
    np.testing.assert_allclose(np.concatenate([early, late]), y, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(tape.state.recurrent_output(), before)


# ---- Optimizers ----


def test_optimizers_count_their_steps(device: pymps.Device) -> None:
    layer, tape = passed(device)
    _, made = layer.gradient(tape, f32(4, 2, 5))
    for optimizer in (
        pymps.StochasticGradientDescent(layer, 0.0),
        pymps.RMSProp(layer, 0.0),
        pymps.Adam(layer, 0.0),
    ):
        assert (optimizer.time_step, optimizer.layer) == (0, layer)
        optimizer.step(made)
        assert optimizer.time_step == 1
        optimizer.time_step = 41
        work = command_buffer(device)
        optimizer.encode_step(work, made)
        assert optimizer.time_step == 42  # on encoding
        finish(work)
        assert optimizer.time_step == 42


@cases(
    ("rescale", lambda a: setattr(a, "gradient_rescale", 2.0), AttributeError, "gradient_rescale"),
    ("clip", lambda a: setattr(a, "gradient_clip", None), AttributeError, "gradient_clip"),
    ("type", lambda a: setattr(a, "regularization_type", 0), AttributeError, "regularization_type"),
    ("scale", lambda a: setattr(a, "regularization_scale", 0.0), AttributeError, "regularization_scale"),
    ("beta1", lambda a: setattr(a, "beta1", 0.5), AttributeError, "beta1"),
    ("ams_grad", lambda a: setattr(a, "ams_grad", True), AttributeError, "ams_grad"),
    ("layer", lambda a: setattr(a, "layer", None), AttributeError, "layer"),
)
def test_options_are_fixed(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use, pymps.Adam(training_layer(device), 0.5))


def test_defaults(device: pymps.Device) -> None:
    layer = training_layer(device)
    for optimizer in (pymps.StochasticGradientDescent(layer, 0.5), pymps.RMSProp(layer, 0.5), pymps.Adam(layer, 0.5)):
        assert (optimizer.learning_rate, optimizer.gradient_rescale, optimizer.gradient_clip) == (0.5, 1.0, None)
        assert optimizer.regularization_type is pymps.RegularizationType.NONE
        assert optimizer.regularization_scale == 0
    sgd = pymps.StochasticGradientDescent(layer, 0.5, gradient_clip=[-1, 2])
    assert (sgd.momentum_scale, sgd.use_nesterov_momentum, sgd.gradient_clip) == (0.0, False, (-1.0, 2.0))


def test_two_optimizers_keep_moments_of_their_own(device: pymps.Device) -> None:
    """Taking turns, each with its momentum."""
    layer, tape = passed(device)
    _, made = layer.gradient(tape, f32(4, 2, 5))
    one = pymps.StochasticGradientDescent(layer, 0.5, momentum_scale=0.5)
    other = pymps.StochasticGradientDescent(layer, 0.25, momentum_scale=0.75)
    expected, g = layer.weights[UI].astype(np.float64), made[UI].astype(np.float64)
    momenta = [0 * g, 0 * g]
    for _ in range(3):
        for index, (optimizer, rate, scale) in enumerate([(one, 0.5, 0.5), (other, 0.25, 0.75)]):
            optimizer.step(made)
            momenta[index] = scale * momenta[index] + rate * g
            expected = expected - momenta[index]
    np.testing.assert_allclose(layer.weights[UI], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("half_gradients", [False, True])
@pytest.mark.parametrize("half_weights", [False, True])
def test_optimizers_of_float16(device: pymps.Device, half_weights: bool, half_gradients: bool) -> None:
    """Of weights, of gradients or of both; moments stay float32."""
    problem = training_problem(replace(reference_layer(LSTM), use_float32_weights=not half_weights))
    layer = pymps.MatrixTrainingLayer(device, descriptor(problem.layer))
    made = layer.weight_gradients(np.float16 if half_gradients else np.float32)
    _, tape = layer.forward(problem.x)
    layer.gradient(tape, problem.dy, weight_gradients=made)
    exact = gradients(replace(problem, h0=0 * problem.h0, c0=0 * problem.c0, dh1=0 * problem.dh1, dc1=0 * problem.dc1))
    sgd = pymps.StochasticGradientDescent(layer, 0.125, momentum_scale=0.5)
    for _ in range(2):
        sgd.step(made)
    for (gate, letter), g in exact.weights.items():
        array = layer.weights[matrix_id(problem.layer, gate, letter)]
        assert array.dtype == (np.float16 if half_weights else np.float32)
        expected = problem.weights[gate, letter].astype(np.float64) - 0.125 * (1 + 1.5) * g
        tolerance = 2e-3 if half_weights or half_gradients else 1e-5
        np.testing.assert_allclose(array, expected, rtol=tolerance, atol=tolerance, err_msg=f"{letter} of {gate}")
