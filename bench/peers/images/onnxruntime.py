"""ONNX Runtime on the CPU: one convolution for all gates of x and h side by side, and the cell behind it.

Its optimizer gives the convolution a layout of blocks of channels. The rest of the settings are those of the recurrent
layers: everything is bound to fixed memory, and two states take turns.
"""

from itertools import cycle

import numpy as np
import onnxruntime
from onnx import ModelProto, TensorProto, helper, numpy_helper

from bench import THREADS
from bench.cases import Array, Layer
from bench.peers import Peer
from bench.peers.images.layouts import gate_weights, nchw, nhwc

_CELL = [
    ("Concat", ["x", "h0"], ["xh"], {"axis": 1}),
    ("Conv", ["xh", "w", "b"], ["gates"], {}),
    ("Split", ["gates", "sigmoids_then_one"], ["z", "zc"], {"axis": 1}),
    ("Sigmoid", ["z"], ["sigmoids"], {}),
    ("Tanh", ["zc"], ["c"], {}),
    ("Split", ["sigmoids", "sigmoids_alone"], ["i", "f", "o"], {"axis": 1}),
    ("Mul", ["f", "c0"], ["kept"], {}),
    ("Mul", ["i", "c"], ["added"], {}),
    ("Add", ["kept", "added"], ["c1"], {}),
    ("Tanh", ["c1"], ["tanh_c1"], {}),
    ("Mul", ["o", "tanh_c1"], ["h1"], {}),
]


def _model(layer: Layer) -> ModelProto:
    """One step: x, h0, c0 -> h1, c1."""
    case = layer.case

    def value(name: str, channels: int) -> object:
        shape = (case.batch, channels, *case.image_shape)
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    w, b = gate_weights(layer, "ifoc")
    nodes = [helper.make_node(op, inputs, outputs, **attributes) for op, inputs, outputs, attributes in _CELL]
    nodes[1].attribute.append(helper.make_attribute("pads", [case.kernel // 2] * 4))
    constants = {
        "w": w,
        "b": b,
        "sigmoids_then_one": np.array([3 * case.outputs, case.outputs]),
        "sigmoids_alone": np.full(3, case.outputs),
    }
    graph = helper.make_graph(
        nodes,
        "step",
        [value("x", case.inputs), value("h0", case.outputs), value("c0", case.outputs)],
        [value("h1", case.outputs), value("c1", case.outputs)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


class _OnnxRuntime(Peer):
    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        case = self.case
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            _model(layer).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._x = nchw(layer.x[0])
        # A step may not write the state that it reads: two states, h and c, take turns, each with its binding.
        self._states = np.zeros((2, 2, case.batch, case.outputs, *case.image_shape), np.float32)
        self._bindings = [self._bind(before, after) for before, after in ((0, 1), (1, 0))]
        self.clear_state()
        self.run = self._run

    def _bind(self, before: int, after: int) -> onnxruntime.IOBinding:
        binding = self._session.io_binding()

        def tensor(name: str, array: Array) -> tuple[object, ...]:
            return name, "cpu", 0, array.dtype, array.shape, array.ctypes.data

        binding.bind_input(*tensor("x", self._x))
        for index, letter in enumerate("hc"):
            binding.bind_input(*tensor(f"{letter}0", self._states[before, index]))
            binding.bind_output(*tensor(f"{letter}1", self._states[after, index]))
        return binding

    def _run(self) -> None:
        self._current, binding = next(self._turns)
        self._session.run_with_iobinding(binding)

    @property
    def y(self) -> Array:
        return nhwc(self._states[self._current, 0])[np.newaxis]

    def clear_state(self) -> None:
        self._states[:] = 0
        self._turns = cycle([(1, self._bindings[0]), (0, self._bindings[1])])


PEERS = {"onnxruntime": _OnnxRuntime}
