"""Where a layer's weights come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pymps._values import Immutable, checked_copy, describe
from pymps.enums import DataType, NeuronType
from pymps.neurons import Neuron

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["WeightSource"]


class WeightSource(Immutable):
    """One matrix of weights, with the bias and the activation that go with it (``MPSCNNConvolutionDataSource``).

    Immutable: the arrays are copied.

    Parameters
    ----------
    weights : ndarray, shape (out, in) or (out,), float32 or float16
        Row = output channel, column = input channel. One number per output channel for diagonal memory weights only.
    bias : ndarray, shape (out,), float32, optional
        Added to the products. None: zeros.
    neuron : Neuron, optional
        The activation. None: ``Neuron(NeuronType.NONE)``, the identity.
    label : str, optional
        A name for the layer's tools.

    Raises
    ------
    TypeError
        An argument is not of the type or dtype above; nothing is converted silently.
    ValueError
        The shapes do not go together.

    Notes
    -----
    A gate takes its bias and its activation from its input weights alone [1]_: those of recurrent and memory weights
    are ignored.

    References
    ----------
    .. [1] Apple, MPSLSTMDescriptor, developer.apple.com/documentation/metalperformanceshaders/mpslstmdescriptor
    """

    __slots__ = ("bias", "label", "neuron", "weights")

    weights: npt.NDArray[np.float32] | npt.NDArray[np.float16]
    bias: npt.NDArray[np.float32] | None
    neuron: Neuron
    label: str | None

    def __init__(
        self,
        weights: npt.NDArray[np.float32] | npt.NDArray[np.float16],
        bias: npt.NDArray[np.float32] | None = None,
        neuron: Neuron | None = None,
        label: str | None = None,
    ) -> None:
        shape = ("out",) if getattr(weights, "ndim", 2) == 1 else ("out", "in")
        weights = checked_copy("weights", weights, shape, np.float32, np.float16)
        out = weights.shape[0]
        if bias is not None:
            bias = checked_copy("bias", bias, (out,), np.float32)
        if neuron is None:
            neuron = Neuron(NeuronType.NONE)
        elif not isinstance(neuron, Neuron):
            raise TypeError(f"neuron: {describe(neuron)}, expected a Neuron or None")
        if neuron.channel_a is not None and len(neuron.channel_a) != out:
            raise ValueError(f"neuron: channel_a of {len(neuron.channel_a)} channels, expected {out}, one per output")
        if label is not None and not isinstance(label, str):
            raise TypeError(f"label: {describe(label)}, expected a str or None")
        self._set(weights=weights, bias=bias, neuron=neuron, label=label)

    @property
    def data_type(self) -> DataType:
        """The type of the weights; the bias is always float32."""
        return DataType.FLOAT16 if self.weights.dtype == np.float16 else DataType.FLOAT32

    def __reduce__(self) -> tuple[Any, ...]:
        return WeightSource, (self.weights, self.bias, self.neuron, self.label)

    def __repr__(self) -> str:
        label = "" if self.label is None else f" {self.label!r}"
        bias = "without bias" if self.bias is None else "with bias"
        return f"<WeightSource{label} {self.weights.shape} {self.weights.dtype}, {bias}, {self.neuron!r}>"
