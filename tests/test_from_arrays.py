"""LSTMDescriptor.from_arrays against the twelve properties set one by one."""

import itertools
from dataclasses import replace

import conventional
import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
from checking import descriptor, neuron
from reference import LSTM, Gate, Neuron
from strategies import random_weights

import pymps

RNG = np.random.default_rng(7)
LAYER = conventional.lstm(RNG, 3, 6, peepholes=True, memory_weights_are_diagonal=True, use_float32_weights=False)
GATES = dict(zip("ifco", LAYER.gates.values(), strict=True))
PEEPHOLES = {letter: gate.V for letter, gate in GATES.items()}
X = RNG.standard_normal((3, 2, 3)).astype(np.float32)


def stacked(order: str) -> tuple[npt.NDArray[np.float32], ...]:
    """w_ih, w_hh and bias."""
    gates = [GATES[letter.replace("g", "c")] for letter in order]
    return tuple(np.concatenate([getattr(gate, name) for gate in gates]) for name in "WUb")


def assert_same(device: pymps.Device, actual: pymps.LSTMDescriptor, expected: LSTM) -> None:
    y, _ = pymps.MatrixInferenceLayer(device, actual)(X)
    expected_y, _ = pymps.MatrixInferenceLayer(device, descriptor(expected))(X)
    np.testing.assert_array_equal(y, expected_y)


def changed(change: dict[str, Gate], **options: object) -> LSTM:
    return replace(LAYER, **change, **options)


@pytest.mark.parametrize("order", ["".join(p) for name in "cg" for p in itertools.permutations(f"if{name}o")])
def test_gate_order(device: pymps.Device, order: str) -> None:
    actual = pymps.LSTMDescriptor.from_arrays(*stacked(order), gate_order=order, peepholes=PEEPHOLES)
    assert_same(device, actual, LAYER)


@pytest.mark.parametrize("use_float32_weights", [False, True])
def test_defaults(device: pymps.Device, use_float32_weights: bool) -> None:
    """Gate order i f c o, no bias, no peepholes, sigmoid and tanh."""
    w_ih, w_hh, _ = stacked("ifco")
    actual = pymps.LSTMDescriptor.from_arrays(w_ih, w_hh, use_float32_weights=use_float32_weights)
    bare = {name: replace(gate, V=None, b=None) for name, gate in LAYER.gates.items()}
    assert_same(device, actual, changed(bare, use_float32_weights=use_float32_weights))
    assert not pymps.LSTMDescriptor.from_arrays(w_ih, w_hh).use_float32_weights


def test_some_peepholes_and_neurons(device: pymps.Device) -> None:
    """What is not in the dictionaries keeps its default."""
    v = random_weights(np.random.default_rng(8), (6, 6))
    forget, cell, output = Neuron(ref.HARD_SIGMOID, 0.25, 0.5), Neuron(ref.SOFT_SIGN), Neuron(ref.ABSOLUTE)
    gates = {name: replace(gate, V=None) for name, gate in LAYER.gates.items()}
    gates["forget_gate"] = replace(gates["forget_gate"], V=v, neuron=forget)
    gates["cell_gate"] = replace(gates["cell_gate"], neuron=cell)
    actual = pymps.LSTMDescriptor.from_arrays(
        *stacked("ifco"),
        peepholes={"f": v},
        neurons={"f": neuron(forget), "c": neuron(cell)},
        cell_to_output_neuron=neuron(output),
    )
    assert_same(device, actual, changed(gates, memory_weights_are_diagonal=False, cell_to_output=output))


def test_g_names_the_cell_gate_everywhere(device: pymps.Device) -> None:
    peepholes = {letter.replace("c", "g"): v for letter, v in PEEPHOLES.items()}
    neurons = {"g": pymps.Neuron(pymps.NeuronType.TANH)}
    actual = pymps.LSTMDescriptor.from_arrays(*stacked("ifgo"), gate_order="ifgo", peepholes=peepholes, neurons=neurons)
    assert_same(device, actual, LAYER)
