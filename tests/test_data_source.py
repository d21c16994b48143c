"""Weights that are fetched when a layer is made: what is asked when, what goes wrong, who keeps what alive."""

import gc
import sys
import traceback
import weakref
from typing import Any

import numpy as np
import pytest
from bad_input import expect, f32
from models import run_child, sequence
from tolerance import BYTES, assert_within

import pymps
from pymps import ConvolutionDescriptor, DataSource, MatrixInferenceLayer, Neuron, NeuronType, SingleGateDescriptor

RNG = np.random.default_rng(3)
W, U, B = (RNG.uniform(-0.5, 0.5, shape).astype(np.float32) for shape in ((5, 3), (5, 5), (5,)))
TANH = Neuron(NeuronType.TANH)


class Recorded(DataSource):
    """Writes down what it is asked for."""

    def __init__(self, weights: Any, bias: Any = None, neuron: Neuron | None = None) -> None:
        self.matrix = weights
        self.bias = bias
        self.descriptor = ConvolutionDescriptor(weights.shape[-1], len(weights), neuron)
        self.log: list[str] = []

    def load(self) -> bool:
        self.log.append("load")
        return True

    def weights(self) -> Any:
        self.log.append("weights")
        return self.matrix

    def bias_terms(self) -> Any:
        self.log.append("bias_terms")
        return self.bias

    def purge(self) -> None:
        self.log.append("purge")


def single_gate(source: DataSource) -> SingleGateDescriptor:
    descriptor = SingleGateDescriptor(3, 5)
    descriptor.use_float32_weights = True
    descriptor.input_weights = source
    return descriptor


def make(device: pymps.Device, source: DataSource) -> MatrixInferenceLayer:
    return MatrixInferenceLayer(device, single_gate(source))


def expected_y(device: pymps.Device, weights: Any = W) -> Any:
    descriptor = SingleGateDescriptor(3, 5)
    descriptor.use_float32_weights = True
    descriptor.input_weights = pymps.WeightSource(weights, B, TANH)
    return MatrixInferenceLayer(device, descriptor)(sequence())[0]


# ---- The description ----


def test_convolution_descriptors_are_values() -> None:
    descriptor = ConvolutionDescriptor(3, 5)
    assert (descriptor.input_feature_channels, descriptor.output_feature_channels) == (3, 5)
    assert descriptor.neuron == Neuron(NeuronType.NONE)
    assert descriptor == ConvolutionDescriptor(3, 5, Neuron(NeuronType.NONE)) != ConvolutionDescriptor(5, 3)
    assert hash(descriptor) == hash(ConvolutionDescriptor(3, 5))
    assert "3, 5" in repr(descriptor)
    with pytest.raises(AttributeError, match="immutable"):
        descriptor.neuron = TANH
    for arguments, error, text in (
        ((0, 5), ValueError, r"input_feature_channels: 0"),
        ((3, "5"), TypeError, r"output_feature_channels: str '5'"),
        ((3, 5, NeuronType.RELU), TypeError, r"neuron: .*expected a Neuron"),
        ((3, 5, Neuron(10, channel_a=f32(3))), ValueError, r"neuron: channel_a of 3 channels, expected 5"),  # type: ignore[arg-type]
    ):
        expect(error, text, ConvolutionDescriptor, *arguments)


def test_what_a_source_has_by_itself() -> None:
    source = DataSource()
    assert source.load() is True
    assert (source.data_type, source.label) == (pymps.DataType.FLOAT32, None)
    assert source.bias_terms() is None
    assert source.ranges_for_uint8_kernel() is None
    assert source.lookup_table_for_uint8_kernel() is None
    assert source.purge() is None  # type: ignore[func-returns-value]
    expect(NotImplementedError, r"DataSource.weights: not there", source.weights)


# ---- What is asked when ----


def test_the_order_of_questions(device: pymps.Device) -> None:
    source = Recorded(W, B, TANH)
    descriptor = single_gate(source)
    assert source.log == [], "nothing is asked before a layer is made"
    run = MatrixInferenceLayer(device, descriptor)
    assert source.log[0] == "load"
    assert source.log[-1] == "purge"
    assert source.log.count("load") == source.log.count("purge") == 1
    assert {"weights", "bias_terms"} <= set(source.log)
    asked = list(source.log)
    np.testing.assert_array_equal(run(sequence())[0], expected_y(device))
    run.stream().step()
    assert source.log == asked, "nothing is asked later"


def test_each_layer_and_each_property_loads(device: pymps.Device) -> None:
    source = Recorded(U)
    descriptor = SingleGateDescriptor(5, 5)
    descriptor.input_weights = descriptor.recurrent_weights = source
    MatrixInferenceLayer(device, [descriptor, descriptor])
    assert source.log.count("load") == source.log.count("purge") == 4


@pytest.mark.parametrize("kind", [pymps.LSTMDescriptor, pymps.GRUDescriptor, SingleGateDescriptor])
def test_every_property_takes_a_source(device: pymps.Device, kind: Any) -> None:
    names = [name for name in dir(kind) if name.endswith("_weights") and not name.startswith("use_")]
    shapes = {name: (5, 3) if name.endswith("input_weights") else (5, 5) for name in names}
    arrays = {name: RNG.uniform(-0.5, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}
    fetched, given = kind(3, 5), kind(3, 5)
    for name, array in arrays.items():
        bias, neuron = (B, TANH) if shapes[name] == (5, 3) else (None, None)
        setattr(fetched, name, Recorded(array, bias, neuron))
        setattr(given, name, pymps.WeightSource(array, bias, neuron))
    outputs = [MatrixInferenceLayer(device, descriptor)(sequence())[0] for descriptor in (fetched, given)]
    np.testing.assert_array_equal(*outputs)
    assert all(getattr(fetched, name).log[-1] == "purge" for name in names)


def test_diagonal_memory_weights(device: pymps.Device) -> None:
    outputs = []
    v = RNG.uniform(-0.5, 0.5, 5).astype(np.float32)
    for source in (Recorded(v), pymps.WeightSource(v)):
        descriptor = pymps.LSTMDescriptor(3, 5)
        descriptor.memory_weights_are_diagonal = True
        descriptor.cell_gate_input_weights = pymps.WeightSource(W, B)
        descriptor.input_gate_input_weights = pymps.WeightSource(W, B)
        descriptor.output_gate_input_weights = pymps.WeightSource(W, B)
        descriptor.forget_gate_memory_weights = source
        outputs.append(MatrixInferenceLayer(device, descriptor)(sequence())[0])
    np.testing.assert_array_equal(*outputs)
    assert np.abs(outputs[0]).max() > 0


def test_a_source_may_be_loaded_for_many_layers(device: pymps.Device) -> None:
    source = Recorded(W, B, TANH)
    descriptor = single_gate(source)
    for _ in range(20):
        np.testing.assert_array_equal(MatrixInferenceLayer(device, descriptor)(sequence())[0], expected_y(device))
    assert source.log.count("load") == source.log.count("purge") == 20


# ---- Data types ----


class Typed(Recorded):
    def __init__(self, weights: Any, data_type: Any, ranges: Any = None, table: Any = None) -> None:
        super().__init__(weights, B, TANH)
        self.data_type = data_type
        self.ranges, self.table = ranges, table

    def ranges_for_uint8_kernel(self) -> Any:
        self.log.append("ranges")
        return self.ranges

    def lookup_table_for_uint8_kernel(self) -> Any:
        self.log.append("table")
        return self.table


def test_float16(device: pymps.Device) -> None:
    source = Typed(W.astype(np.float16), pymps.DataType.FLOAT16)
    np.testing.assert_array_equal(make(device, source)(sequence())[0], expected_y(device, W.astype(np.float16)))
    assert not {"ranges", "table"} & set(source.log)


def test_uint8(device: pymps.Device) -> None:
    data = RNG.integers(0, 256, (5, 3), np.uint8)
    table = RNG.uniform(-1, 1, 256).astype(np.float32)
    by_table = make(device, Typed(data, pymps.DataType.UINT8, table=table))
    np.testing.assert_array_equal(by_table(sequence())[0], expected_y(device, table[data]))
    ranges = np.array([[-1, 1], [0, 2], [-3, 0], [0.5, 0.5], [1, -1]], np.float32)
    low, high = ranges[:, :1], ranges[:, 1:]
    linear = make(device, Typed(data, pymps.DataType.UINT8, ranges=ranges))
    weights = (data / np.float32(255) * (high - low) + low).astype(np.float32)
    assert_within(linear(sequence())[0], expected_y(device, weights), BYTES, "y")


def test_arrays_need_not_be_contiguous(device: pymps.Device) -> None:
    for weights in (np.asfortranarray(W), W[:, ::-1][:, ::-1], np.broadcast_to(W, (5, 3))):
        np.testing.assert_array_equal(make(device, Recorded(weights, B, TANH))(sequence())[0], expected_y(device))


# ---- What goes wrong ----


class MuteError(Exception):
    """Says nothing about itself."""

    def __str__(self) -> str:
        raise RuntimeError


METHODS = ["load", "weights", "bias_terms", "purge", "descriptor", "data_type", "label"]


@pytest.mark.parametrize("error", [ZeroDivisionError("yes"), MuteError(), KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("method", METHODS)
def test_an_exception_reaches_the_caller_as_it_is(device: pymps.Device, method: str, error: BaseException) -> None:
    def fail(self: Any) -> Any:
        self.log.append(method)
        raise error

    is_property = method in ("descriptor", "data_type", "label")
    failing = type("Failing", (Recorded,), {method: property(fail, lambda self, value: None) if is_property else fail})
    source = failing(W, B, TANH)
    with pytest.raises(type(error)) as raised:
        make(device, source)
    assert raised.value is error
    assert [frame.name for frame in traceback.extract_tb(error.__traceback__)][-1] == "fail"
    assert source.log.count("load") == 1
    assert source.log.count("purge") == (method != "load")
    assert make(device, Recorded(W, B, TANH))(sequence())[0].any(), "the device is not harmed"


def test_other_sources_are_purged(device: pymps.Device) -> None:
    class Failing(Recorded):
        def load(self) -> bool:
            raise ZeroDivisionError

    good, bad = Recorded(W), Failing(U)
    descriptor = single_gate(good)
    descriptor.recurrent_weights = bad
    expect(ZeroDivisionError, "^$", MatrixInferenceLayer, device, descriptor)
    assert good.log.count("load") == good.log.count("purge")
    assert bad.log == []


def test_a_second_exception_is_not_lost(device: pymps.Device, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Recorded):
        def weights(self) -> Any:
            raise ZeroDivisionError

        def purge(self) -> None:
            raise KeyError("purge")

    heard: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", heard.append)
    expect(ZeroDivisionError, "^$", make, device, Failing(W))
    assert [unraisable.exc_type for unraisable in heard] == [KeyError]


def changed(source: Recorded, **attributes: Any) -> Recorded:
    for name, value in attributes.items():
        setattr(source, name, value)
    return source


@pytest.mark.parametrize(
    ("attributes", "error", "text"),
    [
        ({"load": lambda: False}, ValueError, r"load\(\) of Recorded: False, expected True"),
        ({"load": lambda: None}, TypeError, r"load\(\) of Recorded: None, expected a bool"),
        ({"matrix": None}, TypeError, r"weights\(\) of Recorded: None, expected a float32 array of shape \(5, 3\)"),
        ({"matrix": W.astype("d")}, TypeError, r"weights\(\) of Recorded: float64 array of shape \(5, 3\), expected"),
        ({"matrix": W.astype("e")}, TypeError, r"weights\(\) of Recorded: float16 array .*expected a float32"),
        ({"matrix": W.astype(">f4")}, TypeError, r"weights\(\) of Recorded: >f4 array"),
        ({"matrix": W.T}, ValueError, r"weights\(\) of Recorded: .*\(3, 5\), expected .*\(5, 3\)"),
        ({"matrix": W[0]}, ValueError, r"weights\(\) of Recorded: .*\(3,\), expected .*\(5, 3\)"),
        ({"matrix": W, "label": "Wi"}, ValueError, r"bias_terms\(\) of 'Wi': .*\(4,\), expected .*\(5,\)"),
        ({"bias": [0.0] * 5}, TypeError, r"bias_terms\(\) of Recorded: list of length 5, expected a float32 array"),
        ({"label": 3}, TypeError, r"label of Recorded: int 3, expected a str or None"),
        ({"label": "a\0"}, ValueError, r"label of Recorded: str .*, expected neither NUL nor half a surrogate pair"),
        ({"descriptor": None}, TypeError, r"descriptor of Recorded: None, expected a ConvolutionDescriptor"),
        (
            {"descriptor": ConvolutionDescriptor(5, 3)},
            ValueError,
            r"descriptor of Recorded: 5 -> 3 channels, expected 3 -> 5",
        ),
        ({"data_type": 3}, ValueError, r"data_type of Recorded: 3, expected UINT8 \(8\), FLOAT16 .*or FLOAT32"),
        ({"data_type": "float32"}, TypeError, r"data_type of Recorded: str 'float32', expected a DataType"),
        ({"data_type": 8}, TypeError, r"weights\(\) of Recorded: float32 array .*expected a uint8 array"),
        (
            {"data_type": 8, "matrix": W.astype("u1")},
            ValueError,
            r" of Recorded: ranges_for_uint8_kernel, lookup_table_for_uint8_kernel: neither given for uint8 weights",
        ),
        (
            {"data_type": 8, "matrix": W.astype("u1"), "ranges_for_uint8_kernel": lambda: f32(2, 5)},
            ValueError,
            r"ranges_for_uint8_kernel\(\) of Recorded: .*\(2, 5\), expected .*\(5, 2\)",
        ),
        (
            {"data_type": 8, "matrix": W.astype("u1"), "lookup_table_for_uint8_kernel": lambda: f32(255)},
            ValueError,
            r"lookup_table_for_uint8_kernel\(\) of Recorded: .*\(255,\), expected .*\(256,\)",
        ),
    ],
)
def test_bad_answers(device: pymps.Device, attributes: dict[str, Any], error: type[Exception], text: str) -> None:
    source = changed(Recorded(W, f32(4) if "Wi" in text else B), **attributes)
    expect(error, f"^input_weights:? ?{text}", make, device, source)
    assert source.log.count("purge") == source.log.count("load")


def test_a_source_without_a_descriptor(device: pymps.Device) -> None:
    class Bare(DataSource):
        pass

    expect(AttributeError, r"'Bare' object has no attribute 'descriptor'", make, device, Bare())


# ---- Who keeps what alive ----


def test_weights_live_until_purge(device: pymps.Device) -> None:
    """An array that only `weights` has made is neither freed nor reused before `purge`."""

    class Fleeting(Recorded):
        def weights(self) -> Any:
            fresh = self.matrix.copy()
            self.gone = weakref.ref(fresh)
            return fresh

        def purge(self) -> None:
            super().purge()
            self.was_alive = self.gone() is not None

    source = Fleeting(W, B, TANH)
    run = make(device, source)
    assert source.was_alive
    gc.collect()
    assert source.gone() is None
    np.testing.assert_array_equal(run(sequence())[0], expected_y(device))


def test_sources_are_let_go(device: pymps.Device) -> None:
    source = Recorded(W, B, TANH)
    gone = weakref.ref(source)
    run = make(device, source)
    run(sequence())
    del source, run
    gc.collect()
    assert gone() is None


def test_failures_leave_nothing_behind(device: pymps.Device) -> None:
    class Failing(Recorded):
        def weights(self) -> Any:
            raise ZeroDivisionError

    gone = []
    for _ in range(3):
        source = Failing(W)
        gone.append(weakref.ref(source))
        expect(ZeroDivisionError, "^$", make, device, source)
        del source
    gc.collect()
    assert [reference() for reference in gone] == [None] * 3


def test_a_source_may_make_layers_itself(device: pymps.Device) -> None:
    class Nested(Recorded):
        def load(self) -> bool:
            self.y = make(device, Recorded(W, B, TANH))(sequence())[0]
            return super().load()

    source = Nested(W, B, TANH)
    np.testing.assert_array_equal(make(device, source)(sequence())[0], source.y)


def test_the_interpreter_ends_well() -> None:
    run_child("""
import numpy as np, pymps
class Source(pymps.DataSource):
    descriptor = pymps.ConvolutionDescriptor(3, 5)
    def weights(self): return np.ones((5, 3), np.float32)
    def __del__(self): self.descriptor
source = Source()
source.descriptor_of_layer = descriptor = pymps.SingleGateDescriptor(3, 5)
descriptor.input_weights = source
source.layer = pymps.MatrixInferenceLayer(pymps.Device(), descriptor)
source.layer(np.ones((4, 2, 3), np.float32))
""")
