"""Prints what a run saved as tables of ratios: python -m bench.report FILE, the file of --benchmark-json.

It reads that file alone and measures nothing.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

# One benchmark's entry in the file.
Entry = dict[str, Any]

DTYPES = ["float32", "float16"]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.report", description="Tables of a run's ratios.")
    parser.add_argument("file", type=Path, help="a JSON file that --benchmark-json wrote")
    run = json.loads(parser.parse_args().file.read_text())
    entries: list[Entry] = run["benchmarks"]
    print("\n\n".join([_heading(run), *_step_tables(entries), *_start_tables(entries)]))


def _heading(run: dict[str, Any]) -> str:
    machine, commit = run["machine_info"], run["commit_info"]
    changed = " with uncommitted changes" if commit["dirty"] else ""
    cpus = "unpinned" if machine["pinned_to_cpu"] is None else f"pinned to CPU {machine['pinned_to_cpu'][0]}"
    packages = ", ".join(f"{name} {version}" for name, version in sorted(machine["packages"].items()))
    return "\n".join(
        [
            f"{run['datetime'][:16]} UTC, commit {commit['id'][:12]}{changed}",
            f"{machine['cpu']['brand_raw']}, {cpus}, {machine['system']} {machine['release']}",
            f"device {machine['device']['name']} ({machine['device']['backend']})",
            f"Python {machine['python_version']}, {packages}; {', '.join(machine['blas'])}; one thread each",
        ]
    )


def _step_tables(entries: Iterable[Entry]) -> list[str]:
    steps: dict[tuple[int, int], dict[tuple[str, str], Entry]] = {}
    for entry in entries:
        if entry["group"].startswith("step "):
            info = entry["extra_info"]
            steps.setdefault((info["inputs"], info["outputs"]), {})[info["peer"], info["dtype"]] = entry
    contestants = list(dict.fromkeys(contestant for race in steps.values() for contestant in race))
    peers = [contestant for contestant in contestants if contestant[0] not in ("limit", "pymps")]
    return [_ratio_table(steps, peers), _time_table(steps, contestants)] if steps else []


def _ratio_table(races: dict[tuple[int, int], dict[tuple[str, str], Entry]], peers: list[tuple[str, str]]) -> str:
    rows = []
    for (inputs, outputs), race in races.items():
        for dtype in DTYPES:
            own = race.get(("pymps", dtype))
            over_limit = _ratio(own, race.get(("limit", dtype)))
            over_pymps = [_ratio(race.get(peer), own) for peer in peers]
            rounds = str(own["stats"]["rounds"]) if own else "-"
            rows.append([str(inputs), str(outputs), dtype, rounds, over_limit, *over_pymps])
    header = ["inputs", "outputs", "weights", "rounds", "pymps/limit", *(f"{_name(peer)}/pymps" for peer in peers)]
    return "Ratios of the times of a step at batch 1: median (interquartile range) over the rounds\n" + _table(
        header, rows
    )


def _time_table(races: dict[tuple[int, int], dict[tuple[str, str], Entry]], contestants: list[tuple[str, str]]) -> str:
    rows = [
        [str(inputs), str(outputs), *(_time(race.get(contestant), 1e6) for contestant in contestants)]
        for (inputs, outputs), race in races.items()
    ]
    header = ["inputs", "outputs", *map(_name, contestants)]
    return "Time of a step at batch 1 in µs: median (interquartile range)\n" + _table(header, rows)


def _start_tables(entries: Iterable[Entry]) -> list[str]:
    rows = [
        [entry["param"], str(entry["stats"]["rounds"]), _time(entry, 1e3)]
        for entry in entries
        if entry["group"] == "start"
    ]
    title = "Start in ms, each run in a new process: median (interquartile range)\n"
    return [title + _table(["", "runs", "ms"], rows)] if rows else []


def _name(contestant: tuple[str, str]) -> str:
    peer, dtype = contestant
    return f"{peer} f{dtype.removeprefix('float')}"


def _ratio(above: Entry | None, below: Entry | None) -> str:
    """Median and interquartile range of the rounds' own ratios: what slows a whole round cancels."""
    if above is None or below is None:
        return "-"
    pairs = zip(above["stats"]["data"], below["stats"]["data"], strict=True)
    ratios = [a / b for a, b in pairs]
    lower, middle, upper = quantiles(ratios, n=4)
    return f"{middle:.2f} ({upper - lower:.2f})"


def _time(entry: Entry | None, units_per_second: float) -> str:
    if entry is None:
        return "-"
    return f"{entry['stats']['median'] * units_per_second:.2f} ({entry['stats']['iqr'] * units_per_second:.2f})"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its columns aligned for reading it as it is."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return "\n".join([line(header), line(f"{'-' * (width - 1)}:" for width in widths), *map(line, rows)])


if __name__ == "__main__":
    main()
