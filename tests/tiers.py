"""Which cases of a test are for every commit, and which wait for the slow tier."""

from collections.abc import Iterable
from typing import Any

import pytest


def few_fast(cases: Iterable[Any], fast: int = 5) -> list[Any]:
    """The cases of a test, of which this many, evenly spread, are fast; the others are slow.

    For long lists of which each case takes a good part of a second: the few show for every commit
    that the mechanism works, the slow tier that it does so for all.

    Args:
        cases: Values, tuples or `pytest.param`s.
        fast: How many stay in the fast tier, at least 1.
    """
    every = [_param(case) for case in cases]
    kept = {round(i * (len(every) - 1) / max(fast - 1, 1)) for i in range(fast)}
    return [p if i in kept else _slow(p) for i, p in enumerate(every)]


def _param(case: Any) -> Any:
    if isinstance(case, type(pytest.param())):
        return case
    return pytest.param(*case) if isinstance(case, tuple) else pytest.param(case)


def _slow(param: Any) -> Any:
    return pytest.param(*param.values, marks=(*param.marks, pytest.mark.slow), id=param.id)
