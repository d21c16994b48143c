"""Write images.safetensors: the digits that examples/digits held out of training, for programs without scikit-learn.

Run it only when the model changes: the file is part of the repository. Needs scikit-learn and safetensors.
"""

from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file
from sklearn.datasets import load_digits

HERE = Path(__file__).parent


def main() -> None:
    """Pick the images that the model's file names, with their labels."""
    with safe_open(HERE.parent / "digits" / "digits.safetensors", framework="numpy") as model:
        held_out = model.get_tensor("held_out.indices")
    digits = load_digits()
    tensors = {
        "images": digits.images[held_out].astype(np.uint8),  # (N, 8, 8), levels from 0 to 16
        "labels": digits.target[held_out].astype(np.uint8),  # (N,)
    }
    metadata = {"made_by": "examples/objc/make_images.py", "data": "sklearn.datasets.load_digits, held_out.indices"}
    save_file(tensors, HERE / "images.safetensors", metadata)


if __name__ == "__main__":
    main()
