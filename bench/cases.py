"""What is measured: kinds, sizes and workloads, and the weights and inputs that go with them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench import THREADS

Array = npt.NDArray[np.floating]
Float32 = npt.NDArray[np.float32]

# The gates of a kind, in the order in which a Layer stacks them.
GATES = {"lstm": "ifco", "gru": "zrh", "rnn": "h"}
SIZES = [(16, 16), (64, 64), (64, 128), (128, 256), (256, 512), (512, 1024)]
TRAINING_SIZES = SIZES[:4]
IMAGE_SIZES = [(16, 16, 64), (64, 64, 32)]  # and the images' side
KERNEL = 3


class Case(NamedTuple):
    """What contestants are compared at.

    A step is one step at batch 1 that carries the state along; a call of another workload starts from zeros. `image` is
    a step of a convolutional layer: rows are images of `side` x `side` pixels, weights have `kernel` x `kernel` taps.
    `training` is a forward pass and its gradient.
    """

    workload: str
    kind: str
    inputs: int
    outputs: int
    steps: int
    batch: int
    threads: int
    side: int = 1
    kernel: int = 1

    def __str__(self) -> str:
        batch = f"-{self.batch}" if self.batch > 1 else ""
        image = f"-{self.side}x{self.side}" if self.is_image else ""
        return f"{self.kind}-{self.inputs}-{self.outputs}{batch}{image}"

    @property
    def is_image(self) -> bool:
        return self.workload == "image"

    @property
    def carries_state(self) -> bool:
        return self.workload in ("step", "image")

    @property
    def image_shape(self) -> tuple[int, ...]:
        return (self.side, self.side) if self.is_image else ()

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        return (self.kernel, self.kernel) if self.is_image else ()

    @property
    def weights(self) -> int:
        return len(GATES[self.kind]) * self.outputs * self.kernel**2 * (self.inputs + self.outputs)

    @property
    def biases(self) -> int:
        return len(GATES[self.kind]) * self.outputs

    @property
    def flops(self) -> int:
        """Floating-point operations of a call's matrix products, or of its convolutions as they are defined.

        A gradient has two for each product of its forward pass: of what was multiplied by the weights, and of these.
        """
        passes = 3 if self.workload == "training" else 1
        return 2 * self.weights * self.steps * self.batch * self.side**2 * passes


def _cases(workload: str, steps: int, *batches: int) -> list[Case]:
    return [Case(workload, kind, *size, steps, batch, THREADS) for kind in GATES for batch in batches for size in SIZES]


def step_case(inputs: int, outputs: int, kind: str = "lstm") -> Case:
    return Case("step", kind, inputs, outputs, 1, 1, THREADS)


def image_case(inputs: int, outputs: int, side: int) -> Case:
    return Case("image", "lstm", inputs, outputs, 1, 1, THREADS, side, KERNEL)


CASES = {
    "step": _cases("step", 1, 1),
    "sequence": _cases("sequence", 100, 1),
    "batch": _cases("batch", 50, 32, 256),
    "training": [Case("training", "lstm", *size, 50, 32, THREADS) for size in TRAINING_SIZES],
    "image": [image_case(*size) for size in IMAGE_SIZES],
}


class Layer:
    """Random weights, and an input.

    x : (T, B, I), or (T, B, H, W, I)
    w_ih, w_hh, bias : (G*O, I), (G*O, O), (G*O,)
        Stacked by gate, in the order of GATES. Those of a convolution have two axes more, (G*O, kernel, kernel, I).
    scale : float
        w_ih, w_hh and bias are whole numbers up to 127 times this.

    All are float32. For the floating-point types the scale is a power of two, so that float16 and bfloat16 hold the
    same numbers. For int8 it is not: what has been rounded to one of them by the way would go unnoticed.
    """

    def __init__(self, case: Case, dtype: str) -> None:
        rng = np.random.default_rng([*GATES].index(case.kind) + case.outputs)
        magnitude = (case.outputs * case.kernel**2) ** -0.5
        self.scale = 2.0 ** np.round(np.log2(magnitude / 127)) * (1.1 if dtype == "int8" else 1)
        self.case = case
        shape = (case.steps, case.batch, *case.image_shape, case.inputs)
        self.x = (rng.standard_normal(shape, np.float32) * 32).round() / 32

        def uniform(*shape: int) -> Float32:
            return rng.integers(-127, 128, shape).astype(np.float32) * np.float32(self.scale)

        self.w_ih = uniform(case.biases, *case.kernel_shape, case.inputs)
        self.w_hh = uniform(case.biases, *case.kernel_shape, case.outputs)
        self.bias = uniform(case.biases)

    def stacked(self, weights: Float32, order: str) -> Float32:
        """`weights` with the gates in another order."""
        gates = GATES[self.case.kind]
        parts = dict(zip(gates, np.split(weights, len(gates))))
        return np.concatenate([parts[letter] for letter in order])

    def quantized(self, weights: Float32) -> npt.NDArray[np.int8]:
        """The whole numbers that `weights` are `scale` times."""
        return np.round(weights / self.scale).astype(np.int8)


Float64 = npt.NDArray[np.float64]
State = tuple[Float64, Float64]
_REST = 1e-9  # a step that moves no output further than this has come to rest


class Reference:
    """A layer's formulas in float64, for some rows of its batch.

    `reset_after` makes the reset gate of a GRU count after the product with U, as PyTorch has it; Apple's counts
    before it.
    """

    def __init__(self, layer: Layer, rows: list[int], *, reset_after: bool = False) -> None:
        w_ih, bias = layer.w_ih.astype(np.float64), layer.bias.astype(np.float64)
        self._u = layer.w_hh.astype(np.float64)
        self._wx = _product(layer.x[:, rows].astype(np.float64), w_ih) + bias
        self._step: Callable[..., State] = {
            "lstm": self._lstm,
            "gru": self._gru_reset_after if reset_after else self._gru,
            "rnn": self._rnn,
        }[layer.case.kind]
        zeros = np.zeros((len(rows), *layer.case.image_shape, layer.case.outputs))
        self._state = zeros, zeros
        self._outputs = [zeros]

    def output_after(self, steps: int) -> Float64:
        """h after so many steps from zeros, shape (rows, O), its inputs over and over; one input comes to rest."""
        while len(self._outputs) <= steps and not self._rests():
            self._state = self._step(self._wx[(len(self._outputs) - 1) % len(self._wx)], *self._state)
            self._outputs.append(self._state[0])
        return self._outputs[min(steps, len(self._outputs) - 1)]

    def _rests(self) -> bool:
        h = self._outputs[-2:]
        return len(self._wx) == 1 and len(h) == 2 and bool(np.abs(h[1] - h[0]).max() < _REST)

    def _lstm(self, wx: Float64, *state: Float64) -> State:
        h, c = state
        i, f, g, o = np.split(wx + _product(h, self._u), 4, axis=-1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    def _gru(self, wx: Float64, *state: Float64) -> State:
        h, c = state
        (wx_z, wx_r, wx_h), (u_z, u_r, u_h) = np.split(wx, 3, axis=-1), np.split(self._u, 3)
        z, r = sigmoid(wx_z + _product(h, u_z)), sigmoid(wx_r + _product(h, u_r))
        return (1 - z) * np.tanh(wx_h + _product(r * h, u_h)) + z * h, c

    def _gru_reset_after(self, wx: Float64, *state: Float64) -> State:
        h, c = state
        (wx_z, wx_r, wx_h), (uh_z, uh_r, uh_h) = np.split(wx, 3, axis=-1), np.split(_product(h, self._u), 3, axis=-1)
        z, r = sigmoid(wx_z + uh_z), sigmoid(wx_r + uh_r)
        return (1 - z) * np.tanh(wx_h + r * uh_h) + z * h, c

    def _rnn(self, wx: Float64, *state: Float64) -> State:
        h, c = state
        return np.tanh(wx + _product(h, self._u)), c


def _product(x: Float64, weights: Float64) -> Float64:
    """Weights (O, I) applied to each row of x; or (O, kernel, kernel, I), a convolution of images (..., H, W, I)."""
    if weights.ndim == 2:
        return x @ weights.T
    taps = weights.shape[1:3]
    padding = [(0, 0)] * (x.ndim - 3) + [(size // 2, size // 2) for size in taps] + [(0, 0)]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, padding), taps, axis=(-3, -2))
    return np.tensordot(windows, weights, axes=([-2, -1, -3], [1, 2, 3]))


def sigmoid(z: Float64) -> Float64:
    return 1 / (1 + np.exp(-z))
