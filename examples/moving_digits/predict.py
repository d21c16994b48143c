"""Predict how moving digits go on, with a convolutional network that runs on pymps alone.

Each movie of held-out digits is shown frame by frame; then the network goes on by itself, its own frames coming back to
it as input. Its frames are compared with the movie's, with the last frame shown, and with PyTorch's; some are drawn.

Exit status: 0 the predictions are right, 1 they are not, 2 the input can't be used.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from model import Model
from movies import FRAMES, SEEN, SIDE, TEST_MOVIES, Floats, load_digits, make_movies
from tqdm import tqdm

import pymps

if TYPE_CHECKING:
    from matplotlib.figure import SubFigure

# How far a pixel may be from PyTorch's, from 0 to 1: float32 sums come out differently in another order, and the
# network goes on from what came out.
TOLERANCE = 1e-4
MOST_ERROR = 0.3  # of the last frame's
MOVIES_SEED = 1  # train.py's
MOST_MOVIES = 1000
DRAWN_MOVIES = 2


@dataclass(frozen=True)
class Options:
    """The command line."""

    device: str | None
    movies: int
    weights: Path
    output: Path


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; a wrong one ends the program with status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", help='a name that pymps.Device takes, such as "metal" or "portable"')
    parser.add_argument("--movies", type=int, default=TEST_MOVIES, help="how many are predicted (default: %(default)s)")
    parser.add_argument("--weights", type=Path, default=Path(__file__).with_name("moving_digits.safetensors"))
    parser.add_argument("--output", type=Path, default=Path("moving_digits.png"), help="what is drawn")
    options = Options(**vars(parser.parse_args(arguments)))
    if not 1 <= options.movies <= MOST_MOVIES:
        parser.error(f"argument --movies: {options.movies} is not between 1 and {MOST_MOVIES}")
    return options


def predict(stream: pymps.ImageStream, movie: Floats) -> Floats:
    """Frames 1 to FRAMES - 1, shape (FRAMES - 1, SIDE, SIDE); of the movie only the first SEEN are looked at."""
    stream.reset()
    frames = np.empty((FRAMES - 1, SIDE, SIDE), np.float32)
    for t in range(FRAMES - 1):
        stream.x[0] = movie[t] if t < SEEN else stream.y[0]
        stream.step()
        frames[t] = stream.y[0, :, :, 0]
    return frames


def predict_all(layer: pymps.ImageInferenceLayer, movies: Floats) -> Floats:
    """Predict movies (FRAMES, N, SIDE, SIDE, 1) one by one, with a progress bar; shape (N, FRAMES - 1, SIDE, SIDE)."""
    with layer.stream(number_of_images=1, height=SIDE, width=SIDE) as stream:
        progress = tqdm(movies.swapaxes(0, 1), unit=" movies", disable=None)
        return np.array([predict(stream, movie) for movie in progress])


def squared_errors(frames: Floats, truth: Floats) -> Floats:
    """The mean over movies and pixels, for each frame."""
    errors: Floats = np.square(frames - truth).mean(axis=(0, 2, 3))
    return errors


def print_errors(errors: Floats, baseline: Floats) -> None:
    """Print a line for each frame that the network made of its own."""
    print("frames ahead   squared error   of the last frame shown")
    for ahead, (own, last) in enumerate(zip(errors, baseline, strict=True), 1):
        print(f"{ahead:12d}   {own:13.4f}   {last:23.4f}   {'#' * round(50 * np.nan_to_num(own / baseline.max()))}")


def draw(path: Path, shown: Floats, predicted: Floats, truth: Floats) -> None:
    """Draw movies side by side: what was shown, then prediction, truth and their difference, frame below frame."""
    from matplotlib.figure import Figure  # takes a second, which --help and a wrong option need not wait for

    figure = Figure(figsize=(8 * len(shown), 4.3), layout="constrained")
    for part, *movie in zip(figure.subfigures(1, len(shown), squeeze=False)[0], shown, predicted, truth, strict=True):
        draw_movie(part, *movie)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80, metadata={"Software": None})


def draw_movie(figure: SubFigure, shown: Floats, predicted: Floats, truth: Floats) -> None:
    """Draw one movie; the difference is red where the prediction is too bright and blue where it is too dark."""
    rows = {"shown": shown, "predicted": predicted, "truth": truth, "difference": predicted - truth}
    grid = figure.subplots(len(rows), SEEN)
    for axes_row, (label, frames) in zip(grid, rows.items(), strict=True):
        signed = label == "difference"
        axes_row[0].set_ylabel(label)
        for axes, frame in zip(axes_row, frames, strict=True):
            axes.imshow(
                frame, cmap="RdBu_r" if signed else "gray", vmin=-1 if signed else 0, vmax=1, interpolation="nearest"
            )
            axes.set(xticks=[], yticks=[])
    for n in range(SEEN):
        grid[0][n].set_title(f"frame {n + 1}", fontsize=9)
        grid[1][n].set_title(f"frame {SEEN + n + 1}", fontsize=9)


def find_failures(difference: float, errors: Floats, baseline: Floats) -> list[str]:
    """Say what is wrong with the frames; written so that a NaN fails."""
    failures = []
    if not difference <= TOLERANCE:
        failures.append(f"the frames differ from PyTorch's by {difference:.2g}, more than {TOLERANCE:g}")
    if not errors.mean() <= MOST_ERROR * baseline.mean():
        failures.append(f"the error is {errors.mean():.4f}, more than {MOST_ERROR:.0%} of the last frame's")
    return failures


def run(model: Model, layer: pymps.ImageInferenceLayer, digits: Floats, options: Options) -> int:
    """Predict, print the figures, draw, and return the exit status."""
    print(f"device        {layer.device.name} ({layer.device.backend})")
    print(f"model         {layer.number_of_layers} layers on images, one of pymps's: two ConvLSTMs and a convolution")
    print(f"input         {options.movies} movies of {len(digits)} held-out digits, {SEEN} of {FRAMES} frames shown")
    sys.stdout.flush()
    movies = make_movies(digits, options.movies, np.random.default_rng(MOVIES_SEED))
    begin = time.perf_counter()
    frames = predict_all(layer, movies)
    seconds = time.perf_counter() - begin

    truth = movies[..., 0].swapaxes(0, 1)
    own, shown, rest = frames[:, SEEN - 1 :], truth[:, :SEEN], truth[:, SEEN:]
    errors, baseline = squared_errors(own, rest), squared_errors(shown[:, -1:], rest)
    difference = float(np.abs(frames[0] - model.reference_frames).max())
    print(f"speed         {frames.shape[0] * frames.shape[1] / seconds:,.0f} frames/s, {SIDE} x {SIDE} pixels")
    print(f"frames        differ from {model.reference}'s by at most {difference:.2g} (tolerance {TOLERANCE:g})")
    print(f"error         {errors.mean():.4f}, the last frame's {baseline.mean():.4f}")
    print_errors(errors, baseline)
    draw(options.output, *(part[:DRAWN_MOVIES] for part in (shown, own, rest)))
    print(f"drawn         {options.output}")

    failures = find_failures(difference, errors, baseline)
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


def main() -> int:
    """Open the file and the device, then predict."""
    options = parse_options()
    try:
        model = Model.load(options.weights)
        layer = model.build_layer(pymps.Device(options.device))
    except (ValueError, pymps.DeviceError) as error:
        print(f"predict.py: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return run(model, layer, load_digits()[model.held_out], options)


if __name__ == "__main__":
    sys.exit(main())
