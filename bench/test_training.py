"""How long do a forward pass and its gradient take: beside PyTorch, and beside the machine's peak?"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.peers import Contestant
from bench.race import Race, entrants
from bench.replay import timer

pytestmark = pytest.mark.benchmark(timer=timer)


@entrants("training")
def test_training(race: Race, contestant: Contestant, benchmark: BenchmarkFixture) -> None:
    race.run(contestant, benchmark)
