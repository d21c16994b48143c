"""The demo with images, run as a user runs it: what it prints and draws, and how it fails."""

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

EXAMPLE = Path(__file__).parents[1] / "examples" / "moving_digits"
WEIGHTS = EXAMPLE / "moving_digits.safetensors"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

Tensors = dict[str, NDArray[np.generic]]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def predict(tmp_path: Path) -> Run:
    """Give a function that runs predict.py over few movies, stdout and stderr captured; it draws to drawn.png."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, EXAMPLE / "predict.py", "--movies", "5", "--output", tmp_path / "drawn.png"]
        return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=300, check=False)

    return run


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


def figure(pattern: str, text: str) -> float:
    """Return the number that `pattern` captures in `text`."""
    match = re.search(pattern, text, re.MULTILINE)
    assert match, f"{pattern!r} not found in:\n{text}"
    return float(match[1].replace(",", ""))


def test_figures(predict: Run, tmp_path: Path) -> None:
    ran = predict()
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""  # no progress bar where there is no terminal
    assert figure(r"at most (\S+)", ran.stdout) <= figure(r"\(tolerance (\S+)\)", ran.stdout)
    errors = [[float(number) for number in row] for row in re.findall(r"^ +\d+ +(\S+) +(\S+) +#", ran.stdout, re.M)]
    assert len(errors) == 8
    assert all(own < last for own, last in errors)
    np.testing.assert_allclose(figure(r"^error +(\S+),", ran.stdout), np.mean(errors, axis=0)[0], atol=1e-4)
    assert (tmp_path / "drawn.png").read_bytes().startswith(PNG_SIGNATURE)


@pytest.mark.modeless
def test_a_wrong_weight_fails(predict: Run, changed_weights: Callable[[Callable[[Tensors], None]], Path]) -> None:
    """One weight off by a tenth shows in the frames, though not in their errors."""

    def nudge(tensors: Tensors) -> None:
        tensors["lstm0.w"][3, 2, 2, 0] += np.float16(0.1)

    ran = predict("--weights", changed_weights(nudge))
    assert ran.returncode == 1
    assert "FAILED: the frames differ" in ran.stderr
    assert "the error is" not in ran.stderr


@pytest.mark.modeless
def test_nan_fails(predict: Run, changed_weights: Callable[[Callable[[Tensors], None]], Path]) -> None:
    def spoil(tensors: Tensors) -> None:
        tensors["frame.b"] = np.full_like(tensors["frame.b"], np.nan)

    ran = predict("--weights", changed_weights(spoil))
    assert ran.returncode == 1
    assert "FAILED: the frames differ" in ran.stderr
    assert "FAILED: the error is" in ran.stderr


def assert_refused(ran: subprocess.CompletedProcess[str], *words: str) -> None:
    """Status 2, nothing predicted, and one line that holds `words`."""
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert len(ran.stderr.splitlines()) == 1, ran.stderr
    for word in words:
        assert word in ran.stderr


@pytest.mark.modeless
def test_wrong_files(
    predict: Run, changed_weights: Callable[[Callable[[Tensors], None]], Path], tmp_path: Path
) -> None:
    def drop(tensors: Tensors) -> None:
        del tensors["lstm0.b"]

    def transpose(tensors: Tensors) -> None:
        tensors["lstm0.w"] = np.ascontiguousarray(tensors["lstm0.w"].T)

    def point_outside(tensors: Tensors) -> None:
        tensors["held_out.indices"][3] = 1797

    path = tmp_path / "cut.safetensors"
    assert_refused(predict("--weights", path), str(path), "no such file")
    path.write_bytes(WEIGHTS.read_bytes()[:500])
    assert_refused(predict("--weights", path), str(path))
    assert_refused(predict("--weights", changed_weights(drop)), "lstm0.b is missing")
    assert_refused(predict("--weights", changed_weights(transpose)), "lstm0.w", "(64, 5, 5, 1)")
    assert_refused(predict("--weights", changed_weights(point_outside)), "held_out.indices", "1796")


@pytest.mark.modeless
def test_wrong_options(predict: Run) -> None:
    assert_refused(predict("--device", "abacus"), "abacus")
    for movies in ("0", "-1", "1001", "many"):
        ran = predict("--movies", movies)
        assert ran.returncode == 2
        assert "argument --movies" in ran.stderr
