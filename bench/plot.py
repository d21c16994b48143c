"""Draws what runs saved, as SVG: python -m bench.plot build/bench-1.json build/jitter.json docs.

The same numbers give the same files.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.report import WEIGHTS, Race, races_of

matplotlib.rcParams.update(
    {
        "svg.fonttype": "none",  # text stays text
        "svg.hashsalt": "pymps",  # else identifiers are drawn at random
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#e4e4e4",
        "legend.frameon": False,
    }
)

# What a module of peers/ is called, and its colour and marker.
LOOKS = {
    "pymps": ("pymps", "#c1272d", "o"),
    "litert": ("LiteRT", "#0072b2", "s"),
    "onnxruntime": ("ONNX Runtime", "#009e73", "^"),
    "openvino": ("OpenVINO", "#7b4fa3", "v"),
    "numpy": ("NumPy", "#6b6b6b", "D"),
    "torch": ("PyTorch", "#e69f00", "P"),
    "jax": ("JAX", "#56b4e9", "X"),
    "mlx": ("MLX", "#b5838d", "d"),
}
LIMIT = "one read of the weights"
# What jitter.py calls a row, its label, colour and style of line.
JITTER_LOOKS = {
    "step": ("a step from Python", "#c1272d", "-"),
    "step from C": ("a step from C", "#e69f00", "-"),
    "read": ("a read of the weights, as long", "#0072b2", "-"),
    "chain": ("arithmetic in registers, as long", "#3a3a3a", "-"),
    "NumPy": ("a NumPy product, as long", "#9a9a9a", ":"),
}
PERCENTILES = (50, 90, 99, 99.9, 99.99, 99.999)


def draw_steps(run: dict[str, Any]) -> Figure:
    """A panel for each width of weights; of several ways to use a package the fastest."""
    steps = races_of(run["benchmarks"])["step", "lstm", 1]
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    panels = figure.subplots(1, len(WEIGHTS), sharey=True)
    for axes, (weights, dtypes) in zip(panels, WEIGHTS.items(), strict=True):
        _draw_panel(axes, list(steps.values()), dtypes)
        axes.set_title(f"weights of {weights}", loc="left", fontsize=10, fontweight="bold")
        axes.set_xticks(range(len(steps)), [f"{inputs}\n{outputs}" for inputs, outputs, _ in steps])
        axes.grid(axis="x", visible=False)
    panels[0].set_yscale("log")
    panels[0].yaxis.set_minor_locator(NullLocator())
    panels[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panels[0].set_ylabel("µs per step, log scale")
    figure.supxlabel("inputs (above) and outputs (below) of the LSTM", fontsize=10)
    labels = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    order = [name for name in [*(look[0] for look in LOOKS.values()), LIMIT] if name in labels]
    handles = [labels[name] for name in order]
    figure.legend(handles, order, loc="outside upper center", ncols=len(order), columnspacing=1.3, handlelength=1.6)
    return figure


def _draw_panel(axes: Axes, steps: Sequence[Race], dtypes: Sequence[str]) -> None:
    times: dict[str, dict[int, float]] = {}
    for place, race in enumerate(steps):
        for (peer, dtype), entry in race.items():
            if dtype in dtypes:
                own = times.setdefault(peer.partition("-")[0], {})
                own[place] = min(own.get(place, np.inf), entry["stats"]["median"] * 1e6)
    limit = times.pop("limit", {})
    axes.plot([*limit], [*limit.values()], color="#9a9a9a", linestyle=":", label=LIMIT)
    for peer, own in times.items():
        name, color, marker = LOOKS[peer]
        width, size, order = (2.2, 7, 5) if peer == "pymps" else (1.0, 5, 3)
        axes.plot(
            [*own], [*own.values()], label=name, color=color, marker=marker,
            linewidth=width, markersize=size, zorder=order, markeredgewidth=0,
        )  # fmt: skip


def draw_jitter(saved: Sequence[dict[str, Any]]) -> Figure:
    """A row for each size: how often each time came, and how long the slowest take."""
    figure = Figure(figsize=(11, 2.9 * len(saved) + 0.4), layout="constrained")
    for (histogram, slowest), row in zip(figure.subplots(len(saved), 2, squeeze=False), saved, strict=True):
        edges = _edges(row["calls"]["step"])
        for name, calls in row["calls"].items():
            times, counts = np.array(calls["nanoseconds"]) / 1e3, np.array(calls["counts"])
            label, color, style = JITTER_LOOKS[name]
            look: dict[str, Any] = {
                "label": label, "color": color, "linestyle": style, "linewidth": 1.8 if name == "step" else 1.2,
            }  # fmt: skip
            histogram.stairs(np.histogram(times, edges, weights=counts)[0], edges, **look)
            _draw_slowest(slowest, times, counts, look)
        size = f"({row['inputs']}, {row['outputs']})"
        calls = sum(row["calls"]["step"]["counts"])
        histogram.set_title(f"LSTM of {size}: {calls:,} calls of each", loc="left", fontsize=10, fontweight="bold")
        slowest.set_title(f"{size}: the slowest of them", loc="left", fontsize=10, fontweight="bold")
        histogram.set_yscale("log")
        histogram.set_xlim(edges[0], edges[-1])
        histogram.set_ylim(bottom=0.8)
        histogram.yaxis.set_minor_locator(NullLocator())
        histogram.set_xlabel("µs")
        histogram.set_ylabel("calls, log scale")
        slowest.legend(loc="upper left")
    return figure


def _edges(calls: dict[str, list[int]]) -> Any:
    """Bins up to three times the median; what is slower is seen beside."""
    median = _percentile(np.array(calls["nanoseconds"]) / 1e3, np.array(calls["counts"]), 50)
    return np.linspace(0.5 * median, 3 * median, 101)


def _draw_slowest(axes: Axes, times: Any, counts: Any, look: dict[str, Any]) -> None:
    """The time that a share of the calls exceeds, down to one call in 10^5."""
    shares = np.logspace(np.log10(0.5), -5, 200)
    axes.plot(1 / shares, [_percentile(times, counts, 100 * (1 - share)) for share in shares], **look)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(FixedLocator([100 / (100 - percentile) for percentile in PERCENTILES]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda _, place: f"{PERCENTILES[place]:g} %"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("so many calls are faster")
    axes.set_ylabel("µs, log scale")


def _percentile(times: Any, counts: Any, percentile: float) -> float:
    return float(times[np.searchsorted(np.cumsum(counts), percentile / 100 * counts.sum())])


def main() -> None:
    """Draw the steps of a saved run, and the jitter."""
    parser = argparse.ArgumentParser(prog="python -m bench.plot", description=main.__doc__)
    parser.add_argument("run", type=Path, help="what make bench saved, of one thread")
    parser.add_argument("jitter", type=Path, help="what make bench-jitter saved")
    parser.add_argument("folder", type=Path, help="where the drawings go")
    arguments = parser.parse_args()
    arguments.folder.mkdir(exist_ok=True)
    drawings = {
        "step-latency.svg": draw_steps(json.loads(arguments.run.read_text())),
        "step-jitter.svg": draw_jitter(json.loads(arguments.jitter.read_text())),
    }
    for name, figure in drawings.items():
        path = arguments.folder / name
        figure.savefig(path, metadata={"Date": None, "Creator": None})
        print(path)


if __name__ == "__main__":
    main()
