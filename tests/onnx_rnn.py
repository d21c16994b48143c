"""ONNX's LSTM, GRU and RNN operators, as Apple's layers.

Names, formulas and the order of gates are those of github.com/onnx/onnx/blob/main/docs/Operators.md.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx

import pymps
from pymps import Neuron, NeuronType, RNNSequenceDirection, WeightSource

Array = npt.NDArray[Any]
Descriptor = pymps.LSTMDescriptor | pymps.GRUDescriptor | pymps.SingleGateDescriptor
Attributes = dict[str, Any]


class UnsupportedError(ValueError):
    """The node asks for what Apple's layers can't do."""


class Cell(NamedTuple):
    """What an operator is to Apple, and in which order W, R, B and P hold the gates."""

    descriptor: type[Descriptor]
    gates: dict[str, int]  # how the names of its weights begin, and which of the activations it takes
    activations: list[str]
    peepholes: tuple[str, ...] = ()


CELLS = {
    "LSTM": Cell(
        pymps.LSTMDescriptor,
        {"input_gate_": 0, "output_gate_": 0, "forget_gate_": 0, "cell_gate_": 1},
        ["Sigmoid", "Tanh", "Tanh"],
        ("input_gate_", "output_gate_", "forget_gate_"),
    ),
    "GRU": Cell(
        pymps.GRUDescriptor,
        {"input_gate_": 0, "recurrent_gate_": 0, "output_gate_": 1},
        ["Sigmoid", "Tanh"],
    ),
    "RNN": Cell(pymps.SingleGateDescriptor, {"": 0}, ["Tanh"]),
}

# Apple's type, and the parameters that are alpha and beta in ONNX; None: ONNX has no default.
ACTIVATIONS: dict[str, tuple[NeuronType, list[float | None]]] = {
    "Affine": (NeuronType.LINEAR, [None, None]),
    "Elu": (NeuronType.ELU, [1.0]),
    "HardSigmoid": (NeuronType.HARD_SIGMOID, [0.2, 0.5]),
    "LeakyRelu": (NeuronType.RELU, [0.01]),
    "Relu": (NeuronType.RELU, []),
    "ScaledTanh": (NeuronType.TANH, [None, None]),
    "Sigmoid": (NeuronType.SIGMOID, []),
    "Softplus": (NeuronType.SOFT_PLUS, []),
    "Softsign": (NeuronType.SOFT_SIGN, []),
    "Tanh": (NeuronType.TANH, []),
}

DIRECTIONS = {
    "forward": [RNNSequenceDirection.FORWARD],
    "reverse": [RNNSequenceDirection.BACKWARD],
    "bidirectional": [RNNSequenceDirection.FORWARD, RNNSequenceDirection.BACKWARD],
}

INEXPRESSIBLE = {
    "clip": "no layer of Apple's clips what goes into an activation",
    "input_forget": "no layer of Apple's couples the forget gate to the input gate",
    "linear_before_reset": "Apple's GRU applies the reset gate before the recurrent weights, not behind them",
}
UNDERSTOOD = {"activation_alpha", "activation_beta", "activations", "direction", "hidden_size", "layout"}


def descriptors(node: onnx.NodeProto, W: Array, R: Array, B: Array | None = None, P: Array | None = None) -> list[Any]:
    """One descriptor for each direction of the node, the forward one first; they keep the weights as they are."""
    attributes = checked_attributes(node)
    cell = CELLS[node.op_type]
    directions = DIRECTIONS[attributes["direction"]]
    neurons = node_neurons(cell, attributes, directions=len(directions))
    if not len(W) == len(R) == len(directions):
        raise ValueError(f"W, R: {len(W)} and {len(R)} directions, expected {len(directions)}")
    result = []
    for d, direction in enumerate(directions):
        descriptor = cell.descriptor(W.shape[2], R.shape[2])
        descriptor.use_float32_weights = True
        descriptor.layer_sequence_direction = direction
        set_weights(descriptor, cell, neurons[d], W[d], R[d], None if B is None else B[d].astype(np.float32))
        if isinstance(descriptor, pymps.LSTMDescriptor):
            set_output_neuron(descriptor, neurons[d][2])
            set_peepholes(descriptor, cell, None if P is None else P[d])
        result.append(descriptor)
    return result


def checked_attributes(node: onnx.NodeProto) -> Attributes:
    """The node's attributes, `direction` and `layout` always among them."""
    if node.op_type not in CELLS:
        raise UnsupportedError(f"{node.op_type}: not a recurrent operator")
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    for name, reason in INEXPRESSIBLE.items():
        if attributes.pop(name, 0) != 0:
            raise UnsupportedError(f"{node.op_type} with {name}: {reason}")
    if unknown := attributes.keys() - UNDERSTOOD:
        raise UnsupportedError(
            f"{node.op_type} with {', '.join(sorted(unknown))}: not an attribute of the current operator"
        )
    attributes["direction"] = attributes.get("direction", b"forward").decode()
    attributes["activations"] = [name.decode() for name in attributes.get("activations", [])]
    attributes.setdefault("layout", 0)
    return attributes


def node_neurons(cell: Cell, attributes: Attributes, directions: int) -> list[list[Neuron]]:
    """The activations of each direction. A function with parameters takes the next of the values given for all."""
    expected = cell.activations * directions
    names = attributes["activations"] or expected
    if len(names) != len(expected):
        raise ValueError(f"activations: {len(names)}, expected {len(expected)}")
    given = [list(attributes.get(name, [])) for name in ("activation_alpha", "activation_beta")]
    neurons = [neuron(name, given) for name in names]
    if given != [[], []]:
        raise ValueError(f"activation_alpha, activation_beta: more values than {', '.join(names)} take")
    count = len(cell.activations)
    return [neurons[d * count :][:count] for d in range(directions)]


def neuron(name: str, given: list[list[float]]) -> Neuron:
    """Takes alpha and beta, where the function has them, from the front of what is left of the node's values."""
    if name not in ACTIVATIONS:
        raise UnsupportedError(f"{name}: not among Apple's neurons")
    kind, defaults = ACTIVATIONS[name]
    parameters = [values.pop(0) if values else default for values, default in zip(given, defaults, strict=False)]
    if None in parameters:
        raise ValueError(f"activation_alpha, activation_beta: too few values for {name}, which has no defaults")
    return Neuron(kind, *parameters)


def set_weights(descriptor: Descriptor, cell: Cell, neurons: list[Neuron], W: Array, R: Array, B: Array | None) -> None:
    """Split the arrays of one direction by gate. Of ONNX's two biases only the sum matters."""
    count = len(cell.gates)
    biases = [None] * count if B is None else np.split(np.add(*np.split(B, 2)), count)
    parts = zip(cell.gates.items(), np.split(W, count), np.split(R, count), biases, strict=True)
    for (gate, activation), w, r, b in parts:
        setattr(descriptor, f"{gate}input_weights", WeightSource(w, b, neurons[activation]))
        setattr(descriptor, f"{gate}recurrent_weights", WeightSource(r))


def set_output_neuron(descriptor: pymps.LSTMDescriptor, neuron: Neuron) -> None:
    descriptor.cell_to_output_neuron_type = neuron.type
    descriptor.cell_to_output_neuron_param_a = neuron.a
    descriptor.cell_to_output_neuron_param_b = neuron.b


def set_peepholes(descriptor: pymps.LSTMDescriptor, cell: Cell, P: Array | None) -> None:
    descriptor.memory_weights_are_diagonal = True
    if P is not None:
        for gate, p in zip(cell.peepholes, np.split(P, len(cell.peepholes)), strict=True):
            setattr(descriptor, f"{gate}memory_weights", WeightSource(p))


class Recurrent:
    """A node with its weights on a device. The backward direction is a layer of its own, run on reversed sequences:
    Apple's bidirectional call takes no states and gives none back.
    """

    def __init__(self, device: pymps.Device, node: onnx.NodeProto, *weights: Array | None) -> None:
        self.batch_first = checked_attributes(node)["layout"] == 1
        self.descriptors = descriptors(node, *weights)
        self.layers = [pymps.MatrixInferenceLayer(device, descriptor) for descriptor in self.descriptors]

    def __call__(
        self,
        X: Array,
        sequence_lens: Array | None = None,
        initial_h: Array | None = None,
        initial_c: Array | None = None,
    ) -> dict[str, Array]:
        """The node's outputs by name; Y_c of an LSTM alone."""
        x = X.swapaxes(0, 1) if self.batch_first else X
        steps, batch, _ = x.shape
        lengths = np.full(batch, steps) if sequence_lens is None else sequence_lens
        if lengths.min() < 1 or lengths.max() > steps:
            raise ValueError(f"sequence_lens: {lengths}, expected 1 to {steps}")
        h, c = (self._by_direction(initial, batch) for initial in (initial_h, initial_c))
        results = [self._run(d, x, lengths, h[d], c[d]) for d in range(len(self.layers))]
        outputs = {name: np.stack([result[name] for result in results]) for name in results[0]}
        outputs["Y"] = outputs["Y"].swapaxes(0, 1)  # (T, D, B, H)
        if self.batch_first:
            outputs = {name: np.moveaxis(value, -2, 0) for name, value in outputs.items()}
        return outputs

    def _by_direction(self, initial: Array | None, batch: int) -> Array:
        """Initial values of shape (D, B, H)."""
        if initial is None:
            return np.zeros((len(self.layers), batch, self.layers[0].output_feature_channels), np.float32)
        return (initial.swapaxes(0, 1) if self.batch_first else initial).astype(np.float32)

    def _run(self, d: int, x: Array, lengths: Array, h: Array, c: Array) -> dict[str, Array]:
        """One direction. Apple wants the longest sequences in the first rows, and no rows for those that have ended."""
        layer, descriptor = self.layers[d], self.descriptors[d]
        is_lstm = isinstance(descriptor, pymps.LSTMDescriptor)
        is_backward = descriptor.layer_sequence_direction == RNNSequenceDirection.BACKWARD
        if is_backward:
            x = reversed_sequences(x, lengths)
        order = np.argsort(-lengths, kind="stable")
        running = [order[: np.count_nonzero(lengths > t)] for t in range(lengths.max())]
        start = {"h": [h[order]], "c": [c[order]]} if is_lstm else {"h": [h[order]]}
        y_steps, state = layer([x[t, rows] for t, rows in enumerate(running)], layer.state(**start))

        y = np.zeros((*x.shape[:2], layer.output_feature_channels), x.dtype)
        for t, rows in enumerate(running):
            y[t, rows] = y_steps[t]
        result = {"Y": reversed_sequences(y, lengths) if is_backward else y}
        result["Y_h"] = state.recurrent_output()[np.argsort(order)].astype(x.dtype)
        if is_lstm:
            result["Y_c"] = state.memory_cell()[np.argsort(order)].astype(x.dtype)
        return result


def reversed_sequences(x: Array, lengths: Array) -> Array:
    """Each sequence (T, B, ...) backward within its own length."""
    t = np.arange(len(x))[:, None]
    return x[np.where(t < lengths, lengths - 1 - t, t), np.arange(len(lengths))]
