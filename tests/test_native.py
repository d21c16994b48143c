"""The native library's own tests, which run each program in every mode, and its build against Apple's SDK."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = [
    pytest.mark.modeless,
    pytest.mark.skipif(shutil.which("make") is None, reason="the native tests need make"),
]


def make(target: str) -> str:
    """What it prints."""
    above = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")  # a `make test` around this process; its job server is out of reach
    environment = {name: value for name, value in os.environ.items() if name not in above}
    command = ["make", "--silent", "-C", ROOT / "native", "WERROR=1", target]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, (result.stdout + result.stderr)[-10000:]
    return result.stdout


def test_native(capsys: pytest.CaptureFixture[str]) -> None:
    lines = make("test").splitlines()
    assert any(line.startswith("tried: ") for line in lines), "no test of the engine says what it ran on"
    with capsys.disabled():
        print("", *sorted({line for line in lines if line.startswith(("tried: ", "skipped: "))}), sep="\n")


@pytest.mark.skipif("APPLE_SDK" not in os.environ, reason="APPLE_SDK is not set to a macOS SDK")
def test_builds_against_apple() -> None:
    make("check-apple")
