"""PyTorch in inference mode: one convolution for all gates of x and h side by side, and the cell behind it."""

from typing import Any

import torch

import bench.peers.torch  # noqa: F401 (tells PyTorch the number of threads)
from bench.cases import Array, Layer
from bench.peers import Peer
from bench.peers.images.layouts import gate_weights, nchw, nhwc


class _Cell(torch.nn.Module):
    def __init__(self, layer: Layer) -> None:
        super().__init__()
        case = layer.case
        w, b = map(torch.from_numpy, gate_weights(layer, "ifco"))
        self.gates = torch.nn.Conv2d(case.inputs + case.outputs, len(b), case.kernel, padding=case.kernel // 2)
        self.gates.load_state_dict({"weight": w, "bias": b})

    def forward(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        i, f, new, o = self.gates(torch.cat([x, h], 1)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(new)
        return torch.sigmoid(o) * torch.tanh(c), c


class _Torch(Peer):
    memory_format = torch.contiguous_format

    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        case, layout = self.case, self.memory_format
        with torch.inference_mode():
            self._cell = self._prepared(_Cell(layer).eval().to(memory_format=layout))
            self._x = torch.from_numpy(nchw(layer.x[0])).to(memory_format=layout)
            self._zeros = torch.zeros(case.batch, case.outputs, *case.image_shape).to(memory_format=layout)
        self.clear_state()
        self.run = self._run

    def _prepared(self, cell: _Cell) -> Any:
        return cell

    def time(self, calls: int) -> float:
        with torch.inference_mode():
            return super().time(calls)

    def _run(self) -> None:
        self._state = self._cell(self._x, *self._state)

    @property
    def y(self) -> Array:
        return nhwc(self._state[0].numpy())[None]

    def clear_state(self) -> None:
        self._state = self._zeros, self._zeros


class _Compiled(_Torch):
    """The weights are constants of the program, and channels come last."""

    memory_format = torch.channels_last

    def _prepared(self, cell: _Cell) -> Any:
        return torch.compile(cell, options={"freezing": True})


PEERS = {"torch": _Torch, "torch-compiled": _Compiled}
