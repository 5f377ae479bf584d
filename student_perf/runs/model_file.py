"""The fitted model as a skops file, which holds data and no code.

Whoever loads such a file restores what a reviewed list allows, and nothing else: `model_audit`
reads the whole file before skops makes any object, and `models.native_arrays` looks at the figures
that native code follows. Classes below `OWN_PREFIXES` and in modules that the user trusts are code
that is installed: a file can name it but not bring it.

skops imports much of scikit-learn, so this module imports it inside the functions that need it.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from student_perf.errors import StudentPerfError, one_line
from student_perf.models.boosters import try_out
from student_perf.models.libraries import packages_of
from student_perf.runs.model_audit import ModelContents, audit_model
from student_perf.runs.versions import changes, trained_elsewhere


def save_model(model: Any, path: Path) -> None:
    """Write a fitted model.

    Raises:
        StudentPerfError: The model holds a type that is not trusted.
    """
    import skops.io

    skops.io.dump(model, path)
    try:
        refused = _audited(path, path.read_bytes()).refused
        if refused:
            raise StudentPerfError(_not_trusted(path, refused))
    except StudentPerfError:
        path.unlink()
        raise


def trusted_types(path: Path) -> list[str]:
    """The reviewed types that the model file names, beyond those that skops itself trusts."""
    return sorted(_audited(path, path.read_bytes()).names)


def load_model(path: Path, made_with: Mapping[str, str] | None = None) -> Any:
    """Read a fitted model that `save_model` wrote.

    Args:
        path: The file.
        made_with: Versions of the packages that the model was trained with, for the message if it
            cannot be loaded with those that are installed.

    Raises:
        StudentPerfError: The file is broken, names what is not trusted, or needs other packages.
    """
    from sklearn.exceptions import InconsistentVersionWarning

    content = path.read_bytes()
    found = _audited(path, content)
    try:
        if found.refused:
            raise StudentPerfError(_not_trusted(path, found.refused))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InconsistentVersionWarning)  # said in one line instead
            return _restored(path, content, found)
    except StudentPerfError as error:
        if versions := _other_versions(found, made_with or {}):
            raise StudentPerfError(f"{path}: {versions}") from error
        raise


def _audited(path: Path, content: bytes) -> ModelContents:
    try:
        return audit_model(content)
    except StudentPerfError:
        raise
    except Exception as error:  # whatever zipfile, zlib, json and numpy raise for broken files
        raise StudentPerfError(_broken(path, error)) from error


def _restored(path: Path, content: bytes, found: ModelContents) -> Any:
    import skops.io

    from student_perf.models.native_arrays import check_native_arrays

    try:
        for booster in found.untried:
            try_out(booster)
        model = skops.io.loads(content, trusted=sorted(found.names))
        check_native_arrays(model)
    except Exception as error:  # whatever the classes raise for a state that is none of theirs
        raise StudentPerfError(_broken(path, error)) from error
    return model


def _broken(path: Path, error: Exception) -> str:
    reason = str(error) if type(error) is ValueError else one_line(error)
    return (
        f"{path}: cannot be loaded: {' '.join(reason.split())[:300]}; the file was changed or is "
        "damaged, get it again or train the model again"
    )


def _not_trusted(path: Path, refused: frozenset[str]) -> str:
    return (
        f"{path}: the model holds {', '.join(sorted(refused))[:300]}, which is not on the reviewed "
        "list of types that load safely; if it is a class of your own, name its module in "
        "conf/trusted.yaml"
    )


def _other_versions(found: ModelContents, made_with: Mapping[str, str]) -> str:
    """What to install if the model was trained with other versions; empty if it was not."""
    was = {**made_with, **({"scikit-learn": found.sklearn} if found.sklearn else {})}
    used = packages_of(found.names | found.refused)
    return trained_elsewhere(changes(was, used), "be loaded")
