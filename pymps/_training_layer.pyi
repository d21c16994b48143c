from typing import Any, Literal, TypeVar, final

import numpy as np
import numpy.typing as npt

from pymps._command_buffer import CommandBuffer
from pymps._device import Device
from pymps._state import RecurrentState
from pymps._tape import Tape
from pymps._training_matrices import TrainingWeights, WeightGradients
from pymps.descriptors import GRUDescriptor, LSTMDescriptor, SingleGateDescriptor
from pymps.enums import MatrixId

_Arrays = TypeVar("_Arrays", npt.NDArray[np.float32], npt.NDArray[np.float16], list[npt.NDArray[Any]])

@final
class MatrixTrainingLayer:
    def __init__(self, device: Device, descriptor: LSTMDescriptor | GRUDescriptor | SingleGateDescriptor) -> None: ...
    @property
    def device(self) -> Device: ...
    @property
    def input_feature_channels(self) -> int: ...
    @property
    def output_feature_channels(self) -> int: ...
    @property
    def number_of_layers(self) -> int: ...
    @property
    def weights(self) -> TrainingWeights: ...
    @property
    def matrix_ids(self) -> tuple[MatrixId, ...]: ...
    def forward(
        self,
        x: _Arrays,
        state: RecurrentState | None = None,
        *,
        out: _Arrays | None = None,
        store_all_intermediate_states: bool = False,
    ) -> tuple[_Arrays, Tape]: ...
    def gradient(
        self,
        tape: Tape,
        dy: _Arrays,
        *,
        state_gradient: RecurrentState | None = None,
        weight_gradients: WeightGradients | Literal[False] | None = None,
        source_gradient: bool | _Arrays = True,
        accumulate: bool = False,
        store_all_intermediate_states: bool = False,
    ) -> tuple[Any, Any]: ...
    def weight_gradients(
        self, dtype: npt.DTypeLike = ..., command_buffer: CommandBuffer | None = None
    ) -> WeightGradients: ...
    def encode_forward_sequence(
        self,
        command_buffer: CommandBuffer,
        sources: _Arrays,
        destinations: _Arrays,
        state: RecurrentState | None = None,
        *,
        store_all_intermediate_states: bool = False,
        states_are_temporary: bool = False,
        tape_is_temporary: bool = False,
    ) -> Tape: ...
    def encode_gradient_sequence(
        self,
        command_buffer: CommandBuffer,
        tape: Tape,
        dy: _Arrays,
        dx: _Arrays | None = None,
        *,
        state_gradient: RecurrentState | None = None,
        weight_gradients: WeightGradients | None = None,
        accumulate: bool = False,
        store_all_intermediate_states: bool = False,
        states_are_temporary: bool = False,
    ) -> list[RecurrentState]: ...
    def encode_copy_weights(
        self,
        command_buffer: CommandBuffer,
        matrix_id: MatrixId,
        array: npt.NDArray[Any],
        *,
        from_array: bool = False,
        matrices: TrainingWeights | WeightGradients | None = None,
    ) -> None: ...
    def state(
        self, h: npt.NDArray[np.float32] | None = None, c: npt.NDArray[np.float32] | None = None
    ) -> RecurrentState: ...
    def state_gradient(
        self, h: npt.NDArray[np.float32] | None = None, c: npt.NDArray[np.float32] | None = None
    ) -> RecurrentState: ...
    def descriptor(self) -> LSTMDescriptor | GRUDescriptor | SingleGateDescriptor: ...
