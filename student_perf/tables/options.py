"""How a file is read: one object, sniffed once, kept with the run, used by every reader."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from student_perf.errors import DataError, suggest

# Of the files that hold a table.
ENDINGS = (
    *(".csv", ".txt", ".tsv", ".arff", ".parquet", ".feather", ".xlsx", ".ods"),
    *(".json", ".jsonl", ".gz", ".zip"),
)
# Cells that are empty in every file: what pandas, numpy, R and spreadsheets write by themselves.
MACHINE_WORDS = (
    *("", "nan", "NaN", "-nan", "-NaN", "NAN", "null", "NULL", "<NA>", "NaT"),
    *("#N/A", "#N/A N/A", "#NA", "#NULL!", "#DIV/0!", "#VALUE!", "#REF!"),
    *("1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)
# Words that people write for "no answer", and sometimes as an answer; compared without case.
DOUBTFUL_WORDS = frozenset({"none", "na", "n/a", "-", "?"})
# Words that say so in whole, which no reader takes for missing; compared without case and accents.
UNTAKEN_WORDS = frozenset(
    {
        *(
            "unknown",
            "not known",
            "not available",
            "no response",
            "no answer",
            "missing",
            "no data",
        ),
        *("ns/nc", "nsnc", "ns / nc", "ns-nc", "no sabe", "no contesta", "no sabe/no contesta"),
        *("no sabe / no contesta", "no responde", "sin respuesta", "sin dato", "sin datos"),
        *("sin informacion", "no disponible", "desconocido", "desconocida", "n.d.", "s/d", "s.d."),
        *("desconhecido", "desconhecida", "nao sabe", "nao informado", "sem dados", "sem resposta"),
        *("unbekannt", "keine angabe", "k.a.", "inconnu", "non renseigne", "sconosciuto"),
        *(".", "..", "...", "--", "---"),
    }
)
DEFAULT = "default"  # in a list of declared words: the words above, decided by column
_NAMES = {"\t": "tab", " ": "blank", "\xa0": "no-break blank", "\u202f": "narrow blank"}
_SPELLED = {"tab": "\t", "\\t": "\t", "blank": " ", "space": " "}
_CHARACTERS = ("separator", "decimal", "thousands")
FREQUENT_ANSWER = 0.05  # share of rows from which such a word is an answer that many gave
FEWEST_ANSWERS = 10
TAKEN_AS_MISSING = "is taken as missing"  # how the notes of reading and cleaning say so


@dataclass(frozen=True)
class ReadOptions:
    """How the cells of a file are written; None stands for what is not named.

    Attributes:
        separator: Between the cells of a text file.
        decimal: Before the fraction of a number.
        thousands: Between groups of three digits.
        encoding: Of the text, by Python's name.
        missing_words: Cells that are missing, without case; None, or `default` among them, leaves
            it to the rule for words that may be answers.
        sheet: Name of the sheet of a spreadsheet.
    """

    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    missing_words: list[str] | None = None
    sheet: str | None = None

    def describe(self) -> str:
        """What was taken, for people."""
        words = []
        if self.separator is not None:
            words.append(f"separator {shown_character(self.separator)}")
        if self.decimal is not None:
            words.append(f"decimal {shown_character(self.decimal)}")
        if self.thousands is not None:
            words.append(f"thousands {shown_character(self.thousands)}")
        words += [word for word in (self.encoding,) if word is not None]
        if self.sheet is not None:
            words.append(f"sheet '{self.sheet}'")
        if self.missing_words is not None:
            words.append(f"missing words {', '.join(self.missing_words) or 'none declared'}")
        return ", ".join(words)

    @property
    def plain_numbers(self) -> bool:
        """Whether numbers are written as programs write them."""
        return self.decimal in (None, ".") and self.thousands is None


def decided_by_column(words: Sequence[str] | None) -> bool:
    """Whether the words that may be answers are missing or not by column, and not as declared."""
    return words is None or DEFAULT in words


def declared_words(words: Sequence[str] | None) -> list[str]:
    """The words that are declared to be missing.

    >>> declared_words(["default", "NS/NC"]), declared_words(None)
    (['NS/NC'], [])
    """
    return [word for word in words or () if word != DEFAULT]


# How every file was read before options existed, and how published files are.
PLAIN = ReadOptions(separator=",", decimal=".", encoding="utf-8")


def named_for_commands(message: str) -> str:
    """A message that names a key of a dataset's config, for commands that take `--read KEY=VALUE`.

    >>> named_for_commands("see dataset.decimal=,")
    'see --read=decimal=,'
    """
    keys = "|".join(one.name for one in fields(ReadOptions))
    return re.sub(rf"dataset\.({keys})\b", r"--read=\1", message)


def parse_named(texts: Sequence[str]) -> dict[str, Any]:
    """What a user names as KEY=VALUE; words are listed with commas, brackets may stand around them.

    Raises:
        DataError: There is no such key, or the value is longer than one character.

    >>> parse_named(["separator=;", "missing_words=[none,-]"])
    {'separator': ';', 'missing_words': ['none', '-']}
    """
    named: dict[str, Any] = {}
    known = [one.name for one in fields(ReadOptions)]
    for text in texts:
        key, sign, value = text.partition("=")
        if key not in known or not sign:
            raise DataError(f"--read {text}: takes KEY=VALUE; {suggest(key, known)}")
        value = value.strip("'\"") if len(value) > 1 else value
        if key == "missing_words":
            words = value.strip("[]").split(",")
            named[key] = [word.strip().strip("'\"") for word in words if word.strip()]
        elif key in _CHARACTERS:
            named[key] = one_character(value, f"--read {key}")
        else:
            named[key] = value
    return named


def shown_character(character: str) -> str:
    """A separator as a message names it: ';' in quotes, white space by its name."""
    return _NAMES.get(character, f"'{character}'")


def one_character(value: str | None, key: str) -> str | None:
    """A separator as it was typed; `tab` and `blank` may be written out.

    Raises:
        DataError: It is longer than one character.
    """
    if value is None:
        return None
    spelled = _SPELLED.get(value, value)
    if len(spelled) != 1:
        raise DataError(
            f"{key}={value}: must be one character; write it like {key}=';' or {key}=tab"
        )
    return spelled


def check_input(path: Path) -> None:
    """Raise DataError if a file of new rows is not there."""
    if not path.is_file():
        raise DataError(f"{path}: no such file; name a CSV or parquet file")
