"""The public names, the values that descriptions are made of, and what a layer and its states say about themselves."""

import copy
import inspect
import math
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from image_models import image_layer, movie
from models import assert_close, layer, lstm, sequence

import pymps
from pymps import LSTMDescriptor, Neuron, NeuronType, WeightSource

GATES = ("input_gate", "forget_gate", "cell_gate", "output_gate")
HANDLES = (
    "Buffer",
    "Device",
    "Image",
    "ImageInferenceLayer",
    "ImageStream",
    "MatrixInferenceLayer",
    "RecurrentImageState",
)
HANDLES += ("RecurrentState", "Stream")
PROPERTIES = [f"{gate}_{kind}_weights" for gate in GATES for kind in ("input", "recurrent", "memory")]


# ---- Names ----


def test_all_names_exist() -> None:
    assert sorted(pymps.__all__) == pymps.__all__
    for name in pymps.__all__:
        assert getattr(pymps, name).__name__ == name
    assert set(pymps.__all__) <= set(dir(pymps))


def test_star_import() -> None:
    namespace: dict[str, object] = {}
    exec("from pymps import *", namespace)
    assert set(pymps.__all__) <= set(namespace)


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match=r"'pymps' has no attribute 'LSTM'"):
        _ = pymps.LSTM  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", pymps.__all__)
def test_everything_is_documented(name: str) -> None:
    """numpydoc: each public member has a text of its own or a place in the class's."""
    public = getattr(pymps, name)
    text = inspect.getdoc(public) or ""
    assert text
    for attribute in vars(public) if inspect.isclass(public) and not issubclass(public, (int, Exception)) else ():
        of_class = re.search(rf"^(?:\w, )*{attribute}(?:, \w)*(?: :|$)", text, re.MULTILINE)
        assert attribute.startswith("_") or of_class or inspect.getdoc(getattr(public, attribute)), attribute


def test_the_headers_ship() -> None:
    for name in ("pymps.h", "pymps_image.h", "pymps_training.h"):
        assert (Path(pymps.get_include()) / name).is_file()


def test_types_ship() -> None:
    package = Path(pymps.__file__).parent
    assert (package / "py.typed").is_file()
    for name in pymps.__all__:
        module = getattr(pymps, name).__module__.removeprefix("pymps.")
        assert not module.startswith("_") or (package / f"{module}.pyi").is_file(), name


def test_an_unbuilt_tree_says_what_to_do(tmp_path: Path) -> None:
    package = tmp_path / "pymps"
    package.mkdir()
    for source in Path(pymps.__file__).parent.glob("*.py"):
        (package / source.name).write_text(source.read_text())
    child = subprocess.run(
        [sys.executable, "-c", "import pymps"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert child.returncode == 1
    assert f"ImportError: pymps is not built for this Python in {package}: type `pip install -e .`" in child.stderr


# ---- Enumerations ----


def test_enumerations_have_apples_values() -> None:
    assert [member.value for member in NeuronType] == list(range(16))
    assert NeuronType.TANH == 5
    assert NeuronType.GELU == 15
    assert pymps.DataType.FLOAT32 == 0x10000020
    assert pymps.DataType.FLOAT16 == 0x10000010
    assert [member.name for member in pymps.RNNSequenceDirection] == ["FORWARD", "BACKWARD"]
    assert [(member.name, member.value) for member in pymps.ChannelFormat] == [
        ("UNORM8", 1),
        ("UNORM16", 2),
        ("FLOAT16", 3),
        ("FLOAT32", 4),
    ]
    assert [member.name for member in pymps.StorageMode] == ["SHARED", "MANAGED", "PRIVATE"]


# ---- Neuron ----


@pytest.mark.parametrize(
    ("kind", "a", "b", "c"),
    [
        (NeuronType.NONE, 0, 0, 0),
        (NeuronType.RELU, 0, 0, 0),
        (NeuronType.LINEAR, 1, 0, 0),
        (NeuronType.SIGMOID, 0, 0, 0),
        (NeuronType.HARD_SIGMOID, 0.2, 0.5, 0),
        (NeuronType.TANH, 1, 1, 0),
        (NeuronType.ABSOLUTE, 0, 0, 0),
        (NeuronType.SOFT_PLUS, 1, 1, 0),
        (NeuronType.SOFT_SIGN, 0, 0, 0),
        (NeuronType.ELU, 1, 0, 0),
        (NeuronType.RELUN, 1, 6, 0),
        (NeuronType.POWER, 1, 0, 1),
        (NeuronType.EXPONENTIAL, 1, 0, -1),
        (NeuronType.LOGARITHM, 1, 0, -1),
        (NeuronType.GELU, 0, 0, 0),
    ],
)
def test_conventional_parameters(kind: NeuronType, a: float, b: float, c: float) -> None:
    neuron = Neuron(kind)
    assert (neuron.type, neuron.a, neuron.b, neuron.c, neuron.channel_a) == (kind, a, b, c, None)
    given = Neuron(kind, 3, c=np.float32(4))
    assert (given.a, given.b, given.c) == (3, b, 4)


def test_neurons_are_values() -> None:
    assert Neuron(NeuronType.TANH) == Neuron(NeuronType.TANH, 1, 1) != Neuron(NeuronType.TANH, 2)
    assert hash(Neuron(NeuronType.TANH)) == hash(Neuron(NeuronType.TANH, 1, 1))
    assert Neuron(NeuronType.TANH) != "tanh"
    slopes = np.array([1, 2], np.float32)
    prelu = Neuron(NeuronType.PRELU, channel_a=slopes)
    slopes[0] = 9
    assert prelu.channel_a is not None
    assert prelu.channel_a.tolist() == [1, 2]
    assert prelu == Neuron(NeuronType.PRELU, channel_a=np.array([1, 2], np.float32))
    assert prelu != Neuron(NeuronType.PRELU, channel_a=slopes)
    assert math.isnan(Neuron(NeuronType.LINEAR, math.nan).a)
    assert Neuron(NeuronType.RELUN, b=math.inf).b == math.inf


@pytest.mark.parametrize("value", [Neuron(NeuronType.ELU, 2), WeightSource(np.ones((2, 3), np.float16), label="w")])
def test_values_are_immutable(value: Neuron | WeightSource) -> None:
    with pytest.raises(AttributeError, match="is immutable"):
        value.a = 3  # type: ignore[union-attr, misc]
    with pytest.raises(AttributeError, match="is immutable"):
        del value.a  # type: ignore[union-attr]


def test_values_can_be_copied_and_pickled() -> None:
    neuron = Neuron(NeuronType.PRELU, channel_a=np.ones(2, np.float32))
    source = WeightSource(np.ones((2, 3), np.float32), np.zeros(2, np.float32), neuron, "w")
    for clone in (copy.copy(source), copy.deepcopy(source), pickle.loads(pickle.dumps(source))):
        assert clone.weights.tolist() == source.weights.tolist()
        assert (clone.neuron, clone.label) == (source.neuron, source.label)
    descriptor = pickle.loads(pickle.dumps(lstm()))
    assert repr(descriptor) == repr(lstm())


def test_handles_can_not_be_copied(device: pymps.Device) -> None:
    run = layer(device)
    images = image_layer(device)
    of_images = (images, images.stream(), images(movie())[1], pymps.Image(device, 1, 1, 1))
    for handle in (device, run, run.stream(), run(sequence())[1], pymps.Buffer.of(device.empty(1)), *of_images):
        with pytest.raises(TypeError):
            copy.copy(handle)
        with pytest.raises(TypeError):
            pickle.dumps(handle)


@pytest.mark.parametrize("name", HANDLES)
def test_handles_can_not_be_subclassed(name: str) -> None:
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Mine", (getattr(pymps, name),), {})


# ---- WeightSource ----


def test_weight_source_copies() -> None:
    weights, bias = np.ones((2, 3), np.float32), np.ones(2, np.float32)
    source = WeightSource(weights.T[:2], bias[::-1])
    weights[:] = bias[:] = 0
    assert source.bias is not None
    assert source.weights.flags.c_contiguous
    assert (source.weights == 1).all()
    assert (source.bias == 1).all()
    assert not source.weights.flags.writeable
    assert source.neuron == Neuron(NeuronType.NONE)
    assert source.label is None
    assert source.data_type is pymps.DataType.FLOAT32
    assert WeightSource(np.ones((1, 1), np.float16)).data_type is pymps.DataType.FLOAT16


# ---- LSTMDescriptor ----


def test_defaults_are_apples() -> None:
    descriptor = LSTMDescriptor(3, 5)
    assert (descriptor.input_feature_channels, descriptor.output_feature_channels) == (3, 5)
    assert all(getattr(descriptor, name) is None for name in PROPERTIES)
    assert descriptor.memory_weights_are_diagonal is False
    assert descriptor.use_float32_weights is False
    assert descriptor.use_layer_input_unit_transform_mode is False
    assert descriptor.layer_sequence_direction is pymps.RNNSequenceDirection.FORWARD
    assert descriptor.cell_to_output_neuron_type is NeuronType.TANH
    params = [getattr(descriptor, f"cell_to_output_neuron_param_{letter}") for letter in "abc"]
    assert params == [1, 1, 1]


@pytest.mark.parametrize("name", PROPERTIES)
def test_weights_can_be_set_and_unset(name: str) -> None:
    descriptor = LSTMDescriptor(3, 5)
    source = WeightSource(np.ones((5, 3 if "_input_weights" in name else 5), np.float32))
    setattr(descriptor, name, source)
    assert getattr(descriptor, name) is source
    assert [other for other in PROPERTIES if getattr(descriptor, other) is not None] == [name]
    setattr(descriptor, name, None)
    assert getattr(descriptor, name) is None


def test_values_can_be_set() -> None:
    descriptor = LSTMDescriptor(4, 4)
    descriptor.memory_weights_are_diagonal = True
    descriptor.use_float32_weights = np.bool_(True)  # type: ignore[assignment]
    descriptor.use_layer_input_unit_transform_mode = True
    descriptor.layer_sequence_direction = 1  # type: ignore[assignment]
    descriptor.cell_to_output_neuron_type = 1  # type: ignore[assignment]
    descriptor.cell_to_output_neuron_param_b = 2
    assert descriptor.memory_weights_are_diagonal is True
    assert descriptor.use_float32_weights is True
    assert descriptor.use_layer_input_unit_transform_mode is True
    assert descriptor.layer_sequence_direction is pymps.RNNSequenceDirection.BACKWARD
    assert descriptor.cell_to_output_neuron_type is NeuronType.RELU
    assert descriptor.cell_to_output_neuron_param_b == 2
    descriptor.output_gate_memory_weights = WeightSource(np.ones(4, np.float32))
    assert LSTMDescriptor(4, 4).use_float32_weights is False, "descriptors share nothing"


def test_a_misspelt_property_is_an_error() -> None:
    with pytest.raises(AttributeError):
        LSTMDescriptor(3, 5).input_gate_weights = None  # type: ignore[attr-defined]


# ---- Layers and states ----


def test_layer_properties(device: pymps.Device) -> None:
    run = pymps.MatrixInferenceLayer(device, [lstm(3, 5), lstm(5, 2)])
    assert run.device is device
    assert (run.input_feature_channels, run.output_feature_channels, run.number_of_layers) == (3, 2, 2)
    assert "3 -> 5 -> 2" in repr(run)


def test_a_layer_does_not_see_later_changes(device: pymps.Device) -> None:
    descriptor = lstm()
    run = pymps.MatrixInferenceLayer(device, descriptor)
    before, _ = run(sequence())
    for name in PROPERTIES:
        setattr(descriptor, name, None)
    np.testing.assert_array_equal(run(sequence())[0], before)
    assert not pymps.MatrixInferenceLayer(device, descriptor)(sequence())[0].any()


def test_state_properties(device: pymps.Device) -> None:
    run = pymps.MatrixInferenceLayer(device, [lstm(3, 5), lstm(5, 2)])
    _, state = run(sequence())
    assert (state.layer, state.batch, state.number_of_layers) == (run, 2, 2)
    for index, outputs in enumerate((5, 2)):
        for array in (state.recurrent_output(index), state.memory_cell(layer_index=index)):
            assert (array.shape, array.dtype) == ((2, outputs), np.float32)


def test_state_of_given_values(device: pymps.Device) -> None:
    run = pymps.MatrixInferenceLayer(device, [lstm(3, 5), lstm(5, 2)])
    rng = np.random.default_rng(0)
    h, c = ([rng.standard_normal((4, n), np.float32) for n in (5, 2)] for _ in "hc")
    state = run.state(h=h, c=[c[0].T.copy().T, None])
    kept = [array.copy() for array in (*h, c[0])]
    for array in (*h, c[0]):
        array[:] = 0
    np.testing.assert_array_equal(state.recurrent_output(0), kept[0])
    np.testing.assert_array_equal(state.recurrent_output(1), kept[1])
    np.testing.assert_array_equal(state.memory_cell(0), kept[2])
    np.testing.assert_array_equal(state.memory_cell(1), np.zeros((4, 2)))
    only_c = run.state(c=[None, c[1]])
    np.testing.assert_array_equal(only_c.recurrent_output(0), np.zeros((4, 5)))
    np.testing.assert_array_equal(only_c.memory_cell(1), c[1])


def test_zero_state_is_no_state(device: pymps.Device) -> None:
    run = layer(device)
    zeros = run.state(h=[np.zeros((2, 5), np.float32)])
    np.testing.assert_array_equal(run(sequence(), zeros)[0], run(sequence())[0])


@pytest.mark.parametrize("form", [np.asarray, list, tuple])
def test_sequences_can_be_cut(device: pymps.Device, form: type) -> None:
    run = layer(device)
    x = sequence(steps=7)
    whole, states = run(form(x), store_all_intermediate_states=True)
    assert len(states) == 7
    first, state = run(form(x[:3]))
    second, end = run(form(x[3:]), state)
    assert_close(np.stack([*first, *second]), np.stack([*whole]))
    assert_close(state.memory_cell(), states[2].memory_cell())
    assert_close(end.recurrent_output(), states[6].recurrent_output())
    assert isinstance(whole, np.ndarray if form is np.asarray else list)


def test_nan_and_infinity_are_data(device: pymps.Device) -> None:
    x = sequence()
    x[1, 0, 0] = np.nan
    y, _ = layer(device)(x)
    assert np.isfinite(y[0]).all()
    assert np.isnan(y[1:, 0]).all()
    assert np.isfinite(y[:, 1]).all()
    x[1, 0, 0] = np.inf
    assert np.isfinite(layer(device)(x)[0][:, 1]).all()
