"""Times contestants side by side: in each round everyone runs one block of steps, in an order drawn anew."""

import gc
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol

BLOCK_SECONDS = 1e-3
WARM_UP_STEPS = 10
MIN_ROUNDS = 20


class Contestant(Protocol):
    def advance(self, steps: int) -> None: ...


@dataclass
class Samples:
    """One contestant's samples: seconds per step, one number for each round."""

    steps_per_block: int
    seconds: list[float] = field(default_factory=list)


def interleave(contestants: Sequence[Contestant], seconds: float) -> list[Samples]:
    """Run rounds for about `seconds`; the n-th samples of all were taken within the same milliseconds."""
    rng = random.Random(0)
    samples = [Samples(_steps_per_block(contestant)) for contestant in contestants]
    order = list(zip(contestants, samples, strict=True))
    gc.collect()
    gc.disable()
    try:
        end = perf_counter() + seconds
        while perf_counter() < end or len(samples[0].seconds) < MIN_ROUNDS:
            rng.shuffle(order)
            for contestant, own in order:
                own.seconds.append(_block(contestant, own.steps_per_block))
    finally:
        gc.enable()
    return samples


def _block(contestant: Contestant, steps: int) -> float:
    """Seconds per step, after a few that bring the contestant's weights back into the caches."""
    contestant.advance(WARM_UP_STEPS)
    start = perf_counter()
    contestant.advance(steps)
    return (perf_counter() - start) / steps


def _steps_per_block(contestant: Contestant) -> int:
    steps = 1
    while (seconds := _block(contestant, steps) * steps) < BLOCK_SECONDS / 4:
        steps *= 2
    return max(1, round(steps * BLOCK_SECONDS / seconds))
