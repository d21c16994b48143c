"""OpenVINO on the CPU, set for latency: its cells with the state in variables, and its sequences.

Its default type is bfloat16 where the processor computes in it, else float32.
"""

from typing import Any

import numpy as np
import openvino
from openvino import opset13 as ops

from bench import THREADS
from bench.cases import Array, Layer
from bench.peers import Peer

CONFIG = {
    "PERFORMANCE_HINT": "LATENCY",
    "NUM_STREAMS": 1,
    "INFERENCE_NUM_THREADS": THREADS,
    "ENABLE_CPU_PINNING": False,  # the process is pinned as a whole
}
PRECISIONS = {"float32": {"INFERENCE_PRECISION_HINT": "f32"}, "bfloat16": {}}
_ORDERS = {"lstm": "fico", "gru": "zrh", "rnn": "h"}
_RNN_OPTIONS: list[Any] = [["tanh"], [], []]
_CELLS: dict[str, Any] = {
    "lstm": ops.lstm_cell,
    "gru": ops.gru_cell,
    "rnn": lambda *arguments: ops.rnn_cell(*arguments, *_RNN_OPTIONS),
}
_SEQUENCES: dict[str, Any] = {
    "lstm": ops.lstm_sequence,
    "gru": ops.gru_sequence,
    "rnn": lambda *arguments: ops.rnn_sequence(*arguments, *_RNN_OPTIONS),
}


def _weights(layer: Layer, options: dict[str, bool]) -> list[Array]:
    weights = [layer.stacked(array, _ORDERS[layer.case.kind]) for array in (layer.w_ih, layer.w_hh, layer.bias)]
    if options:  # then the recurrent part of the last gate has a bias of its own
        weights[2] = np.concatenate([weights[2], np.zeros(layer.case.outputs, np.float32)])
    return weights


def _step_model(layer: Layer, options: dict[str, bool]) -> openvino.Model:
    case = layer.case
    x = ops.parameter([1, case.inputs], np.float32)
    zeros = ops.constant(np.zeros((1, case.outputs), np.float32))
    names = "hc" if case.kind == "lstm" else "h"
    state = [ops.read_value(zeros, name) for name in names]
    cell = _CELLS[case.kind](x, *state, *map(ops.constant, _weights(layer, options)), case.outputs, **options)
    # `assign` takes a node alone, not one of several outputs of it: a conversion that vanishes makes one.
    outputs = [ops.convert(output, "f32") for output in cell.outputs()]
    sinks = [ops.assign(output, name) for output, name in zip(outputs, names)]
    return openvino.Model([ops.result(outputs[0])], sinks, [x], "step")


def _sequence_model(layer: Layer, options: dict[str, bool]) -> openvino.Model:
    case = layer.case
    x = ops.parameter([case.batch, case.steps, case.inputs], np.float32)
    zeros = [ops.constant(np.zeros((case.batch, 1, case.outputs), np.float32))] * (2 if case.kind == "lstm" else 1)
    lengths = ops.constant(np.full(case.batch, case.steps, np.int32))
    weights = (ops.constant(array[np.newaxis]) for array in _weights(layer, options))
    sequence = _SEQUENCES[case.kind](x, *zeros, lengths, *weights, case.outputs, "forward", **options)
    return openvino.Model([ops.result(sequence.output(0))], [x], "sequence")


class _OpenVino(Peer):
    caller_waits = True

    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        case = self.case
        # oneDNN has no float32 kernel of the other GRU.
        self.reset_after = case.kind == "gru" and dtype == "float32"
        options = {"linear_before_reset": True} if self.reset_after else {}
        if case.workload == "step":
            model, self._x = _step_model(layer, options), layer.x[0]
            self._y = np.empty((1, case.outputs), np.float32)
        else:
            model, self._x = _sequence_model(layer, options), np.ascontiguousarray(layer.x.swapaxes(0, 1))
            self._y = np.empty((case.batch, 1, case.steps, case.outputs), np.float32)
        compiled = openvino.Core().compile_model(model, "CPU", CONFIG | PRECISIONS[dtype])
        self._request = compiled.create_infer_request()
        self._request.set_input_tensor(openvino.Tensor(self._x, shared_memory=True))
        self._request.set_output_tensor(openvino.Tensor(self._y, shared_memory=True))
        # The method under the public one, which takes 2 µs to look at the inputs and to wrap the outputs.
        self._infer = super(type(self._request), self._request).infer
        self._inputs: dict[Any, Any] = {}
        self.run = self._run

    def _run(self) -> None:
        self._infer(self._inputs, True, False)

    @property
    def y(self) -> Array:
        return self._y[np.newaxis] if self.case.workload == "step" else self._y[:, 0].swapaxes(0, 1)

    def clear_state(self) -> None:
        self._request.reset_state()


PEERS = {"openvino": _OpenVino}
