"""What a layer is made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pymps._values import checked_bool, checked_float, describe
from pymps.enums import NeuronType
from pymps.gates import gru_sources, lstm_sources, single_gate_sources
from pymps.neurons import Neuron, checked_neuron_type
from pymps.rnn_descriptor import RNNDescriptor, Value, Weights, WeightsKind
from pymps.weights import WeightSource

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["GRUDescriptor", "LSTMDescriptor", "SingleGateDescriptor"]


def _checked_shared_neuron_type(name: str, value: Any) -> NeuronType:
    kind = checked_neuron_type(name, value)
    if kind is NeuronType.PRELU:
        raise ValueError(f"{name}: PRELU, expected a type without parameters per channel")
    return kind


def _checked_pnorm(name: str, value: Any) -> float:
    number = checked_float(name, value)
    if not 0 < np.float32(number) < np.inf:
        raise ValueError(f"{name}: {describe(value)}, expected a number above 0 and below infinity")
    return number


class LSTMDescriptor(RNNDescriptor):
    """The weights and the switches of one LSTM layer (``MPSLSTMDescriptor``).

    A plain value: it belongs to no device, and a layer made from it does not see later changes.

    Parameters
    ----------
    input_feature_channels : int
        How many features a row of x has, `in` below.
    output_feature_channels : int
        How many features a row of h and c has, `out` below.

    Raises
    ------
    TypeError, ValueError
        Here and when an attribute is set; the message names it, what came and what was expected.

    Notes
    -----
    Apple's formulas [1]_, x the input, h0 and c0 the last step's output and memory cell::

        I  = gi( Wi*x + Ui*h0 + Vi*c0 + bi )
        F  = gf( Wf*x + Uf*h0 + Vf*c0 + bf )
        C  = gc( Wc*x + Uc*h0 + Vc*c0 + bc )
        c1 = F c0 + I C
        O  = go( Wo*x + Uo*h0 + Vo*c1 + bo )
        h1 = O gh(c1)

    W are the input weights, shape (out, in); U the recurrent weights, shape (out, out); V the memory weights
    ("peepholes", after [2]_), shape (out, out), or (out,) where `memory_weights_are_diagonal`. Each gate takes its bias
    b and its activation g from its input weights. Weights that are None are zeros; where input weights are None, so is
    the bias, and the activation is the identity: nothing but gh is preset.

    In an `ImageInferenceLayer` x, h and c are images and ``*`` is a convolution: weights may then have a kernel,
    (out, kh, kw, in), and biases and diagonals are the same at every pixel.

    References
    ----------
    .. [1] Apple, MPSLSTMDescriptor, developer.apple.com/documentation/metalperformanceshaders/mpslstmdescriptor
    .. [2] Gers, Schraudolph, Schmidhuber, JMLR 3 (2002) 115-143
    """

    input_gate_input_weights = Weights("input", "Wi, bi, gi")
    input_gate_recurrent_weights = Weights("recurrent", "Ui")
    input_gate_memory_weights = Weights("memory", "Vi")
    forget_gate_input_weights = Weights("input", "Wf, bf, gf")
    forget_gate_recurrent_weights = Weights("recurrent", "Uf")
    forget_gate_memory_weights = Weights("memory", "Vf")
    cell_gate_input_weights = Weights("input", "Wc, bc, gc")
    cell_gate_recurrent_weights = Weights("recurrent", "Uc")
    cell_gate_memory_weights = Weights("memory", "Vc")
    output_gate_input_weights = Weights("input", "Wo, bo, go")
    output_gate_recurrent_weights = Weights("recurrent", "Uo")
    output_gate_memory_weights = Weights("memory", "Vo")

    cell_to_output_neuron_type = Value(
        _checked_shared_neuron_type, NeuronType.TANH, "The kind of gh. Not PRELU: there are no values per channel here."
    )
    cell_to_output_neuron_param_a = Value(checked_float, 1.0, "Parameter a of gh: 1 whatever the type, until set.")
    cell_to_output_neuron_param_b = Value(checked_float, 1.0, "Parameter b of gh: 1 whatever the type, until set.")
    cell_to_output_neuron_param_c = Value(checked_float, 1.0, "Parameter c of gh: 1 whatever the type, until set.")

    __slots__ = ("_memory_weights_are_diagonal",)

    def __init__(self, input_feature_channels: int, output_feature_channels: int) -> None:
        super().__init__(input_feature_channels, output_feature_channels)
        self._memory_weights_are_diagonal = False

    @classmethod
    def from_arrays(
        cls,
        w_ih: npt.NDArray[Any],
        w_hh: npt.NDArray[Any],
        bias: npt.NDArray[np.float32] | None = None,
        gate_order: str = "ifco",
        peepholes: Mapping[str, npt.NDArray[Any]] | None = None,
        neurons: Mapping[str, Neuron] | None = None,
        *,
        cell_to_output_neuron: Neuron | None = None,
        use_float32_weights: bool = False,
    ) -> LSTMDescriptor:
        """A descriptor from arrays that hold the four gates one below the other.

        Parameters
        ----------
        w_ih : ndarray, shape (4 * out, in) or (4 * out, kh, kw, in), float32 or float16
            W of the four gates.
        w_hh : ndarray, shape (4 * out, out) or (4 * out, kh, kw, out), float32 or float16
            U of the four gates.
        bias : ndarray, shape (4 * out,), float32, optional
            b of the four gates. Tools with two biases per gate mean their sum.
        gate_order : str
            In which order the gates are stacked: the letters i (input), f (forget), c or g (cell) and o (output), each
            once. PyTorch and Keras: "ifgo"; ONNX: "iofc".
        peepholes : dict of str to ndarray, optional
            V by gate letter, float32 or float16: all of shape (out,), diagonal, or of shapes (out, out) and (out, kh,
            kw, out).
        neurons : dict of str to Neuron, optional
            g by gate letter, where it is not the sigmoid (i, f, o) or tanh (c).
        cell_to_output_neuron : Neuron, optional
            gh, where it is not tanh.
        use_float32_weights : bool
            Keep the weights as float32; by default the device keeps float16.

        Returns
        -------
        LSTMDescriptor

        Raises
        ------
        TypeError, ValueError
            The message names the argument, what came and what was expected.
        """
        sources = lstm_sources(w_ih, w_hh, bias, gate_order, peepholes, neurons)
        descriptor = cls(w_ih.shape[-1], w_hh.shape[-1])
        descriptor.memory_weights_are_diagonal = any(source.weights.ndim == 1 for source in sources.values())
        for name, source in sources.items():
            setattr(descriptor, name, source)
        if cell_to_output_neuron is not None:
            descriptor._set_cell_to_output_neuron(cell_to_output_neuron)
        descriptor.use_float32_weights = use_float32_weights
        return descriptor

    @property
    def memory_weights_are_diagonal(self) -> bool:
        """Whether each V is a vector, multiplied element by element. Default False. Set it before the V."""
        return self._memory_weights_are_diagonal

    @memory_weights_are_diagonal.setter
    def memory_weights_are_diagonal(self, value: bool) -> None:
        value = checked_bool("memory_weights_are_diagonal", value)
        sources = self._sources.items()
        given = [name for name, source in sources if "memory" in name and isinstance(source, WeightSource)]
        if given and value != self._memory_weights_are_diagonal:
            raise ValueError(
                f"memory_weights_are_diagonal: {value}, expected {not value}, which is the form of {given[0]}; "
                f"set that to None first"
            )
        self._memory_weights_are_diagonal = value

    def _shape(self, kind: WeightsKind) -> tuple[tuple[int, ...], str]:
        if kind != "memory":
            return super()._shape(kind)
        outputs = self.output_feature_channels
        diagonal = self.memory_weights_are_diagonal
        return (outputs,) if diagonal else (outputs, outputs), f" (memory_weights_are_diagonal is {diagonal})"

    def _set_cell_to_output_neuron(self, neuron: Neuron) -> None:
        if not isinstance(neuron, Neuron):
            raise TypeError(f"cell_to_output_neuron: {describe(neuron)}, expected a Neuron or None")
        self.cell_to_output_neuron_type = neuron.type
        self.cell_to_output_neuron_param_a = neuron.a
        self.cell_to_output_neuron_param_b = neuron.b
        self.cell_to_output_neuron_param_c = neuron.c


class GRUDescriptor(RNNDescriptor):
    """The weights and the switches of one GRU layer (``MPSGRUDescriptor``).

    A plain value: it belongs to no device, and a layer made from it does not see later changes.

    Parameters
    ----------
    input_feature_channels : int
        How many features a row of x has, `in` below.
    output_feature_channels : int
        How many features a row of h has, `out` below.

    Raises
    ------
    TypeError, ValueError
        Here and when an attribute is set; the message names it, what came and what was expected.

    Notes
    -----
    Apple's formulas [1]_, x the input, h0 the last step's output, p the `gate_pnorm_value`::

        z  = gz( Wz*x + Uz*h0 + bz )
        r  = gr( Wr*x + Ur*h0 + br )
        c  =     Uh*(r h0) + Vh*(z h0)
        h  = gh( Wh*x + c + bh )
        h1 = (1 - z^p)^(1/p) h  + z h0
        h1 = (1 - z^p)^(1/p) h0 + z h        where `flip_output_gates`

    W are the input weights, shape (out, in); U the recurrent weights and Vh, shape (out, out). Each gate takes its bias
    b and its activation g from its input weights. Weights that are None are zeros; where input weights are None, so is
    the bias, and the activation is the identity: nothing is preset. The GRU of [2]_ has no Vh; with Vh and without Uh
    it is a minimal gated unit [3]_.

    In an `ImageInferenceLayer` x, h and c are images and ``*`` is a convolution: weights may then have a kernel,
    (out, kh, kw, in), and biases and diagonals are the same at every pixel.

    h0 is multiplied by r before it is multiplied by Uh. A GRU that multiplies afterwards, as PyTorch's and cuDNN's do,
    is another one: these formulas can't express it.

    References
    ----------
    .. [1] Apple, MPSGRUDescriptor, developer.apple.com/documentation/metalperformanceshaders/mpsgrudescriptor
    .. [2] Cho et al., EMNLP 2014, 1724-1734
    .. [3] Zhou, Wu, Zhang, Zhou, International Journal of Automation and Computing 13 (2016) 226-234
    """

    input_gate_input_weights = Weights("input", "Wz, bz, gz")
    input_gate_recurrent_weights = Weights("recurrent", "Uz")
    recurrent_gate_input_weights = Weights("input", "Wr, br, gr")
    recurrent_gate_recurrent_weights = Weights("recurrent", "Ur")
    output_gate_input_weights = Weights("input", "Wh, bh, gh")
    output_gate_recurrent_weights = Weights("recurrent", "Uh")
    output_gate_input_gate_weights = Weights("recurrent", "Vh")

    gate_pnorm_value = Value(_checked_pnorm, 1.0, "p, above 0.")
    flip_output_gates = Value(checked_bool, False, "Whether z weights the new h instead of the old one.")

    __slots__ = ()

    @classmethod
    def from_arrays(
        cls,
        w_ih: npt.NDArray[Any],
        w_hh: npt.NDArray[Any],
        bias: npt.NDArray[np.float32] | None = None,
        gate_order: str = "zrh",
        neurons: Mapping[str, Neuron] | None = None,
        *,
        gate_pnorm_value: float = 1.0,
        flip_output_gates: bool = False,
        use_float32_weights: bool = False,
    ) -> GRUDescriptor:
        """A descriptor from arrays that hold the three gates one below the other.

        Parameters
        ----------
        w_ih : ndarray, shape (3 * out, in) or (3 * out, kh, kw, in), float32 or float16
            W of the three gates.
        w_hh : ndarray, shape (3 * out, out) or (3 * out, kh, kw, out), float32 or float16
            U of the three gates.
        bias : ndarray, shape (3 * out,), float32, optional
            b of the three gates. Tools with two biases per gate mean their sum.
        gate_order : str
            In which order the gates are stacked: the letters z (input gate, elsewhere "update"), r (recurrent gate,
            elsewhere "reset") and h (output gate, elsewhere "new"), each once. Keras and ONNX: "zrh".
        neurons : dict of str to Neuron, optional
            g by gate letter, where it is not the sigmoid (z, r) or tanh (h).
        gate_pnorm_value : float
            p, above 0.
        flip_output_gates : bool
            Whether z weights the new h instead of the old one.
        use_float32_weights : bool
            Keep the weights as float32; by default the device keeps float16.

        Returns
        -------
        GRUDescriptor

        Raises
        ------
        TypeError, ValueError
            The message names the argument, what came and what was expected.
        """
        sources = gru_sources(w_ih, w_hh, bias, gate_order, neurons)
        descriptor = cls(w_ih.shape[-1], w_hh.shape[-1])
        for name, source in sources.items():
            setattr(descriptor, name, source)
        descriptor.gate_pnorm_value = gate_pnorm_value
        descriptor.flip_output_gates = flip_output_gates
        descriptor.use_float32_weights = use_float32_weights
        return descriptor


class SingleGateDescriptor(RNNDescriptor):
    """The weights and the switches of one layer of the simple recurrent kind (``MPSRNNSingleGateDescriptor``).

    A plain value: it belongs to no device, and a layer made from it does not see later changes.

    Parameters
    ----------
    input_feature_channels : int
        How many features a row of x has, `in` below.
    output_feature_channels : int
        How many features a row of h has, `out` below.

    Raises
    ------
    TypeError, ValueError
        Here and when an attribute is set; the message names it, what came and what was expected.

    Notes
    -----
    Apple's formula [1]_, after [2]_, x the input, h0 the last step's output::

        h1 = gi( W*x + U*h0 + b )

    W are the input weights, shape (out, in); U the recurrent weights, shape (out, out). The bias b and the activation
    gi are those of the input weights. Weights that are None are zeros; where the input weights are None, so is the
    bias, and the activation is the identity: nothing is preset.

    In an `ImageInferenceLayer` x, h and c are images and ``*`` is a convolution: weights may then have a kernel,
    (out, kh, kw, in), and biases and diagonals are the same at every pixel.

    References
    ----------
    .. [1] Apple, MPSRNNSingleGateDescriptor,
       developer.apple.com/documentation/metalperformanceshaders/mpsrnnsinglegatedescriptor
    .. [2] Elman, Cognitive Science 14 (1990) 179-211
    """

    input_weights = Weights("input", "W, b, gi")
    recurrent_weights = Weights("recurrent", "U")

    __slots__ = ()

    @classmethod
    def from_arrays(
        cls,
        w_ih: npt.NDArray[Any],
        w_hh: npt.NDArray[Any],
        bias: npt.NDArray[np.float32] | None = None,
        neuron: Neuron | None = None,
        *,
        use_float32_weights: bool = False,
    ) -> SingleGateDescriptor:
        """A descriptor from arrays.

        Parameters
        ----------
        w_ih : ndarray, shape (out, in) or (out, kh, kw, in), float32 or float16
            W.
        w_hh : ndarray, shape (out, out) or (out, kh, kw, out), float32 or float16
            U.
        bias : ndarray, shape (out,), float32, optional
            b. Tools with two biases mean their sum.
        neuron : Neuron, optional
            gi, where it is not tanh.
        use_float32_weights : bool
            Keep the weights as float32; by default the device keeps float16.

        Returns
        -------
        SingleGateDescriptor

        Raises
        ------
        TypeError, ValueError
            The message names the argument, what came and what was expected.
        """
        sources = single_gate_sources(w_ih, w_hh, bias, neuron)
        descriptor = cls(w_ih.shape[-1], w_hh.shape[-1])
        for name, source in sources.items():
            setattr(descriptor, name, source)
        descriptor.use_float32_weights = use_float32_weights
        return descriptor
