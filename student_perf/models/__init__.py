"""Models: libraries, estimators of the project, and the builder from config nodes to estimators.

`build` makes the estimator of a model node and is the door; `components` builds any class that a
config names, if the allow-list has it; `libraries` holds that list and all else that the project
knows of a library; `preprocess` builds the steps before the model; `labels` lets a fitted model
answer in class labels. The other modules are the project's own estimators.

>>> from student_perf.models.build import build_estimator
>>> forest = {"_target_": "sklearn.ensemble.RandomForestClassifier"}
>>> build_estimator({"name": "rf", "n_estimators": 50, "classifier": forest}, "classification")
RandomForestClassifier(n_estimators=50)

This file imports nothing: a logged model carries the package to its server, and there `labels` must
load without Hydra.
"""
