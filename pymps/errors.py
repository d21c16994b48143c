"""What the native side raises besides ``ValueError`` and ``TypeError``."""

__all__ = ["CommandBufferError", "DeviceError"]


class DeviceError(RuntimeError):
    """There is no such device, or it can't do what was asked; being out of device memory is one case."""


class CommandBufferError(RuntimeError):
    """The device failed to run a command buffer.

    Parameters
    ----------
    text : str
        What Metal said.
    code : int
        The value of ``MTLCommandBufferError``.

    Attributes
    ----------
    code : int
    """

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text, code)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[0])
