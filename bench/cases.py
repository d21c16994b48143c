"""What is measured: the sizes, the weights, and the outputs that are right for them."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


_REST = 1e-9  # a step that moves no output further than this has come to rest


class Size(NamedTuple):
    """Input and output feature channels of a layer."""

    inputs: int
    outputs: int

    def __str__(self) -> str:
        return f"{self.inputs}-{self.outputs}"


SIZES = [Size(16, 16), Size(64, 64), Size(64, 128), Size(128, 256), Size(256, 512), Size(512, 1024)]


class Case:
    """An LSTM layer of random weights, and one input.

    x : (I,)
    w_ih, w_hh, bias : (4*O, I), (4*O, O), (4*O,)
        Stacked by gate: i, f, c, o.

    All are float32 and exact in float16 too: whatever a peer keeps its weights in, they are the same numbers.
    """

    def __init__(self, size: Size) -> None:
        rng = np.random.default_rng(size)
        scale = size.outputs**-0.5

        def uniform(*shape: int) -> Float32:
            return rng.uniform(-scale, scale, shape).astype(np.float16).astype(np.float32)

        self.size = size
        self.x = rng.standard_normal(size.inputs).astype(np.float16).astype(np.float32)
        self.w_ih = uniform(4 * size.outputs, size.inputs)
        self.w_hh = uniform(4 * size.outputs, size.outputs)
        self.bias = uniform(4 * size.outputs)


class Reference:
    """The LSTM's formulas in float64: the right output after any number of steps with a case's input."""

    def __init__(self, case: Case) -> None:
        self._w_hh = case.w_hh.astype(np.float64)
        self._constant = case.w_ih.astype(np.float64) @ case.x + case.bias
        self._c = np.zeros(case.size.outputs)
        self._outputs = [np.zeros(case.size.outputs)]

    def output_after(self, steps: int) -> Float64:
        """h after so many steps from a state of zeros; with one input for ever it comes to rest, and is not run on."""
        while len(self._outputs) <= steps and not self._rests():
            self._outputs.append(self._step(self._outputs[-1]))
        return self._outputs[min(steps, len(self._outputs) - 1)]

    def _step(self, h: Float64) -> Float64:
        i, f, g, o = np.split(self._constant + self._w_hh @ h, 4)
        self._c = _sigmoid(f) * self._c + _sigmoid(i) * np.tanh(g)
        return _sigmoid(o) * np.tanh(self._c)

    def _rests(self) -> bool:
        return len(self._outputs) > 1 and bool(np.abs(self._outputs[-1] - self._outputs[-2]).max() < _REST)


def _sigmoid(z: Float64) -> Float64:
    return 1 / (1 + np.exp(-z))
