"""The files that a run leaves in its folder."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from omegaconf import OmegaConf
from sklearn.metrics import classification_report

from student_perf.atomic import write_atomic
from student_perf.config import ExperimentConfig
from student_perf.data.contract import Contract
from student_perf.data.dataset import Dataset
from student_perf.evaluation import CVResult
from student_perf.metrics import confusion_matrix
from student_perf.plots import confusion_figure, predicted_actual_figure
from student_perf.splits import Split
from student_perf.tracking.model_format import save_model
from student_perf.tracking.provenance import installed_packages
from student_perf.tracking.record import (
    CONFIG_FILE,
    CONTRACT_FILE,
    METRICS_FILE,
    MODEL_FILE,
    to_json,
)

PREDICTIONS_FILE = "predictions.parquet"
LINEAGE_FILE = "lineage.json"
REPORT_FILE = "classification_report.txt"
CONFUSION_FILE = "confusion_matrix.png"
PREDICTED_ACTUAL_FILE = "predicted_actual.png"
PACKAGES_FILE = "pip_list.txt"


def write_inputs(
    folder: Path, config: ExperimentConfig, dataset: Dataset, contract: Contract
) -> None:
    """What the run starts from: the composed config with every interpolation resolved (Hydra's own
    files are in .hydra/), what cleaning did, and the contract of the features.
    """
    text = OmegaConf.to_yaml(OmegaConf.create(config.composed))
    write_atomic(folder / CONFIG_FILE, text)
    lineage = {"raw_sha256": dataset.raw_sha256, "steps": [asdict(s) for s in dataset.lineage]}
    write_atomic(folder / LINEAGE_FILE, to_json(lineage))
    write_atomic(folder / CONTRACT_FILE, contract.to_yaml())


def write_result(
    folder: Path,
    dataset: Dataset,
    split: Split,
    result: CVResult,
    summary: dict[str, Any],
    model: Any,
) -> None:
    """Everything a finished run holds besides its config, log and record."""
    write_atomic(folder / METRICS_FILE, to_json(summary))
    predictions_table(dataset, result).to_parquet(
        folder / PREDICTIONS_FILE, index=False, compression="zstd"
    )
    packages = "".join(f"{name}=={version}\n" for name, version in installed_packages().items())
    write_atomic(folder / PACKAGES_FILE, packages)
    subtitle = _subtitle(dataset, split)
    if dataset.task == "classification":
        counts = confusion_matrix(result.y_true, result.y_pred, len(dataset.classes))
        figure = confusion_figure(counts, dataset.classes, dataset.target_name, subtitle)
        _save_figure(figure, folder / CONFUSION_FILE)
        write_atomic(folder / REPORT_FILE, report_text(dataset, result, subtitle))
    else:
        figure = predicted_actual_figure(
            result.y_true, result.y_pred, dataset.target_name, subtitle
        )
        _save_figure(figure, folder / PREDICTED_ACTUAL_FILE)
    save_model(model, folder / MODEL_FILE)


def predictions_table(dataset: Dataset, result: CVResult) -> pd.DataFrame:
    """One line for each held-out prediction: row, fold, truth, prediction and, for classes, the
    probability of each as `proba_<label>`.
    """
    table = pd.DataFrame({"row": result.row.astype("int32"), "fold": result.fold.astype("int16")})
    if dataset.task == "regression":
        return table.assign(y_true=result.y_true, y_pred=result.y_pred)
    labels = pd.Index([str(label) for label in dataset.classes])
    table["y_true"] = pd.Categorical.from_codes(result.y_true, labels, ordered=True)
    table["y_pred"] = pd.Categorical.from_codes(result.y_pred, labels, ordered=True)
    for code, label in enumerate(labels):
        table[f"proba_{label}"] = result.output[:, code]
    return table


def report_text(dataset: Dataset, result: CVResult, subtitle: str) -> str:
    """scikit-learn's classification report over all held-out predictions."""
    report = classification_report(
        result.y_true,
        result.y_pred,
        labels=range(len(dataset.classes)),
        target_names=[str(label) for label in dataset.classes],
        digits=3,
        zero_division=0,
    )
    return f"Held-out predictions of '{dataset.target_name}', {subtitle}\n\n{report}"


def _subtitle(dataset: Dataset, split: Split) -> str:
    n_rows = sum(len(fold.validation) for fold in split.folds) // split.n_repeats
    times = f", each predicted {split.n_repeats} times" if split.n_repeats > 1 else ""
    folds = f"{len(split.folds)} folds" if len(split.folds) > 1 else "1 fold"
    return f"{dataset.name}, {folds}, n = {n_rows} rows{times}"


def _save_figure(figure: Figure, path: Path) -> None:
    # Without matplotlib's version in the file, equal results give equal bytes.
    figure.savefig(path, metadata={"Software": None})
