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


def assert_steps(
    device: pymps.Device, stack: Sequence[LSTM], x: Rows, state: State | None = None
) -> list[npt.NDArray[np.generic]]:
    """Runs x through the stack and compares each step of each layer with the reference; returns y.

    The reference's step starts from pymps's own previous state and from what the layer below really put out: errors
    are those of one step, however the recurrence may amplify them later.
    """
    layer = inference_layer(device, *stack)
    y, states = layer(x, initial_state(layer, state), store_all_intermediate_states=True)
    assert len(y) == len(states) == len(x)
    h, c = zero_state(stack, len(x[0])) if state is None else state
    kept = [with_rounded_weights(lstm) for lstm in stack]
    for t, (x_t, y_t, state_t) in enumerate(zip(x, y, states, strict=True)):
        rows, signal = len(x_t), x_t.astype(np.float64)
        for index, lstm in enumerate(kept):
            before = signal, h[index][:rows], c[index][:rows]
            after = [m.astype(np.float64) for m in (state_t.recurrent_output(index), state_t.memory_cell(index))]
            errors = zip("hc", after, step(lstm, *before), _errors(device, lstm, *before), strict=True)
            for name, actual, expected, tolerance in errors:
                assert_within(actual[:rows], expected, tolerance, f"{name} of layer {index} after step {t}")
            np.testing.assert_array_equal(after[0][rows:], h[index][rows:], "h of a row that has ended")
            np.testing.assert_array_equal(after[1][rows:], c[index][rows:], "c of a row that has ended")
            h[index], c[index] = after
            signal = after[0][:rows]
        assert y_t.dtype == x_t.dtype
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(y_t, signal.astype(np.float32).astype(y_t.dtype), f"y of step {t}")
    return list(y)


def _errors(device: pymps.Device, lstm: LSTM, x: Array, h0: Array, c0: Array) -> tuple[Array | float, Array | float]:
    """float32 arithmetic is what the portable backend promises; Apple does not say what goes with float16 weights."""
    if device.backend == "portable" or lstm.use_float32_weights:
        return step_error(lstm, x, h0, c0)
    return tuple(1e-3 * max(1.0, np.abs(expected).max()) for expected in step(lstm, x, h0, c0))  # type: ignore[return-value]
