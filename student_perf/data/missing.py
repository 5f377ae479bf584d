"""Words that stand for "no answer", and when they are an answer: decided by column, and said."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from student_perf.config.overrides import setting
from student_perf.errors import DataError
from student_perf.tables.options import (
    DEFAULT,
    DOUBTFUL_WORDS,
    FEWEST_ANSWERS,
    FREQUENT_ANSWER,
    MACHINE_WORDS,
    TAKEN_AS_MISSING,
    decided_by_column,
    declared_words,
)

# Compared without case and surrounding space.
ALWAYS_MISSING = frozenset(word.casefold() for word in MACHINE_WORDS)
_CODE = re.compile(r"[A-Z]{2}|[a-z]{2}")
_FEWEST_CODES = 5


@dataclass(frozen=True)
class MissingRule:
    """The words of a column that count as missing, and what was decided about the others."""

    words: frozenset[str]
    notes: tuple[str, ...] = ()


def missing_rule(
    column: pd.Series,
    declared: Sequence[str] | None,
    categories: Collection[str] | None,
    target: str,
) -> MissingRule:
    """Which words of a column are missing.

    Declared words are, and no others unless `default` is among them; so are words outside declared
    categories. Else one that is frequent, or that stands among codes of two letters as NA does
    among countries, is an answer.

    Args:
        column: Cells of text.
        declared: `dataset.missing_words`.
        categories: Values that the column may hold, None if that is unknown.
        target: Name of the target, whose rare words are asked about.

    Raises:
        DataError: A word of the target may be either.
    """
    named = {word.casefold() for word in declared_words(declared)}
    if not decided_by_column(declared):
        return MissingRule(ALWAYS_MISSING | named)
    every = ALWAYS_MISSING | DOUBTFUL_WORDS | named
    open_words = DOUBTFUL_WORDS - named
    if categories is not None:
        return MissingRule(every - {str(value).casefold() for value in categories})
    counts = column.value_counts()
    doubtful = {str(word): int(n) for word, n in counts.items() if _folded(word) in open_words}
    if not doubtful:
        return MissingRule(every)
    others = [str(word) for word in counts.index if _folded(word) not in every]
    answers, notes = set(), []
    for word, n in doubtful.items():
        is_answer = n >= max(FEWEST_ANSWERS, FREQUENT_ANSWER * len(column)) or _is_code(
            word, others
        )
        if not is_answer and column.name == target:
            raise DataError(_question(word, n, column))
        answers |= {_folded(word)} if is_answer else set()
        notes.append(_note(word, n, column, is_answer))
    return MissingRule(every - answers, tuple(notes))


def missing_line(declared: Sequence[str] | None, words: Iterable[str]) -> str:
    """What to type so that these words are missing, too.

    >>> print(missing_line(None, ["NS/NC", "-"]))
    "dataset.missing_words=[default,NS/NC,'-']"
    """
    every = [*([DEFAULT] if declared is None else declared), *words]
    return setting("dataset.missing_words", every)


def _folded(word: object) -> str:
    return " ".join(str(word).split()).casefold()


def _is_code(word: str, others: Sequence[str]) -> bool:
    """Whether a word of two letters stands among codes that all look like it."""
    similar = [
        other for other in others if _CODE.fullmatch(other) and other.isupper() == word.isupper()
    ]
    return bool(_CODE.fullmatch(word)) and len(similar) == len(others) >= _FEWEST_CODES


def _note(word: str, n: int, column: pd.Series, is_answer: bool) -> str:
    where = f"'{word}' in '{column.name}' ({n} of {len(column)} rows)"
    if is_answer:
        return f"{where} is taken as an answer; if it means missing: {missing_line(None, [word])}"
    return f"{where} {TAKEN_AS_MISSING}; if it is an answer: dataset.missing_words=[]"


def _question(word: str, n: int, column: pd.Series) -> str:
    return (
        f"dataset.target={column.name}: '{word}' in {n} of {len(column)} rows is an answer or "
        f'missing; say which: "dataset.missing_words=[]" or {missing_line(None, [word])}'
        " with 'dataset.clean=[normalise_text,drop_missing_target]'"
    )
