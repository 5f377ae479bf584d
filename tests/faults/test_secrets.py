"""No secret in any file, page, database row, bundle, log or process list, whatever happens."""

import os
import re
import shutil
import signal
import threading
import time
import urllib.request
import zipfile
from pathlib import Path

import psycopg
import pytest

from tests.faults.conftest import check_whole, one_error
from tests.servers import QUICK_SERVER, free_port, postgres_server
from tests.sweep.conftest import wait_until
from tests.sweep.test_run import descendants

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("initdb") is None, reason="PostgreSQL is not installed here"),
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the system has no /proc"),
]

PASSWORD = "rosebud77"  # of the database
API_KEY = "hunter2-api-key"
TOKEN = "swordfish9-token"  # in the environment
SECRETS = (PASSWORD, API_KEY, TOKEN)
TAGS = (f"+tags.api_key={API_KEY}", "+tags.session_token=${oc.env:MY_TOKEN}")


class Watch:
    """Looks at all processes of a session while they live: their words and environments."""

    def __init__(self) -> None:
        self.sessions: set[int] = set()
        self.seen: dict[int, tuple[bytes, bytes]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            for place in Path("/proc").glob("[0-9]*"):
                try:
                    session = int((place / "stat").read_text().rpartition(")")[2].split()[3])
                    if session in self.sessions:
                        words = (place / "cmdline").read_bytes().replace(b"\0", b" ")
                        self.seen[int(place.name)] = words, (place / "environ").read_bytes()
                except OSError:  # it has ended
                    continue

    def close(self) -> None:
        self._over.set()
        self._thread.join()


@pytest.fixture
def secretive(bench):
    """A bench whose processes are watched, with a database that has a password."""
    (bench.here / "tmp").mkdir()
    bench.environment |= QUICK_SERVER | {"TMPDIR": str(bench.here / "tmp")}
    bench.environment |= {"MY_TOKEN": TOKEN, "MLFLOW_TRACKING_TOKEN": TOKEN}
    watch, start = Watch(), bench.start

    def watched(*words, **more):
        process = start(*words, **more)
        watch.sessions.add(process.pid)
        return process

    bench.start, bench.watch = watched, watch
    with postgres_server() as server:
        bench.server = server
        yield bench
        for process in bench.processes:
            process.poll() is None and os.killpg(process.pid, signal.SIGKILL)
    watch.close()


def check_secrets(bench, typed=()):
    """Nowhere is a secret; `typed` are processes whose words the user has typed."""
    places = [path for top in (bench.workspace, bench.here) for path in top.rglob("*")]
    files = [path for path in places if path.is_file()]
    assert len(files) > 10
    for path in files:
        contents = [path.read_bytes()]
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                contents += [archive.read(name) for name in archive.namelist()]
        for content in contents:
            assert not [s for s in SECRETS if s.encode() in content], path
    dumped = dump(bench.server.uri)
    assert not [secret for secret in SECRETS if secret in dumped]
    own = {bench.watch.seen[process.pid][0] for process in typed}  # and their forks
    assert bench.watch.seen
    for words, environment in bench.watch.seen.values():
        if words not in own:
            assert not [s for s in SECRETS if s.encode() in words], words
        # The token is there since the user has put it there.
        assert API_KEY.encode() not in environment, words


def dump(uri):
    """Every row of every table, as text."""
    with psycopg.connect(uri) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        rows = [
            row[0]
            for (table,) in tables
            for row in connection.execute(f'SELECT t::text FROM "{table}" t').fetchall()
        ]
    return "\n".join(rows)


@pytest.mark.fault(
    "Secrets",
    "a run with a key among its tags, a token in the environment and a password in `tracking.uri`",
    "no secret in a file, row, page, bundle, log or process list: after success, failure, "
    "tracebacks, `sync`, `export`, `serve` and `ui`",
)
def test_of_a_run(secretive):
    bench = secretive
    bench.open_gate()
    words = ["train", *bench.data(), *TAGS, f"tracking.uri={bench.server.uri}"]
    bench.server.stop()
    done = bench.run(*words)
    assert done.code == 0, done.err
    assert "postgresql://tracker:***@" in done.out
    bench.server.start()
    one_error(bench.run("sync"), "set MLFLOW_TRACKING_URI")
    one_error(bench.run(*words, f"dataset.path=/none/{API_KEY}"), "/none/***")
    bench.environment |= {"HYDRA_FULL_ERROR": "1"}
    traced = bench.start(*words, f"dataset.path=/none/{API_KEY}")
    assert traced.wait(timeout=600) == 1
    typed = bench.processes[:]
    bench.environment |= {"HYDRA_FULL_ERROR": "0", "MLFLOW_TRACKING_URI": bench.server.uri}
    assert bench.run("sync").code == 0
    folder = str(next(bench.workspace.glob("outputs/*/*/model.skops")).parent)
    assert bench.run("export", folder, str(bench.here / "b.zip")).code == 0
    assert bench.run("report", folder).code == 0
    assert PASSWORD not in serve(bench, folder)
    show_page(bench, folder)
    assert API_KEY.encode() in bench.watch.seen[traced.pid][0]  # the watch sees what there is
    assert "***" in dump(bench.server.uri)
    check_secrets(bench, [process for process in typed if process.pid in bench.watch.seen])


def serve(bench, folder):
    """What the service answers to a browser and a client."""
    port = free_port()
    process = bench.start("serve", folder, "--port", str(port))
    paths = ("", "docs", "openapi.json", "health", "nothing")
    answers = [get(process, f"http://127.0.0.1:{port}/{path}") for path in paths]
    process.terminate()
    process.wait(timeout=60)
    return "\n".join(answers)


def show_page(bench, folder):
    """MLflow's own server beside the page of a run."""
    port = free_port()
    process = bench.start("ui", folder, "--port", str(port))
    get(process, f"http://127.0.0.1:{port}/health")
    children = [bench.watch.seen.get(pid) for pid in descendants(process.pid)]
    wait_until(lambda: all(pid in bench.watch.seen for pid in descendants(process.pid)))
    assert children
    os.killpg(process.pid, signal.SIGINT)
    process.wait(timeout=60)


def get(process, address):
    """An answer, whatever its status, of a server that may still be starting."""
    while process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            return error.read().decode(errors="replace")
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"the server has ended with {process.returncode}")


@pytest.mark.fault(
    "Secrets",
    "the same in a tracked sweep of two workers, also in jobs of joblib, whose publisher is killed",
    "no secret in a file, row, page, bundle, log or process list",
)
@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_of_a_sweep(launcher, secretive):
    bench = secretive
    storage = bench.server.add_database("study")
    words = [f"tracking.uri={bench.server.uri}", f"hydra.sweeper.storage={storage}",
             f"hydra/launcher={launcher}", *TAGS]  # fmt: skip
    process = bench.start_sweep(*words)
    bench.await_gate()
    bench.await_sent()
    if launcher == "basic":
        (publisher,) = set(descendants(process.pid)) - set(bench.waiting())
        os.kill(publisher, signal.SIGKILL)
    bench.open_gate()
    done = bench.outcome(process)
    assert (done.code, done.err) == (0, "")
    failed = bench.start_sweep(*words, f"dataset.path=/none/{API_KEY}")
    one_error(bench.outcome(failed), "/none/***")
    bench.environment["MLFLOW_TRACKING_URI"] = bench.server.uri
    check_whole(bench.folder, bench.server.uri, storage)
    assert bench.run("sync", str(bench.folder)).code == 0
    assert bench.run("export", str(bench.folder / "winner"), str(bench.here / "b.zip")).code == 0
    assert bench.run("check", str(bench.folder)).code == 0
    assert re.search(r"postgresql.*:\*\*\*@", (bench.folder / "record.json").read_text())
    check_secrets(bench, [process, failed])
