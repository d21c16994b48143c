"""MPSRNNSingleGateDescriptor's formula, h1 = gi(W*x + U*h0 + b), where it can be followed by hand."""

import conventional
import numpy as np
import pytest
import reference as ref
from checking import assert_steps, inference_layer
from reference import Gate, Neuron, SingleGate

import pymps


def test_by_hand(device: pymps.Device) -> None:
    """The identity as activation: whole numbers, exactly."""
    w, u = np.array([[1, 2], [3, 4], [0, -1]], np.float32), np.array([[1, 0, 0], [0, 0, 2], [1, 1, 0]], np.float32)
    layer = inference_layer(device, SingleGate(2, 3, Gate(w, u, b=np.array([10, 0, -10], np.float32))))
    x = np.array([[[1, 1]], [[0, -1]], [[2, 0]]], np.float32)
    y, state = layer(x, layer.state(h=[np.array([[1, 2, 3]], np.float32)]))
    np.testing.assert_array_equal(y[:, 0], [[14, 13, -8], [22, -20, 18], [34, 42, -8]])
    np.testing.assert_array_equal(state.recurrent_output(), y[-1])


def test_a_fully_connected_layer(device: pymps.Device) -> None:
    """Without U steps know nothing of each other."""
    rng = np.random.default_rng(51)
    w, b = rng.standard_normal((9, 6)).astype(np.float32), rng.standard_normal(9).astype(np.float32)
    layer = inference_layer(device, SingleGate(6, 9, Gate(w, b=b, neuron=Neuron(ref.RELU))))
    x = rng.standard_normal((4, 5, 6), np.float32)
    y, _ = layer(x)
    expected = np.maximum(x.astype(np.float64) @ w.T + b, 0)
    np.testing.assert_allclose(y, expected, rtol=0, atol=4e-6)
    turned, _ = layer(x[::-1])
    np.testing.assert_allclose(turned, expected[::-1], rtol=0, atol=4e-6)


def test_a_running_sum(device: pymps.Device) -> None:
    """The unit transform without W, and the identity for U: h1 = x + h0."""
    layer = inference_layer(device, SingleGate(3, 3, Gate(U=np.eye(3, dtype=np.float32)), unit_input=True))
    x = np.random.default_rng(52).integers(-9, 9, (40, 2, 3)).astype(np.float32)
    y, _ = layer(x)
    np.testing.assert_array_equal(y, np.cumsum(x, axis=0))


@pytest.mark.parametrize("use_float32_weights", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (7, 8), (16, 33), (65, 17)], ids=str)
def test_steps(device: pymps.Device, shape: tuple[int, int], use_float32_weights: bool) -> None:
    rng = np.random.default_rng(53)
    layer = conventional.single_gate(rng, *shape, use_float32_weights=use_float32_weights)
    assert_steps(device, [layer], rng.standard_normal((4, 3, shape[0]), np.float32))
