"""The documentation page of a served model, from its contract; it loads nothing from outside."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from student_perf.data.contract import ColumnContract, Contract
from student_perf.store.kept_model import KeptModel

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { padding: .2em .6em; text-align: left; border-bottom: 1px solid #ddd; }
pre { background: #f4f4f4; padding: .8em; overflow-x: auto; }
"""
_OTHERS = {
    "/health": "the process is alive",
    "/ready": "200 while the golden rows get the answers of the training, else 503",
    "/model": "contract, run id and hashes",
    "/openapi.json": "this page for programs",
}


def page(kept: KeptModel, example: dict[str, Any], most_bytes: int, most_rows: int) -> str:
    """The page: what to send, with an example that the contract allows, and what comes back."""
    contract = kept.contract
    answer = (
        f"one of {', '.join(contract.classes)}, and the probability of each"
        if contract.classes
        else "a number"
    )
    sent = json.dumps(example, indent=2, ensure_ascii=False)
    return "".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8">',
            f"<title>{escape(contract.target)}</title><style>{_STYLE}</style>",
            f"<h1>Prediction of {escape(contract.target)}</h1>",
            f"<p>Model {escape(kept.source)}. The answer for a row is {escape(answer)}.</p>",
            "<h2>POST /predict</h2>",
            f"<p>Up to {most_rows} rows and {most_bytes} bytes, Content-Type: application/json, "
            "every column in every row; null says that a value is missing. A batch in which a cell "
            "breaks the contract gets 422 with row, column, value and what is allowed.</p>",
            f"<pre>{escape(sent)}</pre>",
            "<table><tr><th>column<th>kind<th>values<th>may be missing</tr>",
            *(_line(name, rules, contract) for name, rules in contract.columns.items()),
            "</table><h2>GET</h2><table>",
            *(f"<tr><td>{path}<td>{words}</tr>" for path, words in _OTHERS.items()),
            "</table></html>\n",
        ]
    )


def _line(name: str, rules: ColumnContract, contract: Contract) -> str:
    if rules.kind == "categorical":
        values = ", ".join(rules.categories or [])
    elif rules.lowest is None:
        values = "any number"
    else:
        bound = "" if name in contract.declared else " in training; others are taken too"
        values = f"{rules.lowest:g} to {rules.highest:g}{bound}"
    missing = "yes" if rules.may_be_missing else "no"
    cells = (escape(name), rules.kind, escape(values), missing)
    return f"<tr>{''.join(f'<td>{cell}' for cell in cells)}</tr>"
