"""Problems of training on a device: layers, and the arrays that their passes read and write."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
from autograd import Gradients, Problem
from checking import descriptor
from reference import LSTM, Layer
from training_models import cell, named_gradients, reference_layer, state_arrays, training_problem

import pymps

Arrays = list[npt.NDArray[Any]]


@dataclass
class Run:
    """A problem on a device: its layer, and arrays for what goes in and comes out."""

    problem: Problem
    layer: pymps.MatrixTrainingLayer
    x: Arrays
    y: Arrays
    dy: Arrays
    dx: Arrays
    start: pymps.RecurrentState
    end: pymps.RecurrentState

    def forward(self, work: pymps.CommandBuffer, **options: Any) -> pymps.Tape:
        return self.layer.encode_forward_sequence(work, self.x, self.y, self.start, **options)

    def gradient(self, work: pymps.CommandBuffer, tape: pymps.Tape, **options: Any) -> list[pymps.RecurrentState]:
        return self.layer.encode_gradient_sequence(work, tape, self.dy, self.dx, state_gradient=self.end, **options)

    def found(self, tape: pymps.Tape, weight_gradients: pymps.WeightGradients) -> Gradients:
        h1, c1 = state_arrays(tape.state, self.problem.layer)
        dh0, dc0 = state_arrays(tape.state_gradient, self.problem.layer)
        named = named_gradients(weight_gradients, self.problem.layer)
        return Gradients(self.y, h1, c1, self.dx, dh0, dc0, named)


def prepared(device: pymps.Device, problem: Problem, layer: pymps.MatrixTrainingLayer | None = None) -> Run:
    layer = pymps.MatrixTrainingLayer(device, descriptor(problem.layer)) if layer is None else layer

    def room(like: Sequence[npt.NDArray[Any]]) -> Arrays:
        return [device.zeros(array.shape) for array in like]

    return Run(
        problem,
        layer,
        [device.array(x) for x in problem.x],
        room(problem.dy),
        [device.array(dy) for dy in problem.dy],
        room(problem.x),
        layer.state(problem.h0, cell(problem.c0)),
        layer.state_gradient(problem.dh1, cell(problem.dc1)),
    )


def problem(kind: type[Layer] = LSTM, **options: Any) -> Problem:
    return training_problem(reference_layer(kind), **options)
