"""torch.nn.LSTM and LSTMCell, where PyTorch can express the same."""

import numpy as np
import numpy.typing as npt
import pytest

import pymps

torch = pytest.importorskip("torch", reason="comparing with PyTorch needs torch==2.13.0")

TOLERANCE = {"rtol": 0, "atol": 4e-6}  # 2e-6 of outputs within 1 on either side
Float32 = npt.NDArray[np.float32]


def from_torch(module: "torch.nn.LSTM | torch.nn.LSTMCell", suffix: str = "") -> pymps.LSTMDescriptor:
    """One layer of a module: gates i f g o, and two biases where Apple has one."""
    parameters = {name: value.detach().numpy() for name, value in module.named_parameters()}
    bias = parameters[f"bias_ih{suffix}"] + parameters[f"bias_hh{suffix}"] if module.bias else None
    w_ih, w_hh = parameters[f"weight_ih{suffix}"], parameters[f"weight_hh{suffix}"]
    return pymps.LSTMDescriptor.from_arrays(w_ih, w_hh, bias, gate_order="ifgo", use_float32_weights=True)


def stack_from_torch(device: pymps.Device, module: "torch.nn.LSTM") -> pymps.MatrixInferenceLayer:
    descriptors = [from_torch(module, f"_l{index}") for index in range(module.num_layers)]
    return pymps.MatrixInferenceLayer(device, descriptors)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(31)


def assert_final(state: pymps.RecurrentState, h: Float32, c: Float32) -> None:
    for index in range(len(h)):
        np.testing.assert_allclose(state.recurrent_output(index), h[index], **TOLERANCE)
        np.testing.assert_allclose(state.memory_cell(index), c[index], **TOLERANCE)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (5, 7), (16, 32), (33, 65)])
def test_sequence(device: pymps.Device, inputs: int, outputs: int, layers: int, bias: bool) -> None:
    module = torch.nn.LSTM(inputs, outputs, layers, bias=bias)
    x, h, c = torch.randn(20, 4, inputs), torch.randn(layers, 4, outputs), torch.randn(layers, 4, outputs)
    with torch.no_grad():
        expected, (h1, c1) = module(x, (h, c))
    layer = stack_from_torch(device, module)
    y, state = layer(x.numpy(), layer.state(h=list(h.numpy()), c=list(c.numpy())))
    np.testing.assert_allclose(y, expected.numpy(), **TOLERANCE)
    assert_final(state, h1.numpy(), c1.numpy())


def test_batch_first(device: pymps.Device) -> None:
    """A transposed view of (B, T, C) takes the place of batch_first, without a copy."""
    module = torch.nn.LSTM(6, 9, batch_first=True)
    x = torch.randn(3, 10, 6)
    with torch.no_grad():
        expected, _ = module(x)
    out = device.empty((3, 10, 9))
    stack_from_torch(device, module)(device.array(x.numpy()).transpose(1, 0, 2), out=out.transpose(1, 0, 2))
    np.testing.assert_allclose(out, expected.numpy(), **TOLERANCE)


def test_packed_sequence(device: pymps.Device) -> None:
    """Sequences of decreasing length: PyTorch's packed form is Apple's list of matrices."""
    module = torch.nn.LSTM(4, 6, 2)
    sequences = [torch.randn(length, 4) for length in (9, 6, 6, 2, 1)]
    packed = torch.nn.utils.rnn.pack_sequence(sequences)
    with torch.no_grad():
        expected, (h, c) = module(packed)
    x = list(np.split(packed.data.numpy(), np.cumsum(packed.batch_sizes.numpy())[:-1]))
    y, state = stack_from_torch(device, module)(x)
    np.testing.assert_allclose(np.concatenate(y), expected.data.numpy(), **TOLERANCE)
    assert_final(state, h.numpy(), c.numpy())


def test_cell_by_stream(device: pymps.Device) -> None:
    module = torch.nn.LSTMCell(8, 24)
    layer = pymps.MatrixInferenceLayer(device, from_torch(module))
    h = c = torch.zeros(2, 24)
    with layer.stream(batch=2) as stream, torch.no_grad():
        for x in torch.randn(50, 2, 8):
            h, c = module(x, (h, c))
            stream.x[:] = x.numpy()
            stream.step()
            np.testing.assert_allclose(stream.y, h.numpy(), **TOLERANCE)
        np.testing.assert_allclose(stream.state.memory_cell(), c.numpy(), **TOLERANCE)


def test_bidirectional_by_two_layers(device: pymps.Device) -> None:
    """Apple's own advice: the backward half is a layer of its own, run on the reversed sequence."""
    module = torch.nn.LSTM(5, 8, bidirectional=True)
    x = torch.randn(11, 3, 5)
    with torch.no_grad():
        expected, _ = module(x)
    forward = pymps.MatrixInferenceLayer(device, from_torch(module, "_l0"))
    backward = pymps.MatrixInferenceLayer(device, from_torch(module, "_l0_reverse"))
    y = np.concatenate([forward(x.numpy())[0], backward(x.numpy()[::-1])[0][::-1]], axis=2)
    np.testing.assert_allclose(y, expected.numpy(), **TOLERANCE)
