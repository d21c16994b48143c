"""Where the time of `stream.step()` goes: nanoseconds of each part, from Python down to the C interface.

What lies below that is measured by native/call_path.m. Both time whole stretches of the path side by side; a part is
the difference of two of them, taken within a round.
"""

import argparse
from collections.abc import Callable
from itertools import repeat
from statistics import quantiles
from time import perf_counter

from bench import pin
from bench.calls import calls_module
from bench.cases import Layer, step_case
from bench.interleave import interleave
from bench.peers.pymps import Step

_LABEL = "  {:58} {:7.1f} ({:.1f} to {:.1f})"


class Stretch:
    """A part of the path, as a contestant of `interleave`."""

    caller_waits = False

    def __init__(self, repeat: Callable[[int], object]) -> None:
        self._repeat = repeat

    def time(self, calls: int) -> float:
        start = perf_counter()
        self._repeat(calls)
        return perf_counter() - start


def _from_python(call: Callable[[], None]) -> Callable[[int], None]:
    def run(times: int) -> None:
        for _ in repeat(None, times):
            call()

    return run


def _print_part(name: str, whole: list[float], *others: list[float]) -> None:
    parts = [1e9 * (all_of_it - sum(rest)) for all_of_it, *rest in zip(whole, *others, strict=True)]
    lower, median, upper = quantiles(parts, n=4)
    print(_LABEL.format(name, median, lower, upper))


def breakdown(inputs: int, outputs: int, seconds: float) -> None:
    """Print the parts of a step of an LSTM of a size, in float32 and at batch 1."""
    calls = calls_module()
    stream = Step(Layer(step_case(inputs, outputs), "float32"), "float32").stream
    stretches = {
        "nothing": Stretch(_from_python(calls.Nothing().call)),
        "gil": Stretch(calls.give_the_gil_up),
        "c": Stretch(lambda times: calls.step_from_c(stream, times)),
        "cython": Stretch(lambda times: calls.step_from_cython(stream, times)),
        "python": Stretch(_from_python(stream.step)),
    }
    samples = interleave(list(stretches.values()), seconds)
    ns = dict(zip(stretches, [own.seconds for own in samples], strict=True))
    print(f"stream.step() of an LSTM of ({inputs}, {outputs}), nanoseconds (median, and the quartiles)")
    _print_part("Python: a call of a method, and the loop around it", ns["nothing"])
    _print_part("Cython: the GIL given up and taken back", ns["gil"])
    _print_part("Cython: whether the stream is free and open", ns["cython"], ns["c"])
    _print_part("Cython: the rest of the method", ns["python"], ns["nothing"], ns["gil"], ns["cython"])
    _print_part("C interface: stream_step", ns["c"])
    _print_part("in all", ns["python"])


def main() -> None:
    """Print the parts for one size; the process is pinned where the system can do that."""
    parser = argparse.ArgumentParser(prog="python -m bench.breakdown", description=main.__doc__)
    parser.add_argument("inputs", type=int, nargs="?", default=16)
    parser.add_argument("outputs", type=int, nargs="?", default=16)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each stretch")
    arguments = parser.parse_args()
    pin()
    breakdown(arguments.inputs, arguments.outputs, 5 * arguments.seconds)


if __name__ == "__main__":
    main()
