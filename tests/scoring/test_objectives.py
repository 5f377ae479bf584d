import json
import math

import numpy as np
import pytest

from student_perf.errors import ConfigError, StudentPerfError
from student_perf.scoring.metrics import metrics_of
from student_perf.scoring.objectives import Objectives, make_objectives

KNOWN = metrics_of("classification", n_classes=3)
LOGGED = {"cv_accuracy_mean": 0.6, "cv_log_loss_mean": 1.1, "fit_seconds": 3.0}


def test_values_and_violations_follow_each_metrics_direction():
    both = Objectives(("accuracy", "fit_seconds"), {"log_loss": 1.0, "accuracy": 0.5})
    assert both.directions == ["maximize", "minimize"]
    assert both.values(LOGGED) == [0.6, 3.0]
    assert both.violations(LOGGED) == pytest.approx({"log_loss": 0.1, "accuracy": -0.1})
    assert not both.keeps_limits(LOGGED)
    assert both.describe() == (
        "accuracy (maximize), fit_seconds (minimize); log_loss at most 1; accuracy at least 0.5"
    )
    with pytest.raises(StudentPerfError, match="r2: is nan"):
        Objectives(("r2",)).values(LOGGED)


def test_the_configs_own_objective_comes_first_and_once():
    made = make_objectives("accuracy", ["log_loss", "accuracy"], {}, KNOWN)
    assert made.metrics == ("accuracy", "log_loss")


@pytest.mark.parametrize(
    ("also", "limits", "message"),
    [
        (["acuracy"], {}, "objectives=acuracy: not a metric .* did you mean accuracy"),
        (["f1"], {}, "objectives=f1: not a metric .* did you mean f1_macro"),
        (["r2"], {}, "not a metric of this target"),
        ([], {"logloss": 1}, "did you mean log_loss"),
        ([], {"log_loss": "low"}, "constraints.log_loss=low: must be the worst value"),
    ],
)
def test_unknown_metrics_and_limits_are_refused(also, limits, message):
    with pytest.raises(ConfigError, match=message):
        make_objectives("accuracy", also, limits, KNOWN)


def test_trials_that_keep_the_limits_rank_before_the_others():
    sought = Objectives(("log_loss",), {"accuracy": 0.5})
    trials = {
        0: {"cv_log_loss_mean": 1.0, "cv_accuracy_mean": 0.4},
        1: {"cv_log_loss_mean": 1.2, "cv_accuracy_mean": 0.6},
        2: {"cv_log_loss_mean": math.nan, "cv_accuracy_mean": 0.6},
        3: {"cv_log_loss_mean": 1.1, "cv_accuracy_mean": 0.5},
        4: {"cv_log_loss_mean": 1.1, "cv_accuracy_mean": 0.7},
        5: {"cv_log_loss_mean": 0.9},
    }
    assert sought.ranked(trials) == [3, 4, 1, 2, 5, 0]


def test_the_front_is_the_one_that_counting_finds():
    rng = np.random.default_rng(0)
    both = Objectives(("accuracy", "fit_seconds"), {"fit_seconds": 8})
    trials = {
        n: {"cv_accuracy_mean": float(score), "fit_seconds": float(seconds)}
        for n, (score, seconds) in enumerate(rng.integers(0, 11, (60, 2)))
    }
    points = {n: tuple(t.values()) for n, t in trials.items() if t["fit_seconds"] <= 8}
    front = {
        n
        for n, (score, seconds) in points.items()
        if not any(a >= score and b <= seconds and (a, b) != (score, seconds)
                   for a, b in points.values())
    }  # fmt: skip
    got = both.front(trials)
    assert set(got) == front
    assert got == [n for n in both.ranked(trials) if n in front]


def test_objectives_can_be_kept_in_a_record():
    both = Objectives(("accuracy", "fit_seconds"), {"log_loss": 1.0})
    assert Objectives.from_dict(json.loads(json.dumps(both.to_dict()))) == both
