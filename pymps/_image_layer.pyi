from collections.abc import Sequence
from mmap import mmap
from typing import Any, Literal, TypeAlias, TypeVar, final, overload

import numpy as np
import numpy.typing as npt

from pymps._command_buffer import CommandBuffer
from pymps._device import Device
from pymps._image import Image
from pymps._image_state import RecurrentImageState
from pymps._image_stream import ImageStream
from pymps.enums import RNNBidirectionalCombineMode
from pymps.rnn_descriptor import RNNDescriptor

_Arrays = TypeVar("_Arrays", npt.NDArray[Any], list[npt.NDArray[Any]])
_Images: TypeAlias = Sequence[Image] | npt.NDArray[Any] | list[npt.NDArray[Any]]
_Values: TypeAlias = Sequence[npt.NDArray[np.float32] | None]

@final
class ImageInferenceLayer:
    def __init__(self, device: Device, descriptor: RNNDescriptor | Sequence[RNNDescriptor]) -> None: ...
    @property
    def device(self) -> Device: ...
    @property
    def input_feature_channels(self) -> int: ...
    @property
    def output_feature_channels(self) -> int: ...
    @property
    def number_of_layers(self) -> int: ...
    @overload
    def __call__(
        self,
        x: _Arrays,
        state: RecurrentImageState | None = None,
        *,
        out: _Arrays | None = None,
        store_all_intermediate_states: Literal[False] = False,
    ) -> tuple[_Arrays, RecurrentImageState]: ...
    @overload
    def __call__(
        self,
        x: _Arrays,
        state: RecurrentImageState | None = None,
        *,
        out: _Arrays | None = None,
        store_all_intermediate_states: Literal[True],
    ) -> tuple[_Arrays, list[RecurrentImageState]]: ...
    @property
    def bidirectional_combine_mode(self) -> RNNBidirectionalCombineMode: ...
    @bidirectional_combine_mode.setter
    def bidirectional_combine_mode(self, value: RNNBidirectionalCombineMode) -> None: ...
    def bidirectional(self, x: _Arrays, *, out: _Arrays | None = None, backward_out: _Arrays | None = None) -> Any: ...
    def encode_sequence(
        self,
        command_buffer: CommandBuffer,
        sources: _Images,
        destinations: _Images,
        state: RecurrentImageState | None = None,
        *,
        store_all_intermediate_states: bool = False,
        states_are_temporary: bool = False,
    ) -> list[RecurrentImageState]: ...
    def encode_bidirectional_sequence(
        self, command_buffer: CommandBuffer, sources: _Images, forward: _Images, backward: _Images | None = None
    ) -> None: ...
    def state(self, h: _Values | None = None, c: _Values | None = None) -> RecurrentImageState: ...
    def stream(self, number_of_images: int = 1, height: int = 1, width: int = 1) -> ImageStream: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(device: Device, data: bytes | bytearray | memoryview | mmap) -> ImageInferenceLayer: ...
