"""Builds pymps's layers from reference.py's, runs them, and compares step by step."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from reference import LSTM, Array, Neuron, State, step, with_rounded_weights, zero_state
from tolerance import assert_within, step_error

import pymps

Rows = Sequence[npt.NDArray[np.generic]] | npt.NDArray[np.generic]


def neuron(n: Neuron) -> pymps.Neuron:
    return pymps.Neuron(pymps.NeuronType(n.type), n.a, n.b, n.c, channel_a=n.channel_a)


def descriptor(lstm: LSTM) -> pymps.LSTMDescriptor:
    """The LSTMDescriptor of a reference layer, every property set by its own name."""
    result = pymps.LSTMDescriptor(lstm.inputs, lstm.outputs)
    result.use_float32_weights = lstm.use_float32_weights
    result.use_layer_input_unit_transform_mode = lstm.unit_input
    result.memory_weights_are_diagonal = lstm.memory_weights_are_diagonal
    result.cell_to_output_neuron_type = pymps.NeuronType(lstm.cell_to_output.type)
    result.cell_to_output_neuron_param_a = lstm.cell_to_output.a
    result.cell_to_output_neuron_param_b = lstm.cell_to_output.b
    result.cell_to_output_neuron_param_c = lstm.cell_to_output.c
    for name, gate in lstm.gates.items():
        if gate.W is not None:
            source = pymps.WeightSource(gate.W, gate.b, neuron(gate.neuron))
            setattr(result, f"{name}_input_weights", source)
        if gate.U is not None:
            setattr(result, f"{name}_recurrent_weights", pymps.WeightSource(gate.U))
        if gate.V is not None:
            setattr(result, f"{name}_memory_weights", pymps.WeightSource(gate.V))
    return result


def inference_layer(device: pymps.Device, *stack: LSTM) -> pymps.MatrixInferenceLayer:
    return pymps.MatrixInferenceLayer(device, [descriptor(lstm) for lstm in stack])


def initial_state(layer: pymps.MatrixInferenceLayer, state: State | None) -> pymps.RecurrentState | None:
    if state is None:
        return None
    h, c = ([array.astype(np.float32) for array in part] for part in state)
    return layer.state(h=h, c=c)


def assert_state(actual: pymps.RecurrentState, expected: State, tolerance: float, what: str) -> None:
    for index, (h, c) in enumerate(zip(*expected, strict=True)):
        assert_within(actual.recurrent_output(index), h, tolerance, f"{what}, h of layer {index}")
        assert_within(actual.memory_cell(index), c, tolerance, f"{what}, c of layer {index}")


def assert_step(
    device: pymps.Device,
    stack: Sequence[LSTM],
    x: npt.NDArray[np.generic],
    before: State,
    state: pymps.RecurrentState,
    y: npt.NDArray[np.generic],
) -> State:
    """Compares one step, of x from `before` to `state` and y, with the reference; returns the state as arrays.

    Each layer's reference starts from what pymps itself had: its own last state, and what the layer below really put
    out. So errors are those of one step, however the recurrence may amplify them later.
    """
    (h, c), after, rows, signal = before, ([], []), len(x), x.astype(np.float64)
    for index, lstm in enumerate(map(with_rounded_weights, stack)):
        start = signal, h[index][:rows], c[index][:rows]
        results = (m.astype(np.float64) for m in (state.recurrent_output(index), state.memory_cell(index)))
        parts = zip("hc", results, step(lstm, *start), _errors(device, lstm, *start), (h, c), after, strict=True)
        for name, result, expected, error, old, new in parts:
            assert_within(result[:rows], expected, error, f"{name} of layer {index}")
            np.testing.assert_array_equal(result[rows:], old[index][rows:], f"{name} of a row that has ended")
            new.append(result)
        signal = after[0][index][:rows]
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(y, signal.astype(np.float32).astype(y.dtype), "y")
    return after


def assert_steps(
    device: pymps.Device, stack: Sequence[LSTM], x: Rows, state: State | None = None
) -> list[npt.NDArray[np.generic]]:
    """Runs x through the stack and compares step by step; returns y."""
    layer = inference_layer(device, *stack)
    y, states = layer(x, initial_state(layer, state), store_all_intermediate_states=True)
    assert len(y) == len(states) == len(x)
    before = zero_state(stack, len(x[0])) if state is None else state
    for x_t, y_t, state_t in zip(x, y, states, strict=True):
        assert y_t.dtype == x_t.dtype
        before = assert_step(device, stack, x_t, before, state_t, y_t)
    return list(y)


def _errors(device: pymps.Device, lstm: LSTM, x: Array, h0: Array, c0: Array) -> tuple[Array | float, ...]:
    """A bound for each element where the arithmetic is pymps's own; where it is Apple's, the promise as a whole."""
    if device.backend == "portable":
        return step_error(lstm, x, h0, c0)
    promise = 2e-6 if lstm.use_float32_weights else 1e-3
    return tuple(promise * max(1.0, np.abs(np.nan_to_num(m)).max()) for m in step(lstm, x, h0, c0))
