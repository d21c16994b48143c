"""Every test that asks for a device runs on each device of this machine."""

import pytest
from hypothesis import HealthCheck, settings

import pymps

# A device is the same for all examples of a test; how long one takes says nothing about it. Where CI is set, Hypothesis
# draws the same examples each time.
settings.register_profile(
    "pymps", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
settings.load_profile("pymps")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "device" in metafunc.fixturenames:
        devices = pymps.devices()
        metafunc.parametrize("device", devices, ids=[device.backend for device in devices], scope="session")
