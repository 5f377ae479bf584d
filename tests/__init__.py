"""Tests run in parallel processes, in which threads of OpenMP and BLAS only wait for each other."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
