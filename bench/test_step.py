"""How long does a step of a stream take at batch 1: beside the peers, and beside a mere read of its weights?"""

from dataclasses import dataclass

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.cases import SIZES, Case, Reference, Size
from bench.conftest import timing_is_on
from bench.interleave import Samples, interleave
from bench.limit import Limit
from bench.peers import CONTESTANTS, Contestant, Stepper
from bench.replay import replay, timer

pytestmark = pytest.mark.benchmark(timer=timer)

LIMITS = [Contestant("limit", "float32"), Contestant("limit", "float16")]
TOLERANCE = {"float32": 1e-5, "float16": 5e-3}  # of the output's scale


@dataclass
class Race:
    """The contestants of one size, and their samples where timing is on."""

    size: Size
    reference: Reference
    entrants: dict[Contestant, Stepper | Limit]
    missing_packages: dict[Contestant, str | None]
    samples: dict[Contestant, Samples]

    def record(self, contestant: Contestant, benchmark: BenchmarkFixture) -> None:
        benchmark.group = f"step {self.size}"
        benchmark.extra_info.update(contestant._asdict(), **self.size._asdict())
        if self.samples:
            benchmark.extra_info["steps_per_round"] = self.samples[contestant].steps_per_block
            replay(benchmark, self.samples[contestant].seconds)
        else:
            benchmark.pedantic(self.entrants[contestant].advance, (1,))  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module", params=SIZES, ids=str)
def race(request: pytest.FixtureRequest) -> Race:
    size: Size = request.param
    case = Case(size)
    race = Race(size, Reference(case), {}, {}, {})
    for contestant in _selected(request.session, size):
        try:
            race.entrants[contestant] = Limit(size, contestant.dtype) if contestant in LIMITS else contestant.load(case)
        except ModuleNotFoundError as error:
            if contestant.peer == "pymps":
                raise
            race.missing_packages[contestant] = error.name
    if timing_is_on(request.config):
        seconds = len(race.entrants) * float(request.config.getoption("benchmark_max_time"))
        samples = interleave(list(race.entrants.values()), seconds)
        race.samples = dict(zip(race.entrants, samples, strict=True))
    return race


@pytest.mark.parametrize("contestant", LIMITS, ids=str)
def test_read_of_weights(race: Race, contestant: Contestant, benchmark: BenchmarkFixture) -> None:
    limit = race.entrants[contestant]
    assert isinstance(limit, Limit)
    race.record(contestant, benchmark)
    assert limit.result == np.bitwise_xor.reduce(limit.words)


@pytest.mark.parametrize("contestant", CONTESTANTS, ids=str)
def test_step(race: Race, contestant: Contestant, benchmark: BenchmarkFixture) -> None:
    if contestant in race.missing_packages:
        pytest.skip(f"{race.missing_packages[contestant]} is not installed")
    stepper = race.entrants[contestant]
    assert isinstance(stepper, Stepper)
    race.record(contestant, benchmark)
    _check(stepper, race.reference, contestant.dtype)  # the very steps that were timed; at rest by now
    stepper.reset()
    stepper.advance(3)
    _check(stepper, race.reference, contestant.dtype)  # and on the way there


def _check(stepper: Stepper, reference: Reference, dtype: str) -> None:
    expected = reference.output_after(stepper.steps)
    np.testing.assert_allclose(stepper.y, expected, rtol=0, atol=TOLERANCE[dtype] * np.abs(expected).max())


def _selected(session: pytest.Session, size: Size) -> list[Contestant]:
    parameters = [item.callspec.params for item in session.items if hasattr(item, "callspec")]
    return [own["contestant"] for own in parameters if own.get("race") == size]
