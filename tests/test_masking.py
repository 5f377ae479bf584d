import logging

import pytest

from student_perf import masking
from student_perf.masking import MaskingFormatter, learn_secrets, logging_to, masked

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


def test_half_a_surrogate_pair_gets_into_the_log(tmp_path):
    with logging_to(tmp_path / "train.log"):
        logging.getLogger("x").error("half: %s", "\ud800")
    assert "half: \\ud800" in (tmp_path / "train.log").read_text(encoding="utf-8")
