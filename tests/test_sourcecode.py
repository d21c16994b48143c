"""The form of the source: ruff, mypy and clang-format have nothing to say."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CLANG_FORMAT = "clang-format==19.1.7"

pytestmark = pytest.mark.modeless


def run(*command: str | Path) -> None:
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def run_module(module: str, *arguments: str) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    run(sys.executable, "-m", module, *arguments)


def clang_format() -> str:
    """The clang-format of this Python's environment; another version would format otherwise."""
    program = shutil.which("clang-format", path=Path(sys.executable).parent)
    if program is None:
        pytest.skip(f"{CLANG_FORMAT} is not installed")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    if CLANG_FORMAT.partition("==")[2] not in version:
        pytest.skip(f"{version.strip()}, not {CLANG_FORMAT}")
    return program


def test_ruff_check() -> None:
    run_module("ruff", "check", "--no-cache", ".")


def test_ruff_format() -> None:
    run_module("ruff", "format", "--check", "--diff", "--no-cache", ".")


def test_mypy() -> None:
    run_module("mypy", "--strict", "pymps")


def test_clang_format() -> None:
    suffixes = {".c", ".h", ".m", ".cc"}
    sources = [
        p for place in ("examples", "native", "tests/native") for p in (ROOT / place).rglob("*") if p.suffix in suffixes
    ]
    assert sources
    run(clang_format(), "--dry-run", "-Werror", *sources)
