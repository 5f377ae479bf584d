"""A kept model behind HTTP: requests are checked and answered by its contract."""

from __future__ import annotations

import hashlib
import json
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import uvicorn
import yaml
from pydantic_core import to_json
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from student_perf.data.features import prepare_features
from student_perf.errors import ConfigError, StudentPerfError
from student_perf.pages.service import page
from student_perf.runs.golden import check_golden_rows
from student_perf.runs.layout import CONTRACT_FILE, MODEL_FILE, holds_record
from student_perf.runs.record import load_record
from student_perf.serving.array_model import make_array_model
from student_perf.serving.openapi import JSON, make_openapi
from student_perf.serving.predict import check_model
from student_perf.serving.request_rows import (
    Columns,
    MalformedError,
    RefusedError,
    RequestReader,
    example_row,
    problem_counts,
    to_table,
)
from student_perf.store.kept_model import KeptModel

_MOST_REFUSALS = 1000  # of an answer; the count is always whole
_INLINE_BYTES = 65_536  # a larger batch is answered in a thread, so that others do not wait
_MOST_CONNECTIONS = 256

WriteLine = Callable[[str], None]


@dataclass(frozen=True)
class Limits:
    """The largest request that is read."""

    request_bytes: int = 1_048_576
    rows: int = 1000

    def __post_init__(self) -> None:
        """Raise ConfigError for a limit below 1."""
        for option, value in (
            ("--max-request-bytes", self.request_bytes),
            ("--max-rows", self.rows),
        ):
            if value < 1:
                raise ConfigError(f"{option} {value}: must be at least 1; leave it out")


class Predictor:
    """A kept model that answers requests.

    Raises StudentPerfError if the model fails its golden rows, or has none.
    """

    def __init__(self, kept: KeptModel, max_rows: int) -> None:
        self.kept = kept
        self.reader = RequestReader(kept.contract, max_rows)
        self._arrays = None
        wrong = self.check()
        if wrong:
            raise StudentPerfError(
                f"{kept.source}: is not served, {'; '.join(wrong)}; see: check {kept.source}"
            )
        assert kept.golden is not None
        golden, _ = prepare_features(pd.DataFrame(kept.golden.rows), kept.contract)
        self._arrays = make_array_model(kept, golden)

    def check(self) -> list[str]:
        """The golden rows that are answered differently here; empty if all answers agree."""
        wrong = check_model(self.kept)
        if self._arrays is None or wrong:
            return wrong
        assert self.kept.golden is not None
        mismatches = check_golden_rows(self.kept.golden, self.kept.contract, self._arrays.output)
        return [str(mismatch) for mismatch in mismatches]

    def answer(self, body: bytes) -> list[dict[str, Any]]:
        """One answer for each row of a request. Raises MalformedError and RefusedError."""
        columns, _ = self.reader.read(body)
        output = self._output(columns)
        classes = self.kept.contract.classes
        if not classes:
            return [{"prediction": number} for number in output.tolist()]
        return [
            {
                "prediction": classes[best],
                "probabilities": dict(zip(classes, row, strict=True)),
            }
            for best, row in zip(output.argmax(axis=1).tolist(), output.tolist(), strict=True)
        ]

    def _output(self, columns: Columns) -> np.ndarray:
        if self._arrays is not None:
            return self._arrays.output(columns)
        return self.kept.output(to_table(columns, self.kept.contract))


def describe(kept: KeptModel) -> dict[str, Any]:
    """Contract, run and hashes of a model, as far as its files hold them."""
    facts: dict[str, Any] = {"source": kept.source}
    if holds_record(kept.folder):
        record = load_record(kept.folder)
        facts |= {"run": record.name, "run_id": record.mlflow_run_id}
        hashes = {
            "config_hash": record.config_sha256,
            "data_sha256": record.data_sha256,
            "split_sha256": record.split_sha256,
        }
        facts |= {name: value for name, value in hashes.items() if value}
    elif (kept.folder / "MLmodel").is_file():
        described = yaml.safe_load((kept.folder / "MLmodel").read_text(encoding="utf-8"))
        facts |= {name: described.get(name) for name in ("run_id", "model_id")}
    for name in (MODEL_FILE, CONTRACT_FILE):
        file = next(kept.folder.rglob(name))
        facts[f"{file.stem}_sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    return facts | {"contract": asdict(kept.contract)}


def make_app(kept: KeptModel, limits: Limits, write: WriteLine) -> Starlette:
    """The app of a model; `write` gets one JSON line for each request.

    Raises StudentPerfError if the model fails its golden rows.
    """
    predictor = Predictor(kept, limits.rows)
    example = {"rows": [example_row(kept.contract)]}
    batch = predictor.reader.schema() | {"examples": [example]}
    ask = page(kept, example, limits.request_bytes, limits.rows)
    policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    openapi = make_openapi(kept.contract, batch, limits.request_bytes, limits.rows)
    return Starlette(
        routes=[
            Route("/predict", _predict(predictor, limits), methods=["POST"]),
            Route("/ready", _ready(predictor)),
            _fixed("/health", to_json({"status": "alive"})),
            _fixed("/model", to_json(describe(kept))),
            _fixed("/openapi.json", to_json(openapi)),
            _fixed("/", ask.encode(), "text/html", policy),
            _fixed("/docs", ask.encode(), "text/html", policy),
        ],
        middleware=[Middleware(RequestLog, write=write)],
        exception_handlers={HTTPException: _no_such_page},
    )


def _predict(predictor: Predictor, limits: Limits) -> Callable[[Request], Awaitable[Response]]:
    async def predict(request: Request) -> Response:
        facts = request.scope["facts"]
        try:
            body = await _body(request, limits.request_bytes)
            facts["bytes"] = len(body)
            if len(body) > _INLINE_BYTES:
                answers = await run_in_threadpool(predictor.answer, body)
            else:
                answers = predictor.answer(body)
        except MalformedError as error:
            return _reply(error.status, {"detail": str(error)}, close=error.status == 413)
        except RefusedError as error:
            facts |= {"rows": error.n_rows, "refused": problem_counts(error.cells)}
            return _reply(422, _refusals(error))
        facts["rows"] = len(answers)
        return _reply(200, {"predictions": answers})

    return predict


def _ready(predictor: Predictor) -> Callable[[Request], Response]:
    assert predictor.kept.golden is not None
    n_golden = len(predictor.kept.golden.rows)

    def ready(request: Request) -> Response:  # not async, so Starlette runs it in a thread
        wrong = predictor.check()
        if wrong:
            return _reply(503, {"status": "not ready", "reasons": wrong})
        return _reply(200, {"status": "ready", "golden_rows": n_golden})

    return ready


def _fixed(
    path: str, content: bytes, kind: str = JSON, headers: Mapping[str, str] | None = None
) -> Route:
    """A page whose content never changes."""

    async def answer(request: Request) -> Response:
        return Response(content, headers=headers, media_type=kind)

    return Route(path, answer)


async def _no_such_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    content = to_json({"detail": error.detail})
    return Response(content, error.status_code, error.headers, media_type=JSON)


class RequestLog:
    """Writes a JSON line for each request: when, what, how long, how many rows; never a value.

    An unexpected error becomes a plain 500. Its place goes to the log, but not its text, which may
    hold values.
    """

    def __init__(self, app: ASGIApp, write: WriteLine) -> None:
        self._app = app
        self._write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        facts: dict[str, Any] = {"method": scope["method"], "path": scope["path"], "status": None}
        scope["facts"] = facts

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                facts["status"] = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            facts["error"] = _place(error)
            if facts["status"] is None:
                await _reply(500, {"detail": "the server failed; see its log"})(
                    scope, receive, watched
                )
        facts["ms"] = round((time.perf_counter() - started) * 1000, 3)
        time_now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._write(json.dumps({"time": time_now, **facts}))


def serve(
    kept: KeptModel, host: str, port: int, limits: Limits, announce: Callable[[str], None]
) -> None:
    """Serve a model until SIGINT or SIGTERM; log lines go to standard output.

    `announce` gets the address once the model is checked. Raises ConfigError if the address is not
    available, and StudentPerfError if the model fails its golden rows.
    """
    app = make_app(kept, limits, _print_line)
    with _bound(host, port) as listener:
        announce(f"http://{_in_address(host)}:{listener.getsockname()[1]}")
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            limit_concurrency=_MOST_CONNECTIONS,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        try:
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:
            return  # uvicorn raises it again after a clean shutdown


def _bound(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65_535:  # the system would take it modulo 65536
        raise ConfigError(f"--port {port}: must be 0 to 65535; try 8000")
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = addresses[0]
        # asyncio switches Nagle's delay off only for a socket that names its protocol.
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()  # requests from now on wait until uvicorn runs
    except OSError as error:
        raise ConfigError(
            f"--host {host} --port {port}: cannot be listened on ({error}); choose another"
        ) from error
    return listener


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _body(request: Request, most: int) -> bytes:
    """The whole body. Raises MalformedError as soon as it exceeds `most` bytes."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON:
        raise MalformedError(415, f"the body must be JSON; send it with Content-Type: {JSON}")
    too_long = MalformedError(413, f"the body is longer than the limit of {most} bytes")
    if int(request.headers.get("content-length", 0)) > most:
        raise too_long
    body = bytearray()
    async for chunk in request.stream():  # without a Content-Length, only counting helps
        body += chunk
        if len(body) > most:
            raise too_long
    return bytes(body)


def _refusals(error: RefusedError) -> dict[str, Any]:
    cells = [asdict(cell) for cell in error.cells[:_MOST_REFUSALS]]
    return {"detail": str(error), "count": len(error.cells), "refusals": cells}


def _reply(status: int, content: Mapping[str, Any], close: bool = False) -> Response:
    headers = {"Connection": "close"} if close else None
    return Response(to_json(content), status, headers, media_type=JSON)


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{where}"


def _print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
