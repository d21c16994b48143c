"""Each layer knows only the one below it: what no file of a layer may contain."""

import ast
import re
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.modeless


def include(header: str) -> str:
    """A pattern for #include or #import of a header."""
    return rf'^\s*#\s*(?:include|import|include_next)\s*[<"](?:{header})'


class Rule(NamedTuple):
    """No file of `files`, but those of `allowed`, may have a line that `forbidden` matches; `breach` is such a line."""

    files: tuple[str, ...]
    forbidden: str
    breach: str
    allowed: tuple[str, ...] = ()


NATIVE = ("native/**/*.h", "native/**/*.m", "native/**/*.c", "native/**/*.cc")
CYTHON = ("pymps/*.pyx", "pymps/*.pxd")

RULES = {
    "Metal and MPS belong to the shim and the portable classes": Rule(
        NATIVE,
        include(r"Metal/|MetalPerformanceShaders/"),
        "#import <Metal/Metal.h>",
        ("native/shim/*", "native/portable/**/*"),
    ),
    "Highway belongs to the engine": Rule(NATIVE, include(r"hwy/"), '#include "hwy/highway.h"', ("native/engine/*",)),
    "no native code knows Python": Rule(NATIVE, include(r"Python\.h|numpy/|cpython/"), "#include <Python.h>"),
    "the C interface names nothing but itself and C's own headers": Rule(
        ("native/include/*.h",), include(r"(?!std(?:bool|def|int)\.h|pymps\.h)"), '#include "shim.h"'
    ),
    "the shim can't tell its frameworks apart": Rule(
        ("native/shim/*",),
        r"\b(?:__APPLE__|TARGET_OS_\w+|__MACH__|GNUSTEP\w*|__linux__|PYMPS_BACKEND_IS\w*)",
        "#ifdef __APPLE__",
    ),
    "the shim knows neither the engine nor the portable classes' insides": Rule(
        ("native/shim/*",), include(r".*(?:engine/|portable/|PMP\w+\.h)"), '#import "PMPBuffer.h"'
    ),
    "the frameworks don't know the shim": Rule(
        ("native/portable/**/*", "native/engine/*"), include(r".*(?:pymps|shim)\.h"), '#include "pymps.h"'
    ),
    "the portable classes see the engine's interface alone": Rule(
        ("native/portable/**/*",),
        include(r"(?!engine/(?:engine|training|optimizer)\.h).*engine/"),
        '#include "engine/packing.h"',
    ),
    "the engine's interface is C": Rule(
        ("native/engine/engine.h",), include(r"(?!std(?:bool|def|int)\.h)"), "#include <vector>"
    ),
    "the engine knows no Objective-C": Rule(
        ("native/engine/*",),
        r"^\s*(?:#\s*import\b|@\w+)|" + include(r"Foundation/|objc/|CoreGraphics/|Block\.h|.*portable/"),
        "#import <Foundation/Foundation.h>",
    ),
    "pymps.h is declared to Cython once": Rule(
        CYTHON, r"extern\s+from\s+.*pymps\.h", 'cdef extern from "pymps.h":', ("pymps/_native.pxd",)
    ),
    "Cython knows no Objective-C": Rule(
        CYTHON, r"extern\s+from\s+.*(?:Metal|MPS|PMP|objc|Foundation|engine)", 'cdef extern from "objc/objc.h":'
    ),
    "Python code holds no pointers": Rule(
        ("pymps/*.py",), r"^\s*(?:import|from)\s+(?:ctypes|cffi)\b|\.ctypes\b", "import ctypes"
    ),
}


def files(patterns: tuple[str, ...]) -> set[Path]:
    return {path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()}


@pytest.mark.parametrize("name", RULES)
def test_rule(name: str) -> None:
    rule = RULES[name]
    pattern = re.compile(rule.forbidden, re.MULTILINE)
    assert pattern.search(rule.breach), "the pattern does not find what it is there to find"
    subjects = files(rule.files)
    assert subjects, f"there is no file under {rule.files}"
    breaches = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted(subjects - files(rule.allowed))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]
    assert not breaches, "\n".join([name, *breaches])


def test_reference_shares_no_code_with_pymps() -> None:
    """It imports NumPy and the standard library, nothing else."""
    tree = ast.parse((ROOT / "tests/reference.py").read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported
    assert {name.partition(".")[0] for name in imported} <= {"numpy", *sys.stdlib_module_names}
