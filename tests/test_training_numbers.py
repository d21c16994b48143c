"""Gradients against PyTorch's autograd in float64, over random layers, sequences and states."""

from dataclasses import replace
from typing import Any

import autograd
import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
import strategies
from autograd import Gradients, Problem, gradients
from checking import as_float32, descriptor
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference import GRU, LSTM, Array, Layer
from training_models import matrix_id, trained_arrays

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


def state_arrays(state: pymps.RecurrentState, layer: Layer) -> tuple[Array, Array]:
    h = state.recurrent_output().astype(np.float64)
    return h, state.memory_cell().astype(np.float64) if layer.cells else np.zeros((len(h), 0))


def cell(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
    return values if values.shape[1] else None


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


def parts(found: Gradients) -> dict[str, Array]:
    lists = {f"{name}[{step}]": m for name in ("y", "dx") for step, m in enumerate(getattr(found, name))}
    states = {name: getattr(found, name) for name in ("h1", "c1", "dh0", "dc0")}
    return {**lists, **states, **{f"d{letter} of {gate}": m for (gate, letter), m in found.weights.items()}}


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
