"""What goes to MLflow with a run besides its values: rows, model, tables and pictures.

MLflow takes seconds to import and pandas a part of one, so this module imports them inside the
functions that need them.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from student_perf.config.trusted import trusted_places
from student_perf.models.libraries import packages_of
from student_perf.paths import PACKAGE_DIR
from student_perf.runs import tags
from student_perf.runs.layout import (
    CONTRACT_FILE,
    GOLDEN_FILE,
    LEADERBOARD_FILE,
    LOGGED_PLACE,
    MODEL_FILE,
    REPORT_TABLE_FILE,
    SETS_FILE,
    SUBGROUPS_FILE,
)
from student_perf.runs.model_names import named_types
from student_perf.runs.record import RunRecord

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput
    from mlflow.models import ModelSignature

    from student_perf.data.contract import Contract
    from student_perf.store.excerpt import Excerpt

# The tables that MLflow's page lays side by side, and the columns that name a line of them.
TABLES: Mapping[str, list[str]] = {
    SUBGROUPS_FILE: ["column", "group", "metric"],
    REPORT_TABLE_FILE: ["class"],
    LEADERBOARD_FILE: ["run"],
}
# Keys under which MLflow's page shows pictures of several runs side by side, by task.
PICTURES: Mapping[str, tuple[str, ...]] = {
    "classification": ("confusion_matrix", "reliability", "importance"),
    "regression": ("predicted_actual", "residuals", "importance"),
}
_ORIGIN = (tags.USER, tags.SOURCE_NAME, tags.SOURCE_TYPE, tags.COMMIT)
PROBABILITIES = "probabilities"  # a parameter of a request to a logged model
LENGTH_OF_DIGEST = 32  # MLflow keeps 36 characters at most
_REFUSED_IN_NAMES = re.compile(r"[/:.%\"']")
_LOADER = "student_perf.store.logged_model"  # named, not imported: it is MLflow that imports it
# What it imports beside the packages of the model.
_LOADER_PACKAGES = ("filelock", "hydra-core", "omegaconf", "pyarrow", "pyyaml", "rich", "skops")
_MOST_ROWS = 200  # of a table on MLflow's page


def describe_dataset(dataset: Excerpt, record: RunRecord) -> DatasetInput:
    """The rows of a run as MLflow lists them, identified by our own digest: its own leaves out
    columns and reads 10,000 rows.
    """
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.pandas_dataset import from_pandas
    from mlflow.entities import Dataset as Described
    from mlflow.entities import DatasetInput, InputTag

    with warnings.catch_warnings():
        # A hint that columns of integers hold no gaps, which the target never does.
        warnings.filterwarnings("ignore", "Hint: Inferred schema", UserWarning)
        facts = from_pandas(
            dataset.rows,
            source=CodeDatasetSource(origin(record)),
            targets=dataset.target,
            name=dataset.name,
            digest=dataset.sha256[:LENGTH_OF_DIGEST],
        ).to_dict()
    profile = {"num_rows": dataset.n_rows, "num_elements": dataset.n_rows * dataset.n_columns}
    described = Described(**(facts | {"profile": json.dumps(profile)}))
    return DatasetInput(described, [InputTag("mlflow.data.context", "training")])


def origin(record: RunRecord) -> dict[str, str]:
    """Tags that say where a record comes from, for what belongs to its run."""
    return {name: record.tags[name] for name in _ORIGIN if name in record.tags}


def model_name(record: RunRecord) -> str:
    """What a logged model is called, for example `xgb-econmath`; MLflow refuses some characters."""
    return _REFUSED_IN_NAMES.sub("_", f"{record.model}-{record.dataset}")


def send_model(dataset: Excerpt, record: RunRecord) -> str:
    """Attach the fitted model of a record to the active run, ready to be served as it is; returns
    the model's id.
    """
    from mlflow.models import Model

    from student_perf.data.contract import contract_from_yaml

    contract = contract_from_yaml((record.folder / CONTRACT_FILE).read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as place:
        data = Path(place) / Path(LOGGED_PLACE).name
        data.mkdir()
        for name in (MODEL_FILE, CONTRACT_FILE, GOLDEN_FILE, SETS_FILE):
            if (record.folder / name).is_file():
                shutil.copy2(record.folder / name, data)
        logged = Model.log(
            artifact_path=None,
            flavor=_Untried,
            flavor_name="pyfunc",
            name=model_name(record),
            tags=origin(record),
            loader_module=_LOADER,
            data_path=str(data),
            signature=signature_of(contract),
            input_example=dataset.example,
            pip_requirements=_model_requirements(record.folder / MODEL_FILE),
            code_paths=[str(PACKAGE_DIR), *map(str, trusted_places())],
            validate_serving_input=False,
        )
    return str(logged.model_id)


class _Untried:
    """MLflow's flavour `pyfunc`, whose model is not loaded to be tried with the example. What comes
    of that is a line in the log at most, and it imports all that the model needs. The file was
    audited when it was written, and whoever uses the model checks its golden rows first.
    """

    @staticmethod
    def save_model(validate_serving_input: bool, **words: Any) -> None:
        """MLflow's own, which does not know the word by which `Model.log` leaves the trial out."""
        from mlflow import pyfunc

        pyfunc.save_model(**words)


def signature_of(contract: Contract) -> ModelSignature:
    """The columns as the contract takes them: all of them are required but those that a step
    derives from others of them, whether or not a cell may be missing. A number has no type here,
    since MLflow would refuse a column of integers where it expects fractions, and make a number of
    `true`; the contract refuses what is none.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType

    any_type = AnyType()  # type: ignore[no-untyped-call]
    columns = Schema(
        [
            ColSpec(
                any_type if rules.kind == "numeric" else DataType.string,
                name,
                name not in contract.optional,
            )
            for name, rules in contract.columns.items()
        ]
    )
    if not contract.classes:
        return ModelSignature(columns, Schema([ColSpec(DataType.double)]))
    shares = ParamSchema([ParamSpec(PROBABILITIES, DataType.boolean, False)])
    return ModelSignature(columns, Schema([ColSpec(DataType.string)]), shares)


def send_tables(client: MlflowClient, run_id: str, folder: Path) -> None:
    """Log the tables of a run that MLflow's page can lay side by side.

    The file is the one of MLflow's `log_table`, which would append the rows if sent again.
    """
    import pandas as pd

    logged = []
    for name, keys in TABLES.items():
        if (folder / name).is_file():
            logged.append({"path": f"tables/{Path(name).stem}.json", "type": "table"})
            table = pd.read_csv(folder / name, dtype=dict.fromkeys(keys, str), nrows=_MOST_ROWS)
            client.log_dict(run_id, one_key(table, keys), logged[-1]["path"])
    if logged:
        client.set_tag(run_id, tags.LOGGED_TABLES, json.dumps(logged))


def send_pictures(client: MlflowClient, run_id: str, record: RunRecord) -> None:
    """Log the pictures of a run that MLflow's page can show beside those of others."""
    from PIL import Image

    for name in PICTURES.get(record.task, ()):
        if (file := record.folder / f"{name}.png").is_file():
            with Image.open(file) as picture:
                client.log_image(run_id, picture, key=name, step=0)


def one_key(table: pd.DataFrame, keys: Sequence[str]) -> dict[str, Any]:
    """Columns and lines of a table whose first column stands for all `keys`, since MLflow's page
    joins the lines of several runs by one column.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"column": ["age", "age"], "group": ["20", "30"], "n": [7, 8]})
    >>> one_key(table, ["column", "group"])
    {'columns': ['column, group', 'n'], 'data': [['age, 20', 7], ['age, 30', 8]]}
    """
    joined = table[list(keys)].apply(lambda line: ", ".join(line.dropna()), axis=1)
    rest = table.drop(columns=list(keys))
    # The page opens with the first of the other columns, and a number of rows says the least.
    rest = rest[sorted(rest.columns, key=lambda name: name == "n")]
    rest.insert(0, ", ".join(keys), joined)
    known = rest.astype(object).where(rest.notna(), None)  # JSON has no NaN
    return {"columns": list(rest.columns), "data": known.to_numpy().tolist()}


def _model_requirements(model: Path) -> list[str]:
    """The installed versions of what a model file needs to load and predict."""
    pinned = []
    for name in sorted({*packages_of(named_types(model)), *_LOADER_PACKAGES}):
        try:
            pinned.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            continue
    return pinned
