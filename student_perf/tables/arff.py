"""ARFF, by scipy; what scipy does not know, text and dates, is left out and said."""

from __future__ import annotations

import csv
import io
import re

import pandas as pd

_ATTRIBUTE = re.compile(
    r"""^\s*@attribute\s+('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\S+)\s+(.+?)\s*$""", re.IGNORECASE
)
_LEFT_OUT = ("string", "date", "relational")


def read_arff(text: str) -> tuple[pd.DataFrame, list[str]]:
    """The table of an ARFF file, and what was left out. Raises ValueError for another text."""
    from scipy.io import arff

    text, left_out = _without_text(text)
    try:
        rows, meta = arff.loadarff(io.StringIO(_ascii(text)))
    except StopIteration as error:
        raise ValueError("it has no @data section") from error
    if not meta.names():
        raise ValueError("it declares no @attribute")
    table = pd.DataFrame(rows)
    for column in table.columns:
        if table[column].dtype == object:
            # ARFF writes a missing nominal value as ?
            decoded = table[column].str.decode("ascii").map(_from_ascii).astype("str")
            table[column] = decoded.mask(decoded == "?")
    table = table.rename(columns=_from_ascii)
    return table, [f"'{name}': {kind}, left out" for name, kind in left_out]


def _ascii(text: str) -> str:
    """Letters beyond ASCII, which scipy does not take, as their bytes: =C3=AD for an accented i."""
    return re.sub(
        r"[^\x00-\x7f]|=", lambda sign: "".join(f"={b:02X}" for b in sign[0].encode()), text
    )


def _from_ascii(text: str) -> str:
    return re.sub(
        r"(?:=[0-9A-F]{2})+", lambda signs: bytes.fromhex(signs[0].replace("=", "")).decode(), text
    )


def _without_text(text: str) -> tuple[str, list[tuple[str, str]]]:
    """The file with padded nominal values trimmed and without attributes that scipy cannot read,
    and the names and kinds of these.
    """
    header, found, data = _split(text)
    matches = [(line, _ATTRIBUTE.match(line)) for line in header]
    kinds = [match.group(2) for _, match in matches if match]
    dropped = [i for i, kind in enumerate(kinds) if kind.casefold().startswith(_LEFT_OUT)]
    padded = any(kind.startswith("{") and re.search(r"'\s|\s'|\"\s|\s\"", kind) for kind in kinds)
    if not found or not (dropped or padded):
        return text, []
    kept, names, position = [], [], 0
    for line, match in matches:
        if match is None:
            kept.append(line)
            continue
        if position in dropped:
            names.append((match.group(1).strip("'\""), kinds[position].split()[0].casefold()))
        elif match.group(2).startswith("{"):
            values = ",".join(map(_quoted, _cells(match.group(2).strip("{} "))))
            kept.append(f"@attribute {match.group(1)} {{{values}}}")
        else:
            kept.append(line)
        position += 1
    lines = []
    for line in data:
        if line.strip() and not line.lstrip().startswith("%"):
            cells = [cell for i, cell in enumerate(_cells(line)) if i not in dropped]
            lines.append(",".join(map(_quoted, cells)))
    return "\n".join([*kept, "@data", *lines, ""]), names


def _split(text: str) -> tuple[list[str], bool, list[str]]:
    lines = text.splitlines()
    start = next((i for i, s in enumerate(lines) if s.strip().casefold() == "@data"), None)
    return (lines, False, []) if start is None else (lines[:start], True, lines[start + 1 :])


def _cells(line: str) -> list[str]:
    """Cells of a row without quotes and padding."""
    quote = "'" if "'" in line else '"'
    row = next(csv.reader([line], quotechar=quote, escapechar="\\", skipinitialspace=True))
    return [cell.strip() for cell in row]


def _quoted(cell: str) -> str:
    plain = re.fullmatch(r"[^\s,{}%'\"]+", cell)
    escaped = cell.replace("'", "\\'")
    return cell if plain else f"'{escaped}'"
