from contextlib import ExitStack

import pytest

from student_perf.serving import protocol
from tests.serving.loopback import connect, received, running, wait_for

LARGE = 50_000_000  # more than the system's buffers take
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def app(scope, receive, send):
    """Reads what is sent to it, and answers."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    body = b"x" * LARGE if scope["path"] == "/large" else b"here"
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def port():
    with running(app) as number:
        yield number


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(protocol, "HEADER_SECONDS", 0.2)


def answers(port):
    with connect(port) as connection:
        connection.sendall(GET)
        return connection.recv(1000).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHos", b"x" * 100])
@pytest.mark.slow
def test_who_sends_no_whole_header_in_time_is_cut_off(hasty, port, sent):
    with connect(port) as connection:
        connection.sendall(sent)
        assert received(connection) == b""
    assert answers(port)


def test_more_bytes_buy_no_more_time(hasty, port):
    with connect(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nX: ")

        def is_cut_off():
            try:
                connection.sendall(b"y")
            except ConnectionError:
                return True
            return False

        wait_for(is_cut_off)


def test_a_second_header_on_a_connection_has_as_long(hasty, port):
    with connect(port) as connection:
        connection.sendall(GET)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        connection.sendall(GET[:20])
        assert b"HTTP/1.1" not in received(connection)  # the rest of the first answer at most


def test_a_line_without_end_is_refused(port):
    with connect(port) as connection:
        connection.sendall(b"GET /" + b"x" * 60_000)
        assert received(connection)[:12] in (b"HTTP/1.1 400", b"")  # or cut off before
    assert answers(port)


def test_the_connection_that_waits_longest_makes_room_and_work_is_not_cut_off(port, monkeypatch):
    monkeypatch.setattr(protocol, "MOST_CONNECTIONS", 8)
    with ExitStack() as stack:
        idle = [stack.enter_context(connect(port)) for _ in range(30)]
        assert answers(port)
        assert received(idle[0]) == b""
        idle[-1].sendall(GET)
        assert idle[-1].recv(1000).startswith(b"HTTP/1.1 200")


def test_a_half_body_makes_room_too(port, monkeypatch):
    monkeypatch.setattr(protocol, "MOST_CONNECTIONS", 4)
    half = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf"
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(connect(port)).sendall(half)
        assert answers(port)


@pytest.mark.parametrize("header", [b"", b"Connection: close\r\n"])
def test_who_does_not_take_an_answer_is_cut_off(monkeypatch, header):
    monkeypatch.setattr(protocol, "FLUSH_SECONDS", 0)
    with running(app, timeout_keep_alive=0) as port, connect(port) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n" + header + b"\r\n")
        wait_for(lambda: connection.recv(1) == b"H")
        assert len(received(connection)) < LARGE
