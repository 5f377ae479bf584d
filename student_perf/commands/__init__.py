"""One module for each `python -m student_perf <command>`; `cli` finds them by walking this folder.

Each has `HELP`, one line; `GROUP`, under which `--help` lists it; `PARENTS`, the shared arguments
that it takes from `commands.arguments`; `add_arguments(parser)` for its own; and `run(chosen)`,
which returns an exit code or raises a StudentPerfError. They are imported to print `--help`, so
heavy imports stand inside `run`.
"""
