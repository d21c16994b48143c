"""Benchmarks of pymps; README.md beside this file tells how to run and read them.

Everyone computes on one thread, NumPy with the kernels that OpenBLAS picks for this machine. The libraries read these
variables when they are loaded, so they are set before any of them is imported.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_name] = "1"
for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(_name, None)
