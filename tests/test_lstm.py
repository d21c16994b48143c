"""MPSLSTMDescriptor's formulas: every weight, bias, neuron and peephole against the float64 reference."""

import itertools
import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
from checking import assert_step, assert_steps, descriptor, inference_layer, initial_state
from hypothesis import HealthCheck, assume, given, settings
from reference import LSTM, Gate, Neuron
from strategies import Case, cases, conventional, random_weights
from tolerance import assert_within

import pymps

GATES = ("input_gate", "forget_gate", "cell_gate", "output_gate")


def sequence(rng: np.random.Generator, steps: int, batch: int, channels: int) -> npt.NDArray[np.float32]:
    return rng.standard_normal((steps, batch, channels)).astype(np.float32)


def assume_tame(case: Case) -> None:
    """Leaves out what runs away: it would leave float16's range, then float32's."""
    _, states = ref.sequence([ref.with_rounded_weights(lstm) for lstm in case.stack], case.x, case.state)
    assume(all(np.abs(np.nan_to_num(m, nan=0.0)).max() < 1e4 for h, c in states for m in h + c))


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases())
def test_random_stacks(device: pymps.Device, case: Case) -> None:
    assume_tame(case)
    assert_steps(device, case.stack, case.x, case.state)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases(layers=2, dtypes=(np.float32,), ragged=False))
def test_random_streams(device: pymps.Device, case: Case) -> None:
    assume_tame(case)
    layer, batch = inference_layer(device, *case.stack), len(case.x[0])
    before = ref.zero_state(case.stack, batch) if case.state is None else case.state
    with layer.stream(batch) as stream:
        stream.state = initial_state(layer, case.state)
        for x in case.x:
            stream.x[:] = x
            stream.step()
            before = assert_step(device, case.stack, x, before, stream.state, stream.y)


def test_by_hand(device: pymps.Device) -> None:
    """One channel, two steps, all peepholes: numbers worked out here, without the reference."""

    def gate(w: float, u: float, v: float, b: float, kind: int) -> Gate:
        def matrix(value: float) -> npt.NDArray[np.float32]:
            return np.array([[value]], np.float32)

        return Gate(matrix(w), matrix(u), matrix(v), np.array([b], np.float32), Neuron(kind, 1.0, 1.0))

    lstm = LSTM(
        1,
        1,
        input_gate=gate(0.5, 0.25, -0.5, 0.125, ref.SIGMOID),
        forget_gate=gate(-0.25, 0.5, 0.75, 1.0, ref.SIGMOID),
        cell_gate=gate(1.0, -0.5, 0.25, -0.25, ref.TANH),
        output_gate=gate(0.75, 0.5, -1.0, 0.5, ref.SIGMOID),
    )

    def sigmoid(z: float) -> float:
        return 1 / (1 + math.exp(-z))

    h = c = 0.0
    expected = []
    for x in (1.0, -0.5):
        i = sigmoid(0.5 * x + 0.25 * h - 0.5 * c + 0.125)
        f = sigmoid(-0.25 * x + 0.5 * h + 0.75 * c + 1.0)
        g = math.tanh(1.0 * x - 0.5 * h + 0.25 * c - 0.25)
        c = f * c + i * g
        h = sigmoid(0.75 * x + 0.5 * h - 1.0 * c + 0.5) * math.tanh(c)
        expected.append(h)
    y, _ = inference_layer(device, lstm)(np.array([1.0, -0.5], np.float32).reshape(2, 1, 1))
    np.testing.assert_allclose(y.ravel(), expected, rtol=2e-6)


@pytest.mark.parametrize("diagonal", [False, True], ids=["full", "diagonal"])
@pytest.mark.parametrize("weight", ["W", "U", "V", "b"])
@pytest.mark.parametrize("gate", GATES)
def test_absent_weight(device: pymps.Device, gate: str, weight: str, diagonal: bool) -> None:
    """An LSTM with everything but one; without W its gate has neither bias nor neuron."""
    rng = np.random.default_rng(1)
    lstm = conventional(rng, 6, 11, peepholes=True, memory_weights_are_diagonal=diagonal)
    without = Gate(U=lstm.gates[gate].U, V=lstm.gates[gate].V) if weight == "W" else lstm.gates[gate]
    lstm = replace(lstm, **{gate: replace(without, **{weight: None})})
    assert_steps(device, [lstm], sequence(rng, 3, 2, 6))


@pytest.mark.parametrize("diagonal", [False, True], ids=["full", "diagonal"])
@pytest.mark.parametrize("gate", GATES)
def test_peephole(device: pymps.Device, gate: str, diagonal: bool) -> None:
    """One gate has a peephole: that of the output gate sees c1, the others c0."""
    rng = np.random.default_rng(2)
    lstm = conventional(rng, 5, 9)
    v = random_weights(rng, (9,) if diagonal else (9, 9)) * 4
    lstm = replace(lstm, **{gate: replace(lstm.gates[gate], V=v)}, memory_weights_are_diagonal=diagonal)
    assert_steps(device, [lstm], sequence(rng, 4, 3, 5), ([np.zeros((3, 9))], [np.full((3, 9), 0.5)]))


def test_no_weights(device: pymps.Device) -> None:
    """Every gate is identity of 0, so c1 = 0 c0 + 0 0, even for a state that is not zero."""
    layer = pymps.MatrixInferenceLayer(device, pymps.LSTMDescriptor(3, 5))
    ones = [np.ones((2, 5), np.float32)]
    y, state = layer(np.ones((4, 2, 3), np.float32), layer.state(h=ones, c=ones))
    assert y.shape == (4, 2, 5)
    np.testing.assert_array_equal(y, 0)
    np.testing.assert_array_equal(state.memory_cell(), 0)


def test_bias_and_neuron_come_from_input_weights_only(device: pymps.Device) -> None:
    rng = np.random.default_rng(3)
    lstm = conventional(rng, 4, 7, peepholes=True)
    plain, decorated = descriptor(lstm), descriptor(lstm)
    for gate, kind in itertools.product(GATES, ("recurrent", "memory")):
        source = pymps.WeightSource(
            lstm.gates[gate].U if kind == "recurrent" else lstm.gates[gate].V,
            np.ones(7, np.float32),
            pymps.Neuron(pymps.NeuronType.ABSOLUTE),
        )
        setattr(decorated, f"{gate}_{kind}_weights", source)
    x = sequence(rng, 3, 2, 4)
    expected, _ = pymps.MatrixInferenceLayer(device, plain)(x)
    actual, _ = pymps.MatrixInferenceLayer(device, decorated)(x)
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("present", [True, False], ids=["with sources", "without sources"])
def test_unit_transform(device: pymps.Device, present: bool) -> None:
    """W*x becomes x, whatever W is; a source that is there still gives bias and neuron."""
    rng = np.random.default_rng(4)
    lstm = replace(conventional(rng, 10, 10), unit_input=True)
    if not present:
        lstm = replace(lstm, **{name: Gate(U=gate.U) for name, gate in lstm.gates.items()})
    assert_steps(device, [lstm], sequence(rng, 3, 2, 10))


def test_stack_of_different_layers(device: pymps.Device) -> None:
    rng = np.random.default_rng(5)
    stack = [
        conventional(rng, 3, 20, peepholes=True),
        conventional(rng, 20, 20, use_float32_weights=False, unit_input=True),
        conventional(rng, 20, 2, peepholes=True, memory_weights_are_diagonal=True),
    ]
    layer = inference_layer(device, *stack)
    assert (layer.input_feature_channels, layer.output_feature_channels, layer.number_of_layers) == (3, 2, 3)
    assert_steps(device, stack, sequence(rng, 5, 4, 3), ref.zero_state(stack, 4))


def test_later_changes_of_a_descriptor_do_not_reach_the_layer(device: pymps.Device) -> None:
    rng = np.random.default_rng(6)
    lstm = conventional(rng, 4, 5)
    source, x = descriptor(lstm), sequence(rng, 2, 1, 4)
    layer = pymps.MatrixInferenceLayer(device, source)
    before, _ = layer(x)
    source.cell_gate_input_weights = None
    source.cell_to_output_neuron_type = pymps.NeuronType.ABSOLUTE
    lstm.cell_gate.U[:] = 0
    after, _ = layer(x)
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_special_values_stay_in_their_row(device: pymps.Device, value: float) -> None:
    """NaN and infinity in one row propagate as in the reference and leave the other rows as they were."""
    rng = np.random.default_rng(8)
    lstm = conventional(rng, 9, 13, peepholes=True)
    x = sequence(rng, 3, 5, 9)
    clean, _ = inference_layer(device, lstm)(x)
    x[1, 2, 4] = value
    y = np.array(assert_steps(device, [lstm], x))
    np.testing.assert_array_equal(np.delete(y, 2, axis=1), np.delete(clean, 2, axis=1))
    np.testing.assert_array_equal(y[0], clean[0])
    assert np.isnan(y[1, 2]).all() == math.isnan(value)


@pytest.mark.parametrize("part", [0, 1], ids=["h", "c"])
def test_special_values_in_a_state(device: pymps.Device, part: int) -> None:
    rng = np.random.default_rng(9)
    lstm = conventional(rng, 4, 8)
    state = [np.zeros((3, 8))], [np.zeros((3, 8))]
    state[part][0][1, 5] = np.nan
    y = np.array(assert_steps(device, [lstm], sequence(rng, 2, 3, 4), state))
    assert np.isnan(y[1, 1]).all()
    assert not np.isnan(y[:, [0, 2]]).any()


def test_rows_do_not_depend_on_the_batch(device: pymps.Device) -> None:
    """Each of up to 19 rows as if it had run alone."""
    rng = np.random.default_rng(10)
    lstm = conventional(rng, 12, 17, peepholes=True)
    layer = inference_layer(device, lstm)
    x = sequence(rng, 4, 19, 12)
    alone = np.concatenate([layer(x[:, row : row + 1])[0] for row in range(19)], axis=1)
    for batch in range(1, 20):
        y, _ = layer(x[:, :batch])
        assert_within(y, alone[:, :batch].astype(np.float64), 2e-6, f"batch {batch}")
