"""How long does it take until a program can use pymps: its import after NumPy's, and the first device?"""

import subprocess
import sys

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.conftest import timing_is_on
from bench.replay import replay, timer

pytestmark = pytest.mark.benchmark(timer=timer, group="start")

RUNS = 30

CHILD = """
import numpy
from time import perf_counter
{before}
start = perf_counter()
{timed}
print(perf_counter() - start)
assert {check}
"""


@pytest.mark.parametrize(
    ("before", "timed", "check"),
    [
        pytest.param("", "import pymps", "pymps.devices", id="import_pymps"),
        pytest.param("import pymps", "device = pymps.Device()", "device.name", id="open_first_device"),
    ],
)
def test_start(
    before: str, timed: str, check: str, benchmark: BenchmarkFixture, request: pytest.FixtureRequest
) -> None:
    program = CHILD.format(before=before, timed=timed, check=check)
    _seconds(program)  # writes bytecode, fills the page cache
    runs = RUNS if timing_is_on(request.config) else 1
    replay(benchmark, [_seconds(program) for _ in range(runs)])


def _seconds(program: str) -> float:
    """What a new process prints: each run is a first time."""
    child = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return float(child.stdout)
