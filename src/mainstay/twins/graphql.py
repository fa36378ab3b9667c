"""As much GraphQL as an imitation needs: one operation read, its answer cut down to what was asked for.

So a connector that forgets to ask for a field does not get it. Source: https://spec.graphql.org/October2021 (sections 2 and 6).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\.\.\.|[A-Za-z_]\w*|-?\d+(?:\.\d+)?|[{}()\[\]:$@!=|]')


class Wrong(Exception):
    """The document asks for what is not there; the text is for the `errors` of the answer."""


class Field(Struct):
    """One selected field. An inline fragment has no name, a spread has only `fragment`; `on` is the type they apply to."""

    name: str = ""
    alias: str = ""
    arguments: dict[str, Any] = field(default_factory=dict)
    directives: dict[str, dict[str, Any]] = field(default_factory=dict)
    selected: list[Field] = field(default_factory=list)
    fragment: str = ""
    on: str = ""


class Document(Struct):
    """The operation's kind and root fields, with the fragments that it uses."""

    kind: str = "query"
    roots: list[Field] = field(default_factory=list)
    fragments: dict[str, Field] = field(default_factory=dict)

    def size(self) -> int:
        """How many objects the document speaks of, fragments counted where they are used."""
        return self._size(self.roots)

    def _size(self, fields: list[Field]) -> int:
        total = 0
        for one in fields:
            selected = self.fragments[one.fragment].selected if one.fragment else one.selected
            total += self._size(selected) + (1 if one.name and selected else 0)
        return total

    def cut(self, value: Any, fields: list[Field]) -> Any:
        """`value` with only the selected fields. A callable takes the field's arguments."""
        if value is None:
            return None
        if isinstance(value, list):
            return [self.cut(one, fields) for one in value]
        found: dict[str, Any] = {}
        for one in fields:
            if one.name:
                found[one.alias] = self._field(value, one)
                continue
            part = self.fragments[one.fragment] if one.fragment else one
            if value.get("__typename", part.on) == part.on:
                found |= self.cut(value, part.selected)
        return found

    def _field(self, value: Mapping[str, Any], one: Field) -> Any:
        if one.name not in value:
            raise Wrong(f"Field '{one.name}' doesn't exist on type '{value.get('__typename', 'Object')}'")
        inner = value[one.name]
        inner = inner(**one.arguments) if callable(inner) else inner
        return self.cut(inner, one.selected) if one.selected else inner


def read(text: str, variables: Mapping[str, Any]) -> Document:
    """The document with its variables filled in."""
    return _Reader(text, variables).document()


class _Reader:
    def __init__(self, text: str, variables: Mapping[str, Any]) -> None:
        self.tokens, self.at, self.variables = [*_TOKEN.findall(text), ""], 0, variables

    def take(self, wanted: str = "") -> str:
        token: str = self.tokens[self.at]
        if not token or (wanted and token != wanted):
            raise Wrong(f"syntax error, unexpected {token or 'end of file'!r}")
        self.at += 1
        return token

    def next_is(self, wanted: str) -> bool:
        if self.tokens[self.at] != wanted:
            return False
        self.at += 1
        return True

    def document(self) -> Document:
        found = Document()
        while self.tokens[self.at]:
            word = self.take()
            if word == "fragment":
                name = self.take()
                self.take("on")
                on = self.take()
                self.take("{")
                found.fragments[name] = Field(on=on, selected=self.selection())
                continue
            if word != "{":  # without a word before it, it is a query
                found.kind = word
                while self.take() != "{":  # the operation's name and the types of its variables
                    pass
            found.roots = self.selection()
        return found

    def selection(self) -> list[Field]:
        fields = []
        while not self.next_is("}"):
            fields.append(self.spread() if self.next_is("...") else self.named())
        return fields

    def spread(self) -> Field:
        if not self.next_is("on"):
            return Field(fragment=self.take())
        on = self.take()
        self.take("{")
        return Field(on=on, selected=self.selection())

    def named(self) -> Field:
        alias = name = self.take()
        if self.next_is(":"):
            name = self.take()
        found = Field(name=name, alias=alias, arguments=self.arguments())
        while self.next_is("@"):
            directive = self.take()
            found.directives[directive] = self.arguments()
        if self.next_is("{"):
            found.selected = self.selection()
        return found

    def arguments(self) -> dict[str, Any]:
        return self.pairs(")") if self.next_is("(") else {}

    def pairs(self, end: str) -> dict[str, Any]:
        found = {}
        while not self.next_is(end):
            name = self.take()
            self.take(":")
            found[name] = self.value()
        return found

    def value(self) -> Any:
        token = self.take()
        if token == "$":
            return self.variables.get(self.take())
        if token == "[":
            found = []
            while not self.next_is("]"):
                found.append(self.value())
            return found
        if token == "{":
            return self.pairs("}")
        if token.startswith('"'):
            return token[1:-1]
        if token in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[token]
        return int(token) if token.lstrip("-").isdecimal() else token
