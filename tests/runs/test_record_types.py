import json

import pytest

from student_perf import cli
from student_perf.errors import ConfigError
from student_perf.runs.record import load_record
from student_perf.runs.record_types import check_types
from student_perf.runs.seal import sealed
from tests.tampering import forge_seal

WRONG = {
    "name": 3,
    "kind": None,
    "params": {"seed": 1},
    "tags": [],
    "metrics": {"cv_accuracy_mean": "0.5"},
    "status": "DONE",
    "started": 1e400,
    "ended": "today",
    "error": ["x"],
    "mlflow_run_id": {},
    "space": [3],
    "objectives": "accuracy",
    "optuna": 1,
    "files": {"../x": "0"},
}


def edit(folder, **changes):
    """Change the top of a record and seal it, as a stranger can."""
    file = folder / "record.json"
    content = json.loads(file.read_text()) | changes
    files = content.pop("files")
    content.pop("seal")
    file.write_text(sealed(json.dumps(content, indent=2) + "\n", files))


def test_the_record_of_a_run_is_right(kept_once):
    check_types(json.loads((kept_once / "record.json").read_text()))


@pytest.mark.parametrize(("key", "value"), WRONG.items())
def test_a_fact_of_another_type_is_one_line(key, value, kept_run, capsys):
    edit(kept_run, **{key: value})
    with pytest.raises(ConfigError, match=f"is not a record \\(TypeError: {key}: must be"):
        load_record(kept_run)
    assert cli.main(["compare", str(kept_run)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "record.json is not a record" in line


@pytest.mark.parametrize("key", ["n_rows", "repeats", "test_over_train"])
def test_texts_that_are_read_as_numbers_are_numbers(key):
    check_types({"params": {key: "12"}})
    with pytest.raises(TypeError, match="numbers in n_rows, repeats, test_over_train"):
        check_types({"params": {key: "many"}})


@pytest.mark.parametrize("name", ["/etc/x", "a/../../x", "C:\\x", "..\\x", "\\\\host\\x"])
def test_a_file_of_a_run_lies_in_its_folder(name):
    check_types({"files": {".hydra/hydra.yaml": "0" * 64}})
    with pytest.raises(TypeError, match="a file in the folder"):
        check_types({"files": {name: "0" * 64}})


def test_nesting_without_end_is_one_line(kept_run):
    (kept_run / "record.json").write_text("[" * 100_000)
    with pytest.raises(ConfigError, match="is not a record"):
        load_record(kept_run)


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("command", ["check", "compare", "report", "why", "verify", "export"])
def test_a_record_cannot_write_to_the_terminal(command, kept_run, tmp_path, capsys):
    evil = "\x1b]0;mine\x07\x1b[2J"
    known = load_record(kept_run)
    edit(
        kept_run,
        name=evil,
        error=evil,
        mlflow_run_id=evil,
        params={key: evil if key == "model.name" else v for key, v in known.params.items()},
        tags={**known.tags, "dataset": evil, evil: evil},
        files={evil: "0" * 64},
    )
    if command != "verify":
        forge_seal(kept_run)
    words = {"why": [kept_run], "export": [tmp_path / "b.zip"]}.get(command, [])
    cli.main([command, str(kept_run), *map(str, words)])
    done = capsys.readouterr()
    assert "\x1b" not in done.out + done.err
    assert "\x07" not in done.out + done.err
