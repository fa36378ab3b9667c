"""The shape of a kind of document: which fields it has, of which types, and which are always there. Names only, never a value.

A path has dots between names and [] for the elements of a list; a name that is somebody's own (an id, a key of `metadata`) is *. Shapes
of two lots of samples add up to the shape of both, in any order (as long as they keep within PATHS_MAX: beyond it the deepest go first).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

SURE_FROM = 20  # objects of a kind that say what is always in them
PATHS_MAX = 400  # of one kind of document
NAMES_MAX = 60  # of one object: what has more is a table of somebody's own names
DEPTH_MAX = 12
NODES_MAX = 20_000  # of one document that are looked at
ANY = "*"
OWN = frozenset({"metadata", "customfields", "custom_fields", "properties", "tags", "query", "headers"})  # whose names are the shop's
DIGITS_MAX = 4  # in a name: with more of them it is an id
_NAME = re.compile(r"[A-Za-z_$@][A-Za-z0-9_$:/.-]{0,63}")
_HEX = re.compile(r"[0-9a-f-]{12,}", re.IGNORECASE)

Kind = Literal["new", "missing", "retyped"]
TYPES: Mapping[type, str] = {
    type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array",
}  # fmt: skip


class Shape(Struct):
    """How often each path was met with each type. The path "" is the document; `depth`: paths are kept to here."""

    samples: int = 0
    paths: dict[str, dict[str, int]] = {}
    depth: int = DEPTH_MAX
    optional: tuple[str, ...] = ()  # paths that need not be there, as a person said

    def always(self, path: str) -> bool:
        """Was it there whenever its object was, often enough to say so?"""
        within = self.paths.get(parent(path), {}).get("object", 0)
        return path not in self.optional and within >= SURE_FROM and sum(self.paths[path].values()) == within


class Change(Struct, frozen=True):
    """What a document has that its kind never had, or lacks that it always had."""

    path: str
    kind: Kind
    was: tuple[str, ...] = ()
    now: str = ""


def parent(path: str) -> str:
    """The object or list that a path lies in; "" of those of the document."""
    if path.endswith("[]"):
        return path[:-2]
    return path.rpartition(".")[0]


def shape_of(document: Any) -> Shape:
    """The shape of one document."""
    paths: dict[str, dict[str, int]] = {}
    for path, name in _walk(document):
        types = paths.setdefault(path, {})
        types[name] = types.get(name, 0) + 1
    return bounded(Shape(1, paths))


def _walk(document: Any) -> Iterator[tuple[str, str]]:
    waiting, nodes = [("", document, 0)], 0
    while waiting and nodes < NODES_MAX:
        path, value, depth = waiting.pop()
        nodes += 1
        yield path, TYPES[type(value)]
        if depth >= DEPTH_MAX:
            continue
        if type(value) is dict:
            own = len(value) > NAMES_MAX or path.rpartition(".")[2].lower() in OWN
            waiting += [(_under(path, ANY if own else shown(name)), one, depth + 1) for name, one in value.items()]
        elif type(value) is list:
            waiting += [(path + "[]", one, depth + 1) for one in value]


def shown(name: str) -> str:
    """A name as it is kept, its own dots written as ·. One that is an id, an address or a sentence is not kept."""
    kept = _NAME.fullmatch(name) and not _HEX.fullmatch(name) and sum(map(str.isdigit, name)) <= DIGITS_MAX
    return name.replace(".", "·") if kept else ANY


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def together(one: Shape, other: Shape) -> Shape:
    """The shape of the samples of both."""
    paths = {path: dict(types) for path, types in one.paths.items()}
    for path, types in other.paths.items():
        mine = paths.setdefault(path, {})
        for name, count in types.items():
            mine[name] = mine.get(name, 0) + count
    optional = tuple(sorted({*one.optional, *other.optional}))
    return bounded(Shape(one.samples + other.samples, paths, min(one.depth, other.depth), optional))


def bounded(shape: Shape) -> Shape:
    """An object with too many names, or with one that is not kept, beside others, keeps none; then what is too deep goes."""
    paths = shape.paths
    while (wide := _wide(paths)) is not None:
        paths = _added((_starred(path, wide), types) for path, types in paths.items())
    depth = shape.depth
    paths = {path: types for path, types in paths.items() if depth_of(path) <= depth}
    while len(paths) > PATHS_MAX and depth > 1:
        depth -= 1
        paths = {path: types for path, types in paths.items() if depth_of(path) <= depth}
    return Shape(shape.samples, paths, depth, shape.optional)


def _wide(paths: Mapping[str, Any]) -> str | None:
    """The outermost object whose names are not kept one by one, though some are."""
    names: dict[str, set[str]] = {}
    for path in paths:
        if path and not path.endswith("[]"):
            names.setdefault(parent(path), set()).add(path.rpartition(".")[2])
    wide = [path for path, own in names.items() if len(own) > NAMES_MAX or (ANY in own and len(own) > 1)]
    return min(wide, key=lambda path: (depth_of(path), path), default=None)


def _starred(path: str, wide: str) -> str:
    """A path with * for the name that follows."""
    start = f"{wide}." if wide else ""
    if not path.startswith(start) or path == wide or (not wide and not path):
        return path
    name = re.match(r"[^.\[]*", path[len(start) :])
    return f"{start}{ANY}{path[len(start) + len(name.group()) :]}" if name and name.group() else path


def _added(parts: Iterator[tuple[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    paths: dict[str, dict[str, int]] = {}
    for path, types in parts:
        mine = paths.setdefault(path, {})
        for name, count in types.items():
            mine[name] = mine.get(name, 0) + count
    return paths


def depth_of(path: str) -> int:
    return (path.count(".") + path.count("[]") + 1) if path else 0


def covers(types: Mapping[str, int], name: str) -> bool:
    """Is this type expected? Every integer is a number."""
    return name in types or (name == "integer" and "number" in types)


def changes(known: Shape, sample: Shape) -> list[Change]:
    """What of a sample its kind never had: the outermost of each; what lies in it follows from it."""
    found: list[Change] = []
    for path, types in sorted(_as_known(known, sample).items(), key=lambda one: (depth_of(one[0]), one[0])):
        if depth_of(path) > known.depth or any(path.startswith((f"{one.path}.", f"{one.path}[]")) for one in found):
            continue
        before = known.paths.get(path)
        for name in sorted(types):
            if before is None or (set(before) == {"null"} and name != "null"):
                found.append(Change(path, "new", tuple(sorted(before or ())), name))
            elif not covers(before, name):
                found.append(Change(path, "retyped", tuple(sorted(before)), name))
    return found


def lacking(known: Shape, sample: Shape) -> dict[str, bool]:
    """Of each path that was always there: does the sample, which has its object, lack it anywhere?"""
    paths, found = _as_known(known, sample), {}
    for path in known.paths:
        within = paths.get(parent(path), {}).get("object", 0)
        if path and not path.endswith(("[]", ANY)) and within and known.always(path):
            found[path] = sum(paths.get(path, {}).values()) < within
    return found


def _as_known(known: Shape, sample: Shape) -> dict[str, dict[str, int]]:
    """The paths of a sample, with * where the shape has no single names."""
    paths = sample.paths
    for path in sorted((one for one in known.paths if one.endswith(ANY)), key=depth_of):
        wide = parent(path)
        paths = _added((_starred(one, wide), types) for one, types in paths.items())
    return paths


def accepted(known: Shape, change: Change, sample: Shape | None) -> Shape:
    """The shape with a change taken for normal: with what the sample has there, or no longer always there."""
    paths = {path: dict(types) for path, types in known.paths.items()}
    if change.kind == "missing":
        return Shape(known.samples, paths, known.depth, tuple(sorted({*known.optional, change.path})))
    mine = paths.setdefault(change.path, {})
    mine[change.now] = mine.get(change.now, 0) + 1
    for path, types in (_as_known(known, sample) if sample else {}).items():
        if path.startswith((f"{change.path}.", f"{change.path}[]")):
            below = paths.setdefault(path, {})
            for name, count in types.items():
                below[name] = below.get(name, 0) + count
    return bounded(Shape(known.samples, paths, known.depth, known.optional))


def read(body: bytes) -> tuple[Any, ...]:
    """The document in a body; none where it is no JSON."""
    try:
        return (msgspec.json.decode(body),)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ()
