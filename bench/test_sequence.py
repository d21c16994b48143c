"""How long does a sequence at batch 1 take, in one call?"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.peers import Contestant
from bench.race import Race, entrants
from bench.replay import timer

pytestmark = pytest.mark.benchmark(timer=timer)


@entrants("sequence")
def test_sequence(race: Race, contestant: Contestant, benchmark: BenchmarkFixture) -> None:
    race.run(contestant, benchmark)
