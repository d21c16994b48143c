"""What holds for every kind of layer, alone and in stacks: their formulas against the float64 reference."""

import math
from dataclasses import replace

import conventional
import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
from checking import (
    arrays,
    assert_step,
    assert_steps,
    descriptor,
    inference_layer,
    initial_state,
    property_name,
)
from conventional import KINDS, full
from hypothesis import HealthCheck, assume, given, settings
from reference import Gate, Neuron
from strategies import Case, cases
from tolerance import assert_within

import pymps

every_kind = pytest.mark.parametrize("kind", KINDS)


def sequence(rng: np.random.Generator, steps: int, batch: int, channels: int) -> npt.NDArray[np.float32]:
    return rng.standard_normal((steps, batch, channels), np.float32)


def assume_tame(case: Case) -> None:
    """Leaves out what runs away: it would leave float16's range, then float32's."""
    _, states = ref.sequence([ref.with_rounded_weights(layer) for layer in case.stack], case.x, case.state)
    assume(all(np.abs(np.nan_to_num(m, nan=0.0)).max(initial=0.0) < 1e4 for h, c in states for m in h + c))


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases())
def test_random_stacks(device: pymps.Device, case: Case) -> None:
    assume_tame(case)
    assert_steps(device, case.stack, case.x, case.state)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases(count=2, dtypes=(np.float32,), ragged=False))
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


WEIGHTS = [
    (kind, gate, weight)
    for kind in KINDS
    for gate, weights in full(np.random.default_rng(), kind, 1, 1).gates.items()
    for weight in "WUVb"
    if getattr(weights, weight) is not None
]


@pytest.mark.parametrize(("kind", "gate", "weight"), WEIGHTS)
def test_absent_weight(device: pymps.Device, kind: str, gate: str, weight: str) -> None:
    """A layer with everything but one; without W its gate has neither bias nor neuron."""
    rng = np.random.default_rng(1)
    layer = full(rng, kind, 6, 11)
    weights = replace(layer.gates[gate], **{weight: None})
    if weight == "W":
        weights = replace(weights, b=None, neuron=Neuron())
    layer = replace(layer, **{gate: weights})
    assert_steps(device, [layer], sequence(rng, 3, 2, 6))


@every_kind
def test_no_weights(device: pymps.Device, kind: str) -> None:
    """Every gate is the identity of 0: 0 c0 + 0 0 in an LSTM, (1 - 0) 0 + 0 h0 in a GRU."""
    nothing = type(full(np.random.default_rng(), kind, 1, 1))(3, 5)
    layer = inference_layer(device, nothing)
    ones = [np.ones((2, 5))], [np.ones((2, nothing.cells))]
    y, state = layer(np.ones((4, 2, 3), np.float32), initial_state(layer, ones))
    assert y.shape == (4, 2, 5)
    np.testing.assert_array_equal(y, 0)
    np.testing.assert_array_equal(arrays(state)[1][0], 0)


@every_kind
def test_bias_and_neuron_come_from_input_weights_only(device: pymps.Device, kind: str) -> None:
    rng = np.random.default_rng(3)
    layer = full(rng, kind, 4, 7)
    plain, decorated = descriptor(layer), descriptor(layer)
    for gate, weights in layer.gates.items():
        for weight in "UV":
            if getattr(weights, weight) is not None:
                ignored = np.ones(7, np.float32), pymps.Neuron(pymps.NeuronType.ABSOLUTE)
                source = pymps.WeightSource(getattr(weights, weight), *ignored)
                setattr(decorated, property_name(layer, gate, weight), source)
    x = sequence(rng, 3, 2, 4)
    expected, _ = pymps.MatrixInferenceLayer(device, plain)(x)
    actual, _ = pymps.MatrixInferenceLayer(device, decorated)(x)
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("present", [True, False], ids=["with sources", "without sources"])
@every_kind
def test_unit_transform(device: pymps.Device, kind: str, present: bool) -> None:
    """W*x becomes x, whatever W is; a source that is there still gives bias and neuron."""
    rng = np.random.default_rng(4)
    layer = full(rng, kind, 10, 10, unit_input=True)
    if not present:
        layer = replace(layer, **{name: Gate(U=gate.U, V=gate.V) for name, gate in layer.gates.items()})
    assert_steps(device, [layer], sequence(rng, 3, 2, 10) / 4)


def test_stack_of_different_layers(device: pymps.Device) -> None:
    """Each layer takes only what it has: a stack's memory cells are those of its LSTMs."""
    rng = np.random.default_rng(5)
    stack = [
        conventional.gru(rng, 3, 20, input_gate_weights=True),
        conventional.lstm(rng, 20, 20, use_float32_weights=False, unit_input=True),
        conventional.single_gate(rng, 20, 9),
        conventional.lstm(rng, 9, 2, peepholes=True, memory_weights_are_diagonal=True),
    ]
    layer = inference_layer(device, *stack)
    assert (layer.input_feature_channels, layer.output_feature_channels, layer.number_of_layers) == (3, 2, 4)
    x = sequence(rng, 5, 4, 3)
    assert_steps(device, stack, x, ref.zero_state(stack, 4))
    _, state = layer(x)
    assert [c.shape[1] for c in arrays(state)[1]] == [0, 20, 0, 2]


@every_kind
def test_later_changes_of_a_descriptor_do_not_reach_the_layer(device: pymps.Device, kind: str) -> None:
    rng = np.random.default_rng(6)
    reference = full(rng, kind, 4, 5)
    source, x = descriptor(reference), sequence(rng, 2, 1, 4)
    layer = pymps.MatrixInferenceLayer(device, source)
    before, _ = layer(x)
    for name, gate in reference.gates.items():
        setattr(source, property_name(reference, name, "W"), None)
        gate.U[:] = 0
    after, _ = layer(x)
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@every_kind
def test_special_values_stay_in_their_row(device: pymps.Device, kind: str, value: float) -> None:
    """NaN and infinity in one row propagate as in the reference and leave the other rows as they were."""
    rng = np.random.default_rng(8)
    layer = full(rng, kind, 9, 13)
    x = sequence(rng, 3, 5, 9)
    clean, _ = inference_layer(device, layer)(x)
    x[1, 2, 4] = value
    y = np.array(assert_steps(device, [layer], x))
    np.testing.assert_array_equal(np.delete(y, 2, axis=1), np.delete(clean, 2, axis=1))
    np.testing.assert_array_equal(y[0], clean[0])
    assert np.isnan(y[1, 2]).all() == math.isnan(value)


@every_kind
def test_special_values_in_a_state(device: pymps.Device, kind: str) -> None:
    rng = np.random.default_rng(9)
    layer = full(rng, kind, 4, 8)
    h, c = ref.zero_state([layer], 3)
    h[0][1, 5] = np.nan
    y = np.array(assert_steps(device, [layer], sequence(rng, 2, 3, 4), (h, c)))
    assert np.isnan(y[1, 1]).all()
    assert not np.isnan(y[:, [0, 2]]).any()


@every_kind
def test_rows_do_not_depend_on_the_batch(device: pymps.Device, kind: str) -> None:
    """Each of up to 19 rows as if it had run alone."""
    rng = np.random.default_rng(10)
    layer = inference_layer(device, full(rng, kind, 12, 17))
    x = sequence(rng, 4, 19, 12)
    alone = np.concatenate([layer(x[:, row : row + 1])[0] for row in range(19)], axis=1)
    for batch in range(1, 20):
        y, _ = layer(x[:, :batch])
        assert_within(y, alone[:, :batch].astype(np.float64), 2e-6, f"batch {batch}")
