"""uint8 weights, with a range per output channel or a lookup table: what they stand for, in every place of a layer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import conventional
import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
from checking import descriptor, neuron, property_name
from conventional import full
from reference import Array, Gate, Layer, SingleGate
from tolerance import BYTES, assert_within

import pymps

Rng = np.random.Generator
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Quantized:
    """uint8 weights of shape (out, in) or (out,), and `ranges` of shape (out, 2) or a `lookup_table` of 256 numbers."""

    weights: npt.NDArray[np.uint8]
    ranges: Float32 | None = None
    lookup_table: Float32 | None = None

    def values(self) -> Array:
        if self.lookup_table is not None:
            return self.lookup_table.astype(np.float64)[self.weights]
        low, high = self.ranges.astype(np.float64).T
        if self.weights.ndim == 2:
            low, high = low[:, np.newaxis], high[:, np.newaxis]
        return self.weights / 255 * (high - low) + low

    def source(self, gate: Gate) -> pymps.WeightSource:
        """With the bias and the neuron of `gate`, which only count on input weights."""
        tables = {"ranges": self.ranges} if self.lookup_table is None else {"lookup_table": self.lookup_table}
        return pymps.WeightSource(self.weights, gate.b, neuron(gate.neuron), **tables)


def by_ranges(rng: Rng, weights: Float32) -> Quantized:
    """The nearest of 256 numbers between the least and the largest weight of each output channel."""
    rows = weights.reshape(len(weights), -1)
    ranges = np.stack([rows.min(axis=1), rows.max(axis=1)], axis=1)
    if weights.ndim == 1:
        ranges += rng.uniform(-0.5, 0.5, ranges.shape).astype(np.float32)  # one weight alone has no range
    return Quantized(rng.integers(0, 256, weights.shape, np.uint8), ranges)


def by_lookup_table(rng: Rng, weights: Float32) -> Quantized:
    table = np.sort(rng.choice(weights.ravel(), 256)).astype(np.float32)
    return Quantized(rng.integers(0, 256, weights.shape, np.uint8), lookup_table=table)


either = pytest.mark.parametrize("quantize", [by_ranges, by_lookup_table])
Quantize = Callable[[Rng, Float32], Quantized]


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(71)


def kept(device: pymps.Device, quantized: Quantized, use_float32_weights: bool) -> Float32:
    """The weights as the layer keeps them: the products of the unit vectors."""
    outputs, inputs = quantized.weights.shape
    layer_descriptor = descriptor(SingleGate(inputs, outputs, use_float32_weights=use_float32_weights))
    layer_descriptor.input_weights = quantized.source(Gate())
    y, _ = pymps.MatrixInferenceLayer(device, layer_descriptor)(np.eye(inputs, dtype=np.float32)[np.newaxis])
    return y[0].T


EVERY_UINT8 = np.tile(np.arange(256, dtype=np.uint8), (6, 1))
RANGES = np.array([[-1, 1], [0, 255], [0.1, 0.7], [3, 3], [2, -1], [-1e30, 1e30]], np.float32)


def test_ranges(device: pymps.Device) -> None:
    """0 is the least and 255 the largest; a range may be empty or turned around."""
    quantized = Quantized(EVERY_UINT8, RANGES)
    actual = kept(device, quantized, use_float32_weights=True)
    scale = np.abs(RANGES).max(axis=1, keepdims=True).astype(np.float64)
    assert_within(actual, quantized.values(), BYTES * scale, "weights")


def test_lookup_table(device: pymps.Device, rng: Rng) -> None:
    """One table for all channels, whatever numbers it holds, and kept exactly."""
    table = rng.standard_normal(256).astype(np.float32) ** 5
    quantized = Quantized(rng.permuted(EVERY_UINT8, axis=1), lookup_table=table)
    np.testing.assert_array_equal(kept(device, quantized, use_float32_weights=True), table[quantized.weights])


def test_float16(device: pymps.Device, rng: Rng) -> None:
    """What a lookup table says is rounded to float16; bytes with ranges need not be."""
    table = rng.standard_normal(256).astype(np.float32)
    quantized = Quantized(EVERY_UINT8, lookup_table=table)
    expected = table.astype(np.float16).astype(np.float32)[EVERY_UINT8]
    np.testing.assert_array_equal(kept(device, quantized, use_float32_weights=False), expected)
    quantized = Quantized(EVERY_UINT8[:4], RANGES[:4])
    scale = np.abs(RANGES[:4]).max(axis=1, keepdims=True).astype(np.float64)
    assert_within(kept(device, quantized, use_float32_weights=False), quantized.values(), BYTES * scale, "weights")


def quantized_layer(
    device: pymps.Device, layer: Layer, chosen: Callable[[str, str], bool], quantize: Callable[[Float32], Quantized]
) -> tuple[pymps.MatrixInferenceLayer, Layer]:
    """The layer with the chosen weights quantized, and the reference layer with what these stand for."""
    result, gates = descriptor(layer), {}
    for name, gate in layer.gates.items():
        values = {}
        for weight in "WUV":
            if getattr(gate, weight) is not None and chosen(name, weight):
                quantized = quantize(getattr(gate, weight))
                setattr(result, property_name(layer, name, weight), quantized.source(gate))
                values[weight] = quantized.values()
        gates[name] = ref.replace(gate, **values)
    return pymps.MatrixInferenceLayer(device, result), ref.replace(layer, **gates)


def assert_outputs(
    layer: pymps.MatrixInferenceLayer, reference: Layer, rng: Rng, tolerance: float, rows: Sequence[int] = (3,) * 12
) -> None:
    """Of a sequence with this many rows in its steps. The outputs' scale is 1."""
    x = [rng.standard_normal((count, reference.inputs), np.float32) for count in rows]
    y, _ = layer(x)
    expected, _ = ref.sequence([reference], x)
    for step, (actual, expected_step) in enumerate(zip(y, expected, strict=True)):
        assert_within(actual, expected_step, tolerance, f"y[{step}]")


def tolerance_of(quantize: Quantize, weight: str, use_float32_weights: bool = True) -> float:
    """Only W and U may be kept as bytes, and only where they have ranges; the others may be rounded to float16."""
    if quantize is by_ranges and "V" not in weight:
        return BYTES
    if not use_float32_weights:
        return 1e-3
    return BYTES if quantize is by_ranges and weight != "V" else 2e-6


@pytest.mark.parametrize("use_float32_weights", [False, True], ids=["float16", "float32"])
@pytest.mark.parametrize("kind", conventional.KINDS)
@either
def test_all_weights(device: pymps.Device, rng: Rng, quantize: Quantize, kind: str, use_float32_weights: bool) -> None:
    reference = full(rng, kind, 13, 21, use_float32_weights=use_float32_weights)
    layer, reference = quantized_layer(device, reference, lambda *_: True, lambda weights: quantize(rng, weights))
    assert_outputs(layer, reference, rng, tolerance_of(quantize, "WUV", use_float32_weights))


PLACES = [
    (kind, gate, weight)
    for kind in conventional.KINDS
    for gate, weights in full(np.random.default_rng(), kind, 1, 1).gates.items()
    for weight in "WUV"
    if getattr(weights, weight) is not None
]


@pytest.mark.parametrize(("kind", "gate", "weight"), PLACES)
@either
def test_one_of_the_weights(
    device: pymps.Device, rng: Rng, quantize: Quantize, kind: str, gate: str, weight: str
) -> None:
    """uint8 beside float32, in each place."""
    layer, reference = quantized_layer(
        device, full(rng, kind, 6, 9), lambda *place: place == (gate, weight), lambda weights: quantize(rng, weights)
    )
    assert_outputs(layer, reference, rng, tolerance_of(quantize, weight))


@either
def test_diagonal_memory_weights(device: pymps.Device, rng: Rng, quantize: Quantize) -> None:
    """A vector of uint8: a channel has one weight, and a range of its own."""
    lstm = conventional.lstm(rng, 5, 18, peepholes=True, memory_weights_are_diagonal=True)
    layer, reference = quantized_layer(
        device, lstm, lambda _, weight: weight == "V", lambda weights: quantize(rng, weights)
    )
    assert_outputs(layer, reference, rng, tolerance_of(quantize, "V"))
