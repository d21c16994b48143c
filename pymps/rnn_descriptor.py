"""What the descriptors of all recurrent layers have in common (``MPSRNNDescriptor``)."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar, overload

from pymps._values import checked_bool, checked_count, checked_member, describe
from pymps.enums import RNNSequenceDirection
from pymps.weights import WeightSource

if TYPE_CHECKING:
    from pymps.data_source import DataSource

__all__ = ["RNNDescriptor", "Value", "Weights", "WeightsKind"]

T = TypeVar("T")
WeightsKind: TypeAlias = Literal["input", "recurrent", "memory"]


class Value(Generic[T]):
    """A property that holds what `checked`, given its name and the value that came, returns."""

    def __init__(self, checked: Callable[[str, Any], T], default: T, doc: str) -> None:
        self.checked = checked
        self.default = default
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, descriptor: None, owner: type) -> Value[T]: ...
    @overload
    def __get__(self, descriptor: RNNDescriptor, owner: type) -> T: ...
    def __get__(self, descriptor: RNNDescriptor | None, owner: type) -> T | Value[T]:
        return self if descriptor is None else descriptor._values.get(self.name, self.default)

    def __set__(self, descriptor: RNNDescriptor, value: T) -> None:
        descriptor._values[self.name] = self.checked(self.name, value)


class Weights:
    """A property that holds a WeightSource of the right shape, a DataSource, or None: zeros.

    Where the shape is that of a matrix, a kernel may stand between its axes.
    """

    def __init__(self, kind: WeightsKind, doc: str) -> None:
        self.kind = kind
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, descriptor: None, owner: type) -> Weights: ...
    @overload
    def __get__(self, descriptor: RNNDescriptor, owner: type) -> WeightSource | DataSource | None: ...
    def __get__(self, descriptor: RNNDescriptor | None, owner: type) -> WeightSource | DataSource | Weights | None:
        return self if descriptor is None else descriptor._sources.get(self.name)

    def __set__(self, descriptor: RNNDescriptor, source: WeightSource | DataSource | None) -> None:
        if source is None:
            descriptor._sources.pop(self.name, None)
            return
        if isinstance(source, WeightSource):
            expected, hint = descriptor._shape(self.kind)
            shape = source.weights.shape
            if shape != expected and (len(shape) != 4 or (shape[0], shape[3]) != expected):
                raise ValueError(f"{self.name}: weights of shape {shape}, expected {expected}{hint}")
        elif not _is_data_source(source):
            raise TypeError(f"{self.name}: {describe(source)}, expected a WeightSource, a DataSource or None")
        descriptor._sources[self.name] = source


def _is_data_source(value: object) -> bool:
    from pymps.data_source import DataSource  # not everyone needs them

    return isinstance(value, DataSource)


def _checked_direction(name: str, value: Any) -> RNNSequenceDirection:
    return checked_member(name, value, RNNSequenceDirection)


class RNNDescriptor:
    """Channels, switches and weights of one layer; the classes derived from it add the gates."""

    use_float32_weights = Value(
        checked_bool,
        False,
        "Whether a layer of matrices keeps float32 weights; else float16, as a layer of images does.",
    )
    layer_sequence_direction = Value(
        _checked_direction,
        RNNSequenceDirection.FORWARD,
        "As Apple has it, only bidirectional runs read it: all others run forward.",
    )

    __slots__ = (
        "_input_feature_channels",
        "_output_feature_channels",
        "_sources",
        "_use_layer_input_unit_transform_mode",
        "_values",
    )

    def __init__(self, input_feature_channels: int, output_feature_channels: int) -> None:
        self._sources: dict[str, WeightSource | DataSource] = {}
        self._values: dict[str, Any] = {}
        self._input_feature_channels = checked_count("input_feature_channels", input_feature_channels)
        self._output_feature_channels = checked_count("output_feature_channels", output_feature_channels)
        self._use_layer_input_unit_transform_mode = False

    @property
    def input_feature_channels(self) -> int:
        """Features of a row of x."""
        return self._input_feature_channels

    @property
    def output_feature_channels(self) -> int:
        """Features of a row of h, and of c where there is one."""
        return self._output_feature_channels

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
        channels = f"{self.input_feature_channels} -> {self.output_feature_channels}"
        return f"<{type(self).__name__} {channels}: {given}>"

    def _without_sources(self) -> RNNDescriptor:
        """The same channels and switches."""
        made = copy(self)
        made._sources = {}
        made._values = dict(self._values)
        return made

    def _shape(self, kind: WeightsKind) -> tuple[tuple[int, ...], str]:
        """What weights of a kind look like but for their kernel, and for an error message why."""
        outputs = self.output_feature_channels
        return (outputs, self.input_feature_channels if kind == "input" else outputs), ""
