"""Where a layer's weights come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from pymps._values import Immutable, checked_array, checked_copy, checked_label
from pymps.enums import DataType
from pymps.neurons import Neuron, checked_neuron

if TYPE_CHECKING:
    import numpy.typing as npt

    _Weights: TypeAlias = npt.NDArray[np.float32] | npt.NDArray[np.float16] | npt.NDArray[np.uint8]

__all__ = ["WeightSource", "check_quantization", "kernel_shape"]


class WeightSource(Immutable):
    """The weights of one product, with the bias and the activation that go with it (``MPSCNNConvolutionDataSource``).

    Immutable: the arrays are copied.

    Parameters
    ----------
    weights : ndarray, shape (out, in), (out, kh, kw, in) or (out,), float32, float16 or uint8
        Row = output channel, column = input channel. For an `ImageInferenceLayer` a kernel of kh rows of kw pixels
        between the two; a matrix is one of 1 x 1. One number per output channel for diagonal memory weights only.
    bias : ndarray, shape (out,), float32, optional
        Added to the products. None: zeros.
    neuron : Neuron, optional
        The activation. None: ``Neuron(NeuronType.NONE)``, the identity.
    label : str, optional
        A name for the layer's tools.
    ranges : ndarray, shape (out, 2), float32, optional
        What the bytes u of uint8 weights mean: w = u / 255 * (max - min) + min, each output channel with a min and a
        max of its own.
    lookup_table : ndarray, shape (256,), float32, optional
        What the bytes u of uint8 weights mean: w = lookup_table[u]. Such weights need one of the two.

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

    In the portable backend input and recurrent weights with `ranges` stay bytes in a layer of matrices, whatever a
    descriptor's `use_float32_weights` says; all other uint8 weights become floats when a layer is made. A layer of
    images rounds these to float16, as it does all weights.

    References
    ----------
    .. [1] Apple, MPSLSTMDescriptor, developer.apple.com/documentation/metalperformanceshaders/mpslstmdescriptor
    """

    __slots__ = ("bias", "label", "lookup_table", "neuron", "ranges", "weights")

    weights: _Weights
    bias: npt.NDArray[np.float32] | None
    neuron: Neuron
    label: str | None
    ranges: npt.NDArray[np.float32] | None
    lookup_table: npt.NDArray[np.float32] | None

    def __init__(
        self,
        weights: _Weights,
        bias: npt.NDArray[np.float32] | None = None,
        neuron: Neuron | None = None,
        label: str | None = None,
        ranges: npt.NDArray[np.float32] | None = None,
        lookup_table: npt.NDArray[np.float32] | None = None,
    ) -> None:
        shape = ("out",) if getattr(weights, "ndim", 2) == 1 else kernel_shape(weights, "out", "in")
        weights = checked_copy("weights", weights, shape, np.float32, np.float16, np.uint8)
        out = weights.shape[0]
        if bias is not None:
            bias = checked_copy("bias", bias, (out,), np.float32)
        check_quantization("", weights.dtype.name, ranges=ranges, lookup_table=lookup_table)
        if ranges is not None:
            ranges = checked_copy("ranges", ranges, (out, 2), np.float32)
        if lookup_table is not None:
            lookup_table = checked_copy("lookup_table", lookup_table, (256,), np.float32)
        self._set(
            weights=weights,
            bias=bias,
            neuron=checked_neuron("neuron", neuron, out),
            label=checked_label("label", label),
            ranges=ranges,
            lookup_table=lookup_table,
        )

    @property
    def data_type(self) -> DataType:
        """The type of the weights; the bias is always float32."""
        return DataType[self.weights.dtype.name.upper()]

    def quantized(self) -> WeightSource:
        """The same with the weights rounded to uint8, a quarter of the memory that float32 takes.

        Each output channel has 256 numbers of its own, at equal steps from its least weight to its largest.

        Returns
        -------
        WeightSource
            With `ranges`. Each weight is off by half a step at most; all the rest is as it was.

        Notes
        -----
        In a layer of matrices the portable device multiplies such weights by activations that it rounds too, each by up
        to 2**-16 of the largest in its row: bring the features of `x` to a common scale.

        Raises
        ------
        TypeError
            The weights are uint8 already.
        ValueError
            The weights of an output channel are not all finite, or so far apart that float32 can't hold the distance.

        Examples
        --------
        >>> lstm.cell_gate_recurrent_weights = lstm.cell_gate_recurrent_weights.quantized()
        """
        weights = checked_array("weights", self.weights, self.weights.shape, np.float32, np.float16)
        rows = weights.reshape(len(weights), -1).astype(np.float32)
        low, high = rows.min(axis=1, keepdims=True), rows.max(axis=1, keepdims=True)
        with np.errstate(over="ignore", invalid="ignore"):
            distance = high - low
        if not np.isfinite(distance).all():
            channel = int(np.argmin(np.isfinite(distance)))
            raise ValueError(
                f"weights[{channel}]: from {low[channel, 0]} to {high[channel, 0]}, expected a finite range"
            )
        step = np.where(distance > 0, (high.astype(np.float64) - low) / 255, 1)
        levels = np.rint((rows - low.astype(np.float64)) / step).astype(np.uint8)
        ranges = np.concatenate([low, high], axis=1)
        return WeightSource(levels.reshape(weights.shape), self.bias, self.neuron, self.label, ranges)

    def __reduce__(self) -> tuple[Any, ...]:
        return WeightSource, (self.weights, self.bias, self.neuron, self.label, self.ranges, self.lookup_table)

    def __repr__(self) -> str:
        label = "" if self.label is None else f" {self.label!r}"
        bias = "without bias" if self.bias is None else "with bias"
        return f"<WeightSource{label} {self.weights.shape} {self.weights.dtype}, {bias}, {self.neuron!r}>"


def kernel_shape(weights: object, outputs: int | str, inputs: int | str) -> tuple[int | str, ...]:
    """What weights look like that have as many axes: those of a matrix, or of a kernel of any size."""
    between = ("kh", "kw") if getattr(weights, "ndim", 2) == 4 else ()
    return (outputs, *between, inputs)


def check_quantization(where: str, dtype: str, **ways: object) -> None:
    """uint8 weights come with exactly one way to read them, others with none. `where` begins the error message."""
    given = [name for name, way in ways.items() if way is not None]
    if len(given) != (dtype == "uint8"):
        raise ValueError(
            f"{where}{', '.join(ways)}: {' and '.join(given) or 'neither'} given for {dtype} weights, "
            f"expected {'one of the two' if dtype == 'uint8' else 'neither'}"
        )
