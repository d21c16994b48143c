from typing import final

from pymps._command_buffer import CommandBuffer
from pymps._device import Device

@final
class CommandQueue:
    @property
    def device(self) -> Device: ...
    def command_buffer(self) -> CommandBuffer: ...
