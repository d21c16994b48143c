"""Layers of images against the float64 reference: their formulas, `*` being a convolution."""

from dataclasses import replace

import conventional
import numpy as np
import numpy.typing as npt
import pytest
import reference as ref
from checking import arrays, as_float64, assert_step, initial_state
from conventional import KINDS, full
from hypothesis import HealthCheck, assume, given, settings
from image_checking import as_kept, assert_image_steps, image_layer
from image_strategies import ImageCase, image_cases
from reference import Gate, Neuron
from strategies import random_neuron, random_weights
from tolerance import assert_within

import pymps

every_kind = pytest.mark.parametrize("kind", KINDS)
KERNELS = [(1, 1), (1, 3), (3, 1), (3, 3), (2, 2), (2, 3), (4, 1), (4, 4), (5, 5), (7, 7), (6, 9)]
Rng = np.random.Generator
Float32 = npt.NDArray[np.float32]


@pytest.fixture
def rng() -> Rng:
    return np.random.default_rng(71)


def images(rng: Rng, channels: int, steps: int = 3, count: int = 2, height: int = 6, width: int = 7) -> Float32:
    return rng.standard_normal((steps, count, height, width, channels), np.float32)


def assume_tame(case: ImageCase) -> None:
    """Leaves out what runs away, as it would leave float16's range, then float32's; and roots of negative numbers: a
    NaN may fill the window of a part, which is that of the largest kernel of its gates."""
    _, states = ref.sequence(as_kept(case.stack), [as_float64(x) for x in case.x], case.state)
    assume(all(np.abs(np.nan_to_num(m, nan=np.inf)).max(initial=0.0) < 1e4 for h, c in states for m in h + c))


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(case=image_cases())
def test_random_stacks(device: pymps.Device, case: ImageCase) -> None:
    assume_tame(case)
    assert_image_steps(device, case.stack, case.x, case.state)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(case=image_cases(dtypes=(np.float32,)))
def test_random_streams(device: pymps.Device, case: ImageCase) -> None:
    assume_tame(case)
    layer, shape = image_layer(device, *case.stack), case.x.shape[1:-1]
    before = ref.zero_state(case.stack, *shape) if case.state is None else case.state
    with layer.stream(number_of_images=shape[0], height=shape[1], width=shape[2]) as stream:
        stream.state = initial_state(layer, case.state)
        for x in case.x:
            stream.x[:] = x
            stream.step()
            before = assert_step(device, as_kept(case.stack), x, before, stream.state, stream.y)


@pytest.mark.parametrize("kernel", KERNELS, ids=str)
@every_kind
def test_kernels(device: pymps.Device, rng: Rng, kind: str, kernel: tuple[int, int]) -> None:
    """Heights and widths, odd and even, some larger than the image."""
    assert_image_steps(device, [full(rng, kind, 3, 5, kernel=kernel)], images(rng, 3))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (9, 1), (2, 3), (3, 2), (17, 16), (33, 5)])
@every_kind
def test_image_sizes(device: pymps.Device, rng: Rng, kind: str, height: int, width: int) -> None:
    x = images(rng, 4, steps=2, height=height, width=width)
    assert_image_steps(device, [full(rng, kind, 4, 6, kernel=(3, 3))], x)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 8, 15, 16, 17, 32, 33])
@every_kind
def test_channels(device: pymps.Device, rng: Rng, kind: str, channels: int) -> None:
    x = images(rng, channels, steps=2, count=1, height=5, width=6)
    assert_image_steps(device, [full(rng, kind, channels, channels, kernel=(3, 3))], x)
    assert_image_steps(device, [full(rng, kind, channels, 9, kernel=(3, 3))], x)


def test_a_window_begins_half_a_kernel_before_its_pixel(device: pymps.Device) -> None:
    """One pixel that is 1 shows the kernel turned round; for even sizes the longer half lies before the pixel."""
    for height, width in ((3, 3), (2, 2), (4, 5), (1, 2)):
        w = np.arange(1.0, height * width + 1, dtype=np.float32).reshape(1, height, width, 1)
        x = np.zeros((1, 1, 9, 9, 1), np.float32)
        x[0, 0, 4, 4] = 1
        y, _ = image_layer(device, ref.SingleGate(1, 1, Gate(W=w)))(x)
        expected = np.zeros((9, 9))
        top, left = 4 + height // 2 - (height - 1), 4 + width // 2 - (width - 1)
        expected[top : top + height, left : left + width] = w[0, ::-1, ::-1, 0]
        np.testing.assert_array_equal(y[0, 0, :, :, 0], expected)


def test_gates_and_parts_of_different_kernels(device: pymps.Device, rng: Rng) -> None:
    def gate(neuron: Neuron, w: tuple[int, int], u: tuple[int, int], v: tuple[int, int]) -> Gate:
        shapes = (5, *w, 3), (5, *u, 5), (5, *v, 5)
        return Gate(
            *(random_weights(rng, shape) for shape in shapes), rng.standard_normal(5).astype(np.float32), neuron
        )

    lstm = ref.LSTM(
        3,
        5,
        gate(conventional.SIGMOID, (1, 1), (3, 3), (2, 2)),
        gate(conventional.SIGMOID, (5, 3), (2, 4), (1, 3)),
        gate(conventional.TANH, (2, 2), (1, 1), (3, 3)),
        gate(conventional.SIGMOID, (4, 7), (3, 2), (1, 1)),
    )
    gru = ref.GRU(3, 5, lstm.input_gate, lstm.forget_gate, lstm.cell_gate)
    gru = replace(gru, **{name: replace(getattr(gru, name), V=None) for name in ("input_gate", "recurrent_gate")})
    for layer in (lstm, gru):
        assert_image_steps(device, [layer], images(rng, 3))


@pytest.mark.parametrize("diagonal", [False, True], ids=["full", "diagonal"])
@pytest.mark.parametrize("gate", ["input_gate", "forget_gate", "cell_gate", "output_gate"])
def test_peephole(device: pymps.Device, rng: Rng, gate: str, diagonal: bool) -> None:
    """One gate has a peephole, for each channel or a convolution: the output gate's sees c1, the others' c0."""
    lstm = conventional.lstm(rng, 3, 9, kernel=(3, 3))
    v = random_weights(rng, (9,) if diagonal else (9, 3, 3, 9)) * 4
    lstm = replace(lstm, **{gate: replace(lstm.gates[gate], V=v)}, memory_weights_are_diagonal=diagonal)
    state = [np.zeros((2, 6, 7, 9))], [np.full((2, 6, 7, 9), 0.5)]
    assert_image_steps(device, [lstm], images(rng, 3), state)


WEIGHTS = [
    (kind, gate, weight)
    for kind in KINDS
    for gate, weights in full(np.random.default_rng(), kind, 1, 1).gates.items()
    for weight in "WUVb"
    if getattr(weights, weight) is not None
]


@pytest.mark.parametrize(("kind", "gate", "weight"), WEIGHTS)
def test_absent_weight(device: pymps.Device, rng: Rng, kind: str, gate: str, weight: str) -> None:
    layer = full(rng, kind, 4, 6, kernel=(3, 3))
    weights = replace(layer.gates[gate], **{weight: None})
    if weight == "W":
        weights = replace(weights, b=None, neuron=Neuron())
    assert_image_steps(device, [replace(layer, **{gate: weights})], images(rng, 4, steps=2))


@pytest.mark.parametrize("neuron", range(16))
@every_kind
def test_neurons(device: pymps.Device, rng: Rng, kind: str, neuron: int) -> None:
    layer = full(rng, kind, 3, 10, kernel=(3, 2))
    changed = {name: replace(gate, neuron=random_neuron(rng, neuron, 10)) for name, gate in layer.gates.items()}
    assert_image_steps(device, [replace(layer, **changed)], images(rng, 3, steps=1))


@pytest.mark.parametrize("flip", [False, True], ids=["plain", "flipped"])
@pytest.mark.parametrize("p", [1.0, 2.0, 0.5])
def test_pnorm_and_flip(device: pymps.Device, rng: Rng, p: float, flip: bool) -> None:
    options = {"gate_pnorm_value": p, "flip_output_gates": flip}
    gru = conventional.gru(rng, 4, 7, input_gate_weights=True, kernel=(3, 3), **options)
    assert_image_steps(device, [gru], images(rng, 4))


@every_kind
def test_unit_transform(device: pymps.Device, rng: Rng, kind: str) -> None:
    """W*x becomes x: no convolution takes place."""
    assert_image_steps(device, [full(rng, kind, 8, 8, kernel=(3, 3), unit_input=True)], images(rng, 8) / 4)


def test_stack_of_different_layers(device: pymps.Device, rng: Rng) -> None:
    stack = [
        conventional.gru(rng, 3, 12, input_gate_weights=True, kernel=(3, 3)),
        conventional.lstm(rng, 12, 12, kernel=(1, 1), unit_input=True),
        conventional.single_gate(rng, 12, 9, kernel=(2, 5)),
        conventional.lstm(rng, 9, 2, peepholes=True, memory_weights_are_diagonal=True, kernel=(3, 3)),
    ]
    layer = image_layer(device, *stack)
    assert (layer.input_feature_channels, layer.output_feature_channels, layer.number_of_layers) == (3, 2, 4)
    x = images(rng, 3, steps=4)
    assert_image_steps(device, stack, x, ref.zero_state(stack, *x.shape[1:-1]))
    _, state = layer(x)
    assert [c.shape[-1] for c in arrays(state)[1]] == [0, 12, 0, 2]


@every_kind
def test_weights_are_kept_in_float16(device: pymps.Device, rng: Rng, kind: str) -> None:
    """use_float32_weights changes nothing: y is that of the rounded weights, and not that of the ones given."""
    exact = full(rng, kind, 4, 6, kernel=(3, 3))
    x = images(rng, 4)
    results = [
        image_layer(device, layer)(x)[0]
        for layer in (exact, replace(exact, use_float32_weights=False), *as_kept([exact]))
    ]
    for y in results[1:]:
        np.testing.assert_array_equal(y, results[0])
    unrounded, _ = ref.sequence([exact], list(x))
    assert np.abs(np.array(unrounded) - results[0]).max() > 2e-5


@every_kind
def test_kernels_of_one_pixel_are_products(device: pymps.Device, rng: Rng, kind: str) -> None:
    """Each pixel is then a row of a matrix layer; weights of two dimensions say the same."""
    layer = as_kept([full(rng, kind, 5, 9)])[0]
    x = images(rng, 5)
    y, _ = image_layer(device, layer)(x)
    with_axes = ref.map_weights(layer, lambda w: w[:, np.newaxis, np.newaxis, :] if w.ndim == 2 else w)
    np.testing.assert_array_equal(image_layer(device, with_axes)(x)[0], y)
    expected, _ = ref.sequence([layer], list(x.reshape(len(x), -1, 5)))
    assert_within(y.reshape(len(x), -1, 9), np.array(expected), 2e-6, "y")


@every_kind
def test_images_know_nothing_of_each_other(device: pymps.Device, rng: Rng, kind: str) -> None:
    """Each of up to five as if it had run alone, whatever is in the others."""
    layer = image_layer(device, full(rng, kind, 3, 5, kernel=(3, 5)))
    x = images(rng, 3, count=5)
    alone = np.concatenate([layer(x[:, n : n + 1])[0] for n in range(5)], axis=1)
    for count in range(1, 6):
        y, _ = layer(x[:, :count])
        assert_within(y, alone[:, :count].astype(np.float64), 2e-6, f"{count} images")
    x[:, 2] = np.nan
    y, _ = layer(x)
    assert_within(np.delete(y, 2, axis=1), np.delete(alone, 2, axis=1).astype(np.float64), 2e-6, "beside NaN")
    assert np.isnan(y[:, 2]).all()


PIXELS = pytest.mark.parametrize(("row", "column"), [(0, 0), (3, 4), (5, 6), (2, 3)])


@PIXELS
@every_kind
def test_nan(device: pymps.Device, rng: Rng, kind: str, row: int, column: int) -> None:
    """It gets where the formulas bring it, through every convolution that there is, and nowhere else."""
    x = images(rng, 4)
    x[0, 1, row, column, 2] = np.nan
    y = np.array(assert_image_steps(device, [full(rng, kind, 4, 9, kernel=(3, 3))], x))
    assert np.isnan(y[:, 1, row, column]).all()
    assert not np.isnan(y[:, 0]).any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@PIXELS
def test_special_values_stay_in_their_window(
    device: pymps.Device, rng: Rng, row: int, column: int, value: float
) -> None:
    """The pixels in whose window they are see them, and no others."""
    layer = image_layer(device, conventional.single_gate(rng, 4, 9, kernel=(3, 3)))
    x = images(rng, 4, steps=1, count=1)
    clean, _ = layer(x)
    x[0, 0, row, column, 2] = value
    y, _ = layer(x)
    sees = np.zeros((6, 7), bool)
    sees[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = True
    np.testing.assert_array_equal((y != clean)[0, 0].all(axis=-1), sees)
    np.testing.assert_array_equal((y != clean)[0, 0].any(axis=-1), sees)


@pytest.mark.parametrize("steps", [1, 2, 40])
def test_long_sequence(device: pymps.Device, rng: Rng, steps: int) -> None:
    """End to end: these recurrences forget, so errors do not pile up."""
    stack = [full(rng, "LSTM", 3, 8, kernel=(3, 3)), full(rng, "GRU", 8, 4, kernel=(3, 3))]
    x = images(rng, 3, steps)
    y, _ = image_layer(device, *stack)(x)
    expected, _ = ref.sequence(as_kept(stack), list(x))
    assert_within(y, np.array(expected), 4e-6, "y")
