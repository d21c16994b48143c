"""Every test that asks for a device runs on each device of this machine."""

import gc

import pytest
from copies import Copies
from hypothesis import settings

import pymps

settings.register_profile("pymps", deadline=None)  # no test depends on how long something takes
settings.load_profile("pymps")


@pytest.fixture(scope="module", autouse=True)
def _frozen_imports() -> None:
    """Tests that collect garbage needn't search what was imported so far, PyTorch above all."""
    gc.collect()
    gc.freeze()


def pytest_report_header() -> str:
    return "devices: " + ", ".join(device.name for device in pymps.devices())


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "device" in metafunc.fixturenames:
        devices = pymps.devices()
        metafunc.parametrize("device", devices, ids=[device.backend for device in devices], scope="session")


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> Copies:
    return Copies(monkeypatch)
