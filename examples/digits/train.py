"""Train the LSTM that stream.py runs, and write its weights with PyTorch's answers to digits.safetensors.

Run it only to change the model: the file is part of the repository. Needs torch, scikit-learn and safetensors.
"""

from __future__ import annotations

import argparse
import platform
from pathlib import Path

import sklearn
import torch
from dataset import CLASSES, COLUMNS, load_images, split_images
from safetensors.torch import save_file
from torch import Tensor, nn

HIDDEN = 64
SEED = 0
EPOCHS = 200
BATCH = 64


class DigitReader(nn.Module):
    """An LSTM over the rows of an image, and a linear head on its last output."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(COLUMNS, HIDDEN, batch_first=True)
        self.head = nn.Linear(HIDDEN, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Map images, shape (N, ROWS, COLUMNS), to logits, shape (N, CLASSES)."""
        h, _ = self.lstm(images)
        logits: Tensor = self.head(h[:, -1])
        return logits


def shift_columns(images: Tensor) -> Tensor:
    """Move each image sideways by -1, 0 or 1 columns at random: more writers than the data has."""
    padded = nn.functional.pad(images, (1, 1))
    columns = torch.randint(0, 3, (len(images), 1, 1)) + torch.arange(COLUMNS)
    return padded.gather(2, columns.expand(images.shape))


def train(model: DigitReader, images: Tensor, labels: Tensor) -> None:
    """Fit `model` for a fixed number of epochs; the held-out images take no part, not even to stop early."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for epoch in range(EPOCHS):
        loss_sum = 0.0
        for batch in torch.randperm(len(images)).split(BATCH):
            optimizer.zero_grad()
            logits = model(shift_columns(images[batch]))
            loss = nn.functional.cross_entropy(logits, labels[batch], label_smoothing=0.05)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            loss_sum += loss.item() * len(batch)
        schedule.step()
        print(f"epoch {epoch + 1:3d}/{EPOCHS}  loss {loss_sum / len(images):.4f}", flush=True)


def main() -> None:
    """Train, measure on the held-out images, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("digits.safetensors"))
    output: Path = parser.parse_args().output

    torch.set_num_threads(1)  # one order of summation: the same machine writes the same weights again
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)

    arrays = load_images()
    images, labels = map(torch.from_numpy, arrays)
    training, held_out = map(torch.from_numpy, split_images(arrays[1]))
    model = DigitReader()
    train(model, images[training], labels[training])

    model.eval()
    with torch.inference_mode():
        logits = model(images[held_out])
    accuracy = (logits.argmax(1) == labels[held_out]).double().mean().item()

    tensors = {name: weights.contiguous() for name, weights in model.state_dict().items()}
    tensors |= {"held_out.indices": held_out, "held_out.logits": logits.clone()}
    metadata = {
        "made_by": "examples/digits/train.py",
        "model": f"LSTM {COLUMNS} -> {HIDDEN}, linear head {HIDDEN} -> {CLASSES}; gates stacked i, f, g, o",
        "data": f"sklearn.datasets.load_digits, pixels / 16; {len(training)} trained on, {len(held_out)} held out",
        "held_out_accuracy": f"{accuracy:.4f}",
        "seed": str(SEED),
        "epochs": str(EPOCHS),
        "torch": torch.__version__,
        "scikit-learn": sklearn.__version__,
        "machine": platform.machine(),
    }
    save_file(tensors, output, metadata)
    print(f"held-out accuracy {accuracy:.2%} on {len(held_out)} images; wrote {output}")


if __name__ == "__main__":
    main()
