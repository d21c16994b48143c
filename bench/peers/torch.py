"""PyTorch's LSTMCell in inference mode."""

import torch

from bench.cases import Array, Case
from bench.peers import Stepper

torch.set_num_threads(1)


class Peer(Stepper):
    def __init__(self, case: Case, dtype: str) -> None:
        torch_dtype = getattr(torch, dtype)
        with torch.inference_mode():
            self._cell = torch.nn.LSTMCell(*case.size, dtype=torch_dtype)
            self._cell.weight_ih.copy_(torch.from_numpy(case.w_ih))
            self._cell.weight_hh.copy_(torch.from_numpy(case.w_hh))
            self._cell.bias_ih.copy_(torch.from_numpy(case.bias))
            self._cell.bias_hh.zero_()
            self._x = torch.from_numpy(case.x).to(torch_dtype, copy=True).reshape(1, -1)
        self.x = self._x.numpy()[0]
        self._zeros = torch.zeros(1, case.size.outputs, dtype=torch_dtype)
        self._state = (self._zeros, self._zeros)
        self.step = self._step

    def advance(self, steps: int) -> None:
        with torch.inference_mode():
            super().advance(steps)

    def _step(self) -> None:
        self._state = self._cell(self._x, self._state)

    @property
    def y(self) -> Array:
        output: Array = self._state[0].numpy()[0]
        return output

    def clear_state(self) -> None:
        self._state = (self._zeros, self._zeros)
