"""Counting copies."""

import numpy as np
import numpy.typing as npt
import pytest


class Copies:
    """Counts what the package copies."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.copyto = np.copyto
        monkeypatch.setattr(np, "copyto", self)

    def __call__(self, destination: npt.NDArray[np.generic], source: npt.NDArray[np.generic]) -> None:
        self.count += 1
        self.copyto(destination, source)
