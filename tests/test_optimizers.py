"""Optimizers against Apple's formulas in float64, and against PyTorch where its formulas are the same."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from models import assert_close, lstm, sequence

import pymps
from pymps import Adam, MatrixId, RegularizationType, RMSProp, StochasticGradientDescent

Array = npt.NDArray[np.float64]
Arrays = dict[MatrixId, Array]
STEPS = 12


def prepared(gradient: Array, values: Array, options: dict[str, Any]) -> Array:
    clip = options.get("gradient_clip")
    gradient = gradient if clip is None else np.clip(gradient, *clip)
    gradient = gradient * options.get("gradient_rescale", 1.0)
    scale = options.get("regularization_scale", 0.0)
    kind = options.get("regularization_type", RegularizationType.NONE)
    return (
        gradient
        + {RegularizationType.NONE: 0, RegularizationType.L1: scale, RegularizationType.L2: scale * values}[kind]
    )


class Sgd:
    """The formulas of StochasticGradientDescent, for one array."""

    def __init__(self, **options: Any) -> None:
        self.options, self.m = options, 0.0

    def step(self, v: Array, gradient: Array) -> Array:
        g, lr, scale = (
            prepared(gradient, v, self.options),
            self.options["learning_rate"],
            self.options["momentum_scale"],
        )
        if scale == 0:
            return v - lr * g
        if self.options["use_nesterov_momentum"]:
            self.m = scale * self.m + g
            return v - lr * (g + scale * self.m)
        self.m = scale * self.m + lr * g
        return v - self.m


class MeanSquare:
    """The formulas of RMSProp, for one array."""

    def __init__(self, **options: Any) -> None:
        self.options, self.s = options, 0.0

    def step(self, v: Array, gradient: Array) -> Array:
        g, decay = prepared(gradient, v, self.options), self.options["decay"]
        self.s = decay * self.s + (1 - decay) * g**2
        return v - self.options["learning_rate"] * g / (np.sqrt(self.s) + self.options["epsilon"])


class Moments:
    """The formulas of Adam, for one array."""

    def __init__(self, **options: Any) -> None:
        self.options, self.t, self.m, self.u, self.w = options, 0, 0.0, 0.0, 0.0

    def step(self, v: Array, gradient: Array) -> Array:
        g, beta1, beta2 = prepared(gradient, v, self.options), self.options["beta1"], self.options["beta2"]
        self.t += 1
        rate = self.options["learning_rate"] * np.sqrt(1 - beta2**self.t) / (1 - beta1**self.t)
        self.m = beta1 * self.m + (1 - beta1) * g
        self.u = beta2 * self.u + (1 - beta2) * g**2
        self.w = np.maximum(self.w, self.u)
        return v - rate * self.m / (np.sqrt(self.w if self.options["ams_grad"] else self.u) + self.options["epsilon"])


PREPARATIONS: list[dict[str, Any]] = [
    {},
    {"gradient_rescale": 0.25},
    {"gradient_clip": (-0.05, 0.1)},
    {"gradient_clip": (-0.05, 0.1), "gradient_rescale": 3.0},
    {"regularization_type": RegularizationType.L2, "regularization_scale": 0.125},
    {"regularization_type": RegularizationType.L1, "regularization_scale": 0.125, "gradient_rescale": 0.5},
]
KINDS: list[tuple[type, type, dict[str, Any]]] = [
    (StochasticGradientDescent, Sgd, {"momentum_scale": 0.0, "use_nesterov_momentum": False}),
    (StochasticGradientDescent, Sgd, {"momentum_scale": 0.875, "use_nesterov_momentum": False}),
    (StochasticGradientDescent, Sgd, {"momentum_scale": 0.875, "use_nesterov_momentum": True}),
    (RMSProp, MeanSquare, {"decay": 0.75, "epsilon": 1e-3}),
    (Adam, Moments, {"beta1": 0.875, "beta2": 0.9375, "epsilon": 1e-3, "ams_grad": False}),
    (Adam, Moments, {"beta1": 0.5, "beta2": 0.9375, "epsilon": 1e-3, "ams_grad": True}),
]


def passes(layer: pymps.MatrixTrainingLayer) -> "list[Callable[[], pymps.WeightGradients]]":
    """A gradient for each step, of another sequence each, and so large that clipping matters."""

    def gradient(seed: int) -> pymps.WeightGradients:
        y, tape = layer.forward(sequence(seed=seed))
        return layer.gradient(tape, y * np.float32(0.5 + seed % 3), source_gradient=False)[1]

    return [lambda seed=seed: gradient(seed) for seed in range(STEPS)]


def weights_of(layer: pymps.MatrixTrainingLayer) -> Arrays:
    return {name: array.astype(np.float64) for name, array in layer.weights.items()}


@pytest.mark.parametrize("preparation", PREPARATIONS, ids=str)
@pytest.mark.parametrize(("kind", "formulas", "options"), KINDS, ids=lambda value: getattr(value, "__name__", None))
def test_formulas(
    device: pymps.Device, kind: type, formulas: type, options: dict[str, Any], preparation: dict[str, Any]
) -> None:
    layer = pymps.MatrixTrainingLayer(device, lstm())
    options = {"learning_rate": 0.0625, **options, **preparation}
    optimizer = kind(layer, **options)
    expected = weights_of(layer)
    references = {name: formulas(**options) for name in expected}
    for gradient in passes(layer):
        gradients = gradient()
        expected = {name: references[name].step(v, gradients[name].astype(np.float64)) for name, v in expected.items()}
        optimizer.step(gradients)
    for name, v in weights_of(layer).items():
        np.testing.assert_allclose(v, expected[name], rtol=2e-5, atol=2e-5, err_msg=name.name)
    assert optimizer.time_step == STEPS


def test_the_learning_rate_can_be_set(device: pymps.Device) -> None:
    layer = pymps.MatrixTrainingLayer(device, lstm())
    optimizer = StochasticGradientDescent(layer, 0.5)
    assert optimizer.learning_rate == 0.5
    optimizer.learning_rate = 0.25
    before, gradients = weights_of(layer), passes(layer)[0]()
    optimizer.step(gradients)
    for name, v in weights_of(layer).items():
        assert_close(v, before[name] - 0.25 * gradients[name])
    optimizer.learning_rate = 0
    before = weights_of(layer)
    optimizer.step(gradients)
    assert all(np.array_equal(v, before[name]) for name, v in weights_of(layer).items())


def test_adam_reads_the_time_step(device: pymps.Device) -> None:
    first, second = (pymps.MatrixTrainingLayer(device, lstm()) for _ in range(2))
    gradients = [passes(layer)[0]() for layer in (first, second)]
    optimizers = [Adam(first, 0.125), Adam(second, 0.125)]
    optimizers[1].time_step = 9
    before = weights_of(first)
    for optimizer, gradient in zip(optimizers, gradients):
        optimizer.step(gradient)
    assert (optimizers[0].time_step, optimizers[1].time_step) == (1, 10)
    # At step t the rate is sqrt(1 - beta2^t) / (1 - beta1^t) of the learning rate.
    ratio = (np.sqrt(1 - 0.999**10) / (1 - 0.9**10)) / (np.sqrt(1 - 0.999) / (1 - 0.9))
    for name in before:
        change = weights_of(first)[name] - before[name]
        np.testing.assert_allclose(weights_of(second)[name] - before[name], ratio * change, rtol=1e-3, atol=1e-5)


def test_options_can_be_read(device: pymps.Device) -> None:
    layer = pymps.MatrixTrainingLayer(device, lstm())
    l2 = RegularizationType.L2
    sgd = StochasticGradientDescent(layer, 0.5, 0.25, True, 2.0, (-1.0, 3.0), l2, 0.125)
    assert (sgd.layer, sgd.learning_rate, sgd.momentum_scale, sgd.use_nesterov_momentum) == (layer, 0.5, 0.25, True)
    assert (sgd.gradient_rescale, sgd.gradient_clip) == (2.0, (-1.0, 3.0))
    assert (sgd.regularization_type, sgd.regularization_scale) == (l2, 0.125)
    assert StochasticGradientDescent(layer, 0.5).gradient_clip is None
    assert (RMSProp(layer, 0.5).decay, RMSProp(layer, 0.5).epsilon) == (0.9, 1e-8)
    adam = Adam(layer, 0.5)
    assert (adam.beta1, adam.beta2, adam.epsilon, adam.ams_grad, adam.time_step) == (0.9, 0.999, 1e-8, False, 0)


# ---- PyTorch ----


def torch_optimizers() -> Any:
    torch = pytest.importorskip("torch", reason="comparing with PyTorch needs torch==2.13.0")
    return torch.optim


PYTORCH = [
    (StochasticGradientDescent, {}, "SGD", {}),
    (
        StochasticGradientDescent,
        {"regularization_type": RegularizationType.L2, "regularization_scale": 0.125},
        "SGD",
        {"weight_decay": 0.125},
    ),
    (StochasticGradientDescent, {"momentum_scale": 0.75}, "SGD", {"momentum": 0.75}),
    (
        StochasticGradientDescent,
        {"momentum_scale": 0.75, "use_nesterov_momentum": True},
        "SGD",
        {"momentum": 0.75, "nesterov": True},
    ),
    (RMSProp, {"decay": 0.75, "epsilon": 1e-4}, "RMSprop", {"alpha": 0.75, "eps": 1e-4}),
    (Adam, {"beta1": 0.75, "beta2": 0.9375, "epsilon": 0.0}, "Adam", {"betas": (0.75, 0.9375), "eps": 0.0}),
]


@pytest.mark.parametrize(("kind", "options", "name", "theirs"), PYTORCH, ids=lambda value: str(value))
def test_pytorch(device: pymps.Device, kind: type, options: dict[str, Any], name: str, theirs: dict[str, Any]) -> None:
    optim = torch_optimizers()
    import torch

    layer = pymps.MatrixTrainingLayer(device, lstm())
    optimizer = kind(layer, 0.0625, **options)
    parameters = {key: torch.tensor(v, requires_grad=True) for key, v in weights_of(layer).items()}
    reference = getattr(optim, name)(list(parameters.values()), lr=0.0625, **theirs)
    for gradient in passes(layer):
        gradients = gradient()
        for key, parameter in parameters.items():
            parameter.grad = torch.tensor(gradients[key].astype(np.float64))
        optimizer.step(gradients)
        reference.step()
    for key, v in weights_of(layer).items():
        np.testing.assert_allclose(v, parameters[key].detach().numpy(), rtol=2e-5, atol=2e-5, err_msg=key.name)
