"""What bench.check compares a run with: the values that a machine of the same class once had.

A value is a time over another of the same run, so that less is better and the machine's speed cancels. baseline.json
has the values of each class of machine apart, since caches and instruction sets don't cancel.
"""

import json
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

Values = Mapping[str, float]


class BaselineError(Exception):
    """There is nothing to compare with."""


class Verdict(Enum):
    SLOWER = "SLOWER"
    FASTER = "faster"
    SAME = "as before"
    NEW = "NOT IN THE BASELINE"
    GONE = "NOT MEASURED"

    @property
    def fails(self) -> bool:
        """A check that has not checked a case must not pass either."""
        return self in (Verdict.SLOWER, Verdict.NEW, Verdict.GONE)


class Finding(NamedTuple):
    """How a case compares: it may change by `margin`, a share of what it was, in each direction."""

    case: str
    margin: float
    was: float | None
    now: float | None

    @property
    def change(self) -> float | None:
        return None if self.was is None or self.now is None else self.now / self.was - 1

    @property
    def verdict(self) -> Verdict:
        if self.was is None:
            return Verdict.NEW
        if self.now is None:
            return Verdict.GONE
        if self.now > self.was * (1 + self.margin):
            return Verdict.SLOWER
        return Verdict.FASTER if self.now * (1 + self.margin) < self.was else Verdict.SAME


def compare(values: Values, baseline: Values, margins: Values) -> list[Finding]:
    """A finding for each case of either, in the order of `values`; a case that isn't measured has no margin."""
    cases = [*values, *(case for case in baseline if case not in values)]
    return [Finding(case, margins.get(case, 0), baseline.get(case), values.get(case)) for case in cases]


def load(path: Path, machine: str) -> dict[str, float]:
    """The values of a class of machine; BaselineError says why there are none."""
    machines = _load_all(path)
    if machine not in machines:
        known = "\n".join(f"  {other}" for other in machines) or "  none"
        raise BaselineError(f"{path} has no baseline for this class of machine:\n  {machine}\nIt has:\n{known}")
    return dict(machines[machine]["values"])


def save(path: Path, machine: str, values: Values, **about: str) -> None:
    """Put the values of a class of machine, and what is to be known `about` them, in the place of its earlier ones."""
    machines = _load_all(path) if path.exists() else {}
    machines[machine] = {**about, "values": {case: round(value, 4) for case, value in values.items()}}
    path.write_text(json.dumps({"machines": machines}, indent=2, sort_keys=True) + "\n")


def _load_all(path: Path) -> dict[str, dict[str, Any]]:
    try:
        machines: dict[str, dict[str, Any]] = json.loads(path.read_text())["machines"]
        for own in machines.values():
            if not all(isinstance(value, float | int) and value > 0 for value in own["values"].values()):
                raise ValueError("a value is not a positive number")
    except FileNotFoundError:
        raise BaselineError(f"{path} is not there") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BaselineError(f"{path} is not a baseline: {error!r}") from None
    return machines
