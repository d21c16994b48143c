"""A layer that comes back from bytes gives the same numbers, bit for bit, however it was described."""

from typing import Any

import conventional
import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
from archives import unarchived
from checking import arrays, inference_layer, initial_state
from conventional import KINDS
from hypothesis import HealthCheck, given, settings
from reference import Gate, Layer, Neuron, SingleGate
from strategies import Case, cases
from test_bidirectional_numbers import HALVES, half
from test_data_source import Recorded
from test_quantized import Quantize, either, quantized_layer

import pymps
from pymps import MatrixInferenceLayer, RNNBidirectionalCombineMode

Rng = np.random.Generator

both_precisions = pytest.mark.parametrize("use_float32_weights", [False, True], ids=["float16", "float32"])


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(91)


def bits(arrays: Any) -> list[tuple[str, tuple[int, ...], bytes]]:
    """NaN is a number like any other."""
    return [(array.dtype.str, array.shape, array.tobytes()) for array in arrays]


def assert_same(layer: MatrixInferenceLayer, back: MatrixInferenceLayer, x: Any, state: Any = None) -> None:
    """y and every state, of sequences; `state` is one of reference.py's."""
    (y, states), (back_y, back_states) = (
        one(x, initial_state(one, state), store_all_intermediate_states=True) for one in (layer, back)
    )
    assert bits(back_y) == bits(y)
    for before, after in zip(states, back_states, strict=True):
        for part, back_part in zip(arrays(before), arrays(after), strict=True):
            assert bits(back_part) == bits(part)


def random_x(rng: Rng, channels: int) -> npt.NDArray[np.float32]:
    return rng.standard_normal((6, 3, channels), np.float32)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(case=cases())
def test_random_stacks(device: pymps.Device, case: Case) -> None:
    layer = inference_layer(device, *case.stack)
    assert_same(layer, unarchived(layer), case.x, case.state)


@both_precisions
@pytest.mark.parametrize("kind", KINDS)
def test_kinds(device: pymps.Device, rng: Rng, kind: str, use_float32_weights: bool) -> None:
    """Large enough for every path through the engine, and through two archives."""
    layer = inference_layer(device, conventional.full(rng, kind, 70, 130, use_float32_weights=use_float32_weights))
    back = unarchived(unarchived(layer))
    assert_same(layer, back, random_x(rng, 70))
    with layer.stream(3) as stream, back.stream(3) as back_stream:
        for x in random_x(rng, 70):
            stream.x[:] = back_stream.x[:] = x
            stream.step()
            back_stream.step()
            assert bits([back_stream.y]) == bits([stream.y])


@pytest.mark.parametrize("kinds", HALVES.values(), ids=HALVES)
@pytest.mark.parametrize("mode", RNNBidirectionalCombineMode)
def test_both_directions(device: pymps.Device, rng: Rng, kinds: Any, mode: RNNBidirectionalCombineMode) -> None:
    layer = inference_layer(device, *half(rng, *kinds[0], backward=False), *half(rng, *kinds[1], backward=True))
    back = unarchived(layer)
    layer.bidirectional_combine_mode = back.bidirectional_combine_mode = mode
    x = random_x(rng, 6)
    y, back_y = (one.bidirectional(x) for one in (layer, back))
    none = mode == RNNBidirectionalCombineMode.NONE
    assert bits(back_y if none else [back_y]) == bits(y if none else [y])


@both_precisions
@pytest.mark.parametrize("kind", KINDS)
@either
def test_uint8(device: pymps.Device, rng: Rng, quantize: Quantize, kind: str, use_float32_weights: bool) -> None:
    full = conventional.full(rng, kind, 13, 21, use_float32_weights=use_float32_weights)
    layer, _ = quantized_layer(device, full, lambda *_: True, lambda weights: quantize(rng, weights))
    assert_same(layer, unarchived(layer), random_x(rng, 13))


@pytest.mark.parametrize("dtype", ["f4", "f2", "u1"])
def test_data_sources(device: pymps.Device, rng: Rng, dtype: str) -> None:
    """They are not asked again, neither for the bytes nor for the layer."""

    class Source(Recorded):
        data_type = pymps.DataType({"f4": 0x10000020, "f2": 0x10000010, "u1": 8}[dtype])
        ranges = np.tile(np.array([-1, 1], np.float32), (5, 1)) if dtype == "u1" else None

        def ranges_for_uint8_kernel(self) -> Any:
            return self.ranges

    weights = (rng.integers(0, 256, (2, 5, 5)) if dtype == "u1" else rng.standard_normal((2, 5, 5)) / 4).astype(dtype)
    sources = [Source(matrix, rng.standard_normal(5).astype("f4")) for matrix in weights]
    descriptor = pymps.SingleGateDescriptor(5, 5)
    descriptor.input_weights, descriptor.recurrent_weights = sources
    layer = MatrixInferenceLayer(device, descriptor)
    logs = [list(source.log) for source in sources]
    back = unarchived(layer)
    assert [source.log for source in sources] == logs
    assert_same(layer, back, random_x(rng, 5))


SPECIAL = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, 1e-40, -1e-7, 65504, 65536, 3e38], np.float32)


@both_precisions
@pytest.mark.parametrize("special", SPECIAL, ids=map(str, SPECIAL))
def test_special_numbers(device: pymps.Device, special: np.float32, use_float32_weights: bool) -> None:
    """As weights, as a bias, and as a parameter of a neuron."""
    eye = np.eye(3, dtype=np.float32)
    neurons = [Neuron(ref.LINEAR, 1.0, float(special)), Neuron(ref.PRELU, channel_a=np.full(3, special))]
    for neuron in neurons:
        for weights, bias in ((np.full((3, 3), special), np.zeros(3, np.float32)), (eye, np.full(3, special))):
            gate = Gate(weights, weights, b=bias, neuron=neuron)
            layer = inference_layer(device, SingleGate(3, 3, gate, use_float32_weights=use_float32_weights))
            assert_same(layer, unarchived(layer), [np.array([[1, -2, 0.5]], np.float32)] * 3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_without_weights(device: pymps.Device, kind: str) -> None:
    bare: Layer = {"LSTM": ref.LSTM, "GRU": ref.GRU, "single gate": SingleGate}[kind](4, 4, unit_input=True)
    layer = inference_layer(device, bare)
    assert_same(layer, unarchived(layer), [np.ones((2, 4), np.float32)] * 3)


@pytest.mark.parametrize("special", SPECIAL, ids=map(str, SPECIAL))
def test_special_properties(device: pymps.Device, rng: Rng, special: np.float32) -> None:
    plain = conventional.lstm(rng, 3, 3)
    for neuron in (Neuron(ref.LINEAR, float(special)), Neuron(ref.LINEAR, 1.0, float(special))):
        layer = inference_layer(device, ref.replace(plain, cell_to_output=neuron))
        assert_same(layer, unarchived(layer), random_x(rng, 3))
