"""What every model's answer has to be, checked wherever one is asked: one rule for all places.

>>> checked_answer([12.5, float("nan")], 2, 0, "in fold 1 of 5")
Traceback (most recent call last):
    ...
student_perf.errors.ModelError: the model answered nan (row 2 of 2) in fold 1 of 5; numbers must \
be finite; correct its predict
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from student_perf.errors import ModelError

TOLERANCE = 1e-6  # of sums and bounds: the rounding of many classes in single precision


def checked_answer(answer: Any, n_rows: int, n_classes: int, where: str = "") -> np.ndarray:
    """A model's answer to `n_rows` rows as float64, if it is one.

    Args:
        answer: What `predict_proba` has returned or, for numbers, `predict`.
        n_rows: Number of rows that were asked for.
        n_classes: Number of classes, each with a column; 0 if numbers are predicted.
        where: The place, for the message: `in fold 2 of 5`.

    Returns:
        Probabilities, shape (n_rows, n_classes), or numbers, shape (n_rows,).

    Raises:
        ModelError: The shape differs, a value is not a finite number or not a probability, or the
            probabilities of a row do not sum to 1.
    """
    values = _numeric(answer, n_classes, where)
    expected = (n_rows, n_classes) if n_classes else (n_rows,)
    if values.shape != expected:
        seen, rule = f"an array of shape {values.shape}", f"{expected} is expected"
        if values.ndim != len(expected):
            rule += ", one " + ("column for each class" if n_classes else "number for each row")
        elif len(values) != n_rows:
            seen, rule = f"{len(values)} rows", f"{n_rows} were asked for"
        else:
            seen, rule = f"{values.shape[1]} classes", f"the data has {n_classes}"
        raise _error(seen, rule, n_classes, where)
    precision = np.finfo(values.dtype).eps
    values = np.asarray(values, dtype=np.float64)
    if not n_classes:
        if not np.isfinite(values).all():
            raise _of_row(values, ~np.isfinite(values), "numbers must be finite", 0, where)
        return values
    return _probabilities(values, TOLERANCE + n_classes * float(precision), where)


def all_classes(answer: Any, codes: Any, n_classes: int, where: str = "") -> Any:
    """Probabilities of the classes that a model knows, with a column for every class.

    Args:
        answer: What `predict_proba` has returned, one column for each of `codes`.
        codes: The model's `classes_`: codes of 0..n_classes-1; None if it has none.
        n_classes: Number of classes of the data.
        where: The place, for the message.

    Returns:
        `answer` itself if the model knows every class, else an array in which a class that was
        absent from the training rows has probability 0.

    Raises:
        ModelError: The codes are not ascending codes of the data, or are not as many as columns.
    """
    if codes is None:
        return answer
    known = np.asarray(codes)
    if known.shape == (n_classes,) and (known == np.arange(n_classes)).all():
        return answer
    in_order = known.ndim == 1 and set(known.tolist()) <= set(range(n_classes))
    if not in_order or (np.diff(known) <= 0).any():
        seen = f"the classes {', '.join(map(str, np.ravel(known)[:10]))}"
        rule = f"classes_ must be codes from 0 to {n_classes - 1}, ascending"
        raise _error(seen, rule, n_classes, where)
    values = _numeric(answer, n_classes, where)
    if values.ndim != 2 or values.shape[1] != len(known):
        seen = f"an array of shape {values.shape}"
        raise _error(seen, f"its classes_ are {len(known)}", n_classes, where)
    full = np.zeros((len(values), n_classes), dtype=values.dtype)
    full[:, known.astype(np.int64)] = values
    return full


def _numeric(answer: Any, n_classes: int, where: str) -> np.ndarray:
    """As a floating array of any precision and shape."""
    values = np.empty(1, dtype=object)
    with suppress(TypeError, ValueError):  # the error below says more
        values = np.asarray(answer)
        is_text = values.dtype == object and any(isinstance(one, str) for one in values.flat)
        if values.dtype.kind in "iubO" and not is_text:
            values = values.astype(np.float64)
    if values.dtype.kind != "f" or values.ndim == 0:
        seen = type(answer).__name__ + (f" of {values.dtype}" if values.ndim else "")
        raise _error(seen, "answers are arrays of numbers", n_classes, where)
    return values


def _probabilities(values: np.ndarray, tolerance: float, where: str) -> np.ndarray:
    n_classes = values.shape[1]
    if not len(values):
        return values
    lowest, highest, sums = values.min(), values.max(), values.sum(axis=1)
    # Written so that NaN, which no comparison holds for, is refused.
    if not (lowest >= -tolerance and highest <= 1 + tolerance):
        wrong = np.asarray(~((values >= -tolerance) & (values <= 1 + tolerance)).all(axis=1))
        rule = "probabilities must be finite and from 0 to 1"
        raise _of_row(values, wrong, rule, n_classes, where)
    if not np.abs(sums - 1).max() <= tolerance:
        row = int(np.abs(sums - 1).argmax())
        seen = f"probabilities that sum to {sums[row]:.8g} (row {row + 1} of {len(values)})"
        rule = f"those of a row must sum to 1 within {TOLERANCE:g}"
        raise _error(seen, rule, n_classes, where)
    return values if lowest >= 0 and highest <= 1 else values.clip(0.0, 1.0)


def _of_row(
    values: np.ndarray, wrong: np.ndarray, rule: str, n_classes: int, where: str
) -> ModelError:
    row = int(wrong.argmax())
    shown = ", ".join(f"{value:.4g}" for value in np.ravel(values[row])[:10])
    more = f", and {int(wrong.sum()) - 1} more rows" if wrong.sum() > 1 else ""
    seen = f"{shown} (row {row + 1} of {len(values)}{more})"
    return _error(seen, rule, n_classes, where)


def _error(seen: str, rule: str, n_classes: int, where: str) -> ModelError:
    method = "predict_proba" if n_classes else "predict"
    place = f" {where}" if where else ""
    return ModelError(f"the model answered {seen}{place}; {rule}; correct its {method}")
