import numpy as np
import pytest
from sklearn.preprocessing import FunctionTransformer

from student_perf.data import load_dataset
from student_perf.errors import StudentPerfError
from student_perf.models.build import build_estimator
from student_perf.models.labels import LabelledClassifier
from student_perf.tracking.model_format import load_model, save_model


@pytest.mark.parametrize("dataset", ["econmath", "econmath_score"])
@pytest.mark.parametrize("model", ["dummy", "logreg", "rf", "xgb"])
def test_every_model_comes_back_with_the_same_answers(compose_config, tmp_path, model, dataset):
    if (model, dataset) == ("logreg", "econmath_score"):
        return  # logreg has no regressor
    config = compose_config(f"model={model}", f"dataset={dataset}")
    data = load_dataset(config.dataset)
    features = data.features.fillna(0.0).rank(pct=True)
    fitted = build_estimator(config.model, config.dataset.task)
    if data.classes:
        fitted = LabelledClassifier(fitted, list(data.classes))
    fitted = fitted.fit(features, data.target_labels(data.target))
    save_model(fitted, tmp_path / "model.skops")
    back = load_model(tmp_path / "model.skops")
    np.testing.assert_array_equal(back.predict(features), fitted.predict(features))


def test_a_type_off_the_list_is_not_kept(tmp_path):
    harmful = FunctionTransformer(func=__import__("os").system)
    path = tmp_path / "model.skops"
    with pytest.raises(StudentPerfError, match=r"posix\.system|nt\.system|os\.system"):
        save_model(harmful, path)
    assert not path.exists()
