import numpy as np
import pytest

from student_perf.sweep.evaluate import TrialEvaluator
from tests.conftest import compose_config

CASES = [
    [["model=logreg", "model.C=0.1"], ["model=logreg", "model.C=10"], ["model=rf"]],
    [["model=xgb"], ["model=xgb", "model.max_bin=16"], ["model=xgb", "model.max_depth=2"]],
    [["model=logreg", "preprocess.numeric.impute.strategy=mean"], ["model=logreg"]],
    [["model=logreg", "seed=1"], ["model=logreg", "seed=2"]],
    [["dataset=econmath_score", "model=xgb"], ["dataset=econmath_score", "model=rf"]],
]


@pytest.mark.parametrize("trials", CASES)
def test_with_and_without_caching_all_figures_are_equal_to_the_last_digit(workspace, trials):
    cached = TrialEvaluator()
    small = ["tracking=off", "split.n_splits=3"]
    for overrides in [*trials, trials[0]]:
        few = [] if "logreg" in str(overrides) else ["model.n_estimators=15"]
        config = compose_config(*small, *overrides, *few)
        one = cached.evaluate(config)
        two = TrialEvaluator(caching=False).evaluate(config)
        np.testing.assert_array_equal(one.output, two.output)
        for metric, scores in two.fold_scores.items():
            np.testing.assert_array_equal(one.fold_scores[metric], scores)


def test_data_and_preprocessing_are_made_once(workspace, monkeypatch):
    from sklearn.compose import ColumnTransformer

    fits = []
    original = ColumnTransformer.fit_transform

    def counted(self, *args, **kwargs):
        fits.append(1)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(ColumnTransformer, "fit_transform", counted)
    evaluator = TrialEvaluator()
    configs = [compose_config("tracking=off", f"model.C={c}") for c in (0.1, 1, 10)]
    for config in configs:
        evaluator.evaluate(config)
    assert len(fits) == 5
    assert evaluator.data(configs[0]) is evaluator.data(configs[1])
