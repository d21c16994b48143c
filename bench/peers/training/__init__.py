"""Who is measured with a forward pass and its gradient: the sum of y * dy, for all weights and the input."""

from abc import abstractmethod
from functools import lru_cache

import numpy as np

from bench.cases import Array, Case, Layer
from bench.gradients import Gradients, lstm_gradients
from bench.peers import Peer


class TrainingPeer(Peer):
    """A layer with a case's input and its dL/dy."""

    @property
    @abstractmethod
    def gradients(self) -> Gradients:
        """What the last call gave."""

    @property
    def y(self) -> Array:
        return self.gradients.y

    def clear_state(self) -> None:
        """Each call starts from zeros."""

    def check(self) -> float:
        """How far any result of the last call is from the reference, in units of its own scale; must be near."""
        errors = {
            name: float(np.abs(own - expected).max() / np.abs(expected).max())
            for name, own, expected in zip(Gradients._fields, self.gradients, _reference(self.case), strict=True)
        }
        far = {name: f"{error:.2g}" for name, error in errors.items() if not error <= self.tolerance[self.dtype]}
        assert not far, f"{far} from the reference"
        return max(errors.values())


@lru_cache(maxsize=1)
def _reference(case: Case) -> Gradients:
    return lstm_gradients(Layer(case, "float32"))
