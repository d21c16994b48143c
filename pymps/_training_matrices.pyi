from collections.abc import Iterator, Mapping
from typing import Any, final

import numpy as np
import numpy.typing as npt

from pymps.enums import MatrixId

class TrainingMatrices(Mapping[MatrixId, npt.NDArray[Any]]):
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def __getitem__(self, matrix_id: MatrixId) -> npt.NDArray[Any]: ...
    def __iter__(self) -> Iterator[MatrixId]: ...
    def __len__(self) -> int: ...

@final
class TrainingWeights(TrainingMatrices):
    def __setitem__(self, matrix_id: MatrixId, array: npt.NDArray[Any]) -> None: ...

@final
class WeightGradients(TrainingMatrices):
    @property
    def is_temporary(self) -> bool: ...
