"""Downloads against a server on loopback that behaves well, badly, or not at all."""

import http.server
import io
import struct
import threading
import zipfile
from dataclasses import replace
from typing import ClassVar

import pandas as pd
import pytest

from student_perf.config.schema import ArchiveDataset
from student_perf.data import archive
from student_perf.data.archive import cached_file, read_archive
from student_perf.data.fingerprint import fingerprint_table
from student_perf.errors import DataError

CSV = b"hours;grade\n1;a\n2;b\n3;a\n"
TABLE = pd.DataFrame({"hours": [1, 2, 3], "grade": ["a", "b", "a"]})


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            out.writestr(name.replace("__", "."), content)
    return buffer.getvalue()


GOOD = zipped(student__zip=zipped(mat__csv=CSV))


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers each path as its name says."""

    requests: ClassVar[list[str]] = []

    def do_GET(self):
        Handler.requests.append(self.path)
        name = self.path.strip("/")
        if name == "hanging":
            self.server.over.wait(600)
            return
        if name == "gone":
            self.send_error(404)
            return
        if name == "dripping":
            self.send_response(200)
            self.end_headers()
            while not self.server.over.wait(0.1):
                try:
                    self.wfile.write(b"P")
                except OSError:
                    return
            return
        body = BODIES[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) + (100 if name == "cut" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


BODIES = {
    "good": GOOD,
    "cut": GOOD[: len(GOOD) // 2],
    "half": GOOD[: len(GOOD) // 2],
    "page": b"<html>Log in first</html>",
    "empty": b"",
    "other": zipped(student__zip=zipped(mat__csv=CSV.replace(b"1;a", b"9;a"))),
    "no_member": zipped(student__zip=zipped(por__csv=CSV)),
    "no_inner": zipped(readme__txt=b"moved"),
    "broken_inner": zipped(student__zip=b"PK not a zip"),
    "climbing": zipped(**{"../../mat__csv": CSV}),
    "no_table": zipped(student__zip=zipped(mat__csv=b"a;b\n1;2;3\n")),
    "damaged": GOOD.replace(GOOD[60:64], b"\x00\x00\x00\x00", 1),
}


@pytest.fixture(scope="module")
def server():
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.over = threading.Event()
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.over.set()
    running.shutdown()


@pytest.fixture
def config(server, tmp_path):
    return ArchiveDataset(
        name="mat",
        version="1",
        source="archive",
        target="grade",
        task="classification",
        bands=None,
        classes=None,
        drop=[],
        url=f"{server}/good",
        member="student.zip/mat.csv",
        separator=";",
        content_sha256=fingerprint_table(TABLE),
        path=None,
        cache=str(tmp_path / "cache"),
        timeout=60.0,
    )


def test_first_use_downloads_and_the_next_reads_the_cache(config):
    Handler.requests.clear()
    for _ in range(3):
        pd.testing.assert_frame_equal(read_archive(config), TABLE)
    assert Handler.requests == ["/good"]
    assert cached_file(config).read_bytes() == CSV
    assert [path.name for path in cached_file(config).parent.iterdir()] == ["mat.csv"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("hanging", "timed out.*1. try again.*2. fetch it.*3. use dataset=econmath"),
        ("gone", "404|Not Found"),
        ("cut", "IncompleteRead|incomplete"),
        ("half", "not an intact zip"),
        ("page", "not an intact zip"),
        ("empty", "not an intact zip"),
        ("other", r"holds another table .3 x 2"),
        ("no_member", "the archive holds por.csv, but no 'mat.csv'"),
        ("no_inner", "the archive holds readme.txt, but no 'student.zip'"),
        ("broken_inner", "not an intact zip"),
        ("climbing", "but no 'student.zip'"),
        ("no_table", "and the header"),
    ],
)
def test_bad_answers_are_one_line_and_leave_the_cache_as_it_was(config, server, path, message):
    timeout = 0.5 if path == "hanging" else config.timeout
    with pytest.raises(DataError, match=message) as caught:
        read_archive(replace(config, url=f"{server}/{path}", timeout=timeout))
    assert "\n" not in str(caught.value)
    assert not list(cached_file(config).parent.glob("*"))


@pytest.mark.slow
def test_a_server_that_drips_is_given_up(config, server, monkeypatch):
    monkeypatch.setattr("student_perf.data.archive._PATIENCE", 1 / 60)
    with pytest.raises(DataError, match="not complete after 1 s"):  # it would drip for ever
        read_archive(replace(config, url=f"{server}/dripping"))


def test_without_network_the_ways_out_are_listed(config):
    with pytest.raises(DataError) as caught:
        read_archive(replace(config, url="http://127.0.0.1:9/x.zip"))
    for way in ("(1) try again", "(2) fetch it by other means", "(3) use dataset=econmath"):
        assert way in str(caught.value)


def test_a_member_never_leads_out_of_the_archive(config, server, tmp_path):
    outside = tmp_path / "mat.csv"
    with pytest.raises(DataError):
        read_archive(
            replace(config, url=f"{server}/climbing", member="../../mat.csv", separator=",")
        )
    assert not outside.exists()


def test_a_zip_bomb_is_refused_by_its_header_and_never_read_past_it(config, monkeypatch):
    content = zipped(big__csv=b"0" * 5000)
    monkeypatch.setattr(archive, "LARGEST_BYTES", 4000)
    with pytest.raises(DataError, match="unpacks to more than 2 GB; refused"):
        archive._member(content, "big.csv", config)
    # A header that lies about the size: what it promises is all that is read.
    lying = content.replace(struct.pack("<I", 5000), struct.pack("<I", 100))
    with pytest.raises(DataError, match="not an intact zip"):
        archive._member(lying, "big.csv", config)


def test_a_download_without_end_is_refused(config, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST_BYTES", 50)
    with pytest.raises(DataError, match="more than 2 GB"):
        read_archive(config)


def test_a_damaged_cache_is_named_and_kept(config):
    read_archive(config)
    cached_file(config).write_bytes(CSV.replace(b"2;b", b"7;b"))
    with pytest.raises(DataError, match=r"cached file .* holds another table"):
        read_archive(config)
    assert b"7;b" in cached_file(config).read_bytes()


def test_a_file_of_the_user_is_verified_unless_told_otherwise(config, tmp_path):
    own = tmp_path / "own.csv"
    own.write_bytes(CSV.replace(b"\n", b"\r\n"))  # line ends do not matter
    pd.testing.assert_frame_equal(read_archive(replace(config, path=str(own))), TABLE)
    own.write_bytes(CSV.replace(b"2;b", b"7;b"))
    with pytest.raises(DataError, match="content_sha256=null"):
        read_archive(replace(config, path=str(own)))
    assert read_archive(replace(config, path=str(own), content_sha256=None))["hours"][1] == 7
