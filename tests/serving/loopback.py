"""An app on loopback, as `serve` runs it, and raw connections to it."""

import socket
import threading
import time
from contextlib import contextmanager

import uvicorn

from student_perf.serving.serve import make_config

LIMIT = 60  # seconds that nothing needs unless it hangs


@contextmanager
def running(app, timeout_keep_alive=None):
    """Port of the app, served by a thread of this process."""
    config = make_config(app)
    if timeout_keep_alive is not None:
        config.timeout_keep_alive = timeout_keep_alive
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(LIMIT)
    assert not thread.is_alive()


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=LIMIT)


def received(connection):
    """All that comes until the other side closes."""
    content = b""
    try:
        while part := connection.recv(65_536):
            content += part
    except ConnectionError:
        pass
    return content


def wait_for(condition):
    until = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)
