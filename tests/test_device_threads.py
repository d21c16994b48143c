"""The threads of the CPU that a device computes on: how many, that they change no result, and that idle ones rest."""

import os
import threading
import time

import numpy as np
import pytest
from models import Float32, layer, lstm, run_child, sequence

import pymps

Kind = type[pymps.LSTMDescriptor] | type[pymps.GRUDescriptor] | type[pymps.SingleGateDescriptor]

usable_cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

LARGE = """
import os, threading, time
import numpy as np
import pymps
rng = np.random.default_rng(0)
def weights(*shape): return rng.standard_normal(shape, np.float32) / 16
descriptor = pymps.LSTMDescriptor.from_arrays(weights(1024, 256), weights(1024, 256), weights(1024), gate_order="ifgo")
layer = pymps.MatrixInferenceLayer(pymps.Device("portable", threads=2), descriptor)
x = rng.standard_normal((50, 2, 256), np.float32)
"""


def cpu(threads: int | None = None) -> pymps.Device:
    return pymps.Device("portable", threads=threads)


def test_as_many_as_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYMPS_NUM_THREADS", raising=False)
    assert cpu().threads == min(usable_cpus, 8)
    monkeypatch.setenv("PYMPS_NUM_THREADS", "")
    assert cpu().threads == min(usable_cpus, 8)


def test_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYMPS_NUM_THREADS", "3")
    assert cpu().threads == 3
    assert cpu(2).threads == 2, "the argument goes before the environment"
    assert {device.threads for device in pymps.devices() if device.backend == "portable"} == {3}


@pytest.mark.parametrize("count", [1, 2, 3, np.int64(4), 256])
def test_argument_chooses(count: int) -> None:
    assert cpu(count).threads == count


@pytest.mark.parametrize("count", [0, -1, 257, 10**9, 10**30])
def test_no_number_of_threads(count: int) -> None:
    with pytest.raises(ValueError, match=rf"threads: {count}, expected a number of threads from 1 to 256"):
        cpu(count)


@pytest.mark.parametrize("count", ["2", 2.0, [2], b"2"])
def test_threads_of_another_type(count: object) -> None:
    with pytest.raises(TypeError, match=r"threads: \w+ .*2.*, expected an int or None"):
        cpu(count)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["0", "-1", "x", "2.0", "257", "1e9", "1" * 30, "²", "1 000"])
def test_no_number_in_the_environment(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PYMPS_NUM_THREADS", text)
    with pytest.raises(ValueError, match=rf"PYMPS_NUM_THREADS: '{text}', expected a number of threads from 1 to 256"):
        cpu()
    assert cpu(2).threads == 2


def test_threads_are_no_other_device() -> None:
    """Arrays and layers of the one fit the other."""
    one, two = cpu(1), cpu(2)
    assert one == two
    assert hash(one) == hash(two)
    x = one.array(sequence(2, 1))
    out = one.empty((2, 1, 5))
    assert layer(two)(x, out=out)[0] is out


@pytest.mark.parametrize(
    ("kind", "gates"), [(pymps.LSTMDescriptor, 4), (pymps.GRUDescriptor, 3), (pymps.SingleGateDescriptor, 1)]
)
@pytest.mark.parametrize("batch", [1, 70])
def test_threads_change_no_bit(kind: Kind, gates: int, batch: int) -> None:
    rng = np.random.default_rng(3)

    def weights(*shape: int) -> Float32:
        return rng.standard_normal(shape, np.float32) / np.float32(16)

    stack = [
        kind.from_arrays(weights(gates * 200, inputs), weights(gates * 200, 200), weights(gates * 200))
        for inputs in (300, 200)
    ]
    x = sequence(12, batch, 300)
    alone = pymps.MatrixInferenceLayer(cpu(1), stack)
    y, state = alone(x)
    for count in (2, 3):
        run = pymps.MatrixInferenceLayer(cpu(count), stack)
        for same in (run, pymps.MatrixInferenceLayer.from_bytes(cpu(count), run.to_bytes())):
            np.testing.assert_array_equal(same(x)[0], y)
            np.testing.assert_array_equal(same(x)[1].recurrent_output(1), state.recurrent_output(1))


@pytest.mark.parametrize("last", range(28, 40))
def test_threads_change_no_bit_of_batches_that_shrink(last: int) -> None:
    """Wherever the rows of the last step end: also where all that is left to the second thread is one."""
    rng = np.random.default_rng(3)

    def weights(*shape: int) -> Float32:
        return rng.standard_normal(shape, np.float32) / np.float32(8)

    descriptor = pymps.LSTMDescriptor.from_arrays(weights(256, 130), weights(256, 64), weights(256))
    x = rng.standard_normal((21, 67, 130), np.float32)
    steps = [*x[:20], x[20, :last]]
    one, two = (pymps.MatrixInferenceLayer(cpu(count), descriptor)(steps)[0] for count in (1, 2))
    for actual, expected in zip(two, one):
        np.testing.assert_array_equal(actual, expected)


def test_both_directions() -> None:
    forward, backward = lstm(300, 200), lstm(300, 200, seed=1)
    backward.layer_sequence_direction = pymps.RNNSequenceDirection.BACKWARD
    x = sequence(12, 5, 300)
    expected = pymps.MatrixInferenceLayer(cpu(1), [forward, backward]).bidirectional(x)
    actual = pymps.MatrixInferenceLayer(cpu(2), [forward, backward]).bidirectional(x)
    np.testing.assert_array_equal(actual, expected)


def test_streams_in_many_threads_share_a_device() -> None:
    """One of them has the team at a time, the others go on without."""
    run = pymps.MatrixInferenceLayer(cpu(2), lstm(256, 256))
    x = sequence(40, 1, 256)
    expected = pymps.MatrixInferenceLayer(cpu(1), lstm(256, 256))
    results: list[Float32] = []

    def walk(stream: pymps.Stream) -> None:
        ys = []
        for x_t in x:
            stream.x[:] = x_t
            stream.step()
            ys.append(stream.y.copy())
        results.append(np.stack(ys))

    walk(expected.stream())
    threads = [threading.Thread(target=walk, args=(run.stream(),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 7
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_idle_threads_rest() -> None:
    """A generous bound: a thread that never slept would use all of the quiet time."""
    run = pymps.MatrixInferenceLayer(cpu(3), lstm(256, 256))
    run(sequence(20, 2, 256))
    time.sleep(0.05)
    used, start = time.process_time(), time.perf_counter()
    time.sleep(0.5)
    assert time.process_time() - used < 0.5 * (time.perf_counter() - start)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_does_without() -> None:
    program = """
expected = layer(x)[0]
child = os.fork()
if child == 0:
    own = pymps.MatrixInferenceLayer(pymps.Device("portable", threads=2), descriptor)
    same = (layer(x)[0] == expected).all() and (own(x)[0] == expected).all()
    os._exit(0 if same else 1)
print(os.waitpid(child, 0)[1], (layer(x)[0] == expected).all())
"""
    environment = "import os; os.environ['PYMPS_PORTABLE_ASYNC'] = '0'\n"  # a queue's own thread has no copy in a child
    assert run_child(environment + LARGE + program) == "0 True\n"


def test_the_process_ends_in_the_middle_of_a_run() -> None:
    program = """
threading.Thread(target=lambda: [layer(x) for _ in range(10**6)], daemon=True).start()
time.sleep(0.1)
print("done")
"""
    assert run_child(LARGE + program) == "done\n"
