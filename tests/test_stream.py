"""Streams: one step at a time."""

import gc
import sys
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from models import allocated_size, assert_allocated, assert_close, layer, lstm, sequence

import pymps


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_steps_are_those_of_the_sequence(device: pymps.Device, batch: int) -> None:
    run = pymps.MatrixInferenceLayer(device, [lstm(3, 5), lstm(5, 2)])
    x = sequence(steps=9, batch=batch)
    y, states = run(x, store_all_intermediate_states=True)
    stream = run.stream(batch)
    for x_t, y_t, state_t in zip(x, y, states):
        stream.x[:] = x_t
        assert stream.step() is None  # type: ignore[func-returns-value]
        assert_close(stream.y, y_t)
        assert stream.state is not None
        assert_close(stream.state.memory_cell(1), state_t.memory_cell(1))


def test_properties(device: pymps.Device) -> None:
    run = layer(device)
    stream = run.stream(batch=4)
    assert (stream.layer, stream.batch, stream.closed, stream.state) == (run, 4, False, None)
    assert (stream.x.shape, stream.x.dtype, stream.y.shape, stream.y.dtype) == ((4, 3), np.float32, (4, 5), np.float32)
    assert not stream.x.any()
    assert not stream.y.any()
    assert run.stream().batch == 1
    assert "4 rows, open" in repr(stream)


def test_x_and_y_stay_the_same_arrays(device: pymps.Device) -> None:
    stream = layer(device).stream()
    x, y = stream.x, stream.y
    assert isinstance(x.base, pymps.Buffer)
    assert isinstance(y.base, pymps.Buffer)
    for _ in range(3):
        stream.step()
        assert stream.x is x
        assert stream.y is y
    with pytest.raises(AttributeError):
        stream.x = np.ones((1, 3), np.float32)  # type: ignore[misc]


def test_x_is_only_read(device: pymps.Device) -> None:
    stream = layer(device).stream()
    stream.x[:] = sequence(1, 1)[0]
    before = stream.x.copy()
    stream.step()
    np.testing.assert_array_equal(stream.x, before)


def test_streams_of_a_layer_are_independent(device: pymps.Device) -> None:
    run = layer(device)
    x = sequence(steps=5, batch=2)
    streams = [run.stream(), run.stream()]
    outputs = []
    for x_t in x:
        for row, stream in enumerate(streams):
            stream.x[0] = x_t[row]
            stream.step()
        outputs.append([stream.y[0].copy() for stream in streams])
    assert_close(outputs, run(x)[0])


def test_reset(device: pymps.Device) -> None:
    stream = layer(device).stream()
    stream.x[:] = 1
    stream.step()
    first = stream.y.copy()
    stream.step()
    assert (stream.y != first).any()
    stream.reset()
    assert stream.state is None
    stream.step()
    np.testing.assert_array_equal(stream.y, first)


@pytest.mark.parametrize("steps", range(1, 9))
def test_reset_after_any_number_of_steps(device: pymps.Device, steps: int) -> None:
    run = layer(device)
    x = sequence(steps=8)
    y, _ = run(x)
    stream = run.stream(2)
    for count in (steps, 8, 1, steps, 2, 8):
        for x_t, y_t in zip(x[:count], y):
            stream.x[:] = x_t
            stream.step()
            assert_close(stream.y, y_t)
        stream.reset()
        assert stream.state is None


def test_state_can_be_kept_and_set(device: pymps.Device) -> None:
    run = layer(device)
    x = sequence(steps=6)
    y, _ = run(x)
    _, middle = run(x[:3])
    stream = run.stream(2)
    stream.state = middle
    assert stream.state is not None
    np.testing.assert_array_equal(stream.state.memory_cell(), middle.memory_cell())
    for x_t, y_t in zip(x[3:], y[3:]):
        stream.x[:] = x_t
        stream.step()
        assert_close(stream.y, y_t)
    other = run.stream(2)
    other.state = stream.state
    stream.state = None
    assert stream.state is None
    assert other.state is not None
    assert_close(run(x[:1], other.state)[0], run(x[:1], run(x)[1])[0])


@pytest.mark.parametrize("every", [1, 2, 3, 7])
def test_kept_states_stay_as_they_were(device: pymps.Device, every: int) -> None:
    """Also where more steps have followed, some of which would otherwise use their memory."""
    run = pymps.MatrixInferenceLayer(device, [lstm(3, 5), lstm(5, 2)])
    x = sequence(steps=40)
    y, states = run(x, store_all_intermediate_states=True)
    stream = run.stream(2)
    kept = {}
    for t, x_t in enumerate(x):
        stream.x[:] = x_t
        stream.step()
        assert_close(stream.y, y[t])
        if t % every == every - 1:
            kept[t] = stream.state
    for t, state in kept.items():
        assert state is not None
        for index in range(2):
            assert_close(state.recurrent_output(index), states[t].recurrent_output(index))
            assert_close(state.memory_cell(index), states[t].memory_cell(index))


def test_steps_go_on_from_a_state_set_between_them(device: pymps.Device) -> None:
    run = layer(device)
    x = sequence(steps=12)
    y, _ = run(x)
    stream = run.stream(2)
    for x_t in x[:5]:
        stream.x[:] = x_t
        stream.step()
    fifth = stream.state
    for _ in range(3):
        for x_t, y_t in zip(x[5:], y[5:]):
            stream.x[:] = x_t
            stream.step()
            assert_close(stream.y, y_t)
        stream.state = fifth


def test_state_of_given_values(device: pymps.Device) -> None:
    run = layer(device)
    h, c = (np.full((1, 5), value, np.float32) for value in (0.5, -1))
    stream = run.stream()
    stream.state = run.state(h=[h], c=[c])
    stream.x[:] = 1
    stream.step()
    expected, _ = run(np.ones((1, 1, 3), np.float32), run.state(h=[h], c=[c]))
    assert_close(stream.y, expected[0])


def test_close(device: pymps.Device) -> None:
    stream = layer(device).stream()
    x, y = stream.x, stream.y
    x[:] = 1
    stream.step()
    kept = y.copy()
    stream.close()
    stream.close()
    assert stream.closed
    assert "closed" in repr(stream)
    x[:] = 2
    np.testing.assert_array_equal(y, kept)


@pytest.mark.parametrize("name", ["x", "y", "state"])
def test_closed_attributes(device: pymps.Device, name: str) -> None:
    stream = layer(device).stream()
    stream.close()
    with pytest.raises(ValueError, match="closed"):
        getattr(stream, name)


@pytest.mark.parametrize("method", ["step", "reset", "__enter__"])
def test_closed_methods(device: pymps.Device, method: str) -> None:
    stream = layer(device).stream()
    stream.close()
    with pytest.raises(ValueError, match="closed"):
        getattr(stream, method)()
    with pytest.raises(ValueError, match="closed"):
        stream.state = None


def test_close_gives_memory_back(device: pymps.Device) -> None:
    run = layer(device, 1 << 16, 1)
    before = allocated_size(device)
    stream = run.stream()
    assert device.current_allocated_size >= before + (4 << 16)
    stream.close()
    assert_allocated(device, before + (4 << 16) - 1)


def test_context_manager(device: pymps.Device) -> None:
    with layer(device).stream() as stream:
        stream.step()
        assert not stream.closed
    assert stream.closed
    with pytest.raises(ZeroDivisionError), layer(device).stream() as failing:
        raise ZeroDivisionError
    assert failing.closed


def test_a_step_allocates_no_objects_and_no_device_memory(device: pymps.Device) -> None:
    stream = layer(device).stream()
    step = stream.step
    for _ in range(100):
        step()
    gc.collect()
    gc.disable()
    try:
        size, blocks = device.current_allocated_size, sys.getallocatedblocks()
        for _ in range(1000):
            step()
        assert sys.getallocatedblocks() - blocks < 50
        assert device.current_allocated_size == size
    finally:
        gc.enable()


def peak_bytes(call: Callable[[], object]) -> int:
    """The most that Python's allocators have given out at once during the call, beyond what they had before."""
    call()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    more_than_asking_takes = bytes(1000)
    tracemalloc.reset_peak()
    call()
    del more_than_asking_takes
    return tracemalloc.get_traced_memory()[1] - before


def test_a_step_makes_no_object_for_a_moment_either(device: pymps.Device) -> None:
    stream = layer(device).stream()
    stream.step()
    tracemalloc.start()
    try:
        nothing = peak_bytes([].clear)
        assert peak_bytes(lambda: stream.state) > peak_bytes(lambda: None)
        assert peak_bytes(stream.step) == nothing
    finally:
        tracemalloc.stop()


def test_direct_construction(device: pymps.Device) -> None:
    run = layer(device)
    assert pymps.Stream(run, 2).x.shape == run.stream(2).x.shape
