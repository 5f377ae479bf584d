"""One module for each `python -m student_perf <command>`.

Each has `HELP`, one line; `add_arguments(parser)`; and `run(chosen)`, which returns the exit code
or raises a StudentPerfError. They are imported to print `--help`, so what is heavy is imported
inside `run`.
"""
