"""The native library's own tests, in each mode of the portable backend, and its build against Apple's SDK."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODES = {
    "inline": {},
    "asynchronous": {"PYMPS_PORTABLE_ASYNC": "1"},
    "private": {"PYMPS_PORTABLE_PRIVATE": "1"},
}

pytestmark = [
    pytest.mark.modeless,  # each test sets its own mode
    pytest.mark.skipif(shutil.which("make") is None, reason="the native tests need make"),
]


def make(*arguments: str, mode: dict[str, str]) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYMPS_PORTABLE_")} | mode
    command = ["make", "-C", str(ROOT / "native"), "WERROR=1", *arguments]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, (result.stdout + result.stderr)[-10000:]


@pytest.mark.parametrize("mode", MODES)
def test_native(mode: str) -> None:
    make("test", mode=MODES[mode])


@pytest.mark.skipif("APPLE_SDK" not in os.environ, reason="APPLE_SDK is not set to a macOS SDK")
def test_builds_against_apple() -> None:
    make("check-apple", mode={})
