"""The recurrent layers in float64 NumPy, written from Apple's formulas: what the tests compare pymps with.

It shares no code with pymps and computes in the plainest way. Letters are Apple's: W, U, V are the input, recurrent
and memory weights, b the bias; x, h0, c0 come in, h1, c1 go out. A missing weight or bias is None, its term absent.

Rows may be images: then arrays have the shape (N, H, W, channels) and weights (out, height, width, in), and a product
is a convolution.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from image_reference import convolution

Array = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float32] | npt.NDArray[np.float16]

(
    NONE,
    RELU,
    LINEAR,
    SIGMOID,
    HARD_SIGMOID,
    TANH,
    ABSOLUTE,
    SOFT_PLUS,
    SOFT_SIGN,
    ELU,
    PRELU,
    RELUN,
    POWER,
    EXPONENTIAL,
    LOGARITHM,
    GELU,
) = range(16)


@dataclass(frozen=True)
class Neuron:
    """MPSCNNNeuronType's value and its parameters, which are float32 as in the API."""

    type: int = NONE
    a: float = 0.0
    b: float = 0.0
    c: float = 0.0
    channel_a: npt.NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        for name in "abc":
            object.__setattr__(self, name, float(np.float32(getattr(self, name))))

    def __repr__(self) -> str:
        return f"Neuron({self.type}, {self.a}, {self.b}, {self.c})"


def _exponential(n: Neuron, x: Array) -> Array:
    exponent = n.a * x + n.b
    return np.exp(exponent) if n.c == -1.0 else np.power(n.c, exponent)


def power(base: Array, exponent: float) -> Array:
    # Of a single exponent 1/2 NumPy makes a sqrt, which is wrong at -infinity.
    return np.power(base, np.full_like(base, exponent))


def _logarithm(n: Neuron, x: Array) -> Array:
    logarithm = np.log(n.a * x + n.b)
    return logarithm if n.c == -1.0 else logarithm / math.log(n.c)


_erfc = np.vectorize(math.erfc, otypes=[np.float64])

_FORMULAS: dict[int, Callable[[Neuron, Array], Array]] = {
    NONE: lambda n, x: x,
    RELU: lambda n, x: np.where(x >= 0, x, n.a * x),
    LINEAR: lambda n, x: n.a * x + n.b,
    SIGMOID: lambda n, x: 1 / (1 + np.exp(-x)),
    HARD_SIGMOID: lambda n, x: np.clip(n.a * x + n.b, 0, 1),
    TANH: lambda n, x: n.a * np.tanh(n.b * x),
    ABSOLUTE: lambda n, x: np.abs(x),
    SOFT_PLUS: lambda n, x: n.a * np.logaddexp(0, n.b * x),
    SOFT_SIGN: lambda n, x: x / (1 + np.abs(x)),
    ELU: lambda n, x: np.where(x >= 0, x, n.a * np.expm1(x)),
    PRELU: lambda n, x: np.where(x >= 0, x, n.channel_a * x),
    RELUN: lambda n, x: np.minimum(np.where(x >= 0, x, n.a * x), n.b),
    POWER: lambda n, x: power(n.a * x + n.b, n.c),
    EXPONENTIAL: _exponential,
    LOGARITHM: _logarithm,
    GELU: lambda n, x: 0.5 * x * _erfc(-x * math.sqrt(0.5)),  # 1 + erf(z), without cancellation
}


def activate(neuron: Neuron, x: Array) -> Array:
    """f(x) for x of shape (..., channels)."""
    with np.errstate(all="ignore"):  # infinity and NaN are data here
        return _FORMULAS[neuron.type](neuron, np.asarray(x, np.float64))


@dataclass(frozen=True)
class Gate:
    """A gate's weights; bias and neuron are those of its input weights' source."""

    W: Weights | None = None
    U: Weights | None = None
    V: Weights | None = None  # of an LSTM: memory weights, a vector where diagonal; of a GRU's output gate: Vh
    b: npt.NDArray[np.float32] | None = None
    neuron: Neuron = field(default_factory=Neuron)

    def __repr__(self) -> str:
        present = (f"{name}: {getattr(self, name).dtype}" for name in "WUVb" if getattr(self, name) is not None)
        return f"Gate({', '.join([*present, repr(self.neuron)])})"


@dataclass(frozen=True)
class Layer:
    """What the kinds have in common: an MPSRNNDescriptor."""

    inputs: int
    outputs: int
    unit_input: bool = field(default=False, kw_only=True)
    use_float32_weights: bool = field(default=True, kw_only=True)
    backward: bool = field(default=False, kw_only=True)  # in a bidirectional run, the only one that asks

    @property
    def gates(self) -> dict[str, Gate]:
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name.endswith("gate")}

    @property
    def cells(self) -> int:
        """Channels of the memory cell: none but in an LSTM. States hold an array without columns then."""
        return 0


@dataclass(frozen=True)
class LSTM(Layer):
    """MPSLSTMDescriptor."""

    input_gate: Gate = field(default_factory=Gate)
    forget_gate: Gate = field(default_factory=Gate)
    cell_gate: Gate = field(default_factory=Gate)
    output_gate: Gate = field(default_factory=Gate)
    memory_weights_are_diagonal: bool = False
    cell_to_output: Neuron = field(default_factory=lambda: Neuron(TANH, 1.0, 1.0, 1.0))

    @property
    def cells(self) -> int:
        return self.outputs


@dataclass(frozen=True)
class GRU(Layer):
    """MPSGRUDescriptor."""

    input_gate: Gate = field(default_factory=Gate)
    recurrent_gate: Gate = field(default_factory=Gate)
    output_gate: Gate = field(default_factory=Gate)
    gate_pnorm_value: float = 1.0
    flip_output_gates: bool = False


@dataclass(frozen=True)
class SingleGate(Layer):
    """MPSRNNSingleGateDescriptor."""

    gate: Gate = field(default_factory=Gate)


def product(x: Array, weights: Weights) -> Array:
    """Weights (out, in) applied to each row of x: y = x W^T. Weights with a height and a width convolve images."""
    x, weights = np.asarray(x, np.float64), weights.astype(np.float64)
    return convolution(x, weights) if weights.ndim == 4 else x @ weights.T


def recurrent_terms(gate: Gate, h: Array, m: Array | None = None) -> Array:
    """U*h + V*m."""
    terms = np.zeros_like(h)
    if gate.U is not None:
        terms = terms + product(h, gate.U)
    if gate.V is not None:
        terms = terms + (m * gate.V.astype(np.float64) if gate.V.ndim == 1 else product(m, gate.V))
    return terms


def pre_activation(layer: Layer, gate: Gate, x: Array, h: Array, m: Array | None = None) -> Array:
    """W*x + U*h + V*m + b."""
    z = recurrent_terms(gate, h, m)
    if layer.unit_input:
        z = z + x
    elif gate.W is not None:
        z = z + product(x, gate.W)
    return z if gate.b is None else z + gate.b


def gate_value(layer: Layer, gate: Gate, x: Array, h: Array, m: Array | None = None) -> Array:
    return activate(gate.neuron, pre_activation(layer, gate, x, h, m))


def lstm_step(lstm: LSTM, x: Array, h0: Array, c0: Array) -> tuple[Array, Array]:
    i = gate_value(lstm, lstm.input_gate, x, h0, c0)
    f = gate_value(lstm, lstm.forget_gate, x, h0, c0)
    c1 = f * c0 + i * gate_value(lstm, lstm.cell_gate, x, h0, c0)
    return gate_value(lstm, lstm.output_gate, x, h0, c1) * activate(lstm.cell_to_output, c1), c1


def complement(gru: GRU, z: Array) -> Array:
    """(1 - z^p)^(1/p)."""
    p = float(np.float32(gru.gate_pnorm_value))
    return power(1 - power(z, p), 1 / p)


def gru_step(gru: GRU, x: Array, h0: Array, c0: Array) -> tuple[Array, Array]:
    z = gate_value(gru, gru.input_gate, x, h0)
    r = gate_value(gru, gru.recurrent_gate, x, h0)
    h = gate_value(gru, gru.output_gate, x, r * h0, z * h0)
    if gru.flip_output_gates:
        return complement(gru, z) * h0 + z * h, c0
    return complement(gru, z) * h + z * h0, c0


def single_gate_step(layer: SingleGate, x: Array, h0: Array, c0: Array) -> tuple[Array, Array]:
    return gate_value(layer, layer.gate, x, h0), c0


_STEPS = {LSTM: lstm_step, GRU: gru_step, SingleGate: single_gate_step}


def step(layer: Layer, x: Array, h0: Array, c0: Array) -> tuple[Array, Array]:
    """h1, c1 of one step; x is (B, inputs), h0 is (B, outputs), c0 is (B, cells). Of images B is N, H, W."""
    with np.errstate(all="ignore"):
        return _STEPS[type(layer)](layer, x, h0, c0)


State = tuple[list[Array], list[Array]]  # h and c, one array per layer


def zero_state(stack: Sequence[Layer], *shape: int) -> State:
    """`shape` is the batch, of images N, H and W."""
    return [np.zeros((*shape, layer.outputs)) for layer in stack], [np.zeros((*shape, layer.cells)) for layer in stack]


def sequence(stack: Sequence[Layer], x: Sequence[Array], state: State | None = None) -> tuple[list[Array], list[State]]:
    """The outputs and the states after each step. A row that a step does not have keeps its state."""
    h, c = zero_state(stack, max(map(len, x)), *x[0].shape[1:-1]) if state is None else state
    outputs, states = [], []
    for x_t in x:
        h, c = [m.copy() for m in h], [m.copy() for m in c]
        rows, signal = len(x_t), np.asarray(x_t, np.float64)
        for index, layer in enumerate(stack):
            signal, c[index][:rows] = step(layer, signal, h[index][:rows], c[index][:rows])
            h[index][:rows] = signal
        outputs.append(signal)
        states.append((h, c))
    return outputs, states


def bidirectional(stack: Sequence[Layer], x: Sequence[Array]) -> tuple[list[Array], list[Array]]:
    """What the forward layers make of x and what the backward ones do, both in the order of x."""
    forward, _ = sequence([layer for layer in stack if not layer.backward], x)
    backward, _ = sequence([layer for layer in stack if layer.backward], x[::-1])
    return forward, backward[::-1]


AnyLayer = TypeVar("AnyLayer", bound=Layer)


def map_weights(layer: AnyLayer, change: Callable[[Weights], Weights]) -> AnyLayer:
    """The same layer with `change` applied to each W, U and V."""

    def changed(gate: Gate) -> Gate:
        present = {name: getattr(gate, name) for name in "WUV" if getattr(gate, name) is not None}
        return replace(gate, **{name: change(weights) for name, weights in present.items()})

    return replace(layer, **{name: changed(gate) for name, gate in layer.gates.items()})


def with_rounded_weights(layer: AnyLayer) -> AnyLayer:
    """The layer as it is kept: W, U and V rounded to float16 unless use_float32_weights; b never is."""
    if layer.use_float32_weights:
        return layer
    with np.errstate(over="ignore"):  # beyond 65504 float16 has only infinity
        return map_weights(layer, lambda weights: weights.astype(np.float16))
