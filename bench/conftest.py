"""Pins the run to as many CPUs as it has threads, and adds to the saved machine what a result depends on besides."""

from importlib import metadata
from typing import Any

import pytest

from bench import THREADS, cpus, pin

_PACKAGES = ("pymps", "numpy", "torch", "onnxruntime", "openvino", "jax", "mlx", "ai-edge-litert")


def timing_is_on(config: pytest.Config) -> bool:
    return bool(config.getoption("benchmark_enable") or not config.getoption("benchmark_disable"))


def pytest_configure(config: pytest.Config) -> None:
    if timing_is_on(config):
        try:
            pin()
        except RuntimeError as error:
            raise pytest.UsageError(str(error)) from None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """An untimed run has no need of the large sizes."""
    from bench.race import is_for_timing_alone

    if not timing_is_on(config):
        deselected = [item for item in items if is_for_timing_alone(item)]
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if not is_for_timing_alone(item)]


@pytest.fixture(scope="session")
def latest_race() -> list[Any]:
    """One at most. A case's tests follow each other: a race is run for the first, and let go of after the last."""
    return []


@pytest.fixture
def race(request: pytest.FixtureRequest, latest_race: list[Any]) -> Any:
    from bench.race import Race, parameters

    case = request.param
    if not latest_race or latest_race[0].case != case:
        latest_race.clear()
        selected = [own["contestant"] for own in map(parameters, request.session.items) if own.get("race") == case]
        timed = timing_is_on(request.config)
        latest_race.append(
            Race(case, selected, float(request.config.getoption("benchmark_max_time")) if timed else None)
        )
    return latest_race[0]


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    # Not at the top: an untimed run needs no threadpoolctl. The device loads NumPy, whose BLAS is asked below.
    from threadpoolctl import threadpool_info

    from bench.peers.pymps import device

    # What changes from one run to the next would make every comparison warn of another machine.
    for name in ("hz_actual", "hz_actual_friendly"):
        machine_info["cpu"].pop(name, None)
    machine_info["device"] = {"name": device().name, "backend": device().backend}
    machine_info["threads"] = THREADS
    machine_info["pinned_to_cpus"] = cpus() or None
    machine_info["blas"] = [
        f"{pool['internal_api']} {pool['version']} {pool['architecture']}"
        for pool in threadpool_info()
        if pool["user_api"] == "blas" and "numpy" in pool["filepath"]
    ]
    machine_info["packages"] = {
        package.metadata["Name"]: package.version
        for package in metadata.distributions()
        if package.metadata["Name"] in _PACKAGES
    }
