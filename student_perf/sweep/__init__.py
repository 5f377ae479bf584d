"""Sweeps: many trials of one experiment, run by `-m`; `run.run_sweep` says what happens when.

`sweeper` is Hydra's entry. `options`, `space` and `plan` settle and check everything before the
first trial; `study` keeps Optuna's study, `worker` runs trials, by `compose` and `evaluate`, in
processes of `local`; `publishing` sends them meanwhile; `winner` fits the best once more; `nested`
does all this in each outer fold; `record` and `show` hold what is recorded and printed.

>>> from hydra.core.override_parser.overrides_parser import OverridesParser
>>> from student_perf.sweep.grammar import parse_parameter
>>> parse = OverridesParser.create().parse_override
>>> parse_parameter(parse("model.max_depth=range(2,6)")).grid
(2, 3, 4, 5)
>>> parse_parameter(parse("model.C=tag(log,interval(0.01,10))")).describe()
'0.01 to 10, log scale'
"""
