"""What bench.check measures: few cases, each beside something that no change of pymps makes slower or faster.

A value is a time over that of its yardstick, both taken in the same round: for a step one read of its weights and a
fixed piece of Python, for a sequence the reads of its steps, for a batch, for training and for images the time that
the operations take at the machine's peak. Less is better.
"""

from collections.abc import Callable, Iterable
from functools import partial
from statistics import median
from threading import Lock
from time import perf_counter
from typing import NamedTuple

import numpy as np

import pymps
from bench import THREADS, peers
from bench.cases import SIZES, Case, Layer, image_case, step_case
from bench.interleave import Contestant, interleave
from bench.limits import PEAK_FLOPS, Limit, Peak, weight_bytes
from bench.peers.pymps import device

MARGIN = 0.10
CALL_MARGIN = 0.06
# What may not stay in a core's second-level cache, weights or a tape: that depends on the pages that the system gives.
LARGE_MARGIN, LARGE_BYTES = 0.15, 1 << 20

Times = dict[str, float]  # of a round, by contestant


class Value(NamedTuple):
    """What is made of a round's times, and what share of it is no change yet."""

    of: Callable[[Times], float]
    margin: float = MARGIN


class Race(NamedTuple):
    """Contestants that are timed together, loaded anew for each time, and the values that come of it."""

    load: Callable[[], dict[str, Contestant]]
    values: dict[str, Value]

    def measure(self, seconds: float) -> dict[str, float]:
        """Each value's median over the rounds; `seconds` for each contestant."""
        contestants = self.load()
        samples = interleave(list(contestants.values()), seconds * len(contestants))
        rounds = [
            dict(zip(contestants, times, strict=True)) for times in zip(*(own.seconds for own in samples), strict=True)
        ]
        return {case: median(map(value.of, rounds)) for case, value in self.values.items()}


class _Timed:
    """`run(n)` does something n times."""

    caller_waits = False

    def __init__(self, run: Callable[[int], object]) -> None:
        self._run = run

    def time(self, calls: int) -> float:
        start = perf_counter()
        self._run(calls)
        return perf_counter() - start


def _yardstick() -> Contestant:
    """Python's own work and a lock, much as on the way to a kernel."""
    lock = Lock()

    def run(times: int) -> None:
        for _ in range(times):
            with lock:
                pass

    return _Timed(run)


def _pymps(case: Case, dtype: str) -> Contestant:
    return peers.Contestant("pymps", dtype).load(Layer(case, "int8" if dtype == "int8" else "float32"))


def _call_race() -> Race:
    """The way from Python to a kernel and back, with the least layer there is."""

    def load() -> dict[str, Contestant]:
        one, linear = np.ones((1, 1), np.float32), pymps.Neuron(pymps.NeuronType.NONE)
        descriptor = pymps.SingleGateDescriptor.from_arrays(one, 0 * one, one[0], neuron=linear)
        step = pymps.MatrixInferenceLayer(device(), descriptor).stream(batch=1).step

        def run(times: int) -> None:
            for _ in range(times):
                step()

        return {"step": _Timed(run), "yardstick": _yardstick()}

    return Race(load, {"call": Value(lambda times: times["step"] / times["yardstick"], CALL_MARGIN)})


def _step_race(kind: str, inputs: int, outputs: int, dtypes: Iterable[str]) -> Race:
    case = step_case(inputs, outputs, kind)

    def load() -> dict[str, Contestant]:
        contestants = {"yardstick": _yardstick()}
        for dtype in dtypes:
            contestants[dtype] = _pymps(case, dtype)
            contestants[f"limit {dtype}"] = Limit(case, dtype)
        return contestants

    def over_limit(dtype: str, times: Times) -> float:
        return times[dtype] / (times[f"limit {dtype}"] + times["yardstick"])

    def margin(dtype: str) -> float:
        return LARGE_MARGIN if weight_bytes(case, dtype) > LARGE_BYTES else MARGIN

    return Race(load, {f"step {case} {dtype}": Value(partial(over_limit, dtype), margin(dtype)) for dtype in dtypes})


def _sequence_race(kind: str, inputs: int, outputs: int, dtype: str) -> Race:
    case = Case("sequence", kind, inputs, outputs, 100, 1, THREADS)

    def load() -> dict[str, Contestant]:
        return {"pymps": _pymps(case, dtype), "limit": Limit(case, dtype)}

    def over_limit(times: Times) -> float:
        return times["pymps"] / case.steps / times["limit"]

    return Race(load, {f"sequence {case} {dtype}": Value(over_limit)})


def _peak_race(case: Case, margin: float = MARGIN) -> Race:
    def load() -> dict[str, Contestant]:
        return {"pymps": _pymps(case, "float32"), "peak": Peak()}

    def over_peak(times: Times) -> float:
        return times["pymps"] / case.flops / (times["peak"] / PEAK_FLOPS)

    return Race(load, {f"{case.workload} {case} float32": Value(over_peak, margin)})


RACES = [
    _call_race(),
    *(_step_race("lstm", *size, ("float32", "float16", "int8")) for size in SIZES),
    *(_step_race(kind, 64, 128, ["float32"]) for kind in ("gru", "rnn")),
    _sequence_race("lstm", 64, 128, "float32"),
    _sequence_race("lstm", 128, 256, "float16"),
    _peak_race(Case("batch", "lstm", 128, 256, 50, 32, THREADS)),
    _peak_race(Case("training", "lstm", 64, 128, 50, 32, THREADS), LARGE_MARGIN),
    _peak_race(image_case(16, 16, 64)),
]
MARGINS = {case: value.margin for race in RACES for case, value in race.values.items()}
