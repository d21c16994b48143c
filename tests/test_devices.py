"""Devices: which there are, how one is chosen, what it says about itself."""

import os

import numpy as np
import pytest
from models import allocated_size, assert_allocated, layer, run_child

import pymps


def test_gpus_come_before_the_cpu() -> None:
    backends = [device.backend for device in pymps.devices()]
    assert backends == sorted(backends, key=["metal", "portable"].index)
    assert backends[-1] == "portable"


def test_default_is_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYMPS_DEVICE", raising=False)
    assert pymps.Device() == pymps.devices()[0] == pymps.Device(None)


@pytest.mark.parametrize("name", ["portable", "portable:0"])
def test_by_name(name: str) -> None:
    assert pymps.Device(name).backend == "portable"


def test_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYMPS_DEVICE", "portable")
    assert pymps.Device().backend == "portable"
    monkeypatch.setenv("PYMPS_DEVICE", "abacus")
    with pytest.raises(pymps.DeviceError, match=r"'abacus', expected one of .*portable:0"):
        pymps.Device()
    assert pymps.Device("portable").backend == "portable", "the argument goes before the environment"
    monkeypatch.setenv("PYMPS_DEVICE", "")
    assert pymps.Device() == pymps.devices()[0]


def on_target(target: str, program: str) -> list[str]:
    """The lines that a program prints in a process where $PYMPS_PORTABLE_TARGET is `target`."""
    setting = f"import os; os.environ['PYMPS_PORTABLE_TARGET'] = {target!r}; import pymps\n"
    return run_child(setting + program).splitlines()


REFUSED = """
for _ in range(2):
    try:
        pymps.Device("portable")
    except pymps.DeviceError as error:
        print(error)
"""
NAME = "print(pymps.Device('portable').name)\n"


def test_target_of_the_portable_device() -> None:
    """The best instruction set by itself, any that the machine has if the environment asks for it, else an error."""
    first, second = on_target("abacus", REFUSED)
    assert first == second
    problem, _, known = first.partition(", expected one of ")
    assert problem.endswith("PYMPS_PORTABLE_TARGET: abacus")
    targets = known.split(", ")
    assert on_target("", NAME) == [f"pymps portable CPU ({targets[0]})"]
    for target in targets:
        assert on_target(target, NAME) == [f"pymps portable CPU ({target})"]


def test_target_is_read_once() -> None:
    program = NAME + "os.environ['PYMPS_PORTABLE_TARGET'] = 'abacus'\n" + NAME
    before, after = on_target("", program)
    assert before == after


@pytest.mark.parametrize("name", ["", "abacus", "portable:", "portable:99", "portable:-1", "portable:x", "Portable"])
def test_unknown_name(name: str) -> None:
    with pytest.raises(pymps.DeviceError, match=r"name: .*expected one of .*portable:0"):
        pymps.Device(name)


@pytest.mark.parametrize("name", [0, b"portable", ["portable"]])
def test_name_of_another_type(name: object) -> None:
    with pytest.raises(TypeError, match=r"name: .*expected a str or None"):
        pymps.Device(name)  # type: ignore[arg-type]


def test_properties(device: pymps.Device) -> None:
    assert device.name
    assert device.backend in ("metal", "portable")
    assert device.registry_id > 0
    assert isinstance(device.has_unified_memory, bool)
    assert isinstance(device.is_low_power, bool)
    assert device.max_buffer_length > 0
    assert device.recommended_max_working_set_size > 0
    assert device.name in repr(device)


def test_properties_are_read_only(device: pymps.Device) -> None:
    with pytest.raises(AttributeError):
        device.name = "mine"  # type: ignore[misc]


def test_equality(device: pymps.Device) -> None:
    same = next(other for other in pymps.devices() if other == device)
    assert same is not device
    assert hash(same) == hash(device)
    assert device != "portable"
    assert len({*pymps.devices(), *pymps.devices()}) == len(pymps.devices())


def test_one_device_opened_twice_is_one(device: pymps.Device) -> None:
    """Arrays of the one reach a layer on the other in place."""
    same = next(other for other in pymps.devices() if other == device)
    x = device.array(np.ones((2, 1, 3), np.float32))
    out = device.empty((2, 1, 5))
    y, _ = layer(same)(x, out=out)
    assert y is out
    assert pymps.Buffer.of(out).device == same


def test_current_allocated_size(device: pymps.Device) -> None:
    before = allocated_size(device)
    array = device.zeros(1 << 20, np.uint8)
    assert device.current_allocated_size >= before + array.nbytes
    del array
    assert_allocated(device, before)


def test_importing_loads_no_native_library() -> None:
    program = "import pymps; print('libpymps' in open('/proc/self/maps').read())"
    if not os.path.exists("/proc/self/maps"):
        pytest.skip("this system does not list what a process has loaded")
    assert run_child(program).strip() == "False"
    assert run_child(program.replace("; print", "; pymps.devices(); print")).strip() == "True"
