"""Ours beside a peer on the same work, one core each. ``python -m benchmarks`` runs all, ``-m benchmarks.ridge`` one."""

import os

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"  # here, because it must happen before anything imports NumPy
