"""Whether pymps has become slower: python -m bench.check compares a short run with baseline.json.

The status is 1 where a case is slower by more than its margin in each of several attempts, and 2 where there is nothing
to compare with.
"""

import argparse
import platform
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from statistics import median
from time import sleep

import cpuinfo

from bench import THREADS, baseline, pin
from bench.baseline import BaselineError, Finding, Verdict
from bench.check_races import MARGINS, RACES
from bench.peers.pymps import device
from bench.report import table

BASELINE = Path(__file__).with_name("baseline.json")
BASELINE_RUNS = 7
ATTEMPTS = 6
PAUSE_SECONDS = 2.0  # before the second attempt, and longer before each later one: a neighbour's work passes


def machine() -> str:
    """The class of machine: values depend on its caches and its instruction set, and on the interpreter."""
    brand = cpuinfo.get_cpu_info().get("brand_raw", platform.machine())
    python = ".".join(platform.python_version_tuple()[:2])
    return f"{brand}, {device().name}, threads: {THREADS}, Python {python}"


def check(path: Path, seconds: float) -> bool:
    """Print how each case compares; whether all pass."""
    before = baseline.load(path, machine())
    measured = [race.measure(seconds) for race in RACES]
    for attempt in range(1, ATTEMPTS):
        changed = [own for own in _findings(measured, before) if own.verdict in (Verdict.SLOWER, Verdict.FASTER)]
        if not changed:
            break
        print(f"Changed, so once more: {', '.join(f'{own.case} ({own.change:+.0%})' for own in changed)}", flush=True)
        sleep(PAUSE_SECONDS * attempt)
        _measure_again(measured, {own.case for own in changed}, before, seconds)
    findings = _findings(measured, before)
    _print(findings)
    return not any(finding.verdict.fails for finding in findings)


def _measure_again(measured: list[dict[str, float]], cases: set[str], before: dict[str, float], seconds: float) -> None:
    """A case counts with the attempt that is nearest to what it was."""
    for race, values in zip(RACES, measured, strict=True):
        if own := cases & set(values):
            again = race.measure(seconds)
            values.update({case: _nearest(before[case], values[case], again[case]) for case in own})


def _nearest(to: float, *values: float) -> float:
    return min(values, key=lambda value: abs(value - to))


def _findings(measured: Iterable[dict[str, float]], before: dict[str, float]) -> list[Finding]:
    return baseline.compare(_merged(measured), before, MARGINS)


def _merged(measured: Iterable[dict[str, float]]) -> dict[str, float]:
    return {case: value for values in measured for case, value in values.items()}


def _print(findings: Sequence[Finding]) -> None:
    def number(value: float | None, form: str) -> str:
        return "-" if value is None else format(value, form)

    rows = [
        [
            finding.case,
            number(finding.was, ".3f"),
            number(finding.now, ".3f"),
            number(finding.change, "+.1%"),
            number(finding.margin, ".0%"),
            finding.verdict.value,
        ]
        for finding in findings
    ]
    print(table(["case", "was", "is", "change", "margin", ""], rows))
    failed = [finding.case for finding in findings if finding.verdict.fails]
    print(f"FAILED: {', '.join(failed)}" if failed else "passed")
    if {Verdict.FASTER, Verdict.NEW, Verdict.GONE} & {finding.verdict for finding in findings}:
        print("If that is to stay, make bench-baseline writes a new baseline.")


def write(path: Path, seconds: float) -> None:
    """Save the medians of several runs; a spread beyond a case's margin says that the machine had other work."""
    runs = [_merged(race.measure(seconds) for race in RACES) for _ in range(BASELINE_RUNS)]
    values = {case: median(run[case] for run in runs) for case in MARGINS}
    rows = []
    for case, value in values.items():
        own = [run[case] for run in runs]
        rows.append([case, f"{value:.3f}", f"{(max(own) - min(own)) / value:.1%}", f"{MARGINS[case]:.0%}"])
    print(table(["case", "is", "spread", "margin"], rows))
    baseline.save(path, machine(), values, commit=_commit(), date=date.today().isoformat())
    print(f"{path}: {machine()}")


def _commit() -> str:
    command = ["git", "-C", str(BASELINE.parent), "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def main() -> None:
    """Compare with the baseline, or write it."""
    parser = argparse.ArgumentParser(prog="python -m bench.check", description=main.__doc__)
    parser.add_argument("--write", action="store_true", help="write the baseline of this class of machine")
    parser.add_argument("--baseline", type=Path, default=BASELINE)
    parser.add_argument("--seconds", type=float, default=0.1, help="for each contestant")
    arguments = parser.parse_args()
    pin()
    try:
        if arguments.write:
            write(arguments.baseline, arguments.seconds)
        elif not check(arguments.baseline, arguments.seconds):
            sys.exit(1)
    except BaselineError as error:
        print(f"{error}\nmake bench-baseline writes one.", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
