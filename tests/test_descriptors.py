"""The descriptors of GRUs and single gates: Apple's properties and defaults, from_arrays, bad values; uint8 weights."""

import copy
import itertools
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bad_input import HUGE, cases, expect, f32
from models import lstm, sequence
from tolerance import BYTES

import pymps
from pymps import GRUDescriptor, MatrixInferenceLayer, Neuron, NeuronType, SingleGateDescriptor, WeightSource

GRU_GATES = {"z": "input_gate", "r": "recurrent_gate", "h": "output_gate"}
PROPERTIES = {
    GRUDescriptor: [f"{gate}_{kind}_weights" for gate in GRU_GATES.values() for kind in ("input", "recurrent")]
    + ["output_gate_input_gate_weights"],
    SingleGateDescriptor: ["input_weights", "recurrent_weights"],
}
KINDS = list(PROPERTIES)
EACH_PROPERTY = [(kind, name) for kind in KINDS for name in PROPERTIES[kind]]

Kind = type[GRUDescriptor] | type[SingleGateDescriptor]


def random(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, shape).astype(np.float32)


def assert_same(device: pymps.Device, actual: Any, expected: Any) -> None:
    x = sequence()
    run = MatrixInferenceLayer(device, expected)
    np.testing.assert_array_equal(MatrixInferenceLayer(device, actual)(x)[0], run(x)[0])


# ---- Properties ----


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_are_apples(kind: Kind) -> None:
    descriptor = kind(3, 5)
    assert (descriptor.input_feature_channels, descriptor.output_feature_channels) == (3, 5)
    assert all(getattr(descriptor, name) is None for name in PROPERTIES[kind])
    assert descriptor.use_float32_weights is False
    assert descriptor.use_layer_input_unit_transform_mode is False
    assert descriptor.layer_sequence_direction is pymps.RNNSequenceDirection.FORWARD
    if isinstance(descriptor, GRUDescriptor):
        assert descriptor.gate_pnorm_value == 1
        assert descriptor.flip_output_gates is False


@pytest.mark.parametrize(("kind", "name"), EACH_PROPERTY)
def test_weights_can_be_set_and_unset(kind: Kind, name: str) -> None:
    descriptor = kind(3, 5)
    source = WeightSource(f32(5, 3 if name.endswith("input_weights") else 5))
    setattr(descriptor, name, source)
    assert getattr(descriptor, name) is source
    assert [other for other in PROPERTIES[kind] if getattr(descriptor, other) is not None] == [name]
    assert name in repr(descriptor)
    setattr(descriptor, name, None)
    assert getattr(descriptor, name) is None


@pytest.mark.parametrize(("kind", "name"), EACH_PROPERTY)
def test_every_property_reaches_the_layer(device: pymps.Device, kind: Kind, name: str) -> None:
    """And it is that property, not another one: no two give the same numbers."""
    outputs = []
    for chosen in PROPERTIES[kind]:
        descriptor = kind(4, 4)
        descriptor.use_float32_weights = True
        for seed, other in enumerate(PROPERTIES[kind]):
            bias = random(4, seed=100 + seed) if other.endswith("input_weights") else None
            neuron = Neuron(NeuronType.SIGMOID) if other.endswith("input_weights") else None
            weights = random(4, 4, seed=seed) * (-2 if other == chosen else 1)
            setattr(descriptor, other, WeightSource(weights, bias, neuron))
        outputs.append(MatrixInferenceLayer(device, descriptor)(sequence(features=4))[0])
    mine = outputs.pop(PROPERTIES[kind].index(name))
    assert all(np.abs(other - mine).max() > 1e-4 for other in outputs)


@pytest.mark.parametrize("kind", KINDS)
def test_switches_can_be_set(kind: Kind) -> None:
    descriptor = kind(4, 4)
    descriptor.use_float32_weights = descriptor.use_layer_input_unit_transform_mode = True
    descriptor.layer_sequence_direction = pymps.RNNSequenceDirection.BACKWARD
    assert descriptor.use_float32_weights
    assert descriptor.use_layer_input_unit_transform_mode
    assert descriptor.layer_sequence_direction is pymps.RNNSequenceDirection.BACKWARD
    assert not kind(4, 4).use_float32_weights, "descriptors share nothing"


@pytest.mark.parametrize("kind", KINDS)
def test_descriptors_can_be_copied_and_pickled(kind: Kind) -> None:
    descriptor = kind(3, 5)
    descriptor.use_float32_weights = True
    setattr(descriptor, PROPERTIES[kind][0], WeightSource(f32(5, 3)))
    for clone in (copy.deepcopy(descriptor), pickle.loads(pickle.dumps(descriptor))):
        assert repr(clone) == repr(descriptor)
        assert clone.use_float32_weights


@pytest.mark.parametrize("kind", KINDS)
def test_a_misspelt_property_is_an_error(kind: Kind) -> None:
    with pytest.raises(AttributeError):
        kind(3, 5).forget_gate_input_weights = None  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", KINDS)
def test_bad_channels(kind: Kind) -> None:
    for arguments, error, text in (
        ((0, 5), ValueError, r"input_feature_channels: 0, expected 1 to"),
        ((3, HUGE), ValueError, r"output_feature_channels: 4611686018427387904"),
        ((3.0, 5), TypeError, r"input_feature_channels: float 3.0, expected an int"),
    ):
        expect(error, text, kind, *arguments)


@pytest.mark.parametrize(("kind", "name"), EACH_PROPERTY)
def test_bad_weights(kind: Kind, name: str) -> None:
    descriptor = kind(3, 5)
    shape = (5, 3) if name.endswith("input_weights") else (5, 5)
    for value, error, text in (
        (f32(*shape), TypeError, r"float32 array of shape .*expected a WeightSource, a DataSource or None"),
        (WeightSource(f32(5)), ValueError, rf"weights of shape \(5,\), expected \({shape[0]}, {shape[1]}\)"),
        (WeightSource(f32(4, 4)), ValueError, rf"weights of shape \(4, 4\), expected \({shape[0]}, {shape[1]}\)"),
    ):
        expect(error, f"^{name}: {text}", setattr, descriptor, name, value)
    assert getattr(descriptor, name) is None


@pytest.mark.parametrize(
    ("name", "value", "error", "text"),
    [
        ("gate_pnorm_value", 0, ValueError, r"int 0, expected a number above 0"),
        ("gate_pnorm_value", -1.0, ValueError, r"float -1.0, expected a number above 0"),
        ("gate_pnorm_value", float("nan"), ValueError, r"float nan, expected"),
        ("gate_pnorm_value", float("inf"), ValueError, r"float inf, expected"),
        ("gate_pnorm_value", 1e-60, ValueError, r"float 1e-60, expected"),
        ("gate_pnorm_value", "1", TypeError, r"str '1', expected a real number"),
        ("flip_output_gates", 1, TypeError, r"int 1, expected a bool"),
        ("layer_sequence_direction", 2, ValueError, r"2, expected FORWARD \(0\) or BACKWARD \(1\)"),
        ("layer_sequence_direction", True, TypeError, r"bool True, expected an RNNSequenceDirection"),
        ("use_layer_input_unit_transform_mode", True, ValueError, r"True for 3 input and 5 output channels"),
    ],
)
def test_bad_values(name: str, value: object, error: type[Exception], text: str) -> None:
    descriptor = GRUDescriptor(3, 5)
    before = getattr(descriptor, name)
    expect(error, f"^{name}: .*{text}", setattr, descriptor, name, value)
    assert getattr(descriptor, name) == before


# ---- from_arrays ----


@pytest.mark.parametrize("order", ["".join(letters) for letters in itertools.permutations("zrh")])
def test_gru_from_arrays(device: pymps.Device, order: str) -> None:
    w, u, b = random(15, 3), random(15, 5, seed=1), random(15, seed=2)
    neurons = {"r": Neuron(NeuronType.HARD_SIGMOID)}
    actual = GRUDescriptor.from_arrays(
        w, u, b, order, neurons, gate_pnorm_value=2.0, flip_output_gates=True, use_float32_weights=True
    )
    expected = GRUDescriptor(3, 5)
    expected.gate_pnorm_value, expected.flip_output_gates, expected.use_float32_weights = 2.0, True, True
    for place, letter in enumerate(order):
        rows = slice(5 * place, 5 * place + 5)
        default = Neuron(NeuronType.TANH if letter == "h" else NeuronType.SIGMOID)
        source = WeightSource(w[rows], b[rows], neurons.get(letter, default))
        setattr(expected, f"{GRU_GATES[letter]}_input_weights", source)
        setattr(expected, f"{GRU_GATES[letter]}_recurrent_weights", WeightSource(u[rows]))
    assert_same(device, actual, expected)
    assert actual.output_gate_input_gate_weights is None


def test_single_gate_from_arrays(device: pymps.Device) -> None:
    w, u, b = random(5, 3), random(5, 5, seed=1), random(5, seed=2)
    for neuron, used in ((None, Neuron(NeuronType.TANH)), (Neuron(NeuronType.RELU), Neuron(NeuronType.RELU))):
        expected = SingleGateDescriptor(3, 5)
        expected.input_weights = WeightSource(w, b, used)
        expected.recurrent_weights = WeightSource(u)
        assert_same(device, SingleGateDescriptor.from_arrays(w, u, b, neuron), expected)


def test_from_arrays_without_a_bias(device: pymps.Device) -> None:
    for kind, count in ((GRUDescriptor, 3), (SingleGateDescriptor, 1)):
        w, u = random(5 * count, 3), random(5 * count, 5)
        without = kind.from_arrays(w, u)
        assert_same(device, without, kind.from_arrays(w, u, np.zeros(5 * count, np.float32)))
        assert without.use_float32_weights is False


def gru(*arguments: Any, **options: Any) -> GRUDescriptor:
    return GRUDescriptor.from_arrays(*(arguments or (f32(15, 3), f32(15, 5))), **options)


def single(*arguments: Any, **options: Any) -> SingleGateDescriptor:
    return SingleGateDescriptor.from_arrays(*(arguments or (f32(5, 3), f32(5, 5))), **options)


@cases(
    ("w_hh", lambda: gru(f32(15, 3), f32(15, 4)), ValueError, r"w_hh: .*\(15, 4\), expected .*\(12, 4\)"),
    ("w_hh 1-D", lambda: gru(f32(15, 3), f32(15)), ValueError, r"w_hh: .*\(15,\), expected .*\(3 \* out, out\)"),
    ("w_ih", lambda: gru(f32(12, 3), f32(15, 5)), ValueError, r"w_ih: .*\(12, 3\), expected .*\(15, in\)"),
    ("w_ih f64", lambda: gru(np.ones((15, 3)), f32(15, 5)), TypeError, r"w_ih: float64 array"),
    ("bias", lambda: gru(f32(15, 3), f32(15, 5), f32(5)), ValueError, r"bias: .*\(5,\), expected .*\(15,\)"),
    ("order", lambda: gru(gate_order="zrn"), ValueError, r"gate_order: 'zrn', expected the letters z, r and h"),
    ("order twice", lambda: gru(gate_order="zrhz"), ValueError, r"gate_order: 'zrhz'"),
    ("order type", lambda: gru(gate_order=3), TypeError, r"gate_order: int 3, expected a str"),
    ("neurons key", lambda: gru(neurons={"c": None}), ValueError, r"neurons: keys \['c'\], .*letters z, r and h"),
    ("neuron", lambda: gru(neurons={"z": 3}), TypeError, r"neurons\['z'\]: int 3, expected a Neuron"),
    ("pnorm", lambda: gru(gate_pnorm_value=0.0), ValueError, r"gate_pnorm_value: float 0.0"),
    ("flip", lambda: gru(flip_output_gates=None), TypeError, r"flip_output_gates: None"),
    ("single w_hh", lambda: single(f32(5, 3), f32(4, 5)), ValueError, r"w_hh: .*\(4, 5\), expected .*\(5, 5\)"),
    ("single w_ih", lambda: single(f32(4, 3), f32(5, 5)), ValueError, r"w_ih: .*\(4, 3\), expected .*\(5, in\)"),
    ("single bias", lambda: single(f32(5, 3), f32(5, 5), f32(4)), ValueError, r"bias: .*\(4,\), expected .*\(5,\)"),
    ("single neuron", lambda: single(neuron=3), TypeError, r"neuron: int 3, expected a Neuron or None"),
    ("positional", lambda: single(f32(5, 3), f32(5, 5), None, None, True), TypeError, r"positional"),
)
def test_bad_arrays(use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use)


# ---- uint8 weights ----


def quantized() -> tuple[Any, Any, Any]:
    """Bytes, ranges and a lookup table that mean the same numbers."""
    rng = np.random.default_rng(5)
    low, high = np.float32(-0.5), np.float32(0.75)
    table = np.arange(256, dtype=np.float32) / 255 * (high - low) + low
    return rng.integers(0, 256, (5, 3), np.uint8), np.tile(np.array([low, high]), (5, 1)), table


def test_uint8_weights(device: pymps.Device) -> None:
    data, ranges, table = quantized()
    outputs = []
    for source in (
        WeightSource(table[data]),
        WeightSource(data, lookup_table=table),
        WeightSource(data, ranges=ranges),
    ):
        descriptor = SingleGateDescriptor(3, 5)
        descriptor.use_float32_weights = True
        descriptor.input_weights = source
        outputs.append(MatrixInferenceLayer(device, descriptor)(sequence())[0])
    np.testing.assert_array_equal(outputs[1], outputs[0])
    np.testing.assert_allclose(outputs[2], outputs[0], rtol=0, atol=BYTES)


def test_quantized_sources_are_values() -> None:
    data, ranges, table = quantized()
    linear, lookup = WeightSource(data, ranges=ranges, label="w"), WeightSource(data, lookup_table=table)
    assert linear.data_type is pymps.DataType.UINT8
    assert (linear.lookup_table, lookup.ranges, WeightSource(f32(2, 3)).ranges) == (None, None, None)
    ranges[:] = 0
    for clone in (linear, copy.copy(linear), pickle.loads(pickle.dumps(linear))):
        assert clone.ranges is not None
        assert clone.ranges.tolist() == [[-0.5, 0.75]] * 5
        assert clone.weights.dtype == np.uint8
    assert lookup.lookup_table is not None
    assert not lookup.lookup_table.flags.writeable


DATA, RANGES, TABLE = quantized()


@cases(
    ("neither", lambda: WeightSource(DATA), ValueError, r"ranges, lookup_table: neither given for uint8 .*one of the"),
    ("both", lambda: WeightSource(DATA, ranges=RANGES, lookup_table=TABLE), ValueError, r"ranges and lookup_table"),
    ("float32", lambda: WeightSource(f32(5, 3), ranges=RANGES), ValueError, r"ranges given for .*expected neither"),
    ("all", lambda: WeightSource(f32(5, 3), None, None, None, RANGES, TABLE), ValueError, r"neither"),
    ("ranges shape", lambda: WeightSource(DATA, ranges=RANGES[:4]), ValueError, r"ranges: .*\(4, 2\), expected"),
    ("ranges dtype", lambda: WeightSource(DATA, ranges=RANGES.astype("d")), TypeError, r"ranges: float64 array"),
    ("table shape", lambda: WeightSource(DATA, lookup_table=TABLE[:255]), ValueError, r"lookup_table: .*\(255,\)"),
    ("table type", lambda: WeightSource(DATA, lookup_table=[0.0] * 256), TypeError, r"lookup_table: list of length"),
    ("int8", lambda: WeightSource(DATA.view(np.int8), ranges=RANGES), TypeError, r"weights: int8 array"),
)
def test_bad_quantization(use: Callable[[], object], error: type[Exception], text: str) -> None:
    expect(error, text, use)


# ---- Layers of them ----


def test_kinds_can_be_stacked(device: pymps.Device) -> None:
    stack = [
        lstm(3, 5),
        GRUDescriptor.from_arrays(random(12, 5), random(12, 4)),
        SingleGateDescriptor.from_arrays(random(2, 4), random(2, 2)),
    ]
    run = MatrixInferenceLayer(device, stack)
    y, state = run(sequence())
    assert y.shape == (4, 2, 2)
    assert "3 -> 5 -> 4 -> 2" in repr(run)
    assert [state.recurrent_output(index).shape for index in range(3)] == [(2, 5), (2, 4), (2, 2)]
    assert state.memory_cell(0).shape == (2, 5)
    for index in (1, 2):
        expect(ValueError, rf"layer_index: {index}, a layer without a memory cell", state.memory_cell, index)
    again = run.state([state.recurrent_output(index) for index in range(3)], [state.memory_cell(0), None, None])
    np.testing.assert_array_equal(run(sequence(), again)[0], run(sequence(), state)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_memory_cell_is_refused(device: pymps.Device, kind: Kind) -> None:
    run = MatrixInferenceLayer(device, kind(3, 5))
    expect(ValueError, r"c\[0\]: given for a layer without a memory cell", run.state, [f32(2, 5)], [f32(2, 5)])


@pytest.mark.parametrize("kind", KINDS)
def test_streams(device: pymps.Device, kind: Kind) -> None:
    count = 3 if kind is GRUDescriptor else 1
    run = MatrixInferenceLayer(device, kind.from_arrays(random(5 * count, 3), random(5 * count, 5)))
    x = sequence(batch=1)
    y, _ = run(x)
    with run.stream() as stream:
        for x_t, y_t in zip(x, y):
            stream.x[:] = x_t
            stream.step()
            np.testing.assert_allclose(stream.y, y_t, rtol=1e-5, atol=2e-6)


def test_what_is_no_descriptor(device: pymps.Device) -> None:
    text = r"descriptor: .*expected an LSTMDescriptor, a GRUDescriptor, a SingleGateDescriptor or a list"
    for value in (None, GRUDescriptor, [f32(2, 2)], "gru"):
        expect(TypeError, text, MatrixInferenceLayer, device, value)
