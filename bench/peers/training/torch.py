"""PyTorch: nn.LSTM, oneDNN's on a CPU in both passes, and its autograd."""

import torch

import bench.peers.torch  # noqa: F401 (tells PyTorch the number of threads)
from bench.cases import Layer
from bench.gradients import Gradients, output_gradient
from bench.peers.training import TrainingPeer


class _Training(TrainingPeer):
    def __init__(self, layer: Layer, dtype: str) -> None:
        super().__init__(layer, dtype)
        case = self.case
        self._module = torch.nn.LSTM(case.inputs, case.outputs)
        weights = {"weight_ih": layer.w_ih, "weight_hh": layer.w_hh, "bias_ih": layer.bias, "bias_hh": 0 * layer.bias}
        self._module.load_state_dict({f"{name}_l0": torch.from_numpy(array) for name, array in weights.items()})
        self._x = torch.from_numpy(layer.x).requires_grad_()
        self._dy = torch.from_numpy(output_gradient(case))
        self._wanted = [self._x, *self._module.parameters()]
        self.tape_bytes = self._measured_tape_bytes()
        self.run = self._run

    def _run(self) -> None:
        self._y, _ = self._module(self._x)
        self._gradients = torch.autograd.grad(self._y, self._wanted, self._dy)

    def _measured_tape_bytes(self) -> int:
        """What autograd saves, each memory once, and without x, y and the weights."""
        saved = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            y, _ = self._module(self._x)
        others = {tensor.untyped_storage().data_ptr() for tensor in [*self._wanted, y]}
        return sum(size for place, size in saved.items() if place not in others)

    @property
    def gradients(self) -> Gradients:
        dx, w_ih, w_hh, bias, _ = (gradient.numpy() for gradient in self._gradients)
        return Gradients(self._y.detach().numpy(), dx, w_ih, w_hh, bias)


PEERS = {"torch": _Training}
