"""Apple's enumerations have Apple's values, as PyObjC knows them: its wheels for macOS are read, never installed."""

import ast
import re
import subprocess
import sys
import zipfile
from enum import IntEnum
from functools import cache
from pathlib import Path

import pytest
from portable_library import compiler_flags

from pymps import enums

ROOT = Path(__file__).parents[1]
HEADERS = ROOT / "native/portable/include"
WHEELS = ROOT / "build/pyobjc"
PACKAGES = ["pyobjc-framework-Metal==12.2.2", "pyobjc-framework-MetalPerformanceShaders==12.2.2"]

PYTHON_ENUMS = {
    "ChannelFormat": "MPSImageFeatureChannelFormat",
    "CommandBufferStatus": "MTLCommandBufferStatus",
    "DataType": "MPSDataType",
    "MatrixId": "MPSRNNMatrixId",
    "NeuronType": "MPSCNNNeuronType",
    "RNNBidirectionalCombineMode": "MPSRNNBidirectionalCombineMode",
    "RNNSequenceDirection": "MPSRNNSequenceDirection",
    "RegularizationType": "MPSNNRegularizationType",
    "StorageMode": "MTLStorageMode",
}

pytestmark = pytest.mark.modeless


@cache
def apple_constants() -> dict[str, int]:
    """Every constant of Metal and MPS by name. The wheels (110 KB) are downloaded once."""
    if len(list(WHEELS.glob("*.whl"))) < len(PACKAGES):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--platform", "macosx_11_0_universal2", "--python-version", "3.11", "--dest", WHEELS, *PACKAGES]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            pytest.skip(f"PyObjC's wheels can't be downloaded: {result.stderr.strip()}")
    return {name: value for wheel in WHEELS.glob("*.whl") for name, value in wheel_constants(wheel).items()}


def wheel_constants(wheel: Path) -> dict[str, int]:
    """They stand in one string of the metadata: `enums = "$name@value$name@value..."`."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith("/_metadata.py"))
        assignments = (node for node in ast.parse(archive.read(metadata)).body if isinstance(node, ast.Assign))
    (text,) = (ast.literal_eval(node.value) for node in assignments if ast.unparse(node.targets[0]) == "enums")
    return {name: int(value) for name, value in re.findall(r"\$(\w+)@(-?\d+)", text)}


def declared_constants() -> set[str]:
    """A constant has a line of its own in a header, and `=` or `,` behind it."""
    texts = (header.read_text() for header in HEADERS.rglob("*.h"))
    return {name for text in texts for name in re.findall(r"^ +((?:MPS|MTL)\w+)(?= =|,)", text, re.MULTILINE)}


def test_portable_headers() -> None:
    """The compiler compares: it is given an assertion for each constant."""
    apple, declared = apple_constants(), declared_constants()
    assert len(declared) > 150, declared
    assert not declared - apple.keys(), "PyObjC does not know them"
    assertions = [f'_Static_assert({name} == {apple[name]}ULL, "{name}");' for name in sorted(declared)]
    source = "\n".join(["#import <MetalPerformanceShaders/MetalPerformanceShaders.h>", *assertions])
    command = ["clang", *compiler_flags("--cflags"), "-ferror-limit=0", "-fsyntax-only", "-x", "objective-c", "-"]
    result = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_python_enums() -> None:
    """NeuronType.HARD_SIGMOID is MPSCNNNeuronTypeHardSigmoid, and so on."""
    apple = {name.lower(): value for name, value in apple_constants().items()}
    assert set(enums.__all__) == PYTHON_ENUMS.keys()
    for name, prefix in PYTHON_ENUMS.items():
        python_enum: type[IntEnum] = getattr(enums, name)
        for member in python_enum:
            name = member.name.replace("CELL_GATE", "MEMORY_GATE").replace("_", "")
            assert member == apple[(prefix + name).lower()], repr(member)
