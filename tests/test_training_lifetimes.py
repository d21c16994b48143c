"""What of training outlives what, garbage in any order, and that nothing is left."""

import gc
from collections.abc import Callable

import numpy as np
import pytest
from command_buffers import command_buffer, finish
from models import Float32, allocated_size, assert_allocated, lstm, run_child, sequence
from test_threads import SETUP
from training_models import training_layer

import pymps

SIZES = 64, 128  # whose weights are far above the noise of what is allocated


def dy(steps: int = 4, batch: int = 2, outputs: int = 5) -> Float32:
    return sequence(steps, batch, outputs, seed=7)


def trained(device: pymps.Device) -> dict[str, object]:
    """One of each object that training makes, after a step."""
    inputs, outputs = SIZES
    layer = training_layer(device, inputs, outputs)
    y, tape = layer.forward(sequence(features=inputs), store_all_intermediate_states=True)
    dx, gradients = layer.gradient(tape, dy(outputs=outputs))
    adam = pymps.Adam(layer, 0.1)
    adam.step(gradients)
    momentum = pymps.StochasticGradientDescent(layer, 0.1, 0.9)
    momentum.step(gradients)
    return {
        "layer": layer,
        "weights": layer.weights,
        "y": y,
        "tape": tape,
        "part": tape[1:3],
        "state": tape.state,
        "state gradient": tape.state_gradient,
        "dx": dx,
        "gradients": gradients,
        "half": layer.weight_gradients(np.float16),
        "adam": adam,
        "momentum": momentum,
        "descriptor": layer.descriptor(),
    }


NAMES = (
    *("layer", "weights", "y", "tape", "part", "state", "state gradient", "dx"),
    *("gradients", "half", "adam", "momentum", "descriptor"),
)


class Cycle:
    """Garbage that the collector alone can take."""

    def __init__(self, content: object) -> None:
        self.content, self.itself = content, self


def assert_nothing_is_left(device: pymps.Device, use: Callable[[], object]) -> None:
    use()
    size = allocated_size(device)
    for _ in range(10):
        use()
    assert_allocated(device, size)


def test_names(device: pymps.Device) -> None:
    assert set(trained(device)) == set(NAMES)


def test_nothing_is_left(device: pymps.Device) -> None:
    assert_nothing_is_left(device, lambda: trained(device) and None)


@pytest.mark.parametrize("name", [*NAMES, "all"])
def test_nothing_is_left_of_cycles(device: pymps.Device, name: str) -> None:
    def use() -> None:
        made = trained(device)
        Cycle(made if name == "all" else made[name])

    assert_nothing_is_left(device, use)


@pytest.mark.parametrize("is_committed", [True, False])
def test_nothing_is_left_of_command_buffers(device: pymps.Device, is_committed: bool) -> None:
    layer = training_layer(device, *SIZES)
    x, gradient_of_y = device.array(sequence(features=SIZES[0])), device.array(dy(outputs=SIZES[1]))

    def use() -> None:
        work = command_buffer(device)
        sgd = pymps.StochasticGradientDescent(layer, 0.0)
        for temporary in (False, True):
            tape = layer.encode_forward_sequence(
                work, x, device.zeros((4, 2, SIZES[1])), states_are_temporary=temporary, tape_is_temporary=temporary
            )
            gradients = layer.weight_gradients(command_buffer=work if temporary else None)
            layer.encode_gradient_sequence(
                work, tape, gradient_of_y, weight_gradients=gradients, states_are_temporary=temporary
            )
            sgd.encode_step(work, gradients)
            layer.weight_gradients(command_buffer=work)  # which nobody reads
        if is_committed:
            finish(work)

    assert_nothing_is_left(device, use)


@pytest.mark.parametrize("seed", range(6))
def test_garbage_in_any_order(device: pymps.Device, seed: int) -> None:
    rng = np.random.default_rng(seed)
    objects = [*trained(device).values()]
    while objects:
        del objects[rng.integers(len(objects))]
        gc.collect()
        for survivor in objects:
            assert_is_of_use(survivor)


def assert_is_of_use(survivor: object) -> None:
    if isinstance(survivor, np.ndarray):
        assert np.isfinite(survivor).all()
    elif isinstance(survivor, pymps.Tape):
        assert survivor.state is None or np.isfinite(survivor.state.recurrent_output()).all()
    elif isinstance(survivor, pymps.RecurrentState):
        assert np.isfinite(survivor.memory_cell()).all()
    elif isinstance(survivor, pymps.TrainingWeights | pymps.WeightGradients):
        assert all(np.isfinite(array).all() for array in survivor.values())
    elif isinstance(survivor, pymps.Adam | pymps.StochasticGradientDescent):
        survivor.step(survivor.layer.weight_gradients())


def test_what_is_made_keeps_its_layer(device: pymps.Device) -> None:
    layer = training_layer(device)
    expected = {name: array.copy() for name, array in layer.weights.items()}
    _, tape = layer.forward(sequence())
    expected_dx, expected_gradients = layer.gradient(tape, dy())
    sgd, weights = pymps.StochasticGradientDescent(layer, 0.5), layer.weights
    del layer
    gc.collect()
    dx, gradients = tape.layer.gradient(tape, dy())
    np.testing.assert_array_equal(dx, expected_dx)
    del tape, expected_dx
    gc.collect()
    sgd.step(gradients)
    del sgd
    gc.collect()
    for name, array in weights.items():
        np.testing.assert_array_equal(gradients[name], expected_gradients[name])
        np.testing.assert_allclose(array, expected[name] - 0.5 * gradients[name], rtol=1e-5, atol=1e-6)


def test_a_tape_keeps_x(device: pymps.Device) -> None:
    layer = training_layer(device)
    x = device.array(sequence())
    _, tape = layer.forward(x)
    expected, _ = layer.gradient(tape, dy())
    part = tape[1:]
    del x, tape
    gc.collect()
    _ = [device.zeros((4, 2, 3)) for _ in range(100)]
    _, whole = layer.forward(sequence())
    same, _ = layer.gradient(whole[1:], dy()[1:])
    dx, _ = layer.gradient(part, dy()[1:])
    np.testing.assert_array_equal(dx, same)
    np.testing.assert_allclose(dx, expected[1:], rtol=1e-5, atol=2e-6)


def test_a_command_buffer_keeps_what_it_uses(device: pymps.Device) -> None:
    expected_y, tape = training_layer(device).forward(sequence())
    expected_dx, _ = tape.layer.gradient(tape, dy())
    y, dx, work = device.zeros((4, 2, 5)), device.zeros((4, 2, 3)), command_buffer(device)

    def encode() -> None:
        layer = pymps.MatrixTrainingLayer(device, lstm())
        tape = layer.encode_forward_sequence(work, device.array(sequence()), y)
        gradients = layer.weight_gradients()
        layer.encode_gradient_sequence(work, tape, device.array(dy()), dx, weight_gradients=gradients)
        pymps.Adam(layer, 0.1).encode_step(work, gradients)

    encode()
    gc.collect()
    finish(work)
    np.testing.assert_array_equal(y, expected_y)
    np.testing.assert_array_equal(dx, expected_dx)


ENDS = {
    "everything is alive": "y, tape = layer.forward(x); dx, gradients = layer.gradient(tape, y); adam.step(gradients)",
    "the tape alone is alive": "y, tape = layer.forward(x); part = tape[1:]; layer.gradient(tape, y); del layer, tape",
    "cycles": """
class Cycle: pass
for _ in range(3):
    c = Cycle(); c.self = c; c.layer = layer; c.adam = adam; c.y, c.tape = layer.forward(x)
    c.dx, c.gradients = layer.gradient(c.tape, c.y)
    layer = training_layer(); adam = pymps.Adam(layer, 0.1)
del c
""",
    "nothing is committed": """
device = layer.device
work = device.new_command_queue().command_buffer()
tape = layer.encode_forward_sequence(work, device.array(x), device.zeros((4, 2, 5)), tape_is_temporary=True)
gradients = layer.weight_gradients(command_buffer=work)
layer.encode_gradient_sequence(work, tape, device.zeros((4, 2, 5)), weight_gradients=gradients)
""",
    "a thread is in a pass": """
def forever():
    while True: y, tape = layer.forward(x); adam.step(layer.gradient(tape, y)[1])
threading.Thread(target=forever, daemon=True).start()
import time; time.sleep(0.05)
""",
}


@pytest.mark.parametrize("end", ENDS)
def test_the_interpreter_ends_well(end: str) -> None:
    setup = (
        SETUP
        + """
def training_layer():
    arrays = [np.ones(shape, np.float32) / 8 for shape in [(20, 3), (20, 5), (20,)]]
    return pymps.MatrixTrainingLayer(pymps.Device(), pymps.LSTMDescriptor.from_arrays(*arrays))
layer = training_layer(); adam = pymps.Adam(layer, 0.1)
"""
    )
    assert run_child(setup + ENDS[end] + "\nprint('done')\n") == "done\n"
