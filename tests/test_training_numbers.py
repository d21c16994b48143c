"""Gradients against PyTorch's autograd in float64, over random layers, sequences and states."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
import strategies
from autograd import Gradients, Problem, gradients, parts
from checking import descriptor
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference import GRU, Layer
from training_models import cell, matrix_id, state_arrays, trained_arrays, training_layer

import pymps

torch = pytest.importorskip("torch", reason="comparing with PyTorch needs torch==2.13.0")

# How many times farther from float64 than PyTorch's own float32, and what of the numbers' scale on top of that.
FACTOR, ROUNDING = 16, 4e-6


def random(rng: np.random.Generator, *shape: int) -> npt.NDArray[np.float32]:
    return rng.standard_normal(shape, np.float32)


def smooth(layer: Layer) -> Layer:
    """Where p is not 1, the slope of (1 - z^p)^(1/p) is infinite at 1, which a hard sigmoid reaches."""
    if isinstance(layer, GRU) and layer.gate_pnorm_value != 1:
        gate = replace(layer.input_gate, neuron=ref.Neuron(ref.SIGMOID))
        return replace(layer, input_gate=gate)
    return layer


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    layer = smooth(draw(strategies.layers(draw(st.sampled_from(strategies.SIZES)))))
    rows = sorted(draw(st.lists(st.integers(1, 6), min_size=1, max_size=5)), reverse=True)
    rng, batch = draw(strategies.seeds), rows[0]
    starts = draw(st.booleans())
    return Problem(
        layer,
        trained_arrays(layer),
        [random(rng, count, layer.inputs) for count in rows],
        [random(rng, count, layer.outputs) for count in rows],
        random(rng, batch, layer.outputs) * starts,
        random(rng, batch, layer.cells) * starts,
        random(rng, batch, layer.outputs) * draw(st.booleans()),
        random(rng, batch, layer.cells) * draw(st.booleans()),
    )


def layer_gradients(layer: pymps.MatrixTrainingLayer, problem: Problem) -> Gradients:
    """The same by pymps."""
    start = layer.state(problem.h0, cell(problem.c0)) if problem.h0.any() else None
    y, tape = layer.forward(list(problem.x), start)
    ahead = problem.dh1.any() or problem.dc1.any()
    end = layer.state_gradient(problem.dh1, cell(problem.dc1)) if ahead else None
    dx, weights = layer.gradient(tape, list(problem.dy), state_gradient=end)
    h1, c1 = state_arrays(tape.state, problem.layer)
    dh0, dc0 = state_arrays(tape.state_gradient, problem.layer)
    named = {name: weights[matrix_id(problem.layer, *name)].astype(np.float64) for name in problem.weights}
    return Gradients(y, h1, c1, dx, dh0, dc0, named)


def assert_gradients(actual: Gradients, problem: Problem) -> None:
    exact, single = parts(gradients(problem)), parts(gradients(problem, "float32"))
    assume(all(np.isfinite(m).all() for m in (*exact.values(), *single.values())))
    scale = max(1.0, *(np.abs(m).max(initial=0) for m in exact.values()))
    off = max(np.abs(single[name] - m).max(initial=0) for name, m in exact.items())
    assume(off < 1e-3 * scale)  # else the numbers mean nothing in float32
    for name, expected in exact.items():
        tolerance = FACTOR * np.abs(single[name] - expected).max(initial=0) + ROUNDING * np.abs(expected).max(initial=0)
        found = np.asarray(parts(actual)[name], np.float64)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance + off + 1e-30, err_msg=name)


@settings(max_examples=200)
@given(problem=problems())
def test_gradients(device: pymps.Device, problem: Problem) -> None:
    layer = pymps.MatrixTrainingLayer(device, descriptor(problem.layer))
    assert_gradients(layer_gradients(layer, problem), problem)


@settings(max_examples=50)
@given(problem=problems(), data=st.data())
def test_parts_of_a_pass_add_up(device: pymps.Device, problem: Problem, data: st.DataObject) -> None:
    """Backward through some steps and then through those before is backward through all of them."""
    layer = pymps.MatrixTrainingLayer(device, descriptor(problem.layer))
    whole = layer_gradients(layer, problem)
    steps = len(problem.x)
    cut = data.draw(st.integers(1, steps - 1)) if steps > 1 else 0
    assume(cut > 0)
    start = layer.state(problem.h0, cell(problem.c0))
    _, tape = layer.forward(list(problem.x), start)
    # What the last steps lack of the rows, others ended before: their gradient is already that of the cut.
    end = layer.state_gradient(problem.dh1, cell(problem.dc1))
    late, early = tape[cut:], tape[:cut]
    rows = len(problem.x[cut])
    end_h, end_c = state_arrays(end, problem.layer)
    of_late = layer.state_gradient(end_h[:rows].astype(np.float32), cell(end_c[:rows].astype(np.float32)))
    dx_late, gradients_ = layer.gradient(late, list(problem.dy[cut:]), state_gradient=of_late)
    h, c = (part.astype(np.float32) for part in state_arrays(late.state_gradient, problem.layer))
    h, c = np.concatenate([h, problem.dh1[rows:]]), np.concatenate([c, problem.dc1[rows:]])
    middle = layer.state_gradient(h, cell(c))
    dx_early, _ = layer.gradient(
        early, list(problem.dy[:cut]), state_gradient=middle, weight_gradients=gradients_, accumulate=True
    )
    named = {name: gradients_[matrix_id(problem.layer, *name)] for name in problem.weights}
    found = Gradients(
        whole.y, whole.h1, whole.c1, dx_early + dx_late, *state_arrays(early.state_gradient, problem.layer), named
    )
    for name, expected in parts(whole).items():
        assume(np.isfinite(expected).all())
        scale = max(1e-30, np.abs(expected).max(initial=0))
        np.testing.assert_allclose(parts(found)[name], expected, rtol=0, atol=1e-4 * scale, err_msg=name)


@settings(max_examples=50)
@given(problem=problems())
def test_all_intermediate_states(device: pymps.Device, problem: Problem) -> None:
    """The state before each step and what the gradient says of it, against passes that begin there."""
    layer = pymps.MatrixTrainingLayer(device, descriptor(problem.layer))
    start = layer.state(problem.h0, cell(problem.c0))
    end = layer.state_gradient(problem.dh1, cell(problem.dc1))
    _, tape = layer.forward(list(problem.x), start, store_all_intermediate_states=True)
    layer.gradient(tape, list(problem.dy), state_gradient=end, store_all_intermediate_states=True)
    assert len(tape.states) == len(tape.state_gradients) == len(problem.x)
    for step in range(1, len(problem.x)):
        rows = len(problem.x[step])
        h, c = (m[:rows].astype(np.float32) for m in state_arrays(tape.states[step - 1], problem.layer))
        rest = replace(
            problem,
            x=problem.x[step:],
            dy=problem.dy[step:],
            h0=h,
            c0=c,
            dh1=problem.dh1[:rows],
            dc1=problem.dc1[:rows],
        )
        expected = layer_gradients(layer, rest)
        found = state_arrays(tape.state_gradients[step], problem.layer)
        for actual, wanted, ended in zip(found, (expected.dh0, expected.dc0), (problem.dh1, problem.dc1)):
            assume(np.isfinite(wanted).all())
            scale = max(1e-30, np.abs(wanted).max(initial=0))
            np.testing.assert_allclose(actual[:rows], wanted, rtol=0, atol=1e-4 * scale)
            np.testing.assert_array_equal(actual[rows:], ended[rows:])


@settings(max_examples=50)
@given(layer=strategies.layers(5))
def test_weights_are_the_descriptors(device: pymps.Device, layer: Layer) -> None:
    weights = pymps.MatrixTrainingLayer(device, descriptor(layer)).weights
    expected = {matrix_id(layer, *name): array for name, array in trained_arrays(layer).items()}
    assert set(weights) == set(expected)
    for name, array in expected.items():
        assert weights[name].dtype == array.dtype
        np.testing.assert_array_equal(weights[name], array)


@settings(max_examples=50)
@given(layer=strategies.layers(5))
def test_a_descriptor_of_trained_weights_gives_the_same(device: pymps.Device, layer: Layer) -> None:
    training = pymps.MatrixTrainingLayer(device, descriptor(layer))
    rng = np.random.default_rng(3)
    for name, array in training.weights.items():
        training.weights[name] = (rng.standard_normal(array.shape) / 4).astype(array.dtype)
    x = random(rng, 3, 2, 5)
    y, _ = training.forward(x)
    inference = pymps.MatrixInferenceLayer(device, training.descriptor())
    expected, _ = inference(x)
    assume(np.isfinite(expected).all())
    tolerance = 2e-5 if layer.use_float32_weights else 1e-3
    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)


def test_float16_sequences(device: pymps.Device) -> None:
    """As close to float32 ones as their own rounding lets them be."""
    layer = training_layer(device)
    rng = np.random.default_rng(4)
    x = rng.standard_normal((4, 2, 3)).astype(np.float16)
    dy = rng.standard_normal((4, 2, 5)).astype(np.float16)
    y, tape = layer.forward(x)
    dx, gradients_ = layer.gradient(tape, dy)
    assert (y.dtype, dx.dtype, gradients_.dtype) == (np.float16, np.float16, np.float32)
    exact_y, exact_tape = layer.forward(x.astype(np.float32))
    exact_dx, exact = layer.gradient(exact_tape, dy.astype(np.float32))
    np.testing.assert_allclose(y, exact_y, rtol=2e-3, atol=1e-3)
    np.testing.assert_allclose(dx, exact_dx, rtol=2e-3, atol=1e-3)
    for name in exact:
        np.testing.assert_allclose(gradients_[name], exact[name], rtol=1e-2, atol=1e-2)


def test_float16_gradients(device: pymps.Device) -> None:
    layer = training_layer(device)
    y, tape = layer.forward(random(np.random.default_rng(5), 4, 2, 3))
    half = layer.weight_gradients(np.float16)
    _, same = layer.gradient(tape, y, weight_gradients=half)
    _, single = layer.gradient(tape, y)
    assert same is half
    for name in half:
        assert half[name].dtype == np.float16
        np.testing.assert_allclose(half[name], single[name], rtol=2e-3, atol=1e-4)
