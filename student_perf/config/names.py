"""Names that file systems and stores can take, on every system.

>>> check_folder_name("study_name", "grades 2.1")
>>> safe_name("a/b: c.")
'a_b_ c'
"""

from __future__ import annotations

import hashlib
import posixpath
import re
import unicodedata
from pathlib import Path

from student_perf.errors import ConfigError

LONGEST_NAME = 100  # characters; a folder's name has 255 bytes, and other words are added to it
LONGEST_LABEL = 200  # of what only a store keeps, in 250 characters
LONGEST_TAG_VALUE = 8000  # of a tag's value; MLflow drops the rest, or refuses the run
_REFUSED = re.compile(r'[/\\:*?"<>|]')
_TAG = re.compile(r"[/\w.\- :]+")
# With any extension, too: Windows opens a device by them.
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.I)


def check_folder_name(option: str, name: str) -> None:
    """Raise ConfigError if `name`, the value of `option`, cannot be a folder's on every system."""
    check_label(option, name, LONGEST_NAME)
    reason = ""
    if found := _REFUSED.search(name):
        reason = f"must not hold {found[0]}"
    elif name.startswith((".", "-", "~")) or name.endswith("."):
        reason = "must not begin with a dot, a dash or ~, nor end with a dot"
    elif _RESERVED.fullmatch(name):
        reason = "is reserved on Windows"
    if reason:
        raise ConfigError(f"{option}={name}: becomes a folder and {reason}; choose another name")


def check_label(option: str, name: str, longest: int = LONGEST_LABEL) -> None:
    """Raise ConfigError if `name`, the value of `option`, cannot be kept as it is in a store."""
    reason = ""
    if len(name) > longest:
        reason = f"has {len(name)} characters, {longest} are allowed"
        name = f"{name[:20]}.."
    elif not name.strip() or name != name.strip():
        reason = "must not be empty, nor begin or end with a blank"
    elif not name.isprintable():
        reason = "holds a control character"
        name = name.encode("unicode_escape").decode("ascii")
    elif not unicodedata.is_normalized("NFC", name):
        reason = "writes an accent as a character of its own, which looks like another name"
    if reason:
        raise ConfigError(f"{option}={name}: {reason}; choose another name")


def check_unused(option: str, folder: Path) -> None:
    """Raise ConfigError if a folder, the value of `option`, holds what a run would mix with its own
    files or replace.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{option}={folder}: is not empty; name another folder")


def check_tag(name: str, value: str = "") -> None:
    """Raise ConfigError if MLflow would refuse or cut a tag, which it says only after the training,
    if at all.
    """
    if len(value) > LONGEST_TAG_VALUE:
        raise ConfigError(
            f"tags.{name}={value[:20]}..: has {len(value):,} characters, {LONGEST_TAG_VALUE:,} are "
            "allowed; shorten it"
        )
    check_label("tags", name)
    if not _TAG.fullmatch(name) or posixpath.normpath(name) != name or name.startswith(("/", "..")):
        raise ConfigError(
            f"tags.{name}: a tag's name has letters, digits, blanks, _ - . : and single / only; "
            "choose another name"
        )


def check_no_twin(option: str, folder: Path) -> None:
    """Raise ConfigError if a folder of another name beside it would be the same one where upper and
    lower case do not count.
    """
    if folder.is_dir() or not folder.parent.is_dir():
        return
    for other in folder.parent.iterdir():
        if _folded(other.name) == _folded(folder.name) and other.name != folder.name:
            raise ConfigError(
                f"{option}={folder.name}: differs only in upper and lower case from {other.name}, "
                "which is there already; use that name, or another one"
            )


def safe_name(word: str) -> str:
    """A part of a folder's name for any word; it may be the same for two words."""
    return re.sub(r"[^\w.\- ]", "_", word)[: LONGEST_NAME // 2].strip(" .")


def unique_name(word: str) -> str:
    """A folder's or file's name for any word, and for each word another one.

    >>> unique_name("exam 2"), unique_name("exam/2"), unique_name("exam:2")
    ('exam 2', 'exam_2-bfe16971', 'exam_2-2f339395')
    """
    name = safe_name(word)
    is_refused = name.startswith(("-", "~")) or _RESERVED.fullmatch(name)
    if name == word and not is_refused:
        return name
    digest = hashlib.sha256(word.encode()).hexdigest()[:8]
    return f"_{name}-{digest}" if is_refused or not name else f"{name}-{digest}"


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
