"""The reference for images, held to PyTorch's convolution: two oracles that share nothing."""

import numpy as np
import pytest
import reference as ref
from conventional import full
from hypothesis import given, settings
from hypothesis import strategies as st
from image_reference import convolution
from strategies import seeds

torch = pytest.importorskip("torch", reason="comparing with PyTorch needs torch==2.13.0")

pytestmark = pytest.mark.modeless
Array = ref.Array


def torch_convolution(images: Array, weights: Array) -> Array:
    """F.conv2d, which has its channels first, and images padded by hand: PyTorch pads both sides alike."""
    height, width = weights.shape[1:3]
    x, w = (torch.from_numpy(np.moveaxis(array, -1, 1).copy()) for array in (images, weights))
    left, top = width // 2, height // 2
    padded = torch.nn.functional.pad(x, (left, width - 1 - left, top, height - 1 - top))
    return np.moveaxis(torch.nn.functional.conv2d(padded, w).numpy(), 1, -1)


@settings(max_examples=200)
@given(st.tuples(*[st.integers(1, 4)] * 3), st.tuples(*[st.integers(1, 7)] * 4), seeds)
def test_convolution(
    channels: tuple[int, int, int], sizes: tuple[int, int, int, int], rng: np.random.Generator
) -> None:
    inputs, outputs, count = channels
    height, width, *kernel = sizes
    images, weights = (
        rng.standard_normal((n, *size, inputs)) for n, size in ((count, (height, width)), (outputs, kernel))
    )
    actual = convolution(images, weights)
    assert actual.shape == (count, height, width, outputs)
    np.testing.assert_allclose(actual, torch_convolution(images, weights), rtol=0, atol=1e-12)


def test_convolution_by_hand() -> None:
    """A kernel of one 1 shifts an image: by kernel // 2 less its place, zeros coming in."""
    image = np.arange(1.0, 7).reshape(1, 2, 3, 1)
    for size, place, expected in ((3, 0, [0, 1, 2]), (3, 2, [2, 3, 0]), (2, 0, [0, 1, 2]), (2, 1, [1, 2, 3])):
        weights = np.zeros((1, 1, size, 1))
        weights[0, 0, place] = 1
        assert convolution(image, weights)[0, 0, :, 0].tolist() == expected


class ConvLSTMCell(torch.nn.Module):
    """Shi et al. (2015), as it is written with PyTorch: one convolution, and peepholes for each channel and pixel."""

    def __init__(self, lstm: ref.LSTM) -> None:
        super().__init__()
        self.lstm = lstm

    def gate(self, name: str, x: "torch.Tensor", h: "torch.Tensor", c: "torch.Tensor") -> "torch.Tensor":
        gate = self.lstm.gates[name]
        w, u = (torch.from_numpy(np.moveaxis(weights.astype(np.float64), -1, 1).copy()) for weights in (gate.W, gate.U))
        bias, v = (torch.from_numpy(part.astype(np.float64)) for part in (gate.b, gate.V))
        z = torch.nn.functional.conv2d(x, w, bias, padding="same") + torch.nn.functional.conv2d(h, u, padding="same")
        return z + v[:, None, None] * c

    def forward(self, x: "torch.Tensor", h: "torch.Tensor", c: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor"]:
        i, f = (torch.sigmoid(self.gate(name, x, h, c)) for name in ("input_gate", "forget_gate"))
        c1 = f * c + i * torch.tanh(self.gate("cell_gate", x, h, c))
        return torch.sigmoid(self.gate("output_gate", x, h, c1)) * torch.tanh(c1), c1


def test_conv_lstm() -> None:
    rng = np.random.default_rng(3)
    lstm = full(rng, "LSTM", 3, 5, memory_weights_are_diagonal=True, kernel=(3, 5))
    cell = ConvLSTMCell(lstm)
    x = rng.standard_normal((6, 2, 7, 4, 3))
    outputs, states = ref.sequence([lstm], list(x))
    h = c = torch.zeros(2, 5, 7, 4, dtype=torch.float64)
    for x_t, output, state in zip(x, outputs, states, strict=True):
        h, c = cell(torch.from_numpy(np.moveaxis(x_t, -1, 1).copy()), h, c)
        np.testing.assert_allclose(np.moveaxis(output, -1, 1), h, atol=1e-12)
        np.testing.assert_allclose(np.moveaxis(state[1][0], -1, 1), c, atol=1e-12)
