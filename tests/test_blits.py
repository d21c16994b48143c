"""Copies and fills on a command buffer."""

import gc
import mmap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from bad_input import cases, expect, f32
from command_buffers import command_buffer, finish

import pymps


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
