"""The portable classes as a library for Objective-C programs: builds it, and says how to compile with it."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "build/native/release"


@cache
def compiler_flags(*which: str) -> list[str]:
    """What pkg-config answers to `--cflags` or `--libs`; the test that asks is skipped where a tool is missing."""
    for tool in ("make", "clang", "pkg-config"):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}")
    above = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")  # a `make test` around this process; its job server is out of reach
    environment = {name: value for name, value in os.environ.items() if name not in above}
    make = ["make", "--silent", "-C", ROOT / "native", "WERROR=1", "portable"]
    built = subprocess.run(make, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    environment["PKG_CONFIG_PATH"] = str(LIBRARY)
    return subprocess.check_output(["pkg-config", *which, "pymps-portable"], text=True, env=environment).split()
