from typing import final

from pymps._device import Device

@final
class SharedEvent:
    @property
    def device(self) -> Device: ...
    @property
    def signaled_value(self) -> int: ...
    @signaled_value.setter
    def signaled_value(self, value: int) -> None: ...
