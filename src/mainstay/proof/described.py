"""Types as Markdown: what a field may hold, what it is where nothing is said, and what it means.

The meaning comes from `Meta(description=…)`, or from the comment at the end of the field's line: it is written once, where the field is.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct
from msgspec import inspect as kinds

from mainstay.model.secrets import Secret
from mainstay.model.seen import SeenEvent

LIMITS_HIDDEN_FROM = 2**31  # larger limits only keep numbers exact in JSON; a reader learns nothing from them
STATEMENTS = frozenset(SeenEvent.__args__)

_COMMENTED = re.compile(r"    (\w+): .*?  # (?!fmt:|type:|noqa)(.+)")


def table(rows: Iterable[Iterable[str]], *head: str) -> list[str]:
    """The lines of a Markdown table; a bar inside a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines]


def fields(kind: type[Struct], without: Collection[str] = ()) -> list[str]:
    """The fields of a struct as a table, but for some; a line where it has none."""
    said = comments(kind)
    told: kinds.StructType = kinds.type_info(kind)  # type: ignore[assignment]
    shown = [one for one in told.fields if one.name not in without]
    rows = [(f"`{one.encode_name}`", word(one.type), default(one), _meaning(one.type) or said.get(one.name, "")) for one in shown]
    return table(rows, "field", "holds", "default", "meaning") if rows else ["It has no fields."]


def summary(kind: type[Any]) -> str:
    """A docstring as one paragraph."""
    return " ".join(inspect.getdoc(kind).split()) if kind.__doc__ else ""  # type: ignore[union-attr]


def comments(kind: type[Struct]) -> dict[str, str]:
    """Field -> the comment on its line, with those of the classes that it comes from."""
    ours = [one for one in reversed(kind.__mro__) if one.__module__.startswith("mainstay.")]
    return {found[1]: found[2] for one in ours for line in inspect.getsource(one).splitlines() if (found := _COMMENTED.match(line))}


def default(one: kinds.Field) -> str:
    """The value of a field where nothing is said; **required** where something must be."""
    if one.required:
        return "**required**"
    if one.default_factory is not msgspec.NODEFAULT:
        return f"`{msgspec.json.encode(one.default_factory()).decode()}`"
    if one.default is None or isinstance(one.default, Secret):
        return ""
    return f"`{msgspec.json.encode(one.default).decode()}`"


def word(kind: kinds.Type) -> str:
    """What a field may hold, in words."""
    match kind:
        case kinds.Metadata():
            return word(kind.type)
        case kinds.StrType():
            return "text" + _between(kind.min_length, kind.max_length, " characters")
        case kinds.IntType():
            return "whole number" + _between(kind.ge if kind.gt is None else kind.gt + 1, kind.le)
        case kinds.FloatType():
            return "number" + (f" above {kind.gt:g}" if kind.gt is not None else "") + _between(kind.ge, kind.le)
        case kinds.BoolType():
            return "true or false"
        case kinds.LiteralType():
            return " or ".join(f"`{value}`" for value in kind.values)
        case kinds.CustomType():
            return "secret"
        case kinds.StructType():
            return f"[{kind.cls.__name__}](#{kind.cls.__name__.lower()})"
        case kinds.VarTupleType() | kinds.ListType():
            return f"list of {word(kind.item_type)}"
        case kinds.TupleType():
            return f"({', '.join(map(word, kind.item_types))})"
        case kinds.DictType():
            return f"table: {word(kind.key_type)} to {word(kind.value_type)}"
        case kinds.UnionType():
            return _either(kind)
    return "any value"


def parts(kind: kinds.Type) -> Iterator[type[Struct]]:
    """Every struct that a type holds, however deep, in the order of the fields."""
    match kind:
        case kinds.StructType():
            yield kind.cls
            for one in kind.fields:
                yield from parts(one.type)
        case kinds.Metadata():
            yield from parts(kind.type)
        case kinds.VarTupleType() | kinds.ListType():
            yield from parts(kind.item_type)
        case kinds.DictType():
            yield from parts(kind.value_type)
        case kinds.UnionType():
            for member in kind.types:
                yield from parts(member)


def _either(kind: kinds.UnionType) -> str:
    members = [one for one in kind.types if not isinstance(one, kinds.NoneType)]
    if {one.cls for one in members if isinstance(one, kinds.StructType)} >= STATEMENTS:
        return "any statement"
    return " or ".join(map(word, members)) + (", or nothing" if len(members) < len(kind.types) else "")


def _between(least: float | None, most: float | None, unit: str = "") -> str:
    if most is not None and most >= LIMITS_HIDDEN_FROM:
        return ""
    if most is not None and least == most:
        return f", {most:,}{unit}"
    if least and most is not None:
        return f", {least:,} to {most:,}{unit}"
    if most is not None:
        return f", at most {most:,}{unit}"
    return f", at least {least:,}{unit}" if least is not None and (least or not unit) else ""


def _meaning(kind: kinds.Type) -> str:
    if not isinstance(kind, kinds.Metadata):
        return ""
    said = kind.extra_json_schema or {}
    examples = ", ".join(f"`{one}`" for one in said.get("examples", ()))
    return " ".join(part for part in (said.get("description", ""), f"Such as {examples}." if examples else "") if part)
