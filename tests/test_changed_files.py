"""Each command names the file that was changed after the run, and goes on if it is told to."""

import pytest

from student_perf import api, cli
from student_perf.errors import ChangedError
from student_perf.exit_codes import ExitCode
from student_perf.runs.record import load_record
from tests.tiers import few_fast

LEFT = (
    "config.yaml",
    "contract.yaml",
    "golden_rows.json",
    "metrics.json",
    "model.skops",
    "prediction_sets.json",
    "predictions.parquet",
    "provenance.json",
    "record.json",
)
MODEL = (
    "contract.yaml",
    "golden_rows.json",
    "model.skops",
    "prediction_sets.json",
    "record.json",
)
USED = {
    "check RUN": LEFT,
    "compare RUN --metric log_loss --permuted 1": ("record.json", "config.yaml"),
    "drift DATA DATA --no-tracking --model RUN": MODEL,
    "drift RUN DATA --no-tracking": ("config.yaml", "record.json"),
    "evidence": LEFT,
    "explain RUN": ("config.yaml", *MODEL),
    "export RUN bundle.zip": LEFT,
    "predict RUN DATA out.csv": MODEL,
    "promote RUN": LEFT,
    "report RUN": ("config.yaml", "record.json"),
    "reproduce RUN": LEFT,
    "serve RUN --port 0": MODEL,
    "sync RUN": LEFT,
    "verify RUN": LEFT,
    "why RUN RUN": ("config.yaml", "contract.yaml", "provenance.json", "record.json"),
}
GOES_ON = (
    "check RUN",
    "compare RUN",
    "evidence",
    "export RUN bundle.zip",
    "predict RUN DATA out.csv",
    "report RUN",
    "why RUN RUN",
)


def change(path, how):
    """Append bytes, change one figure, or flip one bit, and remove the file last."""
    content = path.read_bytes()
    if how == "removed":
        path.unlink()
    elif path.suffix == ".skops":
        path.write_bytes(content + b"more")
    elif path.suffix == ".parquet":
        path.write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])
    else:
        place = next(
            i for i in range(len(content) // 2, len(content)) if content[i : i + 1] in b"0123456789"
        )
        digit = b"1" if content[place : place + 1] != b"1" else b"2"
        path.write_bytes(content[:place] + digit + content[place + 1 :])


@pytest.fixture
def words(kept_run, grades, monkeypatch, tmp_path):
    """Fills a command in, for a run that counts as sent so that it could be promoted."""
    monkeypatch.chdir(tmp_path)
    record = load_record(kept_run)
    record.mlflow_run_id = "a" * 32
    record.save()
    places = {"RUN": str(kept_run), "DATA": str(grades)}
    return lambda command: [places.get(word, word) for word in command.split()]


@pytest.mark.parametrize(
    ("command", "name"),
    few_fast([(command, name) for command, names in USED.items() for name in names], 25),
)
def test_a_changed_file_is_named_in_one_line(command, name, words, kept_run, capsys):
    if command.startswith("serve"):
        pytest.importorskip("uvicorn")
    if command.startswith("sync"):  # a run that is still to be sent
        record = load_record(kept_run)
        record.mlflow_run_id = None
        record.params["tracking.enabled"] = "True"
        record.save()
    change(kept_run / name, "changed")
    assert cli.main(words(command)) == ExitCode.FINDING
    done = capsys.readouterr()
    said = done.err.splitlines()
    if command.split()[0] in ("verify", "evidence"):  # they say all that is to be said of a run
        assert name in done.out
    else:
        (line,) = said
        assert f"{kept_run / name}: was changed after the run; put it back as it was" in line


@pytest.mark.parametrize("command", ["check RUN", "export RUN bundle.zip", "verify RUN"])
@pytest.mark.parametrize("name", few_fast([name for name in LEFT if name != "record.json"], 3))
def test_a_removed_file_is_named(command, name, words, kept_run, capsys):
    change(kept_run / name, "removed")
    assert cli.main(words(command)) == ExitCode.FINDING
    done = capsys.readouterr()
    assert f"{kept_run / name}: is missing" in (done.out + done.err).replace("\n", " ")


@pytest.mark.parametrize("command", GOES_ON)
def test_changes_can_be_accepted(command, words, kept_run, capsys):
    file = kept_run / "config.yaml"
    file.write_text(file.read_text() + "\n# a note\n")
    assert cli.main([*words(command), "--accept-changes"]) == ExitCode.DONE
    err = capsys.readouterr().err
    if command.split()[0] not in ("predict", "compare", "evidence"):  # these do not read the config
        assert f"warning: {file}: was changed after the run" in err


def test_what_people_add_is_no_fault(words, kept_run, capsys):
    (kept_run / "notes.txt").write_text("for the meeting\n")
    for command in ("check RUN", "verify RUN", "export RUN bundle.zip"):
        assert cli.main(words(command)) == ExitCode.DONE
    assert "added after the run" in capsys.readouterr().out


def test_python_notices_too(kept_run):
    change(kept_run / "model.skops", "changed")
    change(kept_run / "predictions.parquet", "removed")
    run = api.load_run(str(kept_run))
    with pytest.raises(ChangedError, match=r"model\.skops"):
        _ = run.model
    with pytest.raises(ChangedError, match=r"predictions\.parquet"):
        _ = run.predictions
    assert api.load_run(str(kept_run), accept_changes=True).model.predict
    change(kept_run / "record.json", "changed")
    with pytest.raises(ChangedError, match=r"record\.json"):
        api.load_run(str(kept_run))
    assert api.load_run(str(kept_run), accept_changes=True).record.is_changed
