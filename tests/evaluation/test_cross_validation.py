from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from student_perf.config.schema import (
    GroupKFoldSplit,
    HoldoutSplit,
    KFoldSplit,
    NestedSplit,
    RepeatedKFoldSplit,
)
from student_perf.errors import ModelError
from student_perf.evaluation.cross_validation import cross_validate, predict, scored_of_fit
from student_perf.evaluation.splits import make_split
from student_perf.models.preprocess import build_preprocessor, build_steps
from tests.hostile import ANSWERED, CHANGES, NUMBERS, RAISED, Drawing, Mean, Shares

CONFIGS = [
    HoldoutSplit("holdout", 0.2, 0, True, 0.25),
    KFoldSplit("kfold", 0.2, 0, True, 4),
    RepeatedKFoldSplit("repeated_kfold", 0.2, 0, True, 4, 2),
    GroupKFoldSplit("group_kfold", 0.0, 0, True, 2, "school"),
    NestedSplit("nested", 0.2, 0, True, 4, 3),
]
SEEN: list[set[int]] = []


class Recorder(ClassifierMixin, BaseEstimator):
    """Remembers which rows it was fitted on and refuses to score any of them."""

    def fit(self, X, y):
        self.rows_ = set(X.index)
        self.classes_ = np.unique(y)
        SEEN.append(self.rows_)
        return self

    def predict_proba(self, X):
        assert not self.rows_ & set(X.index), "a scored row was fitted on"
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


@pytest.fixture
def pipeline(compose_config, small_dataset):
    steps = build_steps(compose_config().preprocess)
    preprocess = build_preprocessor(steps, small_dataset.numeric, small_dataset.categorical)
    return Pipeline([("preprocess", preprocess), ("model", LogisticRegression())])


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.kind)
def test_nothing_fitted_sees_a_row_it_is_scored_on(small_dataset, config):
    split = make_split(small_dataset, config)
    SEEN.clear()
    cross_validate(Recorder(), small_dataset, split)
    assert [set(fold.train) for fold in split.folds] == SEEN
    assert not set().union(*SEEN) & set(split.test)


class RecordingStep(TransformerMixin, BaseEstimator):
    """A preprocessing step that remembers its rows and refuses to score any of them."""

    def fit(self, X, y=None):
        self.rows_ = set(X.index)
        SEEN.append(self.rows_)
        return self

    def fit_transform(self, X, y=None):
        return self.fit(X, y).transform(X, scored=False)

    def transform(self, X, scored=True):
        assert not (scored and self.rows_ & set(X.index)), "a scored row was fitted on"
        return X


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.kind)
def test_no_preprocessing_step_sees_a_row_it_is_scored_on(small_dataset, pipeline, config):
    split = make_split(small_dataset, config)
    recorded = Pipeline([("record", RecordingStep()), *pipeline.steps])
    SEEN.clear()
    cross_validate(recorded, small_dataset, split)
    assert [set(fold.train) for fold in split.folds] == SEEN
    for fold in split.folds:  # tuning inside a fold stays inside its training part
        for inner in fold.inner:
            assert set(inner.train) | set(inner.validation) <= set(fold.train)
            assert not set(inner.train) & set(inner.validation)


def test_the_recording_step_would_notice_a_leak(small_dataset, pipeline):
    split = make_split(small_dataset, CONFIGS[1])
    fold = split.folds[0]
    everything = np.concatenate([fold.train, fold.validation])
    leaky = Pipeline([("record", RecordingStep()), *pipeline.steps])
    leaky.fit(small_dataset.features.iloc[everything], small_dataset.target[everything])
    with pytest.raises(AssertionError, match="a scored row was fitted on"):
        predict(leaky, small_dataset.features.iloc[fold.validation], small_dataset)


def test_result_is_what_a_plain_loop_gives(small_dataset, pipeline):
    split = make_split(small_dataset, CONFIGS[1])
    result = cross_validate(pipeline, small_dataset, split)
    for number, fold in enumerate(split.folds):
        fitted = clone(pipeline).fit(
            small_dataset.features.iloc[fold.train], small_dataset.target[fold.train]
        )
        expected = fitted.predict_proba(small_dataset.features.iloc[fold.validation])
        mine = result.fold == number
        np.testing.assert_array_equal(result.output[mine], expected)
        np.testing.assert_array_equal(result.row[mine], fold.validation)
        right = expected.argmax(axis=1) == small_dataset.target[fold.validation]
        assert result.fold_scores["accuracy"][number] == right.mean()
    np.testing.assert_array_equal(result.y_true, small_dataset.target[result.row])
    mean = result.fold_scores["accuracy"].mean()
    assert result.estimates["accuracy"].mean == mean
    assert mean > cross_validate(DummyClassifier(), small_dataset, split).estimates["accuracy"].mean


def test_twice_is_equal_to_the_last_digit(small_dataset, pipeline):
    split = make_split(small_dataset, CONFIGS[2])
    one, two = (cross_validate(pipeline, small_dataset, split) for _ in range(2))
    np.testing.assert_array_equal(one.output, two.output)


def test_a_single_part_gets_its_interval_from_its_rows(small_dataset, pipeline):
    split = make_split(small_dataset, CONFIGS[0])
    estimate = cross_validate(pipeline, small_dataset, split).estimates["accuracy"]
    assert np.isnan(estimate.std)
    assert estimate.low < estimate.mean < estimate.high


def test_a_class_absent_from_training_gets_probability_zero(small_dataset):
    rows = np.flatnonzero(small_dataset.target != 1)
    fitted = DummyClassifier().fit(small_dataset.features.iloc[rows], small_dataset.target[rows])
    output = predict(fitted, small_dataset.features.head(4), small_dataset)
    np.testing.assert_array_equal(output, [[0.5, 0, 0.5]] * 4)


def test_on_fitted_gets_each_fold_with_its_own_estimator(small_dataset, pipeline):
    split = make_split(small_dataset, CONFIGS[1])
    seen = []
    result = cross_validate(
        pipeline, small_dataset, split, on_fitted=lambda *arguments: seen.append(arguments)
    )
    assert [(number, fold) for number, fold, _ in seen] == list(enumerate(split.folds))
    for number, fold, fitted in seen:
        again = predict(fitted, small_dataset.features.iloc[fold.validation], small_dataset)
        np.testing.assert_array_equal(again, result.output[result.fold == number])


def test_on_fold_counts_up(small_dataset):
    calls: list[tuple[int, float]] = []
    split = make_split(small_dataset, CONFIGS[1])
    result = cross_validate(
        DummyClassifier(),
        small_dataset,
        split,
        on_fold=lambda done, scores: calls.append((done, scores["log_loss"])),
    )
    assert calls == list(enumerate(result.fold_scores["log_loss"], start=1))


def test_what_on_fold_raises_ends_the_evaluation(small_dataset):
    done: list[int] = []

    def stop(number, scores):
        done.append(number)
        if number == 2:
            raise StopIteration

    split = make_split(small_dataset, CONFIGS[1])
    with pytest.raises(StopIteration):
        cross_validate(DummyClassifier(), small_dataset, split, on_fold=stop)
    assert done == [1, 2]


def test_train_scores_are_those_of_the_rows_of_the_fit(small_dataset, pipeline):
    split = make_split(small_dataset, CONFIGS[1])
    result = cross_validate(pipeline, small_dataset, split, train_scores=True)
    for number, fold in enumerate(split.folds):
        rows = small_dataset.features.iloc[fold.train]
        fitted = clone(pipeline).fit(rows, small_dataset.target[fold.train])
        expected = fitted.score(rows, small_dataset.target[fold.train])
        assert result.train_scores["accuracy"][number] == expected
    assert cross_validate(pipeline, small_dataset, split).train_scores == {}


def test_given_inputs_the_last_step_alone_gives_the_same(small_dataset, pipeline):
    split = make_split(small_dataset, CONFIGS[1])

    def inputs(number):
        fold = split.folds[number]
        step = clone(pipeline.named_steps["preprocess"])
        train = step.fit_transform(small_dataset.features.iloc[fold.train])
        return train, step.transform(small_dataset.features.iloc[fold.validation])

    whole = cross_validate(pipeline, small_dataset, split)
    last = cross_validate(pipeline.named_steps["model"], small_dataset, split, inputs=inputs)
    np.testing.assert_array_equal(whole.output, last.output)


def test_numbers_are_predicted_as_numbers(small_dataset):
    numbers = replace(small_dataset, task="regression", target=np.linspace(0, 1, 60), classes=())
    split = make_split(numbers, CONFIGS[1])
    result = cross_validate(DummyRegressor(), numbers, split)
    assert result.output.shape == (48,)
    np.testing.assert_array_equal(result.y_pred, result.output)
    assert result.estimates["r2"].mean <= 0


@pytest.mark.parametrize("word", ANSWERED)
def test_an_answer_that_is_none_ends_the_evaluation(small_dataset, word):
    split = make_split(small_dataset, CONFIGS[1])
    with pytest.raises(ModelError, match=r"^the model answered .* in fold 1 of 4; ") as raised:
        cross_validate(Shares(answer=ANSWERED[word]), small_dataset, split)
    assert word in str(raised.value)


@pytest.mark.parametrize("word", NUMBERS)
def test_numbers_that_are_none_end_the_evaluation(small_dataset, word):
    numbers = replace(small_dataset, task="regression", target=np.linspace(0, 1, 60), classes=())
    split = make_split(numbers, CONFIGS[1])
    assert cross_validate(Mean(), numbers, split).output.shape == (48,)
    with pytest.raises(ModelError, match=r"^the model answered .* in fold 1 of 4; ") as raised:
        cross_validate(Mean(NUMBERS[word]), numbers, split)
    assert word in str(raised.value)


@pytest.mark.parametrize("place", ["in_fit", "in_predict"])
@pytest.mark.parametrize("word", RAISED)
def test_whatever_a_model_raises_is_an_ordinary_error(small_dataset, word, place):
    split = make_split(small_dataset, CONFIGS[1])
    with pytest.raises(Exception) as raised:  # noqa: PT011 (an exception, that is the point)
        cross_validate(Shares(**{place: RAISED[word]}), small_dataset, split)
    is_own = word.startswith(("ValueError", "_MuteError"))
    assert isinstance(raised.value, ModelError) is not is_own


def test_a_model_without_probabilities_is_refused_with_what_to_do(small_dataset):
    split = make_split(small_dataset, CONFIGS[1])
    numbers = replace(small_dataset, features=small_dataset.features[["points"]])
    with pytest.raises(ModelError, match=r"has no predict_proba.*model=calibrated"):
        cross_validate(RidgeClassifier(), numbers, split)


def test_a_fit_that_returns_nothing_is_one_all_the_same(small_dataset):
    class Silent(Shares):
        def fit(self, X, y):
            super().fit(X, y)

    split = make_split(small_dataset, CONFIGS[1])
    one, two = (cross_validate(m, small_dataset, split) for m in (Silent(), Shares()))
    np.testing.assert_array_equal(one.output, two.output)


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_model_does_to_the_process_changes_no_figure_of_another(small_dataset, name):
    split = make_split(small_dataset, CONFIGS[1])
    alone = cross_validate(Drawing(), small_dataset, split, seed=3)
    cross_validate(Shares(in_fit=CHANGES[name]), small_dataset, split)
    after = cross_validate(Drawing(), small_dataset, split, seed=3)
    np.testing.assert_array_equal(after.output, alone.output)
    other = cross_validate(Drawing(), small_dataset, split, seed=4)
    assert (other.output != alone.output).all()


def test_what_a_model_does_to_its_data_stays_its_own(small_dataset):
    split = make_split(small_dataset, CONFIGS[1])
    features, target = small_dataset.features.copy(), small_dataset.target.copy()
    changing, honest = (
        cross_validate(Shares(changes_data=c), small_dataset, split) for c in (True, False)
    )
    for name, scores in honest.fold_scores.items():
        np.testing.assert_array_equal(changing.fold_scores[name], scores)
    assert small_dataset.features.equals(features)
    np.testing.assert_array_equal(small_dataset.target, target)


class ChangedByItsFit(Shares):
    """Predicts from the rows, so that rows changed by the fit would show in the train scores."""

    def predict_proba(self, X):
        first = np.asarray(X["points"] > 1, dtype=float)
        return np.column_stack([first, 1 - first, np.zeros(len(X))])


def test_of_many_training_rows_a_fixed_sample_is_scored():
    few, many = np.arange(100, 20_100), np.arange(100, 50_000)
    assert scored_of_fit(few) is few
    sample = scored_of_fit(many)
    assert len(sample) == len(np.unique(sample)) == 20_000
    assert set(sample) <= set(many)
    np.testing.assert_array_equal(sample, scored_of_fit(many))


def test_train_scores_are_those_of_rows_that_the_fit_has_not_changed(small_dataset):
    split = make_split(small_dataset, CONFIGS[1])
    changing, honest = (
        cross_validate(ChangedByItsFit(changes_data=c), small_dataset, split, train_scores=True)
        for c in (True, False)
    )
    for name, scores in honest.train_scores.items():
        np.testing.assert_array_equal(changing.train_scores[name], scores)


def test_weights_reach_fit_scores_and_dummy(small_dataset):
    weights = np.where(small_dataset.target == 0, 100.0, 1.0)
    weighted = replace(small_dataset, weights=weights)
    split = make_split(weighted, KFoldSplit("kfold", 0.0, 0, True, 4))
    result = cross_validate(DummyClassifier(), weighted, split, train_scores=True)
    # Every answer is the heavy class, which is a third of the rows and nearly all of the weight.
    assert set(result.y_pred) == {0}
    assert (result.fold_scores["accuracy"] > 0.97).all()
    assert (result.train_scores["accuracy"] > 0.97).all()
    assert result.answers.weights.tolist() == weights[result.row].tolist()
    # A model that takes no weights learns as without, but is scored by them.
    model = KNeighborsClassifier(3)
    numbers = replace(weighted, features=small_dataset.features[["points"]])
    plain = cross_validate(model, replace(numbers, weights=None), split)
    same = cross_validate(model, numbers, split)
    np.testing.assert_array_equal(plain.output, same.output)
    assert not np.allclose(plain.fold_scores["accuracy"], same.fold_scores["accuracy"])
