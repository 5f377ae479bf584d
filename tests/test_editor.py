"""An editor completes and checks the files of conf/ by schemas that follow the typed configs."""

import json
import runpy

import jsonschema
import pytest
import yaml

from student_perf.paths import CONF_DIR, PROJECT_DIR

SETTINGS = json.loads((PROJECT_DIR / ".vscode" / "settings.json").read_text())
TIED = [
    (schema, file)
    for schema, patterns in SETTINGS["yaml.schemas"].items()
    for pattern in ([patterns] if isinstance(patterns, str) else patterns)
    for file in sorted(PROJECT_DIR.glob(pattern))
]


def validator(schema):
    return jsonschema.Draft7Validator(json.loads((PROJECT_DIR / schema).read_text()))


@pytest.mark.parametrize(("schema", "file"), TIED, ids=lambda value: str(value).rpartition("/")[2])
def test_every_file_fits_its_schema(schema, file):
    node = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert [error.message for error in validator(schema).iter_errors(node)] == []


def test_every_group_with_typed_keys_has_a_schema():
    untyped = {"hydra", "preprocess"}
    groups = {folder.name for folder in CONF_DIR.iterdir() if folder.is_dir()} - untyped
    tied = {file.relative_to(CONF_DIR).parts[0] for _, file in TIED}
    assert groups == tied - {"config.yaml"}


@pytest.mark.parametrize(
    ("schema", "node"),
    [
        ("split", {"kind": "kfold", "n_splits": "five"}),
        ("split", {"kind": "kfolds"}),
        ("dataset", {"source": "file", "separators": ";"}),
        ("model", {"name": "mine", "classifier": {}}),
        ("config", {"guards": {"id_likes": "warn"}}),
        ("config", {"hydra": {"sweeper": {"n_trials": "many"}}}),
    ],
)
def test_a_mistake_is_seen_while_it_is_typed(schema, node):
    assert not validator(f".vscode/schemas/{schema}.json").is_valid(node)


def test_references_of_hydra_are_taken():
    node = {"kind": "kfold", "n_splits": "${folds}", "random_state": "${seed}"}
    assert validator(".vscode/schemas/split.json").is_valid(node)


def test_they_are_those_of_the_code():
    texts = runpy.run_path(str(PROJECT_DIR / "studies" / "editor_schemas.py"))["texts"]()
    folder = PROJECT_DIR / ".vscode" / "schemas"
    assert {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()} == texts, (
        "run studies/editor_schemas.py"
    )
