"""One module for each `python -m student_perf <command>`; `cli` finds them by walking this folder.

Each has `HELP`, one line; `GROUP`, under which `--help` lists it; `PARENTS`, the shared arguments
that it takes from `arguments`; `add_arguments(parser)` for its own; and `run(chosen)`, which
returns an exit code or raises a StudentPerfError. One that can also return FINDING or ROWS_REFUSED
says so in `CODES`. All are imported to print `--help`, so heavy imports stand inside `run`.

>>> import argparse
>>> from student_perf.commands import check
>>> parser = argparse.ArgumentParser(parents=check.PARENTS)
>>> check.add_arguments(parser)
>>> parser.parse_args(["latest", "--store", "sqlite:///runs.db"])
Namespace(workspace=None, accept_changes=False, store='sqlite:///runs.db', run='latest')
"""
