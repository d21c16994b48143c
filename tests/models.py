"""Small layers, for tests that are not about numbers."""

import gc
import subprocess
import sys
import time

import numpy as np
import numpy.typing as npt

import pymps

Float32 = npt.NDArray[np.float32]


def lstm(inputs: int = 3, outputs: int = 5, seed: int = 0) -> pymps.LSTMDescriptor:
    """An LSTM of random weights, kept as float32."""
    rng = np.random.default_rng(seed)
    shapes = (4 * outputs, inputs), (4 * outputs, outputs), (4 * outputs,)
    w_ih, w_hh, bias = (rng.uniform(-0.5, 0.5, shape).astype(np.float32) for shape in shapes)
    return pymps.LSTMDescriptor.from_arrays(w_ih, w_hh, bias, use_float32_weights=True)


def layer(device: pymps.Device, inputs: int = 3, outputs: int = 5) -> pymps.MatrixInferenceLayer:
    return pymps.MatrixInferenceLayer(device, lstm(inputs, outputs))


def sequence(steps: int = 4, batch: int = 2, features: int = 3, seed: int = 1) -> Float32:
    return np.random.default_rng(seed).standard_normal((steps, batch, features), np.float32)


def assert_close(actual: npt.ArrayLike, expected: npt.ArrayLike) -> None:
    """Equal but for rounding: a device may add up a sequence in another order than its steps."""
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=2e-6)


def allocated_size(device: pymps.Device) -> int:
    """What is allocated when no garbage is left."""
    gc.collect()
    return device.current_allocated_size


def assert_allocated(device: pymps.Device, at_most: int) -> None:
    """A device may let go of memory a little later, on a thread of its own."""
    for _ in range(200):
        if allocated_size(device) <= at_most:
            return
        time.sleep(0.01)
    assert device.current_allocated_size <= at_most


def run_child(program: str) -> str:
    """What a Python program prints in a process of its own, which must end well and without a word on stderr."""
    command = [sys.executable, "-X", "faulthandler", "-c", program]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (child.returncode, child.stderr) == (0, "")
    return child.stdout
