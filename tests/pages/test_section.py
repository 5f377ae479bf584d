import json

from student_perf.pages.section import (
    changed_keys,
    config_of,
    configs_json,
    data_facts,
    origin_facts,
)


def test_a_config_is_what_was_composed(make_record):
    record = make_record("one", [0.5])
    record.params |= {"model.C": "2", "space.model.C": "1 to 3", "swept.model.C": "2"}
    record.params |= {"sweep.sampler": "tpe", "features": "a,b", "tracking.uri": "x"}
    config = config_of(record)
    assert config["model.C"] == "2"
    assert not [key for key in config if key.split(".")[0] in ("space", "swept", "sweep")]
    assert "features" not in config
    assert "tracking.uri" not in config


def test_a_key_that_one_config_lacks_is_not_set():
    assert changed_keys({"a": "1", "b": "2"}, {"b": "2", "c": "3"}) == [
        ("a", "1", "not set"),
        ("c", "not set", "3"),
    ]


def test_configs_are_kept_as_what_differs_and_cannot_end_their_element(make_record):
    record = make_record("one", [0.5])
    record.params["model.note"] = "</script>"
    base = config_of(record) | {"model.gone": "1"}
    base["model.note"] = "&"
    text = configs_json(base, [("first", record)])
    assert not set("<>&") & set(text)
    (run,) = json.loads(text)["runs"]
    assert run == {"name": "first", "changed": {"model.gone": None, "model.note": "</script>"}}


def test_facts_come_from_the_record_empty_if_unknown(make_record):
    record = make_record("one", [0.5])
    record.params["n_rows"] = "856"
    facts = data_facts(record, "5 folds")
    assert (facts["dataset"], facts["rows"]) == (record.dataset, "856")
    assert facts["data SHA-256"] == record.data_sha256
    assert "5 folds" in facts["split"]
    assert facts["missing cells"] == ""
    record.tags["student_perf.check.SP202"] = "column 'a': constant"
    assert data_facts(record, "")["check SP202"] == "column 'a': constant"
    record.tags |= {"mlflow.source.git.commit": "abc", "mlflow.source.git.dirty": "True"}
    assert origin_facts(record)["commit"] == "abc with uncommitted changes"
