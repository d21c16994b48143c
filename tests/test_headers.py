"""The portable headers declare what Apple's SDK declares, and nothing else."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
APPLE_API = Path(os.environ.get("PYMPS_APPLE_API", ROOT.parent / "shared" / "apple-api"))

pytestmark = pytest.mark.modeless


@pytest.mark.skipif(
    not (APPLE_API / "check_headers.py").is_file(),
    reason=f"no check_headers.py in {APPLE_API}: set PYMPS_APPLE_API to the directory of Apple's declarations",
)
@pytest.mark.skipif(importlib.util.find_spec("clang") is None, reason="parsing headers needs libclang==18.1.1")
def test_headers_agree_with_apple() -> None:
    command = [sys.executable, "-B", APPLE_API / "check_headers.py", "--table", APPLE_API / "macos12.json"]
    command += ["--headers", ROOT / "native/portable/include"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
