"""Bad calls of training layers and optimizers: clear exceptions, and nothing is written."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from bad_input import cases, expect, f32
from models import lstm, sequence
from training_models import training_layer

import pymps
from pymps import MatrixId

WI = MatrixId.LSTM_INPUT_GATE_INPUT_WEIGHTS
NAN = float("nan")


@dataclass
class Scene:
    """A layer after a forward and a gradient pass, and another such layer."""

    layer: pymps.MatrixTrainingLayer
    tape: pymps.Tape
    gradients: pymps.WeightGradients
    other: pymps.MatrixTrainingLayer
    other_tape: pymps.Tape
    other_gradients: pymps.WeightGradients

    def forward(self, x: Any, state: Any = None, **options: Any) -> object:
        return self.layer.forward(x, state, **options)

    def a_row(self) -> pymps.RecurrentState:
        return self.layer.state_gradient(f32(1, 5))

    def gradient(self, dy: Any, tape: Any = None, **options: Any) -> object:
        return self.layer.gradient(self.tape if tape is None else tape, dy, **options)


def scene(device: pymps.Device) -> Scene:
    made: list[Any] = []
    for _ in range(2):
        layer = training_layer(device)
        _, tape = layer.forward(sequence())
        made += [layer, tape, layer.gradient(tape, f32(4, 2, 5))[1]]
    return Scene(*made)


# ---- Layers ----


@cases(
    ("no device", lambda d: pymps.MatrixTrainingLayer(None, lstm()), TypeError, "device"),
    (
        "no descriptor",
        lambda d: pymps.MatrixTrainingLayer(d, None),
        TypeError,
        "descriptor: None, expected an LSTMDesc",
    ),
    ("a stack", lambda d: pymps.MatrixTrainingLayer(d, [lstm()]), TypeError, "descriptor: list of length 1, expected"),
    ("a class", lambda d: pymps.MatrixTrainingLayer(d, pymps.LSTMDescriptor), TypeError, "descriptor: type, expected"),
)
def test_layers(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use, device)


def test_kernels(device: pymps.Device) -> None:
    descriptor = pymps.SingleGateDescriptor(3, 5)
    descriptor.input_weights = pymps.WeightSource(f32(5, 3, 3, 3))
    expect(ValueError, "kernel_height, kernel_width: 3 x 3", pymps.MatrixTrainingLayer, device, descriptor)


class Failing(pymps.DataSource):
    descriptor = pymps.ConvolutionDescriptor(3, 5)

    def load(self) -> bool:
        raise ZeroDivisionError("on purpose")


def test_a_data_source_that_fails(device: pymps.Device) -> None:
    descriptor = pymps.SingleGateDescriptor(3, 5)
    descriptor.input_weights = Failing()
    expect(ZeroDivisionError, "on purpose", pymps.MatrixTrainingLayer, device, descriptor)


@pytest.mark.parametrize("kind", [pymps.Tape, pymps.TrainingWeights, pymps.WeightGradients])
def test_handles_are_not_made_by_hand(kind: type) -> None:
    for arguments in [(), (object(),), (None,)]:
        expect(TypeError, r"not by a call", kind, *arguments)


# ---- Weights ----


@cases(
    (
        "of a GRU",
        lambda s: s.layer.weights[MatrixId.GRU_INPUT_GATE_BIAS_TERMS],
        KeyError,
        "matrix_id: GRU_INPUT_GATE_B",
    ),
    ("absent", lambda s: s.layer.weights[MatrixId.LSTM_INPUT_GATE_MEMORY_WEIGHTS], KeyError, "expected weights that"),
    ("unknown", lambda s: s.layer.weights[29], ValueError, "matrix_id: 29, expected"),
    ("negative", lambda s: s.layer.weights[-1], ValueError, "matrix_id: -1, expected"),
    ("name", lambda s: s.layer.weights["LSTM"], TypeError, "matrix_id: str 'LSTM', expected a MatrixId"),
    ("bool", lambda s: s.layer.weights[True], TypeError, "matrix_id: bool"),
    (
        "set absent",
        lambda s: s.layer.weights.__setitem__(MatrixId.SINGLE_GATE_BIAS_TERMS, f32(5)),
        KeyError,
        "SINGLE_GA",
    ),
    ("set list", lambda s: s.layer.weights.__setitem__(WI, [[1.0]]), TypeError, "LSTM_INPUT_GATE_INPUT_WEIGHTS.*list"),
    ("set shape", lambda s: s.layer.weights.__setitem__(WI, f32(3, 5)), ValueError, r"expected .* shape \(5, 3\)"),
    ("set dtype", lambda s: s.layer.weights.__setitem__(WI, np.ones((5, 3))), TypeError, "float64 array"),
    ("set half", lambda s: s.layer.weights.__setitem__(WI, f32(5, 3).astype("f2")), TypeError, "float16 array"),
    ("set masked", lambda s: s.layer.weights.__setitem__(WI, np.ma.ones((5, 3), "f4")), TypeError, "MaskedArray"),
    ("gradients unknown", lambda s: s.gradients[29], ValueError, "matrix_id: 29, expected"),
    ("gradients absent", lambda s: s.gradients[MatrixId.SINGLE_GATE_BIAS_TERMS], KeyError, "SINGLE_GATE_BIAS_TERMS"),
    ("gradients set", lambda s: s.gradients.__setitem__(WI, f32(5, 3)), AttributeError, "__setitem__"),
    ("new, dtype", lambda s: s.layer.weight_gradients(np.int32), TypeError, "dtype: .*int32.*, expected float32 or"),
    ("new, no dtype", lambda s: s.layer.weight_gradients("spam"), TypeError, "dtype: 'spam', expected float32"),
    ("new, byte order", lambda s: s.layer.weight_gradients(">f4"), TypeError, "dtype: '>f4', expected float32"),
    ("new, None", lambda s: s.layer.weight_gradients(None), TypeError, "dtype: None, expected float32"),
    ("new, command buffer", lambda s: s.layer.weight_gradients(command_buffer=3), TypeError, "command_buffer"),
)
def test_weights(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    s = scene(device)
    before = {name: array.copy() for name, array in s.layer.weights.items()}
    expect(error, text, use, s)
    assert all(np.array_equal(array, before[name]) for name, array in s.layer.weights.items())
    s.layer.gradient(s.tape, f32(4, 2, 5))  # which no failure has spoiled


# ---- Forward ----


@cases(
    ("dtype", lambda s: s.forward(np.ones((4, 2, 3))), TypeError, "x: float64 array .*expected a float32 or float16"),
    ("features", lambda s: s.forward(f32(4, 2, 5)), ValueError, r"x: .*expected .*\(T, B, 3\)"),
    ("two axes", lambda s: s.forward(f32(4, 3)), ValueError, r"x: float32 array of shape \(4, 3\), expected"),
    ("no steps", lambda s: s.forward([]), ValueError, "x: empty, expected at least one step"),
    ("growing", lambda s: s.forward([f32(1, 3), f32(2, 3)]), ValueError, r"x\[1\]: 2 rows, expected at most the 1"),
    ("out shape", lambda s: s.forward(f32(4, 2, 3), out=f32(4, 2, 3)), ValueError, r"out: .*expected"),
    ("out steps", lambda s: s.forward(f32(4, 2, 3), out=f32(3, 2, 5)), ValueError, r"out: shape \(3, 2, 5\), expected"),
    (
        "out dtype",
        lambda s: s.forward(f32(4, 2, 3), out=f32(4, 2, 5).astype("f2")),
        TypeError,
        "out: float16, expected",
    ),
    ("out constant", lambda s: s.forward(f32(4, 2, 3), out=constant(4, 2, 5)), ValueError, "out: read-only, expected"),
    ("state", lambda s: s.forward(f32(4, 2, 3), 3), TypeError, "state: int 3, expected a RecurrentState or None"),
    ("of another layer", lambda s: s.forward(f32(4, 2, 3), s.other_tape.state), ValueError, "state: of another layer"),
    ("other rows", lambda s: s.forward(f32(4, 3, 3), s.tape.state), ValueError, "state: 2 rows, expected 3"),
    ("of a gradient", lambda s: s.forward(f32(4, 2, 3), s.tape.state_gradient), ValueError, "one of a forward pass"),
    ("every", lambda s: s.forward(f32(4, 2, 3), store_all_intermediate_states=1), TypeError, "store_all_.*int 1"),
    ("inference's", lambda s: s.forward(f32(4, 2, 3), inference_state(s)), ValueError, "state: of another layer"),
)
def test_forward(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use, scene(device))


def constant(*shape: int) -> Any:
    array = f32(*shape)
    array.flags.writeable = False
    return array


def inference_state(s: Scene) -> pymps.RecurrentState:
    return pymps.MatrixInferenceLayer(s.layer.device, s.layer.descriptor())(f32(1, 2, 3))[1]


def test_out_that_shares_memory_with_x(device: pymps.Device) -> None:
    layer = training_layer(device, 5, 5)
    x = device.zeros((4, 2, 5))
    expect(ValueError, "out: .*share memory", lambda: layer.forward(x, out=x))


# ---- Gradients ----


@cases(
    ("no tape", lambda s: s.layer.gradient(None, f32(4, 2, 5)), TypeError, "tape"),
    ("a state", lambda s: s.layer.gradient(s.tape.state, f32(4, 2, 5)), TypeError, "tape"),
    ("of another layer", lambda s: s.gradient(f32(4, 2, 5), s.other_tape), ValueError, "tape: of another layer"),
    ("dtype", lambda s: s.gradient(np.ones((4, 2, 5))), TypeError, "dy: float64 array .*expected"),
    ("half", lambda s: s.gradient(f32(4, 2, 5).astype("f2")), TypeError, "dy: float16, expected float32"),
    ("features", lambda s: s.gradient(f32(4, 2, 3)), ValueError, r"dy: .*expected .*\(T, B, 5\)"),
    ("steps", lambda s: s.gradient(f32(3, 2, 5)), ValueError, r"dy: shape \(3, 2, 5\), expected \(4, 2, 5\)"),
    ("rows", lambda s: s.gradient(f32(4, 3, 5)), ValueError, r"dy: shape \(4, 3, 5\), expected \(4, 2, 5\)"),
    ("a list", lambda s: s.gradient([f32(2, 5)] * 4), TypeError, "dy: list of length 4, expected"),
    ("steps of a part", lambda s: s.gradient(f32(4, 2, 5), s.tape[1:3]), ValueError, r"expected \(2, 2, 5\)"),
    ("state", lambda s: s.gradient(f32(4, 2, 5), state_gradient=1), TypeError, "^state_gradient: int 1, expected"),
    (
        "forward state",
        lambda s: s.gradient(f32(4, 2, 5), state_gradient=s.tape.state),
        ValueError,
        "of a gradient pass",
    ),
    (
        "state of another layer",
        lambda s: s.gradient(f32(4, 2, 5), state_gradient=s.other_tape.state_gradient),
        ValueError,
        "^state_gradient: of another layer",
    ),
    (
        "rows of a state",
        lambda s: s.gradient(f32(4, 2, 5), state_gradient=s.layer.state_gradient(f32(3, 5))),
        ValueError,
        "^state_gradient: 3 rows, expected 2",
    ),
    (
        "a row",
        lambda s: s.gradient(f32(3, 2, 5), s.tape[:3], state_gradient=s.a_row()),
        ValueError,
        "1 rows, expected 2",
    ),
    (
        "gradients",
        lambda s: s.gradient(f32(4, 2, 5), weight_gradients=1),
        TypeError,
        "weight_gradients: int 1, expected",
    ),
    ("True", lambda s: s.gradient(f32(4, 2, 5), weight_gradients=True), TypeError, "weight_gradients: bool True"),
    (
        "weights",
        lambda s: s.gradient(f32(4, 2, 5), weight_gradients=s.layer.weights),
        TypeError,
        "weight_gradients: Tr",
    ),
    (
        "gradients of another layer",
        lambda s: s.gradient(f32(4, 2, 5), weight_gradients=s.other_gradients),
        ValueError,
        "weight_gradients: of another layer",
    ),
    (
        "nothing to add to",
        lambda s: s.gradient(f32(4, 2, 5), accumulate=True),
        ValueError,
        "accumulate: True, expected",
    ),
    (
        "nothing wanted",
        lambda s: s.gradient(f32(4, 2, 5), weight_gradients=False, accumulate=True),
        ValueError,
        "accumulate: True, expected",
    ),
    ("accumulate", lambda s: s.gradient(f32(4, 2, 5), accumulate=1), TypeError, "accumulate: int 1, expected a bool"),
    (
        "dx",
        lambda s: s.gradient(f32(4, 2, 5), source_gradient=f32(4, 2, 5)),
        ValueError,
        r"source_gradient: .*expected",
    ),
    (
        "dx is None",
        lambda s: s.gradient(f32(4, 2, 5), source_gradient=None),
        TypeError,
        "source_gradient: None, expected",
    ),
    (
        "constant",
        lambda s: s.gradient(f32(4, 2, 5), source_gradient=constant(4, 2, 3)),
        ValueError,
        "read-only, expected",
    ),
)
def test_gradients(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    s = scene(device)
    before = {name: array.copy() for name, array in s.gradients.items()}
    expect(error, text, use, s)
    assert all(np.array_equal(array, before[name]) for name, array in s.gradients.items())


def test_dx_that_shares_memory(device: pymps.Device) -> None:
    layer = training_layer(device, 5, 5)
    x, dy = device.zeros((4, 2, 5)), device.zeros((4, 2, 5))
    _, tape = layer.forward(x)
    expect(ValueError, "share memory", lambda: layer.gradient(tape, dy, source_gradient=x))
    expect(ValueError, "share memory", lambda: layer.gradient(tape, dy, source_gradient=dy))


def test_weights_that_have_changed(device: pymps.Device) -> None:
    s = scene(device)
    s.layer.weights[WI] = f32(5, 3)
    expect(ValueError, "tape: the layer's weights have changed", s.gradient, f32(4, 2, 5))
    _, tape = s.layer.forward(sequence())
    pymps.StochasticGradientDescent(s.layer, 0.5).step(s.gradients)
    expect(ValueError, "tape: the layer's weights have changed", s.layer.gradient, tape, f32(4, 2, 5))


def test_weights_that_a_refused_step_leaves(device: pymps.Device) -> None:
    s = scene(device)
    command_buffer = device.new_command_queue().command_buffer()
    read = s.layer.weight_gradients(command_buffer=command_buffer)
    optimizer = pymps.StochasticGradientDescent(s.layer, 0.5)
    optimizer.encode_step(command_buffer, read)
    _, tape = s.layer.forward(sequence())
    expect(ValueError, "temporary and read already", optimizer.encode_step, command_buffer, read)
    s.layer.gradient(tape, f32(4, 2, 5))


@cases(
    ("index", lambda tape: tape[1], TypeError, r"tape\[...\]: int 1, expected a slice"),
    ("empty", lambda tape: tape[2:2], ValueError, r"tape\[...\]: steps 2 to 2 by 1 of 4, expected at least one, by 1"),
    ("beyond", lambda tape: tape[4:9], ValueError, r"expected at least one"),
    ("every other", lambda tape: tape[::2], ValueError, r"by 2 of 4, expected at least one, by 1"),
    ("backward", lambda tape: tape[::-1], ValueError, r"by -1 of 4"),
)
def test_parts(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use, scene(device).tape)


# ---- States ----


@cases(
    ("none", lambda s: s.layer.state(), ValueError, "h, c: no array, expected at least one"),
    ("a list", lambda s: s.layer.state([f32(2, 5)]), TypeError, "h: list of length 1, expected a float32 array"),
    ("dtype", lambda s: s.layer.state(np.ones((2, 5))), TypeError, "h: float64 array"),
    ("channels", lambda s: s.layer.state(f32(2, 3)), ValueError, r"h: .*expected a float32 array of shape \(2, 5\)"),
    ("rows", lambda s: s.layer.state_gradient(f32(2, 5), f32(3, 5)), ValueError, r"c: .*expected .*\(2, 5\)"),
    ("no rows", lambda s: s.layer.state(f32(0, 5)), ValueError, "h: .*expected"),
)
def test_states(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use, scene(device))


def test_a_gru_has_no_memory_cell(device: pymps.Device) -> None:
    layer = pymps.MatrixTrainingLayer(device, pymps.GRUDescriptor(3, 5))
    expect(ValueError, "c: .*expected None for a layer without a memory cell", lambda: layer.state(c=f32(2, 5)))


# ---- Optimizers ----


@cases(
    ("no layer", lambda s: pymps.Adam(None, 0.5), TypeError, "layer"),
    ("inference", lambda s: pymps.Adam(pymps.MatrixInferenceLayer(s.layer.device, lstm()), 0.5), TypeError, "layer"),
    ("rate", lambda s: pymps.Adam(s.layer, "fast"), TypeError, "learning_rate: str 'fast', expected a real number"),
    ("rate NaN", lambda s: pymps.Adam(s.layer, NAN), ValueError, "learning_rate: nan, expected a finite"),
    (
        "momentum",
        lambda s: pymps.StochasticGradientDescent(s.layer, 1, NAN),
        ValueError,
        "momentum_scale: nan, expected",
    ),
    (
        "nesterov",
        lambda s: pymps.StochasticGradientDescent(s.layer, 1, 1, 1),
        TypeError,
        "use_nesterov_momentum: int 1",
    ),
    ("decay", lambda s: pymps.RMSProp(s.layer, 1, decay=1.5), ValueError, "decay: 1.5, expected 0 to 1"),
    ("beta1", lambda s: pymps.Adam(s.layer, 1, beta1=1), ValueError, "beta1: 1, expected at least 0 and less than 1"),
    ("beta2", lambda s: pymps.Adam(s.layer, 1, beta2=-1), ValueError, "beta2: -1, expected at least 0"),
    ("epsilon", lambda s: pymps.Adam(s.layer, 1, epsilon=-1), ValueError, "epsilon: -1, expected a finite number of"),
    ("epsilon inf", lambda s: pymps.RMSProp(s.layer, 1, epsilon=float("inf")), ValueError, "epsilon: inf, expected"),
    (
        "clip",
        lambda s: pymps.Adam(s.layer, 1, gradient_clip=1.0),
        TypeError,
        r"gradient_clip: float 1.0, expected \(min",
    ),
    ("clip range", lambda s: pymps.Adam(s.layer, 1, gradient_clip=(2, 1)), ValueError, "gradient_clip_min, .*expected"),
    ("clip NaN", lambda s: pymps.Adam(s.layer, 1, gradient_clip=(NAN, 1)), ValueError, "gradient_clip_min, .*expected"),
    ("rescale", lambda s: pymps.Adam(s.layer, 1, gradient_rescale=NAN), ValueError, "gradient_rescale: nan"),
    ("type", lambda s: pymps.Adam(s.layer, 1, regularization_type=3), ValueError, "regularization_type: 3, expected"),
    ("type name", lambda s: pymps.Adam(s.layer, 1, regularization_type="L2"), TypeError, "expected a Regularization"),
    ("scale", lambda s: pymps.Adam(s.layer, 1, regularization_scale=NAN), ValueError, "regularization_scale: nan"),
    ("no gradients", lambda s: pymps.Adam(s.layer, 1).step(None), TypeError, "gradients"),
    ("weights", lambda s: pymps.Adam(s.layer, 1).step(s.layer.weights), TypeError, "gradients"),
    ("others", lambda s: pymps.Adam(s.layer, 1).step(s.other_gradients), ValueError, "gradients: of another layer"),
    ("set rate", lambda s: setattr(pymps.Adam(s.layer, 1), "learning_rate", NAN), ValueError, "learning_rate: nan"),
    ("set step", lambda s: setattr(pymps.Adam(s.layer, 1), "time_step", -1), ValueError, "time_step: -1, expected 0"),
    ("no type", lambda s: pymps._optimizer.Optimizer(s.layer), TypeError, "made by its derived classes alone"),
)
def test_optimizers(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    s = scene(device)
    before = {name: array.copy() for name, array in s.layer.weights.items()}
    expect(error, text, use, s)
    assert all(np.array_equal(array, before[name]) for name, array in s.layer.weights.items())
