"""How far a correct float32 implementation may be from the float64 reference, step by step.

A running error analysis: each sum of products, neuron and product may be off by EPSILON of the magnitudes that go
into it, and carries on what its operands are off by. The result is per element and follows the condition of the
formula, so that unbounded neurons (Power, Exponential, ...) are held as tightly as sigmoid and tanh.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import reference as ref
from reference import GRU, LSTM, Array, Gate, Layer, Neuron, SingleGate, activate, pre_activation, recurrent_terms

EPSILON = 2 * 2.0**-23  # two units in the last place of float32
BYTES = 2e-4  # of the outputs' scale, where weights are bytes: a device may round what it multiplies these with
INTEGERS = 1e-4  # the same where float16 weights may be kept as 16-bit integers
LARGEST = float(np.finfo(np.float32).max)
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


@dataclass(frozen=True)
class Inexact:
    """A value, and how far a float32 implementation's may be from it."""

    value: Array
    error: Array | float = 0.0

    def __add__(self, other: "Inexact") -> "Inexact":
        return Inexact(self.value + other.value, self.error + other.error)

    def __mul__(self, other: "Inexact") -> "Inexact":
        """A product that is rounded: the sum that it goes into then need not be.

        Where a factor overflows float32 it may be anything: infinity times a 0 is NaN.
        """
        value = self.value * other.value
        error = self.error * np.abs(other.value) + other.error * np.abs(self.value)
        overflows = np.fmax(np.abs(self.value), np.abs(other.value)) > LARGEST
        overflows &= np.isfinite(self.value) & np.isfinite(other.value)
        return Inexact(value, np.where(overflows, np.inf, error + EPSILON * np.abs(value) + SMALLEST))


def activated(neuron: Neuron, u: Inexact) -> Inexact:
    return Inexact(activate(neuron, u.value), neuron_error(neuron, u.value, u.error))


NOTHING = Inexact(np.zeros(()))


def integer_error(layer: Layer, gate: Gate, h: Array) -> Array | float:
    """How far U h may be off where a device keeps a U of float16 weights as 16-bit integers, and h with it.

    It may where outputs are many and a neuron holds h within (-1, 1). A weight is then off by up to 2^-12 of the root
    mean square of its output's weights, h by 2^-16 of its largest.
    """
    bounded = gate.neuron.type in (ref.SIGMOID, ref.TANH)
    if layer.use_float32_weights or layer.outputs < 64 or gate.U is None or not bounded:
        return 0.0
    magnitude = np.abs(np.where(np.isfinite(h), h, 0.0))
    rms = np.sqrt(np.mean(np.square(gate.U, dtype=np.float64), axis=1))
    of_weights = 2.0**-12 * magnitude.sum(axis=-1, keepdims=True) * rms
    return of_weights + 2.0**-16 * magnitude.max(axis=-1, keepdims=True) * np.abs(gate.U).sum(axis=1)


PAIR_TAPS = 3  # that Winograd's F(2, 3) is for


def may_sum_pairs(layer: Layer) -> bool:
    """Whether all of the layer's windows are so wide, which are as wide as the widest kernel of any gate."""
    gates = dict(layer.gates)
    if isinstance(layer, GRU) and layer.output_gate.U is None:
        del gates["recurrent_gate"]  # which then has no effect
    widths: dict[str, int] = {}
    for gate in gates.values():
        for name in "UV" if layer.unit_input else "WUV":
            weights = getattr(gate, name)
            if weights is not None and weights.ndim > 1:
                widths[name] = max(widths.get(name, 1), weights.shape[2] if weights.ndim == 4 else 1)
    return bool(widths) and all(width == PAIR_TAPS for width in widths.values())


def fits_pairs(weights: Array) -> bool:
    """Not a bias or a diagonal, nor a wider kernel, which then has no effect."""
    return weights.ndim == 2 or (weights.ndim == 4 and weights.shape[2] <= PAIR_TAPS)


def of_pairs(weights: Array) -> Array:
    """What an input of the window may count for where two neighbours in a line are summed with four products: sums of
    the taps multiply sums of inputs."""
    kernel = weights if weights.ndim == 4 else weights[:, np.newaxis, np.newaxis]
    width = kernel.shape[2]
    begin = PAIR_TAPS // 2 - (width >> 1)
    left, middle, right = np.moveaxis(
        np.pad(kernel, [(0, 0), (0, 0), (begin, PAIR_TAPS - width - begin), (0, 0)]), 2, 0
    )
    line = left + middle + right
    return np.stack([line + right, line, line + left], axis=2)


def gate_sum(layer: Layer, gate: Gate, x: Array, h: Inexact, m: Inexact = NOTHING) -> Inexact:
    """What goes into a gate's neuron. The roundings of a sum take a random walk."""
    present = {name: getattr(gate, name) for name in "WUVb" if getattr(gate, name) is not None}
    taps = max((math.prod(weights.shape[1:3]) for weights in present.values() if weights.ndim == 4), default=1)
    steps = max(1.0, math.sqrt(taps * (layer.inputs + layer.outputs)) / 2)
    positive = replace(gate, **{name: np.abs(numbers) for name, numbers in present.items()})
    counted = positive
    if may_sum_pairs(layer):
        counted = replace(
            positive,
            **{
                name: of_pairs(numbers)
                for name, numbers in vars(positive).items()
                if name in present and fits_pairs(numbers)
            },
        )
    magnitude = pre_activation(layer, counted, np.abs(x), np.abs(h.value), np.abs(m.value))
    carried = recurrent_terms(positive, *(np.broadcast_to(part.error, part.value.shape) for part in (h, m)))
    error = steps * EPSILON * magnitude + carried + integer_error(layer, gate, h.value) + SMALLEST
    return Inexact(pre_activation(layer, gate, x, h.value, m.value), error)


def gate_value(layer: Layer, gate: Gate, x: Array, h: Inexact, m: Inexact = NOTHING) -> Inexact:
    return activated(gate.neuron, gate_sum(layer, gate, x, h, m))


def lstm_step(lstm: LSTM, x: Array, h0: Inexact, c0: Inexact) -> tuple[Inexact, Inexact]:
    i, f, g = (gate_value(lstm, gate, x, h0, c0) for gate in (lstm.input_gate, lstm.forget_gate, lstm.cell_gate))
    c1 = f * c0 + i * g
    return gate_value(lstm, lstm.output_gate, x, h0, c1) * activated(lstm.cell_to_output, c1), c1


def complement(gru: GRU, u: Inexact, z: Inexact) -> Inexact:
    """(1 - z^p)^(1/p), z being the neuron's value of u. Where p is not 1 the slope is infinite at z = 1: what is known
    of z is only what is known of u, the rest of the way is one function."""

    def of(u: Array) -> Array:
        return ref.complement(gru, activate(gru.input_gate.neuron, u))

    value = ref.complement(gru, z.value)
    if gru.gate_pnorm_value == 1:
        return Inexact(value, z.error + EPSILON * np.abs(value))
    nearby = [np.abs(of(u.value + sign * u.error) - value) for sign in (1, -1)]
    return Inexact(value, np.nan_to_num(np.fmax(*nearby)) + EPSILON * np.abs(value) + SMALLEST)


def gru_step(gru: GRU, x: Array, h0: Inexact, c0: Inexact) -> tuple[Inexact, Inexact]:
    u = gate_sum(gru, gru.input_gate, x, h0)
    z = activated(gru.input_gate.neuron, u)
    r = gate_value(gru, gru.recurrent_gate, x, h0)
    h = gate_value(gru, gru.output_gate, x, r * h0, z * h0)
    complemented, weighted = (h0, h) if gru.flip_output_gates else (h, h0)
    return complement(gru, u, z) * complemented + z * weighted, c0


def single_gate_step(layer: SingleGate, x: Array, h0: Inexact, c0: Inexact) -> tuple[Inexact, Inexact]:
    return gate_value(layer, layer.gate, x, h0), c0


_STEPS = {LSTM: lstm_step, GRU: gru_step, SingleGate: single_gate_step}


def step_error(layer: Layer, x: Array, h0: Array, c0: Array) -> tuple[Array | float, Array | float]:
    """The errors of h1 and c1 after one step from exact x, h0 and c0."""
    with np.errstate(all="ignore"):
        h1, c1 = _STEPS[type(layer)](layer, x, Inexact(h0), Inexact(c0))
    return h1.error, c1.error


def assert_within(actual: npt.ArrayLike, expected: Array, tolerance: Array | float, what: str) -> None:
    """NaN and infinity where the reference has them, and every other element within its own tolerance."""
    actual = np.asarray(actual, np.float64)
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape}, expected {expected.shape}"
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(actual[~finite], expected[~finite], err_msg=what)
    difference = np.abs(actual[finite] - expected[finite])
    allowed = np.broadcast_to(tolerance, expected.shape)[finite]
    if not np.all((difference <= allowed) | np.isposinf(allowed)):
        excess = difference / np.maximum(allowed, SMALLEST)
        worst = np.argmax(np.where(np.isnan(excess), np.inf, excess))
        raise AssertionError(
            f"{what}: {np.sum(~(difference <= allowed))} of {difference.size} finite elements differ, the worst by "
            f"{difference[worst]:.3g} where {allowed[worst]:.3g} is allowed"
        )
