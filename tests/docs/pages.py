"""The pages, and what can be wrong with one. Each check is a function that gives complaints, so that a test can show that it bites."""

from __future__ import annotations

import ast
import json
import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import click
import msgspec

from mainstay.app import build
from mainstay.edge.openapi import Endpoint
from mainstay.landscape import Misdeclared, check, places, read

ROOT = Path(__file__).resolve().parents[2]
MADE_LATER = {"docs/performance.md"}  # `make bench` writes it on the reader's machine

_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.M | re.S)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.M)
_CODE = re.compile(r"^```.*?^```\s*$|`[^`\n]*`", re.M | re.S)
_SUBSTITUTION = re.compile(r"\$\([^)]*\)")


class Block(NamedTuple):
    """A fenced block: where it begins, its language, its text."""

    line: int
    language: str
    text: str


def pages() -> list[Path]:
    """Every page that is ours."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.md")]
    return sorted(found)


def blocks(text: str) -> list[Block]:
    return [Block(text.count("\n", 0, found.start()) + 1, found[1], found[2]) for found in _FENCE.finditer(text)]


# --- links -------------------------------------------------------------------------------------------------------------
def broken_links(page: Path, text: str) -> Iterator[str]:
    """Relative links that lead nowhere: no such file, or no such heading in it."""
    for target in _LINK.findall(_CODE.sub(lambda code: " " * len(code[0]), text)):
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue
        file = (page.parent / parts.path).resolve() if parts.path else page
        if not file.exists():
            if not (file.is_relative_to(ROOT) and str(file.relative_to(ROOT)) in MADE_LATER):
                yield f"{target}: there is no such file"
        elif parts.fragment and parts.fragment not in anchors(text if file == page else file.read_text()):
            yield f"{target}: there is no such heading"


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    plain = re.sub(r"^```.*?^```\s*$", "", text, flags=re.M | re.S)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(plain)}


# --- commands ----------------------------------------------------------------------------------------------------------
def commands(block: Block) -> list[list[str]]:
    """The commands of a block as words: every line of `sh`, the lines after "$ " of `console`."""
    lines = block.text.replace("\\\n", " ").split("\n")
    if block.language == "console":
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    text = "\n".join(line for line in lines if not line.startswith("#"))
    return [words for one in _statements(text) if (words := shlex.split(_SUBSTITUTION.sub("…", one)))]


def _statements(text: str) -> Iterator[str]:
    """Commands of a text; quotes may hold line breaks."""
    gathered = ""
    for line in text.split("\n"):
        gathered += ("\n" if gathered else "") + line
        try:
            shlex.split(gathered)
        except ValueError:
            continue
        yield gathered
        gathered = ""
    assert not gathered, f"a quote is not closed: {gathered}"


def wrong_command(words: Sequence[str], group: click.Group) -> str:
    """Why `mainstay …` would not be understood; empty where it would be, or where it is another program."""
    if words[0] != "mainstay":
        return ""
    told = list(words[1 : words.index(">")] if ">" in words else words[1:])
    command: click.Command = group
    while isinstance(command, click.Group) and told and not told[0].startswith("-"):
        name = told.pop(0)
        if name not in command.commands:
            return f"there is no command {name!r} in `{' '.join(words)}`"
        command = command.commands[name]
    if isinstance(command, click.Group) and not (told or command.invoke_without_command):
        return f"`{' '.join(words)}` names no command"
    context = click.Context(command, resilient_parsing=True)
    try:
        values, rest, _ = command.make_parser(context).parse_args(list(told))
    except click.UsageError as error:
        return f"`{' '.join(words)}`: {error.format_message()}"
    missing = [param.name for param in command.params if param.required and _is_absent(values.get(param.name or ""))]
    return f"`{' '.join(words)}`: {rest or missing}" if rest or missing else ""


def _is_absent(value: object) -> bool:
    return value is None or "UNSET" in repr(value).upper()


def wrong_request(words: Sequence[str], endpoints: Sequence[Endpoint]) -> str:
    """Why a `curl …` to our API would be refused; empty where it would not, or where it is another program."""
    if words[0] != "curl":
        return ""
    options = {words[n]: words[n + 1] for n in range(len(words) - 1) if words[n] in ("-X", "-d")}
    path = next((word.removeprefix("$MAINSTAY") for word in words if word.startswith("$MAINSTAY/")), "")
    method = options.get("-X", "GET")
    for one in endpoints:
        if one.method == method and re.fullmatch(re.sub(r"{\w+}", "[^/]+", one.path), path):
            if one.key and not any(word.startswith("Idempotency-Key: ") for word in words):
                return f"{method} {path} needs an Idempotency-Key"
            if "-d" in options and "Content-Type: application/json" not in words:
                return f"{method} {path} needs Content-Type: application/json"
            return _wrong_body(one, options.get("-d", "{}"))
    return f"the API has no {method} {path}"


def _wrong_body(one: Endpoint, body: str) -> str:
    if one.body is None:
        return ""
    try:
        msgspec.json.decode(body, type=one.body)
    except msgspec.DecodeError as error:
        return f"{one.method} {one.path}: {error}"
    return ""


# --- examples in other languages ---------------------------------------------------------------------------------------
def wrong_example(block: Block) -> Iterator[str]:
    """What is wrong with an example in TOML, Python or JSON."""
    if block.language == "toml":
        yield from _wrong_toml(block.text)
    elif block.language == "python":
        yield from _wrong_python(block.text)
    elif block.language == "json":
        try:
            json.loads(block.text)
        except ValueError as error:
            yield str(error)


def _wrong_toml(text: str) -> Iterator[str]:
    """A whole landscape passes the check, but for secrets that are not there; a part holds only keys that exist."""
    try:
        whole = "shop" in tomllib.loads(text)
        landscape = read(text, "example")
    except tomllib.TOMLDecodeError as error:
        yield str(error)
    except Misdeclared as wrong:
        yield from (str(one) for one in wrong.findings if whole or one.code != "key-missing")
    else:
        found = check(landscape, build.offers(), lambda _: False, places(text), "example")
        yield from (str(one) for one in found if one.severity == "error" and one.code != "secret-missing")


def _wrong_python(text: str) -> Iterator[str]:
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        yield str(error)
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mainstay"):
            yield from _wrong_import(node.module or "", [alias.name for alias in node.names])


def _wrong_import(module: str, names: Sequence[str]) -> Iterator[str]:
    try:
        there = import_module(module)
    except ImportError as error:
        yield str(error)
        return
    yield from (f"{module} has no {name}" for name in names if not hasattr(there, name))


def versions(changelog: str) -> list[str]:
    """The versions of a changelog, newest first."""
    return re.findall(r"^## (\d+\.\d+\.\d+)", changelog, re.M)


def differences(committed: Mapping[str, str], made: Mapping[str, str]) -> list[str]:
    """Pages that are missing, stale or left over."""
    found = []
    for name in sorted(committed.keys() | made.keys()):
        if name not in made:
            found.append(f"{name} is made by nothing any more")
        elif name not in committed:
            found.append(f"{name} is not committed")
        elif committed[name] != made[name]:
            lines = zip(committed[name].split("\n"), made[name].split("\n"), strict=False)
            first = next((f"committed {a!r}, the code says {b!r}" for a, b in lines if a != b), "one ends before the other")
            found.append(f"{name}: {first}")
    return found
