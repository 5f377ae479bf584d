"""What a stranger's files try: none leaves a mark, each is refused in one line or left alone.

Every attack tries to make the folder MARK (with `os.mkdir`, which takes one text and needs nothing
else) through a command that reads a run, a bundle, a table, a config or a model. SECURITY.md names
these tests.
"""

import io
import json
import os
import pickle
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from student_perf import cli
from student_perf.errors import StudentPerfError
from student_perf.runs.model_file import load_model
from student_perf.store import model_folder
from student_perf.store.kept_model import load_kept_model
from tests.tampering import change_array, forge_seal, listed, mapping, node, plain, plant, rewrite
from tests.tiers import few_fast


class Bomb:
    """A pickle of it makes a folder."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (self.mark,)


@pytest.fixture
def mark(tmp_path):
    """The folder that an attack makes if it runs; there is none at the end."""
    path = tmp_path / "MARK"
    yield str(path)
    assert not path.exists(), "the attack ran"


@pytest.fixture
def run(capsys, workspace):
    """A command, which ends with a code and at most one line of error; the changed files are sealed
    again, since whoever changes them can do that.
    """

    def command(*words):
        for file in workspace.rglob("record.json"):
            forge_seal(file.parent)
        code = cli.main([*map(str, words)])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        assert code == 0 or len(said.err.strip().splitlines()) <= 3, said.err
        return code

    return command


def test_the_mark_would_be_seen(tmp_path):
    pickle.loads(pickle.dumps(Bomb(str(tmp_path / "unpickled"))))
    assert (tmp_path / "unpickled").exists()


def called(how, module="os", function="mkdir"):
    """Nodes that let skops call a function with the path of the mark, by the way `how`."""
    name = f"{module}:{function}"
    ways = {
        "a key": lambda mark: node(
            "DictNode",
            "builtins:dict",
            content={mark: plain(1)},
            key_types=listed(node("TypeNode", name)),
        ),
        "a key by a function": lambda mark: node(
            "DictNode",
            "builtins:dict",
            content={mark: plain(1)},
            key_types=listed(node("FunctionNode", name)),
        ),
        "a constructor": lambda mark: node(
            "ConstructorFromReduceNode", name, content=listed(plain(mark))
        ),
        "a loss": lambda mark: node(
            "LossNode", name, __reduce__={"args": listed(plain(mark))}, content=mapping()
        ),
        "a tree": lambda mark: node(
            "TreeNode", name, __reduce__={"args": listed(plain(mark))}, content=mapping()
        ),
        "an old forest": lambda mark: node(
            "QuantileForestNode", name, __reduce__={"args": listed(plain(mark))}, content=mapping()
        ),
        "a scalar": lambda mark: node("NdArrayNode", name, type="numpy", file="extra.npy"),
        "a list": lambda mark: listed(plain(mark), name=name),
        "a set": lambda mark: listed(plain(mark), kind="SetNode", name=name),
        "a mapping": lambda mark: mapping(name),
        "an object": lambda mark: node("ObjectNode", name, content=mapping()),
        "a method": lambda mark: node(
            "MethodNode", name, content={"func": "call", "obj": node("ObjectNode", name)}
        ),
        "an operator": lambda mark: node(
            "OperatorFuncNode",
            "operator:call",
            attrs=listed(node("FunctionNode", name), plain(mark)),
        ),
        "a factory": lambda mark: node(
            "DefaultDictNode",
            "collections:defaultdict",
            content={"main": mapping(), "default_factory": node("FunctionNode", name)},
        ),
        "a partial": lambda mark: node(
            "PartialNode",
            "functools:partial",
            content={
                "func": node("FunctionNode", name),
                "args": listed(plain(mark), kind="TupleNode", name="builtins:tuple"),
                "kwds": mapping(),
                "namespace": plain(None),
            },
        ),
        "a random state": lambda mark: node("RandomStateNode", name, content=plain(mark)),
    }
    return ways[how]


WAYS = (
    "a key",
    "a key by a function",
    "a constructor",
    "a loss",
    "a tree",
    "an old forest",
    "a scalar",
    "a list",
    "a set",
    "a mapping",
    "an object",
    "a method",
    "an operator",
    "a factory",
    "a partial",
    "a random state",
)
# The same function by names that begin as trusted ones do.
NAMES = (
    ("os", "mkdir"),
    ("posix", "mkdir"),
    ("student_perf.runs.model_file.os", "mkdir"),
    ("student_perf.models.labels.np.os", "mkdir"),
    ("student_perf.models.labels", "pd.io.common.os.mkdir"),
    ("sklearn.utils._param_validation.os", "mkdir"),
    ("xgboost.core.os", "mkdir"),
    ("lightgbm.basic.os", "mkdir"),
    ("numpy.lib._npyio_impl.os", "mkdir"),
    ("pathlib", "Path.mkdir"),
)


def planted(folder, mark, how, module="os", function="mkdir"):
    extra = io.BytesIO()
    np.save(extra, np.array(mark))
    plant(folder / "model.skops", called(how, module, function)(mark), extra=extra.getvalue())


@pytest.mark.parametrize("how", WAYS)
def test_a_model_cannot_call(kept_run, mark, run, how):
    planted(kept_run, mark, how)
    assert run("check", kept_run) != 0
    with pytest.raises(StudentPerfError, match=r"reviewed list|cannot be loaded"):
        load_model(kept_run / "model.skops")


@pytest.mark.parametrize(("module", "function"), NAMES)
@pytest.mark.parametrize("how", ["a key", "a constructor"])
def test_a_model_cannot_call_by_another_name(kept_run, mark, how, module, function):
    planted(kept_run, mark, how, module, function)
    with pytest.raises(StudentPerfError, match=r"reviewed list|cannot be loaded"):
        load_model(kept_run / "model.skops")


def commands(folder, table, target):
    return {
        "check": ("check", folder),
        "predict": ("predict", folder, table, target),
        "drift": ("drift", table, table, "--model", folder, "--no-tracking"),
        "explain": ("explain", folder, "--rows", 5, "--background", 5),
        "reproduce": ("reproduce", folder),
        "why": ("why", folder, folder),
        "compare": ("compare", folder),
        "report": ("report", folder),
        "export": ("export", folder, target.with_suffix(".zip")),
        "evidence": ("evidence",),
        "promote": ("promote", folder, "--force", "--why", "a test"),
    }


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("command", few_fast(commands("", None, Path("x.csv"))))
def test_no_command_lets_a_model_call(kept_run, kept_once, mark, run, tmp_path, command):
    planted(kept_run, mark, "a key")
    table, target = kept_once.parent / "grades.csv", tmp_path / "answers.csv"
    run(*commands(kept_run, table, target)[command])
    assert not target.exists()


def test_a_service_does_not_load_it(kept_run, mark):
    planted(kept_run, mark, "a key")
    with pytest.raises(StudentPerfError):
        load_kept_model(str(kept_run))


def test_a_bundle_with_it_is_checked_without_loading(kept_run, mark, run, tmp_path):
    planted(kept_run, mark, "a key")
    run("export", kept_run, tmp_path / "bundle.zip")
    run("verify", tmp_path / "bundle.zip")


@pytest.mark.parametrize(
    "name", ["model.pkl", "model.joblib", "python_model.pkl", "model.cloudpickle"]
)
def test_a_pickle_beside_the_model_is_never_read(kept_run, mark, run, name):
    (kept_run / name).write_bytes(pickle.dumps(Bomb(mark)))
    assert run("check", kept_run) == 0


def test_a_pickle_instead_of_the_model_is_refused(kept_run, mark, run):
    (kept_run / "model.skops").write_bytes(pickle.dumps(Bomb(mark)))
    assert run("check", kept_run) != 0


def test_a_pickled_array_in_the_model_is_refused(kept_run, mark, run):
    bomb = io.BytesIO()
    np.save(bomb, np.array([Bomb(mark)], dtype=object), allow_pickle=True)

    def change(_, parts):
        for name in list(parts):
            if name.endswith(".npy"):
                parts[name] = bomb.getvalue()

    rewrite(kept_run / "model.skops", change)
    assert run("check", kept_run) != 0


def test_a_tree_that_would_crash_is_refused(kept_run, run):
    def far(trees):
        trees["left_child"][0] = 2**40

    from sklearn.tree import DecisionTreeClassifier

    from student_perf.runs.model_file import save_model

    tree = DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1])
    save_model(tree, kept_run / "model.skops")
    change_array(kept_run / "model.skops", "nodes", far)
    assert run("check", kept_run) != 0


@pytest.fixture
def downloaded(kept_run, tmp_path, monkeypatch):
    """What a registry answers: a folder of an MLflow model with a stranger's files."""
    folder = tmp_path / "answer"
    (folder / "extra_files").mkdir(parents=True)
    shutil.copy(kept_run / "model.skops", folder)
    for name in ("contract.yaml", "golden_rows.json"):
        shutil.copy(kept_run / name, folder / "extra_files")
    monkeypatch.setattr(model_folder, "download", lambda *_: folder)
    return folder


def test_a_model_of_a_registry_brings_no_code(downloaded, mark, run, monkeypatch):
    code = downloaded / "code/student_perf/models"
    code.mkdir(parents=True)
    for name in ("code/sitecustomize.py", "code/student_perf/__init__.py", "code/evil.py"):
        (downloaded / name).write_text(f"import os; os.mkdir({mark!r})\n")
    (downloaded / "MLmodel").write_text(
        yaml.safe_dump(
            {
                "flavors": {
                    "python_function": {
                        "code": "code",
                        "loader_module": "evil",
                        "python_model": "python_model.pkl",
                    },
                    "sklearn": {"code": "code", "pickled_model": "model.pkl"},
                }
            }
        )
    )
    for name in ("model.pkl", "python_model.pkl"):
        (downloaded / name).write_bytes(pickle.dumps(Bomb(mark)))
    before = list(sys.path)
    assert run("check", "models:/grades@champion") == 0
    assert sys.path == before


def test_a_model_of_a_registry_that_calls_is_refused(downloaded, mark, run):
    planted(downloaded, mark, "a key")
    assert run("check", "models:/grades@champion") != 0


CALL = "!!python/object/apply:os.mkdir [{mark}]\n"


@pytest.mark.parametrize("name", ["contract.yaml", "config.yaml"])
@pytest.mark.parametrize("command", ["check", "reproduce", "why", "compare", "report", "drift"])
@pytest.mark.usefixtures("no_pictures")
def test_yaml_cannot_call(kept_run, kept_once, mark, run, tmp_path, name, command):
    text = CALL.format(mark=json.dumps(mark))
    (kept_run / name).write_text(f"columns: {text}" if name == "contract.yaml" else f"tags: {text}")
    run(*commands(kept_run, kept_once.parent / "grades.csv", tmp_path / "a.csv")[command])


def with_config(folder, **changes):
    file = folder / "config.yaml"
    composed = yaml.safe_load(file.read_text())
    for path, value in changes.items():
        *parents, last = path.split("__")
        inner = composed
        for part in parents:
            inner = inner[part]
        inner[last] = value
    file.write_text(yaml.safe_dump(composed))
    forge_seal(folder)


TARGETS = (
    "os.mkdir",
    "builtins.eval",
    "student_perf.models.components.import_module",
    "student_perf.models.labels.np.os.mkdir",
    "sklearn.utils._param_validation.os.mkdir",
    "subprocess.Popen",
)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("place", ["model__classifier", "preprocess__numeric__impute"])
def test_a_config_cannot_name_code(kept_run, mark, run, target, place):
    with_config(kept_run, **{place: {"_target_": target, "name": mark, "path": mark}})
    assert run("reproduce", kept_run) != 0


@pytest.mark.parametrize(
    "value", ["${oc.env:HOME}", "${workspace:}", "${unique:}", "${oc.decode:1}"]
)
@pytest.mark.parametrize("command", ["reproduce", "drift", "compare"])
def test_a_config_cannot_look_things_up(kept_run, kept_once, run, capsys, value, command):
    with_config(kept_run, dataset__path=value)
    table = kept_once.parent / "grades.csv"
    words = {
        "reproduce": ("reproduce", kept_run),
        "drift": ("drift", kept_run, table, "--no-tracking"),
        "compare": ("compare", kept_run, "--permuted", 1),
    }[command]
    code = cli.main([*map(str, words)])
    said = capsys.readouterr()
    assert code != 0
    assert "resolved values only" in said.err
    assert os.environ["HOME"] not in said.err.replace(str(kept_run), "")


def test_a_config_cannot_name_a_folder_of_pickles(kept_run, mark, run):
    node = {"_target_": "sklearn.cluster.FeatureAgglomeration", "memory": str(kept_run / "cache")}
    with_config(kept_run, preprocess__numeric__cache=node)
    assert run("reproduce", kept_run) != 0
    assert not (kept_run / "cache").exists()


TEMPLATE = "{{ cycler.__init__.__globals__.os.mkdir('%s') }}{%% import os %%}"


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("command", ["report", "compare", "why", "export"])
def test_names_are_no_templates(kept_run, mark, run, tmp_path, command):
    file = kept_run / "record.json"
    record = json.loads(file.read_text())
    text = TEMPLATE % mark
    record["tags"] = {**record["tags"], text: text, "note": text}
    file.write_text(json.dumps(record))
    run(*commands(kept_run, None, tmp_path / "a.csv")[command])


def parquet_with_pickles(path, mark):
    bomb = pickle.dumps(Bomb(mark))
    field = pa.field(
        "hours",
        pa.binary(),
        metadata={
            b"ARROW:extension:name": b"arrow.py_extension_type",
            b"ARROW:extension:metadata": bomb,
        },
    )
    table = pa.table([pa.array([bomb])], schema=pa.schema([field]))
    about = {b"pandas": json.dumps({"columns": [], "index_columns": [], "creator": {}}).encode()}
    pq.write_table(table.replace_schema_metadata(about | {b"ARROW:schema": bomb}), path)
    return path


@pytest.mark.parametrize("place", ["reference", "rows"])
def test_a_parquet_file_brings_no_code(kept_run, kept_once, mark, run, tmp_path, place):
    file = parquet_with_pickles(tmp_path / "rows.parquet", mark)
    if place == "rows":
        assert run("predict", kept_run, file, tmp_path / "answers.csv") != 0
    else:
        run("drift", file, kept_once.parent / "grades.csv", "--no-tracking")


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("command", ["reproduce", "report", "compare"])
def test_recorded_predictions_bring_no_code(kept_run, mark, run, tmp_path, command):
    parquet_with_pickles(kept_run / "predictions.parquet", mark)
    run(*commands(kept_run, None, tmp_path / "a.csv")[command])


def test_a_table_of_objects_is_no_pickle(kept_run, mark, run, tmp_path):
    for ending in (".csv", ".parquet", ".arff", ".pkl"):
        file = tmp_path / f"rows{ending}"
        file.write_bytes(pickle.dumps(Bomb(mark)))
        assert run("predict", kept_run, file, tmp_path / "answers.csv") != 0
    pd.DataFrame({"hours": ["=cmd()"], "school": ["north"]}).to_csv(tmp_path / "f.csv", index=False)
    run("predict", kept_run, tmp_path / "f.csv", tmp_path / "answers.csv")


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{",
        '{"rows": [], "expected": [], "packages": {}, "more": 1}',
        "null",
        '{"rows": 1}',
        "[",
    ],
)
def test_broken_golden_rows_are_one_line(kept_run, run, content):
    (kept_run / "golden_rows.json").write_text(content)
    assert run("check", kept_run) != 0


@pytest.fixture
def own_code(kept_run, mark):
    """A stranger's folder with a run, a `conf` and a module that makes the mark."""

    def put(folder):
        (folder / "conf/model").mkdir(parents=True)
        (folder / "conf/trusted.yaml").write_text("trusted: [evil_part]\n")
        (folder / "evil_part.py").write_text(f"import os\nos.mkdir({mark!r})\n")
        return folder

    yield put
    sys.modules.pop("evil_part", None)


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize(
    "command", ["check", "reproduce", "why", "compare", "report", "export", "evidence"]
)
@pytest.mark.parametrize("below", [".", "inner/folder"])
@pytest.mark.slow
def test_a_record_brings_no_modules(
    kept_run, own_code, mark, run, tmp_path, monkeypatch, command, below
):
    folder = kept_run / below
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(own_code(folder))
    run(*commands(kept_run, None, tmp_path / "a.csv")[command])


def test_an_unpacked_bundle_brings_no_modules(kept_run, own_code, mark, run, tmp_path, monkeypatch):
    run("export", kept_run, tmp_path / "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    (manifest,) = (tmp_path / "unpacked").rglob("MANIFEST.sha256")
    monkeypatch.chdir(own_code(manifest.parent))
    run("compare", kept_run)
    run("check", kept_run)


def test_commands_that_only_check_start_no_module(
    kept_run, own_code, mark, run, tmp_path, monkeypatch
):
    monkeypatch.chdir(own_code(tmp_path))
    assert run("check", kept_run) == 0
    run("evidence")
    assert run("verify", kept_run / "model.skops") != 0


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "name",
    ["../MARK/x", "/tmp/MARK-of-a-test/x", "..\\MARK\\x", "MANIFEST.sha256", "a/../../MARK/x"],
)
def test_a_bundle_writes_nothing(mark, run, tmp_path, name):
    bundle = tmp_path / "bundle.zip"
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr(name, "x")
        archive.writestr("MANIFEST.sha256", f"{'0' * 64}  {name}\n")
    assert run("verify", bundle) != 0
