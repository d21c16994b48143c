"""The weights of training layers and gradients of them, in and out: by MatrixId, by copies on command buffers, and as a
descriptor for inference.
"""

import copy
import pickle
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
from bad_input import expect
from checking import descriptor
from command_buffers import command_buffer, finish
from models import lstm, sequence
from reference import GRU, LSTM, Layer, SingleGate
from training_models import matrix_id, reference_layer, trained_arrays, training_layer

import pymps
from pymps import MatrixId

WI = MatrixId.LSTM_INPUT_GATE_INPUT_WEIGHTS
VI = MatrixId.LSTM_INPUT_GATE_MEMORY_WEIGHTS

LAYERS: dict[str, Layer] = {
    "LSTM": reference_layer(LSTM),
    "diagonal": reference_layer(LSTM, memory_weights_are_diagonal=True),
    "GRU": reference_layer(GRU),
    "single gate": reference_layer(SingleGate),
}
COUNTS = {"LSTM": 16, "diagonal": 16, "GRU": 10, "single gate": 3}
layers = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
both_types = pytest.mark.parametrize("single", [True, False], ids=["float32", "float16"])


def kept(layer: Layer, single: bool) -> Layer:
    return replace(layer, use_float32_weights=single)


def by_id(layer: Layer) -> dict[MatrixId, npt.NDArray[Any]]:
    return {matrix_id(layer, *name): array for name, array in trained_arrays(layer).items()}


def part_of(device: pymps.Device, like: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """An array of -1 in a buffer of the device, and a part of it with this shape and dtype, apart from its edges."""
    whole = device.empty([length + 5 for length in like.shape], like.dtype)
    whole[...] = -1
    return whole, whole[tuple(slice(index + 1, index + 1 + length) for index, length in enumerate(like.shape))]


# ---- Copies on command buffers ----


@layers
@both_types
def test_every_copy_out(device: pymps.Device, layer: Layer, single: bool) -> None:
    """All on one command buffer, each into a part of an array, whose other elements stay as they are."""
    training = pymps.MatrixTrainingLayer(device, descriptor(kept(layer, single)))
    expected, work = by_id(kept(layer, single)), command_buffer(device)
    places = {name: part_of(device, array) for name, array in expected.items()}
    for name, (_, part) in places.items():
        training.encode_copy_weights(work, name, part)
    finish(work)
    for name, (whole, part) in places.items():
        np.testing.assert_array_equal(part, expected[name], name.name)
        part[...] = -1
        assert (whole == -1).all()


@layers
@both_types
def test_every_copy_in(device: pymps.Device, layer: Layer, single: bool) -> None:
    training = pymps.MatrixTrainingLayer(device, descriptor(kept(layer, single)))
    expected = by_id(kept(layer, single))
    assert (len(expected), tuple(sorted(expected))) == (len(training.matrix_ids), training.matrix_ids)
    for name, before in expected.items():
        whole, part = part_of(device, before)
        part[...] = np.arange(1, before.size + 1).reshape(before.shape)
        work = command_buffer(device)
        training.encode_copy_weights(work, name, part, from_array=True)
        np.testing.assert_array_equal(training.weights[name], before, name.name)
        finish(work)
        expected[name] = part.copy()
        whole[...] = -1
        for other, array in training.weights.items():
            np.testing.assert_array_equal(array, expected[other], f"{other.name} after {name.name}")


@layers
@both_types
def test_every_copy_of_gradients(device: pymps.Device, layer: Layer, single: bool) -> None:
    """In, out, and by themselves: the weights stay as they are, and so does the other copy of gradients."""
    training = pymps.MatrixTrainingLayer(device, descriptor(kept(layer, not single)))
    gradients = training.weight_gradients(np.float32 if single else np.float16)
    others, work = training.weight_gradients(gradients.dtype), command_buffer(device)
    filled, came = {}, {}
    for seed, (name, array) in enumerate(by_id(layer).items()):
        filled[name] = device.array(sequence(1, 1, array.size, seed).reshape(array.shape).astype(gradients.dtype))
        _, came[name] = part_of(device, filled[name])
        training.encode_copy_weights(work, name, filled[name], matrices=gradients, from_array=True)
        training.encode_copy_weights(work, name, came[name], matrices=gradients)
    finish(work)
    for name, array in filled.items():
        np.testing.assert_array_equal(came[name], array, name.name)
        np.testing.assert_array_equal(gradients[name], array, name.name)
        assert not others[name].any()
    for name, array in by_id(kept(layer, not single)).items():
        np.testing.assert_array_equal(training.weights[name], array, name.name)


def test_copies_take_their_turn(device: pymps.Device) -> None:
    """Each runs between the passes that it was encoded between."""
    layer, work = training_layer(device), command_buffer(device)
    x, ys = device.array(sequence()), device.zeros((3, 4, 2, 5))
    zeros, old = device.zeros((5, 3)), device.zeros((5, 3))
    layer.encode_forward_sequence(work, x, ys[0])
    layer.encode_copy_weights(work, WI, old)
    layer.encode_copy_weights(work, WI, zeros, from_array=True)
    layer.encode_forward_sequence(work, x, ys[1])
    layer.encode_copy_weights(work, WI, old, from_array=True)
    layer.encode_forward_sequence(work, x, ys[2])
    assert not old.any()
    finish(work)
    changed = pymps.MatrixTrainingLayer(device, lstm())
    np.testing.assert_array_equal(old, changed.weights[WI])
    np.testing.assert_array_equal(ys[0], changed.forward(x)[0])
    np.testing.assert_array_equal(ys[2], ys[0])
    changed.weights[WI] = np.zeros((5, 3), np.float32)
    np.testing.assert_array_equal(ys[1], changed.forward(x)[0])


# ---- Mappings ----


@layers
@both_types
def test_mapping(device: pymps.Device, layer: Layer, single: bool) -> None:
    training = pymps.MatrixTrainingLayer(device, descriptor(kept(layer, single)))
    for matrices in (training.weights, training.weight_gradients(np.float16)):
        assert isinstance(matrices, Mapping)
        ids = list(matrices)
        assert len(matrices) == len(ids) == next(COUNTS[name] for name, other in LAYERS.items() if other is layer)
        assert tuple(ids) == training.matrix_ids == tuple(sorted(ids))
        assert all(type(name) is MatrixId for name in ids)
        assert list(matrices.keys()) == ids == [name for name, _ in matrices.items()]
        assert [name in matrices for name in MatrixId] == [name in ids for name in MatrixId]
        assert int(ids[0]) in matrices
        assert 29 not in matrices
        assert "LSTM" not in matrices
        for (name, item), value in zip(matrices.items(), matrices.values()):
            for array in (item, value, matrices[name], matrices[int(name)], matrices.get(name)):
                assert (array.shape, array.dtype) == (by_id(layer)[name].shape, matrices.dtype)
                np.testing.assert_array_equal(array, item)
        missing = next(name for name in MatrixId if name not in ids)
        assert matrices.get(missing) is None
        assert matrices.get(missing, 3) == 3
        text = f"matrix_id: {missing.name}, expected weights that the layer's descriptor has"
        expect(KeyError, text, matrices.__getitem__, missing)
    assert training.weights.dtype == (np.float32 if single else np.float16)


def test_what_is_read_is_a_copy(device: pymps.Device) -> None:
    layer = training_layer(device)
    _, tape = layer.forward(sequence())
    _, gradients = layer.gradient(tape, sequence(features=5))
    for matrices in (layer.weights, gradients):
        array = matrices[WI]
        expected = array.copy()
        assert pymps.Buffer.of(array).device == device
        array[...] = 9
        np.testing.assert_array_equal(matrices[WI], expected)
    assert layer.weights is layer.weights


def test_what_is_set_is_copied(device: pymps.Device) -> None:
    layer = training_layer(device)
    values = np.arange(15, dtype=np.float32).reshape(5, 3)
    for array in (values, device.array(values), np.asfortranarray(values), values[::-1].copy()[::-1]):
        layer.weights[WI] = np.zeros((5, 3), np.float32)
        layer.weights[WI] = array
        array = array.copy()
        np.testing.assert_array_equal(layer.weights[WI], values)
    layer.weights[int(WI)] = values + 1
    np.testing.assert_array_equal(layer.weights[WI], values + 1)


def test_no_copies_and_pickles(device: pymps.Device) -> None:
    layer = training_layer(device)
    y, tape = layer.forward(sequence())
    _, gradients = layer.gradient(tape, y)
    adam = pymps.Adam(layer, 0.1)
    for made in (layer, layer.weights, tape, gradients, adam):
        for use in (copy.copy, copy.deepcopy, pickle.dumps):
            expect(TypeError, "belongs? to a device", use, made)


def test_a_new_gradient_is_zeros(device: pymps.Device) -> None:
    layer = training_layer(device)
    for dtype in (np.float32, np.float16, "float32", "f2", np.dtype("e"), np.dtype(np.float32)):
        gradients = layer.weight_gradients(dtype)
        assert (gradients.dtype, gradients.is_temporary) == (np.dtype(dtype), False)
        assert not any(array.any() for array in gradients.values())
    assert layer.weight_gradients().dtype == np.float32


def test_a_layer_without_weights(device: pymps.Device) -> None:
    descriptor = pymps.SingleGateDescriptor(5, 5)
    descriptor.use_layer_input_unit_transform_mode = True
    layer = pymps.MatrixTrainingLayer(device, descriptor)
    assert (layer.matrix_ids, len(layer.weights), dict(layer.weights)) == ((), 0, {})
    x, dy = sequence(features=5), sequence(features=5, seed=3)
    y, tape = layer.forward(x)
    dx, gradients = layer.gradient(tape, dy)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(dx, dy)
    assert len(gradients) == 0
    pymps.Adam(layer, 0.5).step(gradients)


def test_changes_of_the_descriptor_do_not_reach_the_layer(device: pymps.Device) -> None:
    made = lstm()
    layer = pymps.MatrixTrainingLayer(device, made)
    weights = dict(layer.weights)
    made.input_gate_input_weights = pymps.WeightSource(np.zeros((5, 3), np.float32))
    made.memory_weights_are_diagonal = True
    for name, array in layer.weights.items():
        np.testing.assert_array_equal(array, weights[name])
    assert not layer.descriptor().memory_weights_are_diagonal


# ---- For inference ----


@layers
@both_types
def test_a_descriptor_has_the_trained_numbers(device: pymps.Device, layer: Layer, single: bool) -> None:
    """As arrays, and as what an inference layer makes of them: within what its numbers may be off the reference."""
    training = pymps.MatrixTrainingLayer(device, descriptor(kept(layer, single)))
    sgd = pymps.StochasticGradientDescent(training, 0.5)
    x, target = sequence(6, 3), sequence(6, 3, 5, seed=5)
    for _ in range(3):
        y, tape = training.forward(x)
        sgd.step(training.gradient(tape, y - target)[1])
    made = training.descriptor()
    trained = with_arrays(layer, dict(training.weights))
    for name, array in by_id(layer).items():
        assert not np.array_equal(training.weights[name], array), name.name
    y, _ = pymps.MatrixInferenceLayer(device, made)(x)
    expected, _ = ref.sequence([trained], list(x))
    np.testing.assert_allclose(y, expected, rtol=0, atol=2e-6 if single else 1e-5)
    again = pymps.MatrixTrainingLayer(device, made)
    for name, array in training.weights.items():
        np.testing.assert_array_equal(again.weights[name], array, name.name)


def with_arrays(layer: Layer, arrays: dict[MatrixId, npt.NDArray[Any]]) -> Layer:
    """The reference layer with these weights instead."""
    gates = {}
    for gate, old in layer.gates.items():
        letters = [letter for name, letter in trained_arrays(layer) if name == gate]
        gates[gate] = replace(old, **{letter: arrays[matrix_id(layer, gate, letter)] for letter in letters})
    return replace(layer, **gates)


def test_a_descriptor_has_the_properties(device: pymps.Device) -> None:
    backward = pymps.RNNSequenceDirection.BACKWARD
    one = pymps.LSTMDescriptor(5, 5)
    one.use_layer_input_unit_transform_mode = one.memory_weights_are_diagonal = True
    one.cell_to_output_neuron_type = pymps.NeuronType.SOFT_SIGN
    one.layer_sequence_direction = backward
    one.forget_gate_recurrent_weights = pymps.WeightSource(np.ones((5, 5), np.float32))
    one.forget_gate_memory_weights = pymps.WeightSource(np.ones(5, np.float32))
    made = pymps.MatrixTrainingLayer(device, one).descriptor()
    assert isinstance(made, pymps.LSTMDescriptor)
    assert (made.input_feature_channels, made.output_feature_channels) == (5, 5)
    assert made.use_layer_input_unit_transform_mode
    assert made.memory_weights_are_diagonal
    assert not made.use_float32_weights
    assert (made.cell_to_output_neuron_type, made.layer_sequence_direction) == (pymps.NeuronType.SOFT_SIGN, backward)
    assert made.input_gate_input_weights is None
    assert made.forget_gate_memory_weights.weights.tolist() == [1] * 5
    gru = pymps.GRUDescriptor(3, 5)
    gru.gate_pnorm_value, gru.flip_output_gates, gru.use_float32_weights = 2.0, True, True
    made = pymps.MatrixTrainingLayer(device, gru).descriptor()
    assert isinstance(made, pymps.GRUDescriptor)
    assert (made.gate_pnorm_value, made.flip_output_gates, made.use_float32_weights) == (2.0, True, True)


def test_neurons_and_biases_go_along(device: pymps.Device) -> None:
    source = pymps.WeightSource(np.ones((5, 3), np.float32), np.arange(5, dtype=np.float32), pymps.Neuron(8, 0.5))
    one = pymps.SingleGateDescriptor(3, 5)
    one.input_weights = source
    layer = pymps.MatrixTrainingLayer(device, one)
    layer.weights[MatrixId.SINGLE_GATE_BIAS_TERMS] = np.full(5, 0.5, np.float16)
    made = layer.descriptor().input_weights
    assert made.neuron == source.neuron
    assert made.bias.tolist() == [0.5] * 5
    assert made.bias.dtype == np.float32
