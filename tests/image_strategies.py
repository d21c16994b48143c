"""Hypothesis strategies for stacks over images: those of strategies.py, with kernels and with images for rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from reference import Layer, State
from strategies import Shapes, random_state, seeds, stacks

# Few channels: the reference takes its time for a convolution. Each kernel is drawn by itself, so that gates and parts
# of a layer differ.
KERNEL_SIZES = st.sampled_from((1, 2, 3, 3, 3, 4, 5))
IMAGES = Shapes((1, 2, 3, 4, 5, 7, 8, 9, 16, 17), st.one_of(st.tuples(KERNEL_SIZES, KERNEL_SIZES), st.just(())))
SIDES = st.integers(1, 9)
DTYPES = (np.float32, np.float32, np.float16, np.uint8, np.uint16)


def random_images(rng: np.random.Generator, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
    """Around 1; whole numbers from end to end of what they can be."""
    if np.dtype(dtype).kind == "u":
        return rng.integers(np.iinfo(dtype).max, size=shape, dtype=dtype, endpoint=True)
    return rng.standard_normal(shape).astype(dtype)


@dataclass
class ImageCase:
    """A stack, a sequence (T, N, H, W, channels) for it and the state it starts from, None being zeros."""

    stack: list[Layer]
    x: npt.NDArray[np.generic]
    state: State | None

    def __repr__(self) -> str:
        return f"{self.stack}, {self.x.shape} of {self.x.dtype} from {'a state' if self.state else 'zeros'}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # what Hypothesis prints: not each number
        printer.text(repr(self))


@st.composite
def image_cases(draw: st.DrawFn, count: int = 2, dtypes: Sequence[npt.DTypeLike] = DTYPES) -> ImageCase:
    """Anything that a stack of up to `count` layers can be given."""
    stack = draw(stacks(draw(st.integers(1, count)), IMAGES))
    shape = draw(st.integers(1, 3)), draw(SIDES), draw(SIDES)
    rng = draw(seeds)
    x = random_images(rng, (draw(st.integers(1, 3)), *shape, stack[0].inputs), draw(st.sampled_from(dtypes)))
    return ImageCase(stack, x, random_state(rng, stack, *shape) if draw(st.booleans()) else None)
