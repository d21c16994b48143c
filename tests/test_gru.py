"""What MPSGRUDescriptor's formulas have that the other kinds' don't: two gates on h0, and how z mixes old and new."""

import math
from dataclasses import replace

import conventional
import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
from checking import assert_steps, inference_layer
from reference import GRU, Gate, Neuron
from tolerance import assert_within

import pymps

Rng = np.random.Generator
Float32 = npt.NDArray[np.float32]


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(41)


def matrix(value: float) -> Float32:
    return np.array([[value]], np.float32)


@pytest.mark.parametrize("flip", [False, True], ids=["plain", "flipped"])
@pytest.mark.parametrize("p", [1.0, 2.0, 0.5])
def test_by_hand(device: pymps.Device, p: float, flip: bool) -> None:
    """One channel, three steps, all seven weights: numbers worked out here, without the reference."""

    def gate(w: float, u: float, b: float, kind: int, v: float | None = None) -> Gate:
        bias, neuron = np.array([b], np.float32), Neuron(kind, 1.0, 1.0)
        return Gate(matrix(w), matrix(u), None if v is None else matrix(v), bias, neuron)

    gru = GRU(
        1,
        1,
        input_gate=gate(0.5, 0.25, 0.125, ref.SIGMOID),
        recurrent_gate=gate(-0.25, 0.5, 1.0, ref.SIGMOID),
        output_gate=gate(1.0, -0.5, -0.25, ref.TANH, v=0.75),
        gate_pnorm_value=p,
        flip_output_gates=flip,
    )

    def sigmoid(u: float) -> float:
        return 1 / (1 + math.exp(-u))

    h = 0.0
    expected = []
    for x in (1.0, -0.5, 0.25):
        z = sigmoid(0.5 * x + 0.25 * h + 0.125)
        r = sigmoid(-0.25 * x + 0.5 * h + 1.0)
        new = math.tanh(1.0 * x - 0.5 * (r * h) + 0.75 * (z * h) - 0.25)
        rest = (1 - z**p) ** (1 / p)
        h = rest * h + z * new if flip else rest * new + z * h
        expected.append(h)
    y, _ = inference_layer(device, gru)(np.array([1.0, -0.5, 0.25], np.float32).reshape(3, 1, 1))
    np.testing.assert_allclose(y.ravel(), expected, rtol=2e-6)


@pytest.mark.parametrize("flip", [False, True], ids=["plain", "flipped"])
@pytest.mark.parametrize("p", [1.0, 1.25, 2.0, 3.0, 0.5, 10.0])
def test_pnorm_and_flip(device: pymps.Device, rng: Rng, p: float, flip: bool) -> None:
    options = {"gate_pnorm_value": p, "flip_output_gates": flip}
    gru = conventional.gru(rng, 7, 19, input_gate_weights=True, **options)
    x = rng.standard_normal((5, 3, 7), np.float32)
    assert_steps(device, [gru], x)
    assert_steps(device, [replace(gru, use_float32_weights=False)], x)


def constant_gates(z: Float32, p: float, **options: bool) -> GRU:
    """h1 = (1 - z^p)^(1/p) 3 + z h0 for given z."""
    w, three = np.zeros((len(z), 1), np.float32), np.full(len(z), 3.0, np.float32)
    return GRU(1, len(z), Gate(W=w, b=z), output_gate=Gate(W=w, b=three), gate_pnorm_value=p, **options)


@pytest.mark.parametrize("flip", [False, True], ids=["plain", "flipped"])
@pytest.mark.parametrize("p", [1.0, 2.0, 3.0, 1.5, 0.5])
def test_any_z(device: pymps.Device, p: float, flip: bool) -> None:
    """z is what its neuron makes of it, beyond 0 and 1 too: there the formula may have no number, for the device
    neither."""
    specials = [0.0, -0.0, 1.0, 1 - 2**-24, 2**-60, np.nan, np.inf, -np.inf]
    z = np.concatenate([np.linspace(-2, 2, 33), specials]).astype(np.float32)
    gru = constant_gates(z, p, flip_output_gates=flip)
    assert_steps(device, [gru], np.zeros((2, 2, 1), np.float32), ([np.full((2, len(z)), 0.5)], [np.zeros((2, 0))]))


@pytest.mark.parametrize("p", [1.0, 2.0, 0.5])
def test_nearly_saturated_gates(device: pymps.Device, p: float) -> None:
    """Close to z = 1 a z rounded to float32 would leave few digits of (1 - z^p)^(1/p)."""
    gru = constant_gates(np.linspace(-18, 18, 73, dtype=np.float32), p)
    gru = replace(gru, input_gate=replace(gru.input_gate, neuron=Neuron(ref.SIGMOID)))
    assert_steps(device, [gru], np.zeros((2, 3, 1), np.float32))


@pytest.mark.parametrize("p", [1.0, 2.0, 0.5])
def test_saturated_gates(device: pymps.Device, p: float) -> None:
    """At the ends of the sigmoid one term is all of h1 and the other is 0, not the root of a rounding error."""
    b = np.array([-200.0, 200.0, -90.0, 90.0], np.float32)
    gru = constant_gates(b, p)
    gru = replace(gru, input_gate=replace(gru.input_gate, neuron=Neuron(ref.SIGMOID)))
    layer = inference_layer(device, gru)
    y, _ = layer(np.zeros((1, 1, 1), np.float32), layer.state(h=[np.full((1, 4), 0.5, np.float32)]))
    assert_within(y[0, 0], np.array([3.0, 0.5, 3.0, 0.5]), 1e-6, "h1")


def test_the_reset_gate_acts_before_the_recurrent_weights(device: pymps.Device) -> None:
    """Uh*(r h0), not r (Uh*h0): Uh brings to each channel what the other one has, and r closes one."""
    swap = np.array([[0, 1], [1, 0]], np.float32)
    w = np.zeros((2, 1), np.float32)
    gru = GRU(
        1,
        2,
        recurrent_gate=Gate(W=w, b=np.array([1.0, 0.0], np.float32)),
        output_gate=Gate(U=swap),
    )
    layer = inference_layer(device, gru)
    y, _ = layer(np.zeros((1, 1, 1), np.float32), layer.state(h=[np.array([[3.0, 5.0]], np.float32)]))
    np.testing.assert_array_equal(y[0], [[0.0, 3.0]])


@pytest.mark.parametrize("outputs", [1, 9, 33])
def test_minimal_gated_unit(device: pymps.Device, rng: Rng, outputs: int) -> None:
    """Uh absent, Vh in its place: z is then the forget gate, and the recurrent gate has no effect."""
    gru = conventional.gru(rng, 5, outputs, input_gate_weights=True)
    unit = replace(gru, output_gate=replace(gru.output_gate, U=None))
    x = rng.standard_normal((4, 3, 5), np.float32)
    y = assert_steps(device, [unit], x)
    without = assert_steps(device, [replace(unit, recurrent_gate=Gate())], x)
    np.testing.assert_array_equal(y, without)


def test_what_the_recurrent_gate_may_not_spoil(device: pymps.Device, rng: Rng) -> None:
    """Without Uh not even a NaN in r reaches h."""
    gru = conventional.gru(rng, 4, 6, input_gate_weights=True)
    nan = replace(gru.recurrent_gate, b=np.full(6, np.nan, np.float32))
    gru = replace(gru, output_gate=replace(gru.output_gate, U=None), recurrent_gate=nan)
    assert np.isfinite(assert_steps(device, [gru], rng.standard_normal((3, 2, 4), np.float32))).all()


def test_flip_exchanges_old_and_new(device: pymps.Device, rng: Rng) -> None:
    """Flipping is the same as taking 1 - z for z, which a sigmoid does by a change of sign."""
    gru = conventional.gru(rng, 6, 10)
    z = gru.input_gate
    negated = replace(gru, input_gate=replace(z, W=-z.W, U=-z.U, b=-z.b), flip_output_gates=True)
    x = rng.standard_normal((6, 2, 6), np.float32)
    expected, _ = inference_layer(device, gru)(x)
    y, _ = inference_layer(device, negated)(x)
    assert_within(y, expected.astype(np.float64), 2e-6, "y")
