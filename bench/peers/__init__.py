"""Who is measured: one module for each package, whose `PEERS` are classes of layers that are ready to run.

Convolutional layers have modules of the same names in `images`, and layers that are trained in `training`.
"""

import importlib
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import lru_cache
from time import perf_counter
from typing import NamedTuple

import numpy as np

from bench.cases import GATES, Array, Case, Layer, Reference

# Of the output's scale. Some compute in float16 too, or round activations to 8 bits.
TOLERANCE = {"float32": 1e-5, "float16": 6e-2, "bfloat16": 6e-2, "int8": 6e-2}


class Peer:
    """A layer with a case's input, its data in the memory and the layout that the peer likes best.

    Attributes
    ----------
    run : callable without arguments
        What is timed: a step, or a sequence from a state of zeros.
    reset_after : bool
        Whether its GRU has the reset gate after the product with the recurrent weights.
    caller_waits : bool
        Whether the calling thread leaves the work to others where there are several.
    tolerance : dict
        How far from the reference it may be, by type of weights.
    tape_bytes : int or None
        What a layer that is trained keeps of a forward pass for its gradient, besides x, y and the weights.
    """

    run: Callable[[], object]
    reset_after = False
    caller_waits = False
    tolerance = TOLERANCE
    tape_bytes: int | None = None

    def __init__(self, layer: Layer, dtype: str) -> None:
        self.layer = layer
        self.case = layer.case
        self.dtype = dtype
        self.calls = 0

    @property
    @abstractmethod
    def y(self) -> Array:
        """The output of the last call, shape (T, B, O) or (T, B, H, W, O)."""

    @abstractmethod
    def clear_state(self) -> None:
        """Only steps carry a state."""

    def time(self, calls: int) -> float:
        """Seconds that so many calls take."""
        run = self.run
        start = perf_counter()
        for _ in range(calls):
            run()
        seconds = perf_counter() - start
        self.calls += calls
        return seconds

    def check(self) -> float:
        """How far the last call's output is from the reference, in units of the output's scale; must be near."""
        case = self.case
        rows = sorted({0, case.batch // 2, case.batch - 1})
        reference = _reference(case, self.dtype == "int8", self.reset_after and case.kind == "gru")
        first = self.calls if case.carries_state else 1
        expected = np.stack([reference.output_after(first + step) for step in range(case.steps)])
        error = float(np.abs(self.y[:, rows] - expected).max() / np.abs(expected).max())
        assert error <= self.tolerance[self.dtype], f"{error:.2g} from the reference"
        return error

    def check_first_steps(self, steps: int) -> float:
        """The same after each of the first steps from a state of zeros."""
        self.clear_state()
        self.calls = 0
        errors = []
        for _ in range(steps):
            self.time(1)
            errors.append(self.check())
        return max(errors)


@lru_cache(maxsize=4)
def _reference(case: Case, int8: bool, reset_after: bool) -> Reference:
    rows = sorted({0, case.batch // 2, case.batch - 1})
    return Reference(Layer(case, "int8" if int8 else "float32"), rows, reset_after=reset_after)


class Contestant(NamedTuple):
    """A peer, and the type that it keeps its weights in.

    Its name is its module's, and after a hyphen what sets it apart from others of the same package.
    """

    peer: str
    dtype: str

    def __str__(self) -> str:
        return f"{self.peer}-{self.dtype}"

    def load(self, layer: Layer) -> Peer:
        package = {"image": ".images", "training": ".training"}.get(layer.case.workload, "")
        module = importlib.import_module(f"bench.peers{package}.{self.peer.partition('-')[0]}")
        peer: Peer = module.PEERS[self.peer](layer, self.dtype)
        return peer


class _Entry(NamedTuple):
    """What a peer takes part in."""

    peer: str
    dtypes: Sequence[str]
    workloads: Sequence[str] = ("step", "sequence", "batch")
    kinds: Sequence[str] = tuple(GATES)


# What is missing here does not exist, or README.md says why it does not enter.
_ENTRIES = [
    _Entry("pymps", ["float32", "float16", "int8"]),
    _Entry("numpy", ["float32"]),
    _Entry("torch", ["float32", "bfloat16"]),
    _Entry("torch", ["float16"], ["step", "sequence"]),
    _Entry("torch-cell", ["float32", "float16", "bfloat16"], ["step"]),
    _Entry("onnxruntime", ["float32"]),
    _Entry("onnxruntime", ["int8"], kinds=["lstm"]),
    _Entry("openvino", ["float32", "bfloat16"]),
    _Entry("jax", ["float32", "bfloat16"]),
    _Entry("mlx", ["float32", "bfloat16"], ["step", "sequence"]),
    _Entry("litert-fused", ["float32", "int8"], ["step", "sequence"], ["lstm", "rnn"]),
    _Entry("litert-dense", ["float32", "float16", "int8"]),
    *(_Entry(peer, ["float32"], ["training"]) for peer in ("pymps", "torch")),
    *(_Entry(peer, ["float32"], ["image"]) for peer in ("pymps", "torch", "torch-compiled", "onnxruntime", "openvino")),
]


def contestants(case: Case) -> list[Contestant]:
    return [
        Contestant(entry.peer, dtype)
        for entry in _ENTRIES
        for dtype in entry.dtypes
        if case.workload in entry.workloads and case.kind in entry.kinds
    ]
