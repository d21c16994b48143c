"""Hypothesis strategies: random LSTM stacks in the terms of reference.py, with sequences and states for them.

Hypothesis chooses structure (what is present, which neuron, which sizes); numbers come from NumPy's generator, seeded
by Hypothesis, because drawing thousands of floats one by one would take most of the time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import reference as ref
from hypothesis import strategies as st
from reference import LSTM, Array, Gate, Neuron, State, Weights

# One below, at and above the widths of SIMD vectors and of the engine's blocks; and the smallest.
SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 65)

# Ranges of a, b and c in which a neuron stays defined and does not amplify: |f'| is about 1 at most where the
# pre-activations of these strategies lie, within about 4 of 0. What a neuron ignores is drawn from IGNORED.
IGNORED = (-3.0, 3.0)
PARAMETERS: dict[int, dict[str, tuple[float, ...]]] = {
    ref.RELU: {"a": (-0.5, 1.0)},
    ref.LINEAR: {"a": (0.25, 1.0), "b": (-0.5, 0.5)},
    ref.HARD_SIGMOID: {"a": (0.125, 0.5), "b": (0.25, 0.75)},
    ref.TANH: {"a": (-1.0, 1.0), "b": (-1.0, 1.0)},
    ref.SOFT_PLUS: {"a": (0.25, 1.0), "b": (0.25, 1.0)},
    ref.ELU: {"a": (0.125, 1.0)},
    ref.RELUN: {"a": (0.0, 1.0), "b": (0.5, 6.0)},
    ref.POWER: {"a": (0.0625, 0.25), "b": (1.25, 1.75)},
    ref.EXPONENTIAL: {"a": (-0.5, 0.5), "b": (-2.0, 0.0)},
    ref.LOGARITHM: {"a": (0.125, 0.5), "b": (3.0, 6.0)},
}
C_VALUES: dict[int, tuple[float, ...]] = {
    ref.POWER: (-1.0, 0.5, 1.0, 1.5, 2.0),
    ref.EXPONENTIAL: (-1.0, 0.5, 2.0),  # -1: base e
    ref.LOGARITHM: (-1.0, 2.0, 10.0),  # -1: base e
}

mostly = st.sampled_from((True,) * 7 + (False,))
neuron_types = st.sampled_from(range(16))
shared_neuron_types = st.sampled_from(
    [kind for kind in range(16) if kind != ref.PRELU]
)  # cell to output has no channels
seeds = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def random_neuron(rng: np.random.Generator, kind: int, channels: int) -> Neuron:
    """A neuron for `channels` output channels, its parameters rounded to float32."""
    if kind == ref.PRELU:
        return Neuron(kind, channel_a=rng.uniform(-0.5, 1.0, channels).astype(np.float32))
    ranges = PARAMETERS.get(kind, {})
    a, b, c = (rng.uniform(*ranges.get(name, IGNORED)) for name in "abc")
    return Neuron(kind, a, b, rng.choice(C_VALUES[kind]) if kind in C_VALUES else c)


def random_weights(rng: np.random.Generator, shape: tuple[int, ...], dtype: npt.DTypeLike = np.float32) -> Weights:
    """Weights whose product with inputs around 1 is around 1 at most."""
    fan_in = shape[-1] if len(shape) == 2 else 9  # diagonal peepholes, on cells that may be well above 1
    return (rng.standard_normal(shape) * (rng.uniform(0.25, 0.75) / np.sqrt(fan_in))).astype(dtype)


@st.composite
def gates(draw: st.DrawFn, inputs: int, outputs: int, diagonal: bool) -> Gate:
    """Each weight absent or present, in float32 or float16."""
    rng = draw(seeds)

    def weights(*shape: int) -> Weights | None:
        return random_weights(rng, shape, draw(st.sampled_from(("f4", "f2")))) if draw(mostly) else None

    gate = Gate(U=weights(outputs, outputs), V=weights(outputs) if diagonal else weights(outputs, outputs))
    gate = replace(gate, W=weights(outputs, inputs))
    if gate.W is None:  # bias and neuron come with the input weights, or not at all
        return gate
    bias = rng.standard_normal(outputs).astype(np.float32) / 2 if draw(mostly) else None
    return replace(gate, b=bias, neuron=random_neuron(rng, draw(neuron_types), outputs))


@st.composite
def lstms(draw: st.DrawFn, inputs: int) -> LSTM:
    """Any LSTM layer for `inputs` input channels."""
    unit_input = draw(st.booleans())
    outputs = inputs if unit_input else draw(st.sampled_from(SIZES))
    diagonal = draw(st.booleans())
    names = ("input_gate", "forget_gate", "cell_gate", "output_gate")
    return LSTM(
        inputs,
        outputs,
        **{name: draw(gates(inputs, outputs, diagonal)) for name in names},
        memory_weights_are_diagonal=diagonal,
        unit_input=unit_input,
        cell_to_output=random_neuron(draw(seeds), draw(shared_neuron_types), outputs),
        use_float32_weights=draw(st.booleans()),
    )


@st.composite
def stacks(draw: st.DrawFn, layers: int) -> list[LSTM]:
    """`layers` LSTM layers, each fitting the one below."""
    stack = [draw(lstms(draw(st.sampled_from(SIZES))))]
    while len(stack) < layers:
        stack.append(draw(lstms(stack[-1].outputs)))
    return stack


def conventional(rng: np.random.Generator, inputs: int, outputs: int, **options: object) -> LSTM:
    """The usual LSTM, sigmoid and tanh, with all weights present; peepholes too where options["peepholes"]."""
    peepholes = options.pop("peepholes", False)
    memory_shape = (outputs,) if options.get("memory_weights_are_diagonal") else (outputs, outputs)

    def gate(neuron: Neuron) -> Gate:
        return Gate(
            random_weights(rng, (outputs, inputs)),
            random_weights(rng, (outputs, outputs)),
            random_weights(rng, memory_shape) if peepholes else None,
            rng.standard_normal(outputs).astype(np.float32) / 2,
            neuron,
        )

    sigmoid, tanh = Neuron(ref.SIGMOID), Neuron(ref.TANH, 1.0, 1.0)
    return LSTM(inputs, outputs, gate(sigmoid), gate(sigmoid), gate(tanh), gate(sigmoid), **options)


@dataclass
class Case:
    """A stack, a sequence for it (its rows never growing) and the state it starts from, None being zeros."""

    stack: list[LSTM]
    x: list[npt.NDArray[np.float32]] | list[npt.NDArray[np.float16]]
    state: State | None

    def __repr__(self) -> str:
        rows = [len(x_t) for x_t in self.x]
        return f"{self.stack}, rows {rows} of {self.x[0].dtype} from {'a state' if self.state else 'zeros'}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # what Hypothesis prints: not each number
        printer.text(repr(self))


def random_state(rng: np.random.Generator, stack: list[LSTM], batch: int) -> State:
    def arrays() -> list[Array]:
        return [rng.standard_normal((batch, lstm.outputs)).astype(np.float32).astype(np.float64) for lstm in stack]

    return arrays(), arrays()


@st.composite
def cases(
    draw: st.DrawFn,
    layers: int = 3,
    dtypes: Sequence[npt.DTypeLike] = (np.float32, np.float16),
    ragged: bool = True,
) -> Case:
    """Anything that a stack of up to `layers` can be given; rows may end before the others where `ragged`."""
    stack = draw(stacks(draw(st.integers(1, layers))))
    rows = sorted(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)), reverse=True)
    if not ragged:
        rows = rows[:1] * len(rows)
    rng, dtype = draw(seeds), draw(st.sampled_from(dtypes))
    x = [rng.standard_normal((count, stack[0].inputs)).astype(dtype) for count in rows]
    return Case(stack, x, random_state(rng, stack, rows[0]) if draw(st.booleans()) else None)
