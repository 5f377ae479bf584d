import json
from dataclasses import asdict

import numpy as np
import pytest

from student_perf.errors import ConfigError
from student_perf.runs.prediction_sets import describe_sets, sets_from_json
from student_perf.scoring.answers import Answers
from student_perf.scoring.conformal import prediction_sets


def made(n):
    return prediction_sets(Answers(np.zeros(n), np.arange(1.0, n + 1)), np.arange(n))


def test_they_come_back_from_their_file_with_gaps():
    sets = made(12)
    assert None in sets.limits
    assert sets_from_json(json.dumps(asdict(sets))) == sets


@pytest.mark.parametrize("change", [{"n": "many"}, {"limits": [0.1]}, {"more": 1}])
def test_another_content_is_refused(change):
    with pytest.raises(ConfigError, match="prediction sets"):
        sets_from_json(json.dumps(asdict(made(12)) | change))


def test_too_few_rows_are_said():
    assert describe_sets(made(5), "regression").startswith("5 held-out rows are too few")
