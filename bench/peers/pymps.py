"""pymps itself: a step of a stream, or a call of the layer on arrays of the device."""

from functools import cache
from typing import Any

import numpy as np

import pymps
from bench import THREADS
from bench.cases import GATES, Array, Layer
from bench.peers import TOLERANCE, Peer

_GATE_NAMES = {
    "lstm": {"i": "input_gate", "f": "forget_gate", "c": "cell_gate", "o": "output_gate"},
    "gru": {"z": "input_gate", "r": "recurrent_gate", "h": "output_gate"},
    "rnn": {"h": ""},
}
_DESCRIPTORS: dict[str, Any] = {
    "lstm": pymps.LSTMDescriptor,
    "gru": pymps.GRUDescriptor,
    "rnn": pymps.SingleGateDescriptor,
}


@cache
def device() -> pymps.Device:
    return pymps.Device(threads=THREADS)


_TOLERANCE = TOLERANCE | {"float16": 1e-3, "int8": 1e-3}


class _Int8(pymps.DataSource):
    """Whole numbers from -127 to 127 times a scale, as uint8 from 0 to 254: 255 would be 128 times the scale."""

    data_type = pymps.DataType.UINT8

    def __init__(self, numbers: Array, scale: float, bias: Array | None = None, tanh: bool = False) -> None:
        neuron = pymps.Neuron(pymps.NeuronType.TANH if tanh else pymps.NeuronType.SIGMOID)
        self.descriptor = pymps.ConvolutionDescriptor(*numbers.shape[::-1], neuron)
        self._weights = (numbers.astype(np.int16) + 127).astype(np.uint8)
        self._ranges = np.tile(np.array([-127 * scale, 128 * scale], np.float32), (len(numbers), 1))
        self._bias = bias

    def weights(self) -> Array:
        return self._weights

    def bias_terms(self) -> Array | None:
        return self._bias

    def ranges_for_uint8_kernel(self) -> Array:
        return self._ranges


def _descriptor(layer: Layer, dtype: str) -> Any:
    kind, case = layer.case.kind, layer.case
    new = _DESCRIPTORS[kind]
    if dtype != "int8":
        order = {"gate_order": GATES[kind]} if kind != "rnn" else {}
        return new.from_arrays(layer.w_ih, layer.w_hh, layer.bias, **order, use_float32_weights=dtype == "float32")
    descriptor = new(case.inputs, case.outputs)
    descriptor.use_float32_weights = True
    for letter, name in _GATE_NAMES[kind].items():
        w, u, bias = (layer.stacked(array, letter) for array in (layer.w_ih, layer.w_hh, layer.bias))
        prefix = f"{name}_" if name else ""
        tanh = letter in "ch"
        setattr(descriptor, f"{prefix}input_weights", _Int8(layer.quantized(w), layer.scale, bias, tanh))
        setattr(descriptor, f"{prefix}recurrent_weights", _Int8(layer.quantized(u), layer.scale))
    return descriptor


class Step(Peer):
    tolerance = _TOLERANCE

    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        self.stream = pymps.MatrixInferenceLayer(device(), _descriptor(layer, dtype)).stream(batch=1)
        self.stream.x[:] = layer.x[0]
        self.run = self.stream.step

    @property
    def y(self) -> Array:
        return self.stream.y[np.newaxis]

    def clear_state(self) -> None:
        self.stream.reset()


class _Sequence(Peer):
    tolerance = _TOLERANCE

    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        case = layer.case
        self._layer = pymps.MatrixInferenceLayer(device(), _descriptor(layer, dtype))
        self._x = device().array(layer.x)
        self._y = device().empty((case.steps, case.batch, case.outputs), np.float32)
        self.run = self._run

    def _run(self) -> None:
        self._layer(self._x, out=self._y)

    @property
    def y(self) -> Array:
        return self._y


def _peer(layer: Layer, dtype: str) -> Peer:
    return (Step if layer.case.workload == "step" else _Sequence)(layer, dtype)


PEERS = {"pymps": _peer}
