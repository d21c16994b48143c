"""Layers as bytes: what comes back knows what it is; what was damaged, forged or never a layer is refused."""

import array
import copy
import gc
import mmap
import pickle
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archives import payload_offset, unarchived, with_checksum, with_payload
from bad_input import cases, expect
from hypothesis import example, given
from hypothesis import strategies as st
from models import allocated_size, assert_allocated, layer, lstm, run_child, sequence
from test_bidirectional import backward

import pymps
from pymps import MatrixInferenceLayer, RNNBidirectionalCombineMode

from_bytes = MatrixInferenceLayer.from_bytes


def two_ways(device: pymps.Device) -> MatrixInferenceLayer:
    """Forward 3 -> 5 -> 2, backward 3 -> 4: for bidirectional runs alone."""
    return MatrixInferenceLayer(device, [lstm(3, 5), backward(lstm(3, 4)), lstm(5, 2)])


# ---- What comes back ----


def test_properties(device: pymps.Device) -> None:
    run = MatrixInferenceLayer(device, [lstm(3, 5), lstm(5, 2)])
    back = from_bytes(device, run.to_bytes())
    assert back.device is device
    assert (back.input_feature_channels, back.output_feature_channels, back.number_of_layers) == (3, 2, 2)
    assert repr(back) == repr(run)
    state = back.state(h=[np.ones((4, 5), np.float32), None])
    assert state.recurrent_output(0).shape == (4, 5)
    assert state.memory_cell(1).shape == (4, 2)
    expect(TypeError, r"h\[1\]: .*\(4, 5\), expected .*\(4, 2\)", back.state, [None, np.ones((4, 5))])
    expect(ValueError, r"state: of another layer", back, sequence(batch=4), run.state(h=state_values(state)))
    expect(ValueError, r"stack can't run bidirectionally", back.bidirectional, sequence())


def state_values(state: pymps.RecurrentState) -> list[Any]:
    return [state.recurrent_output(index) for index in range(state.number_of_layers)]


def test_properties_of_both_directions(device: pymps.Device) -> None:
    run = two_ways(device)
    run.bidirectional_combine_mode = RNNBidirectionalCombineMode.CONCATENATE
    back = unarchived(run)
    assert repr(back) == repr(run)
    assert back.bidirectional_combine_mode == RNNBidirectionalCombineMode.NONE
    assert [part.shape for part in back.bidirectional(sequence())] == [(4, 2, 2), (4, 2, 4)]
    for use in (lambda: back(sequence()), back.stream, lambda: back.state(h=[None] * 3)):
        expect(ValueError, r"the stack is for bidirectional runs alone", use)


def test_it_stands_alone(device: pymps.Device) -> None:
    """Neither the layer nor the bytes are needed any more; and both go with the last one who has them."""
    before = allocated_size(device)
    run = layer(device)
    expected = run(sequence())[0]
    data = bytearray(run.to_bytes())
    del run
    back = from_bytes(device, data)
    data[:] = bytes(len(data))
    data.clear()
    gc.collect()
    y = back(sequence())[0]
    np.testing.assert_array_equal(y, expected)
    del back, y, expected
    assert_allocated(device, at_most=before)


def test_another_process(device: pymps.Device, tmp_path: Path) -> None:
    run = layer(device)
    (tmp_path / "layer").write_bytes(run.to_bytes())
    printed = run_child(f"""
import sys
sys.path[:0] = {[str(Path(__file__).parent)]}
import pymps
from models import sequence
data = open({str(tmp_path / "layer")!r}, "rb").read()
print(pymps.MatrixInferenceLayer.from_bytes(pymps.Device({device.backend!r}), data)(sequence())[0].tobytes().hex())
""")
    assert printed.strip() == run(sequence())[0].tobytes().hex()


def test_threads(device: pymps.Device) -> None:
    """A layer may be archived while others run it."""
    run = layer(device, 30, 40)
    x = sequence(features=30)
    expected, _ = run(x)
    results: list[Any] = []

    def archive() -> None:
        for _ in range(5):
            results.append(from_bytes(device, run.to_bytes())(x)[0])
            results.append(run(x)[0])

    threads = [threading.Thread(target=archive) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 40
    for y in results:
        np.testing.assert_array_equal(y, expected)


def test_no_copies_and_pickles(device: pymps.Device) -> None:
    """They would have to say on which device."""
    run = layer(device)
    for use in (copy.copy, copy.deepcopy, pickle.dumps):
        expect(TypeError, r"a MatrixInferenceLayer belongs to a device: it has to_bytes and from_bytes", use, run)


# ---- What bytes may be ----


@pytest.mark.parametrize(
    "form",
    [
        bytes,
        bytearray,
        memoryview,
        lambda data: memoryview(b"x" + data)[1:],
        lambda data: np.frombuffer(data, np.uint8),
        lambda data: array.array("b", data),
    ],
    ids=["bytes", "bytearray", "memoryview", "part", "ndarray", "array"],
)
def test_bytes_like(device: pymps.Device, form: Callable[[bytes], Any]) -> None:
    run = layer(device)
    np.testing.assert_array_equal(from_bytes(device, form(run.to_bytes()))(sequence())[0], run(sequence())[0])


def test_mapped_file(device: pymps.Device, tmp_path: Path) -> None:
    run = layer(device)
    (tmp_path / "layer").write_bytes(run.to_bytes())
    with (tmp_path / "layer").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        back = from_bytes(device, data)
    np.testing.assert_array_equal(back(sequence())[0], run(sequence())[0])


@cases(
    ("None", lambda d: from_bytes(d, None), TypeError, r"data: None, expected bytes or the like"),
    ("str", lambda d: from_bytes(d, "pympslyr"), TypeError, r"data: str 'pympslyr', expected bytes or the like"),
    ("int", lambda d: from_bytes(d, 48), TypeError, r"data: int 48, expected bytes or the like"),
    ("list", lambda d: from_bytes(d, [1, 2]), TypeError, r"data: list of length 2, expected bytes or the like"),
    ("path", lambda d: from_bytes(d, Path()), TypeError, r"data: PosixPath, expected bytes or the like"),
    ("layer", lambda d: from_bytes(d, layer(d)), TypeError, r"data: MatrixInferenceLayer, expected bytes or the like"),
    ("gaps", lambda d: from_bytes(d, memoryview(bytes(96))[::2]), TypeError, r"data: memoryview .*, contiguous"),
    ("no device", lambda d: from_bytes(None, b""), TypeError, r"'device' has incorrect type"),
    ("name of one", lambda d: from_bytes(d.backend, b""), TypeError, r"'device' has incorrect type"),
    ("order", lambda d: from_bytes(layer(d).to_bytes(), d), TypeError, r"'device' has incorrect type"),
    ("empty", lambda d: from_bytes(d, b""), ValueError, r"data: 0 bytes, expected at least 48, the head of an archive"),
    ("short", lambda d: from_bytes(d, b"pympslyr"), ValueError, r"data: 8 bytes, expected at least 48"),
    ("zeros", lambda d: from_bytes(d, bytes(999)), ValueError, r"data: not the archive of a layer"),
    ("pickle", lambda d: from_bytes(d, pickle.dumps(lstm())), ValueError, r"data: not the archive of a layer"),
)
def test_what_is_no_layer(device: pymps.Device, use: Any, error: type[Exception], text: str) -> None:
    expect(error, text, use, device)


# ---- Damage ----


def refuse(device: pymps.Device, data: bytes, text: str) -> None:
    expect(ValueError, rf"^\[layer_unarchive\] {text}", from_bytes, device, data)


@pytest.fixture(scope="module")
def good(device: pymps.Device) -> bytes:
    return MatrixInferenceLayer(device, [lstm(3, 5), lstm(5, 2)]).to_bytes()


def test_parts(device: pymps.Device, good: bytes) -> None:
    for length in [*range(130), len(good) // 2, len(good) - 1]:
        refuse(device, good[:length], r"data: ")
    refuse(device, good + b"\0", rf"data: {len(good) + 1} bytes, not the length of the archive, which is damaged")
    refuse(device, good + good, r"data: \d+ bytes, not the length")


@pytest.mark.parametrize("version", [0, 2, 2**32 - 1])
def test_another_version(device: pymps.Device, good: bytes, version: int) -> None:
    data = with_checksum(good[:8] + struct.pack("<I", version) + good[12:])
    refuse(device, data, rf"data: archive version {version}, expected 1")


@pytest.mark.parametrize("backend", ["metal", "portable", "", "a backend of 16"])
def test_another_backend(device: pymps.Device, good: bytes, backend: str) -> None:
    if backend == device.backend:
        pytest.skip("the same")
    data = with_checksum(good[:16] + backend.encode().ljust(16, b"\0") + good[32:])
    refuse(device, data, rf"data: archived by backend {backend}, expected {device.backend}")


def test_shapes_that_are_not_the_layers(device: pymps.Device, good: bytes) -> None:
    """Behind a checksum that fits. The two layers are 3 -> 5 and 5 -> 2."""

    def reshaped(*layers: tuple[int, int, int]) -> bytes:
        shapes = b"".join(struct.pack("<3Q", *numbers) for numbers in layers)
        return with_checksum(good[:12] + struct.pack("<I", len(layers)) + good[16:48] + shapes + good[48 + 2 * 24 :])

    another = r"data: damaged, the layer has another shape than its head says"
    from_bytes(device, reshaped((3, 5, 0), (5, 2, 0)))
    refuse(device, reshaped((3, 6, 0), (6, 2, 0)), another)
    refuse(device, reshaped((3, 2**40, 0), (2**40, 2, 0)), another)
    refuse(device, reshaped((4, 5, 0), (5, 2, 0)), another)
    refuse(device, reshaped((3, 5, 0), (5, 3, 0)), another)
    refuse(device, reshaped((3, 2, 0)), another)
    refuse(device, reshaped((3, 5, 0), (5, 5, 0), (5, 2, 0)), another)
    refuse(device, reshaped((3, 0, 0), (0, 2, 0)), r"data: damaged, layer 0 has no possible shape")
    refuse(device, reshaped((3, 5, 0), (5, 2, 2)), r"data: damaged, layer 1 has no possible shape")
    refuse(device, reshaped((3, 5, 0), (4, 2, 0)), r"data\.descriptors\[1\]\.input_feature_channels: 4, expected 5")
    refuse(device, reshaped(), r"data: \d+ bytes, not the length")


@st.composite
def damage(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """One change of some bytes: other values, a cut, an insertion, a repetition."""
    where, length = draw(st.floats(0, 1, exclude_max=True)), draw(st.integers(1, 16))
    kind, filling = draw(st.sampled_from(["set", "flip", "cut", "insert", "repeat"])), draw(st.binary(min_size=1))

    def change(data: bytes) -> bytes:
        place = int(where * len(data))
        old = data[place : place + length]
        new = {
            "set": filling[: len(old)],
            "flip": bytes([old[0] ^ filling[0]]) + old[1:],
            "cut": b"",
            "insert": filling + old,
            "repeat": old + old,
        }[kind]
        return data[:place] + new + data[place + length :]

    return change


@given(change=damage())
def test_random_damage(device: pymps.Device, good: bytes, change: Callable[[bytes], bytes]) -> None:
    data = change(good)
    if data != good:
        refuse(device, data, r"data: ")


@given(data=st.binary(max_size=300))
@example(data=b"pympslyr" + bytes(100))
def test_random_bytes(device: pymps.Device, data: bytes) -> None:
    refuse(device, data, r"data: ")


@given(changes=st.lists(damage(), min_size=1, max_size=3))
def test_a_damaged_payload_behind_a_forged_checksum(
    device: pymps.Device, good: bytes, changes: list[Callable[[bytes], bytes]]
) -> None:
    """An error, or the very layer: what was changed did not matter then."""
    payload = good[payload_offset(good) :]
    for change in changes:
        payload = change(payload)
    data = with_payload(good, payload)
    try:
        back = from_bytes(device, data)
    except ValueError:
        refuse(device, data, r"data: damaged")
        return
    np.testing.assert_array_equal(back(sequence())[0], from_bytes(device, good)(sequence())[0])
