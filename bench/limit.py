"""The limit: how long one read of a layer's weights takes. A step that uses each of them can't be faster."""

import ctypes
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.cases import Size

_NATIVE = Path(__file__).parent / "native"
_CACHE_LINE_BYTES = 64


@cache
def _library() -> ctypes.CDLL:
    subprocess.run(["make", "--silent", "-C", _NATIVE], check=True)
    library = ctypes.CDLL(str(_NATIVE.parents[1] / "build" / "bench" / "read.so"))
    library.bench_read.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]
    library.bench_read.restype = ctypes.c_uint64
    return library


class Limit:
    """Memory of the size of a layer's weights, W and U in `dtype` and b in float32, and a vectorised read of it."""

    def __init__(self, size: Size, dtype: str) -> None:
        inputs, outputs = size
        bytes_read = 4 * outputs * ((inputs + outputs) * np.dtype(dtype).itemsize + 4)
        self.words = _aligned(bytes_read)
        self.words[:] = np.random.default_rng(0).integers(2**63, size=self.words.size, dtype=np.uint64)
        self.result = 0
        self._read = _library().bench_read

    def advance(self, steps: int) -> None:
        self.result = self._read(self.words.ctypes.data, self.words.size // 4, steps)


def _aligned(length_bytes: int) -> npt.NDArray[np.uint64]:
    memory = np.empty(length_bytes + _CACHE_LINE_BYTES, np.uint8)
    start = -memory.ctypes.data % _CACHE_LINE_BYTES
    return memory[start : start + length_bytes].view(np.uint64)
