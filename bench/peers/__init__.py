"""Who is measured: one module for each peer, whose class `Peer` is a layer that is ready to step."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

from bench.cases import Array, Case


class Stepper(ABC):
    """An LSTM layer at batch 1 that carries its state along, its data in the memory that the peer likes best.

    Attributes
    ----------
    x : ndarray, shape (I,)
        The input: memory that `step` reads.
    step : callable without arguments
        What is timed.
    steps : int
        How many steps were taken since the state was zeros.
    """

    x: Array
    step: Callable[[], object]
    steps: int = 0

    @property
    @abstractmethod
    def y(self) -> Array:
        """The output of the last step, shape (O,)."""

    @abstractmethod
    def clear_state(self) -> None: ...

    def advance(self, steps: int) -> None:
        step = self.step
        for _ in range(steps):
            step()
        self.steps += steps

    def reset(self) -> None:
        self.clear_state()
        self.steps = 0


class Contestant(NamedTuple):
    """A peer, named after its module, and the type that it keeps its weights in."""

    peer: str
    dtype: str

    def __str__(self) -> str:
        return f"{self.peer}-{self.dtype}"

    def load(self, case: Case) -> Stepper:
        stepper: Stepper = importlib.import_module(f"bench.peers.{self.peer}").Peer(case, self.dtype)
        return stepper


# NumPy's products and ONNX Runtime's LSTM have no float16 on a CPU.
CONTESTANTS = [
    Contestant("pymps", "float32"),
    Contestant("pymps", "float16"),
    Contestant("numpy", "float32"),
    Contestant("torch", "float32"),
    Contestant("torch", "float16"),
    Contestant("onnxruntime", "float32"),
]
