"""The trained LSTM that train.py or train_pymps.py saved: read from its file, checked, and put on a device."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from dataset import CLASSES, COLUMNS, IMAGES, Floats, Integers
from safetensors import SafetensorError, safe_open

import pymps

Layout = dict[str, tuple[tuple[int, ...], str]]  # shape and safetensors' name of the dtype, by the tensor's name
MISSING: tuple[tuple[int, ...], str] = ((), "missing")


@dataclass(frozen=True)
class Model:
    """The trained weights as they were saved, and the answers of what trained them for the held-out images.

    PyTorch stacks the rows of the four gates in the order i, f, g, o and has two biases, which only matter as a sum.
    """

    w_ih: Floats  # (4*H, COLUMNS)
    w_hh: Floats  # (4*H, H)
    bias: Floats  # (4*H,)
    head_weights: Floats  # (CLASSES, H)
    head_bias: Floats  # (CLASSES,)
    held_out: Integers  # (N,) indices of images that training never saw
    reference_logits: Floats  # (N, CLASSES)
    reference: str  # what gave them, and its version

    @classmethod
    def load(cls, path: Path) -> Model:
        """Read and check a file of weights; ValueError says which file, and what is wrong with it."""
        if not path.is_file():
            raise ValueError(f"{path}: no such file")
        try:
            with safe_open(path, framework="numpy") as file:
                check_layout(read_layout(file))
                read = file.get_tensor
                model = cls(
                    w_ih=read("lstm.weight_ih_l0"),
                    w_hh=read("lstm.weight_hh_l0"),
                    bias=read("lstm.bias_ih_l0") + read("lstm.bias_hh_l0"),
                    head_weights=read("head.weight"),
                    head_bias=read("head.bias"),
                    held_out=read("held_out.indices"),
                    reference_logits=read("held_out.logits"),
                    reference=read_reference(file.metadata() or {}),
                )
            if model.held_out.min() < 0 or model.held_out.max() >= IMAGES:
                raise ValueError(f"held_out.indices are not all from 0 to {IMAGES - 1}")
        except (OSError, SafetensorError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from error
        return model

    def build_layer(self, device: pymps.Device, *, half: bool) -> pymps.MatrixInferenceLayer:
        """Make the LSTM on `device`, its weights in fp16 (Apple's default) if `half`, else in fp32."""
        descriptor = pymps.LSTMDescriptor.from_arrays(
            self.w_ih, self.w_hh, self.bias, gate_order="ifgo", use_float32_weights=not half
        )
        return pymps.MatrixInferenceLayer(device, descriptor)

    def head(self, h: Floats) -> Floats:
        """Map the LSTM's last output, shape (H,), to logits, shape (CLASSES,)."""
        return self.head_weights @ h + self.head_bias


def read_reference(metadata: dict[str, str]) -> str:
    """What the logits in the file come from."""
    if "pymps" in metadata:
        return f"the training layer of pymps {metadata['pymps']}"
    return f"PyTorch {metadata.get('torch', '(version not recorded)')}"


def read_layout(file: safe_open) -> Layout:
    """Read the name, shape and dtype of each tensor, without the tensors."""
    slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    return {name: (tuple(part.get_shape()), part.get_dtype()) for name, part in slices.items()}


def check_layout(found: Layout) -> None:
    """Raise ValueError unless each tensor is there, with its shape and dtype, and none is empty."""
    hidden = math.prod(found.get("head.weight", MISSING)[0]) // CLASSES
    images = math.prod(found.get("held_out.indices", MISSING)[0])
    expected: Layout = {
        "head.weight": ((CLASSES, hidden), "F32"),
        "head.bias": ((CLASSES,), "F32"),
        "lstm.weight_ih_l0": ((4 * hidden, COLUMNS), "F32"),
        "lstm.weight_hh_l0": ((4 * hidden, hidden), "F32"),
        "lstm.bias_ih_l0": ((4 * hidden,), "F32"),
        "lstm.bias_hh_l0": ((4 * hidden,), "F32"),
        "held_out.indices": ((images,), "I64"),
        "held_out.logits": ((images, CLASSES), "F32"),
    }
    for name, (shape, dtype) in expected.items():
        given_shape, given_dtype = found.get(name, MISSING)
        if given_shape != shape or given_dtype != dtype or 0 in shape:
            raise ValueError(f"tensor {name} is {given_dtype} {given_shape}, expected {dtype} {shape}")
