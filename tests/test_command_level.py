"""Queues, command buffers, their handlers, events and blits."""

import gc
import mmap
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bad_input import HUGE, cases, expect, f32
from command_buffers import command_buffer, finish
from models import layer, run_child, sequence

import pymps
from pymps import CommandBuffer, CommandBufferStatus

# ---- From the commit to the end ----


def test_an_empty_command_buffer(device: pymps.Device) -> None:
    queue = device.new_command_queue()
    work = queue.command_buffer()
    assert (work.queue, queue.device) == (queue, device)
    assert (work.status, work.error) == (CommandBufferStatus.NOT_ENQUEUED, None)
    assert work.gpu_start_time == work.gpu_end_time == work.kernel_start_time == work.kernel_end_time == 0
    finish(work)
    assert (work.status, work.error) == (CommandBufferStatus.COMPLETED, None)
    assert 0 < work.gpu_start_time <= work.gpu_end_time
    assert 0 < work.kernel_start_time <= work.kernel_end_time
    work.wait_until_completed()
    work.wait_until_scheduled()
    assert "COMPLETED" in repr(work)


def test_commit_comes_once_and_last(device: pymps.Device) -> None:
    work = command_buffer(device)
    for wait in (work.wait_until_completed, work.wait_until_scheduled):
        expect(ValueError, r"not committed, expected a commit before", wait)
    finish(work)
    a, b = device.zeros(4), device.zeros(4)
    event = device.new_shared_event()
    for use in (
        work.commit,
        work.enqueue,
        lambda: work.fill(a, 0),
        lambda: work.copy(a, b),
        lambda: work.synchronize(a),
        lambda: work.add_completed_handler(print),
        lambda: work.add_scheduled_handler(print),
        lambda: work.encode_signal_event(event, 1),
        lambda: work.encode_wait_for_event(event, 1),
        lambda: layer(device).encode_sequence(work, device.array(sequence()), device.zeros((4, 2, 5))),
    ):
        expect(ValueError, r"the command buffer is committed, expected one that is not", use)


def test_the_order_is_that_of_the_enqueues(device: pymps.Device) -> None:
    queue = device.new_command_queue()
    array = device.zeros(4, np.uint8)
    first, second = queue.command_buffer(), queue.command_buffer()
    first.enqueue()
    assert first.status is CommandBufferStatus.ENQUEUED
    expect(ValueError, r"already enqueued", first.enqueue)
    first.fill(array, 1)
    second.fill(array, 2)
    later = threading.Thread(target=second.commit)
    later.start()
    first.commit()
    second_done = threading.Thread(target=lambda: (later.join(), second.wait_until_completed()))
    second_done.start()
    second_done.join()
    assert array.tolist() == [2] * 4


def test_an_enqueued_command_buffer_that_is_dropped_runs(device: pymps.Device) -> None:
    queue = device.new_command_queue()
    array = device.zeros(4, np.uint8)
    called: list[Any] = []
    dropped = queue.command_buffer()
    dropped.fill(array, 7)
    dropped.add_completed_handler(lambda work: called.append(work.status))
    dropped.enqueue()
    del dropped
    gc.collect()
    finish(queue.command_buffer())
    assert array.tolist() == [7] * 4
    assert called == [CommandBufferStatus.COMPLETED]


def test_many_command_buffers_in_flight(device: pymps.Device) -> None:
    """More than a queue holds at once."""
    queue = device.new_command_queue(2)
    array = device.zeros(4, np.uint8)
    for value in range(50):
        work = queue.command_buffer()
        work.fill(array, value)
        work.commit()
    work.wait_until_completed()
    assert array.tolist() == [49] * 4


def test_a_queue_full_of_uncommitted_ones(device: pymps.Device) -> None:
    queue = device.new_command_queue(max_command_buffer_count=3)
    held = [queue.command_buffer() for _ in range(3)]
    expect(ValueError, r"queue: 3 command buffers wait for their commit, expected less", queue.command_buffer)
    held.pop()
    finish(queue.command_buffer())
    held[0].commit()
    finish(queue.command_buffer())


@cases(
    ("count", lambda d: d.new_command_queue(0), ValueError, r"max_command_buffer_count: 0, expected 1 to"),
    (
        "count type",
        lambda d: d.new_command_queue("1"),
        TypeError,
        r"max_command_buffer_count: str '1', expected an int",
    ),
    ("count huge", lambda d: d.new_command_queue(HUGE), ValueError, r"max_command_buffer_count: 4611686018427387904"),
    ("queue", lambda d: pymps.CommandQueue(), TypeError, r"CommandQueue: .*not by a call"),
    ("queue of", lambda d: pymps.CommandQueue(d), TypeError, r"CommandQueue: .*not by a call"),
    ("buffer", lambda d: CommandBuffer(d.new_command_queue()), TypeError, r"CommandBuffer: .*not by a call"),
    ("event", lambda d: pymps.SharedEvent(), TypeError, r"SharedEvent: .*not by a call"),
    ("copy", lambda d: command_buffer(d).__reduce__(), TypeError, r"no default __reduce__"),
)
def test_construction(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use, device)


@pytest.mark.parametrize("kind", [pymps.CommandQueue, CommandBuffer, pymps.SharedEvent])
def test_handles_can_not_be_subclassed(kind: type) -> None:
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Mine", (kind,), {})


def test_one_thread_encodes_at_a_time(device: pymps.Device) -> None:
    """Others are refused, and what the first one encodes is not harmed."""
    run = layer(device)
    x, y = device.array(sequence(200)), device.zeros((200, 2, 5))
    scratch = device.zeros(4)
    work = command_buffer(device)
    refused = []

    def fill() -> None:
        for _ in range(200):
            try:
                work.fill(scratch, 1)
            except RuntimeError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=fill) for _ in range(3)]
    for thread in threads:
        thread.start()
    while True:
        try:
            run.encode_sequence(work, x, y)
            break
        except RuntimeError:
            pass
    for thread in threads:
        thread.join()
    finish(work)
    assert all("in use by another thread" in text for text in refused)
    np.testing.assert_array_equal(y, run(x)[0])


# ---- Handlers ----


def test_handlers_are_called_once_in_order(device: pymps.Device) -> None:
    calls: list[Any] = []
    work = command_buffer(device)
    work.add_completed_handler(lambda w: calls.append(("first", w, w.status)))
    work.add_scheduled_handler(lambda w: calls.append(("scheduled", w)))
    work.add_completed_handler(lambda w: calls.append(("second", w, w.gpu_end_time > 0)))
    assert calls == []
    finish(work)
    assert calls == [("scheduled", work), ("first", work, CommandBufferStatus.COMPLETED), ("second", work, True)]


def test_handlers_are_called_without_anyone_waiting(device: pymps.Device) -> None:
    called = threading.Event()
    queue = device.new_command_queue()
    work = queue.command_buffer()
    work.add_completed_handler(lambda w: called.set())
    work.commit()
    del work, queue
    assert called.wait(30)


def test_an_exception_in_a_handler(device: pymps.Device, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Any] = []
    monkeypatch.setattr(
        sys, "unraisablehook", lambda unraisable: heard.append((unraisable.exc_type, unraisable.object))
    )
    calls: list[Any] = []

    def fail(work: CommandBuffer) -> None:
        raise ZeroDivisionError

    work = command_buffer(device)
    work.add_scheduled_handler(fail)
    work.add_completed_handler(fail)
    work.add_completed_handler(calls.append)
    finish(work)
    assert heard == [(ZeroDivisionError, fail)] * 2
    assert calls == [work]
    assert work.error is None


def test_what_is_no_handler(device: pymps.Device) -> None:
    work = command_buffer(device)
    for add in (work.add_completed_handler, work.add_scheduled_handler):
        expect(TypeError, r"handler: None, expected a callable", add, None)
        expect(TypeError, r"handler: int 3, expected a callable", add, 3)


def test_a_handler_can_not_wait(device: pymps.Device) -> None:
    errors: list[Any] = []

    def wait(work: CommandBuffer) -> None:
        with pytest.raises(ValueError, match="before this handler of its queue ends") as raised:
            work.wait_until_completed()
        errors.append(raised.type)

    work = command_buffer(device)
    work.add_completed_handler(wait)
    finish(work)
    assert errors == [ValueError]


def test_a_handler_may_commit_more(device: pymps.Device) -> None:
    queue = device.new_command_queue()
    array = device.zeros(4, np.uint8)
    done = threading.Event()

    def more(work: CommandBuffer) -> None:
        following = queue.command_buffer()
        following.fill(array, array[0] + 1)
        following.add_completed_handler(more if array[0] < 9 else lambda w: done.set())
        following.commit()

    work = queue.command_buffer()
    work.add_completed_handler(more)
    work.commit()
    assert done.wait(30)
    assert array.tolist() == [10] * 4


@pytest.mark.parametrize("is_committed", [True, False])
def test_handlers_leave_nothing_behind(device: pymps.Device, is_committed: bool) -> None:
    class Handler:
        def __init__(self, work: CommandBuffer) -> None:
            self.work = work  # a cycle

        def __call__(self, work: CommandBuffer) -> None:
            called.append(work.status)

    called: list[CommandBufferStatus] = []
    work = command_buffer(device)
    handlers = [Handler(work), Handler(work)]
    gone = [weakref.ref(handler) for handler in handlers]
    work.add_completed_handler(handlers[0])
    work.add_scheduled_handler(handlers[1])
    if is_committed:
        finish(work)
    del work, handlers
    gc.collect()
    assert len(called) == 2 * is_committed
    assert [reference() for reference in gone] == [None, None]


# ---- Events ----


def test_an_event_counts(device: pymps.Device) -> None:
    event = device.new_shared_event()
    assert (event.device, event.signaled_value) == (device, 0)
    event.signaled_value = (1 << 64) - 1
    assert event.signaled_value == (1 << 64) - 1
    assert "18446744073709551615" in repr(event)
    event.signaled_value = 0
    work = command_buffer(device)
    work.encode_signal_event(event, 7)
    work.encode_wait_for_event(event, 5)
    assert event.signaled_value == 0
    finish(work)
    assert event.signaled_value == 7


def test_queues_wait_for_each_other(device: pymps.Device) -> None:
    event = device.new_shared_event()
    array = device.zeros(4, np.uint8)
    second, first = command_buffer(device), command_buffer(device)
    second.encode_wait_for_event(event, 1)
    second.fill(array, 2)
    first.fill(array, 1)
    first.encode_signal_event(event, 1)
    thread = threading.Thread(target=second.commit)
    thread.start()
    first.commit()
    thread.join()
    second.wait_until_completed()
    assert array.tolist() == [2] * 4


@cases(
    (
        "negative",
        lambda w, e: w.encode_signal_event(e, -1),
        ValueError,
        r"value: -1, expected 0 to 18446744073709551615",
    ),
    ("beyond", lambda w, e: w.encode_wait_for_event(e, 1 << 64), ValueError, r"value: 18446744073709551616, expected"),
    ("float", lambda w, e: w.encode_signal_event(e, 1.0), TypeError, r"value: float 1.0, expected an int"),
    ("bool", lambda w, e: w.encode_signal_event(e, True), TypeError, r"value: bool True, expected an int"),
    ("None", lambda w, e: w.encode_wait_for_event(None, 1), TypeError, r"'event' has incorrect type"),
    ("device", lambda w, e: w.encode_wait_for_event(e.device, 1), TypeError, r"'event' has incorrect type"),
    ("set", lambda w, e: setattr(e, "signaled_value", -1), ValueError, r"signaled_value: -1, expected 0 to"),
    ("set str", lambda w, e: setattr(e, "signaled_value", "1"), TypeError, r"signaled_value: str '1', expected an int"),
)
def test_bad_events(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    expect(error, text, use, command_buffer(device), device.new_shared_event())


# ---- Blits ----


@pytest.mark.parametrize("dtype", ["f4", "f2", "u1", "f8"])
def test_copy_and_fill(device: pymps.Device, dtype: str) -> None:
    source = device.array(np.arange(48).reshape(6, 8), dtype)
    destination = device.zeros((6, 8), dtype)
    work = command_buffer(device)
    work.copy(source[1:3], destination[4:])
    work.copy(destination[4:5], destination[:1])
    work.fill(destination[2], 255)
    work.synchronize(destination)
    assert not destination.any()
    finish(work)
    assert destination[4:].tolist() == source[1:3].tolist()
    assert destination[0].tolist() == source[1].tolist()
    assert (destination[2].view(np.uint8) == 255).all()
    assert not destination[1].any()
    assert not destination[3].any()


def test_copies_keep_memory_alive(device: pymps.Device) -> None:
    pages = mmap.mmap(-1, mmap.PAGESIZE)
    source = device.wrap(np.frombuffer(pages, np.uint8))
    pages[:4] = b"spam"
    destination = device.zeros(4, np.uint8)
    work = command_buffer(device)
    work.copy(source[:4], destination)
    del source
    gc.collect()
    with pytest.raises(BufferError):
        pages.close()
    finish(work)
    assert bytes(destination) == b"spam"


@cases(
    ("outside", lambda w, a: w.fill(f32(4), 0), ValueError, r"array: .*in memory of its own, expected a buffer of"),
    ("list", lambda w, a: w.fill([1], 0), TypeError, r"array: list of length 1, expected an ndarray in a buffer"),
    ("value", lambda w, a: w.fill(a, 256), ValueError, r"value: 256, expected 0 to 255"),
    ("value type", lambda w, a: w.fill(a, 1.5), TypeError, r"value: float 1.5, expected an int"),
    ("strides", lambda w, a: w.fill(a[:, :4], 0), ValueError, r"array: strides \(32, 4\), expected a C-contiguous"),
    ("offset", lambda w, a: w.fill(a.view("u1")[0, 2:6], 0), ValueError, r"array: 4 bytes at offset 2 in its buffer"),
    ("length", lambda w, a: w.fill(a.view("u1")[0, :6], 0), ValueError, r"array: 6 bytes at offset 0 .*multiples of 4"),
    ("empty", lambda w, a: w.fill(a[:0], 0), ValueError, r"array: 0 bytes at offset 0"),
    ("read-only", lambda w, a: w.fill(locked(a), 0), ValueError, r"array: read-only, expected a writable array"),
    ("source", lambda w, a: w.copy(f32(8), a[0]), ValueError, r"source: .*in memory of its own"),
    ("source type", lambda w, a: w.copy(None, a[0]), TypeError, r"source: None, expected an ndarray in a buffer"),
    ("destination", lambda w, a: w.copy(a[0], f32(8)), ValueError, r"destination: .*in memory of its own"),
    ("locked", lambda w, a: w.copy(a[0], locked(a[1])), ValueError, r"destination: read-only"),
    (
        "shape",
        lambda w, a: w.copy(a[0], a[1:3]),
        ValueError,
        r"destination: .*\(2, 8\), expected .*\(8,\) as source is",
    ),
    ("dtype", lambda w, a: w.copy(a[0], a[1].view("i4")), ValueError, r"destination: int32 array .*expected float32"),
    ("overlap", lambda w, a: w.copy(a[:2], a[1:3]), ValueError, r"destination: shares memory with source"),
    ("same", lambda w, a: w.copy(a, a), ValueError, r"destination: shares memory with source"),
    ("synchronize", lambda w, a: w.synchronize(f32(4)), ValueError, r"array: .*in memory of its own"),
    ("synchronize None", lambda w, a: w.synchronize(None), TypeError, r"array: None, expected an ndarray"),
)
def test_bad_blits(device: pymps.Device, use: Callable[..., object], error: type[Exception], text: str) -> None:
    work = command_buffer(device)
    expect(error, text, use, work, device.zeros((4, 8)))
    finish(work)


def locked(array: Any) -> Any:
    array.flags.writeable = False
    return array


# ---- The end ----

ENDS = {
    "committed": "work.commit()",
    "enqueued": "work.enqueue()",
    "dropped": "del work",
    "kept": "",
    "in flight": """
event = device.new_shared_event()
work.encode_wait_for_event(event, 1)
threading.Thread(target=work.commit, daemon=True).start()
while work.status < 2: pass
""",
    "waited for": """
event = device.new_shared_event()
work.encode_wait_for_event(event, 1)
def wait():
    work.commit()
    work.wait_until_completed()
threading.Thread(target=wait, daemon=True).start()
while work.status < 2: pass
""",
    "a flood": """
def flood():
    while True:
        more = queue.command_buffer()
        more.add_completed_handler(lambda w: w.status)
        more.commit()
threading.Thread(target=flood, daemon=True).start()
import time; time.sleep(0.05)
""",
    "a handler is busy": """
import time
def busy(work):
    started.set()
    for _ in range(20): time.sleep(0.005)
started = threading.Event()
more = queue.command_buffer()
more.add_completed_handler(busy)
threading.Thread(target=more.commit, daemon=True).start()
started.wait()
""",
    "finalisers commit": """
class Last:
    def __init__(self, work): self.work = work
    def __del__(self): self.work.commit()
last = Last(work); last.self = last
del work
""",
}


@pytest.mark.parametrize("end", ENDS)
def test_the_interpreter_ends_well(end: str) -> None:
    run_child(f"""
import numpy as np, threading, pymps
device = pymps.Device()
queue = device.new_command_queue()
work = queue.command_buffer()
rng = np.random.default_rng(0)
weights = [rng.standard_normal(shape, np.float32) for shape in [(20, 3), (20, 5)]]
layer = pymps.MatrixInferenceLayer(device, pymps.LSTMDescriptor.from_arrays(*weights))
y = device.zeros((4, 2, 5))
states = layer.encode_sequence(work, device.zeros((4, 2, 3)), y)
work.add_completed_handler(lambda w: w.status)
work.add_scheduled_handler(lambda w: w.status)
{ENDS[end]}
""")
