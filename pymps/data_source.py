"""Weights that are fetched when a layer is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pymps._values import Immutable, checked_array, checked_count, checked_label, checked_member, describe
from pymps.enums import DataType
from pymps.neurons import Neuron, checked_neuron
from pymps.weights import check_quantization

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["ConvolutionDescriptor", "DataSource", "FetchedWeights", "fetch_weights"]


class ConvolutionDescriptor(Immutable):
    """What the weights of a source look like, and the activation that goes with it (``MPSCNNConvolutionDescriptor``).

    Immutable; two with the same values are equal.

    Parameters
    ----------
    input_feature_channels : int
        The columns, `in`.
    output_feature_channels : int
        The rows, `out`.
    neuron : Neuron, optional
        The activation. None: ``Neuron(NeuronType.NONE)``, the identity.
    kernel_width : int
        How many pixels of a line an `ImageInferenceLayer` multiplies for one, `kw`. Other layers take 1 alone.
    kernel_height : int
        Of how many lines, `kh`.

    Raises
    ------
    TypeError, ValueError
        The message names the argument, what came and what was expected.
    """

    __slots__ = ("input_feature_channels", "kernel_height", "kernel_width", "neuron", "output_feature_channels")

    input_feature_channels: int
    output_feature_channels: int
    neuron: Neuron
    kernel_width: int
    kernel_height: int

    def __init__(
        self,
        input_feature_channels: int,
        output_feature_channels: int,
        neuron: Neuron | None = None,
        kernel_width: int = 1,
        kernel_height: int = 1,
    ) -> None:
        outputs = checked_count("output_feature_channels", output_feature_channels)
        self._set(
            input_feature_channels=checked_count("input_feature_channels", input_feature_channels),
            output_feature_channels=outputs,
            neuron=checked_neuron("neuron", neuron, outputs),
            kernel_width=checked_count("kernel_width", kernel_width),
            kernel_height=checked_count("kernel_height", kernel_height),
        )

    def _key(self) -> tuple[int, int, Neuron, int, int]:
        channels = self.input_feature_channels, self.output_feature_channels
        return *channels, self.neuron, self.kernel_width, self.kernel_height

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, ConvolutionDescriptor) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, ...]:
        return ConvolutionDescriptor, self._key()

    def __repr__(self) -> str:
        return "ConvolutionDescriptor({}, {}, {!r}, {}, {})".format(*self._key())


class DataSource:
    """Weights that are fetched when a layer is made (``MPSCNNConvolutionDataSource`` [1]_): derive from it.

    When a layer is made, each source of its descriptors is asked for `load`, then for the attributes
    and the arrays, then for `purge`. An exception out of any of them comes out of the layer's constructor, as it is. A
    source may belong to several properties and descriptors: then it is loaded once for each, perhaps for a second one
    before the purge of the first.

    Attributes
    ----------
    descriptor : ConvolutionDescriptor
        The channels of the weights, and the activation. A derived class sets it, or has it as a property. Input weights
        have the channels of the layer; all other weights have `out` ones both ways, those of a diagonal included.
    data_type : DataType
        That of the weights. ``FLOAT32`` unless a derived class says otherwise.
    label : str or None
        A name for the layer's tools and for error messages. None unless a derived class says otherwise.

    Notes
    -----
    As for a `WeightSource`, bias and activation count on input weights alone.

    References
    ----------
    .. [1] Apple, MPSCNNConvolutionDataSource,
       developer.apple.com/documentation/metalperformanceshaders/mpscnnconvolutiondatasource
    """

    descriptor: ConvolutionDescriptor
    data_type: DataType = DataType.FLOAT32
    label: str | None = None

    def load(self) -> bool:
        """Get ready for the questions that follow.

        Returns
        -------
        bool
            False: it failed, no layer can be made, and `purge` is not called. As it stands: True.
        """
        return True

    def weights(self) -> npt.NDArray[Any]:
        """The weights. A derived class must have this.

        Returns
        -------
        ndarray, shape (out, kh, kw, in), or (out,) for diagonal memory weights, of the dtype of `data_type`
            (out, in) where the kernel is 1 x 1. Kept alive, and read in place where it is C-contiguous, until `purge`.
        """
        raise NotImplementedError(f"{type(self).__name__}.weights: not there, expected of every class of data sources")

    def bias_terms(self) -> npt.NDArray[np.float32] | None:
        """What is added to the products.

        Returns
        -------
        ndarray, shape (out,), float32, or None
            None, as it stands: zeros. Kept alive until `purge`.
        """
        return None

    def ranges_for_uint8_kernel(self) -> npt.NDArray[np.float32] | None:
        """What the bytes of ``UINT8`` weights mean: w = u / 255 * (max - min) + min.

        Asked where `data_type` is ``UINT8``. Either this or `lookup_table_for_uint8_kernel` gives an array then.

        Returns
        -------
        ndarray, shape (out, 2), float32, or None
            The min and the max of each output channel. None, as it stands.
        """
        return None

    def lookup_table_for_uint8_kernel(self) -> npt.NDArray[np.float32] | None:
        """What the bytes of ``UINT8`` weights mean: w = lookup_table[u].

        Asked where `data_type` is ``UINT8``. Either this or `ranges_for_uint8_kernel` gives an array then.

        Returns
        -------
        ndarray, shape (256,), float32, or None
            None, as it stands.
        """
        return None

    def purge(self) -> None:
        """Let go of what `load` got. Called once for each `load` that returned True, whatever went wrong after it."""


class FetchedWeights(NamedTuple):
    """What a source has handed out, checked, as the attributes of a `WeightSource`."""

    weights: npt.NDArray[Any]
    bias: npt.NDArray[np.float32] | None
    neuron: Neuron
    label: str | None
    ranges: npt.NDArray[np.float32] | None
    lookup_table: npt.NDArray[np.float32] | None


def fetch_weights(name: str, source: DataSource, shape: tuple[int, ...]) -> FetchedWeights:
    """Ask a loaded source for all that it has. `name` is the property it was set to, `shape` that of its weights.

    Arrays that are not C-contiguous are copied. An error names the property and the source.
    """
    label = checked_label(f"{name}: label of {type(source).__name__}", source.label)
    owner = repr(label) if label is not None else type(source).__name__

    def checked(method: str, value: Any, shape: tuple[int, ...], dtype: type[np.generic]) -> npt.NDArray[Any]:
        return np.ascontiguousarray(checked_array(f"{name}: {method}() of {owner}", value, shape, dtype))

    descriptor = _checked_descriptor(f"{name}: descriptor of {owner}", source.descriptor, shape)
    data_type = checked_member(f"{name}: data_type of {owner}", source.data_type, DataType)
    outputs = shape[0]
    array = source.weights()
    kernel = descriptor.kernel_height, descriptor.kernel_width
    if len(shape) == 2 and (kernel != (1, 1) or getattr(array, "ndim", 2) == 4):
        shape = shape[0], *kernel, shape[1]
    weights = checked("weights", array, shape, np.dtype(data_type.name.lower()).type)
    bias = source.bias_terms()
    if bias is not None:
        bias = checked("bias_terms", bias, (outputs,), np.float32)
    ranges = lookup_table = None
    if data_type is DataType.UINT8:
        ranges, lookup_table = source.ranges_for_uint8_kernel(), source.lookup_table_for_uint8_kernel()
        check_quantization(
            f"{name} of {owner}: ", "uint8", ranges_for_uint8_kernel=ranges, lookup_table_for_uint8_kernel=lookup_table
        )
        if ranges is not None:
            ranges = checked("ranges_for_uint8_kernel", ranges, (outputs, 2), np.float32)
        if lookup_table is not None:
            lookup_table = checked("lookup_table_for_uint8_kernel", lookup_table, (256,), np.float32)
    return FetchedWeights(weights, bias, descriptor.neuron, label, ranges, lookup_table)


def _checked_descriptor(name: str, value: Any, shape: tuple[int, ...]) -> ConvolutionDescriptor:
    if not isinstance(value, ConvolutionDescriptor):
        raise TypeError(f"{name}: {describe(value)}, expected a ConvolutionDescriptor")
    outputs, inputs = shape if len(shape) == 2 else shape * 2
    if (value.input_feature_channels, value.output_feature_channels) != (inputs, outputs):
        raise ValueError(
            f"{name}: {value.input_feature_channels} -> {value.output_feature_channels} channels, "
            f"expected {inputs} -> {outputs}"
        )
    if len(shape) == 1 and (value.kernel_height, value.kernel_width) != (1, 1):
        raise ValueError(
            f"{name}: a kernel of {value.kernel_height} x {value.kernel_width}, expected 1 x 1: a diagonal"
        )
    return value
