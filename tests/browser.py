"""Debian's Chromium without a window, driven through its debugging pipe; needs nothing but Python.

MLflow's page draws for seconds after it has loaded: `wait` asks it again until an expression holds.
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_WORDS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--remote-debugging-pipe",
)
_SECONDS = 60


class Page:
    """One tab. Expressions are JavaScript; their values come back as Python's."""

    def __init__(self, send: Callable[[Any], None], receive: Callable[[], Any]) -> None:
        self._send, self._receive, self._number, self._session = send, receive, 0, ""
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]

    def open(self, address: str) -> None:
        """Go to an address, as if it were typed into a fresh tab."""
        self._ask("Page.navigate", url="about:blank")
        self._ask("Page.navigate", url=address)

    def ask(self, expression: str) -> Any:
        """Value of an expression, a promise's too."""
        answer = self._ask(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, expression: str, seconds: float = _SECONDS) -> Any:
        """The first value of an expression that is not empty, false or null, and no error: what it
        asks for may not be there yet.
        """
        tried = f"(() => {{ try {{ return ({expression}) }} catch {{ return null }} }})()"
        until = time.monotonic() + seconds
        while not (value := self.ask(tried)):
            assert time.monotonic() < until, f"{expression}\n{self.text()[:3000]}"
            time.sleep(0.2)
        return value

    def text(self) -> str:
        """What a reader sees of the page."""
        text: str = self.ask("document.body ? document.body.innerText : ''")
        return text

    def press(self, key: str) -> None:
        """Press and let go of a key, for example `Escape`."""
        for kind in ("keyDown", "keyUp"):
            self._ask("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def click(self, expression: str) -> None:
        """Click in the middle of the element that an expression gives, once it is there."""
        box = self.wait(
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); const b = e.getBoundingClientRect(); "
            f"return {{x: b.x + b.width / 2, y: b.y + b.height / 2}} }})({expression})"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._ask("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **box)

    def save(self, file: str | Path) -> None:
        """Keep a picture of what is in view."""
        picture = self._ask("Page.captureScreenshot", format="png")["data"]
        Path(file).write_bytes(base64.b64decode(picture))

    def _ask(self, method: str, **words: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": words}
        if self._session:
            message["sessionId"] = self._session
        self._send(message)
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer)
                return answer["result"]


@contextmanager
def browser(width: int = 1600, height: int = 1000) -> Iterator[Page]:
    """A page in a browser with a profile of its own; ended with all its processes."""
    assert CHROMIUM is not None
    to_browser, from_us = os.pipe()
    to_us, from_browser = os.pipe()

    def take_pipes() -> None:  # Chromium reads from 3 and writes to 4
        reading, writing = os.dup(to_browser), os.dup(from_browser)
        os.dup2(reading, 3)
        os.dup2(writing, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        words = [*_WORDS, f"--user-data-dir={profile}", f"--window-size={width},{height}"]
        running = subprocess.Popen(
            [CHROMIUM, *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            close_fds=False,
            preexec_fn=take_pipes,
        )
        os.close(to_browser)
        os.close(from_browser)
        with os.fdopen(from_us, "wb") as writer, os.fdopen(to_us, "rb") as reader:
            try:
                yield Page(lambda message: _write(writer, message), lambda: _read(reader))
            finally:
                os.killpg(running.pid, 9)
                running.wait()


def _write(writer: IO[bytes], message: Any) -> None:
    writer.write(json.dumps(message).encode() + b"\0")
    writer.flush()


def _read(reader: IO[bytes]) -> Any:
    text = bytearray()
    while (byte := reader.read(1)) != b"\0":
        assert byte, "the browser has ended"
        text += byte
    return json.loads(text)
