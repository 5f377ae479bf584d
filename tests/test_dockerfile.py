"""What can be said of the image without building it."""

import re
import shlex
import tomllib

from packaging.requirements import Requirement

from student_perf import cli
from student_perf.paths import PROJECT_DIR

TEXT = (PROJECT_DIR / "Dockerfile").read_text(encoding="utf-8")
STEPS = [
    line.split(maxsplit=1)
    for line in TEXT.replace("\\\n", " ").splitlines()
    if line and not line.startswith("#")
]


def arguments(instruction):
    return [words for name, words in STEPS if name == instruction]


def test_it_runs_as_an_ordinary_user_from_then_on():
    names = [name for name, _ in STEPS]
    (user,) = arguments("USER")
    assert int(user) >= 1000
    assert f"--uid {user}" in arguments("RUN")[0]
    after = names[names.index("USER") :]
    assert not {"RUN", "COPY", "ADD"} & set(after)


def test_the_base_is_one_official_python_of_a_version_that_the_package_takes():
    assert arguments("FROM") == ["python:3.11-slim"]
    project = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">=3.11"


def test_all_that_is_copied_is_there_and_reaches_the_builder():
    ignored = (PROJECT_DIR / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in ignored if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    sources = {words for copied in arguments("COPY") for words in shlex.split(copied)[:-1]}
    assert sources == let_in
    assert all((PROJECT_DIR / source).exists() for source in sources)


def test_packages_are_pinned_by_hash_and_hold_the_extra():
    (install,) = [run for run in arguments("RUN") if "pip install" in run]
    assert "--require-hashes --requirement requirements.txt" in install
    project = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lock = (PROJECT_DIR / "requirements.txt").read_text(encoding="utf-8")
    for text in project["optional-dependencies"]["serve"]:
        wanted = Requirement(text)
        (version,) = re.findall(rf"^{wanted.name}==(\S+)", lock, flags=re.M)
        assert wanted.specifier.contains(version)


def test_no_address_but_its_own_and_a_command_that_is_there():
    assert re.findall(r"\w+://[^/'\"]*", TEXT) == ["http://127.0.0.1:8000"]
    assert arguments("HEALTHCHECK")
    (entry,), (options,) = arguments("ENTRYPOINT"), arguments("CMD")
    assert entry == '["python", "-m", "student_perf", "serve"]'
    assert "serve" in cli.load_commands()
    assert f'"--port", "{arguments("EXPOSE")[0]}"' in options
