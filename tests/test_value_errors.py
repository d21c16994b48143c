"""Bad values for neurons, weights and descriptors: a clear exception that names what is wrong."""

from collections.abc import Callable

import numpy as np
import pytest
from bad_input import HUGE, Subclass, cases, expect, f32

from pymps import LSTMDescriptor, Neuron, NeuronType, WeightSource


@cases(
    ("str as type", lambda: Neuron("relu"), TypeError, r"type: str 'relu', expected a NeuronType"),
    ("None as type", lambda: Neuron(None), TypeError, r"type: None, expected a NeuronType"),
    ("bool as type", lambda: Neuron(True), TypeError, r"type: bool True, expected a NeuronType"),
    ("no such type", lambda: Neuron(16), ValueError, r"type: 16, expected a NeuronType, 0 to 15"),
    ("negative type", lambda: Neuron(-1), ValueError, r"type: -1"),
    ("str as a", lambda: Neuron(NeuronType.ELU, "1"), TypeError, r"a: str '1', expected a real number"),
    ("complex b", lambda: Neuron(NeuronType.TANH, 1, 1j), TypeError, r"b: complex 1j, expected a real number"),
    ("bool c", lambda: Neuron(NeuronType.POWER, c=True), TypeError, r"c: bool True, expected a real number"),
    ("array as a", lambda: Neuron(NeuronType.ELU, f32(1)), TypeError, r"a: float32 array of shape \(1,\)"),
    ("too large a", lambda: Neuron(NeuronType.ELU, 1e39), ValueError, r"a: float 1e\+39, expected .*float32"),
    ("huge int a", lambda: Neuron(NeuronType.ELU, -(10**400)), ValueError, r"a: int -10000.*float32"),
    ("PReLU without", lambda: Neuron(NeuronType.PRELU), ValueError, r"channel_a: None for PRELU, expected one number"),
    ("ReLU with", lambda: Neuron(1, channel_a=f32(3)), ValueError, r"channel_a: given for RELU, expected None"),
    (
        "channel_a list",
        lambda: Neuron(10, channel_a=[1.0]),
        TypeError,
        r"channel_a: list of length 1, expected",
    ),
    ("channel_a f64", lambda: Neuron(10, channel_a=np.ones(3)), TypeError, r"channel_a: float64 array.*\(out,\)"),
    ("channel_a 2-D", lambda: Neuron(10, channel_a=f32(1, 3)), ValueError, r"channel_a: .*shape \(1, 3\).*\(out,\)"),
    ("channel_a empty", lambda: Neuron(10, channel_a=f32(0)), ValueError, r"channel_a: .*shape \(0,\)"),
)
def test_neuron(use: Callable[[], object], error: type[Exception], text: str) -> None:
    expect(error, text, use)


@cases(
    (
        "list",
        lambda: WeightSource([[1.0]]),
        TypeError,
        r"weights: list of length 1, expected a float32",
    ),
    ("None", lambda: WeightSource(None), TypeError, r"weights: None"),
    ("float64", lambda: WeightSource(np.ones((2, 3))), TypeError, r"weights: float64 array of shape \(2, 3\)"),
    ("int", lambda: WeightSource(np.ones((2, 3), int)), TypeError, r"weights: int64 array"),
    ("byte order", lambda: WeightSource(f32(2, 3).astype(">f4")), TypeError, r"weights: >f4 array of shape \(2, 3\)"),
    ("masked", lambda: WeightSource(np.ma.ones((2, 3), "f")), TypeError, r"weights: float32 MaskedArray of shape"),
    ("subclass", lambda: WeightSource(f32(2, 3).view(Subclass)), TypeError, r"weights: float32 Subclass of shape"),
    ("0-d", lambda: WeightSource(f32()), ValueError, r"weights: .*shape \(\), expected .*\(out, in\)"),
    ("3-D", lambda: WeightSource(f32(1, 2, 3)), ValueError, r"weights: .*shape \(1, 2, 3\), expected .*\(out, in\)"),
    ("empty", lambda: WeightSource(f32(2, 0)), ValueError, r"weights: .*shape \(2, 0\)"),
    ("bias f16", lambda: WeightSource(f32(2, 3), np.ones(2, "e")), TypeError, r"bias: float16 array.*float32"),
    ("bias short", lambda: WeightSource(f32(2, 3), f32(3)), ValueError, r"bias: .*\(3,\), expected .*\(2,\)"),
    ("bias 2-D", lambda: WeightSource(f32(2, 3), f32(2, 1)), ValueError, r"bias: .*shape \(2, 1\)"),
    ("bias list", lambda: WeightSource(f32(1, 3), [0.0]), TypeError, r"bias: list of length 1"),
    ("neuron type", lambda: WeightSource(f32(2, 3), None, NeuronType.RELU), TypeError, r"neuron: .*expected a Neuron"),
    (
        "PReLU length",
        lambda: WeightSource(f32(2, 3), None, Neuron(10, channel_a=f32(3))),
        ValueError,
        r"neuron: channel_a of 3 channels, expected 2",
    ),
    ("label", lambda: WeightSource(f32(2, 3), label=b"W"), TypeError, r"label: bytes b'W', expected a str or None"),
    ("label with NUL", lambda: WeightSource(f32(2, 3), label="a\0b"), ValueError, r"label: .* neither NUL nor"),
    ("half a pair", lambda: WeightSource(f32(2, 3), label="\ud800"), ValueError, r"label: str .*, expected neither"),
)
def test_weight_source(use: Callable[[], object], error: type[Exception], text: str) -> None:
    expect(error, text, use)


@cases(
    ("zero inputs", lambda: LSTMDescriptor(0, 5), ValueError, r"input_feature_channels: 0, expected 1 to"),
    ("negative outputs", lambda: LSTMDescriptor(3, -1), ValueError, r"output_feature_channels: -1, expected 1 to"),
    ("too many", lambda: LSTMDescriptor(HUGE, 1), ValueError, r"input_feature_channels: 4611686018427387904"),
    ("beyond C", lambda: LSTMDescriptor(1, 1 << 70), ValueError, r"output_feature_channels: 1180591620717411303424"),
    ("float", lambda: LSTMDescriptor(3.0, 5), TypeError, r"input_feature_channels: float 3.0, expected an int"),
    ("bool", lambda: LSTMDescriptor(True, 5), TypeError, r"input_feature_channels: bool True, expected an int"),
    ("None", lambda: LSTMDescriptor(3, None), TypeError, r"output_feature_channels: None, expected an int"),
    ("array", lambda: LSTMDescriptor(f32(2), 1), TypeError, r"input_feature_channels: float32 array of shape \(2,\)"),
)
def test_descriptor(use: Callable[[], object], error: type[Exception], text: str) -> None:
    expect(error, text, use)


@pytest.mark.parametrize(
    ("name", "value", "error", "text"),
    [
        ("input_gate_input_weights", f32(5, 3), TypeError, r"float32 array of shape \(5, 3\), expected a WeightSource"),
        ("input_gate_input_weights", WeightSource(f32(3, 5)), ValueError, r"shape \(3, 5\), expected \(5, 3\)"),
        ("cell_gate_input_weights", WeightSource(f32(5)), ValueError, r"shape \(5,\), expected \(5, 3\)"),
        ("forget_gate_recurrent_weights", WeightSource(f32(5, 3)), ValueError, r"shape \(5, 3\), expected \(5, 5\)"),
        ("output_gate_memory_weights", WeightSource(f32(5)), ValueError, r"expected \(5, 5\) .*diagonal is False"),
        ("output_gate_memory_weights", WeightSource(f32(1, 5)), ValueError, r"shape \(1, 5\), expected \(5, 5\)"),
        ("memory_weights_are_diagonal", 1, TypeError, r"int 1, expected a bool"),
        ("use_float32_weights", None, TypeError, r"None, expected a bool"),
        ("use_layer_input_unit_transform_mode", "yes", TypeError, r"str 'yes', expected a bool"),
        ("use_layer_input_unit_transform_mode", True, ValueError, r"True for 3 input and 5 output channels"),
        ("layer_sequence_direction", 2, ValueError, r"2, expected FORWARD \(0\) or BACKWARD \(1\)"),
        ("layer_sequence_direction", "forward", TypeError, r"str 'forward', expected an RNNSequenceDirection"),
        ("cell_to_output_neuron_type", NeuronType.PRELU, ValueError, r"PRELU, expected a type without"),
        ("cell_to_output_neuron_type", 99, ValueError, r"99, expected a NeuronType, 0 to 15"),
        ("cell_to_output_neuron_type", None, TypeError, r"None, expected a NeuronType"),
        ("cell_to_output_neuron_param_a", "1", TypeError, r"str '1', expected a real number"),
        ("cell_to_output_neuron_param_b", None, TypeError, r"None, expected a real number"),
        ("cell_to_output_neuron_param_c", 1e40, ValueError, r"float 1e\+40, expected a number that float32"),
    ],
)
def test_descriptor_attribute(name: str, value: object, error: type[Exception], text: str) -> None:
    descriptor = LSTMDescriptor(3, 5)
    before = getattr(descriptor, name)
    expect(error, f"^{name}: .*{text}", setattr, descriptor, name, value)
    assert getattr(descriptor, name) == before


def test_channels_are_fixed() -> None:
    with pytest.raises(AttributeError):
        LSTMDescriptor(3, 5).input_feature_channels = 4  # type: ignore[misc]


def test_diagonal_and_full_memory_weights_do_not_mix() -> None:
    descriptor = LSTMDescriptor(3, 5)
    descriptor.cell_gate_memory_weights = WeightSource(f32(5, 5))
    expect(
        ValueError, r"memory_weights_are_diagonal: True.*form of cell_gate_memory_weights",
        setattr, descriptor, "memory_weights_are_diagonal", True,
    )  # fmt: skip
    descriptor.memory_weights_are_diagonal = False


@cases(
    ("w_hh not square", lambda f: f(f32(20, 3), f32(20, 4)), ValueError, r"w_hh: .*\(20, 4\), expected .*\(16, 4\)"),
    ("w_hh 1-D", lambda f: f(f32(20, 3), f32(20)), ValueError, r"w_hh: .*\(20,\), expected .*\(4 \* out, out\)"),
    ("w_ih rows", lambda f: f(f32(16, 3), f32(20, 5)), ValueError, r"w_ih: .*\(16, 3\), expected .*\(20, in\)"),
    ("w_ih list", lambda f: f([[1.0]], f32(20, 5)), TypeError, r"w_ih: list of length 1"),
    ("w_ih f64", lambda f: f(np.ones((20, 3)), f32(20, 5)), TypeError, r"w_ih: float64 array"),
    ("bias", lambda f: f(f32(20, 3), f32(20, 5), f32(5)), ValueError, r"bias: .*\(5,\), expected .*\(20,\)"),
    ("bias f64", lambda f: f(f32(20, 3), f32(20, 5), np.ones(20)), TypeError, r"bias: float64 array"),
    ("order type", lambda f: f(f32(20, 3), f32(20, 5), gate_order=None), TypeError, r"gate_order: None"),
    ("order", lambda f: f(f32(20, 3), f32(20, 5), gate_order="ifcc"), ValueError, r"gate_order: 'ifcc', expected"),
    ("order g and c", lambda f: f(f32(20, 3), f32(20, 5), gate_order="igco"), ValueError, r"gate_order: 'igco'"),
    ("peepholes type", lambda f: f(f32(20, 3), f32(20, 5), peepholes=[f32(5)]), TypeError, r"peepholes: list"),
    ("peepholes key", lambda f: f(f32(20, 3), f32(20, 5), peepholes={1: f32(5)}), ValueError, r"peepholes: keys \[1\]"),
    (
        "peepholes twice",
        lambda f: f(f32(20, 3), f32(20, 5), peepholes={"c": f32(5), "g": f32(5)}),
        ValueError,
        r"peepholes: keys \['c', 'g'\]",
    ),
    (
        "peepholes mixed",
        lambda f: f(f32(20, 3), f32(20, 5), peepholes={"i": f32(5), "o": f32(5, 5)}),
        ValueError,
        r"peepholes\['o'\]: .*\(5, 5\), expected .*\(5,\)",
    ),
    ("peephole None", lambda f: f(f32(20, 3), f32(20, 5), peepholes={"i": None}), TypeError, r"peepholes\['i'\]: None"),
    ("neurons", lambda f: f(f32(20, 3), f32(20, 5), neurons={"i": None}), TypeError, r"neurons\['i'\]: None"),
    ("gh", lambda f: f(f32(20, 3), f32(20, 5), cell_to_output_neuron=5), TypeError, r"cell_to_output_neuron: int 5"),
    ("float32", lambda f: f(f32(20, 3), f32(20, 5), use_float32_weights=1), TypeError, r"use_float32_weights: int 1"),
)
def test_from_arrays(use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use, LSTMDescriptor.from_arrays)
