"""Arrays are buffers: who shares memory with whom, what is copied, and what outlives what."""

import gc
import mmap
import weakref

import numpy as np
import pytest
from copies import Copies
from models import Float32, allocated_size, assert_allocated, layer, sequence

import pymps

PAGE = mmap.PAGESIZE


# ---- Arrays over buffers ----


@pytest.mark.parametrize("dtype", ["f4", "f2", "u1", "c16", ">f8", "M8[s]", "i4,f8", "S3", "?"])
@pytest.mark.parametrize("shape", [(), 7, (3,), (2, 3), (4, 1, 5)])
def test_empty_is_the_contents_of_a_buffer(device: pymps.Device, shape: tuple[int, ...], dtype: str) -> None:
    array = device.empty(shape, dtype)
    buffer = array.base
    assert isinstance(buffer, pymps.Buffer)
    assert array.shape == (shape if isinstance(shape, tuple) else (shape,))
    assert array.dtype == np.dtype(dtype)
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert array.nbytes == buffer.length
    assert np.shares_memory(array.reshape(-1).view(np.uint8), np.asarray(buffer.contents))


def test_zeros_and_empty_are_zeros(device: pymps.Device) -> None:
    for make in (device.zeros, device.empty):
        dirty = make(1000)
        dirty[:] = 7
        del dirty
        assert not make(1000).any()


def test_float32_is_the_default(device: pymps.Device) -> None:
    assert device.empty(3).dtype == device.zeros(3).dtype == np.float32


def test_array_copies(device: pymps.Device) -> None:
    source = np.arange(12, dtype=np.int16).reshape(3, 4).T
    array = device.array(source)
    np.testing.assert_array_equal(array, source)
    assert array.dtype == np.int16
    assert not np.shares_memory(array, source)
    assert device.array([[1, 2]], np.float32).tolist() == [[1.0, 2.0]]
    assert device.array(3.5).shape == ()


def test_writes_go_both_ways(device: pymps.Device) -> None:
    array = device.zeros(4, np.uint8)
    contents = pymps.Buffer.of(array).contents
    array[1] = 5
    contents[2] = 6
    assert contents[1] == 5
    assert array[2] == 6
    assert not contents.readonly


def test_buffer_of_a_view(device: pymps.Device) -> None:
    array = device.empty((4, 6))
    views = [array[1:], array.T, array[::2, 1], array.view(np.uint8), array.reshape(-1), array[2:3, 2:3]]
    views += [np.frombuffer(pymps.Buffer.of(array).contents, np.float32), np.asarray(memoryview(array.base))]
    for view in views:
        assert pymps.Buffer.of(view) is array.base


def test_buffer_properties(device: pymps.Device) -> None:
    buffer = pymps.Buffer.of(device.empty(5, np.uint8))
    assert buffer.length == len(buffer.contents) == 5
    assert buffer.device == device
    assert buffer.storage_mode is pymps.StorageMode.SHARED


def test_no_buffer_under_an_ordinary_array(device: pymps.Device) -> None:
    for array in (np.zeros(3), device.empty(3).copy(), np.frombuffer(b"abc", np.uint8)):
        with pytest.raises(ValueError, match=r"array: .*expected one in a device's buffer"):
            pymps.Buffer.of(array)


# ---- Memory of others ----


def test_wrap_shares_memory(device: pymps.Device) -> None:
    source = np.frombuffer(mmap.mmap(-1, 2 * PAGE), np.float32).reshape(2, -1)
    array = device.wrap(source)
    assert array.shape == source.shape
    assert array.dtype == source.dtype
    assert np.shares_memory(array, source)
    source[1, 2] = 3
    assert array[1, 2] == 3
    assert pymps.Buffer.of(array).length == 2 * PAGE


def test_wrapped_memory_outlives_its_variable(device: pymps.Device) -> None:
    memory = mmap.mmap(-1, PAGE)
    array = device.wrap(np.frombuffer(memory, np.uint8))
    view = array[5:10]
    memory[7] = 42
    del array
    gc.collect()
    with pytest.raises(BufferError):
        memory.close()
    assert view[2] == 42


def test_wrap_lets_go_of_its_source(device: pymps.Device) -> None:
    class Pages(mmap.mmap):
        pass

    memory = Pages(-1, PAGE)
    gone = weakref.ref(memory)
    array = device.wrap(np.frombuffer(memory, np.uint8))
    del memory
    gc.collect()
    assert gone() is not None
    del array
    gc.collect()
    assert gone() is None


def test_wrapped_memory_reaches_the_layer_in_place(device: pymps.Device, copies: Copies) -> None:
    pages = np.frombuffer(mmap.mmap(-1, 2 * PAGE), np.float32)
    x = device.wrap(pages)[: 4 * 2 * 3].reshape(4, 2, 3)
    x[:] = sequence()
    run = layer(device)
    y, _ = run(x)
    assert copies.count == 0
    np.testing.assert_array_equal(y, run(sequence())[0])


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda pages: pages[1 : PAGE + 1], id="begins within a page"),
        pytest.param(lambda pages: pages[:-1], id="ends within a page"),
        pytest.param(lambda pages: pages[::2], id="not contiguous"),
        pytest.param(lambda pages: pages[:0], id="empty"),
        pytest.param(lambda pages: pages.reshape(2, PAGE).T, id="Fortran order"),
        pytest.param(lambda pages: np.frombuffer(bytes(pages), np.uint8), id="read-only"),
    ],
)
def test_wrap_refuses(device: pymps.Device, make: object) -> None:
    pages = np.frombuffer(mmap.mmap(-1, 2 * PAGE), np.uint8)
    with pytest.raises(ValueError, match=r"^array: "):
        device.wrap(make(pages))  # type: ignore[operator]


# ---- Sequences in place ----


def strided(device: pymps.Device, x: Float32) -> list[Float32]:
    """x in buffers of the device, in all the layouts that a matrix can describe."""
    steps, batch, features = x.shape
    layouts: list[Float32] = [
        device.empty(x.shape),
        device.empty((steps, batch, features + 3))[:, :, 1 : features + 1],
        device.empty((2 * steps, 3 * batch, features))[1::2, ::3],
        device.empty((batch, steps, features)).transpose(1, 0, 2),
        device.empty((steps, batch, features))[::-1],
        device.empty((steps + 1, batch + 2, features))[1:, 1:-1],
    ]
    for layout in layouts:
        layout[:] = x
    return layouts


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_layouts_are_read_in_place(device: pymps.Device, dtype: type, copies: Copies) -> None:
    x = sequence().astype(dtype)
    run = layer(device)
    expected, _ = run(x)
    assert copies.count == 1
    for array in strided(device, x) if dtype is np.float32 else [device.array(x), device.array(x)[::-1][::-1]]:
        y, _ = run(array)
        np.testing.assert_array_equal(y, expected)
    assert copies.count == 1


def test_layouts_are_written_in_place(device: pymps.Device, copies: Copies) -> None:
    x = device.array(sequence())
    run = layer(device)
    expected, _ = run(x)
    for out in strided(device, np.zeros_like(expected)):
        y, _ = run(x, out=out)
        assert y is out
        np.testing.assert_array_equal(out, expected)
    assert copies.count == 0


def test_x_and_out_may_interleave(device: pymps.Device, copies: Copies) -> None:
    both = device.zeros((4, 2, 3 + 5))
    both[..., :3] = sequence()
    run = layer(device)
    y, _ = run(both[..., :3], out=both[..., 3:])
    assert copies.count == 0
    np.testing.assert_array_equal(both[..., :3], sequence())
    np.testing.assert_array_equal(y, run(sequence())[0])


def test_neighbours_of_out_stay_as_they_are(device: pymps.Device) -> None:
    frame = device.zeros((6, 4, 9))
    frame[:] = -1
    out = frame[1:5, 1:3, 2:7]
    layer(device)(device.array(sequence()), out=out)
    outside = np.ones(frame.shape, bool)
    outside[1:5, 1:3, 2:7] = False
    assert (frame[outside] == -1).all()
    assert (out != -1).all()


def test_lists_are_used_in_place(device: pymps.Device, copies: Copies) -> None:
    whole = device.array(sequence(steps=1, batch=6)[0])
    x = [whole[:3], whole[3:5], whole[5:]]
    run = layer(device)
    out = [device.empty((len(step), 5)) for step in x]
    y, _ = run(x, out=out)
    assert y is out
    assert copies.count == 0
    in_one, _ = run(x)
    for a, b in zip(in_one, out):
        np.testing.assert_array_equal(a, b)
        assert pymps.Buffer.of(a) is pymps.Buffer.of(in_one[0])


def test_results_are_in_buffers(device: pymps.Device) -> None:
    y, _ = layer(device)(sequence())
    assert y.base.device == device
    assert y.flags.c_contiguous


def test_arrays_that_no_matrix_describes_are_copied_once(device: pymps.Device, copies: Copies) -> None:
    x = sequence()
    run = layer(device)
    expected, _ = run(x)
    unaligned = device.empty(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
    unaligned[:] = x
    flipped = device.empty(x.shape)[:, ::-1]
    flipped[:] = x
    for array in (x, unaligned, flipped):
        copies.count = 0
        run(array)
        assert copies.count == 1
    np.testing.assert_array_equal(run(unaligned)[0], expected)
    np.testing.assert_array_equal(run(flipped)[0], expected)
    repeated = np.broadcast_to(x[:1], x.shape)
    np.testing.assert_array_equal(run(repeated)[0], run(repeated.copy())[0])


def test_a_repeated_step_is_read_in_place(device: pymps.Device, copies: Copies) -> None:
    one = device.array(sequence(steps=1))
    run = layer(device)
    y, _ = run(np.broadcast_to(one, (4, 2, 3)))
    assert copies.count == 0
    np.testing.assert_array_equal(y, run([one[0]] * 4)[0])


def test_out_outside_is_copied_once(device: pymps.Device, copies: Copies) -> None:
    x = device.array(sequence())
    run = layer(device)
    expected, _ = run(x)
    outs = [np.empty((4, 2, 5), np.float32), np.empty((4, 2, 10), np.float32)[:, ::-1, 2:7]]
    for out in outs:
        copies.count = 0
        y, _ = run(x, out=out)
        assert y is out
        assert copies.count == 1
        np.testing.assert_array_equal(out, expected)


def test_staging_memory_is_reused(device: pymps.Device) -> None:
    run = layer(device)
    x = sequence(steps=200, batch=100)
    out = np.empty((200, 100, 5), np.float32)
    run(x, out=out)
    size = allocated_size(device)
    for _ in range(20):
        run(x, out=out)
        run(x[:7], out=out[:7])
    assert_allocated(device, size)


def test_read_only_x_is_fine(device: pymps.Device) -> None:
    x = sequence()
    x.flags.writeable = False
    in_place = device.array(x)
    in_place.flags.writeable = False
    run = layer(device)
    np.testing.assert_array_equal(run(x)[0], run(in_place)[0])


def test_memmap(device: pymps.Device, tmp_path: object) -> None:
    x = np.memmap(f"{tmp_path}/x", np.float32, "w+", shape=(4, 2, 3))
    x[:] = sequence()
    run = layer(device)
    np.testing.assert_array_equal(run(x)[0], run(sequence())[0])


# ---- Who outlives whom ----


def test_views_outlive_everything(device: pymps.Device) -> None:
    run = layer(device)
    stream = run.stream(batch=2)
    stream.x[:] = 1
    stream.step()
    y, state = run(sequence())
    views = [y[1:], state.recurrent_output()[:1], state.memory_cell(), stream.x[:, 1:], stream.y, device.zeros(5)[2:]]
    kept = [view.copy() for view in views]
    stream.close()
    del run, stream, y, state
    gc.collect()
    _ = [device.zeros(100) for _ in range(100)]
    for view, expected in zip(views, kept):
        np.testing.assert_array_equal(view, expected)


def test_nothing_is_left(device: pymps.Device) -> None:
    def use() -> None:
        run = layer(device)
        y, states = run(sequence(), store_all_intermediate_states=True)
        stream = run.stream(3)
        stream.step()
        stream.state = run.state(h=[np.ones((3, 5), np.float32)])
        _ = stream.x, y, states[0].memory_cell(), stream.state

    use()
    size = allocated_size(device)
    for _ in range(50):
        use()
    assert_allocated(device, size)


def test_states_are_read_only(device: pymps.Device) -> None:
    _, state = layer(device)(sequence())
    for array in (state.recurrent_output(), state.memory_cell()):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


def test_state_is_a_view_where_the_cpu_sees_it(device: pymps.Device) -> None:
    _, state = layer(device)(sequence())
    first, second = state.recurrent_output(), state.recurrent_output()
    np.testing.assert_array_equal(first, second)
    if isinstance(first.base, pymps.Buffer):
        assert np.shares_memory(first, second)
        assert pymps.Buffer.of(first).contents.readonly
        with pytest.raises(ValueError, match="WRITEABLE"):
            first.flags.writeable = True
    else:
        assert not np.shares_memory(first, second)


def test_a_state_does_not_change(device: pymps.Device) -> None:
    run = layer(device)
    stream = run.stream(2)
    stream.x[:] = 1
    stream.step()
    state = stream.state
    assert state is not None
    before = state.recurrent_output().copy(), state.memory_cell().copy()
    for _ in range(5):
        stream.step()
    run(sequence(), state)
    np.testing.assert_array_equal(state.recurrent_output(), before[0])
    np.testing.assert_array_equal(state.memory_cell(), before[1])
