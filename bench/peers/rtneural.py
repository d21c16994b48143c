"""RTNeural, a C++ library: its LSTM whose sizes are known to the compiler, at the sizes that native/rtneural.cc lists.

It enters bench.native_step alone, where $RTNEURAL_DIR names a checkout of it with its submodules.
"""

import ctypes
import os
import subprocess
import weakref
from functools import cache
from pathlib import Path

import numpy as np

from bench.cases import Array, Layer
from bench.peers import Peer

_NATIVE = Path(__file__).parents[1] / "native"
_BUILT = _NATIVE.parents[1] / "build" / "bench" / "rtneural.so"


def is_present() -> bool:
    return bool(os.environ.get("RTNEURAL_DIR"))


@cache
def _library() -> ctypes.CDLL:
    checkout = Path(os.environ["RTNEURAL_DIR"]).resolve()
    command = ["make", "--silent", "-C", str(_NATIVE), f"RTNEURAL_DIR={checkout}", f"../../build/bench/{_BUILT.name}"]
    subprocess.run(command, check=True)
    library = ctypes.CDLL(str(_BUILT))
    size, pointer = ctypes.c_size_t, ctypes.c_void_p
    library.bench_rtneural_create.argtypes = [size, size, pointer, pointer, pointer, pointer]
    library.bench_rtneural_create.restype = pointer
    library.bench_rtneural_time.argtypes = [pointer, size]
    library.bench_rtneural_time.restype = ctypes.c_double
    library.bench_rtneural_output.argtypes = [pointer]
    library.bench_rtneural_output.restype = ctypes.POINTER(ctypes.c_float)
    library.bench_rtneural_reset.argtypes = [pointer]
    library.bench_rtneural_release.argtypes = [pointer]
    return library


class Step(Peer):
    """The time is taken in C++, without the call from Python. Raises LookupError for a size that is not compiled."""

    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        self._library = _library()
        arrays = [np.ascontiguousarray(array) for array in (layer.x[0, 0], layer.w_ih, layer.w_hh, layer.bias)]
        pointers = [array.ctypes.data for array in arrays]
        self._lstm = self._library.bench_rtneural_create(self.case.inputs, self.case.outputs, *pointers)
        if self._lstm is None:
            raise LookupError(f"({self.case.inputs}, {self.case.outputs}) is not in native/rtneural.cc")
        weakref.finalize(self, self._library.bench_rtneural_release, self._lstm)

    def time(self, calls: int) -> float:
        self.calls += calls
        seconds: float = self._library.bench_rtneural_time(self._lstm, calls)
        return seconds

    @property
    def y(self) -> Array:
        output = self._library.bench_rtneural_output(self._lstm)
        return np.ctypeslib.as_array(output, (1, 1, self.case.outputs))

    def clear_state(self) -> None:
        self._library.bench_rtneural_reset(self._lstm)
