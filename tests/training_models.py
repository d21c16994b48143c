"""What the tests of training share: the weights of reference layers by MatrixId."""

import numpy as np
import numpy.typing as npt
from models import lstm
from reference import GRU, LSTM, Layer, SingleGate

import pymps
from pymps import MatrixId

KINDS = {LSTM: "LSTM", GRU: "GRU", SingleGate: "SINGLE"}
PARTS = {"W": "INPUT_WEIGHTS", "U": "RECURRENT_WEIGHTS", "V": "MEMORY_WEIGHTS", "b": "BIAS_TERMS"}


def matrix_id(layer: Layer, gate: str, letter: str) -> MatrixId:
    """The id of a gate's W, U, V or b."""
    part = "INPUT_GATE_WEIGHTS" if letter == "V" and isinstance(layer, GRU) else PARTS[letter]
    return MatrixId[f"{KINDS[type(layer)]}_{gate.upper()}_{part}"]


def trained_arrays(layer: Layer) -> dict[tuple[str, str], npt.NDArray[np.generic]]:
    """What of a reference layer can be trained, as it is kept."""
    dtype = np.float32 if layer.use_float32_weights else np.float16
    found = {}
    for name, gate in layer.gates.items():
        for letter in "WUVb":
            array = getattr(gate, letter)
            if letter == "b" and array is None and gate.W is not None:
                array = np.zeros(layer.outputs)
            if array is not None and not (letter == "W" and layer.unit_input):
                found[name, letter] = array.astype(dtype)
    return found


def training_layer(device: pymps.Device, inputs: int = 3, outputs: int = 5) -> pymps.MatrixTrainingLayer:

    return pymps.MatrixTrainingLayer(device, lstm(inputs, outputs))
