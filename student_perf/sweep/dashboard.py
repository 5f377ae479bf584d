"""optuna-dashboard on the study of a sweep, to look at only."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna.storages.journal import JournalFileBackend

from student_perf.errors import StudentPerfError
from student_perf.store.page_server import HOST, check_free
from student_perf.sweep.journal import IndexedJournal


def serve_study(journal: Path, port: int, ready: Callable[[], None]) -> None:
    """Serve the page on loopback until this process is interrupted; trials that come are shown.

    Args:
        journal: Of the study. The page cannot change it: its buttons for that fail.
        port: Where the page answers.
        ready: Called once it does.

    Raises:
        ConfigError: The port is taken.
        ImportError: optuna-dashboard is not installed.
    """
    page = study_page(journal)
    check_free(port)
    with make_server(HOST, port, page, server_class=_Server, handler_class=_Quiet) as server:
        ready()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


def study_page(journal: Path) -> Any:
    """The page as a WSGI application. Raises ImportError if optuna-dashboard is not installed."""
    from optuna_dashboard import wsgi

    logging.getLogger("optuna_dashboard").setLevel(logging.CRITICAL)  # of buttons that fail
    return wsgi(IndexedJournal(_ToRead(str(journal))))


class _ToRead(JournalFileBackend):
    """A journal that nothing is written to."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Raises StudentPerfError."""
        raise StudentPerfError("the page only shows the study; nothing is changed")


class _Server(ThreadingMixIn, WSGIServer):
    """A page asks for several things at a time."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    """No line for each request."""

    def log_message(self, *words: Any) -> None:
        """Says nothing."""
