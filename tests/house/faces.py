"""A room's face: what other rooms may import from it, declared in its `__init__.py` and nowhere else. Returns complaints.

`FACE` names what the room's modules give: `"decide.begin"` is one name, `"money"` a whole module but for its underscore names.
`__all__` names what the package itself gives. A name is imported from where it is defined: there is one way to it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from mainstay.proof.rooms import made

ITSELF = ""  # the package, among the modules of a room


class Face(NamedTuple):
    """Whole modules, and single names as (module, name). Modules are named below the room: `sim.run`."""

    modules: frozenset[str]
    names: frozenset[tuple[str, str]]

    def gives(self, module: str, name: str) -> bool:
        return (module, name) in self.names or (module in self.modules and not name.startswith("_"))


class Use(NamedTuple):
    """A name of another room, where it is used."""

    file: str
    room: str
    module: str
    name: str


def past_faces(root: Path) -> list[str]:
    """Imports past a face, and faces that promise what is not there or what nobody uses."""
    trees = {_dotted(path, root): ast.parse(path.read_text()) for path in sorted(root.rglob("*.py"))}
    faces = {room: face(room, trees) for room in trees if room and "." not in room}
    uses = [use for name, tree in trees.items() for use in _uses(name, tree, trees, faces, root.name)]
    found = [complaint for one in uses for complaint in _past(one, faces[one.room], trees)]
    for room in faces:
        found += _broken(room, faces[room], trees, {(one.module, one.name) for one in uses if one.room == room})
    return found


def _past(one: Use, shown: Face, trees: Mapping[str, ast.Module]) -> Iterator[str]:
    place = _joined(one.room, one.module)
    if not shown.gives(one.module, one.name):
        yield f"{one.file}: {place}.{one.name} is past the face of {one.room} (FACE in {one.room}/__init__.py)"
    elif one.module in shown.modules and one.name not in (_listed(trees[place], "__all__") or made(trees[place])):
        yield f"{one.file}: {place}.{one.name} is made elsewhere; import it from there"


def face(room: str, trees: Mapping[str, ast.Module]) -> Face:
    """What the room's `__init__.py` declares."""
    listed = _listed(trees[room], "FACE")
    whole = {entry for entry in listed if f"{room}.{entry}" in trees}
    single = {(entry.rpartition(".")[0], entry.rpartition(".")[2]) for entry in listed if entry not in whole}
    return Face(frozenset(whole), frozenset(single | {(ITSELF, name) for name in _listed(trees[room], "__all__")}))


def _listed(tree: ast.Module, variable: str) -> tuple[str, ...]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == [variable]:
            return tuple(ast.literal_eval(node.value))
    return ()


def _broken(room: str, shown: Face, trees: Mapping[str, ast.Module], used: Collection[tuple[str, str]]) -> Iterator[str]:
    if not made(trees[room]) & {"FACE", "__all__"}:
        yield f"{room}: shows no face (FACE in its __init__.py)"
    for module, name in sorted(shown.names):
        place = _joined(room, module)
        there = made(trees[place]) if place in trees else set()
        if name not in there | (_brought(trees[room]) if module == ITSELF else set()):
            yield f"{room}: its face promises {place}.{name}, which is not made there"
        elif (module, name) not in used:
            yield f"{room}: its face promises {place}.{name}, which no other room uses"
    for module in sorted(shown.modules - {module for module, _ in used}):
        yield f"{room}: its face promises {room}.{module}, which no other room uses"


def _uses(own: str, tree: ast.Module, trees: Mapping[str, ast.Module], faces: Mapping[str, Face], package: str) -> Iterator[Use]:
    """What a module takes from other rooms: names that it imports, and attributes of modules that it imports."""
    file, held = own.replace(".", "/"), dict[str, str]()
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or (node.module or "").partition(".")[0] != package:
            continue
        source = (node.module or "").removeprefix(package).removeprefix(".")
        for alias in node.names:
            place = _joined(source, alias.name)
            shadowed = source in faces and faces[source].gives(ITSELF, alias.name)
            if place in trees and not shadowed:
                held[alias.asname or alias.name] = place
            elif source:
                yield from _use(file, own, source, alias.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in held:
            yield from _use(file, own, held[node.value.id], node.attr)


def _use(file: str, own: str, place: str, name: str) -> Iterator[Use]:
    room, _, module = place.partition(".")
    if room != own.partition(".")[0]:
        yield Use(file, room, module, name)


def _brought(tree: ast.Module) -> set[str]:
    return {alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names}


def _dotted(path: Path, root: Path) -> str:
    """`orders.decide` for orders/decide.py, `orders` for its package, and nothing for the root's own."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix("__init__").rstrip(".")


def _joined(*parts: str) -> str:
    return ".".join(part for part in parts if part)
