"""All sixteen neurons, alone in each of the five places that an LSTM has for one."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
from checking import inference_layer
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import LSTM, Gate, Neuron
from strategies import neuron_types, random_neuron, seeds, shared_neuron_types
from tolerance import assert_within, neuron_error

import pymps

CHANNELS = 19  # more than a vector of float32, and not a multiple of one
GATES = ("input_gate", "forget_gate", "cell_gate", "output_gate")
PLACES = (*GATES, "cell_to_output")
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
    ("name", "place"),
    [(n, p) for n in EXAMPLES for p in PLACES if (EXAMPLES[n].type, p) != (ref.PRELU, "cell_to_output")],
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


def alone(neuron: Neuron, place: str) -> LSTM:
    """h1 = f(x) on every channel: the one input goes to `place`, all else is the constant 1."""
    ones = np.ones((CHANNELS, 1), np.float32)
    constant = Gate(W=0 * ones, b=ones[:, 0])
    gates = dict.fromkeys(GATES, constant)
    if place == "forget_gate":
        gates["input_gate"] = Gate()  # c1 = F c0
    if place == "cell_to_output":
        return LSTM(1, CHANNELS, **(gates | {"cell_gate": Gate(W=ones)}), cell_to_output=neuron)
    return LSTM(1, CHANNELS, **(gates | {place: Gate(W=ones, neuron=neuron)}), cell_to_output=Neuron())


def run_alone(device: pymps.Device, neuron: Neuron, place: str, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    layer = inference_layer(device, alone(neuron, place))
    ones = [np.ones((len(x), CHANNELS), np.float32)]
    y, _ = layer(x.reshape(1, -1, 1), layer.state(c=ones) if place == "forget_gate" else None)
    return y[0]


def assert_values(device: pymps.Device, neuron: Neuron, place: str, x: npt.NDArray[np.float32]) -> None:
    channels = np.repeat(x.astype(np.float64)[:, None], CHANNELS, axis=1)
    expected = ref.activate(neuron, channels)
    with np.errstate(over="ignore"):
        expected[np.isinf(expected.astype(np.float32))] *= np.inf  # beyond float32
    y = run_alone(device, neuron, place, x)
    portable = device.backend == "portable"  # where the arithmetic is Apple's, the promise alone
    error = neuron_error(neuron, channels) if portable else 2e-6 * np.maximum(1.0, np.abs(expected))
    assert_within(y, expected, error, f"{neuron} as {place}")


def test_every_type_has_an_example() -> None:
    assert {neuron.type for neuron in EXAMPLES.values()} == set(pymps.NeuronType) == set(range(16))


@in_every_place
def test_values(device: pymps.Device, name: str, place: str) -> None:
    neuron = EXAMPLES[name]
    assert_values(device, neuron, place, GRID)


SPECIALS = [np.nan, np.inf, -np.inf]


@in_every_place
def test_special_values(device: pymps.Device, name: str, place: str) -> None:
    """NaN and infinity, which come in as biases, as the formula has them in float64."""
    neuron = EXAMPLES[name]
    special = np.resize(np.array(SPECIALS, np.float32), CHANNELS)
    lstm = alone(neuron, place)
    changed = "cell_gate" if place == "cell_to_output" else place
    lstm = replace(lstm, **{changed: replace(lstm.gates[changed], b=special)})
    layer = inference_layer(device, lstm)
    ones = [np.ones((1, CHANNELS), np.float32)]
    y, _ = layer(np.zeros((1, 1, 1), np.float32), layer.state(c=ones) if place == "forget_gate" else None)
    np.testing.assert_array_equal(y[0, 0], ref.activate(neuron, special.astype(np.float64)))


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
@given(place=st.sampled_from(PLACES), data=st.data(), rng=seeds)
def test_random_parameters(device: pymps.Device, place: str, data: st.DataObject, rng: np.random.Generator) -> None:
    kind = data.draw(shared_neuron_types if place == "cell_to_output" else neuron_types)
    neuron = random_neuron(rng, kind, CHANNELS)
    assert_values(device, neuron, place, rng.uniform(-4, 4, 25).astype(np.float32))
