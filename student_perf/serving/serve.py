"""A kept model behind HTTP: requests are checked and answered by its contract."""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
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

from student_perf.data.outside import TrainingRanges
from student_perf.errors import ConfigError, StudentPerfError
from student_perf.pages.service import page
from student_perf.runs.golden import check_golden_rows
from student_perf.runs.layout import CONTRACT_FILE, MODEL_FILE, holds_record
from student_perf.runs.record import load_record
from student_perf.scoring.conformal import classes_within, interval_within
from student_perf.serving.access import ALIVE, Access, Door
from student_perf.serving.array_model import make_array_model
from student_perf.serving.openapi import make_openapi
from student_perf.serving.predict import check_model
from student_perf.serving.protocol import PatientProtocol
from student_perf.serving.reply import HEADERS, JSON, PAGE_HEADERS, reply
from student_perf.serving.request_log import RequestLog, WriteLine
from student_perf.serving.request_rows import (
    Columns,
    MalformedError,
    RefusedError,
    RequestReader,
    example_row,
    to_table,
)
from student_perf.store.kept_model import KeptModel

_INLINE_BYTES = 65_536  # a larger batch is answered in a thread, so that others do not wait
_MOST_AT_WORK = 64
_BODY_SECONDS = 30.0
# A Host header that goes into a line to copy; others are not shown.
_ADDRESS = re.compile(r"([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", re.IGNORECASE)

_T = TypeVar("_T")


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


@dataclass(frozen=True)
class Answered:
    """One answer for each row, and the number of rows far outside of the training."""

    answers: list[dict[str, Any]]
    n_far: int


class Predictor:
    """A kept model that answers requests.

    Raises StudentPerfError if the model fails its golden rows, or has none.
    """

    def __init__(self, kept: KeptModel, max_rows: int) -> None:
        self.kept = kept
        self.reader = RequestReader(kept.contract, max_rows)
        self._ranges = TrainingRanges(kept.contract)
        self._arrays = None
        wrong = self.check()
        if wrong:
            raise StudentPerfError(
                f"{kept.source}: is not served, {'; '.join(wrong)}; see: check {kept.source}"
            )
        assert kept.golden is not None
        golden, _ = kept.golden.prepared(kept.contract)
        self._arrays = make_array_model(kept, golden)

    def check(self) -> list[str]:
        """The golden rows that are answered differently here; empty if all answers agree."""
        wrong = check_model(self.kept)
        if self._arrays is None or wrong:
            return wrong
        assert self.kept.golden is not None
        mismatches = check_golden_rows(self.kept.golden, self.kept.contract, self._arrays.output)
        return [str(mismatch) for mismatch in mismatches]

    def limit(self, coverage: str | None) -> float | None:
        """That of the sets which a request asks for. Raises MalformedError if there is none."""
        if coverage is None:
            return None
        try:
            return self.kept.limit(float(coverage))
        except ValueError:
            raise MalformedError(422, f"coverage={coverage}: must be a number; try 0.9") from None
        except ConfigError as error:
            raise MalformedError(422, str(error).removeprefix("--")) from None

    def answer_at_once(self, body: bytes, limit: float | None) -> Answered | None:
        """As `answer`, but None unless that is quick: the contract allows the body as it is, and
        the arrays answer.
        """
        if self._arrays is None or (allowed := self.reader.read_allowed(body)) is None:
            return None
        return self._answers(allowed[0], limit)

    def answer(self, body: bytes, limit: float | None = None) -> Answered:
        """One answer for each row of a request, with a set of classes or an interval if there is a
        `limit` for them. Raises MalformedError and RefusedError.
        """
        return self._answers(self.reader.read(body)[0], limit)

    def _answers(self, columns: Columns, limit: float | None) -> Answered:
        output = self._output(columns)
        classes = self.kept.contract.classes
        answers: list[dict[str, Any]]
        if classes:
            answers = [
                {
                    "prediction": classes[best],
                    "probabilities": dict(zip(classes, row, strict=True)),
                }
                for best, row in zip(output.argmax(axis=1).tolist(), output.tolist(), strict=True)
            ]
        else:
            answers = [{"prediction": number} for number in output.tolist()]
        if limit is not None:
            for answer, more in zip(answers, _sets(output, classes, limit), strict=True):
                answer |= more
        return Answered(answers, self._ranges.n_far(columns))

    def _output(self, columns: Columns) -> np.ndarray:
        if self._arrays is not None:
            return self._arrays.output(columns)
        return self.kept.output(to_table(columns, self.kept.contract))


def _sets(output: np.ndarray, classes: list[str], limit: float) -> Iterator[dict[str, Any]]:
    """The set of classes, or the ends of the interval, of each row."""
    if classes:
        for held in classes_within(output, limit):
            yield {"set": [classes[code] for code in np.flatnonzero(held)]}
    else:
        for low, high in zip(*interval_within(output, limit), strict=True):
            yield {"low": float(low), "high": float(high)}


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


def make_app(kept: KeptModel, limits: Limits, access: Access, write: WriteLine) -> Starlette:
    """The app of a model; `write` gets one JSON line for each request.

    Raises StudentPerfError if the model fails its golden rows.
    """
    predictor = Predictor(kept, limits.rows)
    threads = _Threads()
    example = {"rows": [example_row(kept.contract)]}
    batch = predictor.reader.schema() | {"examples": [example]}
    ask = _page(kept, example, limits, access)
    openapi = make_openapi(kept.contract, batch, limits.request_bytes, limits.rows)
    app = Starlette(
        routes=[
            Route("/predict", _predict(predictor, limits, threads), methods=["POST"]),
            Route("/ready", _ready(predictor, threads)),
            _fixed(ALIVE, to_json({"status": "alive"})),
            _fixed("/model", to_json(describe(kept))),
            _fixed("/openapi.json", to_json(openapi)),
            Route("/", ask),
            Route("/docs", ask),
        ],
        middleware=[Middleware(RequestLog, write=write), Middleware(Door, access=access)],
        exception_handlers={HTTPException: _refused_request},
    )
    app.router.redirect_slashes = False  # it would lead to wherever the Host header says
    return app


class _Threads:
    """Runs what takes time beside the event loop; more than `_MOST_AT_WORK` at once get 503."""

    def __init__(self) -> None:
        self._n_at_work = 0

    async def run(self, function: Callable[..., _T], *arguments: Any) -> _T:
        if self._n_at_work >= _MOST_AT_WORK:
            raise HTTPException(503, "too many requests at once; ask again", {"Retry-After": "1"})
        self._n_at_work += 1
        try:
            return await run_in_threadpool(function, *arguments)
        finally:
            self._n_at_work -= 1


def _predict(
    predictor: Predictor, limits: Limits, threads: _Threads
) -> Callable[[Request], Awaitable[Response]]:
    async def predict(request: Request) -> Response:
        facts = request.scope["facts"]
        try:
            body = await _body(request, limits.request_bytes)
            facts["bytes"] = len(body)
            limit = predictor.limit(request.query_params.get("coverage"))
            found = predictor.answer_at_once(body, limit) if len(body) <= _INLINE_BYTES else None
            if found is None:
                found = await threads.run(predictor.answer, body, limit)
        except MalformedError as error:
            ends = {"Connection": "close"} if error.status in (408, 413) else None
            return reply(error.status, {"detail": str(error)}, ends)
        except RefusedError as error:
            facts |= {"rows": error.n_rows, "refused": dict(error.counts)}
            return reply(422, _refusals(error))
        facts["rows"] = len(found.answers)
        if found.n_far:
            facts["far_outside"] = found.n_far
        return reply(200, {"predictions": found.answers})

    return predict


def _ready(predictor: Predictor, threads: _Threads) -> Callable[[Request], Awaitable[Response]]:
    assert predictor.kept.golden is not None
    n_golden = len(predictor.kept.golden.rows)

    async def ready(request: Request) -> Response:
        wrong = await threads.run(predictor.check)
        if wrong:
            return reply(503, {"status": "not ready", "reasons": wrong})
        return reply(200, {"status": "ready", "golden_rows": n_golden})

    return ready


def _page(
    kept: KeptModel, example: dict[str, Any], limits: Limits, access: Access
) -> Callable[[Request], Awaitable[Response]]:
    """The page for people, with the address by which it was asked for."""

    @lru_cache(maxsize=16)  # on the event loop, where others wait for it
    def written(address: str) -> str:
        facts = limits.request_bytes, limits.rows, address, access.token is not None
        return page(kept, example, *facts)

    async def ask(request: Request) -> Response:
        named = request.headers.get("host", "")
        address = named if _ADDRESS.fullmatch(named) else access.host
        return Response(written(address), headers=PAGE_HEADERS, media_type="text/html")

    return ask


def _fixed(path: str, content: bytes) -> Route:
    """Facts that never change."""

    async def answer(request: Request) -> Response:
        return Response(content, headers=HEADERS, media_type=JSON)

    return Route(path, answer)


async def _refused_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return reply(error.status_code, {"detail": error.detail}, error.headers)


def serve(
    kept: KeptModel, access: Access, port: int, limits: Limits, announce: Callable[[str], None]
) -> None:
    """Serve a model until SIGINT or SIGTERM; log lines go to standard output.

    `announce` gets the address once the model is checked. Raises ConfigError if the address is not
    available, and StudentPerfError if the model fails its golden rows.
    """
    app = make_app(kept, limits, access, _print_line)
    with _bound(access.host, port) as listener:
        announce(f"http://{_in_address(access.host)}:{listener.getsockname()[1]}")
        try:
            uvicorn.Server(make_config(app)).run(sockets=[listener])
        except KeyboardInterrupt:
            return  # uvicorn raises it again after a clean shutdown


def make_config(app: Starlette) -> uvicorn.Config:
    """How uvicorn runs the app."""
    return uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        log_config=None,
        log_level="error",  # what a client sends is for our log alone
        access_log=False,
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )


def _bound(host: str, port: int) -> socket.socket:
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
    """The whole body.

    Raises MalformedError if it has more than `most` bytes, is not JSON, or does not come in time.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON:
        raise MalformedError(415, f"the body must be JSON; send it with Content-Type: {JSON}")
    body, is_too_long = bytearray(), int(request.headers.get("content-length", 0)) > most
    if is_too_long and "expect" in request.headers:
        raise _too_long(most)  # the client waits for this before it sends the body
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            # What is too long is read to its end too: most clients look for the answer only then.
            async for chunk in request.stream():
                is_too_long = is_too_long or len(body) + len(chunk) > most
                if not is_too_long:
                    body += chunk
    except TimeoutError:
        if not is_too_long:
            words = f"the body did not arrive within {_BODY_SECONDS:g} s"
            raise MalformedError(408, words) from None
    if is_too_long:
        raise _too_long(most)
    return bytes(body)


def _too_long(most: int) -> MalformedError:
    return MalformedError(413, f"the body is longer than the limit of {most} bytes")


def _refusals(error: RefusedError) -> dict[str, Any]:
    cells = [asdict(cell) for cell in error.cells]
    return {"detail": str(error), "count": error.counts.total(), "refusals": cells}


def _print_line(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
