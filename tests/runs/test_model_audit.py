"""Every kind of node that skops knows, in a file that tries to make it run something."""

import json
import zipfile

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from skops.io._audit import NODE_TYPE_MAPPING

from student_perf.runs.model_audit import audit_model
from tests.tampering import (
    first,
    listed,
    mapping,
    node,
    nodes,
    npy,
    plain,
    plant,
    rewrite,
    saved,
    schema_of,
)

EXTRA = npy(np.arange(3))
SYSTEM = node("FunctionNode", "posix:system")
GENERATOR = node(
    "RandomGeneratorNode",
    "numpy.random._generator:Generator",
    content={"bit_generator": mapping(bit_generator=plain("seed")), "seed_seq": mapping()},
)
REFUSED = {
    "a function of the system": SYSTEM,
    "what our module has imported": node("FunctionNode", "student_perf.models.labels:pd.eval"),
    "a module of this package as a module": node(
        "FunctionNode", "student_perf.models.labels.pd:eval"
    ),
    "a function of this package": node(
        "FunctionNode", "student_perf.models.components:import_module"
    ),
    "a function that skops trusts": node("FunctionNode", "numpy:add"),
    "another function that skops trusts": node("FunctionNode", "scipy.special._ufuncs:expit"),
    "the type eval": node("TypeNode", "builtins:eval"),
    "a type of the system": node("TypeNode", "subprocess:Popen"),
    "a type that is trusted elsewhere": node("TypeNode", "sklearn.pipeline:Pipeline"),
    "a mapping of a class": mapping("pandas:read_pickle"),
    "a mapping of an estimator": mapping("sklearn.linear_model._ridge:Ridge"),
    "a mapping with called keys": mapping(key="builtins:eval", run=plain(1)),
    "a mapping with keys of an estimator": mapping(key="sklearn.linear_model:Ridge", a=plain(1)),
    "a mapping without key types": node(
        "DictNode", "builtins:dict", content={}, key_types=plain(1)
    ),
    "a list of a class": listed(plain("true"), name="os:system"),
    "a set of a class": listed(plain("true"), kind="SetNode", name="builtins:exec"),
    "a tuple of a class": listed(plain("true"), kind="TupleNode", name="subprocess:Popen"),
    "a scalar of a class": node("NdArrayNode", "builtins:eval", type="numpy", file="extra.npy"),
    "an array of a class": node(
        "NdArrayNode", "os:system", type="json", content=[], shape=listed(kind="TupleNode")
    ),
    "a type of an array": node("DTypeNode", "numpy:dtype", content=SYSTEM),
    "a type of another class": node("DTypeNode", "numpy:load", content=plain(1)),
    "a constructor": node(
        "ConstructorFromReduceNode", "subprocess:Popen", content=listed(plain("true"))
    ),
    "a constructor of this package": node(
        "ConstructorFromReduceNode",
        "student_perf.models.labels:LabelledClassifier",
        content=listed(plain(1), plain([])),
    ),
    "a bound method": node(
        "MethodNode",
        "sklearn.linear_model._ridge:Ridge",
        content={"func": "fit", "obj": node("ObjectNode", "sklearn.linear_model._ridge:Ridge")},
    ),
    "a partial function of a type": node(
        "PartialNode",
        "functools:partial",
        content={
            "func": node("TypeNode", "builtins:str"),
            "args": listed(kind="TupleNode", name="builtins:tuple"),
            "kwds": mapping(),
            "namespace": plain(None),
        },
    ),
    "a caller of methods": node(
        "OperatorFuncNode", "operator:methodcaller", attrs=listed(plain("system"))
    ),
    "a getter of attributes": node(
        "OperatorFuncNode", "operator:attrgetter", attrs=listed(plain("__globals__"))
    ),
    "a mapping with a factory": node(
        "DefaultDictNode",
        "collections:defaultdict",
        content={"main": mapping(), "default_factory": SYSTEM},
    ),
    "a random state of a class": node("RandomStateNode", "os:getcwd", content=mapping()),
    "a generator of a class": node("RandomGeneratorNode", "os:system", content={}),
    "a bit generator by name": GENERATOR,
    "a loss of a class": node(
        "LossNode",
        "subprocess:Popen",
        __reduce__={"args": listed(plain("true"))},
        content=mapping(),
    ),
    "a tree of a class": node("TreeNode", "os:system", content=mapping(), __reduce__={}),
    "a forest of quantiles": node("QuantileForestNode", "os:system", content=mapping()),
    "a reference": node("CachedNode", "os:system", __id__=1),
    "an old mapping": node("_DictWithDeprecatedKeysNode", "os:system", content=mapping()),
    "a sparse matrix": node(
        "SparseMatrixNode", "scipy.sparse._csr:csr_matrix", type="scipy", file="extra.npy"
    ),
    "a masked array of a class": node("MaskedArrayNode", "os:system", content={}),
    "bytes of a class": node("BytesNode", "os:system", file="extra.npy"),
    "an array of bytes of a class": node("BytearrayNode", "os:system", file="extra.npy"),
    "a slice of a class": node("SliceNode", "os:system", content={}),
    "a slice of nodes": node(
        "SliceNode", "builtins:slice", content={"start": {}, "stop": 1, "step": None}
    ),
    "a plain value of a class": node("JsonNode", "os:system", content="1"),
    "an object of a class": node("ObjectNode", "subprocess:Popen"),
    "an object that is a function": node("ObjectNode", "pandas:eval"),
    "an object that a module of this package has imported": node(
        "ObjectNode", "student_perf.models.labels:BaseEstimator"
    ),
    "an object of this package that is no estimator": node(
        "ObjectNode", "student_perf.models.libraries:Library"
    ),
    "an estimator that opens files": node(
        "ObjectNode", "sklearn.feature_extraction.text:CountVectorizer"
    ),
    "an estimator by its public name": node("ObjectNode", "sklearn.linear_model:Ridge"),
    "a kind that nobody knows": node("ShellNode", "os:system"),
    "a name that is a list": node("ObjectNode", "os:system") | {"__class__": ["system"]},
    "a kind that is a mapping": node("ObjectNode", "os:system") | {"__loader__": {}},
    "an id that is a text": plain(1) | {"__id__": "7"},
}


@pytest.fixture
def model(tmp_path):
    """A file of an ordinary model."""
    fitted = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    return saved(fitted, tmp_path / "model.skops")


def is_refused(path):
    try:
        return bool(audit_model(path.read_bytes()).refused)
    except (ValueError, KeyError, TypeError):
        return True


def test_an_ordinary_file_is_taken(model):
    found = audit_model(model.read_bytes())
    assert found.names == {"sklearn.linear_model._logistic.LogisticRegression"}
    assert not found.refused
    assert found.sklearn == sklearn.__version__


@pytest.mark.parametrize("name", REFUSED)
def test_a_node_that_could_run_something_is_refused(model, name):
    assert is_refused(plant(model, REFUSED[name], extra=EXTRA))


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_wherever_it_stands(model, name):
    planted = listed(plain(1), mapping(inner=listed(REFUSED[name])))
    assert is_refused(plant(model, planted, extra=EXTRA))


def test_every_kind_that_skops_knows_is_tried():
    tried = {str(one["__loader__"]) for one in REFUSED.values()}
    assert {kind for kind, _ in NODE_TYPE_MAPPING} <= tried


def test_the_same_kinds_are_taken_with_what_they_are_for(model):
    tuples = listed(plain(1), kind="TupleNode", name="builtins:tuple")
    sets = listed(plain(1), kind="SetNode", name="builtins:set")
    good = mapping(
        a=tuples,
        b=sets,
        c=mapping("sklearn.utils._bunch:Bunch", x=plain(2)),
        d=node("FunctionNode", "sklearn.utils.validation:check_array"),
        e=node("NdArrayNode", "numpy:float64", type="numpy", file="extra.npy"),
    )
    assert not is_refused(plant(model, good, extra=EXTRA))


def test_two_nodes_with_one_id_must_be_alike(model):
    shared = listed(plain("a")) | {"__id__": 77}
    again = listed(plain("a")) | {"__id__": 77}
    assert not is_refused(plant(model, listed(shared, again)))
    other = listed(SYSTEM) | {"__id__": 77}
    assert is_refused(plant(model, listed(shared, other), "second"))


def test_an_old_protocol_names_functions_elsewhere(model):
    hidden = node("FunctionNode", "sklearn.utils.validation:check_array") | {
        "content": {"module_path": "posix", "function": "system"}
    }
    plant(model, hidden)
    assert not is_refused(model)  # the place of then means nothing now
    assert is_refused(rewrite(model, lambda schema, _: schema.update(protocol=0)))
    assert is_refused(rewrite(model, lambda schema, _: schema.update(protocol=99)))


def test_a_deep_file_is_refused(model):
    deep = plain(1)
    for _ in range(300):
        deep = listed(deep)
    with pytest.raises(ValueError, match="levels deep"):
        audit_model(plant(model, deep).read_bytes())


def packed(path, *, names=(), method=zipfile.ZIP_STORED):
    parts = [(name, b"0" * 1000) for name in names]
    schema = json.dumps(schema_of(path))
    with zipfile.ZipFile(path) as archive:
        parts += [(n, archive.read(n)) for n in archive.namelist() if n != "schema.json"]
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in [*parts, ("schema.json", schema)]:
            archive.writestr(name, content)
    return path.read_bytes()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"method": zipfile.ZIP_DEFLATED}, "is compressed"),
        ({"method": zipfile.ZIP_LZMA}, "is compressed"),
        ({"names": ["1.npy", "1.npy"]}, "two parts of one name"),
        ({"names": ["schema.json"]}, "two parts of one name"),
        ({"names": ["../1.npy"]}, "none of a model"),
        ({"names": ["/etc/1.npy"]}, "none of a model"),
        ({"names": ["student_perf.py"]}, "none of a model"),
    ],
)
def test_parts_that_no_model_has_are_refused(model, how, message):
    with pytest.raises(ValueError, match=message):
        audit_model(packed(model, **how))


def test_parts_that_lie_over_each_other_are_refused(model):
    content = bytearray(packed(model, names=["1.npy", "2.npy"]))
    entry = content.rfind(b"PK\x01\x02", 0, content.rfind(b"2.npy"))
    size = len(content).to_bytes(4, "little")
    content[entry + 20 : entry + 28] = size * 2
    with pytest.raises(ValueError, match="larger than the file"):
        audit_model(bytes(content))


@pytest.mark.parametrize("argument", [2**40, 2, 0, -1, "1", [1]])
def test_a_tree_cannot_ask_for_more_outputs_than_it_names(tmp_path, argument):
    from sklearn.tree import DecisionTreeClassifier

    path = saved(DecisionTreeClassifier().fit([[0.0], [1.0]], [0, 1]), tmp_path / "tree.skops")
    assert not is_refused(path)

    def change(schema, _):
        arguments = first(schema, "Tree")["__reduce__"]["args"]
        arguments["content"][2]["content"] = json.dumps(argument)

    assert is_refused(rewrite(path, change))
    assert any(one["__loader__"] == "TreeNode" for one in nodes(schema_of(path)))
