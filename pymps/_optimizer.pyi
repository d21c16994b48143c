from typing import final

from pymps._command_buffer import CommandBuffer
from pymps._training_layer import MatrixTrainingLayer
from pymps._training_matrices import WeightGradients
from pymps.enums import RegularizationType

class Optimizer:
    @property
    def layer(self) -> MatrixTrainingLayer: ...
    @property
    def learning_rate(self) -> float: ...
    @learning_rate.setter
    def learning_rate(self, value: float) -> None: ...
    @property
    def time_step(self) -> int: ...
    @time_step.setter
    def time_step(self, value: int) -> None: ...
    @property
    def gradient_rescale(self) -> float: ...
    @property
    def gradient_clip(self) -> tuple[float, float] | None: ...
    @property
    def regularization_type(self) -> RegularizationType: ...
    @property
    def regularization_scale(self) -> float: ...
    def step(self, gradients: WeightGradients) -> None: ...
    def encode_step(self, command_buffer: CommandBuffer, gradients: WeightGradients) -> None: ...

@final
class StochasticGradientDescent(Optimizer):
    def __init__(
        self,
        layer: MatrixTrainingLayer,
        learning_rate: float,
        momentum_scale: float = 0.0,
        use_nesterov_momentum: bool = False,
        gradient_rescale: float = 1.0,
        gradient_clip: tuple[float, float] | None = None,
        regularization_type: RegularizationType = ...,
        regularization_scale: float = 0.0,
    ) -> None: ...
    @property
    def momentum_scale(self) -> float: ...
    @property
    def use_nesterov_momentum(self) -> bool: ...

@final
class RMSProp(Optimizer):
    def __init__(
        self,
        layer: MatrixTrainingLayer,
        learning_rate: float,
        decay: float = 0.9,
        epsilon: float = 1e-8,
        gradient_rescale: float = 1.0,
        gradient_clip: tuple[float, float] | None = None,
        regularization_type: RegularizationType = ...,
        regularization_scale: float = 0.0,
    ) -> None: ...
    @property
    def decay(self) -> float: ...
    @property
    def epsilon(self) -> float: ...

@final
class Adam(Optimizer):
    def __init__(
        self,
        layer: MatrixTrainingLayer,
        learning_rate: float,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        ams_grad: bool = False,
        gradient_rescale: float = 1.0,
        gradient_clip: tuple[float, float] | None = None,
        regularization_type: RegularizationType = ...,
        regularization_scale: float = 0.0,
    ) -> None: ...
    @property
    def beta1(self) -> float: ...
    @property
    def beta2(self) -> float: ...
    @property
    def epsilon(self) -> float: ...
    @property
    def ams_grad(self) -> bool: ...
