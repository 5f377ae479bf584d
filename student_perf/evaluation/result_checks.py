"""Checks of what was chosen and compared: ends of ranges, models without a search, other rows."""

from __future__ import annotations

import math
from collections.abc import Iterator

from student_perf.config.schema import GuardsConfig
from student_perf.evaluation.registry import Chosen, Compared, Finding, Range, asked, check

_AT_THE_END = 0.01  # of a range, in its scale: samplers seldom draw the end itself


def look(subject: Chosen | Compared, guards: GuardsConfig) -> list[Finding]:
    """What the checks that are not `off` have found, where there is nothing left to stop.

    Args:
        subject: What they look at.
        guards: The level of each; those of a record may name checks of other versions.
    """
    return [Finding(one.code, line) for one, lines in asked(subject, guards) for line in lines]


@check(
    "SP501",
    "The best at an end of its range",
    about=Chosen,
    quiet=True,
    what="The best of a sweep has the lowest or highest number that the search tries for a key, or "
    "lies within 1 % of it. So has a single run that was given such a value, by the range in "
    "`conf/search`.",
    why="The optimum may lie beyond. A search that ends at a wall says which side is better, and "
    "not how far to go. A grid of fewer than four numbers has too many ends to say so, and a key "
    "says nothing if a trial with a number elsewhere in the range came out equal.",
    fix="Search a wider range, unless the value cannot go further: a share of 1, a leaf of 1 row.",
)
def at_an_end(chosen: Chosen) -> Iterator[str]:
    """A line for each number at the end of what is tried."""
    for key, tried in chosen.ranges.items():
        value = chosen.values.get(key, "")
        end = _end_of(tried, value)
        if not end or value == chosen.defaults.get(key):
            continue
        if not any(_is_elsewhere(tried, end, other.get(key, "")) for other in chosen.as_good):
            yield (
                f"{key}={_short(value)}: lies at the {end} end of {chosen.place} "
                f"({tried.low:g} to {tried.high:g}); search a wider one if it can go further"
            )


def _short(value: str) -> str:
    return f"{float(value):.4g}"


def _is_elsewhere(tried: Range, end: str, value: str) -> bool:
    """Whether a value is a number of the range that does not lie at this end."""
    try:
        number = float(value)
    except ValueError:
        return False
    return tried.low <= number <= tried.high and _end_of(tried, value) != end


def _end_of(tried: Range, value: str) -> str:
    """`lower` or `upper`; empty within the range, for anything but a number, and on a logarithmic
    scale that begins at 0 or below.
    """
    try:
        number = float(value)
    except ValueError:
        return ""
    low, high = tried.low, tried.high
    if tried.is_log:
        if min(number, low) <= 0:
            return ""
        number, low, high = math.log(number), math.log(low), math.log(high)
    near = _AT_THE_END * (high - low)
    if low <= number <= low + near:
        return "lower"
    return "upper" if high - near <= number <= high else ""


@check(
    "SP502",
    "A model that was not tuned",
    about=Chosen,
    quiet=True,
    what="A single run has the defaults of its model, and `conf/search` has a space for it.",
    why="That is how to begin, so a run's terminal does not say it. But a model with its defaults "
    "beside one that was searched make an unfair comparison: the difference may be the search. "
    "`compare` says so where it finds both, and the card and MLflow keep it.",
    fix="Search it too: `-m search=NAME`, with the same data and split.",
)
def not_tuned(chosen: Chosen) -> Iterator[str]:
    """A line if a model with a space of its own ran with defaults only."""
    defaults = chosen.defaults
    if defaults and all(chosen.values.get(key) == value for key, value in defaults.items()):
        yield (
            f"model={chosen.model}: ran with its defaults, of which {chosen.place} varies "
            f"{len(defaults)}; search them (-m search={chosen.model}) before comparing it with a "
            "tuned model"
        )


@check(
    "SP503",
    "Runs that cannot be paired",
    about=Compared,
    what="`compare` is asked for runs of other data, folds or metrics than the others.",
    why="Differences between models are small beside those between rows. Only answers to the same "
    "rows can be paired; a ranking over different folds ranks the folds. Such runs stand in tables "
    "of their own. `guards.SP503=error` of a run lets `compare` end with exit code 3.",
    fix="Run the models with the same dataset, split and seed (`split.random_state`).",
)
def unpaired(compared: Compared) -> Iterator[str]:
    """A line if runs do not share what a comparison needs."""
    if compared.differ:
        yield f"not paired with the runs above: other {' and '.join(compared.differ)}"
