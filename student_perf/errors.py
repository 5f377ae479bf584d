"""Errors for the person at the terminal: one line with the value, the rule and the fix.

>>> error = ConfigError(f"model=xgbost: unknown; {suggest('xgbost', ['rf', 'xgb'])}")
>>> one_line(error)
'model=xgbost: unknown; did you mean xgb?'
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST_LINE = 2000  # characters


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


def encodable(text: str) -> str:
    r"""The text with what UTF-8 cannot hold escaped: lone surrogates, as undecodable bytes give.

    >>> encodable("menu\udce9")
    'menu\\udce9'
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def one_line(error: BaseException) -> str:
    """Text of any error on one line: this package's own as written, others after their type.

    It can always be written: what UTF-8 cannot hold is escaped, and the line has an end.
    """
    text = " ".join(_text(error).split("\n\n")[0].split())
    text = encodable(text)
    if len(text) > _LONGEST_LINE:
        text = f"{text[:_LONGEST_LINE]}... ({len(text):,} characters)"
    if isinstance(error, StudentPerfError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # a class of the user's own may have no text
        return ""
