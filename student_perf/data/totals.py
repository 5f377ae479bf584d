"""Words by which a row at the end of a table says that it sums up the others."""

from __future__ import annotations

from typing import Any

from student_perf.data.spellings import folded

_SUMS_UP = frozenset(
    {
        *("total", "totals", "subtotal", "sum", "mean", "average", "avg"),
        *("totales", "suma", "sumas", "media", "medias", "promedio", "promedios", "soma"),
        *("summe", "gesamt", "mittelwert", "durchschnitt", "totaux", "moyenne", "totale"),
    }
)
_MOST_WORDS = 3  # "media del grupo"


def sums_up(cell: Any) -> bool:
    """Whether a cell says that its row sums up others; of several words the first or last does.

    >>> sums_up("TOTAL:"), sums_up("Media del grupo"), sums_up("medias tintas y otras")
    (True, True, False)
    """
    if not isinstance(cell, str):
        return False
    words = [word.strip(".:()") for word in folded(cell).split()]
    return 0 < len(words) <= _MOST_WORDS and not _SUMS_UP.isdisjoint({words[0], words[-1]})
