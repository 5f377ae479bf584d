"""Values that are the same but for case, accents and blanks: found, and given one spelling."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# Accents of Latin letters. In other scripts such a mark makes another letter.
_ACCENTED = re.compile(r"([a-z])[\u0300-\u036f]+")


@dataclass(frozen=True)
class Spellings:
    """The declared spelling of the values of a column.

    Attributes:
        known: By the value itself and by its text without case.
        loose: By `folded` text, where one value alone has it.
    """

    known: Mapping[str, str]
    loose: Mapping[str, str]

    def of(self, words: str) -> str:
        """The declared spelling of a text; the text itself if there is none."""
        near = self.known.get(words) or self.known.get(words.casefold())
        return near or self.loose.get(folded(words), words)


def declared_spellings(values: Iterable[Any]) -> Spellings:
    """Spellings of declared values.

    >>> spellings = declared_spellings(["sí", "no"])
    >>> spellings.of("SI"), spellings.of("No"), spellings.of("quizás")
    ('sí', 'no', 'quizás')
    """
    texts = [str(value) for value in values]
    times = Counter(map(folded, texts))
    loose = {folded(text): text for text in texts if times[folded(text)] == 1}
    exact = {text: text for text in texts}
    return Spellings({text.casefold(): text for text in texts} | exact, loose)


def folded(value: Any) -> str:
    """A value as text without case, accents of Latin letters, and blanks around words.

    >>> folded("  Sí, SEÑOR "), folded("йод")
    ('si, senor', 'йод')
    """
    text = " ".join(str(value).split()).casefold()
    if text.isascii():
        return text
    plain = _ACCENTED.sub(r"\1", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", plain)


def same_values(values: Iterable[Any]) -> list[list[str]]:
    """Groups of two or more values that are the same but for their spelling, in their order.

    >>> same_values(["No", "sí", "NO", "Si", "quizás"])
    [['No', 'NO'], ['sí', 'Si']]
    """
    groups: dict[str, list[str]] = {}
    for text in dict.fromkeys(map(str, values)):
        groups.setdefault(folded(text), []).append(text)
    return [group for group in groups.values() if len(group) > 1]
