import os
import signal
import socket
import sys
import threading

import pytest

from student_perf.errors import ConfigError, TrackingError
from student_perf.store import page_server
from student_perf.store.page_server import serve_page
from tests.servers import free_port

ANSWERS = """
import http.server, os, sys
print("noise", flush=True)
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
        self.wfile.write(os.environ["MLFLOW_BACKEND_STORE_URI"].encode())
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Page).serve_forever()
"""
FAILS = "import sys; print('a line'); print('no such table'); sys.exit(3)"


def served_by(monkeypatch, code):
    made = lambda port: [sys.executable, "-c", code, str(port)]  # noqa: E731
    monkeypatch.setattr(page_server, "_command", made)


@pytest.mark.parametrize("ending", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_it_says_when_it_answers_and_ends_with_its_caller(monkeypatch, capfd, ending):
    served_by(monkeypatch, ANSWERS)
    port, seen = free_port(), []

    def ready():
        seen.append(page_server._answers(port))
        threading.Timer(0.1, os.kill, (os.getpid(), getattr(signal, ending))).start()

    serve_page("sqlite:///here.db", port, ready)
    assert seen == [True]
    assert not page_server._answers(port)
    assert capfd.readouterr() == ("", "")


def test_a_server_that_fails_is_one_line_with_what_it_said(monkeypatch):
    served_by(monkeypatch, FAILS)
    with pytest.raises(TrackingError, match=r"\(exit code 3\): no such table$"):
        serve_page("sqlite:///here.db", free_port(), pytest.fail)


def test_a_port_that_is_taken_is_refused_before_anything_starts(monkeypatch):
    served_by(monkeypatch, "raise AssertionError")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--port={port}: another program answers there"):
            serve_page("sqlite:///here.db", port, pytest.fail)


def test_the_words_of_the_process_hold_no_store():
    command = page_server._command(5000)
    assert command[:4] == [sys.executable, "-m", "mlflow", "server"]
    assert command[4:] == ["--host", "127.0.0.1", "--port", "5000"]
