"""The trained network that train.py saved: read from its file, checked, and put on a device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from movies import FRAMES, IMAGES, SIDE, Floats, Integers
from safetensors import SafetensorError, safe_open

import pymps

Layout = dict[str, tuple[tuple[int, ...], str]]  # shape and safetensors' name of the dtype, by the tensor's name
Descriptor = pymps.LSTMDescriptor | pymps.SingleGateDescriptor
LAYERS = 2
MISSING: tuple[tuple[int, ...], str] = ((), "missing")


@dataclass(frozen=True)
class Model:
    """The trained weights as train.py saved them, and PyTorch's frames for the first movie of held-out digits."""

    weights: dict[str, Floats]  # kernels (out, kernel, kernel, in) in float16, biases in float32
    held_out: Integers  # (N,) indices of digits that training never saw
    reference_frames: Floats  # (FRAMES - 1, SIDE, SIDE)
    reference: str  # the PyTorch that made them

    @classmethod
    def load(cls, path: Path) -> Model:
        """Read and check the file that train.py wrote; ValueError says which file, and what is wrong with it."""
        if not path.is_file():
            raise ValueError(f"{path}: no such file")
        try:
            with safe_open(path, framework="numpy") as file:
                expected = check_layout(read_layout(file))
                model = cls(
                    weights={name: file.get_tensor(name) for name in expected if not name.startswith("held_out")},
                    held_out=file.get_tensor("held_out.indices"),
                    reference_frames=file.get_tensor("held_out.frames"),
                    reference=f"PyTorch {(file.metadata() or {}).get('torch', '(version not recorded)')}",
                )
            if model.held_out.min() < 0 or model.held_out.max() >= IMAGES:
                raise ValueError(f"held_out.indices are not all from 0 to {IMAGES - 1}")
        except (OSError, SafetensorError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from error
        return model

    def build_layer(self, device: pymps.Device) -> pymps.ImageInferenceLayer:
        """Make the whole network as one layer on `device`.

        The last is a single gate without recurrent weights: a plain convolution, whose neuron is a sigmoid.
        """
        weights = self.weights
        descriptors: list[Descriptor] = [
            pymps.LSTMDescriptor.from_arrays(*(weights[f"lstm{n}.{name}"] for name in "wub"), gate_order="ifgo")
            for n in range(LAYERS)
        ]
        frame = pymps.SingleGateDescriptor(weights["frame.w"].shape[3], 1)
        frame.input_weights = pymps.WeightSource(
            weights["frame.w"], weights["frame.b"], pymps.Neuron(pymps.NeuronType.SIGMOID)
        )
        return pymps.ImageInferenceLayer(device, [*descriptors, frame])


def read_layout(file: safe_open) -> Layout:
    """Read the name, shape and dtype of each tensor, without the tensors."""
    slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    return {name: (tuple(part.get_shape()), part.get_dtype()) for name, part in slices.items()}


def check_layout(found: Layout) -> Layout:
    """Raise ValueError unless each tensor is there, with its shape and dtype, and none is empty; return these."""
    frame = found.get("frame.w", MISSING)[0]
    kernel, hidden = frame[2:] if len(frame) == 4 else (0, 0)
    digits = math.prod(found.get("held_out.indices", MISSING)[0])
    expected: Layout = {
        "frame.w": ((1, kernel, kernel, hidden), "F16"),
        "frame.b": ((1,), "F32"),
        "held_out.indices": ((digits,), "I64"),
        "held_out.frames": ((FRAMES - 1, SIDE, SIDE), "F32"),
    }
    for n, channels in enumerate((1, hidden)):
        expected |= {
            f"lstm{n}.w": ((4 * hidden, kernel, kernel, channels), "F16"),
            f"lstm{n}.u": ((4 * hidden, kernel, kernel, hidden), "F16"),
            f"lstm{n}.b": ((4 * hidden,), "F32"),
        }
    for name, (shape, dtype) in expected.items():
        given_shape, given_dtype = found.get(name, MISSING)
        if given_shape != shape or given_dtype != dtype or 0 in shape:
            raise ValueError(f"tensor {name} is {given_dtype} {given_shape}, expected {dtype} {shape}")
    return expected
