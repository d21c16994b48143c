"""What a layer is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from pymps._values import checked_bool, checked_count, checked_float, describe
from pymps.enums import NeuronType, RNNSequenceDirection
from pymps.gates import GATES, lstm_sources
from pymps.neurons import Neuron, checked_neuron_type
from pymps.weights import WeightSource

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["LSTMDescriptor"]


T = TypeVar("T")


class _Value(Generic[T]):
    """A property that holds what `checked`, given its name and the value that came, returns."""

    def __init__(self, checked: Callable[[str, Any], T], default: T, doc: str) -> None:
        self.checked = checked
        self.default = default
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, descriptor: None, owner: type) -> _Value[T]: ...
    @overload
    def __get__(self, descriptor: LSTMDescriptor, owner: type) -> T: ...
    def __get__(self, descriptor: LSTMDescriptor | None, owner: type) -> T | _Value[T]:
        return self if descriptor is None else descriptor._values.get(self.name, self.default)

    def __set__(self, descriptor: LSTMDescriptor, value: T) -> None:
        descriptor._values[self.name] = self.checked(self.name, value)


class _Weights:
    """A property that holds a WeightSource of the right shape, or None: zeros."""

    def __init__(self, kind: Literal["input", "recurrent", "memory"], doc: str) -> None:
        self.kind = kind
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, descriptor: None, owner: type) -> _Weights: ...
    @overload
    def __get__(self, descriptor: LSTMDescriptor, owner: type) -> WeightSource | None: ...
    def __get__(self, descriptor: LSTMDescriptor | None, owner: type) -> WeightSource | _Weights | None:
        return self if descriptor is None else descriptor._sources.get(self.name)

    def __set__(self, descriptor: LSTMDescriptor, source: WeightSource | None) -> None:
        if source is None:
            descriptor._sources.pop(self.name, None)
            return
        if not isinstance(source, WeightSource):
            raise TypeError(f"{self.name}: {describe(source)}, expected a WeightSource or None")
        expected = descriptor._shape(self.kind)
        if source.weights.shape != expected:
            hint = f" (memory_weights_are_diagonal is {descriptor.memory_weights_are_diagonal})"
            raise ValueError(
                f"{self.name}: weights of shape {source.weights.shape}, expected {expected}"
                f"{hint if self.kind == 'memory' else ''}"
            )
        descriptor._sources[self.name] = source


def _checked_shared_neuron_type(name: str, value: Any) -> NeuronType:
    kind = checked_neuron_type(name, value)
    if kind is NeuronType.PRELU:
        raise ValueError(f"{name}: PRELU, expected a type without parameters per channel")
    return kind


def _checked_direction(name: str, value: Any) -> RNNSequenceDirection:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name}: {describe(value)}, expected an RNNSequenceDirection")
    if value not in (0, 1):
        raise ValueError(f"{name}: {value}, expected FORWARD (0) or BACKWARD (1)")
    return RNNSequenceDirection(value)


class LSTMDescriptor:
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

    References
    ----------
    .. [1] Apple, MPSLSTMDescriptor, developer.apple.com/documentation/metalperformanceshaders/mpslstmdescriptor
    .. [2] Gers, Schraudolph, Schmidhuber, JMLR 3 (2002) 115-143
    """

    input_gate_input_weights = _Weights("input", "Wi, bi, gi")
    input_gate_recurrent_weights = _Weights("recurrent", "Ui")
    input_gate_memory_weights = _Weights("memory", "Vi")
    forget_gate_input_weights = _Weights("input", "Wf, bf, gf")
    forget_gate_recurrent_weights = _Weights("recurrent", "Uf")
    forget_gate_memory_weights = _Weights("memory", "Vf")
    cell_gate_input_weights = _Weights("input", "Wc, bc, gc")
    cell_gate_recurrent_weights = _Weights("recurrent", "Uc")
    cell_gate_memory_weights = _Weights("memory", "Vc")
    output_gate_input_weights = _Weights("input", "Wo, bo, go")
    output_gate_recurrent_weights = _Weights("recurrent", "Uo")
    output_gate_memory_weights = _Weights("memory", "Vo")

    cell_to_output_neuron_type = _Value(
        _checked_shared_neuron_type, NeuronType.TANH, "The kind of gh. Not PRELU: there are no values per channel here."
    )
    cell_to_output_neuron_param_a = _Value(checked_float, 1.0, "Parameter a of gh: 1 whatever the type, until set.")
    cell_to_output_neuron_param_b = _Value(checked_float, 1.0, "Parameter b of gh: 1 whatever the type, until set.")
    cell_to_output_neuron_param_c = _Value(checked_float, 1.0, "Parameter c of gh: 1 whatever the type, until set.")
    use_float32_weights = _Value(checked_bool, False, "Whether the device keeps float32 weights; else float16.")
    layer_sequence_direction = _Value(
        _checked_direction,
        RNNSequenceDirection.FORWARD,
        "As Apple has it, only bidirectional runs read it: a `MatrixInferenceLayer` runs forward.",
    )

    __slots__ = (
        "_input_feature_channels",
        "_memory_weights_are_diagonal",
        "_output_feature_channels",
        "_sources",
        "_use_layer_input_unit_transform_mode",
        "_values",
    )

    def __init__(self, input_feature_channels: int, output_feature_channels: int) -> None:
        self._sources: dict[str, WeightSource] = {}
        self._values: dict[str, Any] = {}
        self._input_feature_channels = checked_count("input_feature_channels", input_feature_channels)
        self._output_feature_channels = checked_count("output_feature_channels", output_feature_channels)
        self._memory_weights_are_diagonal = False
        self._use_layer_input_unit_transform_mode = False

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
        w_ih : ndarray, shape (4 * out, in), float32 or float16
            W of the four gates.
        w_hh : ndarray, shape (4 * out, out), float32 or float16
            U of the four gates.
        bias : ndarray, shape (4 * out,), float32, optional
            b of the four gates. Tools with two biases per gate mean their sum.
        gate_order : str
            In which order the gates are stacked: the letters i (input), f (forget), c or g (cell) and o (output), each
            once. PyTorch and Keras: "ifgo"; ONNX: "iofc".
        peepholes : dict of str to ndarray, optional
            V by gate letter, float32 or float16, all of shape (out,), diagonal, or all of shape (out, out).
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
        descriptor = cls(w_ih.shape[1], w_hh.shape[1])
        descriptor.memory_weights_are_diagonal = any(source.weights.ndim == 1 for source in sources.values())
        for name, source in sources.items():
            setattr(descriptor, name, source)
        if cell_to_output_neuron is not None:
            descriptor._set_cell_to_output_neuron(cell_to_output_neuron)
        descriptor.use_float32_weights = use_float32_weights
        return descriptor

    @property
    def input_feature_channels(self) -> int:
        """Features of a row of x."""
        return self._input_feature_channels

    @property
    def output_feature_channels(self) -> int:
        """Features of a row of h and c."""
        return self._output_feature_channels

    @property
    def memory_weights_are_diagonal(self) -> bool:
        """Whether each V is a vector, multiplied element by element. Default False. Set it before the V."""
        return self._memory_weights_are_diagonal

    @memory_weights_are_diagonal.setter
    def memory_weights_are_diagonal(self, value: bool) -> None:
        value = checked_bool("memory_weights_are_diagonal", value)
        given = [f"{gate}_memory_weights" for gate in GATES.values() if f"{gate}_memory_weights" in self._sources]
        if given and value != self._memory_weights_are_diagonal:
            raise ValueError(
                f"memory_weights_are_diagonal: {value}, expected {not value}, which is the form of {given[0]}; "
                f"set that to None first"
            )
        self._memory_weights_are_diagonal = value

    @property
    def use_layer_input_unit_transform_mode(self) -> bool:
        """Whether every W is the identity, whatever is set. Default False. Needs in == out."""
        return self._use_layer_input_unit_transform_mode

    @use_layer_input_unit_transform_mode.setter
    def use_layer_input_unit_transform_mode(self, value: bool) -> None:
        value = checked_bool("use_layer_input_unit_transform_mode", value)
        inputs, outputs = self.input_feature_channels, self.output_feature_channels
        if value and inputs != outputs:
            raise ValueError(
                f"use_layer_input_unit_transform_mode: True for {inputs} input and {outputs} output channels, "
                "expected as many of the one as of the other"
            )
        self._use_layer_input_unit_transform_mode = value

    def __repr__(self) -> str:
        given = ", ".join(sorted(self._sources)) or "no weights"
        return f"<LSTMDescriptor {self.input_feature_channels} -> {self.output_feature_channels}: {given}>"

    def _shape(self, kind: Literal["input", "recurrent", "memory"]) -> tuple[int, ...]:
        outputs = self.output_feature_channels
        if kind == "input":
            return outputs, self.input_feature_channels
        return (outputs,) if kind == "memory" and self.memory_weights_are_diagonal else (outputs, outputs)

    def _set_cell_to_output_neuron(self, neuron: Neuron) -> None:
        if not isinstance(neuron, Neuron):
            raise TypeError(f"cell_to_output_neuron: {describe(neuron)}, expected a Neuron or None")
        self.cell_to_output_neuron_type = neuron.type
        self.cell_to_output_neuron_param_a = neuron.a
        self.cell_to_output_neuron_param_b = neuron.b
        self.cell_to_output_neuron_param_c = neuron.c
