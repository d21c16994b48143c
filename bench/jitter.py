"""How even steps are: the slowest of a million next to the median, and a new stream's first step next to a warm one.

The yardstick is a NumPy product of vectors that takes about as long as the step: what the machine itself does to a
program shows in it too. Both are timed call by call, in turns of some thousand calls.
"""

import argparse
import gc
import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import pin
from bench.calls import calls_module
from bench.cases import Layer, step_case
from bench.peers.pymps import Step

Times = npt.NDArray[np.int64]  # nanoseconds

CALLS_PER_TURN = 5000
CALLS_AFTER_FIRST = 50


def _time(call: Callable[[], object], count: int) -> Times:
    times = np.ones(count, np.int64)  # written to, so that its pages are there
    calls_module().time_calls(call, times)
    return times


def _product(length: int) -> Callable[[], object]:
    a, out = np.ones(length, np.float32), np.ones(length, np.float32)
    return lambda: np.multiply(a, a, out=out)


def _yardstick(like: float) -> Callable[[], object]:
    """The longest product that takes no longer than `like` nanoseconds; at least the shortest one."""
    length = 1
    while np.median(_time(_product(2 * length), CALLS_AFTER_FIRST)) <= like:
        length *= 2
    return _product(length)


def time_steps(layer: Layer, count: int) -> dict[str, Times]:
    """So many steps, and as many calls of the yardstick."""
    step = Step(layer, "float32").run
    like = float(np.median(_time(step, CALLS_PER_TURN)))
    calls = {"pymps": step, "NumPy": _yardstick(like)}
    turns: dict[str, list[Times]] = {name: [] for name in calls}
    for _ in range(max(1, count // CALLS_PER_TURN)):
        for name, call in calls.items():
            _time(call, CALLS_AFTER_FIRST)
            turns[name].append(_time(call, CALLS_PER_TURN))
    return {name: np.concatenate(times) for name, times in turns.items()}


def _print_steps(layer: Layer, steps: dict[str, Times]) -> None:
    print(f"({layer.case.inputs}, {layer.case.outputs}), nanoseconds      p50      p99    p99.9        max p99.9/p50")
    for name, times in steps.items():
        p50, p99, p999, most = np.percentile(times, [50, 99, 99.9, 100])
        print(f"  {name:10} {p50:8.0f} {p99:8.0f} {p999:8.0f} {most:10.0f} {p999 / p50:9.2f}")


def _counts(times: Times) -> dict[str, list[int]]:
    """How often each time came: much shorter than the times, and as exact."""
    nanoseconds, counts = np.unique(times, return_counts=True)
    return {"nanoseconds": nanoseconds.tolist(), "counts": counts.tolist()}


def _measure_first_steps(layer: Layer, streams: int) -> None:
    """Print how much longer the first step of a new stream takes than its later ones."""
    firsts, warm = [], []
    for _ in range(streams):
        times = _time(Step(layer, "float32").run, 1 + CALLS_AFTER_FIRST)
        firsts.append(float(times[0]))
        warm.append(float(np.median(times[1 + CALLS_AFTER_FIRST // 2 :])))
    ratios = [first / later for first, later in zip(firsts, warm, strict=True)]
    print(
        f"  first step of {streams} new streams: {median(firsts):.0f}, warm: {median(warm):.0f}, "
        f"first/warm: {median(ratios):.2f} (median), {np.percentile(ratios, 95):.2f} (p95)"
    )


def main() -> None:
    """Measure small and middle sizes, or the one that is given."""
    parser = argparse.ArgumentParser(prog="python -m bench.jitter", description=main.__doc__)
    parser.add_argument("size", type=int, nargs="*", help="input and output feature channels")
    parser.add_argument("--steps", type=int, default=10**6)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--json", type=Path, help="where to save how often each time came; bench.plot draws it")
    arguments = parser.parse_args()
    pin()
    gc.disable()
    saved: list[dict[str, Any]] = []
    for size in [arguments.size] if arguments.size else [(16, 16), (64, 128)]:
        layer = Layer(step_case(*size), "float32")
        steps = time_steps(layer, arguments.steps)
        _print_steps(layer, steps)
        _measure_first_steps(layer, arguments.streams)
        calls = {name: _counts(times) for name, times in steps.items()}
        saved.append({"inputs": size[0], "outputs": size[1], "calls": calls})
    if arguments.json:
        arguments.json.write_text(json.dumps(saved))


if __name__ == "__main__":
    main()
