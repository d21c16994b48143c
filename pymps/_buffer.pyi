from typing import Any, final

import numpy.typing as npt

from pymps._device import Device
from pymps.enums import StorageMode

@final
class Buffer:
    @staticmethod
    def of(array: npt.NDArray[Any]) -> Buffer: ...
    @property
    def device(self) -> Device: ...
    @property
    def length(self) -> int: ...
    @property
    def contents(self) -> memoryview: ...
    @property
    def storage_mode(self) -> StorageMode: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
