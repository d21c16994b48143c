"""ONNX Runtime's LSTM, GRU and RNN on the CPU, with inputs, outputs and state bound to fixed memory.

Its LSTM with int8 weights is the one that its tool for dynamic quantization makes of an LSTM.
"""

from collections.abc import Iterator
from itertools import cycle

import numpy as np
import onnxruntime
from onnx import ModelProto, TensorProto, helper, numpy_helper

from bench import THREADS
from bench.cases import Array, Float32, Layer
from bench.peers import Peer

_ORDERS = {"lstm": "iofc", "gru": "zrh", "rnn": "h"}


def _model(layer: Layer, dtype: str) -> ModelProto:
    """One layer: x, h0, c0 -> y, h1, c1; c for an LSTM alone, y but for a step."""
    case = layer.case
    letters = "hc" if case.kind == "lstm" else "h"
    is_step = case.workload == "step"

    def stacked(weights: Float32) -> Float32:
        return layer.stacked(weights, _ORDERS[case.kind])[np.newaxis]

    def value(name: str, *shape: int) -> object:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    state = (1, case.batch, case.outputs)
    weights = {"W": stacked(layer.w_ih), "R": stacked(layer.w_hh)}
    inputs = ["x", "W", "R", "B", "", *(f"{letter}0" for letter in letters)]
    if dtype == "int8":
        weights = {name: layer.quantized(array.swapaxes(1, 2)) for name, array in weights.items()}
        weights |= {"scale": np.array([layer.scale], np.float32), "zero": np.zeros(1, np.int8)}
        inputs += ["", "scale", "zero", "scale", "zero"]  # without peepholes
    node = helper.make_node(
        "DynamicQuantizeLSTM" if dtype == "int8" else case.kind.upper(),
        inputs,
        ["" if is_step else "y", *(f"{letter}1" for letter in letters)],
        domain="com.microsoft" if dtype == "int8" else "",
        hidden_size=case.outputs,
        direction="forward",
    )
    outputs = [value(f"{letter}1", *state) for letter in letters]
    if not is_step:
        outputs.append(value("y", case.steps, *state))
    graph = helper.make_graph(
        [node],
        case.kind,
        [value("x", case.steps, case.batch, case.inputs), *(value(f"{letter}0", *state) for letter in letters)],
        outputs,
        [
            *(numpy_helper.from_array(array, name) for name, array in weights.items()),
            numpy_helper.from_array(np.concatenate([stacked(layer.bias), 0 * stacked(layer.bias)], axis=1), "B"),
        ],
    )
    opsets = [helper.make_opsetid("", 14), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


class _OnnxRuntime(Peer):
    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        case = self.case
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            _model(layer, dtype).SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._letters = "hc" if case.kind == "lstm" else "h"
        self._x = layer.x
        self._y = np.empty((case.steps, 1, case.batch, case.outputs), np.float32)
        # A step may not write the state that it reads: two states take turns, each with its binding.
        self._states = np.zeros((2, 2, 1, case.batch, case.outputs), np.float32)
        self._bindings = [self._bind(before, after) for before, after in ((0, 1), (1, 0))]
        self.clear_state()
        self.run = self._run_step if case.workload == "step" else self._run_sequence

    def _bind(self, before: int, after: int) -> onnxruntime.IOBinding:
        binding = self._session.io_binding()

        def tensor(name: str, array: Array) -> tuple[object, ...]:
            return name, "cpu", 0, array.dtype, array.shape, array.ctypes.data

        binding.bind_input(*tensor("x", self._x))
        for index, letter in enumerate(self._letters):
            binding.bind_input(*tensor(f"{letter}0", self._states[before, index]))
            binding.bind_output(*tensor(f"{letter}1", self._states[after, index]))
        if self.case.workload != "step":
            binding.bind_output(*tensor("y", self._y))
        return binding

    def _run_step(self) -> None:
        self._current, binding = next(self._turns)
        self._session.run_with_iobinding(binding)

    def _run_sequence(self) -> None:
        self._session.run_with_iobinding(self._bindings[0])

    def _take_turns(self) -> Iterator[tuple[int, onnxruntime.IOBinding]]:
        return cycle([(1, self._bindings[0]), (0, self._bindings[1])])

    @property
    def y(self) -> Array:
        output: Array = self._states[self._current, 0] if self.case.workload == "step" else self._y[:, 0]
        return output

    def clear_state(self) -> None:
        self._states[:] = 0
        self._turns = self._take_turns()


PEERS = {"onnxruntime": _OnnxRuntime}
