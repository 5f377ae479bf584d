"""The notebook is committed without outputs, and its cells run from top to bottom."""

import json
import re

import pandas as pd
import pytest
from matplotlib import pyplot as plt

from student_perf.paths import PROJECT_DIR

NOTEBOOK = json.loads((PROJECT_DIR / "notebooks/quickstart.ipynb").read_text(encoding="utf-8"))
CELLS = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def test_it_is_short_and_holds_no_outputs():
    assert len(CELLS) == 10
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in CELLS)
    assert [cell["id"] for cell in NOTEBOOK["cells"]] == [
        f"cell-{number}" for number in range(len(NOTEBOOK["cells"]))
    ]


@pytest.mark.slow
def test_its_cells_run_and_end_with_a_table_and_a_plot(workspace):
    names = {}
    for cell in CELLS:
        exec("".join(cell["source"]), names)
    assert len(names["trees"].leaderboard) == 12
    ranked = names["ranked"].leaderboard
    assert isinstance(ranked, pd.DataFrame)
    assert {"xgb", "logreg"} <= {re.split("[- ]", name)[0] for name in ranked["run"]}
    assert "accuracy" in names["axes"].get_xlabel()
    assert len(list((workspace / "outputs").glob("*/*/record.json"))) == 3
    plt.close("all")
