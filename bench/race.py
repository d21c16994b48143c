"""A case's contestants, timed side by side: what the tests of all workloads share."""

from collections.abc import Iterable
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.cases import CASES, SIZES, Case, Layer
from bench.interleave import Samples, interleave
from bench.limits import PEAK_FLOPS, Limit, Peak
from bench.peers import Contestant, Peer, contestants
from bench.replay import replay

LIMITS = [Contestant("limit", dtype) for dtype in ("float32", "float16", "int8")]
PEAK = Contestant("peak", "float32")
UNTIMED_SIZES = SIZES[:2]


class Race:
    """The contestants of one case, and their samples where timing is on."""

    def __init__(self, case: Case, entrants: Iterable[Contestant], seconds: float | None) -> None:
        """`seconds` for each entrant; None: untimed."""
        self.case = case
        self._entrants: dict[Contestant, Peer | Limit | Peak] = {}
        self._missing_packages: dict[Contestant, str | None] = {}
        self._samples: dict[Contestant, Samples] = {}
        layers: dict[str, Layer] = {}
        for contestant in entrants:
            try:
                self._entrants[contestant] = _load(case, contestant, layers)
            except ModuleNotFoundError as error:
                if contestant.peer == "pymps":
                    raise
                self._missing_packages[contestant] = error.name
        if seconds is not None:
            samples = interleave(list(self._entrants.values()), seconds * len(self._entrants))
            self._samples = dict(zip(self._entrants, samples, strict=True))

    def run(self, contestant: Contestant, benchmark: BenchmarkFixture) -> None:
        """Hand the samples to pytest-benchmark, or run once; check the very calls that were timed."""
        if contestant in self._missing_packages:
            pytest.skip(f"{self._missing_packages[contestant]} is not installed")
        entrant, case = self._entrants[contestant], self.case
        benchmark.group = f"{case.workload} {case}"
        benchmark.extra_info.update(case._asdict(), **contestant._asdict())
        if self._samples:
            samples = self._samples[contestant]
            benchmark.extra_info["steps_per_round"] = samples.calls * case.steps
            replay(benchmark, samples.seconds)
        else:
            benchmark.pedantic(entrant.time, (1,))  # type: ignore[no-untyped-call]
        benchmark.extra_info["flops"] = PEAK_FLOPS if contestant == PEAK else case.flops
        error = entrant.check()
        if isinstance(entrant, Peer):
            if case.carries_state:
                error = entrant.check_first_steps(8)
            benchmark.extra_info["error"] = error
            if entrant.tape_bytes is not None:
                benchmark.extra_info["tape_bytes"] = entrant.tape_bytes


def _load(case: Case, contestant: Contestant, layers: dict[str, Layer]) -> Peer | Limit | Peak:
    if contestant == PEAK:
        return Peak()
    if contestant in LIMITS:
        return Limit(case, contestant.dtype)
    kind = "int8" if contestant.dtype == "int8" else "float32"
    if kind not in layers:
        layers[kind] = Layer(case, kind)
    return contestant.load(layers[kind])


def entrants(workload: str) -> pytest.MarkDecorator:
    """Parametrizes a test by `race` and `contestant`, each with each that enters it."""
    beside = {"step": LIMITS, "sequence": [], "batch": [PEAK], "training": [PEAK], "image": [PEAK]}[workload]
    return pytest.mark.parametrize(
        ("race", "contestant"),
        [
            pytest.param(case, contestant, id=f"{case}-{contestant}")
            for case in CASES[workload]
            for contestant in [*contestants(case), *beside]
        ],
        indirect=["race"],
    )


def parameters(item: pytest.Item) -> dict[str, Any]:
    callspec = getattr(item, "callspec", None)
    return {} if callspec is None else callspec.params


def is_for_timing_alone(item: pytest.Item) -> bool:
    case = parameters(item).get("race")
    return case is not None and (case.inputs, case.outputs) not in UNTIMED_SIZES
