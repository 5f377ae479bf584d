"""One experiment, from a valid config to a published record; `run.run_experiment` is the door.

`prepare` settles everything that can be refused before the first fit; `compute` evaluates and fits,
and writes nothing; `records` says what the run records; `show` prints it; `rebuild` makes the
config of a recorded run again, without trusting the record:

>>> from student_perf.experiment.rebuild import rebuild_config
>>> bad = {"model": {"classifier": {"_target_": "os.system", "command": "date"}}}
>>> rebuild_config(bad)  # doctest: +ELLIPSIS
Traceback (most recent call last):
    ...
student_perf.errors.ConfigError: model.classifier._target_=os.system: only classes below ...
"""
