"""The fitted model as a skops file, which holds data and no code.

skops restores an object of an unknown type only if the caller vouches for that type. Two kinds are
trusted: the reviewed types in `models.libraries`, and classes below `OWN_PREFIXES` and in modules
that the user trusts, which are installed code that a file can name but not bring.

skops imports much of scikit-learn, so this module imports it inside the functions that need it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from student_perf.errors import StudentPerfError
from student_perf.models.libraries import OWN_PREFIXES, TRUSTED_TYPES, own_prefixes


def save_model(model: Any, path: Path) -> None:
    """Write a fitted model.

    Raises:
        StudentPerfError: The model holds a type that is not trusted.
    """
    import skops.io

    skops.io.dump(model, path)
    unknown = sorted(set(named_types(path)) - set(trusted_types(path)))
    if unknown:
        path.unlink()
        raise StudentPerfError(
            f"{path.name}: the model holds {', '.join(unknown)}, which is not on the reviewed list "
            "of types that load safely; if it is a class of your own, name its module in "
            "conf/trusted.yaml"
        )


def trusted_types(path: Path) -> list[str]:
    """The reviewed types, and the project's own classes that the model file names."""
    return sorted({*TRUSTED_TYPES, *filter(is_own_class, named_types(path))})


def is_own_class(name: str) -> bool:
    """Whether a dotted name is that of a class defined in one of the project's model modules, or in
    a module of the user's own.

    skops looks up any attribute of a module, also imported ones and functions, so the module's name
    alone proves nothing.
    """
    module, _, attribute = name.rpartition(".")
    if not name.startswith((*OWN_PREFIXES, *own_prefixes())):
        return False
    try:
        cls = getattr(import_module(module), attribute, None)
    except ImportError:
        return False
    return isinstance(cls, type) and cls.__module__ == module


def named_types(path: Path) -> list[str]:
    """Types in a model file beyond those that skops itself trusts."""
    import skops.io

    return list(skops.io.get_untrusted_types(file=path))


def load_model(path: Path) -> Any:
    """Read a fitted model that `save_model` wrote; types that are not trusted are refused."""
    import skops.io

    return skops.io.load(path, trusted=trusted_types(path))
