"""pymps itself: a training layer on arrays of the device; gradients go where those of the last call went."""

import numpy as np

import pymps
from bench.cases import GATES, Array, Layer
from bench.gradients import Gradients, output_gradient
from bench.peers.pymps import device
from bench.peers.training import TrainingPeer
from pymps import MatrixId

_GATES = {"i": "INPUT", "f": "FORGET", "c": "CELL", "o": "OUTPUT"}


class _Training(TrainingPeer):
    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        case = layer.case
        self._layer = pymps.MatrixTrainingLayer(
            device(),
            pymps.LSTMDescriptor.from_arrays(
                layer.w_ih, layer.w_hh, layer.bias, gate_order=GATES["lstm"], use_float32_weights=True
            ),
        )
        self._x = device().array(layer.x)
        self._dy = device().array(output_gradient(case))
        self._y = device().empty((case.steps, case.batch, case.outputs), np.float32)
        self._dx = device().empty((case.steps, case.batch, case.inputs), np.float32)
        self._weight_gradients = self._layer.weight_gradients()
        self.tape_bytes = self._measured_tape_bytes()
        self.run = self._run

    def _run(self) -> None:
        _, tape = self._layer.forward(self._x, out=self._y)
        self._layer.gradient(tape, self._dy, weight_gradients=self._weight_gradients, source_gradient=self._dx)

    def _measured_tape_bytes(self) -> int:
        """What a second tape adds beside a first."""
        kept = [self._layer.forward(self._x, out=self._y)]
        before = device().current_allocated_size
        kept.append(self._layer.forward(self._x, out=self._y))
        return device().current_allocated_size - before

    @property
    def gradients(self) -> Gradients:
        return Gradients(
            self._y,
            self._dx,
            self._stacked("INPUT_WEIGHTS"),
            self._stacked("RECURRENT_WEIGHTS"),
            self._stacked("BIAS_TERMS"),
        )

    def _stacked(self, part: str) -> Array:
        names = [f"LSTM_{_GATES[letter]}_GATE_{part}" for letter in GATES["lstm"]]
        return np.concatenate([self._weight_gradients[MatrixId[name]] for name in names])


PEERS = {"pymps": _Training}
