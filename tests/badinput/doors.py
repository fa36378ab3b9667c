"""How a door that a catalogue calls *not yet* shows in the code, so that it cannot be opened without its cases."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

IMPORTED = {  # the modules that whoever opens the door needs, and the rooms in which they would do it
    "XML": ({"xml", "lxml", "defusedxml", "xmltodict"}, {"edge", "connectors", "delivery", "contract", "app", "flows"}),
    "EDI": ({"pydifact", "bots", "pyx12", "badx12", "linuxforhealth"}, {"edge", "connectors", "delivery", "contract", "app", "flows"}),
    "archives": ({"zipfile", "tarfile", "py7zr", "rarfile"}, {"edge", "connectors", "delivery", "contract", "app", "flows"}),
    "compressed bodies": ({"zlib", "gzip", "brotli", "zstandard", "bz2", "lzma"}, {"edge"}),
    "rules of users": (
        {"celpy", "jmespath", "jsonata", "simpleeval", "asteval", "re2"},
        {"landscape", "flows", "edge", "connectors", "app"},
    ),
}
NAMED = {  # parts of names of files, of settings and of fields of requests that the door would bring
    "EDI": {"edi", "edifact", "x12", "idoc"},
    "XML": {"xml", "xsd", "soap"},
    "archives": {"zip", "archives", "tar"},
    "addresses given by users": {"callback", "target_url", "webhook_url", "endpoint_url", "subscriptions"},
    "paging": {"limit", "page", "page_size", "offset", "cursor"},
    "masked fields": {"filter", "sort", "fields", "mask", "masked", "unmask"},
    "rules of users": {"rules", "mapping", "mappings", "transform", "transforms", "expression", "script"},
    "closed channels": {"closed", "opens", "closes", "opening_hours", "open_until"},
}
ADDRESSES = {"url", "uri", "href", "link", "location", "callback", "next", "address"}  # words of what an answer calls an address
WRITTEN = {"CSV export": ("csv.writer", "csv.DictWriter")}


Imported = Mapping[str, tuple[set[str], set[str]]]
Named = Mapping[str, set[str]]


def of_imports(sources: Mapping[Path, str], imported: Imported = IMPORTED) -> Iterator[tuple[str, str]]:
    """(door, where) of each module that a door needs. Paths are below src/mainstay."""
    for path, text in sources.items():
        for node in ast.walk(ast.parse(text)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for door, (modules, rooms) in imported.items():
                if path.parts[0] in rooms and modules & {name.split(".")[0] for name in names}:
                    yield door, str(path)


def of_text(sources: Mapping[Path, str]) -> Iterator[tuple[str, str]]:
    """(door, where) of each call that a door needs."""
    for path, text in sources.items():
        yield from ((door, str(path)) for door, words in WRITTEN.items() if any(word in text for word in words))


def of_names(names: Iterable[str], named: Named = NAMED) -> Iterator[tuple[str, str]]:
    """(door, name) of each name of a file, a setting, a field or a command that a door would bring."""
    for name in names:
        yield from ((door, name) for door, words in named.items() if name in words)


def of_calls(sources: Mapping[Path, str]) -> Iterator[tuple[str, str]]:
    """(connector, what) of each call to an address that an answer named, such as `document.url` or `page.next_link`."""
    for path, text in sources.items():
        for node in ast.walk(ast.parse(text)) if path.parts[0] == "connectors" else ():
            called = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
            for given in node.keywords if isinstance(node, ast.Call) and called == "Call" else ():
                words = words_of(ast.unparse(given.value)) if isinstance(given.value, ast.Attribute | ast.Name | ast.Subscript) else set()
                if given.arg == "path" and words & ADDRESSES:
                    yield path.parts[1], ast.unparse(given.value)


def senders(sources: Mapping[Path, str]) -> set[str]:
    """The files that send a request to an address."""
    return {str(path) for path, text in sources.items() if re.search(r"transport\.send\(|ClientSession\(", text)}


def names_in(schema: Any) -> Iterator[str]:
    """The names of all properties and parameters of a JSON Schema or an OpenAPI document."""
    if isinstance(schema, Mapping):
        yield from schema.get("properties", {}) if isinstance(schema.get("properties"), Mapping) else ()
        if schema.get("in") in ("query", "header"):
            yield schema["name"]
        for one in schema.values():
            yield from names_in(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from names_in(one)


def words_of(name: str) -> set[str]:
    """The words of which a name, or the path of a file, is made."""
    return set(re.split(r"\W|_", name.lower()))


def commands(group: click.Group, above: str = "") -> Iterator[tuple[str, click.Command]]:
    """All commands with what one types."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{above}{name} ")
        else:
            yield above + name, command


def commands_that_read(group: click.Group) -> Iterator[str]:
    """The commands that take a file which others wrote: not the configuration, and nothing that is written."""
    for name, command in commands(group):
        if any(
            isinstance(one.type, click.Path) and one.type.exists and one.type.file_okay and one.name != "config" for one in command.params
        ):
            yield name
