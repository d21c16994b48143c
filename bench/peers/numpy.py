"""NumPy, written as fast as it goes: one product and one tanh for all gates, nothing allocated."""

from collections.abc import Callable

import numpy as np

from bench.cases import Array, Layer
from bench.peers import Peer

# Multiplies x, h and a 1, or h alone, with the weights of some gates.
_Product = Callable[[Array, Array], object]


class _Cell:
    """What follows the products, in place. z : (B, G*O), the sigmoid gates first."""

    order: str
    first: int  # how many gates are in the first product

    def __init__(self, layer: Layer) -> None:
        self.outputs = layer.case.outputs
        self.z = np.empty((layer.case.batch, len(self.order) * self.outputs), np.float32)
        self.gates = np.split(self.z, len(self.order), axis=1)
        self.half = np.float32(0.5)

    def clear_state(self) -> None:
        pass

    def halved(self, stacked: Array) -> Array:
        """sigmoid(z) = tanh(z / 2) / 2 + 1/2: with the weights of the sigmoid gates halved, one tanh does for all."""
        stacked = stacked.copy()
        stacked[: -self.outputs] /= 2
        return stacked


class _Lstm(_Cell):
    order, first = "ifoc", 4

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer)
        self.sigmoids = self.z[:, : 3 * self.outputs]
        self.c = np.zeros((layer.case.batch, self.outputs), np.float32)

    def clear_state(self) -> None:
        self.c[:] = 0

    def finish(self, before: Array, h: Array) -> None:
        z, c, sigmoids, half = self.z, self.c, self.sigmoids, self.half
        input_gate, forget_gate, output_gate, cell_gate = self.gates
        np.tanh(z, out=z)
        np.multiply(sigmoids, half, out=sigmoids)
        np.add(sigmoids, half, out=sigmoids)
        np.multiply(c, forget_gate, out=c)
        np.multiply(cell_gate, input_gate, out=cell_gate)
        np.add(c, cell_gate, out=c)
        np.tanh(c, out=cell_gate)
        np.multiply(output_gate, cell_gate, out=h)


class _Gru(_Cell):
    order, first = "zrh", 2

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer)
        self.sigmoids = self.z[:, : 2 * self.outputs]

    def reset(self, h: Array, reset_h: Array) -> None:
        """r h, between the products."""
        sigmoids, half = self.sigmoids, self.half
        np.tanh(sigmoids, out=sigmoids)
        np.multiply(sigmoids, half, out=sigmoids)
        np.add(sigmoids, half, out=sigmoids)
        np.multiply(self.gates[1], h, out=reset_h)

    def finish(self, before: Array, h: Array) -> None:
        """new + z (before - new)."""
        z, scratch, new = self.gates
        np.tanh(new, out=new)
        np.subtract(before, new, out=scratch)
        np.multiply(z, scratch, out=scratch)
        np.add(new, scratch, out=h)


class _Rnn(_Cell):
    order, first = "h", 1

    def finish(self, before: Array, h: Array) -> None:
        np.tanh(self.z, out=h)


_CELLS: dict[str, type[_Cell]] = {"lstm": _Lstm, "gru": _Gru, "rnn": _Rnn}


class _Step(Peer):
    """The bias is a column of the weights, multiplied with a 1 behind x and h; in Fortran order OpenBLAS takes the
    product up to a quarter faster."""

    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        cell = self._cell = _CELLS[self.case.kind](layer)
        weights = [cell.halved(layer.stacked(w, cell.order)) for w in (layer.w_ih, layer.w_hh, layer.bias)]
        stacked = np.column_stack(weights)
        split = cell.first * cell.outputs
        self._weights = [np.asfortranarray(part) for part in (stacked[:split], stacked[split:])]
        self._z = [cell.z[0, :split], cell.z[0, split:]]
        # For a GRU's last gate there is a second one, in which h is r h.
        self._xh1 = [
            np.concatenate([layer.x[0, 0], np.zeros(cell.outputs, np.float32), [1]], dtype=np.float32) for _ in "12"
        ]
        self._h, self._reset_h = (xh1[np.newaxis, self.case.inputs : -1] for xh1 in self._xh1)
        self.run = self._run_gru if isinstance(cell, _Gru) else self._run

    def _run(self) -> None:
        np.dot(self._weights[0], self._xh1[0], out=self._z[0])
        self._cell.finish(self._h, self._h)

    def _run_gru(self) -> None:
        np.dot(self._weights[0], self._xh1[0], out=self._z[0])
        self._cell.reset(self._h, self._reset_h)
        np.dot(self._weights[1], self._xh1[1], out=self._z[1])
        self._cell.finish(self._h, self._h)

    @property
    def y(self) -> Array:
        return self._h[np.newaxis]

    def clear_state(self) -> None:
        self._h[:] = 0
        self._cell.clear_state()


class _Sequence(Peer):
    """The input part of all steps is one product, bias included."""

    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        steps, batch = self.case.steps, self.case.batch
        cell = self._cell = _CELLS[self.case.kind](layer)
        w_ih, w_hh, bias = (cell.halved(layer.stacked(w, cell.order)) for w in (layer.w_ih, layer.w_hh, layer.bias))
        self._x1 = np.concatenate([layer.x, np.ones((steps, batch, 1), np.float32)], axis=2).reshape(steps * batch, -1)
        self._w1 = np.column_stack([w_ih, bias]).T
        self._wx = np.empty((steps * batch, len(bias)), np.float32)
        split = cell.first * cell.outputs
        self._u = [w_hh[:split].T, w_hh[split:].T]
        self._z = [cell.z[:, :split], cell.z[:, split:]]
        terms = self._wx.reshape(steps, batch, -1)
        self._terms = [(term[:, :split], term[:, split:]) for term in terms]
        self._y = np.zeros((1 + steps, batch, cell.outputs), np.float32)  # zeros come first
        self._reset_h = np.empty_like(self._y[0])
        self.run = self._run_gru if isinstance(cell, _Gru) else self._run

    def _run(self) -> None:
        cell, (u, _), (z, _) = self._cell, self._u, self._z
        np.matmul(self._x1, self._w1, out=self._wx)
        cell.clear_state()
        for before, h, (term, _) in zip(self._y, self._y[1:], self._terms):
            np.matmul(before, u, out=z)
            np.add(z, term, out=z)
            cell.finish(before, h)

    def _run_gru(self) -> None:
        cell, (u, u_new), (z, z_new), reset_h = self._cell, self._u, self._z, self._reset_h
        np.matmul(self._x1, self._w1, out=self._wx)
        for before, h, (term, term_new) in zip(self._y, self._y[1:], self._terms):
            np.matmul(before, u, out=z)
            np.add(z, term, out=z)
            cell.reset(before, reset_h)
            np.matmul(reset_h, u_new, out=z_new)
            np.add(z_new, term_new, out=z_new)
            cell.finish(before, h)

    @property
    def y(self) -> Array:
        return self._y[1:]


def _peer(layer: Layer, dtype: str) -> Peer:
    return (_Step if layer.case.workload == "step" else _Sequence)(layer, dtype)


PEERS = {"numpy": _peer}
