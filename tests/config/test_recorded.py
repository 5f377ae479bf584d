import pytest
import yaml

from student_perf.config.recorded import load_recorded, read_recorded, resolved_only
from student_perf.errors import ConfigError


def test_a_runs_config_file_gives_its_config_again(compose_config, tmp_path):
    config = compose_config("model=rf", "model.n_estimators=7", "tags.role=sre")
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config.composed))
    assert load_recorded(path) == config


@pytest.mark.parametrize(
    "place",
    [
        {"tags": {"note": "${oc.env:HOME}"}},
        {"model": {"name": "${workspace:}"}},
        {"dataset": {"clean": [{"drop_columns": ["a", "${oc.decode:1}"]}]}},
        {"dataset": {"clean": [[["${a}"]]]}},
    ],
)
def test_nothing_in_a_record_is_looked_up(place):
    with pytest.raises(ConfigError, match=r"\$\{.*a record holds resolved values only"):
        resolved_only(place)


def test_the_cache_folder_of_a_record_is_not_used(workspace):
    dataset = {"source": "archive", "cache": "/elsewhere"}
    assert resolved_only({"dataset": dataset})["dataset"]["cache"] == str(workspace / "data")
    assert dataset["cache"] == "/elsewhere"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("!!python/object/apply:os.system ['true']", "cannot be read"),
        ("!!python/name:os.system", "cannot be read"),
        ("a: [", "cannot be read"),
        ("[" * 5000, "cannot be read"),
        ("just words", "is not a config"),
        (
            "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(
                f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
                for before, name in zip("abcdefgh", "bcdefghi", strict=True)
            ),
            "more than 100,000 values",
        ),
    ],
)
@pytest.mark.slow
def test_a_file_that_is_no_plain_config_is_one_line(tmp_path, text, message):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_recorded(path)
