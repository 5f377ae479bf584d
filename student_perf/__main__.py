"""`python -m student_perf <command>`."""

import sys

from student_perf.cli import main

sys.exit(main())
