"""Models: libraries, estimators of the project, and the builder from config nodes to estimators.

`build.build_estimator` is the door. This file imports nothing: a logged model carries the package
to its server, and there `labels.py` must load without Hydra.
"""
