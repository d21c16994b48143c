from collections.abc import Sequence
from mmap import mmap
from typing import Any, Literal, TypeAlias, TypeVar, final, overload

import numpy as np
import numpy.typing as npt

from pymps._command_buffer import CommandBuffer
from pymps._device import Device
from pymps._state import RecurrentState
from pymps._stream import Stream
from pymps.enums import RNNBidirectionalCombineMode
from pymps.rnn_descriptor import RNNDescriptor

_Arrays = TypeVar("_Arrays", npt.NDArray[np.float32], npt.NDArray[np.float16], list[npt.NDArray[Any]])
_Values: TypeAlias = Sequence[npt.NDArray[np.float32] | None]

@final
class MatrixInferenceLayer:
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
        state: RecurrentState | None = None,
        *,
        out: _Arrays | None = None,
        store_all_intermediate_states: Literal[False] = False,
    ) -> tuple[_Arrays, RecurrentState]: ...
    @overload
    def __call__(
        self,
        x: _Arrays,
        state: RecurrentState | None = None,
        *,
        out: _Arrays | None = None,
        store_all_intermediate_states: Literal[True],
    ) -> tuple[_Arrays, list[RecurrentState]]: ...
    @property
    def bidirectional_combine_mode(self) -> RNNBidirectionalCombineMode: ...
    @bidirectional_combine_mode.setter
    def bidirectional_combine_mode(self, value: RNNBidirectionalCombineMode) -> None: ...
    def bidirectional(self, x: _Arrays, *, out: _Arrays | None = None, backward_out: _Arrays | None = None) -> Any: ...
    def encode_sequence(
        self,
        command_buffer: CommandBuffer,
        sources: _Arrays,
        destinations: _Arrays,
        state: RecurrentState | None = None,
        *,
        store_all_intermediate_states: bool = False,
        states_are_temporary: bool = False,
    ) -> list[RecurrentState]: ...
    def encode_bidirectional_sequence(
        self, command_buffer: CommandBuffer, sources: _Arrays, forward: _Arrays, backward: _Arrays | None = None
    ) -> None: ...
    def state(self, h: _Values | None = None, c: _Values | None = None) -> RecurrentState: ...
    def stream(self, batch: int = 1) -> Stream: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(device: Device, data: bytes | bytearray | memoryview | mmap) -> MatrixInferenceLayer: ...
