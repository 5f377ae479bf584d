"""Errors for the person at the terminal: one line with the value, the rule and the fix.

>>> error = ConfigError(f"model=xgbost: unknown; {suggest('xgbost', ['rf', 'xgb'])}")
>>> one_line(error)
'model=xgbost: unknown; did you mean xgb?'
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class StudentPerfError(Exception):
    """Base of every error that a user can fix; shown as one line, without a traceback."""


class ConfigError(StudentPerfError):
    """The composed config breaks a rule."""


class DataError(StudentPerfError):
    """The dataset cannot be used."""


class TrackingError(StudentPerfError):
    """The tracking store cannot be reached or refuses what is sent."""


class StoreUnreachableError(TrackingError):
    """The tracking store does not answer; the run is on disk and can be sent later."""


def suggest(word: str, choices: Iterable[str]) -> str:
    """Sentence that names the choice nearest to `word`, or all choices if none is near."""
    known = sorted(choices)
    folded = {choice.casefold(): choice for choice in known}
    near = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.5)
    near = near or [choice for choice in folded if choice.startswith(word.casefold())]
    if near and word:
        return f"did you mean {' or '.join(folded[choice] for choice in near)}?"
    return f"choose from {', '.join(known)}" if known else "there are no choices"


def one_line(error: BaseException) -> str:
    """Text of any error on one line: this package's own as written, others after their type."""
    try:
        text = " ".join(str(error).split("\n\n")[0].split())
    except Exception:  # a model's own exception may have no text
        text = "its text cannot be read"
    text = text.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair fits no file
    if isinstance(error, StudentPerfError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
