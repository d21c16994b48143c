"""MLX on the CPU: a compiled step, and sequences as one graph of compiled cells, the input part of all steps first."""

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np

from bench.cases import Array, Layer
from bench.peers import Peer

mx.set_default_device(mx.cpu)

_State = tuple[mx.array, ...]
_Product = Callable[[mx.array, int, int], mx.array]


def _lstm(z: mx.array, c: mx.array) -> _State:
    i, f, g, o = mx.split(z, 4, axis=-1)
    c = mx.sigmoid(f) * c + mx.sigmoid(i) * mx.tanh(g)
    return mx.sigmoid(o) * mx.tanh(c), c


def _gru_gates(zr: mx.array, h: mx.array) -> tuple[mx.array, mx.array]:
    z, r = mx.split(mx.sigmoid(zr), 2, axis=-1)
    return z, r * h


def _gru(new: mx.array, z: mx.array, h: mx.array) -> mx.array:
    new = mx.tanh(new)
    return new + z * (h - new)


class _Cell:
    """One step, given `product`: W x + U h + b of the gates from one number on up to another."""

    def __init__(self, kind: str, compiled: bool) -> None:
        compile_ = mx.compile if compiled else lambda function: function
        self._lstm, self._gru_gates, self._gru = map(compile_, (_lstm, _gru_gates, _gru))
        self.run = {"lstm": self.lstm, "gru": self.gru, "rnn": self.rnn}[kind]

    def lstm(self, product: _Product, state: _State) -> _State:
        return self._lstm(product(state[0], 0, 4), state[1])

    def gru(self, product: _Product, state: _State) -> _State:
        (h,) = state
        z, reset_h = self._gru_gates(product(h, 0, 2), h)
        return (self._gru(product(reset_h, 2, 3), z, h),)

    def rnn(self, product: _Product, state: _State) -> _State:
        return (mx.tanh(product(state[0], 0, 1)),)


class _Mlx(Peer):
    caller_waits = True

    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        self._dtype = getattr(mx, dtype)
        self._outputs = self.case.outputs

    def _array(self, values: Array) -> mx.array:
        array = mx.array(np.ascontiguousarray(values)).astype(self._dtype)
        mx.eval(array)
        return array

    def _gates(self, stacked: Array) -> dict[tuple[int, int], mx.array]:
        """Rows by the gates that a product asks for."""
        ranges = {"lstm": [(0, 4)], "gru": [(0, 2), (2, 3)], "rnn": [(0, 1)]}[self.case.kind]
        return {(a, b): self._array(stacked[a * self._outputs : b * self._outputs].T) for a, b in ranges}

    def _zeros(self) -> _State:
        zeros = mx.zeros((self.case.batch, self._outputs), self._dtype)
        mx.eval(zeros)
        return (zeros,) * (2 if self.case.kind == "lstm" else 1)


class _Step(_Mlx):
    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        weights, biases = self._gates(np.concatenate([layer.w_ih, layer.w_hh], axis=1)), self._gates(layer.bias)
        cell = _Cell(self.case.kind, compiled=False)  # the step is, as a whole

        def step(x: mx.array, *state: mx.array) -> _State:
            def product(h: mx.array, *gates: int) -> mx.array:
                return mx.addmm(biases[gates], mx.concatenate([x, h], axis=-1), weights[gates])

            return cell.run(product, state)

        self._x = self._array(layer.x[0])
        self._step = mx.compile(step)
        self.clear_state()
        self.run = self._run

    def _run(self) -> None:
        self._state = self._step(self._x, *self._state)
        mx.eval(self._state)

    @property
    def y(self) -> Array:
        return np.array(self._state[0].astype(mx.float32))[np.newaxis]

    def clear_state(self) -> None:
        self._state = self._zeros()


class _Sequence(_Mlx):
    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        self._x = self._array(layer.x)
        self._w, self._u, self._b = (self._gates(array) for array in (layer.w_ih, layer.w_hh, layer.bias))
        self._cell = _Cell(self.case.kind, compiled=True)
        self._first = self._zeros()
        self.run = self._run

    def _run(self) -> None:
        state, outputs = self._first, []
        wx = {gates: mx.addmm(self._b[gates], self._x, self._w[gates]) for gates in self._w}
        for step in range(self.case.steps):

            def product(h: mx.array, *gates: int, step: int = step) -> mx.array:
                return mx.addmm(wx[gates][step], h, self._u[gates])

            state = self._cell.run(product, state)
            outputs.append(state[0])
        self._y = mx.stack(outputs)
        mx.eval(self._y)

    @property
    def y(self) -> Array:
        return np.array(self._y.astype(mx.float32))


def _peer(layer: Layer, dtype: str) -> Any:
    return (_Step if layer.case.workload == "step" else _Sequence)(layer, dtype)


PEERS = {"mlx": _peer}
