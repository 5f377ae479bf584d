import io
import json
import logging
import os
import subprocess
import sys
import zipfile

import pytest
import yaml

from student_perf import cli, masking
from student_perf.masking import (
    MaskingFormatter,
    learn_environment,
    learn_secrets,
    logging_to,
    masked,
    masked_tree,
    masked_yaml,
    masking_logs,
)
from student_perf.runs.record import load_record

SECRETS = ("hunter2-token", "p4ssw0rd-in-uri", "from-the-environment")


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    monkeypatch.setattr(masking, "_known", set())


def test_values_of_secret_keys_and_passwords_in_uris_are_masked_everywhere():
    learn_secrets([("tags.api_token", "hunter2"), ("db", "mysql://me:pa55@host/x"), ("seed", 0)])
    assert masked("sent hunter2 to mysql://me:pa55@host/x and pa55") == (
        "sent *** to mysql://me:***@host/x and ***"
    )
    assert masked("postgresql://u:never-seen@h/db") == "postgresql://u:***@h/db"
    assert masked("http://127.0.0.1:5000/#/x?a=b@c") == "http://127.0.0.1:5000/#/x?a=b@c"


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("db.password", True),
        ("passwd", True),
        ("aws.secret_access_key", True),
        ("tags.API_KEY", True),
        ("apikey", True),
        ("credentials", True),
        ("tags.team", False),
        ("model.max_depth", False),
        ("credentials.key", True),
    ],
)
def test_keys_that_look_secret(key, secret):
    learn_secrets([(key, "longer than four")])
    assert (masked("longer than four") == "***") == secret


def test_secrets_are_found_as_json_and_the_shell_write_them():
    import json
    import shlex

    odd = "sl\\ash \"and' more"
    learn_secrets([("tokens", ["first-one", "second-one"]), ("passphrase", odd)])
    for text in (json.dumps({"x": odd}), shlex.join(["train", f"+x={odd}"]), odd):
        assert "ash" not in masked(text)
    assert masked("first-one, second-one") == "***, ***"
    assert masked("host=h password=abcdef dbname=x") == "host=h password=*** dbname=x"
    assert masked("mysql://me:p@ss@host/x") == "mysql://me:***@host/x"


def test_a_config_that_is_refused_leaves_no_secret(train, workspace):
    done = train(f"+tags.api_token={SECRETS[0]}", "split.test_size=7", "tracking=off")
    assert done.code == 1
    files = [path for path in workspace.rglob("*") if path.is_file()]
    assert any(path.name == "overrides.yaml" for path in files)
    assert not [path for path in files if SECRETS[0] in path.read_text(errors="replace")]


def test_log_lines_and_tracebacks_are_masked():
    learn_secrets([("token", "hunter2")])
    try:
        raise ValueError("hunter2 refused")
    except ValueError:
        import sys

        record = logging.LogRecord("x", 40, "f", 1, "with %s", ("hunter2",), sys.exc_info())
    line = MaskingFormatter("%(message)s").format(record)
    assert "hunter2" not in line
    assert "with ***" in line
    assert "ValueError: *** refused" in line


@pytest.mark.slow
@pytest.mark.usefixtures("mlflow_loaded")
@pytest.mark.parametrize("sweep", [False, True])
def test_a_secret_appears_nowhere_on_disk_nor_in_mlflow(train, workspace, monkeypatch, sweep):
    monkeypatch.setenv("MY_TOKEN", SECRETS[2])
    words = [
        f"+tags.api_token={SECRETS[0]}",
        f"+tags.db='postgresql://me:{SECRETS[1]}@host/x'",
        "+tags.session_token=${oc.env:MY_TOKEN}",
        "split.n_splits=2",
        "report.importance=false",
    ]
    done = train("-m", "model.C=0.1,1", *words) if sweep else train(*words)
    assert done.code == 0
    files = [path for path in workspace.rglob("*") if path.is_file()]
    assert any(path.name == "mlflow.db" for path in files)
    kept = [path.read_bytes() for path in files]
    for secret in SECRETS:
        leaks = [str(f) for f, data in zip(files, kept, strict=True) if secret.encode() in data]
        assert not leaks
        assert secret not in done.out + done.err
    assert any(b"postgresql://me:***@host/x" in data for data in kept)


def test_words_that_stand_everywhere_are_no_secrets():
    learn_secrets([("tags.use_token", True), ("token", None), ("api_key", 1234)])
    assert masked("True None true: 0.51234 12345 v1234 pin 1234.") == (
        "True None true: 0.51234 12345 v1234 pin 1234."
    )
    assert masked("pin 1234, pin=1234") == "pin ***, pin=***"


def test_yaml_without_its_secrets_is_yaml_still():
    learn_secrets([("tags.api_key", "hunter2"), ("tags.pin_token", 1234)])
    text = "tags:\n  api_key: hunter2\n  pin_token: 1234\nseed: 1234\nnote: [a hunter2]\n"
    assert yaml.safe_load(masked_yaml(text)) == {
        "tags": {"api_key": "***", "pin_token": "***"},
        "seed": 1234,
        "note": ["a ***"],
    }
    assert masked_yaml("a:   1 # as it was\n") == "a:   1 # as it was\n"
    assert masked_tree({"x": ("hunter2", 0.5)}) == {"x": ["***", 0.5]}


def test_secrets_of_the_stores_come_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtn/FEMI")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "swordfish9")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path))
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    learn_environment()
    assert masked(f"wJalrXUtn/FEMI swordfish9 {tmp_path} false") == f"*** *** {tmp_path} false"


@pytest.mark.slow
def test_a_run_with_secrets_is_read_and_repeated(train, workspace, tmp_path, capsys):
    words = [f"+tags.api_key={SECRETS[0]}", "+tags.pin_token=1234", "seed=1234", "tracking=off"]
    assert train(*words, "model=dummy", "split=holdout", "report.importance=false").code == 0
    (folder,) = workspace.glob("outputs/*/*")
    for file in (folder / "config.yaml", *folder.glob(".hydra/*.yaml")):
        assert yaml.safe_load(file.read_text())
    composed = yaml.safe_load((folder / "config.yaml").read_text())
    assert composed["tags"]["api_key"] == composed["tags"]["pin_token"] == "***"
    assert composed["seed"] == 1234
    for path in folder.rglob("*.json"):
        json.loads(path.read_text())
    bundle = tmp_path / "b.zip"
    for command in (["reproduce"], ["check"], ["report"], ["verify"], ["export"]):
        more = [str(bundle)] if command == ["export"] else []
        assert cli.main([*command, str(folder), *more]) == 0
    with zipfile.ZipFile(bundle) as archive:
        assert not any(SECRETS[0].encode() in archive.read(name) for name in archive.namelist())


@pytest.mark.slow
def test_what_decides_a_result_is_asked_for_again(train, workspace, capsys, compose_config):
    assert (
        train("model=dummy", "split=holdout", "tracking=off", "report.importance=false").code == 0
    )
    (folder,) = workspace.glob("outputs/*/*")
    text = (folder / "config.yaml").read_text()
    composed = yaml.safe_load(text)
    composed["dataset"]["name"] = "***"  # as of a dataset.url with a password
    (folder / "config.yaml").write_text(yaml.safe_dump(composed, sort_keys=False))
    load_record(folder).seal()
    capsys.readouterr()
    assert cli.main(["reproduce", str(folder)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "dataset.name: was a secret, which no record keeps; give it again: reproduce" in line
    assert cli.main(["reproduce", str(folder), "dataset.name=econmath"]) == 0
    assert cli.main(["reproduce", str(folder), "seed=3"]) == 1
    assert (
        "only what was a secret is given again; hidden are dataset.name" in capsys.readouterr().err
    )


@pytest.mark.parametrize("words", [(), ("-m", "model.C=0.1,1", "hydra.sweeper.n_jobs=2")])
@pytest.mark.slow
def test_failures_and_tracebacks_tell_no_secret(words, train, workspace, monkeypatch, capsys):
    def refuse(*_):
        raise RuntimeError(f"{SECRETS[0]} was refused by postgresql://me:{SECRETS[1]}@host/x")

    monkeypatch.setattr("student_perf.evaluation.cross_validation.clone", refuse)
    uri = f"tracking.uri=postgresql://me:{SECRETS[1]}@host/x"
    words = [*words, f"+tags.api_key={SECRETS[0]}", "split.n_splits=2", "tracking=off", uri]
    done = train(*words)
    assert done.code == 1
    assert "was refused" in done.out + done.err
    kept = {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()}
    assert any(b"Traceback" in data for data in kept.values())
    for secret in SECRETS[:2]:
        assert not [str(f) for f, data in kept.items() if secret.encode() in data]
        assert secret not in done.out + done.err


def test_the_password_of_a_studys_storage_is_not_shown(train, workspace):
    storage = f"hydra.sweeper.storage=postgresql://me:{SECRETS[1]}@127.0.0.1:9/x"
    done = train("-m", "model.C=0.1,1", "tracking=off", "split.n_splits=2", storage)
    assert done.code == 1
    (line,) = done.err.splitlines()
    assert "hydra.sweeper.storage=postgresql://me:***@127.0.0.1:9/x" in line
    kept = [path.read_bytes() for path in workspace.rglob("*") if path.is_file()]
    assert not any(SECRETS[1].encode() in data for data in kept)


@pytest.mark.slow
def test_a_traceback_that_was_asked_for_tells_no_secret(workspace):
    words = [f"+tags.api_key={SECRETS[0]}", "dataset=csv", f"dataset.path=/none/{SECRETS[0]}"]
    done = subprocess.run(
        [sys.executable, "-m", "student_perf.train", *words, "dataset.target=x", "tracking=off"],
        env=os.environ | {"HYDRA_FULL_ERROR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "/none/***" in done.stderr
    assert SECRETS[0] not in done.stdout + done.stderr


def test_what_a_library_logs_by_its_own_handler_is_masked():
    learn_secrets([("token", "hunter2")])
    said, theirs = io.StringIO(), logging.getLogger("a_launcher")
    handler = logging.StreamHandler(said)
    theirs.addHandler(handler)
    try:
        with masking_logs():
            theirs.warning("job %s", "token=hunter2")
    finally:
        theirs.removeHandler(handler)
    assert said.getvalue() == "job token=***\n"
    assert logging.getLogRecordFactory() is logging.LogRecord


def test_half_a_surrogate_pair_gets_into_the_log(tmp_path):
    with logging_to(tmp_path / "train.log"):
        logging.getLogger("x").error("half: %s", "\ud800")
    assert "half: \\ud800" in (tmp_path / "train.log").read_text(encoding="utf-8")


def test_a_log_ends_with_a_line_that_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(masking, "_LONGEST_LOG", 10_000)
    with logging_to(tmp_path / "train.log"):
        for _ in range(50):
            logging.getLogger("x").info("noise " * 100)
    lines = (tmp_path / "train.log").read_text(encoding="utf-8").splitlines()
    assert 15 < len(lines) < 20
    assert lines[-1].endswith("the log ends here, at 0 MB")
