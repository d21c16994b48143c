from typing import final

import numpy as np
import numpy.typing as npt

from pymps._layer import MatrixInferenceLayer

@final
class RecurrentState:
    @property
    def layer(self) -> MatrixInferenceLayer: ...
    @property
    def batch(self) -> int: ...
    @property
    def number_of_layers(self) -> int: ...
    def recurrent_output(self, layer_index: int = 0) -> npt.NDArray[np.float32]: ...
    def memory_cell(self, layer_index: int = 0) -> npt.NDArray[np.float32]: ...
