"""What a model may change in its process and others would feel."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def kept_state(seed: int) -> Iterator[None]:
    """Within, the global random numbers follow from `seed`, whatever was drawn before; afterwards
    they, the current folder and the environment are what they were.
    """
    folder, environment = os.getcwd(), dict(os.environ)  # noqa: PTH109 (a string, for chdir)
    drawn, drawn_by_numpy = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        random.setstate(drawn)
        np.random.set_state(drawn_by_numpy)
        os.chdir(folder)
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
