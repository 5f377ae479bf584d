"""`python -m student_perf <command>`."""

import sys

from student_perf.cli import main

if __name__ == "__main__":  # a worker process imports this module, too
    sys.exit(main())
