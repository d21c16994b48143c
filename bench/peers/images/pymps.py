"""pymps itself: a step of a stream of images. An image layer keeps its weights in float16, which hold these exactly."""

import numpy as np

import pymps
from bench.cases import GATES, Array, Layer
from bench.peers import Peer
from bench.peers.pymps import device


class _Step(Peer):
    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        case = layer.case
        descriptor = pymps.LSTMDescriptor.from_arrays(
            layer.w_ih, layer.w_hh, layer.bias, gate_order=GATES["lstm"], use_float32_weights=True
        )
        image_layer = pymps.ImageInferenceLayer(device(), descriptor)
        self._stream = image_layer.stream(number_of_images=case.batch, height=case.side, width=case.side)
        self._stream.x[:] = layer.x[0]
        self.run = self._stream.step

    @property
    def y(self) -> Array:
        return self._stream.y[np.newaxis]

    def clear_state(self) -> None:
        self._stream.reset()


PEERS = {"pymps": _Step}
