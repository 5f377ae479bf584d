r"""Reads UBJSON, the form in which xgboost keeps a booster: as much of it as xgboost writes.

No reader of it is among the dependencies, and the arrays of a booster have to be looked at before
xgboost loads them. Arrays of one type become NumPy arrays.

>>> read_ubjson(b"{U\x01a[$l#U\x02\0\0\0\x01\0\0\0\x02U\x01bSU\x02ok}")
{'a': array([1, 2], dtype='>i4'), 'b': 'ok'}
"""

from __future__ import annotations

from typing import Any

import numpy as np

# Big-endian numbers by the letter of their type.
_NUMBERS = {
    ord(letter): np.dtype(f">{code}")
    for letter, code in {
        "i": "i1",
        "U": "u1",
        "I": "i2",
        "l": "i4",
        "L": "i8",
        "d": "f4",
        "D": "f8",
    }.items()
}
_LENGTHS = {ord(letter): n for letter, n in {"i": 1, "U": 1, "I": 2, "l": 4, "L": 8}.items()}
_LONG = ord("L")  # the length of nearly everything is of this type
_CONSTANTS = {ord("T"): True, ord("F"): False, ord("Z"): None}
_TEXT, _ARRAY, _OBJECT, _END = map(ord, "S[{}")
_DEEPEST = 50


def read_ubjson(content: bytes) -> Any:
    """The value in the bytes.

    Raises:
        ValueError: They are not UBJSON as xgboost writes it, or a name stands twice in an object.
    """
    reader = _Reader(content)
    try:
        value = reader.value(0)
    except IndexError as error:
        raise ValueError("the booster ends too early") from error
    if reader.place != len(content):
        raise ValueError("the booster goes on behind its end")
    return value


class _Reader:
    """Reads value after value; a booster has tens of thousands, so each takes few steps."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.place = 0

    def value(self, depth: int) -> Any:
        kind = self._content[self.place]
        self.place += 1
        if depth > _DEEPEST:
            raise ValueError("the booster is nested too deeply")
        if kind == _TEXT:
            return self._text()
        if kind == _ARRAY:
            return self._array(depth)
        if kind == _OBJECT:
            return self._object(depth)
        if kind in _LENGTHS:
            return self._whole(kind)
        if kind in _NUMBERS:
            return self._numbers(kind, 1)[0].item()
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        raise ValueError(f"the booster holds {kind}, which names no type in UBJSON")

    def _take(self, n: int) -> bytes:
        start, end = self.place, self.place + n
        if n < 0 or end > len(self._content):
            raise ValueError("the booster ends too early")
        self.place = end
        return self._content[start:end]

    def _comes(self, letter: str) -> bool:
        """Whether this letter is next, which is then passed."""
        if self._content[self.place] != ord(letter):
            return False
        self.place += 1
        return True

    def _whole(self, kind: int) -> int:
        return int.from_bytes(self._take(_LENGTHS[kind]), "big", signed=kind != ord("U"))

    def _numbers(self, kind: int, n: int) -> np.ndarray:
        dtype = _NUMBERS[kind]
        return np.frombuffer(self._take(n * dtype.itemsize), dtype)

    def _length(self) -> int:
        kind = self._content[self.place]
        self.place += 1
        length = self._whole(kind) if kind in _LENGTHS else -1
        if length < 0:
            raise ValueError("the booster has a length that is not a whole number")
        return length

    def _text(self) -> str:
        content, start = self._content, self.place
        if content[start] != _LONG:
            return self._take(self._length()).decode("utf-8")
        end = start + 9 + int.from_bytes(content[start + 1 : start + 9], "big")
        if end > len(content):
            raise ValueError("the booster ends too early")
        self.place = end
        return content[start + 9 : end].decode("utf-8")

    def _array(self, depth: int) -> Any:
        kind = None
        if self._comes("$"):
            kind = self._content[self.place]
            self.place += 1
        if self._comes("#"):
            n = self._length()
            if kind is None:
                return [self.value(depth + 1) for _ in range(n)]
            if kind in _NUMBERS:
                return self._numbers(kind, n)
        if kind is not None:
            raise ValueError(f"the booster holds an array of {kind}")
        values = []
        while not self._comes("]"):
            values.append(self.value(depth + 1))
        return values

    def _object(self, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        content = self._content
        while content[self.place] != _END:
            name = self._text()
            if name in members:
                raise ValueError(f"the booster has '{name}' twice")
            members[name] = self.value(depth + 1)
        self.place += 1
        return members
