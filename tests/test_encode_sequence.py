"""Sequences that are encoded into command buffers: results, states in flight and temporary ones, memory, errors."""

import gc
import itertools
import mmap
import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bad_input import cases, expect, f32
from command_buffers import command_buffer, finish, in_flight
from models import allocated_size, assert_allocated, layer, lstm, run_child, sequence

import pymps

# ---- Results ----


def test_a_pipeline(device: pymps.Device) -> None:
    """Three layers' worth of work on one command buffer, each reading what the one before writes."""
    runs = [layer(device, 3, 5), layer(device, 5, 4), layer(device, 4, 2)]
    arrays = [device.array(sequence()), *(device.zeros((4, 2, outputs)) for outputs in (5, 4, 2))]
    work = command_buffer(device)
    for run, (x, y) in zip(runs, itertools.pairwise(arrays)):
        run.encode_sequence(work, x, y)
    assert not arrays[3].any()
    finish(work)
    expected = sequence()
    for run in runs:
        expected, _ = run(expected)
    np.testing.assert_array_equal(arrays[3], expected)


def test_the_stride_of_a_single_row_means_nothing(device: pymps.Device) -> None:
    run, work = layer(device), command_buffer(device)
    x, y = device.array(sequence(batch=1)[:, 0]), device.zeros((4, 5))
    run.encode_sequence(work, x[:, np.newaxis], y[:, np.newaxis])
    finish(work)
    np.testing.assert_array_equal(y[:, np.newaxis], run(sequence(batch=1))[0])


@pytest.mark.parametrize("every", [False, True])
def test_states(device: pymps.Device, every: bool) -> None:
    run = layer(device)
    y = device.zeros((4, 2, 5))
    work = command_buffer(device)
    states = run.encode_sequence(work, device.array(sequence()), y, store_all_intermediate_states=every)
    assert len(states) == (4 if every else 1)
    assert [(state.layer, state.batch, state.is_temporary, state.read_count) for state in states] == [
        (run, 2, False, 0)
    ] * len(states)
    finish(work)
    expected, expected_states = run(sequence(), store_all_intermediate_states=True)
    np.testing.assert_array_equal(y, expected)
    for state, wanted in zip(states, expected_states if every else expected_states[3:]):
        np.testing.assert_array_equal(state.recurrent_output(), wanted.recurrent_output())
        np.testing.assert_array_equal(state.memory_cell(), wanted.memory_cell())


@pytest.mark.parametrize("are_temporary", [False, True])
@pytest.mark.parametrize("count", [1, 2])
def test_sequences_can_be_cut(device: pymps.Device, are_temporary: bool, count: int) -> None:
    """On one command buffer, or, with states that outlive theirs, on two of one queue."""
    run = layer(device)
    x, y = device.array(sequence(6)), device.zeros((6, 2, 5))
    queue = device.new_command_queue()
    works = [queue.command_buffer() for _ in range(count)]
    (state,) = run.encode_sequence(works[0], x[:3], y[:3], states_are_temporary=are_temporary)
    if are_temporary and count == 2:
        expect(ValueError, r"state: temporary", run.encode_sequence, works[1], x[3:], y[3:], state)
        return
    run.encode_sequence(works[-1], x[3:], y[3:], state)
    for work in works:
        work.commit()
    works[-1].wait_until_completed()
    np.testing.assert_allclose(y, run(sequence(6))[0], rtol=1e-5, atol=2e-6)


def test_a_given_state_starts_it(device: pymps.Device) -> None:
    run = layer(device)
    start = run.state(h=[f32(2, 5)])
    y = device.zeros((4, 2, 5))
    work = command_buffer(device)
    run.encode_sequence(work, [*device.array(sequence())], [*y], start)
    finish(work)
    np.testing.assert_array_equal(y, run(sequence(), start)[0])


def test_states_in_flight(device: pymps.Device) -> None:
    run = layer(device)
    y = device.zeros((4, 2, 5))
    work = command_buffer(device)
    (state,) = run.encode_sequence(work, device.array(sequence()), y)
    stream = run.stream(2)

    def assert_refused() -> None:
        text = r"command buffer has not completed, expected a wait for it before"
        for use in (state.recurrent_output, state.memory_cell, lambda: run(sequence(), state)):
            expect(RuntimeError, text, use)
        expect(RuntimeError, text, setattr, stream, "state", state)

    assert_refused()
    with in_flight(work):
        assert_refused()
    np.testing.assert_array_equal(state.recurrent_output(), y[3])
    stream.state = state
    run(sequence(), state)


def test_the_state_of_a_dropped_command_buffer(device: pymps.Device) -> None:
    run = layer(device)
    (state,) = run.encode_sequence(command_buffer(device), device.array(sequence()), device.zeros((4, 2, 5)))
    gc.collect()
    expect(RuntimeError, r"has not completed", state.recurrent_output)


def test_temporary_states(device: pymps.Device) -> None:
    run = layer(device)
    x, ys = device.array(sequence()), device.zeros((4, 4, 2, 5))
    work = command_buffer(device)
    (state,) = run.encode_sequence(work, x, ys[0], states_are_temporary=True)
    assert (state.is_temporary, state.read_count) == (True, 1)
    for read in (state.recurrent_output, state.memory_cell):
        expect(ValueError, r"the state is temporary: the CPU can't read it", read)
    expect(
        ValueError, r"state: temporary, expected use on the command buffer that makes it alone", run, sequence(), state
    )
    expect(ValueError, r"state: temporary", setattr, run.stream(2), "state", state)
    state.read_count = 2
    run.encode_sequence(work, x, ys[1], state)
    assert state.read_count == 1
    run.encode_sequence(work, x, ys[2], state)
    assert state.read_count == 0
    expect(ValueError, r"read count", run.encode_sequence, work, x, ys[3], state)
    expect(ValueError, r"read count", setattr, state, "read_count", 1)
    finish(work)
    np.testing.assert_array_equal(ys[1], ys[2])
    np.testing.assert_allclose(ys[1], run(sequence(), run(sequence())[1])[0], rtol=1e-5, atol=2e-6)
    expect(ValueError, r"temporary", state.recurrent_output)


@cases(
    ("negative", lambda s: setattr(s, "read_count", -1), ValueError, r"read_count: -1, expected 0 to"),
    ("float", lambda s: setattr(s, "read_count", 1.0), TypeError, r"read_count: float 1.0, expected an int"),
    ("not temporary", lambda s: setattr(s, "read_count", 1), ValueError, r"not temporary, expected one with a read"),
    ("is_temporary", lambda s: setattr(s, "is_temporary", True), AttributeError, r"is_temporary"),
)
def test_bad_read_counts(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use, layer(device)(sequence())[1])


def test_temporary_states_that_nobody_reads(device: pymps.Device) -> None:
    run = layer(device)
    work = command_buffer(device)
    y = device.zeros((4, 2, 5))
    states = run.encode_sequence(
        work, device.array(sequence()), y, store_all_intermediate_states=True, states_are_temporary=True
    )
    del states[::2]
    finish(work)
    del states
    np.testing.assert_array_equal(y, run(sequence())[0])


def encode(run: pymps.MatrixInferenceLayer, *arguments: Any, **options: Any) -> None:
    run.encode_sequence(*arguments, **options)


@cases(
    ("sources", lambda r, w, x, y: encode(r, w, sequence(), y), ValueError, r"sources: memory that"),
    ("destinations", lambda r, w, x, y: encode(r, w, x, f32(4, 2, 5)), ValueError, r"destinations: memory that"),
    ("in a list", lambda r, w, x, y: encode(r, w, [*x[:3], f32(2, 3)], [*y]), ValueError, r"sources\[3\]: m"),
    ("flipped", lambda r, w, x, y: encode(r, w, x[:, ::-1], y), ValueError, r"sources: memory"),
    ("shape", lambda r, w, x, y: encode(r, w, x[:3], y), ValueError, r"destinations: shape"),
    ("dtype", lambda r, w, x, y: encode(r, w, x, y.astype("e")), TypeError, r"destinations: float16"),
    ("float64", lambda r, w, x, y: encode(r, w, x.astype("d"), y), TypeError, r"sources: float64 array"),
    ("None", lambda r, w, x, y: encode(r, w, x, None), TypeError, r"destinations: None, expected"),
    ("overlap", lambda r, w, x, y: encode(layer(r.device, 5), w, y, y), ValueError, r"sources and"),
    ("queue", lambda r, w, x, y: encode(r, w.queue, x, y), TypeError, r"'command_buffer' has"),
    ("no buffer", lambda r, w, x, y: encode(r, None, x, y), TypeError, r"'command_buffer' has"),
    ("state", lambda r, w, x, y: encode(r, w, x, y, 3), TypeError, r"state: int 3, expected"),
    ("batch", lambda r, w, x, y: encode(r, w, x, y, r.state([f32(3, 5)])), ValueError, r"state: 3 rows"),
    ("other", lambda r, w, x, y: encode(r, w, x, y, layer(r.device)(x)[1]), ValueError, r"state: of another"),
    ("all", lambda r, w, x, y: encode(r, w, x, y, store_all_intermediate_states=1), TypeError, r"store_all"),
    ("temporary", lambda r, w, x, y: encode(r, w, x, y, states_are_temporary=1), TypeError, r"states_are"),
)
def test_bad_sequences(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    run, work = layer(device), command_buffer(device)
    x, y = device.array(sequence()), device.zeros((4, 2, 5))
    expect(error, text, use, run, work, x, y)
    run.encode_sequence(work, x, y)
    finish(work)
    np.testing.assert_array_equal(y, run(sequence())[0])


def test_the_stack_must_be_a_chain(device: pymps.Device) -> None:
    reverse = lstm(3, 5)
    reverse.layer_sequence_direction = pymps.RNNSequenceDirection.BACKWARD
    run = pymps.MatrixInferenceLayer(device, [lstm(3, 5), reverse])
    x, y = device.array(sequence()), device.zeros((4, 2, 5))
    expect(ValueError, r"the stack is for bidirectional runs alone", run.encode_sequence, command_buffer(device), x, y)


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="the limit is Linux's")
def test_a_command_buffer_that_fails() -> None:
    """For want of memory at run time: an error wherever it is asked for, and the next one runs."""
    run_child("""
import os, resource, numpy as np, pymps
device = pymps.Device("portable")
queue = device.new_command_queue()
outputs, rows = 1 << 10, 1 << 12
weights = np.ones((4 * outputs, 1), np.float32), np.ones((4 * outputs, outputs), np.float32)
layer = pymps.MatrixInferenceLayer(device, pymps.LSTMDescriptor.from_arrays(*weights))
x, y = device.zeros((1, rows, 1)), device.zeros((1, rows, outputs))
warm, work, following = (queue.command_buffer() for _ in range(3))
warm.commit()
warm.wait_until_completed()
(state,) = layer.encode_sequence(work, x, y)
layer.encode_sequence(following, x, y)
heard = []
work.add_completed_handler(lambda w: heard.append((w.status, w.error)))
limits = resource.getrlimit(resource.RLIMIT_AS)
size = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGESIZE")
resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 20), limits[1]))
work.commit()
failures = []
for use in (work.wait_until_completed, state.recurrent_output):
    try:
        use()
    except pymps.CommandBufferError as error:
        failures.append(error)
resource.setrlimit(resource.RLIMIT_AS, limits)
assert [error.code for error in failures] == [8, 8], failures
assert work.status is pymps.CommandBufferStatus.ERROR
assert isinstance(work.error, pymps.CommandBufferError) and work.error.code == 8
assert heard == [(pymps.CommandBufferStatus.ERROR, work.error)], heard
following.commit()
following.wait_until_completed()
assert following.error is None
del work, state, use  # the next one may take the place of the one that failed
another = queue.command_buffer()
layer.encode_sequence(another, x, y)
another.commit()
another.wait_until_completed()
assert another.status is pymps.CommandBufferStatus.COMPLETED
""")


# ---- Who outlives whom ----


def test_memory_lives_until_completion(device: pymps.Device) -> None:
    pages = mmap.mmap(-1, mmap.PAGESIZE)
    x = device.wrap(np.frombuffer(pages, np.float32))[:24].reshape(4, 2, 3)
    x[:] = sequence()
    y = device.zeros((4, 2, 5))
    run = layer(device)
    work = command_buffer(device)
    run.encode_sequence(work, x, y)
    expected = run(sequence())[0]
    del x, run
    gc.collect()
    with pytest.raises(BufferError):
        pages.close()
    finish(work)
    np.testing.assert_array_equal(y, expected)


def test_a_committed_command_buffer_needs_nobody(device: pymps.Device) -> None:
    y = device.zeros((4, 2, 5))
    done = threading.Event()

    def commit() -> None:
        work = command_buffer(device)
        layer(device).encode_sequence(work, device.array(sequence()), y)
        work.add_completed_handler(lambda w: done.set())
        work.commit()

    commit()
    gc.collect()
    assert done.wait(30)
    np.testing.assert_array_equal(y, layer(device)(sequence())[0])


@pytest.mark.parametrize("is_committed", [True, False])
def test_nothing_is_left(device: pymps.Device, is_committed: bool) -> None:
    run = layer(device)

    def use() -> None:
        work = command_buffer(device)
        event = device.new_shared_event()
        x, y = device.array(sequence()), device.zeros((4, 2, 5))
        states = run.encode_sequence(work, x, y, store_all_intermediate_states=True)
        run.encode_sequence(work, x, y, states_are_temporary=True)
        work.encode_signal_event(event, 1)
        work.fill(y, 0)
        work.add_completed_handler(lambda w: states)
        if is_committed:
            finish(work)

    use()
    size = allocated_size(device)
    for _ in range(20):
        use()
        gc.collect()  # else the states in wait for it would be what the layer keeps for reuse
    assert_allocated(device, size)
