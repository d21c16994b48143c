"""ONNX's own cases for its LSTM, GRU and RNN operators, through pymps; ONNX Runtime where those leave gaps."""

from importlib import import_module
from typing import NamedTuple
from unittest import mock

import numpy as np
import onnx
import pytest
from onnx_rnn import INEXPRESSIBLE, Array, Recurrent, UnsupportedError, descriptors

import pymps

# The steps are float32 sums in another order; outputs lie within 1 on either side.
TOLERANCE = {"rtol": 0, "atol": 4e-6}

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
WEIGHTS = ["W", "R", "B", "P"]


class Case(NamedTuple):
    name: str
    node: onnx.NodeProto
    inputs: dict[str, Array]
    outputs: dict[str, Array]


def named(names: list[str], values: list[Array]) -> dict[str, Array]:
    """A node's inputs or outputs by name; a name that is empty has no value."""
    return dict(zip([name for name in names if name], values, strict=True))


def onnx_cases() -> list[Case]:
    """Each class of cases has static methods that make a case and hand it to `expect`, which writes it down."""
    cases = []

    def expect(node: onnx.NodeProto, inputs: list[Array], outputs: list[Array], name: str) -> None:
        cases.append(Case(name, node, named(node.input, inputs), named(node.output, outputs)))

    for operator in GATES:
        module = import_module(f"onnx.backend.test.case.node.{operator.lower()}")
        with mock.patch.object(module, "expect", expect):
            for name, export in vars(getattr(module, operator)).items():
                if name.startswith("export"):
                    np.random.seed(0)  # noqa: NPY002 (where the cases take their numbers from)
                    export()
    return cases


CASES = onnx_cases()


def run(device: pymps.Device, node: onnx.NodeProto, inputs: dict[str, Array]) -> dict[str, Array]:
    weights = [inputs.get(name) for name in WEIGHTS]
    return Recurrent(device, node, *weights)(**{name: value for name, value in inputs.items() if name not in WEIGHTS})


def assert_outputs(actual: dict[str, Array], expected: dict[str, Array]) -> None:
    assert expected
    for name, value in expected.items():
        np.testing.assert_allclose(actual[name], value, **TOLERANCE, err_msg=name)


def test_all_cases_are_here() -> None:
    names = {case.name for case in CASES}
    assert len(names) == len(CASES)
    for operator in ("lstm", "gru", "simple_rnn"):
        assert {f"test_{operator}_{kind}" for kind in ("defaults", "with_initial_bias", "batchwise")} <= names
    assert {"test_lstm_with_peepholes", "test_gru_seq_length", "test_rnn_seq_length"} <= names


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(device: pymps.Device, case: Case) -> None:
    assert_outputs(run(device, case.node, case.inputs), case.outputs)


BIDIRECTIONAL = [case for case in CASES if len(case.inputs["W"]) == 2]


@pytest.mark.parametrize("case", BIDIRECTIONAL, ids=lambda case: case.name)
def test_bidirectional_call(device: pymps.Device, case: Case) -> None:
    """Apple's own way for both directions: one stack, its halves sorted out by layer_sequence_direction."""
    weights = [case.inputs.get(name) for name in WEIGHTS]
    layer = pymps.MatrixInferenceLayer(device, descriptors(case.node, *weights))
    forward, backward = layer.bidirectional(case.inputs["X"])
    assert_outputs({"Y_h": np.stack([forward[-1], backward[0]])}, {"Y_h": case.outputs["Y_h"]})


def make_node(operator: str, **attributes: object) -> onnx.NodeProto:
    inputs = ["X", "W", "R", "B", "sequence_lens", "initial_h"] + ["initial_c", "P"] * (operator == "LSTM")
    outputs = ["Y", "Y_h"] + ["Y_c"] * (operator == "LSTM")
    return onnx.helper.make_node(operator, inputs, outputs, hidden_size=7, **attributes)


def make_inputs(operator: str, directions: int) -> dict[str, Array]:
    """All of them: 6 steps of 4 sequences, the longest neither first nor last, 5 features to 7."""
    rng = np.random.default_rng(11)
    rows, shapes = 7 * GATES[operator], {"X": (6, 4, 5), "initial_h": (directions, 4, 7)}
    shapes |= {"W": (directions, rows, 5), "R": (directions, rows, 7), "B": (directions, 2 * rows)}
    if operator == "LSTM":
        shapes |= {"initial_c": (directions, 4, 7), "P": (directions, 21)}
    inputs = {name: rng.uniform(-0.5, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}
    return inputs | {"sequence_lens": np.array([2, 6, 1, 4], np.int32)}


def onnxruntime_outputs(node: onnx.NodeProto, inputs: dict[str, Array]) -> dict[str, Array]:
    """What another implementation makes of the node."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="comparing with ONNX Runtime needs onnxruntime")
    value, types = onnx.helper.make_tensor_value_info, onnx.helper.np_dtype_to_tensor_dtype
    graph = onnx.helper.make_graph(
        [node],
        node.op_type,
        [value(name, types(array.dtype), array.shape) for name, array in inputs.items()],
        [value(name, onnx.TensorProto.FLOAT, None) for name in node.output],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return dict(zip(node.output, session.run(None, inputs), strict=True))


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("operator", GATES)
def test_all_inputs(device: pymps.Device, operator: str, direction: str) -> None:
    node = make_node(operator, direction=direction)
    inputs = make_inputs(operator, 2 if direction == "bidirectional" else 1)
    assert_outputs(run(device, node, inputs), onnxruntime_outputs(node, inputs))


def functions(*names: str, **parameters: list[float]) -> dict[str, object]:
    return {"activations": names} | {f"activation_{name}": values for name, values in parameters.items()}


@pytest.mark.parametrize(
    ("operator", "attributes"),
    [
        ("LSTM", functions("HardSigmoid", "ScaledTanh", "Softsign", alpha=[0.3, 0.8], beta=[0.4, 1.2])),
        ("LSTM", functions("Sigmoid", "Relu", "Affine", alpha=[0.5], beta=[0.1])),
        ("GRU", functions("HardSigmoid", "Elu", alpha=[0.2, 0.7], beta=[0.5])),
        ("GRU", functions("Sigmoid", "LeakyRelu")),
        ("RNN", functions("Softplus")),
        ("RNN", functions("Elu")),
    ],
    ids=lambda value: "-".join(value["activations"]) if isinstance(value, dict) else value,
)
def test_activations(device: pymps.Device, operator: str, attributes: dict[str, object]) -> None:
    node = make_node(operator, **attributes)
    inputs = make_inputs(operator, 1)
    assert_outputs(run(device, node, inputs), onnxruntime_outputs(node, inputs))


def test_batch_first(device: pymps.Device) -> None:
    """ONNX Runtime has no layout=1: the same sequences, the axes in the other order."""
    inputs = make_inputs("LSTM", 2)
    expected = run(device, make_node("LSTM", direction="bidirectional"), inputs)
    for name in ("X", "initial_h", "initial_c"):
        inputs[name] = inputs[name].swapaxes(0, 1)
    outputs = run(device, make_node("LSTM", direction="bidirectional", layout=1), inputs)
    assert_outputs(
        outputs, {"Y": expected["Y"].transpose(2, 0, 1, 3)} | {n: expected[n].swapaxes(0, 1) for n in ("Y_h", "Y_c")}
    )


@pytest.mark.modeless
@pytest.mark.parametrize(
    ("operator", "attributes"),
    [
        ("LSTM", {"clip": 3.0}),
        ("GRU", {"clip": 3.0}),
        ("RNN", {"clip": 3.0}),
        ("LSTM", {"input_forget": 1}),
        ("GRU", {"linear_before_reset": 1}),
    ],
)
def test_inexpressible(operator: str, attributes: dict[str, object]) -> None:
    (name,) = attributes
    with pytest.raises(UnsupportedError, match=f"{operator} with {name}: {INEXPRESSIBLE[name]}"):
        descriptors(make_node(operator, **attributes), *[None] * 4)


@pytest.mark.modeless
@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (functions("ThresholdedRelu"), "ThresholdedRelu: not among Apple's neurons"),
        ({"output_sequence": 1}, "RNN with output_sequence: not an attribute"),
        (functions("Tanh", "Tanh"), "activations: 2, expected 1"),
        (functions("Affine", alpha=[1.0]), "too few values for Affine"),
        (functions("Elu", alpha=[1.0, 1.0]), "more values than Elu take"),
        ({"direction": "bidirectional"}, "W, R: 1 and 1 directions, expected 2"),
    ],
)
def test_refused(attributes: dict[str, object], message: str) -> None:
    inputs = make_inputs("RNN", 1)
    with pytest.raises(ValueError, match=message):
        descriptors(make_node("RNN", **attributes), inputs["W"], inputs["R"])


@pytest.mark.modeless
def test_other_operators_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="MatMul: not a recurrent operator"):
        descriptors(onnx.helper.make_node("MatMul", ["X", "W"], ["Y"]), *[None] * 4)


@pytest.mark.parametrize("lengths", [[2, 6, 0, 4], [2, 7, 1, 4]])
def test_lengths_out_of_range(device: pymps.Device, lengths: list[int]) -> None:
    inputs = make_inputs("LSTM", 1) | {"sequence_lens": np.array(lengths, np.int32)}
    with pytest.raises(ValueError, match=r"sequence_lens: .* expected 1 to 6"):
        run(device, make_node("LSTM"), inputs)
