"""Builds pymps's layers from reference.py's, runs them, and compares step by step."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from reference import GRU, LSTM, Array, Layer, Neuron, SingleGate, State, step, with_rounded_weights, zero_state
from tolerance import assert_within, step_error

import pymps

Descriptor = pymps.LSTMDescriptor | pymps.GRUDescriptor | pymps.SingleGateDescriptor
Rows = Sequence[npt.NDArray[np.generic]] | npt.NDArray[np.generic]

CLASSES = {LSTM: pymps.LSTMDescriptor, GRU: pymps.GRUDescriptor, SingleGate: pymps.SingleGateDescriptor}
MEMORY = {LSTM: "memory", GRU: "input_gate"}  # what the property of V is called


def neuron(n: Neuron) -> pymps.Neuron:
    return pymps.Neuron(pymps.NeuronType(n.type), n.a, n.b, n.c, channel_a=n.channel_a)


def property_name(layer: Layer, gate: str, weight: str) -> str:
    """What the descriptor of `layer` calls a gate's W, U or V."""
    prefix = "" if gate == "gate" else f"{gate}_"
    return f"{prefix}{ {'W': 'input', 'U': 'recurrent', 'V': MEMORY.get(type(layer))}[weight] }_weights"


def descriptor(layer: Layer) -> Descriptor:
    """The descriptor of a reference layer, every property set by its own name."""
    result = CLASSES[type(layer)](layer.inputs, layer.outputs)
    result.use_float32_weights = layer.use_float32_weights
    result.use_layer_input_unit_transform_mode = layer.unit_input
    result.layer_sequence_direction = pymps.RNNSequenceDirection(layer.backward)
    if isinstance(layer, LSTM):
        set_lstm_properties(result, layer)
    if isinstance(layer, GRU):
        result.gate_pnorm_value = layer.gate_pnorm_value
        result.flip_output_gates = layer.flip_output_gates
    for name, gate in layer.gates.items():
        for weight in "WUV":
            if getattr(gate, weight) is not None:
                carried = (gate.b, neuron(gate.neuron)) if weight == "W" else ()
                source = pymps.WeightSource(getattr(gate, weight), *carried)
                setattr(result, property_name(layer, name, weight), source)
    return result


def set_lstm_properties(result: pymps.LSTMDescriptor, lstm: LSTM) -> None:
    result.memory_weights_are_diagonal = lstm.memory_weights_are_diagonal
    result.cell_to_output_neuron_type = pymps.NeuronType(lstm.cell_to_output.type)
    result.cell_to_output_neuron_param_a = lstm.cell_to_output.a
    result.cell_to_output_neuron_param_b = lstm.cell_to_output.b
    result.cell_to_output_neuron_param_c = lstm.cell_to_output.c


def inference_layer(device: pymps.Device, *stack: Layer) -> pymps.MatrixInferenceLayer:
    return pymps.MatrixInferenceLayer(device, [descriptor(layer) for layer in stack])


def as_float32(part: Sequence[Array]) -> list[npt.NDArray[np.float32] | None]:
    """What a layer takes for its h or c: None where there is none."""
    return [m.astype(np.float32) if m.shape[-1] else None for m in part]


def as_float64(x: npt.NDArray[np.generic]) -> Array:
    """What a layer takes x for: whole numbers without a sign, as images may have them, are from 0 to 1."""
    return x.astype(np.float64) / (np.iinfo(x.dtype).max if x.dtype.kind == "u" else 1)


def initial_state(layer: pymps.MatrixInferenceLayer, state: State | None) -> pymps.RecurrentState | None:
    return None if state is None else layer.state(h=as_float32(state[0]), c=as_float32(state[1]))


def arrays(state: pymps.RecurrentState) -> State:
    """h and c of each layer in float64; c without columns where the layer has no memory cell."""
    layers = range(state.number_of_layers)
    return [state.recurrent_output(index).astype(np.float64) for index in layers], [_cell(state, i) for i in layers]


def _cell(state: pymps.RecurrentState, index: int) -> Array:
    try:
        return state.memory_cell(index).astype(np.float64)
    except ValueError:  # where none is expected: the reference has no columns there
        return np.zeros((*state.recurrent_output(index).shape[:-1], 0))


def assert_state(actual: pymps.RecurrentState, expected: State, tolerance: float, what: str) -> None:
    for name, part, expected_part in zip("hc", arrays(actual), expected, strict=True):
        for index, (m, expected_m) in enumerate(zip(part, expected_part, strict=True)):
            assert_within(m, expected_m, tolerance, f"{what}, {name} of layer {index}")


def assert_step(
    device: pymps.Device,
    stack: Sequence[Layer],
    x: npt.NDArray[np.generic],
    before: State,
    state: pymps.RecurrentState,
    y: npt.NDArray[np.generic],
) -> State:
    """Compares one step, of x from `before` to `state` and y, with the reference; returns the state as arrays.

    Each layer's reference starts from what pymps itself had: its own last state, and what the layer below really put
    out. So errors are those of one step, however the recurrence may amplify them later.
    """
    after, rows, signal = arrays(state), len(x), as_float64(x)
    for index, layer in enumerate(map(with_rounded_weights, stack)):
        old, results = ([part[index] for part in parts] for parts in (before, after))
        start = signal, *(m[:rows] for m in old)
        parts = zip("hc", results, step(layer, *start), _errors(device, layer, *start), old, strict=True)
        for name, result, expected, error, ended in parts:
            assert_within(result[:rows], expected, error, f"{name} of layer {index}")
            np.testing.assert_array_equal(result[rows:], ended[rows:], f"{name} of a row that has ended")
        signal = results[0][:rows]
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(y, signal.astype(np.float32).astype(y.dtype), "y")
    return after


def assert_steps(
    device: pymps.Device, stack: Sequence[Layer], x: Rows, state: State | None = None
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


def _errors(device: pymps.Device, layer: Layer, x: Array, h0: Array, c0: Array) -> tuple[Array | float, ...]:
    """A bound for each element where the arithmetic is pymps's own; where it is Apple's, the promise as a whole."""
    if device.backend == "portable":
        return step_error(layer, x, h0, c0)
    promise = 2e-6 if layer.use_float32_weights else 1e-3
    return tuple(promise * np.abs(np.nan_to_num(m)).max(initial=1.0) for m in step(layer, x, h0, c0))
