"""All sixteen neurons, alone in each of the nine places that layers have for one."""

import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
from checking import inference_layer, initial_state
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import GRU, LSTM, Array, Gate, Layer, Neuron, SingleGate
from strategies import neuron_types, random_neuron, seeds, shared_neuron_types
from tolerance import assert_within, neuron_error

import pymps

Float32 = npt.NDArray[np.float32]

CHANNELS = 19  # more than a vector of float32, and not a multiple of one
KINDS = {"LSTM": LSTM, "GRU": GRU, "single gate": SingleGate}
PLACES = [(kind, gate) for kind, layer in KINDS.items() for gate in layer(1, 1).gates] + [("LSTM", "cell_to_output")]
SLOPES = np.linspace(-0.5, 1.5, CHANNELS, dtype=np.float32)

EXAMPLES = {
    "none": Neuron(ref.NONE),
    "relu": Neuron(ref.RELU, 0.0),
    "leaky relu": Neuron(ref.RELU, 0.25),
    "linear": Neuron(ref.LINEAR, -1.5, 0.75),
    "sigmoid": Neuron(ref.SIGMOID),
    "sigmoid ignores a and b": Neuron(ref.SIGMOID, 3.0, -2.0, 5.0),
    "hard sigmoid": Neuron(ref.HARD_SIGMOID, 0.2, 0.5),
    "tanh": Neuron(ref.TANH, 1.0, 1.0),
    "tanh scaled": Neuron(ref.TANH, 1.7159, 2 / 3),
    "tanh of 0 and 0 is 0": Neuron(ref.TANH, 0.0, 0.0),
    "absolute": Neuron(ref.ABSOLUTE),
    "soft plus": Neuron(ref.SOFT_PLUS, 1.0, 1.0),
    "soft plus scaled": Neuron(ref.SOFT_PLUS, 0.5, 2.0),
    "soft sign": Neuron(ref.SOFT_SIGN),
    "elu": Neuron(ref.ELU, 1.0),
    "elu scaled": Neuron(ref.ELU, 0.3),
    "prelu": Neuron(ref.PRELU, channel_a=SLOPES),
    "relu6": Neuron(ref.RELUN, 0.0, 6.0),
    "leaky relun": Neuron(ref.RELUN, 0.25, 1.5),
    "square": Neuron(ref.POWER, 1.0, 0.0, 2.0),
    "cube": Neuron(ref.POWER, 0.5, -0.25, 3.0),
    "reciprocal": Neuron(ref.POWER, 1.0, 0.0, -1.0),
    "square root": Neuron(ref.POWER, 1.0, 0.5, 0.5),
    "constant 1": Neuron(ref.POWER, 1.0, 0.0, 0.0),
    "exponential": Neuron(ref.EXPONENTIAL, 1.0, 0.0, -1.0),
    "exponential of base 2": Neuron(ref.EXPONENTIAL, 0.5, 0.25, 2.0),
    "exponential of base 1/2": Neuron(ref.EXPONENTIAL, 1.0, 0.0, 0.5),
    "logarithm": Neuron(ref.LOGARITHM, 1.0, 0.0, -1.0),
    "logarithm of base 10": Neuron(ref.LOGARITHM, 0.5, 1.0, 10.0),
    "logarithm of base 2": Neuron(ref.LOGARITHM, 2.0, 0.0, 2.0),
    "gelu": Neuron(ref.GELU),
}

# Apple has no place for PReLU's channels in gh.
in_every_place = pytest.mark.parametrize(
    ("name", "kind", "place"),
    [(n, k, p) for n in EXAMPLES for k, p in PLACES if (EXAMPLES[n].type, p) != (ref.PRELU, "cell_to_output")],
)

# Around 0, through the bends, and out to where exponentials of float32 end.
GRID = np.concatenate(
    [
        np.linspace(-10, 10, 401),
        np.linspace(-120, 120, 97),
        [s * 10.0**e for e in (-30, -20, -10, -7, -5, -3, 3, 4) for s in (-1, 1)],
        [0.0, -0.0],
    ]
).astype(np.float32)


ONES = np.ones((CHANNELS, 1), np.float32)


def alone(kind: str, place: str, neuron: Neuron, bias: Float32 | None = None) -> Layer:
    """h1 = f(x + bias) on every channel: the one input goes to `place`, all else is the constant 1 or absent."""
    given = Gate(ONES, b=bias, neuron=neuron)
    if kind == "GRU":
        return alone_in_gru(place, given)
    if kind == "single gate":
        return SingleGate(1, CHANNELS, given)
    constant = Gate(0 * ONES, b=ONES[:, 0])
    gates = dict.fromkeys(LSTM(1, 1).gates, constant)
    gates["input_gate" if place == "forget_gate" else "forget_gate"] = Gate()  # c1 = F c0, or I C
    if place == "cell_to_output":
        gates["cell_gate"] = Gate(ONES, b=bias)
        return LSTM(1, CHANNELS, **gates, cell_to_output=neuron)
    return LSTM(1, CHANNELS, **(gates | {place: given}), cell_to_output=Neuron())


def alone_in_gru(place: str, given: Gate) -> GRU:
    """z h0 without h; r h0 by a Uh that is the identity; h without z."""
    gates = {place: given}
    if place == "recurrent_gate":
        gates["output_gate"] = Gate(U=np.eye(CHANNELS, dtype=np.float32))
    return GRU(1, CHANNELS, **gates)


def visible(kind: str, place: str, values: Array) -> Array:
    """What h1 shows of f(x). A GRU's z comes as (1 - z) 0 + z, its r through a product with all channels: there what
    is infinite meets a 0 and makes a NaN."""
    if (kind, place) == ("GRU", "input_gate"):
        return np.where(np.isfinite(values), values, np.nan)
    if (kind, place) == ("GRU", "recurrent_gate"):
        return np.where(np.isfinite(values).all(axis=1, keepdims=True), values, np.nan)
    return values


def run_alone(device: pymps.Device, reference: Layer, x: Float32) -> Float32:
    """From a state of ones."""
    layer = inference_layer(device, reference)
    ones = [np.ones((len(x), CHANNELS))], [np.ones((len(x), reference.cells))]
    y, _ = layer(x.reshape(1, -1, 1), initial_state(layer, ones))
    return y[0]


def assert_values(device: pymps.Device, neuron: Neuron, kind: str, place: str, x: Float32) -> None:
    channels = np.repeat(x.astype(np.float64)[:, None], CHANNELS, axis=1)
    expected = ref.activate(neuron, channels)
    with np.errstate(over="ignore"):
        expected[np.isinf(expected.astype(np.float32))] *= np.inf  # beyond float32
    expected = visible(kind, place, expected)
    y = run_alone(device, alone(kind, place, neuron), x)
    portable = device.backend == "portable"  # where the arithmetic is Apple's, the promise alone
    error = neuron_error(neuron, channels) if portable else 2e-6 * np.maximum(1.0, np.abs(expected))
    assert_within(y, expected, error, f"{neuron} as {place}")


def test_every_type_has_an_example() -> None:
    assert {neuron.type for neuron in EXAMPLES.values()} == set(pymps.NeuronType) == set(range(16))


@in_every_place
def test_values(device: pymps.Device, name: str, kind: str, place: str) -> None:
    assert_values(device, EXAMPLES[name], kind, place, GRID)


SPECIALS = [np.nan, np.inf, -np.inf]


@in_every_place
def test_special_values(device: pymps.Device, name: str, kind: str, place: str) -> None:
    """NaN and infinity, which come in as biases, as the formula has them in float64."""
    neuron = EXAMPLES[name]
    special = np.resize(np.array(SPECIALS, np.float32), CHANNELS)
    y = run_alone(device, alone(kind, place, neuron, special), np.zeros(1, np.float32))
    expected = visible(kind, place, ref.activate(neuron, special[np.newaxis].astype(np.float64)))
    np.testing.assert_array_equal(y, expected)


CONVENTIONAL = {
    ref.RELU: {"a": 0.0},
    ref.LINEAR: {"a": 1.0, "b": 0.0},
    ref.HARD_SIGMOID: {"a": 0.2, "b": 0.5},
    ref.TANH: {"a": 1.0, "b": 1.0},
    ref.SOFT_PLUS: {"a": 1.0, "b": 1.0},
    ref.ELU: {"a": 1.0},
    ref.RELUN: {"a": 1.0, "b": 6.0},
    ref.POWER: {"c": 1.0},
    ref.EXPONENTIAL: {"c": -1.0},
    ref.LOGARITHM: {"c": -1.0},
}


@pytest.mark.parametrize("kind", [kind for kind in pymps.NeuronType if kind != ref.PRELU])
def test_parameters_left_out(kind: pymps.NeuronType) -> None:
    """They are Apple's conventional ones, not zeros; Apple's own factories leave them undefined."""
    neuron = pymps.Neuron(kind)
    expected = CONVENTIONAL.get(kind, {})
    for name, value in expected.items():
        assert getattr(neuron, name) == np.float32(value), name


@settings(max_examples=150)
@given(where=st.sampled_from(PLACES), data=st.data(), rng=seeds)
def test_random_parameters(
    device: pymps.Device, where: tuple[str, str], data: st.DataObject, rng: np.random.Generator
) -> None:
    place = where[1]
    kind = data.draw(shared_neuron_types if place == "cell_to_output" else neuron_types)
    neuron = random_neuron(rng, kind, CHANNELS)
    assert_values(device, neuron, *where, rng.uniform(-4, 4, 25).astype(np.float32))
