"""Hypothesis strategies: random stacks in the terms of reference.py, with sequences and states for them.

Hypothesis chooses structure (what is present, which neuron, which sizes); numbers come from NumPy's generator, seeded
by Hypothesis, because drawing thousands of floats one by one would take most of the time.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import reference as ref
from hypothesis import strategies as st
from reference import GRU, LSTM, Array, Gate, Layer, Neuron, SingleGate, State, Weights

# One below, at and above the widths of SIMD vectors and of the engine's blocks; and the smallest.
SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 65)


class Shapes(NamedTuple):
    """The numbers of channels that a layer may have, and the (height, width) of a weight's kernel; () for matrices."""

    channels: tuple[int, ...]
    kernels: st.SearchStrategy[tuple[int, ...]]


MATRICES = Shapes(SIZES, st.just(()))

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

Types = st.SearchStrategy[int]

mostly = st.sampled_from((True,) * 7 + (False,))
neuron_types = st.sampled_from(range(16))
shared_neuron_types = neuron_types.filter(lambda kind: kind != ref.PRELU)  # gh has no parameters per channel
unit_neuron_types = st.sampled_from((ref.SIGMOID, ref.HARD_SIGMOID))  # from 0 to 1, ends included
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
    fan_in = math.prod(shape[1:]) if len(shape) > 1 else 9  # diagonal peepholes, on cells that may be well above 1
    return (rng.standard_normal(shape) * (rng.uniform(0.25, 0.75) / np.sqrt(fan_in))).astype(dtype)


@st.composite
def gates(
    draw: st.DrawFn,
    inputs: int,
    outputs: int,
    memory: tuple[int, ...] | None = None,
    types: Types | None = None,
    kernels: st.SearchStrategy[tuple[int, ...]] = MATRICES.kernels,
) -> Gate:
    """Each weight absent or present, in float32 or float16; V of shape `memory`. With `types`, W is always there."""
    rng = draw(seeds)

    def weights(shape: tuple[int, ...] | None, required: bool = False) -> Weights | None:
        if shape is None or not (required or draw(mostly)):
            return None
        kernel = draw(kernels) if len(shape) > 1 else ()
        return random_weights(rng, (shape[0], *kernel, *shape[1:]), draw(st.sampled_from(("f4", "f2"))))

    gate = Gate(weights((outputs, inputs), types is not None), weights((outputs, outputs)), weights(memory))
    if gate.W is None:  # bias and neuron come with the input weights, or not at all
        return gate
    bias = rng.standard_normal(outputs).astype(np.float32) / 2 if draw(mostly) else None
    return replace(gate, b=bias, neuron=random_neuron(rng, draw(neuron_types if types is None else types), outputs))


@st.composite
def channels(draw: st.DrawFn, inputs: int, shapes: Shapes) -> tuple[int, dict[str, bool]]:
    """The outputs of a layer for `inputs` input channels, and the options that all kinds have."""
    unit_input, use_float32_weights = draw(st.booleans()), draw(st.booleans())
    options = {"unit_input": unit_input, "use_float32_weights": use_float32_weights}
    return inputs if unit_input else draw(st.sampled_from(shapes.channels)), options


@st.composite
def lstms(draw: st.DrawFn, inputs: int, shapes: Shapes = MATRICES) -> LSTM:
    """Any LSTM layer for `inputs` input channels."""
    outputs, options = draw(channels(inputs, shapes))
    diagonal = draw(st.booleans())
    memory = (outputs,) if diagonal else (outputs, outputs)
    return LSTM(
        inputs,
        outputs,
        *(draw(gates(inputs, outputs, memory, kernels=shapes.kernels)) for _ in range(4)),
        memory_weights_are_diagonal=diagonal,
        cell_to_output=random_neuron(draw(seeds), draw(shared_neuron_types), outputs),
        **options,
    )


@st.composite
def grus(draw: st.DrawFn, inputs: int, shapes: Shapes = MATRICES) -> GRU:
    """Any GRU layer for `inputs` input channels. Where p is not 1, z stays where (1 - z^p)^(1/p) is a number."""
    outputs, options = draw(channels(inputs, shapes))
    p = draw(st.sampled_from((1.0, 1.0, 1.0, 0.5, 1.5, 2.0, 3.0)))
    return GRU(
        inputs,
        outputs,
        draw(gates(inputs, outputs, types=None if p == 1 else unit_neuron_types, kernels=shapes.kernels)),
        draw(gates(inputs, outputs, kernels=shapes.kernels)),
        draw(gates(inputs, outputs, memory=(outputs, outputs), kernels=shapes.kernels)),
        gate_pnorm_value=p,
        flip_output_gates=draw(st.booleans()),
        **options,
    )


@st.composite
def single_gates(draw: st.DrawFn, inputs: int, shapes: Shapes = MATRICES) -> SingleGate:
    """Any single gate layer for `inputs` input channels."""
    outputs, options = draw(channels(inputs, shapes))
    return SingleGate(inputs, outputs, draw(gates(inputs, outputs, kernels=shapes.kernels)), **options)


def layers(inputs: int, shapes: Shapes = MATRICES) -> st.SearchStrategy[Layer]:
    return st.one_of(kind(inputs, shapes) for kind in (lstms, grus, single_gates))


@st.composite
def stacks(draw: st.DrawFn, count: int, shapes: Shapes = MATRICES) -> list[Layer]:
    """`count` layers of any kinds, each fitting the one below."""
    stack = [draw(layers(draw(st.sampled_from(shapes.channels)), shapes))]
    while len(stack) < count:
        stack.append(draw(layers(stack[-1].outputs, shapes)))
    return stack


@dataclass
class Case:
    """A stack, a sequence for it (its rows never growing) and the state it starts from, None being zeros."""

    stack: list[Layer]
    x: list[npt.NDArray[np.float32]] | list[npt.NDArray[np.float16]]
    state: State | None

    def __repr__(self) -> str:
        rows = [len(x_t) for x_t in self.x]
        return f"{self.stack}, rows {rows} of {self.x[0].dtype} from {'a state' if self.state else 'zeros'}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # what Hypothesis prints: not each number
        printer.text(repr(self))


def random_state(rng: np.random.Generator, stack: list[Layer], *shape: int) -> State:
    """`shape` is the batch, of images N, H and W."""

    def random(channels: int) -> Array:
        return rng.standard_normal((*shape, channels)).astype(np.float32).astype(np.float64)

    return [random(layer.outputs) for layer in stack], [random(layer.cells) for layer in stack]


@st.composite
def cases(
    draw: st.DrawFn,
    count: int = 3,
    dtypes: Sequence[npt.DTypeLike] = (np.float32, np.float16),
    ragged: bool = True,
) -> Case:
    """Anything that a stack of up to `count` layers can be given; rows may end before the others where `ragged`."""
    stack = draw(stacks(draw(st.integers(1, count))))
    rows = sorted(draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)), reverse=True)
    if not ragged:
        rows = rows[:1] * len(rows)
    rng, dtype = draw(seeds), draw(st.sampled_from(dtypes))
    x = [rng.standard_normal((count, stack[0].inputs)).astype(dtype) for count in rows]
    return Case(stack, x, random_state(rng, stack, rows[0]) if draw(st.booleans()) else None)
