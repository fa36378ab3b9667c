"""Where each key stands in a TOML text: tomllib checks and reads the values, but forgets their lines."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from mainstay.landscape.findings import KeyPath

_TOKEN = re.compile(
    r'(?P<long>"""(?:\\.|[^\\])*?"""(?:"{0,2})|\'\'\'.*?\'\'\'\'{0,2})'
    r'|(?P<quoted>"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\')'
    r"|(?P<comment>\#[^\n]*)|(?P<end>\n)|(?P<mark>[\[\]{}=,.])|(?P<bare>[^\s\[\]{}=,.\#\"']+)",
    re.DOTALL,
)
_DEPTH = {"[": 1, "{": 1, "]": -1, "}": -1}


class _Token(NamedTuple):
    kind: str
    text: str
    line: int


def places(text: str) -> Callable[[KeyPath], int]:
    """A function from a key path to its line (1 is the first). The text must be valid TOML.

    What stands inside an inline table, an array, or nowhere has the line of the nearest key around it.
    """
    lines = _lines(_tokens(text))

    def locate(path: KeyPath) -> int:
        while path and path not in lines:
            path = path[:-1]
        return lines.get(path, 1)

    return locate


def deeper_than(text: str, most: int) -> int:
    """The first line on which brackets stand more than `most` deep in each other, or a key has more parts; 0: none. Any text will do."""
    depth = parts = 0
    for token in _tokens(text):
        parts = parts + 1 if token.text == "." else parts if token.kind in ("bare", "quoted") else 0
        if token.kind == "mark":
            depth = max(0, depth + _DEPTH.get(token.text, 0))
        if depth > most or parts > most:
            return token.line
    return 0


def _tokens(text: str) -> Iterator[_Token]:
    line = 1
    for match in _TOKEN.finditer(text.replace("\r\n", "\n")):
        kind = match.lastgroup or ""
        if kind != "comment":
            yield _Token(kind, match[0], line)
        line += match[0].count("\n")
    yield _Token("end", "\n", line)


def _lines(tokens: Iterator[_Token]) -> dict[KeyPath, int]:
    lines: dict[KeyPath, int] = {}
    elements: dict[KeyPath, int] = {}  # arrays of tables, and the index of their last element
    table: KeyPath = ()
    for token in tokens:
        if token.kind == "end":
            continue
        if token.text == "[":
            keys, brackets = _keys(next(tokens), tokens, "]")
            path = table = _table(keys, brackets == 2, elements)
        else:
            keys, _ = _keys(token, tokens, "=")
            path = _inside(keys, elements, table)
        _skip(tokens)
        for depth in range(1, len(path) + 1):
            lines.setdefault(path[:depth], token.line)
    return lines


def _keys(first: _Token, tokens: Iterator[_Token], stop: str) -> tuple[list[str], int]:
    """The parts of a dotted key up to `stop`, and how many brackets opened before it."""
    parts, brackets, token = [], 1, first
    while token.text != stop or token.kind != "mark":
        if token.text == "[":
            brackets = 2
        elif token.kind == "quoted":
            parts.append(tomllib.loads(f"k = {token.text}")["k"])
        elif token.kind == "bare":
            parts.append(token.text)
        token = next(tokens)
    return parts, brackets


def _inside(keys: list[str], elements: dict[KeyPath, int], table: KeyPath = ()) -> KeyPath:
    """The path of a key below `table`, with the index of the last element wherever it passes an array of tables."""
    path = table
    for key in keys:
        path = (*path, key)
        if path in elements:
            path = (*path, elements[path])
    return path


def _table(keys: list[str], is_array: bool, elements: dict[KeyPath, int]) -> KeyPath:
    if not is_array:
        return _inside(keys, elements)
    path = (*_inside(keys[:-1], elements), keys[-1])
    elements[path] = elements.get(path, -1) + 1
    return (*path, elements[path])


def _skip(tokens: Iterator[_Token]) -> None:
    """Go past a value, or the rest of a table's line: to the end of a line outside all brackets."""
    depth = 0
    for token in tokens:
        if token.kind == "end" and depth <= 0:
            return
        if token.kind == "mark":
            depth += _DEPTH.get(token.text, 0)
