"""The LSTM in float64 NumPy, written from Apple's formulas: what the tests compare pymps with.

It shares no code with pymps and computes in the plainest way. Letters are Apple's: W, U, V are the input, recurrent
and memory weights, b the bias; x, h0, c0 come in, h1, c1 go out. A missing weight or bias is None, its term absent.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
import numpy.typing as npt

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


def _power(n: Neuron, x: Array) -> Array:
    base = n.a * x + n.b
    return np.power(base, np.full_like(base, n.c))  # of a single exponent 1/2 NumPy makes a sqrt, wrong at -infinity


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
    POWER: _power,
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
    V: Weights | None = None
    b: npt.NDArray[np.float32] | None = None
    neuron: Neuron = field(default_factory=Neuron)

    def __repr__(self) -> str:
        present = (f"{name}: {getattr(self, name).dtype}" for name in "WUVb" if getattr(self, name) is not None)
        return f"Gate({', '.join([*present, repr(self.neuron)])})"


@dataclass(frozen=True)
class LSTM:
    """One layer: an MPSLSTMDescriptor."""

    inputs: int
    outputs: int
    input_gate: Gate = field(default_factory=Gate)
    forget_gate: Gate = field(default_factory=Gate)
    cell_gate: Gate = field(default_factory=Gate)
    output_gate: Gate = field(default_factory=Gate)
    memory_weights_are_diagonal: bool = False
    unit_input: bool = False
    cell_to_output: Neuron = field(default_factory=lambda: Neuron(TANH, 1.0, 1.0, 1.0))
    use_float32_weights: bool = True

    @property
    def gates(self) -> dict[str, Gate]:
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name.endswith("_gate")}


def product(x: Array, weights: Weights) -> Array:
    """Weights (out, in) applied to each row of x: y = x W^T."""
    return np.asarray(x, np.float64) @ weights.astype(np.float64).T


def memory_term(lstm: LSTM, gate: Gate, c: Array) -> Array:
    """V*c, or 0 where the gate has no peephole."""
    if gate.V is None:
        return np.zeros_like(c)
    return c * gate.V.astype(np.float64) if lstm.memory_weights_are_diagonal else product(c, gate.V)


def pre_activation(lstm: LSTM, gate: Gate, x: Array, h0: Array, c: Array) -> Array:
    """W*x + U*h0 + V*c + b."""
    z = memory_term(lstm, gate, c)
    if lstm.unit_input:
        z = z + x
    elif gate.W is not None:
        z = z + product(x, gate.W)
    if gate.U is not None:
        z = z + product(h0, gate.U)
    if gate.b is not None:
        z = z + gate.b
    return z


def step(lstm: LSTM, x: Array, h0: Array, c0: Array) -> tuple[Array, Array]:
    """h1, c1 of one step; x is (B, inputs), h0 and c0 are (B, outputs)."""

    def run(gate: Gate, c: Array) -> Array:
        return activate(gate.neuron, pre_activation(lstm, gate, x, h0, c))

    with np.errstate(all="ignore"):
        c1 = run(lstm.forget_gate, c0) * c0 + run(lstm.input_gate, c0) * run(lstm.cell_gate, c0)
        h1 = run(lstm.output_gate, c1) * activate(lstm.cell_to_output, c1)
    return h1, c1


State = tuple[list[Array], list[Array]]  # h and c, one (B, outputs) array per layer


def zero_state(stack: Sequence[LSTM], batch: int) -> State:
    return [np.zeros((batch, o.outputs)) for o in stack], [np.zeros((batch, o.outputs)) for o in stack]


def sequence(stack: Sequence[LSTM], x: Sequence[Array], state: State | None = None) -> tuple[list[Array], list[State]]:
    """The outputs and the states after each step; a row that has ended repeats its last state."""
    h, c = zero_state(stack, len(x[0])) if state is None else state
    outputs, states = [], []
    for x_t in x:
        h, c = [layer.copy() for layer in h], [layer.copy() for layer in c]
        rows, signal = len(x_t), np.asarray(x_t, np.float64)
        for index, lstm in enumerate(stack):
            signal, c[index][:rows] = step(lstm, signal, h[index][:rows], c[index][:rows])
            h[index][:rows] = signal
        outputs.append(signal)
        states.append((h, c))
    return outputs, states


def map_weights(lstm: LSTM, change: Callable[[Weights], Weights]) -> LSTM:
    """The same layer with `change` applied to each W, U and V."""

    def changed(gate: Gate) -> Gate:
        present = {name: getattr(gate, name) for name in "WUV" if getattr(gate, name) is not None}
        return replace(gate, **{name: change(weights) for name, weights in present.items()})

    return replace(lstm, **{name: changed(gate) for name, gate in lstm.gates.items()})


def with_rounded_weights(lstm: LSTM) -> LSTM:
    """The layer as it is kept: W, U and V rounded to float16 unless use_float32_weights; b never is."""
    if lstm.use_float32_weights:
        return lstm
    with np.errstate(over="ignore"):  # beyond 65504 float16 has only infinity
        return map_weights(lstm, lambda weights: weights.astype(np.float16))
