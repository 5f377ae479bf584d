from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from student_perf.config.schema import KFoldSplit, RepeatedKFoldSplit
from student_perf.evaluation.cross_validation import result_of
from student_perf.evaluation.splits import make_split
from student_perf.inspection.sentences import about_groups
from student_perf.inspection.subgroups import subgroup_table
from student_perf.scoring.metrics import TRAINING


def evaluated(dataset, config=KFoldSplit("kfold", 0.0, 0, True, 4)):  # noqa: B008 (frozen)
    split, rng = make_split(dataset, config), np.random.default_rng(1)
    sizes = [len(fold.validation) for fold in split.folds]
    noise = [rng.dirichlet(np.ones(3), n) if dataset.classes else rng.random(n) for n in sizes]
    return result_of(dataset, split, noise, 0.0)


def pick(table, column, metric):
    return table[(table["column"] == column) & (table["metric"] == metric)].set_index("group")


def test_values_are_those_of_a_plain_groupby(small_dataset):
    result = evaluated(small_dataset)
    table = subgroup_table(small_dataset, result, ["school"], "accuracy", 5)
    rows = pd.DataFrame(
        {
            "school": small_dataset.features["school"].iloc[result.row].to_numpy(),
            "true": result.y_true,
            "predicted": result.y_pred,
        }
    )
    for name, group in rows.groupby("school"):
        accuracy = pick(table, "school", "accuracy").loc[name]
        assert accuracy["n"] == len(group)
        assert accuracy["value"] == accuracy_score(group["true"], group["predicted"])
        assert accuracy["low"] < accuracy["value"] < accuracy["high"]
        macro = f1_score(group["true"], group["predicted"], average="macro")
        assert pick(table, "school", "f1_macro").loc[name, "value"] == pytest.approx(macro)
    overall = pick(table, "all rows", "accuracy").loc[""]
    assert (overall["n"], overall["value"]) == (60, result.estimates["accuracy"].mean)


def test_all_rows_have_the_figures_of_the_run(small_dataset):
    result = evaluated(small_dataset, RepeatedKFoldSplit("repeated_kfold", 0.0, 0, True, 4, 3))
    table = subgroup_table(small_dataset, result, ["school"], "roc_auc_ovr", 5)
    for name in ("roc_auc_ovr", "f1_macro", "accuracy"):
        estimate, line = result.estimates[name], pick(table, "all rows", name).loc[""]
        assert (line["value"], line["low"], line["high"]) == (
            estimate.mean,
            estimate.low,
            estimate.high,
        )


def test_an_interval_is_that_of_the_groups_rows(small_dataset):
    """Wilson's for a share, by statsmodels' formula, with the rows that the factor leaves; both of
    the two groups together hold with 95 %.
    """
    result = evaluated(small_dataset)
    table = subgroup_table(small_dataset, result, ["school"], "accuracy", 5)
    north = (small_dataset.features["school"].iloc[result.row] == "north").to_numpy()
    hits = (result.y_true == result.y_pred)[north]
    n, share = (len(hits) - 1) / TRAINING**2, hits.mean()
    z = t.ppf(1 - 0.025 / 2, len(hits) - 1)
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    line = pick(table, "school", "accuracy").loc["north"]
    assert (line["low"], line["high"]) == pytest.approx((middle - half, middle + half))


def test_a_metric_of_probabilities_can_decide(small_dataset):
    result = evaluated(small_dataset)
    table = subgroup_table(small_dataset, result, ["school"], "roc_auc_ovr", 5)
    south = (small_dataset.features["school"].iloc[result.row] == "south").to_numpy()
    expected = roc_auc_score(result.y_true[south], result.output[south], multi_class="ovr")
    line = pick(table, "school", "roc_auc_ovr").loc["south"]
    assert line["value"] == pytest.approx(expected)
    assert line["low"] < line["value"] < line["high"]
    assert set(table["metric"]) == {"roc_auc_ovr", "f1_macro", "accuracy"}


def test_small_groups_are_named_and_not_scored(small_dataset):
    names = np.where(np.arange(60) < 6, "few", "many")
    dataset = replace(small_dataset, dropped=pd.DataFrame({"kind": names}))
    table = subgroup_table(dataset, evaluated(dataset), ["kind"], "accuracy", 7)
    few = pick(table, "kind", "accuracy").loc["few"]
    assert (few["n"], few["note"]) == (6, "fewer than 7 rows")
    assert few[["value", "low", "high"]].isna().all()
    assert pick(table, "kind", "accuracy").loc["many", "note"] == ""


def test_a_groups_figure_is_the_mean_over_repeats(small_dataset):
    result = evaluated(small_dataset, RepeatedKFoldSplit("repeated_kfold", 0.0, 0, True, 4, 3))
    table = subgroup_table(small_dataset, result, ["school"], "accuracy", 5)
    mine = (small_dataset.features["school"].iloc[result.row] == "north").to_numpy()
    hit = (result.y_pred == result.y_true)[mine]
    north = pick(table, "school", "accuracy").loc["north"]
    assert north["n"] == len(hit) / 3
    assert north["value"] == pytest.approx(hit.mean())


def test_numbers_get_error_and_bias(small_dataset):
    numbers = replace(small_dataset, task="regression", target=np.linspace(0, 1, 60), classes=())
    result = evaluated(numbers)
    table = subgroup_table(numbers, result, ["school"], "root_mean_squared_error", 5)
    error = result.output - result.y_true
    north = (numbers.features["school"].iloc[result.row] == "north").to_numpy()
    bias = pick(table, "school", "bias").loc["north"]
    assert bias["value"] == pytest.approx(error[north].mean())
    assert bias["low"] < bias["value"] < bias["high"]
    rmse = pick(table, "school", "root_mean_squared_error").loc["north", "value"]
    assert rmse == pytest.approx(np.sqrt((error[north] ** 2).mean()))


def test_few_numbers_are_groups_many_are_quartiles_and_missing_is_a_group(small_dataset):
    male = np.where(np.arange(60) < 20, 1.0, 0.0)
    male[:4] = np.nan
    dataset = replace(small_dataset, dropped=pd.DataFrame({"male": male, "age": np.arange(60) / 2}))
    table = subgroup_table(dataset, evaluated(dataset), ["male", "age"], "accuracy", 5)
    of_male = pick(table, "male", "accuracy")
    assert of_male["n"].to_dict() == {"0": 40, "1": 16, "missing": 4}
    ages = pick(table, "age", "accuracy")
    assert ages.index.tolist() == [
        "up to 7.375", "over 7.375 to 14.75", "over 14.75 to 22.12", "over 22.12",
    ]  # fmt: skip
    assert ages["n"].tolist() == [15, 15, 15, 15]


def told_apart(dataset, config=KFoldSplit("kfold", 0.0, 0, True, 4)):  # noqa: B008 (frozen)
    """A result that is right for the first half of the rows only, which are one group."""
    split = make_split(dataset, config)
    right, wrong = np.eye(3)[dataset.target], np.eye(3)[(dataset.target + 1) % 3]
    output = np.where((np.arange(60) < 30)[:, None], right, wrong)
    return result_of(dataset, split, [output[fold.validation] for fold in split.folds], 0.0)


@pytest.mark.parametrize("n_repeats", [1, 3])
def test_a_group_that_differs_is_named_with_its_figure(small_dataset, n_repeats):
    kind = np.where(np.arange(60) < 30, "first", "second")
    coin = np.tile(["head", "tail"], 30)
    dataset = replace(small_dataset, dropped=pd.DataFrame({"kind": kind, "coin": coin}))
    config = RepeatedKFoldSplit("repeated_kfold", 0.0, 0, True, 4, n_repeats)
    table = subgroup_table(dataset, told_apart(dataset, config), ["kind", "coin"], "accuracy", 5)
    assert about_groups(table) == (
        "Beyond chance in accuracy these differ from the other rows: kind = first (1.000, p "
        "= 0.002), kind = second (0.000, p = 0.002); all rows have 0.500, p is corrected for 4 "
        "groups."
    )
    assert table[table["metric"] != "accuracy"]["p"].isna().all()


def test_equal_groups_are_said_to_be_equal(small_dataset):
    table = subgroup_table(small_dataset, evaluated(small_dataset), ["school"], "log_loss", 5)
    start = "No group differs in log loss from the other rows beyond chance: smallest p = "
    assert about_groups(table).startswith(start)
    assert about_groups(table.iloc[:2]) == about_groups(None) == ""


def test_rows_of_a_declared_group_count_as_one(small_dataset):
    """Ten equal rows of a unit are not ten proofs."""
    units = np.repeat(np.arange(6), 10)
    kind = np.where(units < 3, "first", "second")
    dataset = replace(small_dataset, dropped=pd.DataFrame({"kind": kind}))
    alone = subgroup_table(dataset, told_apart(dataset), ["kind"], "accuracy", 5)
    grouped = replace(dataset, groups=units)
    together = subgroup_table(grouped, told_apart(grouped), ["kind"], "accuracy", 5)
    p_alone, p_together = (
        pick(one, "kind", "accuracy").loc["first", "p"] for one in (alone, together)
    )
    assert p_alone < 0.01 < p_together


@pytest.mark.parametrize("objective", ["r2", "spearman"])
def test_equal_groups_at_other_levels_are_not_said_to_differ(small_dataset, objective):
    """All rows have a higher R2 than each of two groups, whose errors are the same."""
    kind, spread = np.repeat(["low", "high"], 30), np.tile(np.linspace(0, 2, 30), 2)
    numbers = replace(
        small_dataset,
        task="regression",
        target=spread + np.where(kind == "high", 8.0, 0.0),
        classes=(),
        dropped=pd.DataFrame({"kind": kind}),
    )
    split = make_split(numbers, KFoldSplit("kfold", 0.0, 0, True, 4))
    error = np.tile(np.random.default_rng(0).normal(size=30), 2)
    output = [(numbers.target + error)[fold.validation] for fold in split.folds]
    table = subgroup_table(numbers, result_of(numbers, split, output, 0.0), ["kind"], objective, 5)
    assert pick(table, "kind", objective)["value"].max() < table.iloc[0]["value"]
    assert table[table["metric"] == objective]["p"].isna().all()
    assert about_groups(table).startswith("No group differs in RMSE from the other rows")


def test_a_group_without_a_value_is_not_tested(small_dataset):
    kind = np.repeat(["none", "some", "more"], 20)
    truth = np.where(np.arange(60) < 20, 0, np.arange(60) % 2)
    dataset = replace(
        small_dataset, target=truth, classes=("no", "yes"), dropped=pd.DataFrame({"kind": kind})
    )
    split = make_split(dataset, KFoldSplit("kfold", 0.0, 0, True, 4))
    output = np.eye(2)[np.where(np.arange(60) % 5 == 0, 1 - truth, truth)]
    output[:20] = [0.0, 1.0]
    result = result_of(dataset, split, [output[fold.validation] for fold in split.folds], 0.0)
    table = subgroup_table(dataset, result, ["kind"], "f1", 5)
    line = pick(table, "kind", "f1")
    assert np.isnan(line.loc["none", "value"])
    assert line["p"].isna().to_dict() == {"more": False, "none": True, "some": False}
    assert "corrected for 2 groups" in about_groups(table)
    assert "none" not in about_groups(table)
