"""Builds the native library and the Cython layer; pyproject.toml has everything else.

PYMPS_DEBUG=1     unoptimised, with assertions, and with Cython's bounds checks
PYMPS_SANITIZE=1  the native library with sanitizers; Python must preload their runtime (LD_PRELOAD)
PYMPS_WERROR=1    the native library's warnings are errors
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent.resolve()
NATIVE = ROOT / "native"
MODULES = [path.stem for path in sorted((ROOT / "pymps").glob("*.pyx"))]
HEADERS = sorted((NATIVE / "include").glob("*.h"))
LIBRARY = "libpymps.dylib" if sys.platform == "darwin" else "libpymps.so"
JOBS = os.cpu_count() or 1
DEBUG = os.environ.get("PYMPS_DEBUG") == "1"
SANITIZE = os.environ.get("PYMPS_SANITIZE", "0") not in ("", "0")
CONFIG = "address" if SANITIZE else "debug" if DEBUG else "release"
CONFIG_STAMP = ROOT / "build" / "config"  # what the extension modules were last built for


def missing_prerequisites() -> list[str]:
    """What the native build needs and this machine does not have: commands first, then the first missing header."""
    commands = ["clang", "clang++", "make"] + (["gnustep-config"] if sys.platform.startswith("linux") else [])
    missing = [command for command in commands if shutil.which(command) is None]
    if missing:
        return missing
    probe = subprocess.run(
        ["make", "--silent", "-C", NATIVE, "can-build"], capture_output=True, text=True, env=make_env()
    )
    if probe.returncode == 0:
        return []
    return re.findall(r"fatal error: '(.*)' file not found", probe.stderr) or ["a working compiler"]


def installation_hint() -> str:
    """One line, from the lists that packages.sh installs."""
    lists = dict(re.findall(r'^(DEBIAN|FEDORA|BREW)="(.*)"$', (NATIVE / "packages.sh").read_text(), re.MULTILINE))
    return (
        f"Debian, Ubuntu: apt-get install {lists['DEBIAN']}; Fedora: dnf install {lists['FEDORA']}; "
        f"macOS: xcode-select --install; brew install {lists['BREW']}"
    )


def make_env() -> dict[str, str]:
    """Without the flags of a `make` above this process: its job server is out of reach here."""
    return {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


def replace(source: Path, target: Path) -> None:
    """Copy in one step: a process that has the old file loaded keeps it."""
    copy = target.with_name(target.name + ".new")
    shutil.copy2(source, copy)
    os.replace(copy, target)


class BuildNativeAndExtensions(build_ext):
    """Puts the native library and its headers beside the extension modules."""

    def finalize_options(self) -> None:
        """Set what the command line leaves open."""
        super().finalize_options()
        self.cython_directives = {
            "language_level": 3,
            "boundscheck": DEBUG,
            "initializedcheck": DEBUG,
            "wraparound": False,
        }
        self.cython_c_in_temp = True
        self.parallel = self.parallel or JOBS

    def run(self) -> None:
        """Build the native library first: where it fails, nothing else is worth doing."""
        library = self.build_native()
        package = (ROOT if self.inplace else Path(self.build_lib)) / "pymps"
        (package / "include").mkdir(parents=True, exist_ok=True)
        for header in HEADERS:
            replace(header, package / "include" / header.name)
        replace(library, package / LIBRARY)
        if not CONFIG_STAMP.exists() or CONFIG_STAMP.read_text() != CONFIG:
            CONFIG_STAMP.write_text(CONFIG)
        super().run()

    def build_native(self) -> Path:
        """Run native/Makefile, which rebuilds what has changed."""
        missing = missing_prerequisites()
        if missing:
            sys.exit(f"pymps can't be built: {', '.join(missing)} not found. {installation_hint()}")
        build = ROOT / "build" / "native" / CONFIG
        command = ["make", "-C", str(NATIVE), f"-j{JOBS}", f"CONFIG={CONFIG}", f"BUILD={build}"]
        if os.environ.get("PYMPS_WERROR") == "1":
            command.append("WERROR=1")
        if not self.verbose:
            command.append("--silent")
        if subprocess.run(command, env=make_env()).returncode != 0:
            sys.exit("pymps can't be built: make -C native failed, see above.")
        return build / LIBRARY


EXTENSIONS = [
    Extension(
        f"pymps.{module}",
        [f"pymps/{module}.pyx"],
        include_dirs=["native/include", np.get_include()],
        depends=[*map(str, HEADERS), str(CONFIG_STAMP)],
        define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        extra_compile_args=["-O0", "-g"] if DEBUG else ["-O2"],
        libraries=["dl"] if sys.platform.startswith("linux") else [],
    )
    for module in MODULES
]

setup(ext_modules=EXTENSIONS, cmdclass={"build_ext": BuildNativeAndExtensions})
