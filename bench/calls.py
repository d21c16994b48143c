"""native/calls.pyx, built where that is needed."""

import importlib.util
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

_NATIVE = Path(__file__).parent / "native"
_BUILT = _NATIVE.parents[1] / "build" / "bench" / "calls.so"


@cache
def calls_module() -> ModuleType:
    command = ["make", "--silent", "-C", str(_NATIVE), f"PYTHON={sys.executable}", f"../../build/bench/{_BUILT.name}"]
    subprocess.run(command, check=True)
    spec = importlib.util.spec_from_file_location("calls", _BUILT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
