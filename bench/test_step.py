"""How long does a step of a stream take at batch 1: beside the peers, and beside a mere read of its weights?"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.peers import Contestant
from bench.race import Race, entrants
from bench.replay import timer

pytestmark = pytest.mark.benchmark(timer=timer)


@entrants("step")
def test_step(race: Race, contestant: Contestant, benchmark: BenchmarkFixture) -> None:
    race.run(contestant, benchmark)
