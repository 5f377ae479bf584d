"""The report of one or more sweeps as one HTML page that needs nothing beside itself."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from student_perf import __version__
from student_perf.atomic import write_atomic
from student_perf.compare.leaderboard import Leaderboard, Line, make_leaderboards
from student_perf.compare.predictions import Predictions, load_predictions
from student_perf.compare.show import closing, heading
from student_perf.compare.sweep_folder import (
    DATA_TAGS,
    SweepFolder,
    described,
    is_default,
    short_value,
    swept,
    trial_number,
)
from student_perf.errors import ConfigError
from student_perf.metric_names import METRICS
from student_perf.metrics import confusion_matrix
from student_perf.plots.classification import confusion_figure
from student_perf.plots.study import (
    difference_figure,
    fold_scores_figure,
    history_figure,
    make_dimension,
    parallel_figure,
    parameter_importance_figure,
    prediction_pair_figure,
    slice_figure,
)
from student_perf.terminal import format_number
from student_perf.tracking.record import PREDICTIONS_FILE, RunRecord

if TYPE_CHECKING:
    from student_perf.plots.style import Figure

PAGE_FILE = "report.html"
COMMAND_TAG = "student_perf.command"
_TEMPLATE = "report.html.j2"
_MOST_LINES = 20  # of a leaderboard and the pictures beside it
_MOST_DIMENSIONS = 8
_MOST_CONFIGS = 200
_MOST_CLASSES = 12  # beyond them the cells of a confusion matrix cannot be read
_NO_CONFIG = ("features", "swept.", "space.", "sweep.", "test_over_train", "tracking.")
_FROM_WINNER = {
    "reliability.png": "Calibration of the winner",
    "residuals.png": "Residuals of the winner",
    "subgroups.png": "Scores of subgroups, winner",
    "importance.png": "Permutation importance of the columns, winner",
    "learning_curve.png": "Learning curve of the winner",
}


@dataclass(frozen=True)
class Picture:
    """A picture of the page: PNG as base64, and the words for those who do not see it. One with a
    `pair` stands in one row with the one after it.
    """

    png: str
    alt: str
    pair: bool = False


def write_report(file: Path, sweeps: Sequence[SweepFolder]) -> Path:
    """Write the page of these sweeps; several are also ranked together. Returns the file."""
    write_atomic(file, page(sweeps))
    return file


def page(sweeps: Sequence[SweepFolder]) -> str:
    """The page as text. All text of data is escaped; scripts and pictures stand in the page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    script = (Path(__file__).parent / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return environment.get_template(_TEMPLATE).render(
        title=" and ".join(sweep.record.name for sweep in sweeps),
        sweeps=[_section(sweep) for sweep in sweeps],
        boards=_joint_boards(sweeps) if len(sweeps) > 1 else [],
        script=script,
        script_digest=digest,
        version=__version__,
    )


def markdown_note(sweep: SweepFolder) -> str:
    """The summary for MLflow's page: best with interval, gain, counts, winner."""
    best, label = sweep.best, METRICS[sweep.metric].label
    counts = ", ".join(f"{n} {state}" for state, n in sweep.states.items())
    if best is None:
        return f"No trial has finished ({counts or 'none was started'})."
    values = ", ".join(_code(f"{k}={short_value(v)}") for k, v in swept(best.record).items())
    lines = [
        f"**Best**: trial {trial_number(best.record)}, {label} **{_with_interval(best)}** "
        f"over {len(best.scores)} folds",
        f"**Configuration**: {values or 'the defaults'}",
        f"**Trials**: {counts}",
    ]
    lines += [f"**Gain**: {gain}" for gain in _gain(sweep)]
    if sweep.winner is not None:
        run = sweep.winner.mlflow_run_id
        where = f"run {_code(run)}" if run else f"folder {_code(sweep.winner.folder.name)}"
        lines.append(f"**Winner**: {where}")
    lines.append(f"The whole report is the artifact {_code(PAGE_FILE)}.")
    return "\n".join(f"- {line}" for line in lines) + "\n"


def _code(text: str) -> str:
    """Text as Markdown's code, in which nothing but a backtick has a meaning."""
    return f"`{text.replace('`', chr(39))}`"


def _section(sweep: SweepFolder) -> dict[str, Any]:
    """Everything the template shows of one sweep."""
    shown = _shown(sweep)
    return {
        "name": sweep.record.name,
        "status": sweep.record.status,
        "metric": METRICS[sweep.metric].label,
        "better": "more is better" if sweep.maximizes else "less is better",
        "outcome": _outcome(sweep),
        "facts": _facts(sweep),
        "columns": [key.removeprefix("model.") for key in _columns(shown)],
        "rows": [_row(sweep, line, _columns(shown)) for line in shown],
        "n_more": max(len(sweep.lines) - len(shown), 0),
        "dummy": format_number(sweep.board.dummy) if sweep.board else "",
        "closing": _closing(sweep.board) if sweep.board else [],
        "pictures": list(_pictures(sweep, shown)),
        "space": sweep.space,
        "failures": _failures(sweep),
        "differences": _differences(sweep),
        "configs": _configs(sweep),
        "commands": _commands(sweep),
    }


def _shown(sweep: SweepFolder) -> list[Line]:
    """The best trials, and the defaults whatever their place."""
    shown = sweep.lines[:_MOST_LINES]
    also = [line for line in (sweep.best, sweep.defaults) if line and line not in shown]
    return shown + also


def _columns(shown: Sequence[Line]) -> list[str]:
    return list(dict.fromkeys(key for line in shown for key in swept(line.record)))


def _row(sweep: SweepFolder, line: Line, columns: Sequence[str]) -> dict[str, Any]:
    values = swept(line.record)
    rank = next(i for i, other in enumerate(sweep.lines, start=1) if other is line)
    return {
        "rank": rank,
        "trial": trial_number(line.record),
        "default": is_default(line.record),
        "best": line is sweep.best,
        "tied": line.tied,
        "mean": format_number(line.mean),
        "interval": f"{format_number(line.low)} to {format_number(line.high)}",
        "to_best": f"{line.to_best:+.3f}",
        "p": "" if math.isnan(line.p_value) else f"{line.p_value:.2f}",
        "seconds": "" if math.isnan(line.seconds) else f"{line.seconds:.2g}",
        "values": [short_value(values.get(key, "")) for key in columns],
    }


def _outcome(sweep: SweepFolder) -> list[str]:
    best = sweep.best
    if best is None:
        return ["No trial has finished."]
    lines = [
        f"Best: trial {trial_number(best.record)}, {METRICS[sweep.metric].label} "
        f"{_with_interval(best)}, with {described(best.record)}."
    ]
    lines += _gain(sweep)
    test = sweep.winner.metrics.get(f"test_{sweep.metric}") if sweep.winner else None
    if isinstance(test, float) and sweep.winner is not None:
        ends = [sweep.winner.metrics.get(f"test_{sweep.metric}_ci95_{e}") for e in ("low", "high")]
        low, high = (format_number(end) if isinstance(end, float) else "-" for end in ends)
        lines.append(
            f"Test rows, kept out of the whole search: {format_number(test)} "
            f"(95 % interval {low} to {high})."
        )
    return lines


def _with_interval(line: Line) -> str:
    mean = format_number(line.mean)
    if math.isnan(line.low):
        return mean
    return f"{mean} (95 % interval {format_number(line.low)} to {format_number(line.high)})"


def _gain(sweep: SweepFolder) -> list[str]:
    """One sentence on the best against the model's defaults, on the same folds."""
    from student_perf.compare.stats import paired_difference

    best, default = sweep.best, sweep.defaults
    if best is None or default is None:
        return []
    if best is default:
        return ["The defaults were not beaten."]
    if len(best.scores) < 2:
        return []
    ratio = float(best.record.params["test_over_train"])
    first, second = (best, default) if sweep.maximizes else (default, best)
    gain = paired_difference(first.scores, second.scores, ratio)
    verdict = "more than the folds' noise" if gain.p_value < 0.05 else "within the folds' noise"
    return [
        f"{gain.mean:+.3f} better than the defaults ({format_number(default.mean)}), 95 % interval "
        f"{gain.low:+.3f} to {gain.high:+.3f}, p = {gain.p_value:.2f}: {verdict}."
    ]


def _facts(sweep: SweepFolder) -> dict[str, str]:
    """The data card and where the sweep comes from; what is not known is left out."""
    record, params = sweep.record, sweep.record.params
    tags = record.tags
    started = datetime.fromtimestamp(record.started, UTC).strftime("%Y-%m-%d %H:%M UTC")
    commit = tags.get("mlflow.source.git.commit", "")
    dirty = " with uncommitted changes" if tags.get("mlflow.source.git.dirty") == "True" else ""
    facts = {
        "dataset": f"{tags.get('dataset', '')} {tags.get('dataset_version', '')}".strip(),
        "rows": params.get("n_rows", ""),
        "columns": params.get("n_features", ""),
        DATA_TAGS["student_perf.n_missing"]: tags.get("student_perf.n_missing", ""),
        DATA_TAGS["student_perf.target"]: tags.get("student_perf.target", ""),
        "data SHA-256": tags.get("student_perf.data_sha256", ""),
        "split": _split(sweep),
        "split SHA-256": tags.get("student_perf.split_sha256", ""),
        "sampler": params.get("sweep.sampler", ""),
        "trials": ", ".join(f"{n} {state}" for state, n in sweep.states.items()),
        "seed": params.get("seed", ""),
        "commit": commit and f"{commit}{dirty}",
        "started": started,
        "MLflow": f"experiment {params.get('tracking.experiment', '')}",
    }
    return {name: value for name, value in facts.items() if value}


def _split(sweep: SweepFolder) -> str:
    params = sweep.record.params
    folds = f", {sweep.board.n_folds} folds" if sweep.board else ""
    return f"{params.get('split.kind', '')}{folds}, test share {params.get('split.test_size', '0')}"


def _pictures(sweep: SweepFolder, shown: Sequence[Line]) -> Iterator[Picture]:
    """The pictures in the order of the page. Those that would show nothing are left out."""
    if not sweep.lines or sweep.board is None:
        return
    best = list(shown[:_MOST_LINES])
    makers: list[Callable[[], Figure | None]] = [
        lambda: _fold_scores(sweep, best),
        lambda: _tied(sweep, best),
        lambda: _history(sweep),
        lambda: _importance(sweep),
        lambda: _parallel(sweep),
        lambda: _slices(sweep),
    ]
    for make in makers:
        figure = make()
        if figure is not None:
            yield _picture(figure)
    yield from _predictions(sweep)
    yield from _winner_pictures(sweep)


def _picture(figure: Figure, pair: bool = False) -> Picture:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    alt = " ".join(figure.get_suptitle().split())
    return Picture(base64.b64encode(buffer.getvalue()).decode("ascii"), alt, pair)


def _winner_pictures(sweep: SweepFolder) -> Iterator[Picture]:
    for name, alt in _FROM_WINNER.items():
        file = sweep.winner.folder / name if sweep.winner else None
        if file is not None and file.is_file():
            yield Picture(base64.b64encode(file.read_bytes()).decode("ascii"), alt)


def _words(sweep: SweepFolder, more: str = "") -> tuple[str, str]:
    board = sweep.board
    assert board is not None
    n = len(sweep.lines)
    folds = f"{board.n_folds} fold{'s' if board.n_folds > 1 else ''}"
    subtitle = f"{sweep.record.tags.get('dataset', '')}, n = {n} finished trials, {folds}{more}"
    return METRICS[sweep.metric].label, subtitle


def _names(lines: Sequence[Line]) -> list[str]:
    """`14`, or with the model where several were tried."""
    several = len({line.record.params.get("model.name") for line in lines}) > 1
    names = []
    for line in lines:
        name = f"trial {trial_number(line.record)}"
        if several:
            name = f"{line.record.params.get('model.name', '')} ({trial_number(line.record)})"
        names.append(f"{name}, defaults" if is_default(line.record) else name)
    return names


def _fold_scores(sweep: SweepFolder, best: Sequence[Line]) -> Figure | None:
    assert sweep.board is not None
    if sweep.board.n_folds < 2:
        return None
    scores = np.array([line.scores for line in best])
    return fold_scores_figure(_names(best), scores, sweep.board.dummy, _words(sweep))


def _tied(sweep: SweepFolder, best: Sequence[Line]) -> Figure | None:
    others = [line for line in best if not math.isnan(line.to_best_low)]
    if len(others) < 2:
        return None
    return difference_figure(
        _names(others),
        np.array([line.to_best for line in others]),
        np.array([line.to_best_low for line in others]),
        np.array([line.to_best_high for line in others]),
        np.array([line.tied for line in others]),
        _words(sweep, "; p after Nadeau and Bengio, Holm"),
    )


def _history(sweep: SweepFolder) -> Figure | None:
    if len(sweep.lines) < 2 or sweep.board is None:
        return None
    numbers, values = _values(sweep)
    default = trial_number(sweep.defaults.record) if sweep.defaults else None
    return history_figure(
        numbers, values, sweep.maximizes, sweep.board.dummy, default, _words(sweep)
    )


def _importance(sweep: SweepFolder) -> Figure | None:
    if not sweep.importances:
        return None
    return parameter_importance_figure(sweep.importances, _words(sweep)[1])


def _values(sweep: SweepFolder) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.array([trial_number(line.record) for line in sweep.lines])
    order = np.argsort(numbers)
    return numbers[order], np.array([line.mean for line in sweep.lines])[order]


def _dimensions(sweep: SweepFolder) -> list[Any]:
    """Axes of the parameters that at least two values were tried of, trials in their order."""
    trials = sorted((line.record for line in sweep.lines), key=trial_number)
    drawn = [swept(record) for record in trials]
    keys = [key for key in sweep.parameters if len({values.get(key) for values in drawn}) > 1]
    return [
        make_dimension(key, [values.get(key) for values in drawn], sweep.is_log(key))
        for key in keys[:_MOST_DIMENSIONS]
    ]


def _parallel(sweep: SweepFolder) -> Figure | None:
    dimensions = _dimensions(sweep)
    if len(dimensions) < 2 or len(sweep.lines) < 3:
        return None
    return parallel_figure(dimensions, _values(sweep)[1], sweep.maximizes, _words(sweep))


def _slices(sweep: SweepFolder) -> Figure | None:
    dimensions = _dimensions(sweep)
    if not dimensions or len(sweep.lines) < 3:
        return None
    return slice_figure(dimensions, _values(sweep)[1], sweep.maximizes, _words(sweep))


def _predictions(sweep: SweepFolder) -> Iterator[Picture]:
    """Held-out predictions of the best beside those of the defaults; a grid has only the best."""
    pair = {"defaults": sweep.defaults} if sweep.defaults is not sweep.best else {}
    loaded: dict[str, Predictions] = {}
    for name, line in (pair | {"best": sweep.best}).items():
        file = line.record.folder / PREDICTIONS_FILE if line else None
        if line is not None and file is not None and file.is_file():
            loaded[f"{name}: trial {trial_number(line.record)}"] = load_predictions(file)
    if not loaded:
        return
    first = next(iter(loaded.values()))
    target = sweep.record.params.get("dataset.target", "target")
    about = f"{sweep.record.tags.get('dataset', '')}, n = {len(first.y_true)} predictions"
    if first.task == "regression":
        pairs = {name: (one.y_true, one.output) for name, one in loaded.items()}
        yield _picture(prediction_pair_figure(pairs, target, f"{about} each"))
    elif len(first.labels) <= _MOST_CLASSES:
        for name, one in loaded.items():
            counts = confusion_matrix(one.y_true, one.output.argmax(axis=1), len(one.labels))
            figure = confusion_figure(counts, one.labels, target, f"{name}; {about}")
            yield _picture(figure, pair=len(loaded) > 1)


def _failures(sweep: SweepFolder) -> list[tuple[str, int]]:
    """The reasons of failed trials and how often each came."""
    reasons = Counter(t.error or "not known" for t in sweep.trials if t.status == "FAILED")
    return reasons.most_common(5)


def _differences(sweep: SweepFolder) -> list[tuple[str, str, str]]:
    """Config keys in which the best differs from the sweep's base config: key, base, best."""
    if sweep.best is None:
        return []
    base, best = _config(sweep.record), _config(sweep.best.record)
    keys = sorted(key for key in base.keys() | best.keys() if base.get(key) != best.get(key))
    return [(key, base.get(key, "not set"), best.get(key, "not set")) for key in keys]


def _config(record: RunRecord) -> dict[str, str]:
    params = record.params.items()
    return {key: value for key, value in params if not key.startswith(_NO_CONFIG)}


def _configs(sweep: SweepFolder) -> str:
    """JSON of the base config and, for each of the best runs, what differs from it; null stands for
    a key it does not have. Safe inside a script element.
    """
    base = _config(sweep.record)
    chosen = sweep.lines[:_MOST_CONFIGS]
    chosen += [line for line in (sweep.best, sweep.defaults) if line and line not in chosen]
    runs = [
        {
            "name": f"{name}: {format_number(line.mean)}",
            "changed": _changed(base, _config(line.record)),
        }
        for name, line in zip(_names(chosen), chosen, strict=True)
    ]
    text = json.dumps({"base": base, "runs": runs}, ensure_ascii=True, separators=(",", ":"))
    for character in "<>&":  # `</script>` in a name must not end the element
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _changed(base: dict[str, str], config: dict[str, str]) -> dict[str, str | None]:
    gone: dict[str, str | None] = dict.fromkeys(base.keys() - config.keys())
    return gone | {key: value for key, value in config.items() if base.get(key) != value}


def _commands(sweep: SweepFolder) -> dict[str, str]:
    """What to type next, by purpose."""
    module, folder = "python -m student_perf", shlex.quote(str(sweep.record.folder))
    commands = {}
    if command := sweep.record.tags.get(COMMAND_TAG):
        commands["continue the sweep; a larger hydra.sweeper.n_trials adds trials"] = command
    if sweep.winner is not None:
        run = shlex.quote(sweep.winner.mlflow_run_id or str(sweep.winner.folder))
        commands["check that the winner can be had again"] = f"{module} reproduce {run}"
    commands["compare its trials on the terminal"] = f"{module} compare {folder}"
    commands["make this page again"] = f"{module} report {folder}"
    return commands


def _closing(board: Leaderboard) -> list[str]:
    """What the terminal says below its table, without the mark that only its table has."""
    return [line.replace(" (=)", "") for line in closing(board, len(board.lines))]


def _joint_boards(sweeps: Sequence[SweepFolder]) -> list[dict[str, Any]]:
    """Leaderboards over all sweeps: the best of them together, by data and folds."""
    try:
        boards = make_leaderboards([trial for sweep in sweeps for trial in sweep.trials])
    except ConfigError:
        return []
    return [_joint(board) for board in boards]


def _joint(board: Leaderboard) -> dict[str, Any]:
    rows = [
        {
            "label": line.label,
            "mean": format_number(line.mean),
            "interval": f"{format_number(line.low)} to {format_number(line.high)}",
            "to_best": f"{line.to_best:+.3f}",
            "p": "" if math.isnan(line.p_value) else f"{line.p_value:.2f}",
            "tied": line.tied,
        }
        for line in board.lines[:_MOST_LINES]
    ]
    return {"heading": heading(board), "rows": rows, "closing": _closing(board)}
