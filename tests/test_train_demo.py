"""The demo of training, run as a user runs it, for few epochs: what it learns, writes and prints, and how it fails."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file
from terminal import run_on_terminal

DIGITS = Path(__file__).parents[1] / "examples" / "digits"
EPOCHS = 40  # enough for 95 %
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def command(folder: Path, *arguments: str | Path) -> list[str | Path]:
    """Train for one epoch, unless `arguments` say otherwise; files go to `folder`."""
    outputs = ["--output", folder / "weights.safetensors", "--plot", folder / "loss.png"]
    return [sys.executable, DIGITS / "train_pymps.py", "--epochs", "1", *outputs, *arguments]


def run(arguments: list[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run a program, stdout and stderr captured."""
    return subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False)


def figure(pattern: str, text: str) -> float:
    """Return the number that `pattern` captures in `text`."""
    match = re.search(pattern, text, re.MULTILINE)
    assert match, f"{pattern!r} not found in:\n{text}"
    return float(match[1].replace(",", ""))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `ran` writes: a folder that it has to make."""
    return tmp_path_factory.mktemp("trained") / "new"


@pytest.fixture(scope="module")
def ran(folder: Path) -> subprocess.CompletedProcess[str]:
    """One run that learns enough."""
    return run(command(folder, "--epochs", str(EPOCHS)))


def test_learns(ran: subprocess.CompletedProcess[str]) -> None:
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""  # no progress bar where there is no terminal
    assert re.search(r"^device +\S", ran.stdout, re.MULTILINE)
    first, last = (figure(rf"([\d.]+) in the {which}", ran.stdout) for which in ("first", "last"))
    assert 1.5 < first < 2.5  # ln 10, 2.3, without any knowledge
    assert 0.282 < last < 0.6  # the smoothed labels' own entropy is 0.2824: nothing can be less
    assert figure(r"^accuracy +([\d.]+)%", ran.stdout) >= 95
    assert figure(r"at most (\S+)", ran.stdout) <= figure(r"\(tolerance (\S+)\)", ran.stdout)


def test_curve(ran: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert (folder / "loss.png").read_bytes().startswith(PNG_SIGNATURE)


def test_weights_suit_the_other_demo(ran: subprocess.CompletedProcess[str], folder: Path) -> None:
    streamed = run([sys.executable, DIGITS / "stream.py", "--passes", "1", "--weights", folder / "weights.safetensors"])
    assert streamed.returncode == 0, streamed.stderr
    assert "differ from the training layer of pymps" in streamed.stdout
    accuracy = r"^accuracy +([\d.]+)%"
    assert figure(accuracy, streamed.stdout) == figure(accuracy, ran.stdout)


def sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-z))


def test_logits_are_the_weights(ran: subprocess.CompletedProcess[str], folder: Path) -> None:
    """What the file calls its logits is what its weights give by the formulas, in float64."""
    tensors = load_file(folder / "weights.safetensors")
    held_out = tensors["held_out.indices"]
    w, u, b = (tensors[f"lstm.{name}_l0"].astype(np.float64) for name in ("weight_ih", "weight_hh", "bias_ih"))
    datasets = pytest.importorskip("sklearn.datasets")
    x = (datasets.load_digits().images[held_out] / 16).swapaxes(0, 1)
    h = c = np.zeros((len(held_out), u.shape[1]))
    for row in x:
        i, f, g, o = np.split(row @ w.T + h @ u.T + b, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    logits = h @ tensors["head.weight"].T + tensors["head.bias"]
    np.testing.assert_allclose(tensors["held_out.logits"], logits, atol=1e-5)
    assert np.ptp(logits) > 4  # they tell digits apart


@pytest.mark.modeless
def test_seeds(tmp_path: Path) -> None:
    """One seed gives the same weights twice, and another other ones."""
    for name, seed in {"first": "1", "again": "1", "other": "2"}.items():
        run(command(tmp_path / name, "--seed", seed))
    first, again, other = (load_file(tmp_path / name / "weights.safetensors") for name in ("first", "again", "other"))
    for name, tensor in first.items():
        np.testing.assert_array_equal(again[name], tensor)
    assert np.all(other["head.weight"] != first["head.weight"])


@pytest.mark.modeless
def test_low_accuracy_fails(tmp_path: Path) -> None:
    ran = run(command(tmp_path))
    assert ran.returncode == 1
    assert "FAILED: the accuracy is" in ran.stderr
    assert "logits differ" not in ran.stderr


@pytest.mark.modeless
def test_progress_bar_on_a_terminal(tmp_path: Path) -> None:
    status, drawn = run_on_terminal(command(tmp_path, "--epochs", "3"))
    assert status == 1  # three epochs are too few
    assert b"3/3" in drawn
    assert b"loss=" in drawn


def assert_refused(ran: subprocess.CompletedProcess[str], *words: str) -> None:
    """Status 2, nothing trained, and one line that holds `words`."""
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert len(ran.stderr.splitlines()) == 1, ran.stderr
    for word in words:
        assert word in ran.stderr


@pytest.mark.modeless
@pytest.mark.parametrize("option", ["--output", "--plot"])
def test_files_that_cannot_be_written(tmp_path: Path, option: str) -> None:
    """A folder, and a file in a file."""
    file = tmp_path / "file"
    file.touch()
    assert_refused(run(command(tmp_path, option, tmp_path)), "train_pymps.py: ", str(tmp_path))
    assert_refused(run(command(tmp_path, option, file / "weights")), str(file))


@pytest.mark.modeless
def test_unknown_device(tmp_path: Path) -> None:
    assert_refused(run(command(tmp_path, "--device", "abacus")), "abacus")
    assert not list(tmp_path.iterdir())


@pytest.mark.modeless
@pytest.mark.parametrize(
    ("option", "value"), [("--epochs", "0"), ("--epochs", "10001"), ("--epochs", "many"), ("--seed", "-1")]
)
def test_wrong_numbers(tmp_path: Path, option: str, value: str) -> None:
    ran = run(command(tmp_path, option, value))
    assert ran.returncode == 2
    assert f"argument {option}" in ran.stderr
