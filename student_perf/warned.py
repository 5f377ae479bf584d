"""A library's warning stays a warning where it must not decide what happens.

>>> import warnings
>>> with warnings.catch_warnings(record=True) as said:
...     warnings.simplefilter("error")  # as by `python -W error`
...     with warnings_kept():
...         warnings.warn("old")
>>> str(said[0].message)
'old'
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def warnings_kept() -> Iterator[None]:
    """Within, no warning becomes an error, whatever `-W` and PYTHONWARNINGS say. MLflow and what it
    stands on warn of each other's future, and a run has to be sent all the same.
    """
    with warnings.catch_warnings():
        if any(action == "error" for action, *_ in warnings.filters):
            warnings.simplefilter("default")
        yield
