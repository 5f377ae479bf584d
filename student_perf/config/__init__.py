"""The composed config: typed, checked, with errors that name the fix.

`load.validate` is the door: Hydra composes plain YAML, and the rest of the package gets frozen
dataclasses. `typed` does it for any node:

>>> from student_perf.config.schema import ObjectiveConfig
>>> from student_perf.config.typed import typed_node
>>> typed_node(ObjectiveConfig, {"metric": "accuracy", "direction": "maximize"}, "objective")
ObjectiveConfig(metric='accuracy', direction='maximize')
>>> typed_node(ObjectiveConfig, {"metrik": "accuracy", "direction": "maximize"}, "objective")
Traceback (most recent call last):
    ...
student_perf.errors.ConfigError: objective.metrik=accuracy: the config has no key \
'objective.metrik'; did you mean metric?
"""
