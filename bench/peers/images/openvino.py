"""OpenVINO on the CPU in float32, set for latency: a convolution for each gate of x and h side by side, and the cell
behind them. The state is in variables."""

from typing import Any

import numpy as np
import openvino
from openvino import opset13 as ops

from bench.cases import GATES, Array, Layer
from bench.peers import Peer
from bench.peers.images.layouts import gate_weights, nchw, nhwc
from bench.peers.openvino import CONFIG, PRECISIONS


def _model(layer: Layer) -> openvino.Model:
    case = layer.case
    x = ops.parameter([case.batch, case.inputs, *case.image_shape], np.float32)
    zeros = ops.constant(np.zeros((case.batch, case.outputs, *case.image_shape), np.float32))
    h, c = (ops.read_value(zeros, name) for name in "hc")
    xh, pads = ops.concat([x, h], 1), [case.kernel // 2] * 2

    def gate(letter: str) -> Any:
        w, b = gate_weights(layer, letter)
        z = ops.add(ops.convolution(xh, ops.constant(w), [1, 1], pads, pads, [1, 1]), b.reshape(1, -1, 1, 1))
        return ops.tanh(z) if letter == "c" else ops.sigmoid(z)

    i, f, new, o = map(gate, GATES["lstm"])
    c1 = ops.add(ops.multiply(f, c), ops.multiply(i, new))
    h1 = ops.multiply(o, ops.tanh(c1))
    return openvino.Model([ops.result(h1)], [ops.assign(h1, "h"), ops.assign(c1, "c")], [x], "step")


class _OpenVino(Peer):
    caller_waits = True

    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        case = self.case
        compiled = openvino.Core().compile_model(_model(layer), "CPU", CONFIG | PRECISIONS[dtype])
        self._x = nchw(layer.x[0])
        self._y = np.empty((case.batch, case.outputs, *case.image_shape), np.float32)
        self._request = compiled.create_infer_request()
        self._request.set_input_tensor(openvino.Tensor(self._x, shared_memory=True))
        self._request.set_output_tensor(openvino.Tensor(self._y, shared_memory=True))
        # The method under the public one, as in peers/openvino.py.
        self._infer = super(type(self._request), self._request).infer
        self._inputs: dict[Any, Any] = {}
        self.run = self._run

    def _run(self) -> None:
        self._infer(self._inputs, True, False)

    @property
    def y(self) -> Array:
        return nhwc(self._y)[np.newaxis]

    def clear_state(self) -> None:
        self._request.reset_state()


PEERS = {"openvino": _OpenVino}
