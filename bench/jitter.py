"""How even steps are: the slowest of a million next to the median, and a new stream's first step next to a warm one.

The yardstick is a NumPy product of vectors that takes about as long as the step: what the machine itself does to a
program shows in it too. Both are timed call by call, in turns of some thousand calls.
"""

import argparse
import gc
import os
from collections.abc import Callable
from statistics import median

import numpy as np
import numpy.typing as npt

from bench.calls import calls_module
from bench.cases import Case, Size
from bench.peers.pymps import Peer

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


def _row(name: str, times: Times) -> str:
    p50, p99, p999, most = np.percentile(times, [50, 99, 99.9, 100])
    return f"  {name:10} {p50:8.0f} {p99:8.0f} {p999:8.0f} {most:10.0f} {p999 / p50:9.2f}"


def measure_steps(size: Size, count: int) -> None:
    """Print the distribution of `count` steps and of as many calls of the yardstick."""
    step = Peer(Case(size), "float32").step
    like = float(np.median(_time(step, CALLS_PER_TURN)))
    names = {"step": step, "NumPy": _yardstick(like)}
    turns: dict[str, list[Times]] = {name: [] for name in names}
    for _ in range(max(1, count // CALLS_PER_TURN)):
        for name, call in names.items():
            _time(call, CALLS_AFTER_FIRST)
            turns[name].append(_time(call, CALLS_PER_TURN))
    print(f"({size.inputs}, {size.outputs}), nanoseconds      p50      p99    p99.9        max p99.9/p50")
    for name, times in turns.items():
        print(_row(name, np.concatenate(times)))


def measure_first_steps(size: Size, streams: int) -> None:
    """Print how much longer the first step of a new stream takes than its later ones."""
    case, firsts, warm = Case(size), [], []
    for _ in range(streams):
        times = _time(Peer(case, "float32").step, 1 + CALLS_AFTER_FIRST)
        firsts.append(float(times[0]))
        warm.append(float(np.median(times[1 + CALLS_AFTER_FIRST // 2 :])))
    ratios = [first / later for first, later in zip(firsts, warm, strict=True)]
    print(
        f"  first step of {streams} new streams: {median(firsts):.0f}, warm: {median(warm):.0f}, "
        f"first/warm: {median(ratios):.2f} (median), {np.percentile(ratios, 95):.2f} (p95)"
    )


def main() -> None:
    """Measure small and middle sizes, or the one that is given."""
    parser = argparse.ArgumentParser(prog="bench.jitter", description=main.__doc__)
    parser.add_argument("size", type=int, nargs="*", help="input and output feature channels")
    parser.add_argument("--steps", type=int, default=10**6)
    parser.add_argument("--streams", type=int, default=200)
    arguments = parser.parse_args()
    sizes = [Size(*arguments.size)] if arguments.size else [Size(16, 16), Size(64, 128)]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    gc.disable()
    for size in sizes:
        measure_steps(size, arguments.steps)
        measure_first_steps(size, arguments.streams)


if __name__ == "__main__":
    main()
