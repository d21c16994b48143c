"""Train the digits' LSTM with pymps alone, then stream the held-out digits with the weights that it learned.

Epochs, batches, learning rates and images are those of train.py, which trains the same network with PyTorch, and has
weight decay and a limit on gradients besides. Gradients and updates of the weights are pymps's; only the loss is
NumPy's. The file of weights suits stream.py.

Exit status: 0 the held-out digits are read right, 1 they are not, 2 the input can't be used.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from dataset import CLASSES, COLUMNS, ROWS, Floats, Integers, load_images, split_images
from network import HIDDEN, Network
from safetensors.numpy import save_file
from tqdm import tqdm

import pymps

EPOCHS = 200
MOST_EPOCHS = 10_000
BATCH = 64
LEARNING_RATE = 4e-3
LABEL_SMOOTHING = 0.05
TOLERANCE = 1e-5  # how far a streamed logit may be from the training layer's: both are float32
LEAST_ACCURACY = 0.95


@dataclass(frozen=True)
class Options:
    """The command line."""

    device: str | None
    epochs: int
    seed: int
    output: Path
    plot: Path


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; a wrong one ends the program with status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", help='a name that pymps.Device takes, such as "metal" or "portable"')
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="times over the images (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first weights and the order (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("digits_pymps.safetensors"), help="the weights")
    parser.add_argument("--plot", type=Path, default=Path("digits_loss.png"), help="the drawing of the loss")
    options = Options(**vars(parser.parse_args(arguments)))
    if not 1 <= options.epochs <= MOST_EPOCHS:
        parser.error(f"argument --epochs: {options.epochs} is not between 1 and {MOST_EPOCHS}")
    if options.seed < 0:
        parser.error(f"argument --seed: {options.seed} is less than 0")
    return options


def open_for_writing(path: Path) -> None:
    """Fail before the training, and not after it, where `path` can't be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.open("ab").close()


def shift_columns(images: Floats, rng: np.random.Generator) -> Floats:
    """Move each image sideways by -1, 0 or 1 columns at random: more writers than the data has."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1)))
    columns = rng.integers(0, 3, (len(images), 1, 1)) + np.arange(COLUMNS)
    return np.take_along_axis(padded, columns, axis=2)


def smooth_targets(labels: Integers) -> Floats:
    """What the softmax should be: nearly 1 for the digit, and not quite 0 for the others."""
    targets = np.full((len(labels), CLASSES), LABEL_SMOOTHING / CLASSES, np.float32)
    targets[np.arange(len(labels)), labels] += 1 - LABEL_SMOOTHING
    return targets


def train(network: Network, images: Floats, labels: Integers, epochs: int, rng: np.random.Generator) -> list[float]:
    """Fit `network` for a fixed number of epochs and return each one's mean loss; the rate falls as a cosine does."""
    targets = smooth_targets(labels)
    losses = []
    progress = tqdm(range(epochs), unit=" epochs", disable=None)
    for epoch in progress:
        network.set_learning_rate(LEARNING_RATE * (1 + math.cos(math.pi * epoch / epochs)) / 2)
        loss_sum = 0.0
        order = rng.permutation(len(images))
        for batch in np.split(order, range(BATCH, len(order), BATCH)):
            loss_sum += network.learn(shift_columns(images[batch], rng), targets[batch]) * len(batch)
        losses.append(loss_sum / len(images))
        progress.set_postfix(loss=f"{losses[-1]:.4f}", refresh=False)
    return losses


def stream_images(layer: pymps.MatrixInferenceLayer, images: Floats) -> Floats:
    """Read images row by row, as samples of a sensor would come in; logits, shape (N, CLASSES)."""
    logits = np.empty((len(images), CLASSES), np.float32)
    with layer.stream(batch=1) as stream:
        for n, image in enumerate(images):
            stream.reset()
            for row in image:
                stream.x[0] = row
                stream.step()
            logits[n] = stream.y[0]
    return logits


def draw_losses(path: Path, losses: Sequence[float]) -> None:
    """Draw the loss of each epoch."""
    from matplotlib.figure import Figure  # takes a second, which --help and a wrong option need not wait for

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.semilogy(range(1, len(losses) + 1), losses)
    axes.set(xlabel="epoch", ylabel="mean cross-entropy", title="Handwritten digits, trained with pymps")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    axes.grid(which="both", color="#e4e4e4")
    figure.savefig(path, dpi=100, metadata={"Software": None})


def save(network: Network, held_out: Integers, logits: Floats, options: Options) -> None:
    """Write what stream.py reads: the weights, and the training layer's logits of the held-out images."""
    metadata = {
        "made_by": "examples/digits/train_pymps.py",
        "model": f"LSTM {COLUMNS} -> {HIDDEN}, linear head {HIDDEN} -> {CLASSES}; gates stacked i, f, g, o",
        "seed": str(options.seed),
        "epochs": str(options.epochs),
        "pymps": pymps.__version__,
    }
    tensors = {**network.tensors(), "held_out.indices": held_out, "held_out.logits": logits}
    save_file(tensors, options.output, metadata)


def find_failures(difference: float, accuracy: float) -> list[str]:
    """Say what is wrong with the answers; written so that a NaN fails."""
    failures = []
    if not difference <= TOLERANCE:
        failures.append(f"the logits differ from the training layer's by {difference:.2g}, more than {TOLERANCE:g}")
    if not accuracy >= LEAST_ACCURACY:
        failures.append(f"the accuracy is {accuracy:.2%}, below {LEAST_ACCURACY:.0%}")
    return failures


def run(device: pymps.Device, options: Options) -> int:
    """Train, save, draw, stream, print the figures, and return the exit status."""
    images, labels = load_images()
    training, held_out = split_images(labels)
    print(f"device        {device.name} ({device.backend})")
    print(f"model         LSTM {COLUMNS} -> {HIDDEN}, linear head {HIDDEN} -> {CLASSES}, fp32 weights")
    print(f"input         {len(training)} images of {ROWS} rows to train on, {len(held_out)} held out")
    sys.stdout.flush()

    rng = np.random.default_rng(options.seed)
    network = Network(device, rng, LEARNING_RATE)
    begin = time.perf_counter()
    losses = train(network, images[training], labels[training], options.epochs, rng)
    seconds = time.perf_counter() - begin
    rate = options.epochs * len(training) / seconds
    print(f"training      {options.epochs} epochs in {seconds:.1f} s, {rate:,.0f} images/s")
    print(f"loss          {losses[0]:.4f} in the first epoch, {losses[-1]:.4f} in the last")

    reference = network.logits(images[held_out])
    save(network, held_out, reference, options)
    draw_losses(options.plot, losses)
    print(f"written       {options.output}, {options.plot}")

    logits = stream_images(network.build_layer(), images[held_out])
    accuracy = float(np.mean(logits.argmax(axis=1) == labels[held_out]))
    difference = float(np.abs(logits - reference).max())
    print(f"accuracy      {accuracy:.2%} of the held-out images, streamed row by row")
    print(f"logits        differ from the training layer's by at most {difference:.2g} (tolerance {TOLERANCE:g})")

    failures = find_failures(difference, accuracy)
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


def main() -> int:
    """Open the device and the files, then train."""
    options = parse_options()
    try:
        device = pymps.Device(options.device)
        open_for_writing(options.output)
        open_for_writing(options.plot)
    except (OSError, ValueError, pymps.DeviceError) as error:
        print(f"train_pymps.py: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return run(device, options)


if __name__ == "__main__":
    sys.exit(main())
