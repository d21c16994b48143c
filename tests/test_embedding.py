"""pymps in other people's Cython and C: a stranger's module, compiled against the installed package."""

import importlib.util
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from image_models import image_layer, movie
from models import assert_close, layer, sequence

import pymps

SOURCE = Path(__file__).parent / "cython_ext"

pytestmark = pytest.mark.modeless  # compiling takes its time


def run(*command: str | Path, cwd: Path) -> None:
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    pytest.importorskip("Cython")
    place = tmp_path_factory.mktemp("stranger")
    shutil.copytree(SOURCE, place, dirs_exist_ok=True)
    run(sys.executable, "setup.py", "--quiet", "build_ext", "--inplace", cwd=place)
    (built,) = place.glob("stranger.*.so")
    spec = importlib.util.spec_from_file_location("stranger", built)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("batch", [1, 3])
def test_steps_without_the_gil(stranger: ModuleType, device: pymps.Device, batch: int) -> None:
    run = layer(device)
    x = sequence(steps=20, batch=batch)
    y = np.empty((20, batch, 5), np.float32)
    stream = run.stream(batch)
    stranger.drive(stream, x, y)
    expected, state = run(x)
    assert_close(y, expected)
    assert stream.state is not None
    assert_close(stream.state.memory_cell(), state.memory_cell())


def test_addresses_are_those_of_the_arrays(stranger: ModuleType, device: pymps.Device) -> None:
    stream = layer(device).stream(2)
    x, y = sequence(steps=1), np.empty((1, 2, 5), np.float32)
    stranger.drive(stream, x, y)
    np.testing.assert_array_equal(stream.x, x[0])
    np.testing.assert_array_equal(stream.y, y[0])


def test_pixels_are_rows(stranger: ModuleType, device: pymps.Device) -> None:
    """An image stream is driven as a stream is."""
    run = image_layer(device)
    x = movie(steps=5)
    y = np.empty((5, 2 * 4 * 6, 5), np.float32)
    stream = run.stream(2, 4, 6)
    stranger.drive_images(stream, x.reshape(5, -1, 3), y)
    assert_close(y.reshape(5, 2, 4, 6, 5), run(x)[0])
    assert stranger.image_layer_channels(stream) == (3, 5)
    with pytest.raises(TypeError, match="stream"):
        stranger.drive_images(layer(device).stream(), x.reshape(5, -1, 3), y)


def test_errors_come_through(stranger: ModuleType, device: pymps.Device) -> None:
    stream = layer(device).stream()
    stream.close()
    with pytest.raises(ValueError, match="closed"):
        stranger.drive_in_vain(stream)
    with pytest.raises(TypeError, match="stream"):
        stranger.drive_in_vain(None)


def test_threads(stranger: ModuleType, device: pymps.Device) -> None:
    run = layer(device)
    x = sequence(steps=2000, batch=1)
    expected = np.empty((2000, 1, 5), np.float32)
    stranger.drive(run.stream(), x, expected)
    outputs = [np.empty_like(expected) for _ in range(4)]
    threads = [threading.Thread(target=stranger.drive, args=(run.stream(), x, y)) for y in outputs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for y in outputs:
        np.testing.assert_array_equal(y, expected)


def test_types_of_the_header(stranger: ModuleType) -> None:
    assert stranger.abi_version >= 1
    assert stranger.size_of_error > 512


@pytest.mark.skipif(shutil.which("nm") is None, reason="there is no nm")
def test_the_library_exports_the_c_interface_alone() -> None:
    """Other Objective-C code in the process has classes and selectors of its own."""
    if sys.platform == "darwin":
        library, options, prefix = "libpymps.dylib", ["-gU"], "_"
    else:
        library, options, prefix = "libpymps.so", ["-D", "--defined-only"], ""
    nm = subprocess.run(
        ["nm", *options, Path(pymps.__file__).with_name(library)], capture_output=True, text=True, check=True
    )
    exported = {line.split()[-1] for line in nm.stdout.splitlines()}
    assert exported == {f"{prefix}pymps_abi_version", f"{prefix}pymps_backends"}


@pytest.mark.parametrize("header", ["pymps", "pymps_image"])
@pytest.mark.parametrize(
    ("compiler", "suffix"), [(["cc", "-std=c99", "-pedantic-errors"], "c"), (["c++", "-std=c++17"], "cpp")]
)
def test_the_header_is_plain_c(compiler: list[str], suffix: str, header: str, tmp_path: Path) -> None:
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"there is no {compiler[0]}")
    source = f"#include <{header}.h>\nuint32_t (*version)(void) = pymps_abi_version;\n"
    (tmp_path / f"user.{suffix}").write_text(source)
    flags = ["-Wall", "-Wextra", "-Werror", f"-I{pymps.get_include()}", "-c"]
    run(*compiler, *flags, f"user.{suffix}", "-o", "user.o", cwd=tmp_path)
