"""Prints what runs saved as tables of ratios: python -m bench.report FILE..., the files of --benchmark-json.

It reads these files alone and measures nothing.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

# One benchmark's entry in a file, and those of one case by peer and type.
Entry = dict[str, Any]
Race = dict[tuple[str, str], Entry]

WEIGHTS = {"32 bits": ("float32",), "16 bits": ("float16", "bfloat16"), "8 bits": ("int8",)}
NOT_PEERS = ("pymps", "limit", "peak")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.report", description="Tables of runs' ratios.")
    parser.add_argument("files", type=Path, nargs="+", help="JSON files that --benchmark-json wrote")
    runs = [json.loads(path.read_text()) for path in parser.parse_args().files]
    entries: list[Entry] = [entry for run in runs for entry in run["benchmarks"]]
    parts = [_heading(runs)]
    for (workload, kind, threads), races in races_of(entries).items():
        what = f"{workload}, {kind}, {threads} thread{'s' * (threads > 1)}"
        parts += [_own_table(what, workload, races), _peer_table(what, races)]
        if workload == "step" and threads == 1:
            parts += _error_table(what, races)
    print("\n\n".join([*parts, *_start_tables(entries)]))


def _heading(runs: Sequence[dict[str, Any]]) -> str:
    machine, commit = runs[0]["machine_info"], runs[0]["commit_info"]
    changed = " with uncommitted changes" if commit["dirty"] else ""
    packages = ", ".join(f"{name} {version}" for name, version in sorted(machine["packages"].items()))
    pinned = {str(run["machine_info"]["pinned_to_cpus"]) for run in runs}
    return "\n".join(
        [
            f"{runs[0]['datetime'][:16]} UTC, commit {commit['id'][:12]}{changed}",
            f"{machine['cpu']['brand_raw']}, CPUs {' and '.join(sorted(pinned))}, "
            f"{machine['system']} {machine['release']}",
            f"device {machine['device']['name']} ({machine['device']['backend']})",
            f"Python {machine['python_version']}, {packages}; {', '.join(machine['blas'])}",
        ]
    )


def races_of(entries: Iterable[Entry]) -> dict[tuple[str, str, int], dict[tuple[int, int, int], Race]]:
    """By workload, kind and threads, then by inputs, outputs and batch."""
    tables: dict[tuple[str, str, int], dict[tuple[int, int, int], Race]] = {}
    for entry in entries:
        info = entry["extra_info"]
        if "workload" in info:
            races = tables.setdefault((info["workload"], info["kind"], info["threads"]), {})
            race = races.setdefault((info["inputs"], info["outputs"], info["batch"]), {})
            race[info["peer"], info["dtype"]] = entry
    return tables


def _own_table(what: str, workload: str, races: dict[tuple[int, int, int], Race]) -> str:
    """pymps, what it can be at best, and who comes next."""
    beside = {"step": "/limit", "sequence": "", "batch": "of peak", "training": "of peak", "image": "of peak"}[workload]
    extra = {"batch": ["batch"], "image": ["side"]}.get(workload, [])
    trains = workload == "training"
    rows = []
    for (inputs, outputs, _), race in races.items():
        for weights, dtypes in _widths(race):
            own = _own(race, dtypes)
            best = _fastest_peer(race, dtypes)
            cells = {"": None, "/limit": _over_limit(race, own), "of peak": _share_of_peak(race, own)}[beside]
            rows.append(
                [
                    str(inputs),
                    str(outputs),
                    *(str(_info(race)[name]) for name in extra),
                    weights,
                    str(own["stats"]["rounds"]) if own else "-",
                    _time(own, 1e6),
                    *([cells] if cells is not None else []),
                    _name(best) if best else "-",
                    _ratio(race[best], own) if best else "-",
                    *([_tape(own), _tape(race[best] if best else None)] if trains else []),
                ]
            )
    header = ["inputs", "outputs", *extra, "weights", "rounds", "pymps µs"]
    header += [f"pymps{beside}" if beside == "/limit" else beside] if beside else []
    header += ["best peer", "its time/pymps", *(["tape MiB", "its tape MiB"] if trains else [])]
    return f"{what}\n" + table(header, rows)


def _peer_table(what: str, races: dict[tuple[int, int, int], Race]) -> str:
    """Every peer over pymps with weights as wide."""
    names = list(dict.fromkeys(peer for race in races.values() for peer, _ in race if peer not in NOT_PEERS))
    rows = []
    for size, race in races.items():
        for weights, dtypes in _widths(race):
            own = _own(race, dtypes)
            cells = [
                " ".join(f"{_ratio(race[name, dtype], own)}{_mark(dtype)}" for dtype in dtypes if (name, dtype) in race)
                for name in names
            ]
            rows.append([*map(str, size), weights, *(cell or "-" for cell in cells)])
    return f"{what}: time/pymps with weights of as many bits; b: bfloat16, h: float16\n" + table(
        ["inputs", "outputs", "batch", "weights", *names], rows
    )


def _error_table(what: str, races: dict[tuple[int, int, int], Race]) -> list[str]:
    rows = []
    for (inputs, outputs, _), race in races.items():
        errors = {peer: entry["extra_info"].get("error") for (peer, dtype), entry in race.items() if dtype == "int8"}
        own = errors.get("pymps")
        for peer, error in errors.items():
            if peer not in NOT_PEERS and own:
                rows.append([str(inputs), str(outputs), peer, f"{error:.1e}", f"{own:.1e}", f"{error / own:.0f}"])
    title = f"{what}: error with int8 weights against the same weights in float64, of the output's scale\n"
    return [title + table(["inputs", "outputs", "peer", "its error", "pymps's", "ratio"], rows)] if rows else []


def _start_tables(entries: Iterable[Entry]) -> list[str]:
    rows = [
        [entry["param"], str(entry["stats"]["rounds"]), _time(entry, 1e3)]
        for entry in entries
        if entry["group"] == "start"
    ]
    title = "Start in ms, each run in a new process: median (interquartile range)\n"
    return [title + table(["", "runs", "ms"], rows)] if rows else []


def _info(race: Race) -> dict[str, Any]:
    """What all of a race have in common."""
    info: dict[str, Any] = next(iter(race.values()))["extra_info"]
    return info


def _widths(race: Race) -> list[tuple[str, tuple[str, ...]]]:
    """The widths of weights that anyone but the limits took part with: of images, float32's alone."""
    present = {dtype for peer, dtype in race if peer not in ("limit", "peak")}
    return [(weights, dtypes) for weights, dtypes in WEIGHTS.items() if present & set(dtypes)]


def _own(race: Race, dtypes: Iterable[str]) -> Entry | None:
    return next((race["pymps", dtype] for dtype in dtypes if ("pymps", dtype) in race), None)


def _fastest_peer(race: Race, dtypes: Sequence[str]) -> tuple[str, str] | None:
    peers = [(peer, dtype) for peer, dtype in race if dtype in dtypes and peer not in NOT_PEERS]
    return min(peers, key=lambda peer: race[peer]["stats"]["median"], default=None)


def _name(contestant: tuple[str, str]) -> str:
    peer, dtype = contestant
    return f"{peer} {dtype}"


def _mark(dtype: str) -> str:
    return {"bfloat16": "b", "float16": "h"}.get(dtype, "")


def _over_limit(race: Race, own: Entry | None) -> str:
    return _ratio(own, race.get(("limit", own["extra_info"]["dtype"]))) if own else "-"


def _share_of_peak(race: Race, own: Entry | None) -> str:
    """float32's: there is no other peak here."""
    peak = race.get(("peak", "float32"))
    if own is None or peak is None:
        return "-"
    flops = own["extra_info"]["flops"] / peak["extra_info"]["flops"]
    return spread([flops * ratio for ratio in _ratios(peak, own)], "{:.0%}".format)


def _ratios(above: Entry, below: Entry) -> list[float]:
    """The rounds' own ratios: what slows a whole round cancels."""
    return [a / b for a, b in zip(above["stats"]["data"], below["stats"]["data"], strict=True)]


def _ratio(above: Entry | None, below: Entry | None) -> str:
    if above is None or below is None:
        return "-"
    return spread(_ratios(above, below), "{:.2f}".format)


def spread(values: Sequence[float], form: Callable[[float], str]) -> str:
    """Median and interquartile range."""
    lower, middle, upper = quantiles(values, n=4, method="inclusive")
    return f"{form(middle)} ({form(upper - lower)})"


def _time(entry: Entry | None, units_per_second: float) -> str:
    if entry is None:
        return "-"
    return f"{entry['stats']['median'] * units_per_second:.2f} ({entry['stats']['iqr'] * units_per_second:.2f})"


def _tape(entry: Entry | None) -> str:
    return "-" if entry is None else f"{entry['extra_info']['tape_bytes'] / 2**20:.1f}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its columns aligned for reading it as it is."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return "\n".join([line(header), line(f"{'-' * (width - 1)}:" for width in widths), *map(line, rows)])


if __name__ == "__main__":
    main()
