"""Training in several threads: of layers of their own, of one layer; the threads of the CPU, which change no bit."""

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from bad_input import f32
from checking import descriptor
from command_buffers import finish
from models import Float32, sequence
from reference import GRU, LSTM, Layer, SingleGate
from test_threads import in_threads
from training_models import reference_layer, training_layer, training_problem

import pymps
from pymps import MatrixId

UI = MatrixId.LSTM_INPUT_GATE_RECURRENT_WEIGHTS
COUNT = 4


@dataclass
class Arrays:
    """Of ordinary memory, so that calls copy through memory of the layer's; of sizes that depend on the seed."""

    x: Float32
    dy: Float32
    y: Float32
    dx: Float32


def arrays(seed: int) -> Arrays:
    x, dy = sequence(20 + seed, 16 + seed, 3, seed), sequence(20 + seed, 16 + seed, 5, seed)
    return Arrays(x, dy, np.empty_like(dy), np.empty_like(x))


def passes(layer: pymps.MatrixTrainingLayer, arrays: Arrays) -> list[Any]:
    """What a forward and a gradient pass make."""
    _, tape = layer.forward(arrays.x, out=arrays.y)
    _, gradients = layer.gradient(tape, arrays.dy, source_gradient=arrays.dx)
    states = [tape.state.recurrent_output(), tape.state_gradient.memory_cell()]
    return [arrays.y, arrays.dx, *states, *gradients.values()]


def assert_same(found: list[Any], expected: list[Any]) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


# ---- Threads of the caller ----


@pytest.mark.parametrize("shared", [False, True])
def test_passes_in_many_threads(device: pymps.Device, shared: bool) -> None:
    """Of a layer for each thread, or of one for all."""
    one = training_layer(device)
    layers = [one if shared else training_layer(device) for _ in range(COUNT)]
    expected = [passes(training_layer(device), arrays(seed)) for seed in range(COUNT)]

    def work(index: int) -> None:
        own = arrays(index)
        for _ in range(20):
            own.y[...] = own.dx[...] = 0
            assert_same(passes(layers[index], own), expected[index])

    in_threads(COUNT, work)


def test_passes_of_one_layer_on_command_buffers_of_many_threads(device: pymps.Device) -> None:
    layer = training_layer(device)
    y, tape = layer.forward(sequence())
    expected, gradients = layer.gradient(tape, y)

    def work(index: int) -> None:
        queue, x = device.new_command_queue(), device.array(sequence())
        for _ in range(25):
            commands = queue.command_buffer()
            ys, dx, weights = device.zeros(y.shape), device.zeros(x.shape), device.zeros((5, 5))
            temporary = index % 2 == 1
            tape = layer.encode_forward_sequence(commands, x, ys, tape_is_temporary=temporary)
            made = layer.weight_gradients()
            layer.encode_gradient_sequence(commands, tape, y, dx, weight_gradients=made)
            layer.encode_copy_weights(commands, UI, weights, matrices=made)
            finish(commands)
            assert_same([ys, dx, weights], [y, expected, gradients[UI]])

    in_threads(COUNT, work)


def test_gradients_that_many_threads_add_to(device: pymps.Device) -> None:
    layer = training_layer(device)
    _, tape = layer.forward(sequence())
    _, once = layer.gradient(tape, f32(4, 2, 5))
    sum_, zeros = layer.weight_gradients(), np.zeros((4, 2, 5), np.float32)

    def work(index: int) -> None:
        for round_ in range(10):
            dy = f32(4, 2, 5) if round_ == index else zeros
            layer.gradient(tape, dy, weight_gradients=sum_, accumulate=True)

    in_threads(COUNT, work)
    for name, array in sum_.items():
        np.testing.assert_allclose(array, COUNT * once[name], rtol=1e-6, err_msg=name.name)


def test_steps_of_many_threads(device: pymps.Device) -> None:
    """Each of them counts, whoever's turn it is."""
    layer = training_layer(device)
    before = layer.weights[UI].astype(np.float64)
    _, tape = layer.forward(sequence())
    _, gradients = layer.gradient(tape, f32(4, 2, 5))
    sgd = pymps.StochasticGradientDescent(layer, 2.0**-10)

    def work(index: int) -> None:
        for _ in range(16):
            sgd.step(gradients)

    in_threads(COUNT, work)
    assert sgd.time_step == 16 * COUNT
    expected = before - 16 * COUNT * 2.0**-10 * gradients[UI]
    np.testing.assert_allclose(layer.weights[UI], expected, rtol=1e-5, atol=1e-6)


def test_weights_change_while_others_run(device: pymps.Device) -> None:
    """Each pass sees the weights before or after a change, never parts of both; its tape then tells."""
    layer = training_layer(device)
    values = [np.full((5, 5), number, np.float32) for number in (0.0, 0.25)]
    layer.weights[UI] = values[0]
    expected = []
    for array in values[::-1]:
        layer.weights[UI] = array
        expected.append(layer.forward(sequence())[0].copy())
    done, refused = threading.Event(), []

    def change() -> None:
        for round_ in range(100):
            layer.weights[UI] = values[round_ % 2]
        done.set()

    def run() -> None:
        while not done.is_set():
            y, tape = layer.forward(sequence())
            assert any(np.array_equal(y, one) for one in expected)
            assert layer.weights[UI].std() == 0
            try:
                layer.gradient(tape, y)
            except ValueError as error:
                refused.append(error)

    in_threads(3, lambda index: change() if index == 0 else run())
    assert all("the layer's weights have changed" in str(error) for error in refused)
    y, tape = layer.forward(sequence())
    layer.gradient(tape, y)


# ---- Threads of the CPU ----


@pytest.mark.parametrize("kind", [LSTM, GRU, SingleGate])
@pytest.mark.parametrize("rows", [(1,) * 5, (70,) * 4 + (33, 2)])
def test_threads_change_no_bit(kind: type[Layer], rows: tuple[int, ...]) -> None:
    problem = training_problem(reference_layer(kind, 130, 200, use_float32_weights=rows == (1,) * 5), rows)
    expected: list[Any] = []
    for count in (1, 2, 3):
        layer = pymps.MatrixTrainingLayer(pymps.Device("portable", threads=count), descriptor(problem.layer))
        y, tape = layer.forward(problem.x)
        dx, gradients = layer.gradient(tape, problem.dy)
        pymps.Adam(layer, 0.125).step(gradients)
        found = [*y, *dx, *gradients.values(), *layer.weights.values(), tape.state_gradient.recurrent_output()]
        expected = expected or found
        assert_same(found, expected)
