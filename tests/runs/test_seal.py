import json
from contextlib import suppress

import pytest

from student_perf.errors import ChangedError, ConfigError
from student_perf.runs.record import RunRecord, load_record
from student_perf.runs.seal import accept_changes, added_files, checksums, sha256_of


@pytest.fixture
def record(tmp_path):
    folder = tmp_path / "run"
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text("[]\n")
    (folder / "config.yaml").write_text("seed: 0\n")
    (folder / "train.log").write_text("started\n")
    record = RunRecord(folder, "run", "single", {"seed": "0"}, {}, {"a": 0.5}, started=1.0)
    record.finish()
    return record


def test_an_ended_record_lists_what_is_final(record):
    assert list(record.files) == [".hydra/overrides.yaml", "config.yaml"]
    assert record.files["config.yaml"] == sha256_of(record.folder / "config.yaml")
    for name in ("train.log", "mlflow_run_id", "mlflow_address", "report.html", "x.tmp", "a.lock"):
        (record.folder / name).write_text("later")
    (record.folder / "link").symlink_to("config.yaml")
    assert checksums(record.folder, "single") == record.files
    assert added_files(record.folder, record.files) == []
    (record.folder / "notes.txt").write_text("mine")
    assert added_files(record.folder, record.files) == ["notes.txt"]
    assert load_record(record.folder) == record


def test_a_running_record_is_sealed_without_files(record):
    record.status, record.files = "RUNNING", {}
    record.save()
    assert load_record(record.folder).files == {}


def test_of_a_sweep_only_what_stays_is_listed(record):
    (record.folder / "study.journal").write_text("{}")
    (record.folder / "leaderboard.csv").write_text("run\n")
    assert list(checksums(record.folder, "sweep")) == ["config.yaml", "leaderboard.csv"]


def _same_but_for_layout(text):
    return json.dumps(json.loads(text))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("0.5", "0.6"),
        lambda text: text.replace('"seed": "0"', '"seed": "1"'),
        lambda text: text.replace('"files"', '"fules"'),
        lambda text: text.replace('"seal"', '"sael"'),
        lambda text: text.replace('"seal": "', '"seal": "f'),
        lambda text: text + "\n",
        lambda text: text[:-3],
        _same_but_for_layout,
    ],
)
def test_every_change_of_the_text_is_noticed_and_can_be_accepted(change, record, capsys):
    file = record.folder / "record.json"
    text = change(file.read_text())
    file.write_bytes(text.encode())
    with pytest.raises(ChangedError, match=r"record\.json: was changed after the run; put it back"):
        load_record(record.folder)
    with accept_changes(), suppress(ConfigError):  # no JSON any more, or with an unknown key
        assert load_record(record.folder).name == "run"
    assert "warning" in capsys.readouterr().err


def test_saving_a_changed_record_does_not_mend_it(record):
    file = record.folder / "record.json"
    file.write_text(file.read_text().replace("0.5", "0.6"))
    with accept_changes(warn=False):
        changed = load_record(record.folder)
    changed.mlflow_run_id = "a" * 32
    changed.save()
    with pytest.raises(ChangedError):
        load_record(record.folder)


def test_an_honest_update_keeps_the_seal_and_the_checksums(record):
    record.mlflow_run_id = "a" * 32
    record.save()
    assert load_record(record.folder).files == record.files


def test_a_file_is_asked_for_by_its_record(record, capsys):
    path = record.file("config.yaml")
    assert record.file("train.log").name == "train.log"  # has no checksum
    path.write_text("seed: 1\n")
    with pytest.raises(ChangedError, match=r"config\.yaml: was changed after the run"):
        record.file("config.yaml")
    with pytest.raises(ChangedError, match=r"config\.yaml"):
        record.check_files()
    path.unlink()
    with pytest.raises(ChangedError, match=r"config\.yaml: is missing, and the run had left it"):
        record.file("config.yaml")
    with accept_changes():
        assert record.file("config.yaml") == path
    assert "warning: " in capsys.readouterr().err
    assert [name for name, _ in record.changes] == ["config.yaml"]


def test_records_of_earlier_versions_are_read(record):
    file = record.folder / "record.json"
    content = json.loads(file.read_text())
    del content["files"], content["seal"]
    file.write_text(json.dumps(content, indent=2) + "\n")
    old = load_record(record.folder)
    assert (old.files, old.is_changed) == ({}, False)


def test_a_secret_of_hexadecimal_digits_does_not_break_the_seal(record, monkeypatch):
    from student_perf import masking

    monkeypatch.setattr(masking, "_known", set())
    masking.learn_secrets([("token", record.files["config.yaml"][:4])])
    record.save()
    assert load_record(record.folder).files == record.files
