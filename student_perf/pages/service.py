"""The documentation page of a served model, from its contract; it loads nothing from outside."""

from __future__ import annotations

import json
from typing import Any

from student_perf.data.contract import ColumnContract, Contract
from student_perf.render import render
from student_perf.shell import line
from student_perf.store.kept_model import KeptModel


def page(
    kept: KeptModel,
    example: dict[str, Any],
    most_bytes: int,
    most_rows: int,
    address: str,
    needs_token: bool,
) -> str:
    """The page: what to send to `address`, with an example that the contract allows, and the
    answer.
    """
    contract = kept.contract
    classes = ", ".join(contract.classes)
    return render(
        "service.html.j2",
        source=kept.name.partition(", ")[0],
        contract=contract,
        answer=f"one of {classes}, and the probability of each" if classes else "a number",
        columns=[_cells(name, column, contract) for name, column in contract.columns.items()],
        example=json.dumps(example, indent=2, ensure_ascii=False),
        curl=_curl(example, address, needs_token),
        needs_token=needs_token,
        most_bytes=most_bytes,
        most_rows=most_rows,
    )


def _curl(example: dict[str, Any], address: str, needs_token: bool) -> str:
    """A line for a terminal that asks for the prediction of the example."""
    token = ["-H", "Authorization: Bearer TOKEN"] if needs_token else []
    body = json.dumps(example, ensure_ascii=False)
    words = ["curl", *token, "-H", "Content-Type: application/json", "-d", body]
    return line([*words, f"{address}/predict"])


def _cells(name: str, column: ColumnContract, contract: Contract) -> tuple[str, ...]:
    if column.kind == "categorical":
        values = ", ".join(column.categories or [])
    elif column.kind == "text":
        values = "any text"
    elif column.lowest is None:
        values = "any number"
    else:
        bound = "" if name in contract.declared else " in training; others are accepted too"
        values = f"{column.lowest:g} to {column.highest:g}{bound}"
    return name, column.kind, values, "yes" if column.may_be_missing else "no"
