"""W and U as bytes with ranges, which stay bytes in a layer: beside floats, in all kinds of sequences, in archives."""

from collections.abc import Callable, Sequence
from typing import Any

import conventional
import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
from archives import ForgedArchive, unarchived
from checking import descriptor, property_name
from conventional import KINDS
from reference import Layer
from test_archived_numbers import assert_same
from test_quantized import Quantized, assert_outputs, by_ranges, quantized_layer
from tolerance import BYTES, assert_within

import pymps

Rng = np.random.Generator
Choice = Callable[[str, str], bool]

CHOICES: dict[str, Choice] = {
    "all": lambda gate, weight: True,
    "input": lambda gate, weight: weight == "W",
    "recurrent": lambda gate, weight: weight == "U",
    "some gates": lambda gate, weight: gate in ("input_gate", "output_gate", "gate"),
    "crosswise": lambda gate, weight: (weight == "W") == (gate in ("input_gate", "cell_gate", "recurrent_gate")),
}
choices = pytest.mark.parametrize("chosen", CHOICES.values(), ids=CHOICES)
kinds = pytest.mark.parametrize("kind", KINDS)

ROWS = {"one row": [1] * 12, "a few": [5] * 6, "a batch": [40] * 3, "ragged": [9, 9, 7, 3, 1, 1]}


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(17)


def with_bytes(
    device: pymps.Device, rng: Rng, layer: Layer, chosen: Choice = CHOICES["all"]
) -> tuple[pymps.MatrixInferenceLayer, Layer]:
    return quantized_layer(device, layer, chosen, lambda weights: by_ranges(rng, weights))


@kinds
@choices
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
def test_sequences(device: pymps.Device, rng: Rng, kind: str, chosen: Choice, rows: Sequence[int]) -> None:
    layer, reference = with_bytes(device, rng, KINDS[kind](rng, 13, 21), chosen)
    assert_outputs(layer, reference, rng, BYTES, rows)


@kinds
@choices
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (3, 2), (15, 17), (64, 33), (130, 65), (65, 130)])
def test_sizes(device: pymps.Device, rng: Rng, kind: str, chosen: Choice, inputs: int, outputs: int) -> None:
    layer, reference = with_bytes(device, rng, KINDS[kind](rng, inputs, outputs), chosen)
    assert_outputs(layer, reference, rng, BYTES, [2, 2, 2])


@kinds
def test_stream(device: pymps.Device, rng: Rng, kind: str) -> None:
    layer, reference = with_bytes(device, rng, KINDS[kind](rng, 20, 30))
    x = rng.standard_normal((9, 1, 20), np.float32)
    expected, _ = ref.sequence([reference], x)
    with layer.stream() as stream:
        for step, x_t in enumerate(x):
            stream.x[:] = x_t
            stream.step()
            assert_within(stream.y, expected[step], BYTES, f"y[{step}]")


@kinds
def test_initial_state(device: pymps.Device, rng: Rng, kind: str) -> None:
    """U times an h0 that is larger than any output."""
    layer, reference = with_bytes(device, rng, KINDS[kind](rng, 6, 19))
    h0 = rng.uniform(-3, 3, (4, 19)).astype(np.float32)
    x = rng.standard_normal((3, 4, 6), np.float32)
    y, _ = layer(x, layer.state(h=[h0]))
    expected, _ = ref.sequence([reference], x, ([h0.astype(np.float64)], [np.zeros((4, reference.cells))]))
    assert_within(y, np.array(expected), 3 * BYTES, "y")


@kinds
def test_unit_transform(device: pymps.Device, rng: Rng, kind: str) -> None:
    plain = KINDS[kind](rng, 12, 12)
    without_inputs = {
        name: ref.replace(gate, W=None, b=None, neuron=ref.Neuron()) for name, gate in plain.gates.items()
    }
    layer, reference = with_bytes(device, rng, ref.replace(plain, unit_input=True, **without_inputs))
    assert_outputs(layer, reference, rng, 10 * BYTES, [3])  # no activation bounds the outputs


@kinds
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_is_no_number(device: pymps.Device, rng: Rng, kind: str, odd: float) -> None:
    """It comes in with one row, and has no effect on the others. NaN makes all of that row NaN, from then on."""
    layer, _ = with_bytes(device, rng, KINDS[kind](rng, 13, 21))
    x = rng.standard_normal((6, 5, 13), np.float32)
    usual, _ = layer(x)
    x[2, 3, 7] = odd
    y, _ = layer(x)
    others = np.arange(5) != 3
    np.testing.assert_array_equal(y[:, others], usual[:, others])
    np.testing.assert_array_equal(y[:2], usual[:2])
    if np.isnan(odd):
        assert np.isnan(y[2:, 3]).all()


# ---- Archives ----


def archived_gates(layer: pymps.MatrixInferenceLayer) -> dict[str, Any]:
    if layer.device.backend != "portable":
        pytest.skip("another form of archives")
    (cell,) = ForgedArchive(layer.to_bytes()).layer["stack"]
    return {name: value for name, value in cell.items() if isinstance(value, dict)}


def camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


@kinds
@choices
@pytest.mark.parametrize("use_float32_weights", [False, True], ids=["float16", "float32"])
def test_archives(device: pymps.Device, rng: Rng, kind: str, chosen: Choice, use_float32_weights: bool) -> None:
    """The very bytes and ranges; and the layer that comes back keeps them so, and computes the same bits."""
    made: list[Quantized] = []

    def quantize(weights: npt.NDArray[np.float32]) -> Quantized:
        made.append(by_ranges(rng, weights))
        return made[-1]

    plain = KINDS[kind](rng, 13, 21, use_float32_weights=use_float32_weights)
    layer, _ = quantized_layer(device, plain, chosen, quantize)
    back = unarchived(layer)
    assert_same(layer, back, rng.standard_normal((6, 3, 13), np.float32))
    gates, remaining = archived_gates(layer), iter(made)
    for name, gate in plain.gates.items():
        for weight in "WU":
            archived = gates[camel_case(property_name(plain, name, weight))]
            if chosen(name, weight):
                quantized = next(remaining)
                assert archived["weights"] == quantized.weights.tobytes()
                assert archived["ranges"] == quantized.ranges.tobytes()
            else:
                assert "ranges" not in archived
                assert len(archived["weights"]) == 4 * getattr(gate, weight).size
    assert archived_gates(back) == gates


def test_memory_weights_become_floats(device: pymps.Device, rng: Rng) -> None:
    plain = conventional.full(rng, "LSTM", 5, 7)
    layer, _ = with_bytes(device, rng, plain, lambda _, weight: weight == "V")
    assert_same(layer, unarchived(layer), rng.standard_normal((6, 3, 5), np.float32))
    assert len(archived_gates(layer)["cellGateMemoryWeights"]["weights"]) == 4 * 7 * 7


# ---- WeightSource.quantized ----


def values(source: pymps.WeightSource) -> ref.Array:
    return Quantized(source.weights, source.ranges).values()


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("shape", [(9, 40), (1, 1), (300, 2), (12,)])
def test_quantized(rng: Rng, dtype: type[np.floating[Any]], shape: tuple[int, ...]) -> None:
    """Within half a step, and all 256 numbers of a channel in use."""
    weights = rng.standard_normal(shape).astype(dtype)
    source = pymps.WeightSource(weights).quantized()
    assert source.weights.dtype == np.uint8
    rows = weights.astype(np.float64).reshape(shape[0], -1)
    least, largest = rows.min(axis=1), rows.max(axis=1)
    np.testing.assert_array_equal(source.ranges, np.stack([least, largest], axis=1))
    half_step = ((largest - least) / 510 * (1 + 1e-6)).reshape(-1, *[1] * (len(shape) - 1))
    assert (np.abs(values(source) - weights) <= half_step).all()
    levels = source.weights.reshape(shape[0], -1)[largest > least]
    np.testing.assert_array_equal(levels.min(axis=1, initial=255), 0)
    np.testing.assert_array_equal(levels.max(axis=1, initial=0), 255)


def test_quantized_keeps_the_rest() -> None:
    neuron = pymps.Neuron(pymps.NeuronType.TANH, 1.0, 1.0)
    source = pymps.WeightSource(np.eye(3, dtype=np.float32), np.arange(3, dtype=np.float32), neuron, "a label")
    quantized = source.quantized()
    np.testing.assert_array_equal(quantized.bias, source.bias)
    assert (quantized.neuron, quantized.label) == (neuron, "a label")
    np.testing.assert_array_equal(values(quantized), source.weights)


@pytest.mark.parametrize("number", [0.0, -3.0, 1e-45, 3e38])
def test_quantized_equal_weights(number: float) -> None:
    weights = np.full((2, 5), number, np.float32)
    np.testing.assert_array_equal(values(pymps.WeightSource(weights).quantized()), weights)


def test_quantized_tiny_weights() -> None:
    """A step smaller than any float32."""
    weights = np.array([[0.0, 1e-45, 3e-45]], np.float32)
    source = pymps.WeightSource(weights).quantized()
    assert source.weights.tolist() in ([[0, 127, 255]], [[0, 128, 255]])


@pytest.mark.parametrize("odd", [[np.nan, 0], [np.inf, 0], [-np.inf, np.inf], [-3e38, 3e38]])
def test_what_has_no_range(odd: list[float]) -> None:
    source = pymps.WeightSource(np.array([[1, 2], odd, [3, 4]], np.float32))
    with pytest.raises(ValueError, match=r"^weights\[1\]: from .* to .*, expected a finite range"):
        source.quantized()


def test_quantized_twice() -> None:
    source = pymps.WeightSource(np.eye(2, dtype=np.float32)).quantized()
    with pytest.raises(
        TypeError, match=r"^weights: uint8 array of shape \(2, 2\), expected a float32 or float16 array"
    ):
        source.quantized()


@kinds
def test_a_quantized_layer(device: pymps.Device, rng: Rng, kind: str) -> None:
    """Made as a user does; close to what the layer was before, and very close to what its bytes stand for."""
    plain, gates = KINDS[kind](rng, 40, 60), {}
    described = descriptor(plain)
    for name, gate in plain.gates.items():
        weights = {}
        for weight in "WU":
            place = property_name(plain, name, weight)
            source = getattr(described, place).quantized()
            setattr(described, place, source)
            weights[weight] = values(source)
        gates[name] = ref.replace(gate, **weights)
    layer = pymps.MatrixInferenceLayer(device, described)
    assert_outputs(layer, plain, rng, 0.05)
    assert_outputs(layer, ref.replace(plain, **gates), rng, BYTES)
