"""Handlers that run inside of others: a commit out of a handler may run another queue's work right there."""

from typing import Any

import pytest
from command_buffers import finish

import pymps
from pymps import CommandBuffer


def test_no_wait_for_the_queue_of_an_outer_handler(device: pymps.Device) -> None:
    """It ends with ValueError; or, where handlers have threads of their own, with success."""
    outer_queue, inner_queue = device.new_command_queue(), device.new_command_queue()
    outer, behind, inner = (queue.command_buffer() for queue in (outer_queue, outer_queue, inner_queue))
    ends: list[Any] = []

    def wait(work: CommandBuffer) -> None:
        try:
            behind.wait_until_completed()
            ends.append("success")
        except BaseException as error:
            ends.append((type(error), str(error)))

    def commit(work: CommandBuffer) -> None:
        behind.commit()
        inner.commit()

    inner.add_completed_handler(wait)
    outer.add_completed_handler(commit)
    finish(outer)
    inner.wait_until_completed()
    behind.wait_until_completed()
    (end,) = ends
    if end != "success":
        kind, text = end
        assert kind is ValueError
        assert "before this handler of its queue ends" in text


def test_an_outer_handler_is_remembered(device: pymps.Device) -> None:
    """Once the inner handler has returned, a wait is one of the outer handler again."""
    outer_queue, inner_queue = device.new_command_queue(), device.new_command_queue()
    outer, inner = outer_queue.command_buffer(), inner_queue.command_buffer()
    raised: list[type] = []

    def wait(work: CommandBuffer) -> None:
        finish(inner)
        with pytest.raises(ValueError, match="before this handler of its queue ends") as caught:
            work.wait_until_completed()
        raised.append(caught.type)

    inner.add_completed_handler(lambda work: None)
    outer.add_completed_handler(wait)
    finish(outer)
    assert raised == [ValueError]
