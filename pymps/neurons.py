"""Activations."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from pymps._values import Immutable, checked_copy, checked_float, describe
from pymps.enums import NeuronType

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Neuron"]

# (a, b, c) where none are given: the values that Apple recommends; for the last three, where Apple names none, those
# that give x, e^x and log x.
_CONVENTIONAL = MappingProxyType(
    {
        NeuronType.LINEAR: (1.0, 0.0, 0.0),
        NeuronType.HARD_SIGMOID: (0.2, 0.5, 0.0),
        NeuronType.TANH: (1.0, 1.0, 0.0),
        NeuronType.SOFT_PLUS: (1.0, 1.0, 0.0),
        NeuronType.ELU: (1.0, 0.0, 0.0),
        NeuronType.RELUN: (1.0, 6.0, 0.0),
        NeuronType.POWER: (1.0, 0.0, 1.0),
        NeuronType.EXPONENTIAL: (1.0, 0.0, -1.0),
        NeuronType.LOGARITHM: (1.0, 0.0, -1.0),
    }
)


class Neuron(Immutable):
    """An activation: what is applied, element by element, to a sum of products (``MPSNNNeuronDescriptor``).

    Immutable; two neurons with the same values are equal.

    Parameters
    ----------
    type : NeuronType
        Which formula of the table below.
    a, b, c : float, optional
        Its parameters, kept as float32 by the device. The defaults stand in the table; a parameter that a formula
        does not use is ignored.
    channel_a : ndarray, shape (out,), float32, optional
        PReLU's `a`, one per output channel. Copied. Required for ``PRELU``, refused for every other type.

    Raises
    ------
    TypeError
        An argument is not of the type above.
    ValueError
        There is no such type, a parameter does not fit float32, or `channel_a` does not go with the type.

    Notes
    -----
    The formulas are Apple's [1]_.

    ============== =================================== ==================
    type           f(x)                                defaults
    ============== =================================== ==================
    NONE           x
    RELU           x if x >= 0 else a x                a = 0
    LINEAR         a x + b                             a = 1, b = 0
    SIGMOID        1 / (1 + e^-x)
    HARD_SIGMOID   min(max(a x + b, 0), 1)             a = 0.2, b = 0.5
    TANH           a tanh(b x)                         a = 1, b = 1
    ABSOLUTE       abs(x)
    SOFT_PLUS      a log(1 + e^(b x))                  a = 1, b = 1
    SOFT_SIGN      x / (1 + abs(x))
    ELU            x if x >= 0 else a (e^x - 1)        a = 1
    PRELU          x if x >= 0 else channel_a[i] x
    RELUN          min(x if x >= 0 else a x, b)        a = 1, b = 6
    POWER          (a x + b)^c                         a = 1, b = 0, c = 1
    EXPONENTIAL    c^(a x + b); c = -1 stands for e    a = 1, b = 0, c = -1
    LOGARITHM      log_c(a x + b); c = -1 stands for e a = 1, b = 0, c = -1
    GELU           x (1 + erf(x sqrt(1/2))) / 2
    ============== =================================== ==================

    References
    ----------
    .. [1] Apple, MPSCNNNeuronType, developer.apple.com/documentation/metalperformanceshaders/mpscnnneurontype
    """

    __slots__ = ("a", "b", "c", "channel_a", "type")

    type: NeuronType
    a: float
    b: float
    c: float
    channel_a: npt.NDArray[np.float32] | None

    def __init__(
        self,
        type: NeuronType,
        a: float | None = None,
        b: float | None = None,
        c: float | None = None,
        channel_a: npt.NDArray[np.float32] | None = None,
    ) -> None:
        type = checked_neuron_type("type", type)
        conventional = _CONVENTIONAL.get(type, (0.0, 0.0, 0.0))
        given = {"a": a, "b": b, "c": c}
        values: dict[str, Any] = {
            name: default if value is None else checked_float(name, value)
            for (name, value), default in zip(given.items(), conventional)
        }
        if (type is NeuronType.PRELU) != (channel_a is not None):
            expected = "one number per output channel" if type is NeuronType.PRELU else "None"
            raise ValueError(
                f"channel_a: {'None' if channel_a is None else 'given'} for {type.name}, expected {expected}"
            )
        if channel_a is not None:
            channel_a = checked_copy("channel_a", channel_a, ("out",), np.float32)
        self._set(type=type, channel_a=channel_a, **values)

    def _key(self) -> tuple[object, ...]:
        return self.type, self.a, self.b, self.c, None if self.channel_a is None else self.channel_a.tobytes()

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Neuron) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, ...]:
        return Neuron, (self.type, self.a, self.b, self.c, self.channel_a)

    def __repr__(self) -> str:
        channels = "" if self.channel_a is None else f", channel_a={self.channel_a!r}"
        return f"Neuron(NeuronType.{self.type.name}, a={self.a}, b={self.b}, c={self.c}{channels})"


def checked_neuron_type(name: str, value: Any) -> NeuronType:
    """A member of NeuronType, or its value."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name}: {describe(value)}, expected a NeuronType")
    try:
        return NeuronType(value)
    except ValueError:
        raise ValueError(f"{name}: {value}, expected a NeuronType, 0 to {max(NeuronType)}") from None


def checked_neuron(name: str, value: Any, outputs: int) -> Neuron:
    """A Neuron for that many output channels; None stands for the identity."""
    if value is None:
        return Neuron(NeuronType.NONE)
    if not isinstance(value, Neuron):
        raise TypeError(f"{name}: {describe(value)}, expected a Neuron or None")
    if value.channel_a is not None and len(value.channel_a) != outputs:
        raise ValueError(f"{name}: channel_a of {len(value.channel_a)} channels, expected {outputs}, one per output")
    return value
