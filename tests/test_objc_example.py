"""examples/objc: Objective-C written for Apple's frameworks, on the portable classes and against Apple's SDK."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from portable_library import ROOT, compiler_flags
from safetensors.numpy import load_file, save_file

EXAMPLE = ROOT / "examples/objc"
SOURCES = sorted(EXAMPLE.glob("*.m"))
MODEL = ROOT / "examples/digits/digits.safetensors"
IMAGES = EXAMPLE / "images.safetensors"
STRICT = ["-Wall", "-Wextra", "-Werror"]
MODES = {
    "inline": {},
    "asynchronous": {"PYMPS_PORTABLE_ASYNC": "1"},
    "private": {"PYMPS_PORTABLE_PRIVATE": "1"},
}

pytestmark = pytest.mark.modeless  # each test sets its own mode


def test_knows_nothing_of_the_portable_classes() -> None:
    sources = [path.read_text() for path in EXAMPLE.glob("*.[hm]")]
    imported = {header for text in sources for header in re.findall(r'^#\w+ ["<](.*)[">]', text, re.MULTILINE)}
    apple = {"Foundation/Foundation.h", "Metal/Metal.h", "MetalPerformanceShaders/MetalPerformanceShaders.h"}
    assert apple < imported <= apple | {path.name for path in EXAMPLE.glob("*.h")}
    assert not re.search(r"PMP|pymps|__APPLE__|GNUSTEP", "".join(sources))


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("objc") / "digits"
    command = ["clang", *STRICT, *SOURCES, *compiler_flags("--cflags", "--libs"), "-o", program]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return program


def run(program: Path, model: Path, images: Path, mode: str = "inline") -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYMPS_PORTABLE_")}
    command = [program, model, images]
    return subprocess.run(command, env=environment | MODES[mode], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("mode", MODES)
def test_reads_digits_as_pytorch_does(program: Path, mode: str) -> None:
    result = run(program, MODEL, IMAGES, mode)
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"^images +450 of 8 rows", result.stdout, re.MULTILINE)
    assert re.search(r"^accuracy +98\.22%", result.stdout, re.MULTILINE)  # as examples/digits has it from PyTorch


@pytest.mark.usefixtures("program")  # skipped where that can't be built
def test_readme() -> None:
    """Its first commands, as a user types them, print what it shows below them."""
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", (EXAMPLE / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    (_, commands), (_, shown) = blocks[:2]
    result = subprocess.run(["sh", "-ec", commands], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    accuracy = re.search(r"^accuracy.*", shown, re.MULTILINE)
    assert accuracy
    assert accuracy[0] in result.stdout


def test_a_wrong_weight_fails(program: Path, tmp_path: Path) -> None:
    tensors = load_file(MODEL)
    tensors["lstm.weight_hh_l0"][17, 5] += 0.01
    save_file(tensors, tmp_path / "changed.safetensors")
    assert run(program, tmp_path / "changed.safetensors", IMAGES).returncode == 1


@pytest.mark.parametrize("length", [0, 7, 500, -1])
def test_cut_file(program: Path, tmp_path: Path, length: int) -> None:
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(MODEL.read_bytes()[:length])
    result = run(program, cut, IMAGES)
    assert result.returncode == 2
    assert str(cut) in result.stderr


def test_swapped_files(program: Path) -> None:
    result = run(program, IMAGES, MODEL)
    assert result.returncode == 2
    assert "no tensor images of type U8 and shape 0 x 8 x 8" in result.stderr


@pytest.mark.skipif("APPLE_SDK" not in os.environ, reason="APPLE_SDK is not set to a macOS SDK")
@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_compiles_against_apple(architecture: str, tmp_path: Path) -> None:
    target = ["-target", f"{architecture}-apple-macos12", "-isysroot", os.environ["APPLE_SDK"]]
    command = ["clang", *target, *STRICT, "-c", *SOURCES]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
