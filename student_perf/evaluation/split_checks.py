"""Checks of ties between rows that the split does not respect, and of weights that are left out.

They fit something or need the model, so a command asks them once.
"""

from __future__ import annotations

from collections.abc import Iterator

from student_perf.evaluation.advice import advise
from student_perf.evaluation.registry import Subject, check
from student_perf.models.weights import takes_weights
from student_perf.scoring.metrics import METRICS


@check(
    "SP401",
    "Rows that know each other, and a split that does not mind",
    what="Rows are copies of each other, belong to one person or school, follow in time, or stand "
    "in sorted blocks, and the folds are drawn as if none of this were so.",
    why="A model then meets in its held-out rows what it knows from training, and the score is "
    "better than for new persons or later terms; the ranking of models changes, too. The line says "
    "how far the score of a small forest moves.",
    fix="Type what the line says, for example `dataset.group=student_id "
    "split=stratified_group_kfold` or `dataset.time=date split=temporal`. If new rows will be of "
    "the same persons, the finding is a fact about the data.",
    costly=True,
)
def ties(subject: Subject) -> Iterator[str]:
    """A line for each tie between rows that the split does not respect."""
    yield from advise(
        subject.dataset, subject.split, subject.split_config, subject.config, subject.metric
    )


@check(
    "SP402",
    "Weights that are left out",
    what="`dataset.weight` is declared, and the fit of the model or a metric of your own takes no "
    "weights.",
    why="The model then learns from every row alike, while the scores count the weights, so it is "
    "not the model that the weights ask for.",
    fix="Choose a model whose fit takes weights, or leave `dataset.weight` out.",
    costly=True,
)
def left_out_weights(subject: Subject) -> Iterator[str]:
    """A line for a model, and one for metrics, that take no weights."""
    weight, pipeline = subject.config.weight, subject.pipeline
    if weight is None:
        return
    if pipeline is not None and not takes_weights(pipeline):
        yield (
            f"the fit of {type(pipeline.steps[-1][1]).__name__} takes no weights, so it learns "
            f"from every row alike; scores and dummy count dataset.weight={weight}"
        )
    known = [METRICS[name] for name in subject.dataset.metrics]
    if unweighted := [metric.label for metric in known if not metric.takes_weights]:
        yield f"no weights, and so no figure: {', '.join(unweighted)}"
