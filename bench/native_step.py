"""A step of a stream called from C and from Cython, without the GIL, beside one read of its weights; and RTNeural's.

python -m bench.native_step prints the table; $RTNEURAL_DIR names a checkout of RTNeural.
"""

import argparse
from collections.abc import Callable
from time import perf_counter
from typing import Any

from bench import pin
from bench.calls import calls_module
from bench.cases import SIZES, Layer, step_case
from bench.interleave import Contestant, interleave
from bench.limits import Limit
from bench.peers import rtneural
from bench.peers.pymps import Step
from bench.report import spread, table

CALL_SECONDS = 0.15e-6  # what a call may add to the limit


class NativeStep(Step):
    """`steps(stream, n)` calls n of them in a native loop."""

    def __init__(self, layer: Layer, dtype: str, steps: Callable[[Any, int], object]) -> None:
        super().__init__(layer, dtype)
        self._steps = steps

    def time(self, calls: int) -> float:
        start = perf_counter()
        self._steps(self.stream, calls)
        seconds = perf_counter() - start
        self.calls += calls
        return seconds


def _contestants(layer: Layer, dtype: str) -> dict[str, Contestant]:
    calls = calls_module()
    contestants: dict[str, Contestant] = {
        "limit": Limit(layer.case, dtype),
        "C": NativeStep(layer, dtype, calls.step_from_c),
        "Cython": NativeStep(layer, dtype, calls.step_from_cython),
    }
    if rtneural.is_present() and dtype == "float32":
        contestants["RTNeural"] = rtneural.Step(layer, dtype)
    return contestants


def _row(inputs: int, outputs: int, dtype: str, seconds: float) -> list[str]:
    contestants = _contestants(Layer(step_case(inputs, outputs), "float32"), dtype)
    samples = interleave(list(contestants.values()), seconds * len(contestants))
    for contestant in contestants.values():
        contestant.check()  # type: ignore[attr-defined]
    times = {name: own.seconds for name, own in zip(contestants, samples, strict=True)}
    microseconds = {name: spread([1e6 * time for time in own], "{:.3f}".format) for name, own in times.items()}

    def over_limit(name: str) -> str:
        pairs = zip(times[name], times["limit"], strict=True)
        return spread([(time - CALL_SECONDS) / limit for time, limit in pairs], "{:.2f}".format)

    cells = [microseconds["limit"], microseconds["C"], over_limit("C"), microseconds["Cython"], over_limit("Cython")]
    if "RTNeural" in times:
        ratios = [peer / own for peer, own in zip(times["RTNeural"], times["C"], strict=True)]
        cells += [microseconds["RTNeural"], spread(ratios, "{:.2f}".format)]
    else:
        cells += ["-", "-"]
    return [str(inputs), str(outputs), dtype, *cells]


def main() -> None:
    """Print how long a step takes that is called from native code."""
    parser = argparse.ArgumentParser(prog="python -m bench.native_step", description=main.__doc__)
    parser.add_argument("--seconds", type=float, default=0.5, help="for each contestant")
    seconds = parser.parse_args().seconds
    pin()
    header = ["inputs", "outputs", "weights", "limit", "C", "(C-0.15)/limit", "Cython", "(Cython-0.15)/limit"]
    header += ["RTNeural", "RTNeural/C"]
    rows = [_row(*size, dtype, seconds) for size in SIZES for dtype in ("float32", "float16")]
    print("A step from native code, LSTM, microseconds: median (interquartile range)")
    print(table(header, rows))


if __name__ == "__main__":
    main()
