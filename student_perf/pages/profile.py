"""The look at a table as one HTML page that needs nothing beside itself, and its sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator

from student_perf.pages.section import Picture
from student_perf.plots.profile import by_target_figure, distribution_figure, missing_figure
from student_perf.plots.style import png
from student_perf.profile.answers import Answers
from student_perf.profile.columns import ColumnFacts
from student_perf.profile.report import DataReport
from student_perf.render import render
from student_perf.scoring.metrics import METRICS
from student_perf.text import duration, format_number, plural

_MOST_PICTURES = 40


def data_page(report: DataReport) -> str:
    """The page: what stops a run, what the checks say, what can be answered, every column."""
    return render(
        "profile.html.j2",
        report=report,
        facts=data_facts(report),
        answers=answer_sentences(report),
        rows=[(one, told(one)) for one in report.columns],
        pictures=list(_pictures(report)),
    )


def data_facts(report: DataReport) -> dict[str, str]:
    """Size, target, copies and contradictions; what is unknown is left out."""
    kinds = [one.kind for one in report.columns]
    counted = ", ".join(
        f"{plural(kinds.count(kind), 'column')} of {words}"
        for kind, words in (("number", "numbers"), ("category", "text"), ("date", "dates"))
        if kind in kinds
    )
    facts = {"read as": report.read_as, "size": f"{plural(report.n_rows, 'row')}; {counted}"}
    facts["target"] = _target(report)
    facts["copies"] = f"{plural(report.n_copies, 'row')} repeat an earlier one"
    if report.n_contradictory and report.noise_limit is not None:
        limit = format_number(report.noise_limit)
        ceiling = (
            f"accuracy of {limit} at most" if report.target_counts else f"RMSE of {limit} at least"
        )
        facts["contradictions"] = (
            f"{plural(report.n_contradictory, 'row')} have the features, but not the target, of "
            f"another: {ceiling}"
        )
    return {name: text for name, text in facts.items() if text}


def answer_sentences(report: DataReport) -> list[str]:
    """What the rows and the split can and cannot show."""
    one = report.answers
    if one is None and report.target:
        return ["Not known yet, since a run would stop."]
    if one is None:
        return ["Not known yet, since no target is named; add dataset.target=COLUMN."]
    label = METRICS[one.metric].label
    model = report.config.model.get("name")
    lines = [
        f"Fits of {model} on some folds have {label} {format_number(one.score)}; expect a 95 % "
        f"interval of about ± {format_number(one.half_width)} over {plural(one.n_folds, 'fold')}, "
        f"and about {duration(max(1, one.seconds))} for the fits of a run."
    ]
    return [*lines, *_power(one, label, str(model), report.n_rows)]


def _power(one: Answers, label: str, model: str, n_rows: int) -> Iterator[str]:
    metric = METRICS[one.metric]
    if one.smallest >= metric.highest - metric.lowest:
        yield (
            f"Two models cannot be told apart by {label} on these rows with this split, however "
            "much they differ; take a split of more folds or groups."
        )
        return
    yield (
        f"Two models as unlike as {model} and {one.rival} must differ by "
        f"{format_number(one.smallest)} in {label} to be told apart in 4 of 5 cases; smaller "
        "differences are found more rarely."
    )
    unit = "" if one.metric == "accuracy" else " of the RMSE"
    needed = ", ".join(f"{n:,} for {d}{unit}" for d, n in one.rows.items())
    yield f"Rows needed for other differences, with the same split: {needed} (now {n_rows:,})."


def told(column: ColumnFacts) -> str:
    """What a column tells of the target, as a share; a dash if it is unknown."""
    return "-" if math.isnan(column.told) else f"{column.told:.0%}"


def _target(report: DataReport) -> str:
    if not report.target:
        return "none named"
    if report.target_counts:
        counts = ", ".join(f"{label} ({n})" for label, n in report.target_counts.items())
        return f"{report.target}: {counts}"
    values = next((one.values for one in report.columns if one.name == report.target), "")
    return f"{report.target}: {values}"


def _pictures(report: DataReport) -> Iterator[Picture]:
    """The target, where cells are missing, and the columns that tell most of the target first."""
    seen, dataset = report.seen.columns, report.dataset
    if report.target in seen:
        figure = distribution_figure(report.target, seen[report.target])
        yield Picture(png(figure), f"Distribution of the target {report.target}")
    if seen.isna().to_numpy().any():
        yield Picture(png(missing_figure(seen)), "Missing cells by column and row")
    shown = [one for one in report.columns if one.role == "feature" and one.kind != "date"]
    shown.sort(key=lambda one: -1 if math.isnan(one.told) else one.told, reverse=True)
    for one in shown[:_MOST_PICTURES]:
        if dataset is not None and one.name in dataset.features:
            values = dataset.features[one.name]
            figure = by_target_figure(
                one.name, values, dataset.target, dataset.target_name, dataset.classes
            )
        else:
            figure = distribution_figure(one.name, seen[one.name])
        yield Picture(png(figure), f"{one.name}: its distribution, and the target by its values")
