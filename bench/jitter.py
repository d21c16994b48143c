"""How even steps are: the slowest of a million next to the median, and a new stream's first step next to a warm one.

Beside the steps there are yardsticks that take as long: what the machine itself does to a program shows in them too.
All are timed call by call, in turns of some thousand calls.
"""

import argparse
import gc
import json
import mmap
from bisect import bisect_right
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import pin
from bench.calls import calls_module
from bench.cases import Layer, step_case
from bench.limits import weight_bytes
from bench.peers.pymps import Step
from bench.report import table

Times = npt.NDArray[np.int64]  # nanoseconds
Timer = Callable[[Times], object]  # fills in the time of each call

CALLS_PER_TURN = 5000
CALLS_AFTER_FIRST = 50
STALL_NANOSECONDS = 1000  # more than the median
SETTLING_NANOSECONDS = 10_000
ELEMENTS_PER_NANOSECOND = 64  # a NumPy product has fewer


def _time(timer: Timer, count: int) -> Times:
    times = np.ones(count, np.int64)  # written to, so that its pages are there
    timer(times)
    return times


def _as_long(timer_of: Callable[[int], Timer], like: float, most: int) -> Timer:
    """The timer of the largest length whose calls take no longer than `like` nanoseconds."""

    def nanoseconds(length: int) -> float:
        return float(np.median(_time(timer_of(length), CALLS_PER_TURN // 5)))

    return timer_of(max(1, bisect_right(range(most), like, key=nanoseconds) - 1))


def _yardsticks(layer: Layer, like: float) -> dict[str, Timer]:
    calls, links = calls_module(), int(like)  # a link of the chain takes more than a nanosecond
    words = np.frombuffer(mmap.mmap(-1, weight_bytes(layer.case, "float32")), np.uint64)  # whole pages
    words[:] = 1

    def product(length: int) -> Timer:
        a, out = np.ones(length, np.float32), np.ones(length, np.float32)
        return partial(calls.time_calls, lambda: np.multiply(a, a, out=out))

    return {
        "read": _as_long(lambda length: partial(calls.time_reads, words, length), like, links),
        "chain": _as_long(lambda length: partial(calls.time_chains, length), like, links),
        "NumPy": _as_long(product, like, ELEMENTS_PER_NANOSECOND * int(like)),
    }


def time_steps(layer: Layer, count: int) -> dict[str, Times]:
    """So many steps from Python and from C, and as many calls of each yardstick."""
    step, calls = Step(layer, "float32"), calls_module()
    timers: dict[str, Timer] = {
        "step": partial(calls.time_calls, step.run),
        "step from C": partial(calls.time_steps, step.stream),
    }
    timers |= _yardsticks(layer, float(np.median(_time(timers["step"], CALLS_PER_TURN))))
    turns: dict[str, list[Times]] = {name: [] for name in timers}
    for _ in range(max(1, count // CALLS_PER_TURN)):
        for name, timer in timers.items():
            turns[name].append(_time(timer, CALLS_AFTER_FIRST + CALLS_PER_TURN)[CALLS_AFTER_FIRST:])
    return {name: np.concatenate(times) for name, times in turns.items()}


def stalls_of(times: Times) -> npt.NDArray[np.bool_]:
    """Which calls took so much longer than the median that something must have stopped them."""
    return times > np.median(times) + STALL_NANOSECONDS


def stops(times: Times) -> int:
    """Stalls in a row are one stop of the machine, and what it leaves to the next calls."""
    stalls = stalls_of(times)
    return int(stalls[0]) + int(np.sum(stalls[1:] & ~stalls[:-1]))


def settled(times: Times) -> Times:
    """Those that are none and begin long enough after one: what it has taken from a call is there again."""
    ends, stalls = np.cumsum(times), stalls_of(times)
    latest = np.maximum.accumulate(np.where(stalls, ends, -SETTLING_NANOSECONDS))
    since = (ends - times)[1:] - latest[:-1]
    return times[1:][~stalls[1:] & (since >= SETTLING_NANOSECONDS)]


def _row(name: str, times: Times) -> list[str]:
    p50, *slowest = np.percentile(times, [50, 99, 99.9, 99.99, 100])
    ratios = [np.percentile(some, 99.9) / p50 for some in (times, settled(times))]
    stalls, seconds = times[stalls_of(times)] - p50, times.sum() * 1e-9
    rates = [stalls.size / seconds, stops(times) / seconds]
    stall = np.median(stalls) if stalls.size else 0
    return [
        name,
        *(f"{time:.0f}" for time in (p50, *slowest)),
        *(f"{ratio:.2f}" for ratio in ratios),
        *(f"{rate:.0f}" for rate in rates),
        f"{stall:.0f}",
    ]


def _print_steps(layer: Layer, steps: dict[str, Times]) -> None:
    size = f"({layer.case.inputs}, {layer.case.outputs}), ns"
    header = [
        size,
        "p50",
        "p99",
        "p99.9",
        "p99.99",
        "max",
        "p99.9/p50",
        "settled",
        "stalls/s",
        "stops/s",
        "median stall",
    ]
    print(table(header, [_row(name, times) for name, times in steps.items()]))


def _counts(times: Times) -> dict[str, list[int]]:
    """How often each time came: much shorter than the times, and as exact."""
    nanoseconds, counts = np.unique(times, return_counts=True)
    return {"nanoseconds": nanoseconds.tolist(), "counts": counts.tolist()}


def _measure_first_steps(layer: Layer, streams: int) -> None:
    """Print how much longer the first step of a new stream takes than its later ones."""
    firsts, warm = [], []
    for _ in range(streams):
        times = _time(partial(calls_module().time_calls, Step(layer, "float32").run), 1 + CALLS_AFTER_FIRST)
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
