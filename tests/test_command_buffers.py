"""Queues and command buffers: from the commit to the end, and the end of the interpreter."""

import gc
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bad_input import HUGE, cases, expect
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


# ---- The end of the interpreter ----

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
