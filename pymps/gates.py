"""The only place that knows how other tools stack the gates of a layer into one array."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pymps._values import checked_copy, describe
from pymps.enums import NeuronType
from pymps.neurons import Neuron
from pymps.weights import WeightSource, kernel_shape

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["gru_sources", "lstm_sources", "single_gate_sources"]


class _Gates:
    """The gates of one kind of layer.

    `names` go by letter, as the formulas name them; `tanh` is the letter of the gate whose activation is tanh, where
    the others' is the sigmoid; `letters` is for error messages.
    """

    def __init__(self, names: Mapping[str, str], tanh: str, letters: str) -> None:
        self.names = names
        self.tanh = tanh
        self.letters = letters

    def checked_order(self, gate_order: Any) -> str:
        if not isinstance(gate_order, str):
            raise TypeError(f"gate_order: {describe(gate_order)}, expected a str")
        letters = "".join(self.letter(letter) for letter in gate_order)
        if sorted(letters) != sorted(self.names):
            raise ValueError(f"gate_order: {gate_order!r}, expected the letters {self.letters}, each once")
        return letters

    def checked_neurons(self, neurons: Any) -> dict[str, Neuron]:
        by_letter = self.by_letter("neurons", neurons)
        for letter, neuron in by_letter.items():
            if not isinstance(neuron, Neuron):
                raise TypeError(f"neurons[{letter!r}]: {describe(neuron)}, expected a Neuron")
        default = {
            letter: Neuron(NeuronType.TANH if letter == self.tanh else NeuronType.SIGMOID) for letter in self.names
        }
        return {**default, **by_letter}

    def by_letter(self, name: str, values: Any) -> dict[str, Any]:
        if values is None:
            return {}
        if not isinstance(values, Mapping):
            raise TypeError(f"{name}: {describe(values)}, expected a dict by gate letter")
        by_letter = {self.letter(letter): value for letter, value in values.items()}
        if len(by_letter) != len(values) or not by_letter.keys() <= self.names.keys():
            raise ValueError(f"{name}: keys {list(values)}, expected some of the letters {self.letters}, each once")
        return by_letter

    def letter(self, letter: Any) -> Any:
        """The cell gate of an LSTM has two letters."""
        return "c" if letter == "g" and "c" in self.names else letter


_LSTM = _Gates(
    {"i": "input_gate", "f": "forget_gate", "c": "cell_gate", "o": "output_gate"}, "c", "i, f, c (or g) and o"
)
_GRU = _Gates({"z": "input_gate", "r": "recurrent_gate", "h": "output_gate"}, "h", "z, r and h")


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
    sources = _stacked_sources(_LSTM, w_ih, w_hh, bias, gate_order, neurons)
    for letter, v in _checked_peepholes(peepholes, w_hh.shape[-1]).items():
        sources[f"{_LSTM.names[letter]}_memory_weights"] = WeightSource(v, label=f"V{letter}")
    return sources


def gru_sources(
    w_ih: npt.NDArray[Any],
    w_hh: npt.NDArray[Any],
    bias: npt.NDArray[np.float32] | None,
    gate_order: str,
    neurons: Mapping[str, Neuron] | None,
) -> dict[str, WeightSource]:
    """The weight properties of a GRU descriptor, by name, from stacked arrays.

    Parameters and errors are those of `GRUDescriptor.from_arrays`.
    """
    return _stacked_sources(_GRU, w_ih, w_hh, bias, gate_order, neurons)


def single_gate_sources(
    w_ih: npt.NDArray[Any], w_hh: npt.NDArray[Any], bias: npt.NDArray[np.float32] | None, neuron: Neuron | None
) -> dict[str, WeightSource]:
    """The weight properties of a single gate descriptor, by name.

    Parameters and errors are those of `SingleGateDescriptor.from_arrays`.
    """
    w, u, b = _checked_arrays(1, w_ih, w_hh, bias)
    return {
        "input_weights": WeightSource(w, b, Neuron(NeuronType.TANH) if neuron is None else neuron, label="W"),
        "recurrent_weights": WeightSource(u, label="U"),
    }


def _stacked_sources(
    gates: _Gates, w_ih: Any, w_hh: Any, bias: Any, gate_order: Any, neurons: Any
) -> dict[str, WeightSource]:
    letters = gates.checked_order(gate_order)
    count = len(letters)
    w, u, b = _checked_arrays(count, w_ih, w_hh, bias)
    activations = gates.checked_neurons(neurons)
    biases = [None] * count if b is None else np.split(b, count)

    sources = {}
    for letter, w_gate, u_gate, b_gate in zip(letters, np.split(w, count), np.split(u, count), biases):
        gate = gates.names[letter]
        sources[f"{gate}_input_weights"] = WeightSource(w_gate, b_gate, activations[letter], label=f"W{letter}")
        sources[f"{gate}_recurrent_weights"] = WeightSource(u_gate, label=f"U{letter}")
    return sources


def _checked_arrays(count: int, w_ih: Any, w_hh: Any, bias: Any) -> tuple[Any, Any, Any]:
    """W, U and b of `count` gates."""
    rows = f"{count} * out" if count > 1 else "out"
    u = checked_copy("w_hh", w_hh, kernel_shape(w_hh, rows, "out"), np.float32, np.float16)
    outputs = u.shape[-1]
    u = checked_copy("w_hh", u, kernel_shape(u, count * outputs, outputs), np.float32, np.float16)
    w = checked_copy("w_ih", w_ih, kernel_shape(w_ih, count * outputs, "in"), np.float32, np.float16)
    return w, u, None if bias is None else checked_copy("bias", bias, (count * outputs,), np.float32)


def _checked_peepholes(peepholes: Any, outputs: int) -> dict[str, npt.NDArray[Any]]:
    by_letter = _LSTM.by_letter("peepholes", peepholes)
    diagonal = any(getattr(v, "ndim", None) == 1 for v in by_letter.values())
    checked = {}
    for letter, v in by_letter.items():
        shape = (outputs,) if diagonal else kernel_shape(v, outputs, outputs)
        checked[letter] = checked_copy(f"peepholes[{letter!r}]", v, shape, np.float32, np.float16)
    return checked
