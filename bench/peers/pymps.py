"""pymps itself, through its Python stream."""

from functools import cache

import pymps
from bench.cases import Array, Case
from bench.peers import Stepper


@cache
def device() -> pymps.Device:
    return pymps.Device()


class Peer(Stepper):
    def __init__(self, case: Case, dtype: str) -> None:
        descriptor = pymps.LSTMDescriptor.from_arrays(
            case.w_ih, case.w_hh, case.bias, gate_order="ifco", use_float32_weights=dtype == "float32"
        )
        self.stream = pymps.MatrixInferenceLayer(device(), descriptor).stream(batch=1)
        self.x = self.stream.x[0]
        self.x[:] = case.x
        self.step = self.stream.step

    @property
    def y(self) -> Array:
        output: Array = self.stream.y[0]
        return output

    def clear_state(self) -> None:
        self.stream.reset()
