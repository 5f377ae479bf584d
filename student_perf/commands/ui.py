"""`python -m student_perf ui`: a page on this machine, MLflow's at the runs that are meant, or
Optuna's of a sweep.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack

from student_perf.commands.arguments import RUN, TRACKING, check_port, reading, store_of
from student_perf.errors import ConfigError
from student_perf.exit_codes import ExitCode
from student_perf.shell import install_extra
from student_perf.terminal import Terminal

HELP = "open MLflow's page on this machine"
GROUP = TRACKING
PARENTS = (reading(),)
USES_METRICS = False
_ON_SERVER = "The store is a server already; open in a browser: {}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to open, and the port."""
    what = f"{RUN} (default: all runs and winners of the experiment)"
    parser.add_argument("run", nargs="?", help=what)
    parser.add_argument("--port", type=int, default=5000, help="port of the page")
    of_optuna = "the study of a sweep in optuna-dashboard, to look at, also while it runs"
    parser.add_argument("--optuna", action="store_true", help=of_optuna)


def run(chosen: argparse.Namespace) -> int:
    """Serve a page on loopback until Ctrl-C, or name the server's.

    Raises:
        ConfigError: There is no such run, it is not in the store, the port is taken, or what shows
            the page is not installed.
        TrackingError: There is no store, or MLflow's server fails.
    """
    check_port(chosen.port)
    if chosen.optuna:
        return _open_study(chosen.run or "latest", chosen.port)
    from student_perf.store.address import default_tracking, is_server, kept_address
    from student_perf.store.client import check_readable
    from student_perf.store.find import find_run
    from student_perf.store.page import open_address
    from student_perf.store.page_server import serve_page
    from student_perf.store.views import page_of

    record = find_run(chosen.run, chosen.store) if chosen.run else None
    noted = kept_address(record.folder, record.tracking_uri) if record else None
    if noted and not chosen.store:
        print(_ON_SERVER.format(noted))
        return ExitCode.DONE
    store = store_of(chosen, record)
    if not is_server(store):
        check_readable(store)
    page = page_of(store, chosen.port) or f"http://127.0.0.1:{chosen.port}"
    address = open_address(page, store, default_tracking().experiment, record)
    if is_server(store):
        print(_ON_SERVER.format(address))
        return ExitCode.DONE
    print("Starting MLflow's server; this takes some seconds.", flush=True)
    with ExitStack() as waiting:
        waiting.enter_context(Terminal().waiting("starting"))

        def ready() -> None:
            waiting.close()
            print(f"MLflow's page (Ctrl-C ends it): {address}", flush=True)

        serve_page(store, chosen.port, ready)
    return ExitCode.DONE


def _open_study(word: str, port: int) -> int:
    from student_perf.store.find import find_run, is_on_disk
    from student_perf.store.page_server import HOST
    from student_perf.sweep.dashboard import serve_study
    from student_perf.sweep.plan import JOURNAL_FILE

    record = find_run(word)
    is_sweep = record.kind == "sweep"
    name, folder = (
        (record.name, record.folder) if is_sweep else (record.study, record.folder.parent)
    )
    if name is None or not is_on_disk(record):
        raise ConfigError(f"{word}: is not a sweep on this disk; name one, or its folder")
    journal = folder / JOURNAL_FILE
    if not journal.is_file():
        raise ConfigError(
            f"{folder}: its study is in a database; to see it: optuna-dashboard <address>"
        )
    study = f"http://{HOST}:{port}/dashboard/studies/0"  # a journal holds one
    ready = f"Optuna's page of {name} (Ctrl-C ends it): {study}"
    try:
        serve_study(journal, port, lambda: print(ready, flush=True))
    except ImportError as error:
        raise ConfigError(
            "ui --optuna: needs optuna-dashboard, which is not installed; "
            f"run: {install_extra('dashboard')}"
        ) from error
    return ExitCode.DONE
