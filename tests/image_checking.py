"""Builds pymps's layers of images from reference.py's, runs them, and compares step by step."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import reference as ref
from checking import assert_step, descriptor, initial_state
from reference import Layer, State

import pymps

Images = npt.NDArray[np.generic]


def image_layer(device: pymps.Device, *stack: Layer) -> pymps.ImageInferenceLayer:
    return pymps.ImageInferenceLayer(device, [descriptor(layer) for layer in stack])


def as_kept(stack: Sequence[Layer]) -> list[Layer]:
    """The layers as an image layer keeps them: whatever use_float32_weights says, W, U and V are in float16."""
    half = [ref.with_rounded_weights(replace(layer, use_float32_weights=False)) for layer in stack]
    return [replace(layer, use_float32_weights=True) for layer in half]


def assert_image_steps(
    device: pymps.Device, stack: Sequence[Layer], x: Sequence[Images] | Images, state: State | None = None
) -> list[Images]:
    """Runs x, each step (N, H, W, channels), through the stack and compares step by step; returns y."""
    layer = image_layer(device, *stack)
    y, states = layer(x, initial_state(layer, state), store_all_intermediate_states=True)
    assert len(y) == len(states) == len(x)
    before = ref.zero_state(stack, *x[0].shape[:-1]) if state is None else state
    for x_t, y_t, state_t in zip(x, y, states, strict=True):
        assert y_t.dtype == (x_t.dtype if x_t.dtype.kind == "f" else np.float32)
        before = assert_step(device, as_kept(stack), x_t, before, state_t, y_t)
    return list(y)
