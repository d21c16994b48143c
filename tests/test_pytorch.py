"""PyTorch's recurrent modules, where they express the same: LSTM and RNN; of its GRU only what can be composed."""

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import pytest

import pymps

torch = pytest.importorskip("torch", reason="comparing with PyTorch needs torch==2.13.0")

TOLERANCE = {"rtol": 0, "atol": 4e-6}  # 2e-6 of outputs within 1 on either side
Float32 = npt.NDArray[np.float32]


def arrays(module: "torch.nn.Module", suffix: str = "") -> tuple[Float32, Float32, Float32 | None]:
    """W, U and b of one layer of a module; PyTorch has two biases where Apple has one."""
    parameters = {name: value.detach().numpy() for name, value in module.named_parameters()}
    bias = parameters[f"bias_ih{suffix}"] + parameters[f"bias_hh{suffix}"] if module.bias else None
    return parameters[f"weight_ih{suffix}"], parameters[f"weight_hh{suffix}"], bias


def from_torch(module: "torch.nn.Module", suffix: str = "") -> pymps.LSTMDescriptor | pymps.SingleGateDescriptor:
    """One layer of an LSTM, whose gates are i f g o, or of an RNN."""
    if isinstance(module, torch.nn.LSTM | torch.nn.LSTMCell):
        return pymps.LSTMDescriptor.from_arrays(*arrays(module, suffix), gate_order="ifgo", use_float32_weights=True)
    neuron = {"tanh": pymps.Neuron(pymps.NeuronType.TANH), "relu": pymps.Neuron(pymps.NeuronType.RELU)}
    parameters = *arrays(module, suffix), neuron[module.nonlinearity]
    return pymps.SingleGateDescriptor.from_arrays(*parameters, use_float32_weights=True)


def stack_from_torch(device: pymps.Device, module: "torch.nn.RNNBase") -> pymps.MatrixInferenceLayer:
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


MODULES = {
    "LSTM": torch.nn.LSTM,
    "RNN, tanh": torch.nn.RNN,
    "RNN, relu": partial(torch.nn.RNN, nonlinearity="relu"),
}


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (5, 7), (33, 65)])
def test_rnn(device: pymps.Device, inputs: int, outputs: int, layers: int, nonlinearity: str) -> None:
    module = torch.nn.RNN(inputs, outputs, layers, nonlinearity=nonlinearity)
    x, h = torch.randn(20, 4, inputs), torch.randn(layers, 4, outputs)
    with torch.no_grad():
        expected, h1 = module(x, h)
    layer = stack_from_torch(device, module)
    y, state = layer(x.numpy(), layer.state(h=list(h.numpy())))
    np.testing.assert_allclose(y, expected.numpy(), **TOLERANCE)
    for index in range(layers):
        np.testing.assert_allclose(state.recurrent_output(index), h1[index], **TOLERANCE)


@pytest.mark.parametrize("make", MODULES.values(), ids=MODULES)
def test_bidirectional(device: pymps.Device, make: "Callable[..., torch.nn.RNNBase]") -> None:
    """PyTorch concatenates forward and backward; Apple's stack of one layer for each does the same."""
    module = make(5, 8, bidirectional=True)
    x = torch.randn(11, 3, 5)
    with torch.no_grad():
        expected, _ = module(x)
    forward, backward = from_torch(module, "_l0"), from_torch(module, "_l0_reverse")
    backward.layer_sequence_direction = pymps.RNNSequenceDirection.BACKWARD
    layer = pymps.MatrixInferenceLayer(device, [forward, backward])
    layer.bidirectional_combine_mode = pymps.RNNBidirectionalCombineMode.CONCATENATE
    np.testing.assert_allclose(layer.bidirectional(x.numpy()), expected.numpy(), **TOLERANCE)


def test_packed_bidirectional(device: pymps.Device) -> None:
    """Each sequence runs back from its own end."""
    module = torch.nn.LSTM(4, 6, bidirectional=True)
    packed = torch.nn.utils.rnn.pack_sequence([torch.randn(length, 4) for length in (9, 6, 6, 2, 1)])
    with torch.no_grad():
        expected, _ = module(packed)
    forward, backward = from_torch(module, "_l0"), from_torch(module, "_l0_reverse")
    backward.layer_sequence_direction = pymps.RNNSequenceDirection.BACKWARD
    layer = pymps.MatrixInferenceLayer(device, [forward, backward])
    layer.bidirectional_combine_mode = pymps.RNNBidirectionalCombineMode.CONCATENATE
    x = list(np.split(packed.data.numpy(), np.cumsum(packed.batch_sizes.numpy())[:-1]))
    np.testing.assert_allclose(np.concatenate(layer.bidirectional(x)), expected.data.numpy(), **TOLERANCE)


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


def test_gru_by_its_formula(device: pymps.Device) -> None:
    """torch.nn.GRU resets behind the recurrent weights, Apple before them: composed of PyTorch's functions instead."""
    w, u, b = arrays(torch.nn.GRUCell(6, 10))  # r z n
    layer = pymps.MatrixInferenceLayer(
        device, pymps.GRUDescriptor.from_arrays(w, u, b, gate_order="rzh", use_float32_weights=True)
    )
    x, h = torch.randn(20, 4, 6), torch.randn(4, 10)
    y, _ = layer(x.numpy(), layer.state(h=[h.numpy()]))
    (wr, wz, wn), (ur, uz, un), (br, bz, bn) = (torch.tensor(stacked).chunk(3) for stacked in (w, u, b))
    linear = torch.nn.functional.linear
    for t in range(20):
        z = torch.sigmoid(linear(x[t], wz, bz) + linear(h, uz))
        r = torch.sigmoid(linear(x[t], wr, br) + linear(h, ur))
        h = (1 - z) * torch.tanh(linear(x[t], wn, bn) + linear(r * h, un)) + z * h
        np.testing.assert_allclose(y[t], h, **TOLERANCE)


def test_gru_without_recurrent_weights(device: pymps.Device) -> None:
    """Where Uh is 0, where the reset gate acts makes no difference: then torch.nn.GRU is Apple's."""
    module = torch.nn.GRU(6, 10)
    with torch.no_grad():
        module.weight_hh_l0[20:] = 0
        module.bias_hh_l0[20:] = 0
        x = torch.randn(20, 4, 6)
        expected, _ = module(x)
    descriptor = pymps.GRUDescriptor.from_arrays(*arrays(module, "_l0"), gate_order="rzh", use_float32_weights=True)
    y, _ = pymps.MatrixInferenceLayer(device, descriptor)(x.numpy())
    np.testing.assert_allclose(y, expected.numpy(), **TOLERANCE)
