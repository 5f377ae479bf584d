"""Honest, reproducible experiments on small tabular data."""

from importlib import import_module
from types import ModuleType

__version__ = "0.2.0"


def __getattr__(name: str) -> ModuleType:
    """`student_perf.api`, which takes seconds to import, when it is asked for."""
    if name == "api":
        return import_module("student_perf.api")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
