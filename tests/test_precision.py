"""The promise on numbers: 2e-6 of the output's scale with float32 weights, 1e-3 with float16 ones, end to end."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import conventional
import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
from checking import assert_steps, inference_layer
from reference import GRU, LSTM, Gate, Layer, Neuron, SingleGate
from tolerance import INTEGERS, assert_within

import pymps

SHAPES = [(1, 1), (8, 8), (13, 29), (64, 128), (100, 256), (257, 63)]
VARIANTS: dict[str, Callable[..., Layer]] = {
    "LSTM": conventional.lstm,
    "LSTM, diagonal peepholes": partial(conventional.lstm, peepholes=True, memory_weights_are_diagonal=True),
    "LSTM, full peepholes": partial(conventional.lstm, peepholes=True),
    "GRU": conventional.gru,
    "GRU, input gate weights": partial(conventional.gru, input_gate_weights=True),
    "GRU, p of 2": partial(conventional.gru, gate_pnorm_value=2.0),
    "GRU, flipped, p of 1.5": partial(conventional.gru, gate_pnorm_value=1.5, flip_output_gates=True),
    "single gate": conventional.single_gate,
}
USUAL = ["LSTM", "LSTM, diagonal peepholes", "LSTM, full peepholes", "GRU", "single gate"]
STEPS = 32


def deviation(device: pymps.Device, stack: list[Layer], against: list[Layer], x: npt.NDArray[np.float32]) -> float:
    """The largest error of y over the largest output."""
    y, _ = inference_layer(device, *stack)(x)
    expected = np.array(ref.sequence(against, list(x))[0])
    return float(np.abs(y - expected).max() / np.abs(expected).max())


def random_x(rng: np.random.Generator, inputs: int) -> npt.NDArray[np.float32]:
    return rng.standard_normal((STEPS, 2, inputs)).astype(np.float32)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_float32_weights(device: pymps.Device, shape: tuple[int, int], variant: str) -> None:
    rng = np.random.default_rng(21)
    stack = [VARIANTS[variant](rng, *shape), VARIANTS[variant](rng, shape[1], shape[1])]
    assert deviation(device, stack, stack, random_x(rng, shape[0])) <= 2e-6


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_float16_weights(device: pymps.Device, shape: tuple[int, int], variant: str) -> None:
    """1e-3 from the weights given; from the rounded weights as near as float32, because sums are float32's, but for U
    of many outputs with the usual neurons, which may be kept as integers.
    """
    rng = np.random.default_rng(22)
    stack = [VARIANTS[variant](rng, *shape, use_float32_weights=False)]
    x = random_x(rng, shape[0])
    assert 2e-6 < deviation(device, stack, stack, x) <= 1e-3
    rounded = [ref.with_rounded_weights(layer) for layer in stack]
    near = INTEGERS if variant in USUAL and shape[1] >= 64 and "(AVX3)" in device.name else 2e-6
    assert deviation(device, stack, rounded, x) <= (near if device.backend == "portable" else 1e-3)


def identity(weight: npt.NDArray[np.generic], kind: str = "single gate", **options: bool) -> Layer:
    """h1 = W*x."""
    inputs, outputs, gate = weight.shape[1], len(weight), Gate(W=weight)
    if kind == "single gate":
        return SingleGate(inputs, outputs, gate, **options)
    if kind == "GRU":
        return GRU(inputs, outputs, output_gate=gate, **options)
    one = Gate(W=np.zeros_like(weight), b=np.ones(outputs, np.float32))
    gates = {"input_gate": one, "cell_gate": gate, "output_gate": one}
    return LSTM(inputs, outputs, **gates, cell_to_output=Neuron(), **options)


def weight_kept(device: pymps.Device, weights: npt.NDArray[np.generic], **options: bool) -> npt.NDArray[np.float32]:
    """The weights as the layer keeps them, read through an input of 1."""
    y, _ = inference_layer(device, identity(weights.reshape(-1, 1), **options))(np.ones((1, 1, 1), np.float32))
    return y[0, 0]


every_kind = pytest.mark.parametrize("kind", conventional.KINDS)

# Ties to even, both ends of the normal range, subnormals and what becomes 0 or infinity.
TRICKY = np.array(
    [
        *(1 + 2**-11, 1 + 3 * 2**-11, 1 + 2**-11 + 2**-20, 1 / 3, -0.0),
        *(65504, 65519, 65520, -70000, np.inf),
        *(2**-14, 2**-24, 2**-25, 1.5 * 2**-25, 3 * 2**-25, 1e-30),
    ],
    np.float32,
)


@every_kind
def test_float16_weights_are_rounded_to_nearest_even(device: pymps.Device, kind: str) -> None:
    with np.errstate(over="ignore"):
        expected = TRICKY.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(weight_kept(device, TRICKY, kind=kind, use_float32_weights=False), expected)


@every_kind
def test_float32_weights_are_kept(device: pymps.Device, kind: str) -> None:
    np.testing.assert_array_equal(weight_kept(device, TRICKY, kind=kind), TRICKY)


@pytest.mark.parametrize("use_float32_weights", [False, True])
@every_kind
def test_every_float16_weight(device: pymps.Device, kind: str, use_float32_weights: bool) -> None:
    """All 63488 finite float16 numbers, exactly, whichever way they are kept."""
    numbers = np.arange(2**16, dtype=np.uint16).view(np.float16)
    weights = numbers[np.isfinite(numbers)].reshape(256, 248)
    layer = inference_layer(device, identity(weights, kind, use_float32_weights=use_float32_weights))
    y, _ = layer(np.eye(248, dtype=np.float32)[np.newaxis])
    np.testing.assert_array_equal(y[0].T, weights.astype(np.float32))


@every_kind
def test_bias_is_never_rounded(device: pymps.Device, kind: str) -> None:
    bias = np.array([1 + 2**-20, 1e-30, 1e30, 1 / 3], np.float32)
    layer = identity(np.zeros((4, 1), np.float32), kind, use_float32_weights=False)
    gate = {"LSTM": "cell_gate", "GRU": "output_gate", "single gate": "gate"}[kind]
    layer = replace(layer, **{gate: replace(layer.gates[gate], b=bias)})
    y, _ = inference_layer(device, layer)(np.zeros((1, 1, 1), np.float32))
    np.testing.assert_array_equal(y[0, 0], bias)


@pytest.mark.parametrize("scale", [1e-20, 1e-6, 1e6, 1e20])
def test_inputs_of_any_magnitude(device: pymps.Device, scale: float) -> None:
    rng = np.random.default_rng(23)
    layer = identity(rng.standard_normal((33, 50)).astype(np.float32))
    assert_steps(device, [layer], (rng.standard_normal((1, 4, 50)) * scale).astype(np.float32))
    for kind in conventional.KINDS:
        x = (rng.standard_normal((3, 4, 50)) * scale).astype(np.float32)
        assert_steps(device, [conventional.full(rng, kind, 50, 20)], x)


@every_kind
def test_long_sums_are_accumulated_in_float32(device: pymps.Device, kind: str) -> None:
    """4096 products of 1 + 2^-12 add up exactly; a float16 sum would stop at 2048."""
    layer = identity(np.ones((3, 4096), np.float32), kind, use_float32_weights=False)
    y, _ = inference_layer(device, layer)(np.full((1, 1, 4096), 1 + 2**-11, np.float32))
    assert_within(y[0, 0], np.full(3, 4098.0), 0.0, "sum")
