"""The words that name a run: what `--help` and errors list, and the table in the documentation.

>>> model_of("models:/grades@challenger"), model_of("models:/grades/2"), model_of("latest")
('grades', 'grades', None)
"""

from __future__ import annotations

import re

WORDS = {
    "its folder": "the run or sweep in this folder",
    "latest": "the single run, sweep or nested result that started last and has a result",
    "four or more characters of its id": "the one whose MLflow id, or id of its record, begins so",
    "its name": "the one of this name, as commands print it; also what stands after its last `_`",
    "the name of its sweep": "the sweep, or nested result, of this name",
    "runs:/ID": "the run with this MLflow id",
    "models:/NAME@ALIAS": "the run of this registered model; also `models:/NAME/VERSION`",
}
ANY_WORD = f"{', '.join(list(WORDS)[:-1])} or {list(WORDS)[-1]}"
_OF_MODEL = re.compile(r"models:/([^/@]+)[/@].+")


def model_of(word: str) -> str | None:
    """Name of the registered model in an address; None for any other word."""
    address = _OF_MODEL.fullmatch(word)
    return address.group(1) if address else None
