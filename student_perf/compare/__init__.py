"""From runs to a justified choice.

`leaderboard` says who is best, who is tied, and which run to take; `filter` chooses among records;
`tuning` takes the luck of choosing out of a sweep's best score; `permuted` refits a run to labels
that mean nothing; `outcome` says what came of a sweep, for every place that shows it; `show` writes
a leaderboard as text, CSV, JSON or Markdown.

>>> from pathlib import Path
>>> from student_perf.compare.leaderboard import make_leaderboards
>>> from student_perf.runs import tags
>>> from student_perf.runs.record import RunRecord
>>> def run(model: str, scores: list[float]) -> RunRecord:
...     params = {"model.name": model, "objective.metric": "accuracy", "test_over_train": "0.25"}
...     same_rows = {tags.DATA_SHA256: "d1", tags.SPLIT_SHA256: "f1"}
...     figures = {"fold_accuracy": scores, "cv_accuracy_mean": sum(scores) / len(scores)}
...     return RunRecord(Path(model), model, "single", params, same_rows, figures, "FINISHED")
>>> runs = [run("logreg", [0.71, 0.69, 0.72]), run("rf", [0.72, 0.71, 0.70])]
>>> (board,) = make_leaderboards(runs)
>>> [(line.record.model, f"{line.mean:.3f}", line.tied) for line in board.lines]
[('rf', '0.710', True), ('logreg', '0.707', True)]
>>> board.recommended.record.model  # the simplest of those tied
'logreg'
"""
