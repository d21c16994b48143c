"""How long does a batch of sequences take, in one call: beside the peers, and beside the machine's peak?"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.peers import Contestant
from bench.race import Race, entrants
from bench.replay import timer

pytestmark = pytest.mark.benchmark(timer=timer)


@entrants("batch")
def test_batch(race: Race, contestant: Contestant, benchmark: BenchmarkFixture) -> None:
    race.run(contestant, benchmark)
