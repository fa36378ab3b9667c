"""What each room shows the others, read from the faces that they declare: a page of the reference."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import mainstay
from mainstay.proof.described import table

ROOT = Path(mainstay.__file__).parent


def made(tree: ast.Module) -> set[str]:
    """Names that a module makes at its top level; what it imports is not among them."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return found


def faces() -> Iterator[str]:
    """The page's body: every room with its sign and how many names it shows, then each face by module."""
    rooms = {path.parent.name: _shown(path.parent.name) for path in sorted(ROOT.glob("*/__init__.py"))}
    rows = [
        (f"[{room}](#{room})" if shown else room, _sign(f"mainstay.{room}"), str(len(shown)), f"{sum(map(len, shown.values())):,}")
        for room, shown in rooms.items()
    ]
    yield from table(rows, "room", "its sign", "modules", "names")
    for room, shown in rooms.items():
        if shown:
            yield from ["", f"## {room}", ""]
            yield from table(
                [(f"`{module}`", _sign(module), ", ".join(f"`{name}`" for name in names)) for module, names in shown.items()],
                "import from", "what it is", "names",
            )  # fmt: skip


def _shown(room: str) -> dict[str, list[str]]:
    """Module -> its names that others may import."""
    package = import_module(f"mainstay.{room}")
    found: dict[str, set[str]] = {package.__name__: set(getattr(package, "__all__", ()))}
    for entry in getattr(package, "FACE", ()):
        whole = ROOT / room / (entry.replace(".", "/") + ".py")
        module, _, name = entry.rpartition(".")
        if whole.exists():
            given = getattr(import_module(f"mainstay.{room}.{entry}"), "__all__", made(ast.parse(whole.read_text())))
            found[f"mainstay.{room}.{entry}"] = {one for one in given if not one.startswith("_")}
        else:
            found.setdefault(f"mainstay.{room}.{module}", set()).add(name)
    return {module: sorted(names) for module, names in sorted(found.items()) if names}


def _sign(module: str) -> str:
    """The first sentence that the module says of itself."""
    return " ".join((import_module(module).__doc__ or "").partition(".\n")[0].split()).removesuffix(".").partition(". ")[0] + "."
