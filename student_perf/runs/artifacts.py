"""The files that a run leaves in its folder.

scikit-learn is imported where a report or a model is written; drawing pictures does without.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from student_perf.atomic import write_atomic
from student_perf.config.schema import ExperimentConfig
from student_perf.data.contract import Contract
from student_perf.data.dataset import Dataset
from student_perf.masking import masked_tree, masked_yaml
from student_perf.plots.shown import PRECISION_RECALL, ROC, Shown
from student_perf.runs.layout import (
    CONFIG_FILE,
    CONTRACT_FILE,
    LINEAGE_FILE,
    METRICS_FILE,
    MODEL_FILE,
    PACKAGES_FILE,
    PREDICTIONS_FILE,
    REPORT_FILE,
    REPORT_TABLE_FILE,
    TEST_PREDICTIONS_FILE,
)
from student_perf.runs.looks import note_try
from student_perf.runs.predictions import OF_ROWS
from student_perf.runs.provenance import installed_packages
from student_perf.runs.record import RunRecord, write_json
from student_perf.tables.files import csv_text
from student_perf.text import folds

if TYPE_CHECKING:
    from student_perf.evaluation.cross_validation import CVResult
    from student_perf.evaluation.splits import Split
    from student_perf.inspection.findings import Findings


def write_inputs(
    folder: Path, config: ExperimentConfig, dataset: Dataset, contract: Contract
) -> None:
    """What the run starts from: the composed config with every interpolation resolved (Hydra's own
    files are in .hydra/), what cleaning did, and the contract of the features.
    """
    write_config(folder, config)
    lineage = {
        "raw_sha256": dataset.raw_sha256,
        "column_sha256": dataset.column_sha256,
        "steps": [asdict(s) for s in dataset.lineage],
    }
    write_json(folder / LINEAGE_FILE, lineage)
    write_atomic(folder / CONTRACT_FILE, masked_yaml(contract.to_yaml()).encode())


def write_result(
    folder: Path,
    dataset: Dataset,
    split: Split,
    result: CVResult,
    summary: dict[str, Any],
    model: Any,
) -> None:
    """Everything a finished run holds besides its config, log and record."""
    from student_perf.runs.model_file import save_model

    write_json(folder / METRICS_FILE, summary)
    _write_predictions(folder, dataset, result)
    packages = "".join(f"{name}=={version}\n" for name, version in installed_packages().items())
    write_atomic(folder / PACKAGES_FILE, packages)
    if dataset.task == "classification":
        text = report_text(dataset, result, _subtitle(dataset, split))
        write_atomic(folder / REPORT_FILE, text)
        write_atomic(folder / REPORT_TABLE_FILE, csv_text(report_table(dataset, result)))
    save_model(model, folder / MODEL_FILE)


def start_trial(record: RunRecord, config: ExperimentConfig) -> None:
    """What a trial leaves before its first fit: its config, and its record as RUNNING."""
    record.folder.mkdir(exist_ok=True)  # not its parent, which somebody may have removed
    write_config(record.folder, config)
    record.save()


def finish_trial(record: RunRecord, dataset: Dataset, result: CVResult) -> None:
    """Its predictions and then its record, so that a FINISHED one has all its files."""
    _write_predictions(record.folder, dataset, result)
    record.finish()
    note_try(record)


def write_findings(folder: Path, findings: Findings) -> None:
    """The tables of an inspection as CSV."""
    for name, table in findings.tables.items():
        write_atomic(folder / f"{name}.csv", csv_text(table))


def shown_of(dataset: Dataset, split: Split, result: CVResult, findings: Findings) -> Shown:
    """What the pictures of a run show."""
    from student_perf.inspection.curves import precision_recall_curves, roc_curves

    held_out = result.y_true, result.output, result.weights
    makers = {ROC: roc_curves, PRECISION_RECALL: precision_recall_curves}
    return Shown(
        classes=dataset.classes,
        target=dataset.target_name,
        answers=result.answers,
        curves={name: make(*held_out) for name, make in makers.items() if dataset.classes},
        n_repeats=split.n_repeats,
        subtitle=_subtitle(dataset, split),
        metric=findings.metric,
        tables=findings.tables,
    )


def write_pictures(folder: Path, shown: Shown) -> None:
    """The pictures of held-out predictions and of the inspection's tables."""
    # Not at the top: matplotlib takes half a second to import, and trials draw nothing.
    from student_perf.plots.figures import figures_of
    from student_perf.plots.style import png

    for one in figures_of(shown.answers.task):
        write_atomic(folder / one.file, png(one.draw(shown)))
    for one in figures_of("findings"):
        if (table := shown.tables.get(one.name)) is not None:
            figure = one.draw(table, shown.metric, shown.subtitle)
            write_atomic(folder / one.file, png(figure))


def predictions_table(
    dataset: Dataset, rows: np.ndarray, fold: np.ndarray, output: np.ndarray
) -> pa.Table:
    """One line for each held-out prediction: row, fold, weight and number of the group if rows have
    them, truth, prediction and, for classes, the probability of each as `proba_<label>`. `rows` and
    `fold` have shape (n,), `output` is what `evaluation.predict` returns for the rows.
    """
    columns: dict[str, Any] = {"row": rows.astype(np.int32), "fold": fold.astype(np.int16)}
    of_rows = zip(OF_ROWS, (dataset.weights_of(rows), dataset.groups_of(rows)), strict=True)
    columns |= {name: values for name, values in of_rows if values is not None}
    y_true = dataset.target[rows]
    if dataset.task == "regression":
        return pa.table(columns | {"y_true": y_true, "y_pred": output})
    labels = pa.array([str(label) for label in dataset.classes])
    for name, codes in (("y_true", y_true), ("y_pred", output.argmax(axis=1))):
        columns[name] = pa.DictionaryArray.from_arrays(
            pa.array(codes.astype(np.int32)), labels, ordered=True
        )
    for code, label in enumerate(dataset.classes):
        columns[f"proba_{label}"] = np.ascontiguousarray(output[:, code])
    return pa.table(columns)


def write_test_predictions(
    folder: Path, dataset: Dataset, rows: np.ndarray, output: np.ndarray
) -> None:
    """What a winner answered for the test rows, for comparisons on the same rows."""
    table = predictions_table(dataset, rows, np.zeros(len(rows)), output)
    pq.write_table(table, folder / TEST_PREDICTIONS_FILE, compression="zstd")


def _write_predictions(folder: Path, dataset: Dataset, result: CVResult) -> None:
    table = predictions_table(dataset, result.row, result.fold, result.output)
    pq.write_table(table, folder / PREDICTIONS_FILE, compression="zstd")


def write_config(folder: Path, config: ExperimentConfig) -> None:
    """The composed config as it was run, without its secrets."""
    # The C emitter takes a tenth of the time of OmegaConf.to_yaml.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump(
        masked_tree(config.composed), Dumper=dumper, sort_keys=False, allow_unicode=True, width=1000
    )
    write_atomic(folder / CONFIG_FILE, text.encode())


def report_text(dataset: Dataset, result: CVResult, subtitle: str) -> str:
    """scikit-learn's classification report over all held-out predictions."""
    report = _report(dataset, result, digits=3)
    return f"Held-out predictions of '{dataset.target_name}', {subtitle}\n\n{report}"


def report_table(dataset: Dataset, result: CVResult) -> pd.DataFrame:
    """The same by class, one line each: `class`, `precision`, `recall`, `f1-score`, `support`."""
    by_class = pd.DataFrame(_report(dataset, result, output_dict=True)).T
    labels = [str(label) for label in dataset.classes]
    return by_class.loc[labels].rename_axis("class").reset_index()


def _report(dataset: Dataset, result: CVResult, **words: Any) -> Any:
    from sklearn.metrics import classification_report

    return classification_report(
        result.y_true,
        result.y_pred,
        labels=range(len(dataset.classes)),
        target_names=[str(label) for label in dataset.classes],
        sample_weight=result.weights,
        zero_division=0,
        **words,
    )


def _subtitle(dataset: Dataset, split: Split) -> str:
    n_rows = sum(len(fold.validation) for fold in split.folds) // split.n_repeats
    times = f", each predicted {split.n_repeats} times" if split.n_repeats > 1 else ""
    weighted = "" if dataset.weights is None else ", weighted"
    return f"{dataset.name}, {folds(len(split.folds))}, n = {n_rows} rows{times}{weighted}"
