"""What value objects have in common: immutability, and checks of arguments. Each check returns the value in the one
form that is stored, or says which argument is wrong, what came and what was expected.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence, Sized
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

FLOAT32_MAX = 3.4028234663852886e38
COUNT_MAX = 2**31 - 1

Member = TypeVar("Member", bound=IntEnum)


class Immutable:
    """Attributes are set once, by `_set` in the constructor."""

    __slots__ = ()

    def _set(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name}: a {type(self).__name__} is immutable, make a new one")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{name}: a {type(self).__name__} is immutable, make a new one")


def describe(value: object) -> str:
    """What came, for an error message."""
    if isinstance(value, np.ndarray):
        dtype = value.dtype.name if value.dtype.isnative else value.dtype.str
        kind = "array" if is_plain_array(value) else type(value).__name__
        return f"{dtype} {kind} of shape {value.shape}"
    if value is None:
        return "None"
    kind = type(value).__name__
    if isinstance(value, (int, float, complex, str, bytes, np.generic)):
        text = repr(value)
        return f"{kind} {text if len(text) <= 60 else text[:57] + '...'}"
    return f"{kind} of length {len(value)}" if isinstance(value, Sized) else kind


def is_plain_array(value: object) -> bool:
    """An ndarray, and no subclass that means something else by its elements, such as a masked array or a matrix."""
    return type(value) is np.ndarray or type(value) is np.memmap


def checked_int(name: str, value: Any, low: int, high: int) -> int:
    """An integer from low to high."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: {describe(value)}, expected an int") from None
    if isinstance(value, bool):
        raise TypeError(f"{name}: {describe(value)}, expected an int")
    if not low <= number <= high:
        raise ValueError(f"{name}: {number}, expected {low} to {high}")
    return number


def checked_count(name: str, value: Any) -> int:
    """A number of channels, rows or the like: an integer from 1 to 2**31 - 1."""
    return checked_int(name, value, 1, COUNT_MAX)


def checked_float(name: str, value: Any) -> float:
    """A real number that float32 can hold; NaN and infinity are numbers too."""
    if not isinstance(value, (int, float, np.floating, np.integer)) or isinstance(value, bool):
        raise TypeError(f"{name}: {describe(value)}, expected a real number")
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if abs(number) > FLOAT32_MAX and abs(value) != float("inf"):
        raise ValueError(f"{name}: {describe(value)}, expected a number that float32 can hold")
    return number


def checked_bool(name: str, value: Any) -> bool:
    """True or False, and nothing that merely could be read as one of them."""
    if value is True or value is False:
        return value
    if not isinstance(value, np.bool_):
        raise TypeError(f"{name}: {describe(value)}, expected a bool")
    return bool(value)


def checked_member(name: str, value: Any, kind: type[Member]) -> Member:
    """A member of a small enumeration, or its value."""
    if not isinstance(value, int) or isinstance(value, bool):
        article = "an" if kind.__name__.startswith(("A", "E", "I", "O", "RNN")) else "a"
        raise TypeError(f"{name}: {describe(value)}, expected {article} {kind.__name__}")
    try:
        return kind(value)
    except ValueError:
        members = [f"{member.name} ({member.value})" for member in kind]
        raise ValueError(f"{name}: {value}, expected {', '.join(members[:-1])} or {members[-1]}") from None


def checked_array(name: str, value: Any, shape: Sequence[int | str], *dtypes: type[np.generic]) -> npt.NDArray[Any]:
    """An array of one of the dtypes; a word in `shape` stands for any length."""
    text = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
    expected = f"a {' or '.join(dtype.__name__ for dtype in dtypes)} array of shape ({text})"
    if not is_plain_array(value) or value.dtype not in [np.dtype(dtype) for dtype in dtypes]:
        raise TypeError(f"{name}: {describe(value)}, expected {expected}")
    array: npt.NDArray[Any] = value
    same = len(shape) == array.ndim and all(isinstance(n, str) or n == m for n, m in zip(shape, array.shape))
    if not same or array.size == 0:
        raise ValueError(f"{name}: {describe(array)}, expected {expected}")
    return array


def checked_copy(name: str, value: Any, shape: Sequence[int | str], *dtypes: type[np.generic]) -> npt.NDArray[Any]:
    """A read-only, C-contiguous copy of what `checked_array` returns."""
    copy = np.array(checked_array(name, value, shape, *dtypes), order="C", subok=False)
    copy.flags.writeable = False
    return copy


def checked_label(name: str, value: Any) -> str | None:
    """A str that C can have as UTF-8, or None."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError(f"{name}: {describe(value)}, expected a str or None")
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"{name}: {describe(value)}, expected neither NUL nor half a surrogate pair")
    return value
