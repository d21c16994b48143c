"""How far a correct float32 implementation may be from the float64 reference, step by step.

A running error analysis: each sum of products, neuron and product may be off by EPSILON of the magnitudes that go
into it, and carries on what its operands are off by. The result is per element and follows the condition of the
formula, so that unbounded neurons (Power, Exponential, ...) are held as tightly as sigmoid and tanh.
"""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import reference as ref
from reference import LSTM, Array, Gate, Neuron, activate, map_weights, memory_term, pre_activation

EPSILON = 2 * 2.0**-23  # two units in the last place of float32
SMALLEST = 2.0**-126  # below, float32 has absolute steps, or none at all on devices that flush to zero


def neuron_error(neuron: Neuron, x: Array, x_error: Array | float = 0.0) -> Array:
    """The error of f(x): that of x, and EPSILON of x, of each parameter and of the result."""
    y = activate(neuron, x)
    sentinel = neuron.c == -1.0 and neuron.type in (ref.EXPONENTIAL, ref.LOGARITHM)  # base e: not a number to be off by
    with np.errstate(all="ignore"):
        reach = np.where(np.isfinite(x), np.abs(x) * EPSILON + x_error, 0.0)
        nearby = [activate(neuron, x + reach), activate(neuron, x - reach)]
        for parameter in "ab" if sentinel else "abc":
            value = getattr(neuron, parameter)
            nearby += [activate(_changed(neuron, parameter, value * (1 + s * EPSILON)), x) for s in (1, -1)]
        error = np.abs(y) * EPSILON + SMALLEST
        for plus, minus in zip(nearby[::2], nearby[1::2], strict=True):
            error = error + np.nan_to_num(np.fmax(np.abs(plus - y), np.abs(minus - y)))  # NaN: outside the domain of f
    return error


def _changed(neuron: Neuron, parameter: str, value: float) -> Neuron:
    changed = replace(neuron)
    object.__setattr__(changed, parameter, value)  # replace() would round it to float32 again
    return changed


def step_error(lstm: LSTM, x: Array, h0: Array, c0: Array) -> tuple[Array, Array]:
    """The errors of h1 and c1 after one step from exact x, h0 and c0."""
    magnitudes = map_weights(lstm, np.abs)

    def gate_error(name: str, c: Array, c_error: Array | float) -> tuple[Array, Array]:
        gate, positive = lstm.gates[name], _absolute_bias(magnitudes.gates[name])
        z = pre_activation(lstm, gate, x, h0, c)
        z_error = EPSILON * pre_activation(magnitudes, positive, np.abs(x), np.abs(h0), np.abs(c))
        z_error = z_error + memory_term(magnitudes, positive, np.broadcast_to(c_error, c.shape)) + SMALLEST
        return activate(gate.neuron, z), neuron_error(gate.neuron, z, z_error)

    with np.errstate(all="ignore"):
        i, i_error = gate_error("input_gate", c0, 0.0)
        f, f_error = gate_error("forget_gate", c0, 0.0)
        g, g_error = gate_error("cell_gate", c0, 0.0)
        c1 = f * c0 + i * g
        c1_error = f_error * np.abs(c0) + i_error * np.abs(g) + g_error * np.abs(i)
        c1_error = c1_error + EPSILON * (np.abs(f * c0) + np.abs(i * g)) + SMALLEST
        o, o_error = gate_error("output_gate", c1, c1_error)
        s, s_error = activate(lstm.cell_to_output, c1), neuron_error(lstm.cell_to_output, c1, c1_error)
        h1_error = o_error * np.abs(s) + s_error * np.abs(o) + EPSILON * np.abs(o * s) + SMALLEST
    return h1_error, c1_error


def _absolute_bias(gate: Gate) -> Gate:
    return replace(gate, b=None if gate.b is None else np.abs(gate.b))


def assert_within(actual: npt.ArrayLike, expected: Array, tolerance: Array | float, what: str) -> None:
    """NaN and infinity where the reference has them, and every other element within its own tolerance."""
    actual = np.asarray(actual, np.float64)
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape}, expected {expected.shape}"
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite], err_msg=what)
    difference = np.abs(actual[finite] - expected[finite])
    allowed = np.broadcast_to(tolerance, expected.shape)[finite]
    if not np.all(difference <= allowed):
        excess = difference / np.maximum(allowed, SMALLEST)
        worst = np.argmax(np.where(np.isnan(excess), np.inf, excess))
        raise AssertionError(
            f"{what}: {np.sum(~(difference <= allowed))} of {difference.size} finite elements differ, the worst by "
            f"{difference[worst]:.3g} where {allowed[worst]:.3g} is allowed"
        )
