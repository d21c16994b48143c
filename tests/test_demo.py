"""The demo, run as a user runs it: what it prints, and how it fails."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file
from terminal import run_on_terminal

DIGITS = Path(__file__).parents[1] / "examples" / "digits"
WEIGHTS = DIGITS / "digits.safetensors"

COMMAND: list[str | Path] = [sys.executable, DIGITS / "stream.py", "--passes", "1"]

Tensors = dict[str, NDArray[np.generic]]


def stream(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run stream.py over the held-out images once, stdout and stderr captured."""
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=120, check=False)


def figure(pattern: str, text: str) -> float:
    """Return the number that `pattern` captures in `text`."""
    match = re.search(pattern, text, re.MULTILINE)
    assert match, f"{pattern!r} not found in:\n{text}"
    return float(match[1].replace(",", ""))


@pytest.fixture
def changed_weights(tmp_path: Path) -> Callable[[Callable[[Tensors], None]], Path]:
    """Give a function that copies the weights' file with a change made to its tensors, and returns the copy's path."""

    def change(edit: Callable[[Tensors], None]) -> Path:
        with safe_open(WEIGHTS, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            metadata = file.metadata()
        edit(tensors)
        save_file(tensors, tmp_path / "changed.safetensors", metadata)
        return tmp_path / "changed.safetensors"

    return change


@pytest.fixture(scope="module")
def ran() -> subprocess.CompletedProcess[str]:
    """One run without options."""
    return stream()


def test_figures(ran: subprocess.CompletedProcess[str]) -> None:
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""  # no progress bar where there is no terminal
    assert re.search(r"^device +\S", ran.stdout, re.MULTILINE)
    assert "fp32 weights (use_float32_weights=True)" in ran.stdout
    assert figure(r"^accuracy +([\d.]+)%", ran.stdout) >= 97
    assert figure(r"differ from PyTorch 2\.\S+ by at most (\S+)", ran.stdout) <= figure(
        r"\(tolerance (\S+)\)", ran.stdout
    )
    assert figure(r"^throughput +([\d,]+) steps/s", ran.stdout) > 0


def test_latencies(ran: subprocess.CompletedProcess[str]) -> None:
    """The percentiles rise, and the histogram holds every step."""
    printed = ran.stdout
    percentiles = [figure(rf"{name} ([\d.]+) us", printed) for name in ("p50", "p99", r"p99\.9", "max")]
    assert percentiles == sorted(percentiles)
    assert percentiles[0] > 0
    counts = re.findall(r" us (?:and more)? +(\d+)(?:  #*)?$", printed, re.MULTILINE)
    assert sum(map(int, counts)) == figure(r"= (\d+) steps", printed) == 450 * 8


def test_half_weights() -> None:
    """fp16 weights are right within their own tolerance, and beyond that of fp32 weights: they really are in use."""
    ran = stream("--half")
    assert ran.returncode == 0, ran.stderr
    assert "fp16 weights (use_float32_weights=False)" in ran.stdout
    assert 1e-5 < figure(r"by at most (\S+)", ran.stdout) < 1e-2


@pytest.mark.modeless
def test_progress_bar_on_a_terminal() -> None:
    status, drawn = run_on_terminal(COMMAND)
    assert status == 0
    assert b"450/450" in drawn


@pytest.mark.modeless
def test_a_wrong_weight_fails(changed_weights: Callable[[Callable[[Tensors], None]], Path]) -> None:
    """One weight of 16,384 off by a hundredth shows in the logits, though not in the accuracy."""

    def nudge(tensors: Tensors) -> None:
        tensors["lstm.weight_hh_l0"][17, 5] += np.float32(0.01)

    ran = stream("--weights", changed_weights(nudge))
    assert ran.returncode == 1
    assert "FAILED: the logits differ" in ran.stderr
    assert "accuracy is" not in ran.stderr


@pytest.mark.modeless
def test_low_accuracy_fails(changed_weights: Callable[[Callable[[Tensors], None]], Path]) -> None:
    """A model that PyTorch agrees with, but that can't read."""

    def forget(tensors: Tensors) -> None:
        for name in ("head.weight", "head.bias", "held_out.logits"):
            tensors[name] = np.zeros_like(tensors[name])

    ran = stream("--weights", changed_weights(forget))
    assert ran.returncode == 1
    assert "FAILED: the accuracy is" in ran.stderr
    assert "logits differ" not in ran.stderr


@pytest.mark.modeless
def test_nan_fails(changed_weights: Callable[[Callable[[Tensors], None]], Path]) -> None:
    def spoil(tensors: Tensors) -> None:
        tensors["head.bias"] = np.full_like(tensors["head.bias"], np.nan)

    ran = stream("--weights", changed_weights(spoil))
    assert ran.returncode == 1
    assert "FAILED: the logits differ" in ran.stderr


def assert_refused(ran: subprocess.CompletedProcess[str], *words: str) -> None:
    """Status 2, nothing streamed, and one line that holds `words`."""
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert len(ran.stderr.splitlines()) == 1, ran.stderr
    for word in words:
        assert word in ran.stderr


@pytest.mark.modeless
def test_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.safetensors"
    assert_refused(stream("--weights", path), str(path), "no such file")


@pytest.mark.modeless
@pytest.mark.parametrize("length", [0, 7, 500, -1])
def test_cut_file(tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(WEIGHTS.read_bytes()[:length])
    assert_refused(stream("--weights", path), str(path))


@pytest.mark.modeless
def test_wrong_tensors(changed_weights: Callable[[Callable[[Tensors], None]], Path]) -> None:
    def drop(tensors: Tensors) -> None:
        del tensors["lstm.bias_hh_l0"]

    def transpose(tensors: Tensors) -> None:
        tensors["lstm.weight_ih_l0"] = np.ascontiguousarray(tensors["lstm.weight_ih_l0"].T)

    def point_outside(tensors: Tensors) -> None:
        tensors["held_out.indices"][3] = 1797

    assert_refused(stream("--weights", changed_weights(drop)), "lstm.bias_hh_l0 is missing")
    assert_refused(stream("--weights", changed_weights(transpose)), "lstm.weight_ih_l0", "(8, 256)", "(256, 8)")
    assert_refused(stream("--weights", changed_weights(point_outside)), "held_out.indices", "1796")


@pytest.mark.modeless
def test_unknown_device() -> None:
    assert_refused(stream("--device", "abacus"), "abacus")


@pytest.mark.modeless
@pytest.mark.parametrize("passes", ["0", "-1", "1001", "many"])
def test_wrong_passes(passes: str) -> None:
    ran = stream("--passes", passes)
    assert ran.returncode == 2
    assert "argument --passes" in ran.stderr
