"""What differs between two runs, or a run and now: config, data, code, environment.

Each part is a frozen set of facts, from a record or from this process. `compare_*` says whether two
of them agree, and names what differs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from student_perf.config.schema import WITHOUT_EFFECT
from student_perf.config.typed import iter_leaves
from student_perf.data.contract import Contract, Violation, contract_from_yaml, find_violations
from student_perf.data.dataset import Dataset
from student_perf.paths import PACKAGE_DIR, PROJECT_DIR
from student_perf.runs.layout import (
    CONTRACT_FILE,
    DIFF_FILE,
    LINEAGE_FILE,
    PACKAGES_FILE,
    PROVENANCE_FILE,
)
from student_perf.runs.provenance import collect_provenance, git, installed_packages
from student_perf.runs.record import Recorded, load_record
from student_perf.text import plural

Part = Literal["config", "data", "code", "environment"]

_SOURCE = f"{PACKAGE_DIR.name}/"
_MOST_LINES = 12
_UNSET, _MISSING = "not set", "not installed"
_NAME_OF_MODEL = "model.name"
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True)
class Difference:
    """One part of the comparison.

    `same` is None if the record does not say; `lines` name what differs; `notes` name what cannot
    be compared or has no effect on figures.
    """

    part: Part
    same: bool | None
    lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DataFacts:
    """Hashes of a dataset; `columns` maps each column to its own, empty if not recorded."""

    sha256: str
    raw_sha256: str | None
    n_rows: int | None
    columns: Mapping[str, str]
    contract: Contract | None
    features: Any = None


@dataclass(frozen=True)
class CodeFacts:
    """Commit and uncommitted changes; `diff` is None if there were some that were not kept."""

    version: str
    commit: str | None
    diff: str | None
    untracked: tuple[str, ...] = ()


@dataclass(frozen=True)
class EnvironmentFacts:
    """Interpreter, machine and installed packages; empty if the record does not say."""

    python: str
    platform: str
    lock_sha256: str
    packages: Mapping[str, str]
    cpu: str = ""


def compare_config(a: Mapping[str, Any], b: Mapping[str, Any]) -> Difference:
    """Compare what decides the result in two composed configs: all but tags, tracking and report.

    >>> compare_config({"seed": 0, "tags": {}}, {"seed": 1, "tags": {"role": "a"}}).lines
    ['seed: 0 -> 1']
    """
    first, second = (dict(_decisive(config)) for config in (a, b))
    differ = {
        key: f"{_shown(first, key)} -> {_shown(second, key)}"
        for key in dict.fromkeys([*first, *second])
        if first.get(key, _UNSET) != second.get(key, _UNSET)
    }
    if _NAME_OF_MODEL in differ:  # another kind of model has other parameters
        others = {key for key in differ if key.startswith("model.")} - {_NAME_OF_MODEL}
        more = f", with its parameters ({len(others)} differ)" if others else ""
        differ = {key: text for key, text in differ.items() if key not in others}
        differ[_NAME_OF_MODEL] += more
    return Difference("config", not differ, [f"{key}: {text}" for key, text in differ.items()])


def _shown(leaves: Mapping[str, str], key: str) -> str:
    value = leaves.get(key, _UNSET)
    return "null" if value == "None" else value


def _decisive(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    decisive = {key: value for key, value in config.items() if key not in WITHOUT_EFFECT}
    return [(path, str(value)) for path, value in iter_leaves(decisive)]


def compare_with_params(composed: Mapping[str, Any], config_hash: str, run: Recorded) -> Difference:
    """Compare config.yaml with the record: its hash with the tag, its leaves with the params."""
    recorded = run.record.config_sha256
    if not recorded:
        return Difference("config", None, [], ["the record has no hash of the config"])
    if recorded == config_hash:
        return Difference("config", True)
    params = run.record.params
    lines = [
        f"{path}: {params[path]} in the record -> {value} in config.yaml"
        for path, value in _decisive(composed)
        if path in params and params[path] != value
    ]
    hashes = f"config.yaml has SHA-256 {config_hash[:12]}, the record {recorded[:12]}"
    return Difference("config", False, lines or [hashes])


def recorded_data(run: Recorded) -> DataFacts:
    """Hashes of the data a run used."""
    lineage, text = run.json(LINEAGE_FILE), run.text(CONTRACT_FILE)
    return DataFacts(
        sha256=run.record.data_sha256,
        raw_sha256=run.record.raw_sha256 or None,
        n_rows=run.record.n_rows,
        columns=lineage.get("column_sha256") or {},
        contract=contract_from_yaml(text) if text is not None else None,
    )


def data_of(dataset: Dataset) -> DataFacts:
    """Hashes of a dataset as it is loaded now."""
    return DataFacts(
        dataset.sha256,
        dataset.raw_sha256,
        dataset.n_rows,
        dataset.column_sha256,
        None,
        dataset.features,
    )


def compare_data(a: DataFacts, b: DataFacts) -> Difference:
    """Compare hashes, columns and rows, and list the rules of `a` that columns of `b` with other
    values break.
    """
    if not a.sha256 or not b.sha256:
        return Difference("data", None, [], ["the record has no hash of the data"])
    if a.sha256 == b.sha256:
        other = a.raw_sha256 != b.raw_sha256
        note = "the file's bytes differ, the rows read from them are the same"
        return Difference("data", True, [], [note] if other else [])
    lines = [f"SHA-256 {a.sha256[:12]} -> {b.sha256[:12]}"]
    if a.n_rows != b.n_rows:
        lines.append(f"rows: {a.n_rows} -> {b.n_rows}")
    if a.columns and b.columns:
        lines += _column_lines(a.columns, b.columns)
    lines += [f"not in the development rows of the record: {v}" for v in _broken_rules(a, b)]
    return Difference("data", False, lines[:_MOST_LINES])


def _broken_rules(a: DataFacts, b: DataFacts) -> list[Violation]:
    """Of columns with other values only: the contract was made from the development rows, so that
    test rows of the record may break it, too.
    """
    if a.contract is None or b.features is None:
        return []
    found = find_violations(b.features, a.contract)
    hashes = a.columns if a.columns and b.columns else {}
    return [one for one in found if one.column not in hashes or _has_changed(one.column, a, b)]


def _has_changed(column: str, a: DataFacts, b: DataFacts) -> bool:
    return column in b.columns and a.columns[column] != b.columns[column]


def _column_lines(a: Mapping[str, str], b: Mapping[str, str]) -> list[str]:
    changed = [name for name in a if name in b and a[name] != b[name]]
    differ = {
        "columns with other values": changed,
        "columns no longer there": [name for name in a if name not in b],
        "new columns": [name for name in b if name not in a],
    }
    lines = [f"{words}: {', '.join(names)}" for words, names in differ.items() if names]
    return lines or ["columns in another order"]


def recorded_code(run: Recorded) -> CodeFacts:
    """Commit and uncommitted changes of a run's code."""
    record, more = run.record, _provenance(run)
    # The record may come from a stranger: only a commit may reach git, never an option.
    commit = record.commit or str(more.get("commit") or "")
    dirty = record.is_dirty or bool(more.get("dirty"))
    diff = run.text(DIFF_FILE)
    if diff is None and dirty:
        # Files that git does not track make a tree dirty too, and have no diff.
        diff = "" if more.get("untracked") else None
    return CodeFacts(
        version=record.version or str(more.get("version", "")),
        commit=commit if _COMMIT.fullmatch(commit) else None,
        diff=diff if dirty else diff or "",
        untracked=tuple(map(str, more.get("untracked") or ())),
    )


def current_code(since: str | None, project: Path | None = PROJECT_DIR) -> CodeFacts:
    """The code of this process, as changes since the commit `since` if git has it."""
    now = collect_provenance(project)
    known = since is not None and git(project, "cat-file", "-e", f"{since}^{{commit}}") is not None
    commit = since if known else now.commit
    diff = git(project, "diff", "--no-ext-diff", commit) if commit else ""
    names = git(project, "ls-files", "--others", "--exclude-standard") or ""
    return CodeFacts(now.version, commit, diff, tuple(names.splitlines()))


def compare_code(a: CodeFacts, b: CodeFacts, project: Path | None = PROJECT_DIR) -> Difference:
    """Name the files of the package that differ, with the first changed lines; count the others."""
    if a.commit is None or b.commit is None:
        same = None if a.version == b.version else False
        lines = [] if same is None else [f"version: {a.version} -> {b.version}"]
        return Difference(
            "code", same, lines, ["no commit is recorded; only versions are compared"]
        )
    changed, notes, texts = set[str](), list[str](), list[str]()
    if a.commit != b.commit:
        names = git(project, "diff", "--name-only", a.commit, b.commit)
        if names is None:
            return Difference(
                "code", False, [f"commit {a.commit[:12]} -> {b.commit[:12]}, unknown to git here"]
            )
        changed |= set(names.splitlines())
        between = git(project, "diff", "--no-ext-diff", a.commit, b.commit, "--", _SOURCE) or ""
        texts += _changed_lines(between)
        notes.append(f"commit {a.commit[:12]} -> {b.commit[:12]}")
    if a.diff is None or b.diff is None:
        notes.append("the uncommitted changes of one run were not kept; only commits are compared")
    else:
        first, second = _by_file(a.diff), _by_file(b.diff)
        uncommitted = {n for n in {*first, *second} if first.get(n, "") != second.get(n, "")}
        changed |= uncommitted
        for name in sorted(n for n in uncommitted if n.startswith(_SOURCE)):
            texts += _two_diffs(name, first.get(name, ""), second.get(name, ""))
    new = {n for n in {*a.untracked} ^ {*b.untracked} if n.endswith(".py")}
    sources = sorted(n for n in changed | new if n.startswith(_SOURCE))
    others = len(changed) - sum(n.startswith(_SOURCE) for n in changed)
    if others:
        changed_there = f"{plural(others, 'file')} outside {_SOURCE} changed"
        notes.append(f"{changed_there}; no run reads that as code")
    unknown = a.diff is None or b.diff is None
    same = False if sources else (None if unknown else True)
    if len(sources) > _MOST_LINES:
        sources = [*sources[:_MOST_LINES], f"and {len(sources) - _MOST_LINES} more files"]
    return Difference("code", same, [*sources, *texts[:_MOST_LINES]], notes)


def _by_file(diff: str) -> dict[str, str]:
    """A git diff by file, without the lines of blob ids, whose length varies."""
    by_name: dict[str, list[str]] = {}
    name = ""
    for line in diff.splitlines():
        if line.startswith("diff --git "):
            name = line.rpartition(" b/")[2]
        elif name and not line.startswith("index "):
            by_name.setdefault(name, []).append(line)
    return {name: "\n".join(lines) for name, lines in by_name.items()}


def _changed_lines(diff: str) -> list[str]:
    headers = ("+++", "---")
    return [
        f"  {line}"
        for line in diff.splitlines()
        if line.startswith(("+", "-")) and not line.startswith(headers)
    ]


def _two_diffs(name: str, first: str, second: str) -> list[str]:
    """The changed lines of one file; if both runs had changes, each line says whose it is."""
    if not first:
        return _changed_lines(second)
    undone = [f"  only in the first: {line.strip()}" for line in _changed_lines(first)]
    return [*undone, *(f"  only in the second: {t.strip()}" for t in _changed_lines(second))]


def _provenance(run: Recorded) -> dict[str, Any]:
    """Content of provenance.json; a trial may share that of its sweep."""
    sweep = run.folder.parent / PROVENANCE_FILE
    if run.record.kind == "trial" and sweep.is_file() and run.text(PROVENANCE_FILE) is None:
        return Recorded(load_record(sweep.parent), {}).json(PROVENANCE_FILE)
    return run.json(PROVENANCE_FILE)


def recorded_environment(run: Recorded) -> EnvironmentFacts:
    """Interpreter and packages of a run."""
    record, more = run.record, _provenance(run)
    listed = run.text(PACKAGES_FILE) or ""
    packages = more.get("packages") or dict(
        line.split("==", 1) for line in listed.splitlines() if "==" in line
    )
    return EnvironmentFacts(
        python=record.python or str(more.get("python") or ""),
        platform=record.platform or str(more.get("platform") or ""),
        lock_sha256=record.lock_sha256 or str(more.get("lock_sha256") or ""),
        packages=packages,
        cpu=str(more.get("cpu") or ""),
    )


def current_environment() -> EnvironmentFacts:
    """Interpreter and packages of this process."""
    now = collect_provenance()
    return EnvironmentFacts(now.python, now.platform, now.lock_sha256 or "", installed_packages())


def compare_environment(a: EnvironmentFacts, b: EnvironmentFacts) -> Difference:
    """Compare Python, platform, lock and the version of every package that `a` had."""
    lines, notes = list[str](), list[str]()
    for name in ("python", "platform", "cpu"):
        first, second = getattr(a, name), getattr(b, name)
        if first and second and first != second:
            # Another machine of the same system is expected to give the same figures.
            system = name == "python" or first.split("-")[0] != second.split("-")[0]
            where = lines if system and name != "cpu" else notes
            where.append(f"{name}: {first} -> {second}")
    if a.packages and b.packages:
        for name, first in sorted(a.packages.items(), key=lambda one: one[0].lower()):
            second = b.packages.get(name, _MISSING)
            if first != second:
                lines.append(f"{name}: {first} -> {second}")
        # A run does not use what was not there; installing something else changes no figure.
        if added := sorted(b.packages.keys() - a.packages.keys(), key=str.lower):
            notes.append(f"{plural(len(added), 'package')} added since: {', '.join(added[:3])}")
    else:
        notes.append("the record lists no packages; only Python, platform and lock are compared")
    if a.lock_sha256 != b.lock_sha256:
        notes.append("the lock file differs; it says what should be installed")
    known = bool(a.packages and b.packages)
    return Difference("environment", False if lines else (True if known else None), lines, notes)
