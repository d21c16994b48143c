"""What MPSLSTMDescriptor's formulas have that the other kinds' don't: peepholes and the memory cell."""

import math
from dataclasses import replace

import conventional
import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
from checking import assert_steps, inference_layer
from reference import LSTM, Gate, Neuron
from strategies import random_weights

import pymps


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
@pytest.mark.parametrize("gate", ["input_gate", "forget_gate", "cell_gate", "output_gate"])
def test_peephole(device: pymps.Device, gate: str, diagonal: bool) -> None:
    """One gate has a peephole: that of the output gate sees c1, the others c0."""
    rng = np.random.default_rng(2)
    lstm = conventional.lstm(rng, 5, 9)
    v = random_weights(rng, (9,) if diagonal else (9, 9)) * 4
    lstm = replace(lstm, **{gate: replace(lstm.gates[gate], V=v)}, memory_weights_are_diagonal=diagonal)
    state = [np.zeros((3, 9))], [np.full((3, 9), 0.5)]
    assert_steps(device, [lstm], rng.standard_normal((4, 3, 5), np.float32), state)


@pytest.mark.parametrize("gate", ["input_gate", "forget_gate", "cell_gate", "output_gate"])
def test_absent_diagonal_peephole(device: pymps.Device, gate: str) -> None:
    rng = np.random.default_rng(1)
    lstm = conventional.lstm(rng, 6, 11, peepholes=True, memory_weights_are_diagonal=True)
    lstm = replace(lstm, **{gate: replace(lstm.gates[gate], V=None)})
    assert_steps(device, [lstm], rng.standard_normal((3, 2, 6), np.float32))


def test_special_values_in_a_memory_cell(device: pymps.Device) -> None:
    rng = np.random.default_rng(9)
    c = np.zeros((3, 8))
    c[1, 5] = np.nan
    lstm = conventional.lstm(rng, 4, 8)
    y = np.array(assert_steps(device, [lstm], rng.standard_normal((2, 3, 4), np.float32), ([np.zeros((3, 8))], [c])))
    assert np.isnan(y[1, 1]).all()
    assert not np.isnan(y[:, [0, 2]]).any()
