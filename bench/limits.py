"""What no contestant can be faster than: one read of a step's weights, and the machine's multiply-adds for a batch."""

import ctypes
import mmap
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench import THREADS, cpus
from bench.cases import Case

_NATIVE = Path(__file__).parent / "native"
_HUGE_PAGE_BYTES = 2 << 20
_WEIGHT_BYTES = {"float32": 4, "float16": 2, "int8": 1}


@cache
def _library() -> ctypes.CDLL:
    subprocess.run(["make", "--silent", "-C", _NATIVE], check=True)
    library = ctypes.CDLL(str(_NATIVE.parents[1] / "build" / "bench" / "limits.so"))
    numbers, count, size, pointer = ctypes.POINTER(ctypes.c_int), ctypes.c_int, ctypes.c_size_t, ctypes.c_void_p
    library.bench_read.argtypes = [pointer, size, size, numbers, count, pointer]
    library.bench_read.restype = ctypes.c_double
    library.bench_read_granularity.argtypes = [count]
    library.bench_read_granularity.restype = size
    library.bench_peak.argtypes = [size, numbers, count, pointer]
    library.bench_peak.restype = ctypes.c_double
    library.bench_peak_flops.restype = size
    library.bench_peak_result.restype = ctypes.c_float
    return library


def _cpus() -> ctypes.Array[ctypes.c_int]:
    return (ctypes.c_int * THREADS)(*[*(cpus() or range(THREADS))][:THREADS])


def weight_bytes(case: Case, dtype: str) -> int:
    """W and U in `dtype`, b in float32."""
    return case.weights * _WEIGHT_BYTES[dtype] + case.biases * 4


class Limit:
    """A vectorised read of as many bytes as a layer's weights have.

    With several threads each reads its part, on a CPU of its own. The time is taken without the call from Python.
    """

    caller_waits = False

    def __init__(self, case: Case, dtype: str) -> None:
        self._library = _library()
        granularity = self._library.bench_read_granularity(THREADS)
        length = weight_bytes(case, dtype)
        self._words = _memory(-(-length // granularity) * granularity)
        self._words[:] = np.random.default_rng(0).integers(2**63, size=self._words.size, dtype=np.uint64)
        self._results = np.zeros(THREADS, np.uint64)
        self._repeats = 0

    def time(self, calls: int) -> float:
        self._repeats = calls
        seconds: float = self._library.bench_read(
            self._words.ctypes.data, self._words.nbytes, calls, _cpus(), THREADS, self._results.ctypes.data
        )
        return seconds

    def check(self) -> None:
        """What was read an even number of times cancels."""
        expected = np.bitwise_xor.reduce(self._words) if self._repeats % 2 else 0
        assert np.bitwise_xor.reduce(self._results) == expected


class Peak:
    """Multiply-adds on all of the vector registers, no memory; a call has PEAK_FLOPS operations."""

    caller_waits = False

    def __init__(self) -> None:
        self._library = _library()
        self._repeats = PEAK_FLOPS // (self._library.bench_peak_flops() * THREADS)
        self._results = np.zeros(THREADS, np.float32)

    def time(self, calls: int) -> float:
        seconds: float = self._library.bench_peak(calls * self._repeats, _cpus(), THREADS, self._results.ctypes.data)
        return seconds

    def check(self) -> None:
        assert np.all(self._results == self._library.bench_peak_result())


PEAK_FLOPS = 100_000_000


def _memory(length_bytes: int) -> npt.NDArray[np.uint64]:
    """On huge pages where the system has them, as NumPy asks for them too."""
    memory = mmap.mmap(-1, length_bytes + _HUGE_PAGE_BYTES)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    array = np.frombuffer(memory, np.uint8)
    start = -array.ctypes.data % _HUGE_PAGE_BYTES
    return array[start : start + length_bytes].view(np.uint64)
