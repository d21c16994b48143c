"""What bench.jitter concludes from numbers that are made up, and that its yardsticks run."""

import numpy as np

from bench.cases import Layer, step_case
from bench.jitter import SETTLING_NANOSECONDS, STALL_NANOSECONDS, settled, stalls_of, stops, time_steps


def test_a_stall_is_so_much_longer_than_the_median() -> None:
    times = np.full(100, 300)
    times[[10, 50]] = 300 + STALL_NANOSECONDS, 301 + STALL_NANOSECONDS
    assert np.flatnonzero(stalls_of(times)).tolist() == [50]


def test_stalls_in_a_row_are_one_stop() -> None:
    times = np.full(100, 300)
    times[[0, 1, 10, 50, 51, 52, 54]] = 301 + STALL_NANOSECONDS
    assert stops(times) == 4
    assert stops(times[2:]) == 3


def test_calls_settle_some_time_after_a_stall() -> None:
    calls_until_settled = SETTLING_NANOSECONDS // 100
    times = np.full(3 * calls_until_settled, 100)
    stall = calls_until_settled // 2
    times[stall] = 100 + 2 * STALL_NANOSECONDS
    times[stall + calls_until_settled] = 101  # begins one call too early
    times[stall + calls_until_settled + 1] = 102
    expected = np.delete(times, np.s_[stall : stall + calls_until_settled + 1])
    assert settled(times).tolist() == expected[1:].tolist()  # nothing is known of the time before the first call


def test_each_is_called_as_often() -> None:
    steps = time_steps(Layer(step_case(16, 16), "float32"), 10_000)
    assert [*steps] == ["step", "step from C", "read", "chain", "NumPy"]
    assert all(times.shape == (10_000,) and times.min() > 0 for times in steps.values())
