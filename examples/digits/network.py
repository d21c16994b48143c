"""The digits' network as pymps trains it: an LSTM over the rows of an image, and a linear head on its last output."""

from __future__ import annotations

import numpy as np
from dataset import CLASSES, COLUMNS, Floats

import pymps
from pymps import MatrixId

HIDDEN = 64
GATES = ("INPUT", "FORGET", "CELL", "OUTPUT")  # PyTorch's order, in which a file stacks them


class Network:
    """Two training layers and their optimizers. To pymps the head is a single gate without recurrent weights."""

    def __init__(self, device: pymps.Device, rng: np.random.Generator, learning_rate: float) -> None:
        self.lstm = pymps.MatrixTrainingLayer(device, lstm_descriptor(rng))
        self.head = pymps.MatrixTrainingLayer(device, head_descriptor(rng))
        self.lstm_optimizer = pymps.Adam(self.lstm, learning_rate)
        self.head_optimizer = pymps.Adam(self.head, learning_rate)

    def set_learning_rate(self, learning_rate: float) -> None:
        """Set it for the next steps of both optimizers."""
        self.lstm_optimizer.learning_rate = learning_rate
        self.head_optimizer.learning_rate = learning_rate

    def learn(self, images: Floats, targets: Floats) -> float:
        """Take one step down the gradient for images (N, ROWS, COLUMNS) and return the loss before it."""
        h, lstm_tape = self.lstm.forward(time_major(images))
        logits, head_tape = self.head.forward(h[-1:])
        loss, logits_gradient = cross_entropy(logits[0], targets)

        h_gradient = np.zeros_like(h)
        last, head_gradients = self.head.gradient(head_tape, logits_gradient[np.newaxis])
        h_gradient[-1] = last[0]  # the head sees no other
        _, lstm_gradients = self.lstm.gradient(lstm_tape, h_gradient, source_gradient=False)
        self.head_optimizer.step(head_gradients)
        self.lstm_optimizer.step(lstm_gradients)
        return loss

    def logits(self, images: Floats) -> Floats:
        """Map images, shape (N, ROWS, COLUMNS), to logits, shape (N, CLASSES)."""
        h, _ = self.lstm.forward(time_major(images))
        logits, _ = self.head.forward(h[-1:])
        return logits[0]

    def build_layer(self) -> pymps.MatrixInferenceLayer:
        """Make one inference layer of both, with the weights as they are now."""
        return pymps.MatrixInferenceLayer(self.lstm.device, [self.lstm.descriptor(), self.head.descriptor()])

    def tensors(self) -> dict[str, Floats]:
        """The weights by the names that PyTorch has for them; it has a second bias, zeros here."""
        bias = self._stacked("BIAS_TERMS")
        return {
            "lstm.weight_ih_l0": self._stacked("INPUT_WEIGHTS"),
            "lstm.weight_hh_l0": self._stacked("RECURRENT_WEIGHTS"),
            "lstm.bias_ih_l0": bias,
            "lstm.bias_hh_l0": np.zeros_like(bias),
            "head.weight": self.head.weights[MatrixId.SINGLE_GATE_INPUT_WEIGHTS],
            "head.bias": self.head.weights[MatrixId.SINGLE_GATE_BIAS_TERMS],
        }

    def _stacked(self, part: str) -> Floats:
        return np.concatenate([self.lstm.weights[MatrixId[f"LSTM_{gate}_GATE_{part}"]] for gate in GATES])


def lstm_descriptor(rng: np.random.Generator) -> pymps.LSTMDescriptor:
    """The weights that PyTorch begins with too: uniform, up to the inverse root of HIDDEN."""
    w, u, b = (uniform(rng, 4 * HIDDEN, columns) for columns in (COLUMNS, HIDDEN, 1))
    return pymps.LSTMDescriptor.from_arrays(w, u, b[:, 0], gate_order="ifgo", use_float32_weights=True)


def head_descriptor(rng: np.random.Generator) -> pymps.SingleGateDescriptor:
    """W x + b: a gate without recurrent weights and without an activation."""
    descriptor = pymps.SingleGateDescriptor(HIDDEN, CLASSES)
    descriptor.input_weights = pymps.WeightSource(uniform(rng, CLASSES, HIDDEN), uniform(rng, CLASSES, 1)[:, 0])
    descriptor.use_float32_weights = True
    return descriptor


def uniform(rng: np.random.Generator, rows: int, columns: int) -> Floats:
    """Random weights; both layers have the same bound."""
    return rng.uniform(-(HIDDEN**-0.5), HIDDEN**-0.5, (rows, columns)).astype(np.float32)


def time_major(images: Floats) -> Floats:
    """Put the steps first, (ROWS, N, COLUMNS), as layers take them."""
    return np.ascontiguousarray(images.swapaxes(0, 1))


def cross_entropy(logits: Floats, targets: Floats) -> tuple[float, Floats]:
    """The mean cross-entropy of softmax(logits) and its gradient; both arrays have a row for each image."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_softmax = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -float(np.mean((targets * log_softmax).sum(axis=1)))
    return loss, (np.exp(log_softmax) - targets) / np.float32(len(logits))
