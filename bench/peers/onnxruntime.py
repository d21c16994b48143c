"""ONNX Runtime's LSTM on the CPU, with inputs, outputs and state bound to fixed memory."""

from collections.abc import Iterator
from itertools import cycle

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from bench.cases import Array, Case, Float32
from bench.peers import Stepper


def _model(case: Case) -> bytes:
    """One step of one LSTM layer: x, h0, c0 -> h1, c1."""
    inputs, outputs = case.size

    def stacked(weights: Float32) -> Float32:
        i, f, c, o = np.split(weights, 4)
        return np.concatenate([i, o, f, c])[np.newaxis]

    biases = np.concatenate([stacked(case.bias), np.zeros((1, 4 * outputs), np.float32)], axis=1)
    state = [1, 1, outputs]
    node = helper.make_node(
        "LSTM", ["x", "W", "R", "B", "", "h0", "c0"], ["", "h1", "c1"], hidden_size=outputs, direction="forward"
    )
    graph = helper.make_graph(
        [node],
        "lstm_step",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, inputs]),
            helper.make_tensor_value_info("h0", TensorProto.FLOAT, state),
            helper.make_tensor_value_info("c0", TensorProto.FLOAT, state),
        ],
        [
            helper.make_tensor_value_info("h1", TensorProto.FLOAT, state),
            helper.make_tensor_value_info("c1", TensorProto.FLOAT, state),
        ],
        [
            numpy_helper.from_array(stacked(case.w_ih), "W"),
            numpy_helper.from_array(stacked(case.w_hh), "R"),
            numpy_helper.from_array(biases, "B"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    serialized: bytes = model.SerializeToString()
    return serialized


class Peer(Stepper):
    def __init__(self, case: Case, dtype: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(_model(case), options, providers=["CPUExecutionProvider"])
        self.x = case.x.astype(dtype)
        # A step may not write the state that it reads: two states take turns, each with its binding.
        self._states = np.zeros((2, 2, case.size.outputs), dtype)
        self._bindings = [self._bind(before, after) for before, after in ((0, 1), (1, 0))]
        self._turns = self._take_turns()
        self.step = self._step

    def _bind(self, before: int, after: int) -> onnxruntime.IOBinding:
        binding = self._session.io_binding()

        def tensor(name: str, array: Array) -> tuple[object, ...]:
            return name, "cpu", 0, array.dtype, (1, 1, array.size), array.ctypes.data

        binding.bind_input(*tensor("x", self.x))
        for index, letter in enumerate("hc"):
            binding.bind_input(*tensor(f"{letter}0", self._states[before, index]))
            binding.bind_output(*tensor(f"{letter}1", self._states[after, index]))
        return binding

    def _step(self) -> None:
        self._current, binding = next(self._turns)
        self._session.run_with_iobinding(binding)

    def _take_turns(self) -> Iterator[tuple[int, onnxruntime.IOBinding]]:
        return cycle([(1, self._bindings[0]), (0, self._bindings[1])])

    @property
    def y(self) -> Array:
        output: Array = self._states[self._current, 0]
        return output

    def clear_state(self) -> None:
        self._states[:] = 0
        self._turns = self._take_turns()
