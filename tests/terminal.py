"""Programs whose stderr is a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path

import pytest


def run_on_terminal(command: list[str | Path]) -> tuple[int, bytes]:
    """Run a program; its exit status, and what it wrote to stderr. Skips the test where no terminal can be opened."""
    try:
        terminal, child_side = pty.openpty()
    except OSError as error:  # a container without /dev/pts
        pytest.skip(f"no pseudo-terminal can be opened: {error}")
    fcntl.ioctl(child_side, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))  # lines, columns, pixels
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=child_side)
    os.close(child_side)
    drawn = b""
    try:
        while chunk := os.read(terminal, 4096):
            drawn += chunk
    except OSError:  # Linux reports the end of a terminal this way, macOS by an empty read
        pass
    finally:
        os.close(terminal)
    return child.wait(timeout=120), drawn
