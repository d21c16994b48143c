"""The only place that knows how other tools stack the gates of an LSTM into one array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pymps._values import checked_copy, describe
from pymps.enums import NeuronType
from pymps.neurons import Neuron
from pymps.weights import WeightSource

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["GATES", "lstm_sources"]

# The letter of each gate, as the formulas name it.
GATES = {"i": "input_gate", "f": "forget_gate", "c": "cell_gate", "o": "output_gate"}


def lstm_sources(
    w_ih: npt.NDArray[Any],
    w_hh: npt.NDArray[Any],
    bias: npt.NDArray[np.float32] | None,
    gate_order: str,
    peepholes: Mapping[str, npt.NDArray[Any]] | None,
    neurons: Mapping[str, Neuron] | None,
) -> dict[str, WeightSource]:
    """The weight properties of an LSTM descriptor, by name, from stacked arrays.

    Parameters and errors are those of `LSTMDescriptor.from_arrays`.
    """
    letters = _checked_order(gate_order)
    u = checked_copy("w_hh", w_hh, ("4 * out", "out"), np.float32, np.float16)
    outputs = u.shape[1]
    u = checked_copy("w_hh", u, (4 * outputs, outputs), np.float32, np.float16)
    w = checked_copy("w_ih", w_ih, (4 * outputs, "in"), np.float32, np.float16)
    biases = [None] * 4 if bias is None else np.split(checked_copy("bias", bias, (4 * outputs,), np.float32), 4)
    activations = _checked_neurons(neurons)

    sources = {}
    for letter, w_gate, u_gate, b_gate in zip(letters, np.split(w, 4), np.split(u, 4), biases):
        gate = GATES[letter]
        sources[f"{gate}_input_weights"] = WeightSource(w_gate, b_gate, activations[letter], label=f"W{letter}")
        sources[f"{gate}_recurrent_weights"] = WeightSource(u_gate, label=f"U{letter}")
    for letter, v in _checked_peepholes(peepholes, outputs).items():
        sources[f"{GATES[letter]}_memory_weights"] = WeightSource(v, label=f"V{letter}")
    return sources


def _checked_order(gate_order: Any) -> str:
    if not isinstance(gate_order, str):
        raise TypeError(f"gate_order: {describe(gate_order)}, expected a str")
    letters = gate_order.replace("g", "c")
    if sorted(letters) != sorted(GATES):
        raise ValueError(f"gate_order: {gate_order!r}, expected the letters i, f, c (or g) and o, each once")
    return letters


def _checked_neurons(neurons: Any) -> dict[str, Neuron]:
    by_letter = _by_letter("neurons", neurons)
    for letter, neuron in by_letter.items():
        if not isinstance(neuron, Neuron):
            raise TypeError(f"neurons[{letter!r}]: {describe(neuron)}, expected a Neuron")
    default = {letter: Neuron(NeuronType.TANH if letter == "c" else NeuronType.SIGMOID) for letter in GATES}
    return {**default, **by_letter}


def _checked_peepholes(peepholes: Any, outputs: int) -> dict[str, npt.NDArray[Any]]:
    by_letter = _by_letter("peepholes", peepholes)
    diagonal = any(getattr(v, "ndim", None) == 1 for v in by_letter.values())
    shape = (outputs,) if diagonal else (outputs, outputs)
    return {
        letter: checked_copy(f"peepholes[{letter!r}]", v, shape, np.float32, np.float16)
        for letter, v in by_letter.items()
    }


def _by_letter(name: str, values: Any) -> dict[str, Any]:
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise TypeError(f"{name}: {describe(values)}, expected a dict by gate letter")
    by_letter = {"c" if letter == "g" else letter: value for letter, value in values.items()}
    if len(by_letter) != len(values) or not by_letter.keys() <= GATES.keys():
        raise ValueError(f"{name}: keys {list(values)}, expected some of the letters i, f, c (or g) and o, each once")
    return by_letter
