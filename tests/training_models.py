"""What the tests of training share: reference layers, their weights by MatrixId, and problems to differentiate."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from autograd import Gradients, Problem, gradients, parts
from models import lstm
from reference import GRU, LSTM, SIGMOID, TANH, Array, Gate, Layer, Neuron, SingleGate

import pymps
from pymps import MatrixId

KINDS = {LSTM: "LSTM", GRU: "GRU", SingleGate: "SINGLE"}
TANH_GATES = {LSTM: ("cell_gate",), GRU: ("output_gate",), SingleGate: ("gate",)}
PARTS = {"W": "INPUT_WEIGHTS", "U": "RECURRENT_WEIGHTS", "V": "MEMORY_WEIGHTS", "b": "BIAS_TERMS"}


def matrix_id(layer: Layer, gate: str, letter: str) -> MatrixId:
    """The id of a gate's W, U, V or b."""
    part = "INPUT_GATE_WEIGHTS" if letter == "V" and isinstance(layer, GRU) else PARTS[letter]
    return MatrixId[f"{KINDS[type(layer)]}_{gate.upper()}_{part}"]


def trained_arrays(layer: Layer) -> dict[tuple[str, str], npt.NDArray[np.generic]]:
    """What of a reference layer can be trained, as it is kept."""
    dtype = np.float32 if layer.use_float32_weights else np.float16
    found = {}
    for name, gate in layer.gates.items():
        for letter in "WUVb":
            array = getattr(gate, letter)
            if letter == "b" and array is None and gate.W is not None:
                array = np.zeros(layer.outputs)
            if array is not None and not (letter == "W" and layer.unit_input):
                found[name, letter] = array.astype(dtype)
    return found


def training_layer(device: pymps.Device, inputs: int = 3, outputs: int = 5) -> pymps.MatrixTrainingLayer:
    return pymps.MatrixTrainingLayer(device, lstm(inputs, outputs))


def reference_layer(kind: type[Layer], inputs: int = 3, outputs: int = 5, **options: Any) -> Layer:
    """A layer of this kind that has all weights; diagonal memory weights where `options` say so."""
    rng = np.random.default_rng(0)

    def weights(*shape: int) -> npt.NDArray[np.float32]:
        return rng.uniform(-0.5, 0.5, shape).astype(np.float32)

    def gate(neuron: int, memory: bool) -> Gate:
        shape = (outputs,) if options.get("memory_weights_are_diagonal") else (outputs, outputs)
        v = weights(*shape) if memory else None
        w, u, b = weights(outputs, inputs), weights(outputs, outputs), weights(outputs)
        return Gate(w, u, v, b, Neuron(neuron, 1, 1))

    names = [field.name for field in fields(kind) if field.name.endswith("gate")]
    gates = {
        name: gate(TANH if name in TANH_GATES[kind] else SIGMOID, kind is LSTM or (kind, name) == (GRU, "output_gate"))
        for name in names
    }
    return kind(inputs, outputs, **gates, **options)


def training_problem(layer: Layer, rows: Sequence[int] = (3, 3, 2, 1), seed: int = 2) -> Problem:
    """Sequences that end one after the other, and states around them."""
    rng, batch = np.random.default_rng(seed), rows[0]

    def random(count: int, channels: int) -> npt.NDArray[np.float32]:
        return rng.standard_normal((count, channels), np.float32)

    x, dy = ([random(count, channels) for count in rows] for channels in (layer.inputs, layer.outputs))
    states = [random(batch, channels) for channels in (layer.outputs, layer.cells) * 2]
    return Problem(layer, trained_arrays(layer), x, dy, *states)


def ending(problem: Problem) -> Problem:
    """The same where nothing comes from behind the ends of the rows that the last step lacks."""
    dh1, dc1 = problem.dh1.copy(), problem.dc1.copy()
    dh1[len(problem.x[-1]) :] = dc1[len(problem.x[-1]) :] = 0
    return replace(problem, dh1=dh1, dc1=dc1)


def cell(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
    """What a layer takes for its memory cell: None where there is none."""
    return values if values.shape[1] else None


def state_arrays(state: pymps.RecurrentState, layer: Layer) -> tuple[Array, Array]:
    """h and c in float64; c without columns where the layer has no memory cell."""
    h = state.recurrent_output().astype(np.float64)
    return h, state.memory_cell().astype(np.float64) if layer.cells else np.zeros((len(h), 0))


def named_gradients(gradients: pymps.WeightGradients, layer: Layer) -> dict[tuple[str, str], Array]:
    names = trained_arrays(layer)
    return {name: gradients[matrix_id(layer, *name)].astype(np.float64) for name in names}


def assert_solved(found: Gradients, problem: Problem) -> None:
    """Compares numbers of a small problem with those of PyTorch in float64."""
    exact = parts(gradients(problem))
    for name, array in parts(found).items():
        expected = exact.pop(name)
        assert np.shape(array) == expected.shape, name
        scale = np.abs(expected).max(initial=1e-3)
        np.testing.assert_allclose(array, expected, rtol=0, atol=2e-6 * scale, err_msg=name)
    assert not exact
