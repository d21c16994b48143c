"""What the tests of bad input share."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Bad = tuple[str, Callable[..., object], type[Exception], str]

HUGE = 1 << 62


class Subclass(np.ndarray):  # type: ignore[type-arg]
    """Says something else about itself than its memory does."""

    shape = property(lambda self: (4, 2, 3))  # type: ignore[assignment]
    dtype = property(lambda self: np.dtype(np.float32))  # type: ignore[assignment]


def f32(*shape: int) -> Any:
    return np.ones(shape, np.float32)


def cases(*bad: Bad) -> Any:
    return pytest.mark.parametrize(("use", "error", "text"), [pytest.param(*case[1:], id=case[0]) for case in bad])


def expect(error: type[Exception], text: str, use: Callable[..., object], *arguments: object) -> None:
    with pytest.raises(error, match=text) as raised:
        use(*arguments)
    assert type(raised.value) is error
