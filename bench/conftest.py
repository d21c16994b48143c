"""Pins the run to one CPU, and adds to the saved machine what a result depends on besides."""

import os
from importlib import metadata
from typing import Any

import pytest


def timing_is_on(config: pytest.Config) -> bool:
    return bool(config.getoption("benchmark_enable") or not config.getoption("benchmark_disable"))


def pytest_configure(config: pytest.Config) -> None:
    if timing_is_on(config) and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    # Not at the top: an untimed run needs no threadpoolctl. The device loads NumPy, whose BLAS is asked below.
    from threadpoolctl import threadpool_info

    from bench.peers.pymps import device

    # What changes from one run to the next would make every comparison warn of another machine.
    for name in ("hz_actual", "hz_actual_friendly"):
        machine_info["cpu"].pop(name, None)
    machine_info["device"] = {"name": device().name, "backend": device().backend}
    machine_info["pinned_to_cpu"] = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    machine_info["blas"] = [
        f"{pool['internal_api']} {pool['version']} {pool['architecture']}, {pool['num_threads']} thread"
        for pool in threadpool_info()
        if pool["user_api"] == "blas" and "numpy" in pool["filepath"]
    ]
    machine_info["packages"] = {
        package.metadata["Name"]: package.version
        for package in metadata.distributions()
        if package.metadata["Name"] in ("pymps", "numpy", "torch", "onnxruntime")
    }
