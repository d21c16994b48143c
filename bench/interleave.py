"""Times contestants side by side: in each round everyone runs one block of calls, in an order drawn anew."""

import gc
import os
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, sleep
from typing import Protocol

from bench import THREADS, cpus

BLOCK_SECONDS = 1e-3
WARM_UP_SECONDS = 3e-4  # or WARM_UP_CALLS, whichever is less
WARM_UP_CALLS = 10
# Where a call takes longer. Few would meet their weights in memory, where the contestants before have pushed them.
MIN_CALLS = 4
MIN_WARM_UP_CALLS = 2
LONG_SECONDS = 10e-3  # of a call that makes a block by itself, after one that is not timed
SELF_WARMING_SECONDS = 100e-3  # and of one that needs none before
MIN_ROUNDS = 3
BLOCK_SIZE_TRIES = 3
SETTLE_SECONDS = 0.1


class Contestant(Protocol):
    """`caller_waits`: with several threads, the calling one leaves the work to others."""

    caller_waits: bool

    def time(self, calls: int) -> float:
        """Run that often, and return the seconds that it took."""


@dataclass
class Samples:
    """One contestant's samples: seconds per call, one number for each round."""

    warm_up: int
    calls: int
    seconds: list[float] = field(default_factory=list)


def interleave(contestants: Sequence[Contestant], seconds: float) -> list[Samples]:
    """Run rounds for about `seconds`, at least three; the n-th samples of all were taken in the same round."""
    for contestant in contestants:
        contestant.time(1)  # compiles what it has to, and starts its threads
    gc.collect()
    gc.disable()
    try:
        return _rounds(contestants, seconds)
    finally:
        gc.enable()


def _rounds(contestants: Sequence[Contestant], seconds: float) -> list[Samples]:
    rng = random.Random(0)
    samples = [_block_size(contestant) for contestant in contestants]
    order = list(zip(contestants, samples, strict=True))
    end = perf_counter() + seconds
    while perf_counter() < end or len(samples[0].seconds) < MIN_ROUNDS:
        rng.shuffle(order)
        for contestant, own in order:
            own.seconds.append(_block(contestant, own))
    return samples


def _block(contestant: Contestant, own: Samples) -> float:
    """Seconds per call, after a few that bring the contestant's weights back into the caches and wake its threads."""
    _settle()
    with _pinned(contestant):
        contestant.time(own.warm_up)
        return contestant.time(own.calls) / own.calls


def _block_size(contestant: Contestant) -> Samples:
    _settle()
    calls = 1
    with _pinned(contestant):
        while (seconds := _least_time(contestant, calls)) < BLOCK_SECONDS / 4:
            calls *= 2
    call = seconds / calls
    if call > LONG_SECONDS:
        return Samples(0 if call > SELF_WARMING_SECONDS else 1, 1)
    warm_up = min(WARM_UP_CALLS, max(MIN_WARM_UP_CALLS, round(WARM_UP_SECONDS / call)))
    return Samples(warm_up, max(MIN_CALLS, round(BLOCK_SECONDS / call)))


def _least_time(contestant: Contestant, calls: int) -> float:
    """Of a few tries: a first call with cold caches takes so long that blocks of it would stay cold."""
    seconds = contestant.time(calls)
    for _ in range(BLOCK_SIZE_TRIES - 1 if seconds < SELF_WARMING_SECONDS else 0):
        seconds = min(seconds, contestant.time(calls))
    return seconds


@contextmanager
def _pinned(contestant: Contestant) -> Iterator[None]:
    """Keep this thread on one CPU if it does a share of the work: the other threads then stay on the rest.

    Else both may wake up on the same CPU, and one spins there, waiting for the other.
    """
    if THREADS == 1 or contestant.caller_waits or not cpus():
        yield
        return
    os.sched_setaffinity(0, cpus()[:1])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cpus())


def _settle() -> None:
    """Wait until no other thread of this process runs: those of the contestant before may still spin for new work."""
    if THREADS == 1 or not cpus():
        return
    own = threading.get_native_id()
    end = perf_counter() + SETTLE_SECONDS
    while perf_counter() < end and any(_runs(task) for task in os.listdir("/proc/self/task") if int(task) != own):
        sleep(0)


def _runs(task: str) -> bool:
    try:
        return Path(f"/proc/self/task/{task}/stat").read_text().rpartition(") ")[2].startswith("R")
    except OSError:  # it has ended
        return False
