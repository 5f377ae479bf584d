"""The record of a run on disk: its files, and what each says.

`record` holds the typed `RunRecord` behind `record.json`; `layout` every file name and folder;
`tags` every tag's name; `artifacts` writes a run's files. One module each answers for stored
`predictions`, the `model_file`, `golden` rows, the model `card`, `provenance`, and how often test
rows were looked at (`looks`).

>>> from pathlib import Path
>>> from student_perf.runs.record import RunRecord
>>> params = {"model.name": "rf", "objective.metric": "accuracy", "test_over_train": "0.25"}
>>> scores = {"fold_accuracy": [0.40, 0.45, 0.44], "dummy_accuracy_mean": 0.32}
>>> record = RunRecord(Path("outputs/day/time"), "rf", "single", params, {}, scores)
>>> record.model, record.dummy("accuracy"), record.status
('rf', 0.32, 'RUNNING')
>>> estimate = record.estimate("accuracy")
>>> print(f"{estimate.mean:.2f}, {estimate.low:.2f} to {estimate.high:.2f}")
0.43, 0.34 to 0.52
"""
