"""The gradients of an LSTM in float64, from its formulas."""

from typing import NamedTuple

import numpy as np

from bench.cases import Array, Case, Float32, Float64, Layer, sigmoid


class Gradients(NamedTuple):
    """What a forward pass and its gradient give; those of the weights are stacked as a Layer's weights are."""

    y: Array  # (T, B, O)
    dx: Array  # (T, B, I)
    w_ih: Array
    w_hh: Array
    bias: Array


def output_gradient(case: Case) -> Float32:
    """dL/dy, shape (T, B, O): random, so that no two steps have the same."""
    rng = np.random.default_rng(case.outputs)
    return rng.standard_normal((case.steps, case.batch, case.outputs), np.float32)


class _Step(NamedTuple):
    """What the forward pass keeps of a step."""

    x: Float64
    h0: Float64
    c0: Float64
    gates: Float64  # activated, stacked: (4, B, O)
    tanh_c1: Float64


def lstm_gradients(layer: Layer) -> Gradients:
    """For all rows of the batch, from a state of zeros, with `output_gradient`."""
    w, u, bias = (array.astype(np.float64) for array in (layer.w_ih, layer.w_hh, layer.bias))
    y, steps = _forward(layer.x.astype(np.float64), w, u, bias)
    dw, du, db, dx = np.zeros_like(w), np.zeros_like(u), np.zeros_like(bias), []
    dh = dc = np.zeros_like(y[0])
    for step, dy in zip(reversed(steps), reversed(output_gradient(layer.case))):
        dz, dc = _backward(step, dy + dh, dc)
        dw += dz.T @ step.x
        du += dz.T @ step.h0
        db += dz.sum(axis=0)
        dx.append(dz @ w)
        dh = dz @ u
    return Gradients(y, np.array(dx[::-1]), dw, du, db)


def _forward(x: Float64, w: Float64, u: Float64, bias: Float64) -> tuple[Float64, list[_Step]]:
    h = c = np.zeros((x.shape[1], u.shape[1]))
    outputs, steps = [], []
    for row in x:
        i, f, new, o = np.split(row @ w.T + h @ u.T + bias, 4, axis=1)
        gates = np.array([sigmoid(i), sigmoid(f), np.tanh(new), sigmoid(o)])
        c1 = gates[1] * c + gates[0] * gates[2]
        steps.append(_Step(row, h, c, gates, np.tanh(c1)))
        h, c = gates[3] * np.tanh(c1), c1
        outputs.append(h)
    return np.array(outputs), steps


def _backward(step: _Step, dh1: Float64, dc1: Float64) -> tuple[Float64, Float64]:
    """dL/dz of what the gates are activations of, (B, 4*O), and dL/dc0."""
    i, f, new, o = step.gates
    dc = dc1 + dh1 * o * (1 - step.tanh_c1**2)
    dz = [
        dc * new * i * (1 - i),
        dc * step.c0 * f * (1 - f),
        dc * i * (1 - new**2),
        dh1 * step.tanh_c1 * o * (1 - o),
    ]
    return np.concatenate(dz, axis=1), dc * f
