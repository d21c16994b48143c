"""A convolutional LSTM as it is written with PyTorch, in float64: images and channels of every size that counts."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from tolerance import INTEGERS

import pymps

torch = pytest.importorskip("torch", reason="comparing with PyTorch needs torch==2.13.0")

Float32 = npt.NDArray[np.float32]
States = list[tuple["torch.Tensor", "torch.Tensor"]]


class ConvLSTM(torch.nn.Module):
    """Layers of one convolution each, for all gates of x and h side by side; gates are i f g o."""

    def __init__(self, channels: tuple[int, ...], kernel: tuple[int, int]) -> None:
        super().__init__()
        pairs = list(pairwise(channels))
        self.inputs = channels[:-1]
        self.gates = torch.nn.ModuleList(
            torch.nn.Conv2d(below + above, 4 * above, kernel, padding="same") for below, above in pairs
        )
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(parameter.half())  # what an image layer keeps

    def forward(self, x: "torch.Tensor", states: States) -> tuple["torch.Tensor", States]:
        """x (T, N, channels, H, W)."""
        outputs = []
        for signal in x:
            for index, gates in enumerate(self.gates):
                h, c = states[index]
                i, f, g, o = gates(torch.cat([signal, h], 1)).chunk(4, 1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                signal = torch.sigmoid(o) * torch.tanh(c)
                states[index] = signal, c
            outputs.append(signal)
        return torch.stack(outputs), states

    def layer(self, device: pymps.Device) -> pymps.ImageInferenceLayer:
        descriptors = []
        for inputs, gates in zip(self.inputs, self.gates, strict=True):
            w = gates.weight.detach().permute(0, 2, 3, 1).float().numpy()
            bias = gates.bias.detach().float().numpy()
            split = np.split(w, [inputs], axis=-1)
            descriptors.append(pymps.LSTMDescriptor.from_arrays(*split, bias, gate_order="ifgo"))
        return pymps.ImageInferenceLayer(device, descriptors)


def channels_last(images: "torch.Tensor") -> Float32:
    return images.movedim(-3, -1).contiguous().float().numpy()


@pytest.mark.parametrize(
    ("channels", "kernel", "size"),
    [
        ((1, 16), (3, 3), (32, 32)),
        ((16, 16), (3, 3), (64, 64)),
        ((64, 64), (3, 3), (32, 32)),
        ((3, 33, 17), (3, 3), (15, 33)),
        ((1, 16, 16), (5, 5), (24, 18)),
        ((4, 8, 8, 8), (3, 5), (9, 31)),
        ((8, 65), (1, 1), (7, 7)),
        ((5, 128), (3, 3), (4, 4)),
    ],
)
def test_sequence(
    device: pymps.Device, channels: tuple[int, ...], kernel: tuple[int, int], size: tuple[int, int]
) -> None:
    torch.manual_seed(31)
    module = ConvLSTM(channels, kernel).double()
    x = torch.randn(5, 2, channels[0], *size).float()
    states = [tuple(torch.randn(2, 2, above, *size).float()) for above in channels[1:]]
    with torch.no_grad():
        expected, last = module(x.double(), [(h.double(), c.double()) for h, c in states])
    layer = module.layer(device)
    h, c = ([channels_last(part) for part in parts] for parts in zip(*states, strict=True))
    y, state = layer(channels_last(x), layer.state(h=h, c=c))
    # Pixels are rows of a matrix layer where the kernel is 1 x 1: of many outputs a device may keep integers.
    tolerance = INTEGERS if kernel == (1, 1) and max(channels) >= 64 else 4e-6
    np.testing.assert_allclose(y, channels_last(expected), rtol=0, atol=tolerance)
    for index, (last_h, last_c) in enumerate(last):
        np.testing.assert_allclose(state.recurrent_output(index), channels_last(last_h), rtol=0, atol=tolerance)
        np.testing.assert_allclose(state.memory_cell(index), channels_last(last_c), rtol=0, atol=2 * tolerance)
