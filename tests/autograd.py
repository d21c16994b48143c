"""The recurrent layers in PyTorch, written from Apple's formulas as in reference.py, for autograd to differentiate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
from reference import GRU, LSTM, Array, Gate, Layer, Neuron

if TYPE_CHECKING:
    import torch

    Tensor = torch.Tensor

# By gate and letter: "cell_gate", "W".
Named = Mapping[tuple[str, str], npt.NDArray[np.generic]]


def activate(neuron: Neuron, x: "Tensor") -> "Tensor":
    import torch

    a, b, c = neuron.a, neuron.b, neuron.c
    linear = a * x + b
    by_type = {
        ref.NONE: lambda: x,
        ref.RELU: lambda: torch.where(x >= 0, x, a * x),
        ref.LINEAR: lambda: linear,
        ref.SIGMOID: lambda: torch.sigmoid(x),
        ref.HARD_SIGMOID: lambda: torch.clamp(linear, 0, 1),
        ref.TANH: lambda: a * torch.tanh(b * x),
        ref.ABSOLUTE: lambda: torch.abs(x),
        ref.SOFT_PLUS: lambda: a * torch.logaddexp(torch.zeros_like(x), b * x),
        ref.SOFT_SIGN: lambda: x / (1 + torch.abs(x)),
        ref.ELU: lambda: torch.where(x >= 0, x, a * torch.expm1(torch.clamp(x, max=0))),
        ref.PRELU: lambda: torch.where(x >= 0, x, torch.as_tensor(neuron.channel_a, dtype=x.dtype) * x),
        ref.RELUN: lambda: torch.clamp(torch.where(x >= 0, x, a * x), max=b),
        ref.POWER: lambda: linear**c,
        ref.EXPONENTIAL: lambda: torch.exp(linear) if c == -1 else torch.exp(linear * np.log(c)),
        ref.LOGARITHM: lambda: torch.log(linear) if c == -1 else torch.log(linear) / np.log(c),
        ref.GELU: lambda: 0.5 * x * torch.erfc(-x * np.sqrt(0.5)),
    }
    return by_type[neuron.type]()


@dataclass
class Cell:
    """A layer with its weights as tensors that want gradients."""

    layer: Layer
    weights: dict[tuple[str, str], "Tensor"]

    def gate(self, name: str, x: "Tensor", h: "Tensor", m: "Tensor") -> "Tensor":
        gate: Gate = getattr(self.layer, name)
        w, u, v, b = (self.weights.get((name, letter)) for letter in "WUVb")
        z = h * 0
        if self.layer.unit_input:
            z = z + x
        elif w is not None:
            z = z + x @ w.T
        z = z if u is None else z + h @ u.T
        if v is not None:
            z = z + (m * v if v.ndim == 1 else m @ v.T)
        return activate(gate.neuron, z if b is None else z + b)

    def step(self, x: "Tensor", h0: "Tensor", c0: "Tensor") -> tuple["Tensor", "Tensor"]:
        if isinstance(self.layer, LSTM):
            i, f, g = (self.gate(name, x, h0, c0) for name in ("input_gate", "forget_gate", "cell_gate"))
            c1 = f * c0 + i * g
            return self.gate("output_gate", x, h0, c1) * activate(self.layer.cell_to_output, c1), c1
        if isinstance(self.layer, GRU):
            return self._gru_step(self.layer, x, h0), c0
        return self.gate("gate", x, h0, h0), c0

    def _gru_step(self, gru: GRU, x: "Tensor", h0: "Tensor") -> "Tensor":
        z, r = (self.gate(name, x, h0, h0) for name in ("input_gate", "recurrent_gate"))
        p = float(np.float32(gru.gate_pnorm_value))
        complement = (1 - z**p) ** (1 / p)
        w, u, v, b = (self.weights.get(("output_gate", letter)) for letter in "WUVb")
        sum_ = h0 * 0
        if gru.unit_input:
            sum_ = sum_ + x
        elif w is not None:
            sum_ = sum_ + x @ w.T
        for term, factor in ((u, r), (v, z)):
            sum_ = sum_ if term is None else sum_ + (factor * h0) @ term.T
        h = activate(gru.output_gate.neuron, sum_ if b is None else sum_ + b)
        return complement * h0 + z * h if gru.flip_output_gates else complement * h + z * h0


@dataclass
class Gradients:
    """dL/d(each), L = sum(dy * y) + sum(dh1 * h1) + sum(dc1 * c1), and what is differentiated."""

    y: list[Array]
    h1: Array
    c1: Array
    dx: list[Array]
    dh0: Array
    dc0: Array
    weights: dict[tuple[str, str], Array] = field(default_factory=dict)


def parts(found: Gradients) -> dict[str, Array]:
    """Each array by a name."""
    lists = {f"{name}[{step}]": m for name in ("y", "dx") for step, m in enumerate(getattr(found, name))}
    states = {name: getattr(found, name) for name in ("h1", "c1", "dh0", "dc0")}
    return {**lists, **states, **{f"d{letter} of {gate}": m for (gate, letter), m in found.weights.items()}}


@dataclass(frozen=True)
class Problem:
    """What a gradient is taken of. Rows never grow with time."""

    layer: Layer
    weights: Named
    x: Sequence[npt.NDArray[np.float32]]
    dy: Sequence[npt.NDArray[np.float32]]
    h0: npt.NDArray[np.float32]
    c0: npt.NDArray[np.float32]
    dh1: npt.NDArray[np.float32]
    dc1: npt.NDArray[np.float32]


def gradients(problem: Problem, dtype: str = "float64") -> Gradients:
    torch = pytest.importorskip("torch", reason="comparing with PyTorch needs torch==2.13.0")

    def tensor(array: npt.NDArray[np.generic], wants: bool = True) -> "Tensor":
        return torch.tensor(array.astype(dtype), requires_grad=wants)

    weights = {name: tensor(array) for name, array in problem.weights.items()}
    cell = Cell(problem.layer, weights)
    xs, h0, c0 = [tensor(x) for x in problem.x], tensor(problem.h0), tensor(problem.c0)
    h, c, ys = h0, c0, []
    for x in xs:
        rows = len(x)
        y, c_rows = cell.step(x, h[:rows], c[:rows])
        h, c = torch.cat([y, h[rows:]]), torch.cat([c_rows, c[rows:]])
        ys.append(y)
    pairs = [*zip(ys, problem.dy), (h, problem.dh1), (c, problem.dc1)]
    loss = sum((y * tensor(dy, False)).sum() for y, dy in pairs)
    wanted = [*xs, h0, c0, *weights.values()]
    found = torch.autograd.grad(loss, wanted, allow_unused=True)
    filled = [np.zeros(t.shape) if g is None else g.double().numpy() for t, g in zip(wanted, found)]
    return Gradients(
        [y.detach().double().numpy() for y in ys],
        h.detach().double().numpy(),
        c.detach().double().numpy(),
        filled[: len(xs)],
        filled[len(xs)],
        filled[len(xs) + 1],
        dict(zip(weights, filled[len(xs) + 2 :])),
    )
