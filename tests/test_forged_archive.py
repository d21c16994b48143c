"""Archives of the portable backend with anything in them, behind checksums that fit: an error, or a layer that runs."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import conventional
import numpy as np
import pytest
from archives import ForgedArchive
from bad_input import expect
from checking import inference_layer
from conventional import KINDS
from hypothesis import given
from hypothesis import strategies as st
from models import layer, lstm, sequence
from test_bidirectional import backward

import pymps
from pymps import MatrixInferenceLayer

from_bytes = MatrixInferenceLayer.from_bytes


@pytest.fixture(scope="module", autouse=True)
def portable(device: pymps.Device) -> None:
    if device.backend != "portable":
        pytest.skip("another form of archives")


@pytest.fixture(scope="module")
def archives(device: pymps.Device) -> list[bytes]:
    rng = np.random.default_rng(5)
    alone = [inference_layer(device, conventional.full(rng, kind, 3, 5)) for kind in KINDS]
    stack = MatrixInferenceLayer(device, [lstm(3, 5), lstm(5, 5)])
    both_ways = MatrixInferenceLayer(device, [lstm(3, 5), backward(lstm(3, 4))])
    in_bytes = MatrixInferenceLayer(device, [lstm_in_bytes(3, 5), lstm_in_bytes(5, 2)])
    return [one.to_bytes() for one in (*alone, stack, both_ways, in_bytes)]


def lstm_in_bytes(inputs: int, outputs: int) -> pymps.LSTMDescriptor:
    described = lstm(inputs, outputs)
    for gate in ("input_gate", "forget_gate", "cell_gate"):
        for name in (f"{gate}_input_weights", f"{gate}_recurrent_weights"):
            setattr(described, name, getattr(described, name).quantized())
    return described


def run(made: MatrixInferenceLayer) -> None:
    """Everything that the stack says it can run."""
    x = np.ones((3, 2, made.input_feature_channels), np.float32)
    if "forward" in repr(made):
        made.bidirectional(x)
        return
    _, state = made(x)
    made(x, state)
    made.state(h=[state.recurrent_output(index) for index in range(made.number_of_layers)])
    with made.stream() as stream:
        stream.step()


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside a property list."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *(place for key, part in inside for place in places(part, (*path, key)))]


odd_values = st.one_of(
    st.sampled_from([0, 1, 2, 3, 4, 5, 6, 16, -1, 2**16, 2**31, 2**32 + 5, 2**61, 2**63 - 1, -(2**63), 2**64 - 1]),
    st.sampled_from([True, False, 0.5, 1e300, "", "GRU", "LSTM", "SingleGate", "kind", b"", bytes(4), [], {}, [[]]]),
    st.binary(max_size=120),
    st.sampled_from([3, 5, 15, 25]).map(lambda count: bytes(4 * count)),
)


def change(list_: Any, place: tuple[Any, ...], edit: str, value: Any) -> None:
    *above, last = place
    for key in above:
        list_ = list_[key]
    if edit == "set":
        list_[last] = value
    elif edit == "remove":
        del list_[last]
    elif isinstance(list_, list):  # "add"
        list_.insert(last, list_[last])
    else:
        list_[f"{last} again"] = list_[last]


@given(
    which=st.integers(0, 5),
    changes=st.lists(
        st.tuples(st.integers(0), st.sampled_from(["set", "set", "remove", "add"]), odd_values), min_size=1, max_size=3
    ),
)
def test_anything_inside(
    device: pymps.Device, archives: list[bytes], which: int, changes: list[tuple[int, str, Any]]
) -> None:
    forged = ForgedArchive(archives[which])
    for number, edit, value in changes:
        found = places(forged.layer)
        if found:
            change(forged.layer, found[number % len(found)], edit, deepcopy(value))
    try:
        made = from_bytes(device, forged.data())
    except (ValueError, pymps.DeviceError):
        return
    run(made)


Edit = Callable[[Any], object]


def weights(list_: Any, gate: str = "inputGate") -> Any:
    return list_["stack"][0][f"{gate}InputWeights"]


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        (lambda one: one.update(version=0), r"layer: version 0, expected 1 to 3"),
        (lambda one: one.update(version=4), r"layer: version 4, expected 1 to 3"),
        (lambda one: one.pop("stack"), r"layer\.stack"),
        (lambda one: one.update(stack=[]), r"layer\.stack"),
        (lambda one: one["stack"][0].update(kind="Attention"), r"kind Attention, expected"),
        (lambda one: one["stack"][0].update(outputFeatureChannels=6), r"bytes, expected \d+ floats"),
        (lambda one: one["stack"][0].update(outputFeatureChannels=2**62), r"."),
        (lambda one: weights(one, "outputGate").update(weights=bytes(8)), r"8 bytes, expected 15 floats"),
        (lambda one: weights(one).update(weights="text"), r"weights.*expected an NSData"),
        (lambda one: weights(one).update(neuronType=99), r"."),
        (lambda one: one["stack"].append(one["stack"][0]), r"."),
        (lambda one: weights(one).update(weights=bytes(60)), r"weights: 60 bytes, expected 15 beside ranges"),
        (lambda one: weights(one).update(ranges=bytes(20)), r"ranges: 20 bytes, expected 10 floats"),
        (lambda one: weights(one).update(ranges="text"), r"ranges.*expected an NSData"),
        (lambda one: weights(one).pop("ranges"), r"weights: 15 bytes, expected 15 floats"),
        (lambda one: weights(one, "outputGate").update(ranges=bytes(40)), r"weights: 60 bytes, expected 15 beside"),
        (lambda one: weights(one).update(kernelWidth=0), r"inputGateInputWeights\.kernelWidth: 0, expected at least 1"),
        (lambda one: weights(one).update(kernelHeight="text"), r"kernelHeight.*expected an NSNumber"),
        (lambda one: weights(one).update(kernelWidth=2), r"weights: 15 bytes, expected 30 beside ranges"),
        (lambda one: weights(one).update(kernelWidth=2**62, kernelHeight=2**62), r"."),
        (lambda one: weights(one).update(kernelWidth=2, weights=bytes(30)), r"a kernel of 2 x 1, expected 1 x 1"),
    ],
)
def test_what_is_wrong_is_said(device: pymps.Device, edit: Edit, text: str) -> None:
    forged = ForgedArchive(MatrixInferenceLayer(device, lstm_in_bytes(3, 5)).to_bytes())
    edit(forged.layer)
    expect(ValueError, rf"^\[layer_unarchive\] data: damaged.*{text}", from_bytes, device, forged.data())


def test_nothing_forged(device: pymps.Device) -> None:
    """What the others change is read as it was written."""
    run = layer(device)
    back = from_bytes(device, ForgedArchive(run.to_bytes()).data())
    np.testing.assert_array_equal(back(sequence())[0], run(sequence())[0])


@pytest.mark.parametrize("version", [1, 2])
def test_older_versions(device: pymps.Device, version: int) -> None:
    """Without bytes and without kernels they are the same."""
    run = layer(device)
    forged = ForgedArchive(run.to_bytes())
    forged.layer["version"] = version
    for name, value in forged.layer["stack"][0].items():
        if name.endswith("Weights") and isinstance(value, dict):
            del value["kernelWidth"], value["kernelHeight"]
    np.testing.assert_array_equal(from_bytes(device, forged.data())(sequence())[0], run(sequence())[0])
