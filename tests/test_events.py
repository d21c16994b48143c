"""Shared events."""

import threading
from collections.abc import Callable

import numpy as np
from bad_input import cases, expect
from command_buffers import command_buffer, finish

import pymps


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
