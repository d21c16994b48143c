"""Command buffers for tests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pymps
from pymps import CommandBuffer, CommandBufferStatus


def command_buffer(device: pymps.Device) -> CommandBuffer:
    return device.new_command_queue().command_buffer()


def finish(work: CommandBuffer) -> None:
    work.commit()
    work.wait_until_completed()


@contextmanager
def in_flight(work: CommandBuffer) -> Iterator[None]:
    """Inside, the command buffer is committed, and waits for an event before it completes."""
    event = work.queue.device.new_shared_event()
    work.encode_wait_for_event(event, 1)
    thread = threading.Thread(target=work.commit)  # which may run it
    thread.start()
    try:
        while work.status < CommandBufferStatus.COMMITTED:
            pass
        yield
    finally:
        event.signaled_value = 1
        thread.join()
        work.wait_until_completed()
