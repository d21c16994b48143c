"""How long does a step of a convolutional layer take: beside the peers, and beside the machine's peak?"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.peers import Contestant
from bench.race import Race, entrants
from bench.replay import timer

pytestmark = [
    pytest.mark.benchmark(timer=timer),
    pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning"),  # of PyTorch's compiler, from itself
]


@entrants("image")
def test_image(race: Race, contestant: Contestant, benchmark: BenchmarkFixture) -> None:
    race.run(contestant, benchmark)
