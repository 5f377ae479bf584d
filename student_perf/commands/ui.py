"""`python -m student_perf ui`: MLflow's page on this machine, at the runs that are meant."""

from __future__ import annotations

import argparse

from student_perf.commands.arguments import RUN, TRACKING, reading, store_of
from student_perf.exit_codes import ExitCode

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


def run(chosen: argparse.Namespace) -> int:
    """Serve MLflow's page on loopback until Ctrl-C, or name the server's.

    Raises:
        ConfigError: There is no such run, it is not in the store, or the port is taken.
        TrackingError: There is no store, or MLflow's server fails.
    """
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
    ready = f"MLflow's page (Ctrl-C ends it): {address}"
    serve_page(store, chosen.port, lambda: print(ready, flush=True))
    return ExitCode.DONE
