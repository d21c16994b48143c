"""What bench.plot draws of numbers that are made up."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="it comes with the bench extra")

from bench import plot

RUN: dict[str, Any] = {
    "benchmarks": [
        {
            "extra_info": {
                "workload": "step", "kind": "lstm", "threads": 1,
                "inputs": size, "outputs": size, "batch": 1, "peer": peer, "dtype": dtype,
            },
            "stats": {"median": seconds * size},
        }
        for size in (16, 64)
        for peer, dtype, seconds in [
            ("pymps", "float32", 1e-7), ("limit", "float32", 1e-8),
            ("torch", "float32", 3e-6), ("torch-cell", "float32", 2e-6),
            ("pymps", "float16", 1e-7), ("jax", "bfloat16", 3e-6), ("pymps", "int8", 1e-7),
        ]
    ]
}  # fmt: skip
CALLS = {"nanoseconds": [200, 210, 9000], "counts": [600, 390, 10]}
JITTER = [{"inputs": 16, "outputs": 16, "calls": dict.fromkeys(plot.JITTER_LOOKS, CALLS)}]


def drawn(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(RUN))
    (folder / "jitter.json").write_text(json.dumps(JITTER))
    monkeypatch.setattr("sys.argv", ["plot", str(folder / "run.json"), str(folder / "jitter.json"), str(folder)])
    plot.main()
    return {path.name: path.read_text() for path in folder.glob("*.svg")}


def test_the_same_numbers_give_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = drawn(tmp_path / "a", monkeypatch)
    assert files == drawn(tmp_path / "b", monkeypatch)
    assert sorted(files) == ["step-jitter.svg", "step-latency.svg"]
    assert not any("date>" in text for text in files.values())


def test_legend_has_who_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = drawn(tmp_path / "a", monkeypatch)["step-latency.svg"]
    assert all(f">{name}<" in text for name in ("pymps", "PyTorch", "JAX", plot.LIMIT))
    assert ">LiteRT<" not in text


def test_of_several_ways_to_use_a_package_the_fastest_is_drawn() -> None:
    axes = plot.draw_steps(RUN).axes[0]
    (line,) = [line for line in axes.get_lines() if line.get_label() == "PyTorch"]
    assert np.asarray(line.get_ydata()) == pytest.approx([32, 128])


def test_a_percentile_is_a_time_that_came() -> None:
    jitter = plot.draw_jitter(JITTER)
    one_in, times_drawn = map(np.asarray, jitter.axes[1].get_lines()[0].get_data())
    times = dict(zip(one_in.round(), times_drawn, strict=True))
    assert times[2] == 0.2  # the median
    assert times[100_000] == 9.0
