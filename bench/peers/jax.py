"""JAX: a jitted step whose state is donated, and a jitted scan behind one product for the input part of all steps."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

# A process in which JAX runs should not fork, and OpenVINO does when it is imported: it comes first.
with suppress(ModuleNotFoundError):
    import openvino  # noqa: F401

import jax
import jax.numpy as jnp
import numpy as np

from bench.cases import Array, Layer
from bench.peers import Peer

jax.config.update("jax_cpu_enable_async_dispatch", False)  # no thread hop

_State = tuple[jax.Array, ...]
_Product = Callable[[jax.Array, slice], jax.Array]


def _lstm(product: _Product, state: _State) -> _State:
    """`product` of h and a slice of the gates' channels is W x + U h + b of these."""
    h, c = state
    i, f, g, o = jnp.split(product(h, slice(None)), 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def _gru(product: _Product, state: _State) -> _State:
    (h,) = state
    outputs = h.shape[-1]
    z, r = jnp.split(jax.nn.sigmoid(product(h, slice(2 * outputs))), 2, axis=-1)
    new = jnp.tanh(product(r * h, slice(2 * outputs, None)))
    return (new + z * (h - new),)


def _rnn(product: _Product, state: _State) -> _State:
    return (jnp.tanh(product(state[0], slice(None))),)


_CELLS = {"lstm": _lstm, "gru": _gru, "rnn": _rnn}


class _Jax(Peer):
    caller_waits = True

    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        self._dtype = jnp.dtype(dtype)
        self._cell = _CELLS[self.case.kind]
        self._w, self._u, self._b = (jnp.asarray(a.T, self._dtype) for a in (layer.w_ih, layer.w_hh, layer.bias))

    def _zeros(self) -> _State:
        shape = self.case.batch, self.case.outputs
        return tuple(jnp.zeros(shape, self._dtype) for _ in range(2 if self.case.kind == "lstm" else 1))


class _Step(_Jax):
    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        weights, bias = jnp.concatenate([self._w, self._u]), self._b

        def step(x: jax.Array, *state: jax.Array) -> _State:
            def product(h: jax.Array, channels: slice) -> jax.Array:
                return jnp.concatenate([x, h], axis=-1) @ weights[:, channels] + bias[channels]

            return self._cell(product, state)

        self._x = jnp.asarray(layer.x[0], self._dtype)
        self.clear_state()
        self._step = jax.jit(step, donate_argnums=range(1, 1 + len(self._state)))
        self.run = self._run

    def _run(self) -> None:
        self._state = self._step(self._x, *self._state)

    @property
    def y(self) -> Array:
        return np.asarray(self._state[0], np.float32)[np.newaxis]

    def clear_state(self) -> None:
        self._state = self._zeros()


class _Sequence(_Jax):
    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)

        def sequence(x: jax.Array) -> jax.Array:
            def step(state: _State, wx: jax.Array) -> tuple[_State, jax.Array]:
                state = self._cell(lambda h, channels: h @ self._u[:, channels] + wx[:, channels], state)
                return state, state[0]

            # Unrolling helps bfloat16 alone, up to two times.
            return jax.lax.scan(step, self._zeros(), x @ self._w + self._b, unroll=4 if dtype == "bfloat16" else 1)[1]

        self._x = jnp.asarray(layer.x, self._dtype)
        self._sequence = jax.jit(sequence)
        self.run = self._run

    def _run(self) -> None:
        self._y = self._sequence(self._x)

    @property
    def y(self) -> Array:
        return np.asarray(self._y, np.float32)


def _peer(layer: Layer, dtype: str) -> Any:
    return (_Step if layer.case.workload == "step" else _Sequence)(layer, dtype)


PEERS = {"jax": _peer}
