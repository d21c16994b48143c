"""The usual layers of each kind, sigmoid and tanh, with random weights that forget: errors do not pile up in them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import reference as ref
from reference import GRU, LSTM, Gate, Layer, Neuron, SingleGate
from strategies import random_weights

SIGMOID, TANH = Neuron(ref.SIGMOID), Neuron(ref.TANH, 1.0, 1.0)


def gate(
    rng: np.random.Generator,
    inputs: int,
    outputs: int,
    neuron: Neuron,
    memory: tuple[int, ...] | None = None,
    kernel: tuple[int, ...] = (),
) -> Gate:
    """Every weight, V only of the shape `memory`. A kernel of (height, width) makes convolutions of them."""
    return Gate(
        random_weights(rng, (outputs, *kernel, inputs)),
        random_weights(rng, (outputs, *kernel, outputs)),
        None if memory is None else random_weights(rng, memory),
        rng.standard_normal(outputs).astype(np.float32) / 2,
        neuron,
    )


def lstm(
    rng: np.random.Generator,
    inputs: int,
    outputs: int,
    *,
    peepholes: bool = False,
    kernel: tuple[int, ...] = (),
    **options: bool,
) -> LSTM:
    """`options` are LSTM's; diagonal peepholes by memory_weights_are_diagonal."""
    shape = (outputs,) if options.get("memory_weights_are_diagonal") else (outputs, *kernel, outputs)
    neurons = SIGMOID, SIGMOID, TANH, SIGMOID
    gates = (gate(rng, inputs, outputs, neuron, shape if peepholes else None, kernel) for neuron in neurons)
    return LSTM(inputs, outputs, *gates, **options)


def gru(
    rng: np.random.Generator,
    inputs: int,
    outputs: int,
    *,
    input_gate_weights: bool = False,
    kernel: tuple[int, ...] = (),
    **options: float,
) -> GRU:
    """`options` are GRU's; Vh only with `input_gate_weights`."""
    memory = (outputs, *kernel, outputs) if input_gate_weights else None
    kinds = (SIGMOID, None), (SIGMOID, None), (TANH, memory)
    gates = (gate(rng, inputs, outputs, neuron, v, kernel) for neuron, v in kinds)
    return GRU(inputs, outputs, *gates, **options)


def single_gate(
    rng: np.random.Generator, inputs: int, outputs: int, *, kernel: tuple[int, ...] = (), **options: bool
) -> SingleGate:
    return SingleGate(inputs, outputs, gate(rng, inputs, outputs, TANH, kernel=kernel), **options)


KINDS: dict[str, Callable[..., Layer]] = {"LSTM": lstm, "GRU": gru, "single gate": single_gate}


def full(rng: np.random.Generator, kind: str, inputs: int, outputs: int, **options: Any) -> Layer:
    """A layer with every weight that its kind can have."""
    everything = {"LSTM": {"peepholes": True}, "GRU": {"input_gate_weights": True}}
    return KINDS[kind](rng, inputs, outputs, **everything.get(kind, {}), **options)
