"""Benchmarks of pymps; README.md beside this file tells how to run and read them.

A process measures one number of threads, $BENCH_THREADS, and everyone in it computes on as many. The libraries read the
variables below when they are loaded, so they are set before any of them is imported.
"""

import os

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

if THREADS == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
os.environ["JAX_PLATFORMS"] = "cpu"
