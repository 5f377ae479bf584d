"""What a model file holds, read before anything of it is made.

A skops file is a zip of arrays and of `schema.json`, a tree of nodes. A node's kind says how skops
makes an object, often by calling what the node names: a dictionary calls its class and the types of
its keys, an array its scalar type. skops trusts all names of a list in every place. Here each kind
of node may name only what it needs, and the kinds that call anything else are not taken at all.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from student_perf.models.boosters import BOOSTERS, UNREAD, check_booster
from student_perf.models.trusted_classes import is_trusted_class, is_trusted_function

_SCHEMA = "schema.json"
_MEMBER = re.compile(r"schema\.json|[\w-]+\.(npy|bin)")
_PROTOCOLS = (1, 2)  # of the skops format; 0 names functions in another place
_DEEPEST = 200  # levels of lists and mappings; the deepest model of conf/model has about 60
_MOST_CLASSES = 100_000  # of a tree
_OF_ONE_NODE = {"__id__", "file"}  # of two nodes for one object, these differ
_TRUSTED_BY_SKOPS = ("builtins.", "numpy.")

_SCALARS = frozenset(
    {
        "numpy.bool",
        "numpy.bool_",
        "numpy.int8",
        "numpy.int16",
        "numpy.int32",
        "numpy.int64",
        "numpy.uint8",
        "numpy.uint16",
        "numpy.uint32",
        "numpy.uint64",
        "numpy.float16",
        "numpy.float32",
        "numpy.float64",
        "numpy.str_",
        "numpy.bytes_",
    }
)
_KEYS = _SCALARS | {"builtins.str", "builtins.int", "builtins.float", "builtins.bool"}
_BIT_GENERATORS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
_LOSSES = frozenset(
    f"{module}.{name}"
    for module, names in {
        "sklearn._loss._loss": (
            "CyAbsoluteError CyExponentialLoss CyHalfBinomialLoss CyHalfGammaLoss "
            "CyHalfMultinomialLoss CyHalfPoissonLoss CyHalfSquaredError CyHalfTweedieLoss "
            "CyHalfTweedieLossIdentity CyHuberLoss CyPinballLoss"
        ),
        "sklearn.linear_model._sgd_fast": (
            "EpsilonInsensitive Hinge ModifiedHuber SquaredEpsilonInsensitive SquaredHinge"
        ),
    }.items()
    for name in names.split()
)


def _only(*names: str) -> Callable[[str], bool]:
    return frozenset(names).__contains__


# What each kind of node may name. All other kinds are refused: bound methods, functions of
# `operator`, constructors with arguments, references, sparse matrices, and what skops may add.
_KINDS: Mapping[str, Callable[[str], bool]] = {
    "BytearrayNode": _only("builtins.bytearray"),
    "BytesNode": _only("builtins.bytes"),
    "DTypeNode": _only("numpy.dtype"),
    "DefaultDictNode": _only("collections.defaultdict"),
    "DictNode": _only("builtins.dict", "collections.OrderedDict", "sklearn.utils._bunch.Bunch"),
    "FunctionNode": is_trusted_function,
    "JsonNode": _only("builtins.str"),
    "ListNode": _only("builtins.list"),
    "LossNode": _LOSSES.__contains__,
    "MaskedArrayNode": _only("numpy.ma.MaskedArray"),
    "NdArrayNode": (_SCALARS | {"numpy.ndarray"}).__contains__,
    "ObjectNode": is_trusted_class,
    "PartialNode": _only("functools.partial"),
    "RandomGeneratorNode": _only("numpy.random._generator.Generator"),
    "RandomStateNode": _only("numpy.random.mtrand.RandomState"),
    "SetNode": _only("builtins.set"),
    "SliceNode": _only("builtins.slice"),
    "TreeNode": _only("sklearn.tree._tree.Tree"),
    "TupleNode": _only("builtins.tuple"),
    "TypeNode": (
        _KEYS | {"builtins.dict", "builtins.list", "collections.OrderedDict"}
    ).__contains__,
}


@dataclass(frozen=True)
class ModelContents:
    """The classes and functions that a model file names.

    Attributes:
        names: Those on the reviewed lists.
        refused: All others; a file that has any is not to be loaded.
        sklearn: The version of scikit-learn that made the model, empty if it says none.
        untried: Models within it that only their own library can read; see `boosters.try_out`.
    """

    names: frozenset[str]
    refused: frozenset[str]
    sklearn: str
    untried: tuple[bytes, ...] = ()


def audit_model(content: bytes) -> ModelContents:
    """Read what the bytes of a model file hold, without making any object of it.

    Raises:
        ValueError: A node does what no model needs, or a figure in it breaks native code.
        Exception: Whatever zipfile and json raise, for a file that is broken.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        check_members(archive, len(content))
        schema = json.loads(archive.read(_SCHEMA))
        if not isinstance(schema, dict) or schema.get("protocol") not in _PROTOCOLS:
            raise ValueError("its skops format is not one of those that are known here")
        audit = _Audit(archive)
        audit.walk(schema)
    return ModelContents(
        frozenset(audit.names), frozenset(audit.refused), audit.sklearn, tuple(audit.untried)
    )


def check_members(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse what unpacks to more than the `size` of the file, and names that stand twice.

    skops packs nothing, so a file of it never has a compressed part.

    Raises:
        ValueError: A part is none of a model file.
    """
    members = archive.infolist()
    if len({member.filename for member in members}) < len(members):
        raise ValueError("it has two parts of one name")
    for member in members:
        if not _MEMBER.fullmatch(member.filename):
            raise ValueError(f"its part '{member.filename[:80]}' is none of a model")
        if member.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"its part '{member.filename}' is compressed")
    if sum(member.file_size for member in members) > size:
        raise ValueError("its parts are larger than the file")


class _Audit:
    """One walk through the nodes of a file."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.names: set[str] = set()
        self.refused: set[str] = set()
        self.sklearn = ""
        self.untried: set[bytes] = set()
        self._archive = archive
        self._of_id: dict[int, Any] = {}
        self._known: set[tuple[str, str]] = set()
        self._rules: Mapping[str, Callable[[dict[str, Any]], None]] = {
            "DTypeNode": self._dtype,
            "DictNode": self._dict,
            "ObjectNode": self._object,
            "PartialNode": self._partial,
            "RandomGeneratorNode": self._generator,
            "SliceNode": self._slice,
            "TreeNode": self._tree,
        }

    def walk(self, schema: Any) -> None:
        """Audit every node, also in places where skops looks for none."""
        level = [schema]
        for _ in range(_DEEPEST):
            inner: list[Any] = []
            for value in level:
                if isinstance(value, dict):
                    if "__loader__" in value:
                        self._node(value)
                    value = value.values()
                inner += [part for part in value if isinstance(part, (dict, list))]
            level = inner
            if not level:
                return
        raise ValueError(f"it is nested more than {_DEEPEST} levels deep")

    def _node(self, node: dict[str, Any]) -> None:
        kind, module, cls = node["__loader__"], node["__module__"], node["__class__"]
        if not all(isinstance(word, str) for word in (kind, module, cls)) or "." in cls:
            raise ValueError("a node has no plain name")
        name = f"{module}.{cls}"
        may_name = _KINDS.get(kind)
        if may_name is None:
            raise ValueError(f"it holds {name[:80]} as {kind[:40]}, which no model needs")
        if (kind, name) not in self._known:
            if not may_name(name):
                self.refused.add(name)
                return
            self._known.add((kind, name))
            if not name.startswith(_TRUSTED_BY_SKOPS) or kind == "DTypeNode":
                self.names.add(name)
        self._check_id(node)
        if kind in self._rules:
            self._rules[kind](node)

    def _check_id(self, node: dict[str, Any]) -> None:
        """Of nodes with one id skops takes the first, so all must be alike."""
        number = node.get("__id__")
        if number is None:
            return
        if type(number) is not int:
            raise ValueError("a node has an id that is not a number")
        first = self._of_id.setdefault(number, node)
        if first is not node and not self._alike(first, node):
            raise ValueError("two different nodes have one id")

    def _alike(self, a: Any, b: Any) -> bool:
        if isinstance(a, dict) and isinstance(b, dict):
            if a.keys() - _OF_ONE_NODE != b.keys() - _OF_ONE_NODE:
                return False
            names = a.keys() - _OF_ONE_NODE
            same = all(self._alike(a[name], b[name]) for name in names)
            return same and ("file" not in a or self._read(a["file"]) == self._read(b.get("file")))
        if isinstance(a, list) and isinstance(b, list):
            return len(a) == len(b) and all(map(self._alike, a, b))
        return bool(a == b)

    def _read(self, member: Any) -> bytes:
        """A part of the file; empty for what names none."""
        return self._archive.read(member) if isinstance(member, str) else b""

    def _dict(self, node: dict[str, Any]) -> None:
        """A mapping is made by calling the type of each key."""
        keys, content = node["key_types"], node["content"]
        types = keys["content"]
        if keys["__loader__"] != "ListNode" or not isinstance(content, dict):
            raise ValueError("a mapping has no list of key types")
        for key in types:
            if key["__loader__"] != "TypeNode" or f"{key['__module__']}.{key['__class__']}" not in (
                _KEYS
            ):
                raise ValueError(f"a mapping has keys of type {str(key.get('__class__'))[:40]}")
        version = content.get("_sklearn_version")
        if isinstance(version, dict) and not self.sklearn:
            self.sklearn = str(_plain(version))[:20]

    def _object(self, node: dict[str, Any]) -> None:
        name = f"{node['__module__']}.{node['__class__']}"
        if name not in BOOSTERS and name not in UNREAD:
            return
        state = (node.get("content") or {}).get("content") or {}
        if name in UNREAD:
            if UNREAD[name] in state:
                self.untried.add(self._bytes(state[UNREAD[name]]) or b"")
        else:
            names = BOOSTERS[name][0]
            handle: Mapping[str, Any] = next((state[key] for key in names if key in state), {})
            kind = handle.get("__loader__")
            content = _plain(handle) if kind == "JsonNode" else self._bytes(handle)
            check_booster(name, content)

    def _bytes(self, node: Mapping[str, Any]) -> bytes | None:
        is_bytes = node.get("__loader__") in ("BytearrayNode", "BytesNode")
        return self._read(node.get("file")) if is_bytes else None

    def _partial(self, node: dict[str, Any]) -> None:
        if node["content"]["func"]["__loader__"] != "FunctionNode":
            raise ValueError("a partial function holds something else than a function")

    def _dtype(self, node: dict[str, Any]) -> None:
        if node["content"]["__loader__"] != "NdArrayNode":
            raise ValueError("the type of an array belongs to no array")

    def _generator(self, node: dict[str, Any]) -> None:
        """NumPy looks up the name of a bit generator, and calls what it finds."""
        state = node["content"]["bit_generator"]
        name = _plain(state["content"]["bit_generator"])
        if state["__loader__"] != "DictNode" or name not in _BIT_GENERATORS:
            raise ValueError(f"it names a bit generator '{str(name)[:40]}'")

    def _slice(self, node: dict[str, Any]) -> None:
        if {type(node["content"][part]) for part in ("start", "stop", "step")} - {int, type(None)}:
            raise ValueError("a slice holds something else than whole numbers")

    def _tree(self, node: dict[str, Any]) -> None:
        """scikit-learn reads as many numbers of classes as it is told to, while it makes a tree."""
        arguments = node["__reduce__"]["args"]
        n_features, classes, n_outputs = arguments["content"]
        if arguments["__loader__"] != "TupleNode":
            raise ValueError("a tree has no list of arguments")
        n_classes, outputs = self._array(classes), _plain(n_outputs)
        fits = n_classes.ndim == 1 and n_classes.dtype.kind == "i" and len(n_classes) == outputs
        if not fits or not 1 <= n_classes.min() <= n_classes.max() <= _MOST_CLASSES:
            raise ValueError("a tree has another number of outputs than it says")
        if type(_plain(n_features)) is not int or type(outputs) is not int:
            raise ValueError("a tree has no number of columns")

    def _array(self, node: dict[str, Any]) -> np.ndarray:
        if node["__loader__"] != "NdArrayNode" or node["type"] != "numpy":
            raise ValueError("it holds something else where an array belongs")
        array: np.ndarray = np.load(io.BytesIO(self._read(node["file"])), allow_pickle=False)
        return array


def _plain(node: Mapping[str, Any]) -> Any:
    """The plain value that a node holds."""
    if node["__loader__"] != "JsonNode":
        raise ValueError("it holds something else where a plain value belongs")
    return json.loads(node["content"])
