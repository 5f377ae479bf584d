"""What the server answers, for programs: an OpenAPI document made from the contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from student_perf import __version__
from student_perf.data.contract import Contract
from student_perf.scoring.conformal import LEVELS
from student_perf.serving.reply import JSON

_GET = {
    "/health": "The process is alive.",
    "/ready": "200 while the golden rows get the answers of the training, else 503 and why.",
    "/model": "Contract, run id and hashes.",
}

_COVERAGE = {
    "name": "coverage",
    "in": "query",
    "required": False,
    "schema": {"type": "number", "minimum": LEVELS[0], "maximum": LEVELS[-1]},
    "description": "The share of new rows in which the set of classes, or the interval, that the "
    "answer then has too shall hold the truth.",
}


def make_openapi(
    contract: Contract, batch: Mapping[str, Any], most_bytes: int, most_rows: int
) -> dict[str, Any]:
    """The OpenAPI 3.1 document; `batch` is the JSON schema of a request.

    >>> contract = Contract("grade", [], columns={}, clean=[], declared=[])
    >>> list(make_openapi(contract, {}, 10, 1)["paths"])
    ['/predict', '/health', '/ready', '/model']
    """
    predict = {
        "summary": "Predict a batch of rows; a row that breaks the contract refuses the batch.",
        "parameters": [_COVERAGE],
        "requestBody": {"required": True, "content": {JSON: {"schema": batch}}},
        "responses": {
            "200": _answer("predictions", _answer_schema(contract.classes)),
            "400": {"description": "not JSON"},
            "401": {"description": "the service has a token and the request does not"},
            "408": {"description": "the body did not arrive in time"},
            "413": {"description": f"over {most_bytes} bytes or {most_rows} rows"},
            "415": {"description": f"not sent as {JSON}"},
            "421": {"description": "the Host header names another server"},
            "422": _answer("cells that break the contract, each with its row and column", {}),
            "503": {"description": "too many requests at once"},
        },
    }
    pages = {
        path: {"get": {"summary": words, "responses": {"200": _answer(words, {})}}}
        for path, words in _GET.items()
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": f"student_perf: {contract.target}", "version": __version__},
        "paths": {"/predict": {"post": predict}, **pages},
    }


def _answer(words: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": words, "content": {JSON: {"schema": schema}}}


def _answer_schema(classes: list[str]) -> dict[str, Any]:
    number = {"type": "number"}
    answer: dict[str, Any] = {"prediction": number, "low": number, "high": number}
    if classes:
        shares = {"type": "object", "properties": dict.fromkeys(classes, number)}
        some = {"type": "array", "items": {"enum": classes}}
        answer = {"prediction": {"enum": classes}, "probabilities": shares, "set": some}
    rows = {"type": "array", "items": {"type": "object", "properties": answer}}
    return {"type": "object", "properties": {"predictions": rows}}
