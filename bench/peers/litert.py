"""LiteRT: its fused LSTM and RNN, and a cell composed around its fully connected op; float, and int8 with float
activations (hybrid)."""

import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.cpu_options import CpuOptions
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.options import Options

from bench import THREADS
from bench.cases import Array, Float32, Layer
from bench.peers import Peer
from bench.peers.litert_graph import Graph, schema

_FORCE_FP16 = 4  # XNNPACK's flag
_TANH = schema.ActivationFunctionType.TANH


class _Weights:
    """Constants of a graph in a contestant's type; an int8 has one scale for all."""

    def __init__(self, graph: Graph, layer: Layer, dtype: str) -> None:
        self._graph, self._layer, self.dtype = graph, layer, dtype

    def __call__(self, weights: Float32) -> int:
        if self.dtype == "int8":
            return self._graph.constant(self._layer.quantized(weights), self._layer.scale)
        return self._graph.constant(weights)


def _fused_model(layer: Layer, dtype: str) -> bytes:
    """The state is in variable tensors."""
    case, graph = layer.case, Graph()
    weight = _Weights(graph, layer, dtype)
    x = graph.tensor(case.steps, case.batch, case.inputs)
    y = graph.tensor(case.steps, case.batch, case.outputs)
    state = [graph.tensor(case.batch, case.outputs, is_variable=True) for _ in range(2 if case.kind == "lstm" else 1)]
    if case.kind == "lstm":
        w, u = ([weight(layer.stacked(array, gate)) for gate in "ifco"] for array in (layer.w_ih, layer.w_hh))
        biases = [graph.constant(layer.stacked(layer.bias, gate)) for gate in "ifco"]
        inputs = [x, *w, *u, *[-1] * 3, *biases, *[-1] * 2, *state, *[-1] * 4]
        graph.operator(
            "UNIDIRECTIONAL_SEQUENCE_LSTM",
            inputs,
            [y],
            "UnidirectionalSequenceLSTMOptions",
            fusedActivationFunction=_TANH,
            timeMajor=True,
        )
    else:
        inputs = [x, weight(layer.w_ih), weight(layer.w_hh), graph.constant(layer.bias), *state]
        graph.operator(
            "UNIDIRECTIONAL_SEQUENCE_RNN",
            inputs,
            [y],
            "SequenceRNNOptions",
            fusedActivationFunction=_TANH,
            timeMajor=True,
        )
    return graph.model([x], [y])


class _Fused(Peer):
    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        # No delegate takes these ops; the default one would only look for others.
        self._interpreter = Interpreter(
            model_content=_fused_model(layer, dtype),
            num_threads=THREADS,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        self._interpreter.allocate_tensors()
        (x,), (y,) = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._interpreter.set_tensor(x["index"], layer.x)
        self._y_index = y["index"]
        self._invoke = self._interpreter._interpreter.Invoke
        if self.case.workload == "step":
            self.run = self._invoke
        else:
            self.run = self._run_sequence

    def _run_sequence(self) -> None:
        self._interpreter.reset_all_variables()
        self._invoke()

    @property
    def y(self) -> Array:
        output: Array = self._interpreter.get_tensor(self._y_index)
        return output

    def clear_state(self) -> None:
        self._interpreter.reset_all_variables()


class _Ops:
    """The operators of a cell over float tensors of shape (B, features)."""

    def __init__(self, graph: Graph, layer: Layer, dtype: str) -> None:
        self._graph, self._layer = graph, layer
        self._batch, self._outputs = layer.case.batch, layer.case.outputs
        self._weight = _Weights(graph, layer, dtype)
        self._axis = graph.constant(np.array(1, np.int32))

    def input(self, features: int) -> int:
        return self._graph.tensor(self._batch, features)

    def product(self, xh: int, gates: str) -> int:
        """W x + U h + b of some gates."""
        w_ih, w_hh, bias = (
            self._layer.stacked(w, gates) for w in (self._layer.w_ih, self._layer.w_hh, self._layer.bias)
        )
        inputs = [xh, self._weight(np.concatenate([w_ih, w_hh], axis=1)), self._graph.constant(bias)]
        version = 1 if self._weight.dtype == "float32" else 4
        return self._add("FULLY_CONNECTED", inputs, len(bias), "FullyConnectedOptions", version=version)

    def split(self, gates: int, count: int) -> list[int]:
        parts = [self.input(self._outputs) for _ in range(count)]
        self._graph.operator("SPLIT", [self._axis, gates], parts, "SplitOptions", numSplits=count)
        return parts

    def concatenation(self, x: int, h: int) -> int:
        return self._add(
            "CONCATENATION", [x, h], self._layer.case.inputs + self._outputs, "ConcatenationOptions", axis=1
        )

    def logistic(self, a: int, gates: int = 1) -> int:
        return self._add("LOGISTIC", [a], gates * self._outputs)

    def tanh(self, a: int) -> int:
        return self._add("TANH", [a], self._outputs)

    def add(self, a: int, b: int) -> int:
        return self._add("ADD", [a, b], self._outputs, "AddOptions")

    def subtract(self, a: int, b: int) -> int:
        return self._add("SUB", [a, b], self._outputs, "SubOptions")

    def multiply(self, a: int, b: int) -> int:
        return self._add("MUL", [a, b], self._outputs, "MulOptions")

    def _add(self, name: str, inputs: list[int], features: int, options: str | None = None, **values: int) -> int:
        output = self.input(features)
        self._graph.operator(name, inputs, [output], options, **values)
        return output


def _dense_model(layer: Layer, dtype: str, joint: bool) -> bytes:
    """One step: x, h0, c0 -> h1, c1, the c of an LSTM alone. `joint`: x and h0 are one tensor, but for a GRU."""
    case, graph = layer.case, Graph()
    ops = _Ops(graph, layer, dtype)
    if joint and case.kind != "gru":
        xh = ops.input(case.inputs + case.outputs)
        inputs = [xh]
    else:
        x, h0 = ops.input(case.inputs), ops.input(case.outputs)
        xh, inputs = ops.concatenation(x, h0), [x, h0]
    if case.kind == "lstm":
        c0 = ops.input(case.outputs)
        i, f, c, o = ops.split(ops.product(xh, "ifco"), 4)
        i, f, c, o = ops.logistic(i), ops.logistic(f), ops.tanh(c), ops.logistic(o)
        c1 = ops.add(ops.multiply(f, c0), ops.multiply(i, c))
        return graph.model([*inputs, c0], [ops.multiply(o, ops.tanh(c1)), c1])
    if case.kind == "gru":
        z, r = ops.split(ops.logistic(ops.product(xh, "zr"), 2), 2)
        new = ops.tanh(ops.product(ops.concatenation(x, ops.multiply(r, h0)), "h"))
        return graph.model(inputs, [ops.add(new, ops.multiply(z, ops.subtract(h0, new)))])
    return graph.model(inputs, [ops.tanh(ops.product(xh, "h"))])


class _Dense(Peer):
    """A model of one step. Between two, the state is copied from its outputs to its inputs."""

    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        interpreter = Interpreter(model_content=_dense_model(layer, dtype, joint=True), num_threads=THREADS)
        interpreter.allocate_tensors()
        first, *second = (interpreter.tensor(tensor["index"])() for tensor in interpreter.get_input_details())
        self._h1, *c1 = (interpreter.tensor(tensor["index"])() for tensor in interpreter.get_output_details())
        self._x = first[:, : self.case.inputs]
        h0 = second[0] if self.case.kind == "gru" else first[:, self.case.inputs :]
        self._feedback = [(h0, self._h1)]
        if c1:
            self._feedback.append((second[0], c1[0]))
        self._y = np.zeros((self.case.steps, self.case.batch, self.case.outputs), np.float32)
        # The public `invoke` refuses to run while there are arrays over tensors.
        self._invoke = interpreter._interpreter.Invoke
        self._x[:] = layer.x[0]
        self.clear_state()
        self.run = self._run_step if self.case.workload == "step" else self._run_sequence

    def _run_step(self) -> None:
        self._invoke()
        for state, output in self._feedback:
            np.copyto(state, output)

    def _run_sequence(self) -> None:
        self.clear_state()
        for x, y in zip(self.layer.x, self._y):
            np.copyto(self._x, x)
            self._run_step()
            np.copyto(y, self._h1)

    @property
    def y(self) -> Array:
        return self._h1[np.newaxis] if self.case.workload == "step" else self._y

    def clear_state(self) -> None:
        for state, _ in self._feedback:
            state[:] = 0


class _Half(Peer):
    """The same in float16, which only a compiled model can ask for. Outputs are the next step's inputs as they are."""

    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        case = self.case
        options = Options(
            hardware_accelerators=HardwareAccelerator.CPU,
            cpu_options=CpuOptions(num_threads=THREADS, xnnpack_flags=_FORCE_FP16),
        )
        self._model = CompiledModel.from_buffer(_dense_model(layer, "float32", joint=False), options=options)
        is_step = case.workload == "step"
        self._states = [self._model.create_output_buffers(0) for _ in range(2 if is_step else 1 + case.steps)]
        self._x = []
        for x in layer.x:
            buffer, *_ = self._model.create_input_buffers(0)
            buffer.write(np.ascontiguousarray(x))
            self._x.append(buffer)
        self.clear_state()
        self.run = self._run_step if is_step else self._run_sequence

    def _run_step(self) -> None:
        before, after = self._states
        self._model.run_by_index(0, [self._x[0], *before], after)
        self._states = [after, before]

    def _run_sequence(self) -> None:
        run = self._model.run_by_index
        for x, before, after in zip(self._x, self._states, self._states[1:]):
            run(0, [x, *before], after)

    @property
    def y(self) -> Array:
        states = self._states[:1] if self.case.workload == "step" else self._states[1:]
        shape = self.case.batch, self.case.outputs
        return np.stack([h.read(shape[0] * shape[1], np.float32).reshape(shape) for h, *_ in states])

    def clear_state(self) -> None:
        for buffer in self._states[0]:
            buffer.write(np.zeros((self.case.batch, self.case.outputs), np.float32))


def _dense(layer: Layer, dtype: str) -> Peer:
    return (_Half if dtype == "float16" else _Dense)(layer, dtype)


PEERS = {"litert-fused": _Fused, "litert-dense": _dense}
