"""Stream handwritten digits through a trained LSTM, one row of pixels per step.

Each held-out image enters top row first, as samples from a sensor would; after the last row a linear head reads the
digit from the LSTM's output. The logits are checked against those of what trained it, and every step is timed.

Exit status: 0 the answers are right, 1 they are not, 2 the input can't be used.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

import numpy as np
from dataset import CLASSES, ROWS, Floats, Integers, load_images
from model import Model
from tqdm import tqdm

import pymps

# How far a logit may be from PyTorch's. They reach 5.6; summing in another order moves them by 3e-6 at most in plain
# float32 NumPy, and PyTorch's own are 2e-6 from the float64 result. Rounding the weights to fp16 moves them by 2.4e-3.
TOLERANCE_FP32 = 1e-5
TOLERANCE_FP16 = 1e-2
LEAST_ACCURACY = 0.95
MOST_PASSES = 1000  # 3.6 million steps: what their latencies and logits take stays under 50 MB


@dataclass(frozen=True)
class Options:
    """The command line."""

    device: str | None
    half: bool
    passes: int
    weights: Path


def parse_options(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line; a wrong one ends the program with status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", help='a name that pymps.Device takes, such as "metal" or "portable"')
    parser.add_argument("--half", action="store_true", help="keep the weights in fp16, Apple's default, not in fp32")
    parser.add_argument("--passes", type=int, default=10, help="times over the held-out images (default: %(default)s)")
    parser.add_argument("--weights", type=Path, default=Path(__file__).with_name("digits.safetensors"))
    options = Options(**vars(parser.parse_args(arguments)))
    if not 1 <= options.passes <= MOST_PASSES:
        parser.error(f"argument --passes: {options.passes} is not between 1 and {MOST_PASSES}")
    return options


def stream_images(stream: pymps.Stream, model: Model, images: Floats, passes: int) -> tuple[Floats, Integers]:
    """Read all images `passes` times, row by row.

    Returns
    -------
    logits : ndarray, shape (passes, N, CLASSES)
    latencies : ndarray, shape (passes * N * ROWS,), int64
        Nanoseconds of each step(), reading the clock included.
    """
    x, y, step, clock = stream.x[0], stream.y[0], stream.step, time.perf_counter_ns
    count = passes * len(images)
    logits = np.empty((count, CLASSES), np.float32)
    latencies = np.empty((count, ROWS), np.int64)
    # tqdm draws between two images, in this thread: a bar with a thread of its own would show up in the latencies.
    tqdm.monitor_interval = 0
    progress = tqdm(chain.from_iterable(repeat(images, passes)), total=count, unit=" images", disable=None)
    for n, image in enumerate(progress):
        stream.reset()
        for t, row in enumerate(image):
            x[:] = row
            begin = clock()
            step()
            latencies[n, t] = clock() - begin
        logits[n] = model.head(y)
    return logits.reshape(passes, len(images), CLASSES), latencies.ravel()


def clock_cost_ns(samples: int = 10_000) -> float:
    """Measure what reading the clock adds to a latency: the median gap between two readings with nothing between."""
    clock = time.perf_counter_ns
    return float(np.median([-(clock() - clock()) for _ in range(samples)]))


def histogram(latencies: Integers, bins: int = 10, width: int = 50) -> str:
    """Draw the latencies up to p99.9 in bins of equal ratio, and what lies above in one more."""
    edges = np.geomspace(latencies.min(), np.quantile(latencies, 0.999), bins + 1)
    counts = np.histogram(latencies, [*edges, np.inf])[0]
    lines = []
    for low, high, count in zip(edges, [*edges[1:], np.inf], counts, strict=True):
        limits = f"{low / 1e3:8.2f} to {high / 1e3:6.2f} us" if high < np.inf else f"{low / 1e3:8.2f} us and more "
        lines.append(f"{limits} {count:8d}  {'#' * round(width * count / counts.max())}".rstrip())
    return "\n".join(lines)


def print_latencies(latencies: Integers) -> None:
    """Print the percentiles and the histogram of the step latency."""
    p50, p99, p999, most = np.quantile(latencies, [0.5, 0.99, 0.999, 1]) / 1e3
    print(f"step latency  p50 {p50:.2f} us, p99 {p99:.2f} us, p99.9 {p999:.2f} us, max {most:.2f} us")
    print(f"              (reading the clock is {clock_cost_ns() / 1e3:.2f} us of each)")
    print(histogram(latencies))


def find_failures(reference: str, difference: float, tolerance: float, accuracy: float) -> list[str]:
    """Say what is wrong with the answers; written so that a NaN fails."""
    failures = []
    if not difference <= tolerance:
        failures.append(f"the logits differ from {reference}'s by {difference:.2g}, more than {tolerance:g}")
    if not accuracy >= LEAST_ACCURACY:
        failures.append(f"the accuracy is {accuracy:.2%}, below {LEAST_ACCURACY:.0%}")
    return failures


def run(model: Model, layer: pymps.MatrixInferenceLayer, images: Floats, labels: Integers, options: Options) -> int:
    """Stream, print the figures, and return the exit status."""
    device = layer.device
    steps = options.passes * len(images) * ROWS
    weights = "fp16 weights" if options.half else "fp32 weights"
    print(f"device        {device.name} ({device.backend})")
    print(
        f"model         LSTM {layer.input_feature_channels} -> {layer.output_feature_channels}, {weights} "
        f"(use_float32_weights={not options.half})"
    )
    print(f"input         {len(images)} held-out images x {ROWS} rows x {options.passes} passes = {steps} steps")
    sys.stdout.flush()

    begin = time.perf_counter()
    with layer.stream(batch=1) as stream:
        logits, latencies = stream_images(stream, model, images, options.passes)
    seconds = time.perf_counter() - begin

    accuracy = float(np.mean(logits.argmax(axis=-1) == labels))
    difference = float(np.abs(logits - model.reference_logits).max())
    tolerance = TOLERANCE_FP16 if options.half else TOLERANCE_FP32
    print(f"accuracy      {accuracy:.2%}")
    print(f"logits        differ from {model.reference}'s by at most {difference:.2g} (tolerance {tolerance:g})")
    print(f"throughput    {steps / seconds:,.0f} steps/s, filling x, the head and the progress bar included")
    print_latencies(latencies)

    failures = find_failures(model.reference, difference, tolerance, accuracy)
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


def main() -> int:
    """Open the file and the device, then stream."""
    options = parse_options()
    try:
        model = Model.load(options.weights)
        layer = model.build_layer(pymps.Device(options.device), half=options.half)
    except (ValueError, pymps.DeviceError) as error:
        print(f"stream.py: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    images, labels = load_images()
    return run(model, layer, images[model.held_out], labels[model.held_out], options)


if __name__ == "__main__":
    sys.exit(main())
