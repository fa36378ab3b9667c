"""The house rules as functions over a package tree: floors, the I/O rule, names, signs, screens. Each returns complaints."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

FLOORS: tuple[frozenset[str], ...] = (
    frozenset({"model"}),
    frozenset({"contract", "landscape", "orders", "stock", "money", "catalog", "customers", "alerts"}),
    frozenset({"storage"}),
    frozenset({"delivery"}),
    frozenset({"flows", "lake"}),
    frozenset({"edge", "console", "connectors", "twins", "insight"}),
    frozenset({"app", "proof"}),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
NARROW = {  # rooms that may import less than their floor allows
    "connectors": {"contract", "model"},
    "twins": {"contract", "model"},
    "storage": {"model"},
    "delivery": {"storage", "landscape", "contract", "model"},
    **{room: {"model"} for room in ("contract", "landscape", "orders", "stock", "money", "catalog", "customers", "alerts")},
}
BESIDE = {("app", "proof")}  # the one step sideways: the CLI starts the demo and the benchmarks
OUTSIDE = {
    "socket", "ssl", "http", "urllib", "aiohttp", "httpx", "requests", "sqlite3", "apsw", "time", "random", "os", "subprocess", "uuid",
    "threading", "select", "tempfile", "secrets", "fcntl", "signal", "uvicorn", "starlette", "pathlib",
}  # fmt: skip
MAY_TOUCH = {"storage", "delivery", "edge", "console", "lake", "app", "proof"}
TOP_ONLY = {"time", "random", "uuid", "secrets"}  # clock and chance are made at the top and handed down
TOP = {"app", "proof"}
WAIVED = {  # (file, module): reason. May only shrink
    ("connectors/__init__.py", "importlib"): "connectors are found by name",
    ("contract/signatures.py", "urllib"): "urllib.parse is text, not the network",
    ("contract/oauth.py", "urllib"): "urllib.parse is text, not the network",
    ("contract/conformance.py", "pathlib"): "reads the source of the connector under examination",
    ("flows/rebuild.py", "pathlib"): "hands the path of a scratch file to storage",
    ("flows/journey.py", "apsw"): "a type: the connection that storage gave",
}
PARSERS = {"urllib.parse"}  # text, wherever it is used
VAGUE = {"utils", "util", "helpers", "common", "misc", "base", "manager", "core"}
SCREEN_LINES = 60
LONG: dict[str, int] = {"proof/bench/typical.py:models": 85}  # functions that are longer, by file:name. May only shrink


def complaints(root: Path) -> list[str]:
    """Everything in the tree that breaks a rule."""
    found: list[str] = []
    for path in sorted(root.rglob("*.py")):
        inside = path.relative_to(root)
        room = inside.parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        tree = ast.parse(path.read_text())
        found += _place(path, inside, room, tree, root)
        found += _imports(inside, room, tree, root.name)
        found += _screens(inside, tree)
    return found


def _place(path: Path, inside: Path, room: str, tree: ast.Module, root: Path) -> Iterator[str]:
    if room not in FLOOR:
        yield f"{inside}: the room {room!r} is on no floor"
    if path.stem in VAGUE or (path.name == "__init__.py" and room in VAGUE):
        yield f"{inside}: {path.stem!r} says nothing; name what it holds"
    sign = ast.get_docstring(tree)
    if not sign:
        yield f"{inside}: has no sign (a docstring that says what it is)"
    elif path.name == "__init__.py" and path.parent.parent == root and not sign.split("\n")[0].endswith("."):
        yield f"{inside}: the sign of a room is one sentence"


def _imports(inside: Path, room: str, tree: ast.Module, package: str) -> Iterator[str]:
    for name in imported(tree):
        top, _, rest = name.partition(".")
        if top == package:
            yield from _own(inside, room, rest.split(".")[0])
        elif top in OUTSIDE and name not in PARSERS and (str(inside), top) not in WAIVED:
            if room not in MAY_TOUCH:
                yield f"{inside}: {room} may not touch the outside ({name})"
            elif top in TOP_ONLY and room not in TOP:
                yield f"{inside}: {name} is made at the top and handed down"


def _own(inside: Path, room: str, target: str) -> Iterator[str]:
    if not target or target == room or target not in FLOOR:
        return
    if room in NARROW and target not in NARROW[room]:
        yield f"{inside}: {room} may import only {sorted(NARROW[room])}, not {target}"
    elif FLOOR[target] >= FLOOR.get(room, 0) and (room, target) not in BESIDE:
        yield f"{inside}: {room} may not import {target}: imports go down"


def imported(tree: ast.Module) -> Iterator[str]:
    """Every imported name; local and type-only imports count too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "absolute imports only, so that the stair can be read"
            yield from [node.module or ""] if "." in (node.module or "") else [f"{node.module}.{alias.name}" for alias in node.names]


def _screens(inside: Path, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > max(SCREEN_LINES, LONG.get(f"{inside}:{node.name}", 0)):
                yield f"{inside}: {node.name} has {lines} lines; a screen has {SCREEN_LINES}"
