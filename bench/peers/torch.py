"""PyTorch in inference mode: the cells for a step, and the layers, which are one call into oneDNN or ATen."""

import os
from typing import Any

import torch

from bench import THREADS, cpus
from bench.cases import Array, Layer
from bench.peers import Peer

torch.set_num_threads(THREADS)
if THREADS > 1 and cpus():
    os.sched_setaffinity(0, cpus())  # OpenMP has bound this thread, from which others inherit it

_ORDERS = {"lstm": "ifco", "gru": "rzh", "rnn": "h"}
_CELLS: dict[str, Any] = {"lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell, "rnn": torch.nn.RNNCell}
_LAYERS: dict[str, Any] = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}


class _Torch(Peer):
    """`new` makes the module, whose weights are called `w_ih` and so on with `suffix` behind."""

    reset_after = True

    def __init__(self, layer: Layer, dtype: str, new: dict[str, Any], suffix: str) -> None:
        super().__init__(layer, dtype)
        case, order = self.case, _ORDERS[self.case.kind]
        self._dtype = getattr(torch, dtype)
        weights = {
            "weight_ih": layer.stacked(layer.w_ih, order),
            "weight_hh": layer.stacked(layer.w_hh, order),
            "bias_ih": layer.stacked(layer.bias, order),
            "bias_hh": 0 * layer.bias,
        }
        with torch.inference_mode():
            self._module = new[case.kind](case.inputs, case.outputs, dtype=self._dtype).eval()
            self._module.load_state_dict({name + suffix: torch.from_numpy(w) for name, w in weights.items()})
            self._x = torch.from_numpy(layer.x).to(self._dtype)

    def time(self, calls: int) -> float:
        with torch.inference_mode():
            return super().time(calls)


class _Cell(_Torch):
    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype, _CELLS, "")
        self._x = self._x[0]
        self._zeros = torch.zeros(1, self.case.outputs, dtype=self._dtype)
        self.clear_state()
        self.run = self._run_lstm if self.case.kind == "lstm" else self._run

    def _run(self) -> None:
        self._h = self._module(self._x, self._h)

    def _run_lstm(self) -> None:
        self._state = self._module(self._x, self._state)

    @property
    def y(self) -> Array:
        h = self._state[0] if self.case.kind == "lstm" else self._h
        return h.float().numpy()[None]

    def clear_state(self) -> None:
        self._h = self._zeros
        self._state = self._zeros, self._zeros


class _Layer(_Torch):
    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype, _LAYERS, "_l0")
        zeros = torch.zeros(1, self.case.batch, self.case.outputs, dtype=self._dtype)
        self._zeros = (zeros, zeros) if self.case.kind == "lstm" else zeros
        self.clear_state()
        self.run = self._run_step if self.case.workload == "step" else self._run_sequence

    def time(self, calls: int) -> float:
        # oneDNN's LSTM packs the weights in every call. For a step that costs more than it gains.
        torch.backends.mkldnn.enabled = self.case.workload != "step"
        seconds = super().time(calls)
        torch.backends.mkldnn.enabled = True
        return seconds

    def _run_step(self) -> None:
        self._y, self._state = self._module(self._x, self._state)

    def _run_sequence(self) -> None:
        self._y, _ = self._module(self._x, self._zeros)

    @property
    def y(self) -> Array:
        return self._y.float().numpy()

    def clear_state(self) -> None:
        self._state = self._zeros


PEERS = {"torch": _Layer, "torch-cell": _Cell}
