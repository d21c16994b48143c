"""Hands samples that were taken elsewhere to pytest-benchmark: a test that replays them sets `timer` as its timer."""

from collections.abc import Sequence

from pytest_benchmark.fixture import BenchmarkFixture

_now = 0.0


def timer() -> float:
    return _now


def replay(benchmark: BenchmarkFixture, samples: Sequence[float]) -> None:
    remaining = iter(samples)

    def pass_time() -> None:
        global _now
        _now += next(remaining)

    benchmark.pedantic(pass_time, rounds=len(samples))  # type: ignore[no-untyped-call]
