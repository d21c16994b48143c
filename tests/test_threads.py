"""Threads, the end of the interpreter, garbage in any order, fork."""

import gc
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from models import Float32, assert_close, layer, run_child, sequence

import pymps

SETUP = """
import numpy as np, os, gc, threading, pymps
def layer():
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape, np.float32) for shape in [(20, 3), (20, 5), (20,)]]
    return pymps.MatrixInferenceLayer(pymps.Device(), pymps.LSTMDescriptor.from_arrays(*arrays))
x = np.ones((4, 2, 3), np.float32)
"""


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Runs work(0) ... work(count - 1) at the same time; the first exception is raised."""
    barrier = threading.Barrier(count)

    def start(index: int) -> None:
        barrier.wait()
        work(index)

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(start, range(count)))


# ---- Threads ----


@pytest.mark.parametrize("in_place", [True, False])
def test_one_layer_in_many_threads(device: pymps.Device, in_place: bool) -> None:
    run = layer(device)
    inputs: list[Float32] = [sequence(steps=3 + i, batch=1 + i, seed=i) for i in range(4)]
    expected = [layer(device)(x)[0] for x in inputs]

    def work(index: int) -> None:
        x = device.array(inputs[index]) if in_place else inputs[index]
        out = np.empty_like(expected[index])
        for _ in range(50):
            y, state = run(x)
            np.testing.assert_array_equal(y, expected[index])
            np.testing.assert_array_equal(state.recurrent_output(), expected[index][-1])
            run(x, out=out)
            np.testing.assert_array_equal(out, expected[index])

    in_threads(4, work)


def test_streams_of_one_layer_in_many_threads(device: pymps.Device) -> None:
    run = layer(device)
    inputs: list[Float32] = [sequence(steps=50, batch=1, seed=i) for i in range(4)]
    expected = [run(x)[0] for x in inputs]

    def work(index: int) -> None:
        with run.stream() as stream:
            for _ in range(3):
                stream.reset()
                for x, y in zip(inputs[index], expected[index]):
                    stream.x[:] = x
                    stream.step()
                    assert_close(stream.y, y)

    in_threads(4, work)


def test_layers_and_streams_are_made_while_others_run(device: pymps.Device) -> None:
    run = layer(device)
    expected, _ = run(sequence())

    def work(index: int) -> None:
        for _ in range(25):
            if index % 2:
                np.testing.assert_array_equal(run(sequence())[0], expected)
            else:
                run.stream(2).step()
                run.state(h=[np.ones((2, 5), np.float32)])
                layer(device)(sequence())

    in_threads(4, work)


def test_a_stream_is_for_one_thread_at_a_time(device: pymps.Device) -> None:
    """While one thread is in a step, every other use is refused, and the step is not harmed."""
    run = layer(device, 256, 512)
    x = sequence(steps=1, batch=256, features=256)
    for _ in range(100):  # until all uses fall into one step
        stream = run.stream(batch=256)
        stream.x[:] = x[0]
        stepping = threading.Thread(target=stream.step)
        stepping.start()
        while stepping.is_alive() and not is_refused(getattr, stream, "state"):
            pass
        refused = [
            is_refused(getattr, stream, "state"),
            is_refused(setattr, stream, "state", None),
            is_refused(stream.step),
            is_refused(stream.reset),
            is_refused(stream.close),
        ]
        stepping.join()
        if all(refused):
            break
    assert all(refused)
    assert_close(stream.y, run(x)[0][0])
    stream.close()


def is_refused(use: Callable[..., object], *arguments: object) -> bool:
    try:
        use(*arguments)
    except RuntimeError as error:
        return "in use by another thread" in str(error)
    return False


def test_threads_leave_nothing_behind(device: pymps.Device) -> None:
    """Thousands of short-lived threads, each of which enters the native library, cost no memory."""
    statm = "/proc/self/statm"
    if not os.path.exists(statm):
        pytest.skip("this system does not tell a process's size by a file")

    def resident_bytes() -> int:
        gc.collect()
        with open(statm) as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    run = layer(device)
    streams = [run.stream() for _ in range(4)]
    x = sequence()

    def use(index: int) -> None:
        streams[index].step()
        run(x)

    def use_new_threads(rounds: int) -> None:
        for _ in range(rounds):
            threads = [threading.Thread(target=use, args=(index,)) for index in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

    use_new_threads(200)
    before = resident_bytes()
    use_new_threads(1000)
    assert resident_bytes() - before < 4000 * 500  # a thread that left its pool behind would cost kilobytes


# ---- The end ----

ENDS = {
    "everything is alive": "keep = layer(); y, s = keep(x); stream = keep.stream(); stream.step(); h = s.memory_cell()",
    "views alone are alive": "y, s = layer()(x); v = y[1:]; h = s.memory_cell(); sx = layer().stream().x; del y, s",
    "cycles": """
class Cycle: pass
for _ in range(3):
    c = Cycle(); c.self = c; c.layer = layer(); c.stream = c.layer.stream(); c.y, c.state = c.layer(x); c.x = c.stream.x
    c.buffer = pymps.Buffer.of(c.y)
del c
""",
    "finalisers use the stream": """
class Last:
    def __init__(self): self.stream = layer().stream()
    def __del__(self): self.stream.step(); self.stream.close()
last = Last(); last.self = last
""",
    "atexit": "import atexit; s = layer().stream(); atexit.register(s.step); atexit.register(lambda: layer()(x))",
    "a thread is in a step": """
s = layer().stream()
def forever():
    while True: s.step()
threading.Thread(target=forever, daemon=True).start()
import time; time.sleep(0.05)
""",
    "a thread is in a call": """
run = layer()
def forever():
    while True: run(x)
threading.Thread(target=forever, daemon=True).start()
import time; time.sleep(0.05)
""",
    "wrapped memory": """
import mmap
page = np.frombuffer(mmap.mmap(-1, mmap.PAGESIZE), np.float32)
w = pymps.Device().wrap(page)[:24].reshape(4, 2, 3)
y, s = layer()(w)
""",
    "sys.exit in a step loop": "import sys; s = layer().stream(); s.step(); sys.exit(0)",
}


@pytest.mark.parametrize("end", ENDS)
def test_the_interpreter_ends_well(end: str) -> None:
    assert run_child(SETUP + ENDS[end] + "\nprint('done')\n" * ("sys.exit" not in end)) in ("done\n", "")


@pytest.mark.parametrize("seed", range(6))
def test_garbage_in_any_order(device: pymps.Device, seed: int) -> None:
    rng = np.random.default_rng(seed)
    run = layer(device)
    stream = run.stream(2)
    stream.step()
    y, states = run(sequence(), store_all_intermediate_states=True)
    objects: list[object] = [run, stream, y, y[1:], stream.x, stream.y[:, 1:], *states, stream.state]
    objects += [states[0].memory_cell(), states[1].recurrent_output()[1:], pymps.Buffer.of(y), memoryview(y.base)]
    del run, stream, y, states
    while objects:
        del objects[rng.integers(len(objects))]
        gc.collect()
        for survivor in objects:
            if isinstance(survivor, np.ndarray):
                assert np.isfinite(survivor).all()


# ---- fork ----


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fresh_device_works_after_fork() -> None:
    """What a child inherits is not for its use; what it opens is."""
    program = """
run = layer(); expected = run(x)[0].copy(); run.stream().step()
child = os.fork()
if child == 0:
    code = 1
    try:
        y, state = layer()(x)
        stream = layer().stream(2)
        stream.x[:] = 1
        stream.step()
        code = 0 if np.allclose(y, expected, 1e-5, 2e-6) and np.allclose(stream.y, expected[0], 1e-5, 2e-6) else 2
    finally:
        os._exit(code)
assert os.waitpid(child, 0)[1] == 0
assert np.allclose(run(x)[0], expected, 1e-5, 2e-6)
"""
    run_child(SETUP + program)
