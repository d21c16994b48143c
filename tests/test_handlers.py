"""Handlers of command buffers."""

import gc
import sys
import threading
import weakref
from typing import Any

import numpy as np
import pytest
from bad_input import expect
from command_buffers import command_buffer, finish

import pymps
from pymps import CommandBuffer, CommandBufferStatus


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
