"""Benchmarks of pymps; README.md beside this file tells how to run and read them.

A process measures one number of threads, $BENCH_THREADS, and everyone in it computes on as many. The libraries read the
variables below when they are loaded, so they are set before any of them is imported.
"""

import os
from functools import cache

THREADS = int(os.environ.get("BENCH_THREADS", "1"))

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_name] = str(THREADS)
os.environ["PYMPS_NUM_THREADS"] = str(THREADS)

# NumPy with the kernels that OpenBLAS picks for this machine.
for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(_name, None)

# Threads that wait for work spin, and soon fall asleep: within a block of calls they are awake, between the blocks of
# two contestants interleave.py waits for their sleep. By default they would spin for up to 26 ms.
os.environ["GOMP_SPINCOUNT"] = "20000"  # PyTorch's OpenMP
os.environ["OPENBLAS_THREAD_TIMEOUT"] = "20"  # 2^20 cycles

# PyTorch's OpenMP gives each thread a CPU of its own; peers/torch.py lets the calling one go.
if THREADS > 1:
    os.environ["OMP_PROC_BIND"] = "close"
    os.environ["OMP_PLACES"] = "threads"

if THREADS == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
os.environ["JAX_PLATFORMS"] = "cpu"


@cache
def cpus() -> list[int]:
    """The CPUs of the process, as of the first call: later some threads are pinned to one of them. Empty: unknown."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def pin() -> None:
    """Keep the process on as many CPUs as it has threads, where the system can do that.

    Comes before the libraries are loaded: some look at the CPUs then.
    """
    if hasattr(os, "sched_setaffinity"):
        available = sorted(os.sched_getaffinity(0))
        if len(available) < THREADS:
            raise RuntimeError(f"BENCH_THREADS={THREADS}: there are {len(available)} CPUs")
        os.sched_setaffinity(0, available[-THREADS:])
    cpus()
