"""mainstay.toml as a Landscape. Everything that is wrong with the text is found at once, with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

import msgspec
from msgspec import Struct
from msgspec.structs import FieldInfo, fields

from mainstay.landscape.declared import Landscape
from mainstay.landscape.findings import Finding, KeyPath, Misdeclared, nearest
from mainstay.landscape.offers import Setting
from mainstay.landscape.places import deeper_than, places
from mainstay.model.secrets import Secret

DEPTH_MAX = 32  # brackets inside brackets, or parts of a key
_LINE = re.compile(r"\(at line (\d+), column \d+\)")


def read(text: str, path: str) -> Landscape:
    """The landscape that the text declares; `path` names the file in findings. Raises Misdeclared."""
    deep = deeper_than(text, DEPTH_MAX)
    if deep:
        wrong = f"Something is nested more than {DEPTH_MAX} deep here."
        raise Misdeclared([Finding("toml-too-deep", path, deep, wrong, "a list of texts, or one table; no declaration goes deeper")])
    try:
        plain = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misdeclared([_syntax(text, path, str(error))]) from None
    locate = places(text)
    found = [Finding(code, path, locate(key), wrong, instead) for code, key, wrong, instead in doubts(Landscape, plain, ())]
    if found:
        raise Misdeclared(found)
    return msgspec.convert(plain, Landscape)


def _syntax(text: str, path: str, error: str) -> Finding:
    at = _LINE.search(error)
    line = int(at[1]) if at else max(1, text.count("\n") + (not text.endswith("\n")))
    wrong = f"This is not TOML: {_LINE.sub('', error).strip().lower()}."
    return Finding("toml-syntax", path, line, wrong, '`key = "value"` below a `[table]`; each key and each table once')


_Doubt = tuple[str, KeyPath, str, str]


def doubts(kind: Any, value: Any, path: KeyPath, default: Any = msgspec.NODEFAULT) -> Iterator[_Doubt]:
    """Everything in `value` that does not fit `kind`: structs and tables are walked, so that one error does not hide the next. `default` is
    what holds where nothing is written."""
    if isinstance(value, dict) and isinstance(kind, type) and issubclass(kind, Struct):
        yield from _doubts_of_struct(kind, value, path)
    elif isinstance(value, dict) and get_origin(kind) is dict:
        key_kind, member_kind = get_args(kind)
        for name, member in value.items():
            yield from _name_doubts(key_kind, name, (*path, name))
            yield from doubts(member_kind, member, (*path, name))
    else:
        yield from _value_doubts(kind, value, path, default)


def _doubts_of_struct(kind: type[Struct], value: Mapping[str, Any], path: KeyPath) -> Iterator[_Doubt]:
    known = {one.name: one for one in fields(kind)}
    where = f"[{'.'.join(map(str, path))}]" if path else "the top of the file"
    for name, member in value.items():
        if name in known:
            yield from doubts(known[name].type, member, (*path, name), known[name].default)
        else:
            yield "key-unknown", (*path, name), f'"{name}" means nothing in {where}.', f"{nearest(name, known)}, or leave it out"
    for name in (name for name, one in known.items() if one.required and name not in value):
        yield "key-missing", path, f'"{name}" is missing in {where}.', _sample(known[name], path)


def _sample(missing: FieldInfo, path: KeyPath) -> str:
    about = _about(missing.type)
    if missing.name == "shop" and not path:
        return '`[shop]` with `name = "Acme"` and `currency = "EUR"`'
    return f"`{missing.name} = …`{': ' + about if about else ''}"


def _about(kind: Any) -> str:
    return next((one.description for one in getattr(kind, "__metadata__", ()) if one.description), "")


def _name_doubts(kind: Any, name: str, path: KeyPath) -> Iterator[_Doubt]:
    try:
        msgspec.convert(name, kind)
    except msgspec.ValidationError:
        yield "name-malformed", path, f'"{name}" cannot be a name here.', f'"{likely(name)}": a small letter, then letters, digits, - or _'


def likely(name: str) -> str:
    """What could stand in ids instead of a name that cannot."""
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_0123456789")[:31] or "shop"


def _value_doubts(kind: Any, value: Any, path: KeyPath, default: Any) -> Iterator[_Doubt]:
    try:
        msgspec.convert(value, kind, dec_hook=_referred)
    except msgspec.ValidationError as error:
        wrong = f"{'.'.join(map(str, path))}: {str(error).partition(' - at ')[0]}."
        yield "value-wrong", path, wrong, _wanted(kind) or _shown(kind, value, path, default)


def _shown(kind: Any, value: Any, path: KeyPath, default: Any) -> str:
    """What may stand here, and what it is for: the value itself where it only lacks its brackets, else the default, else an example."""
    if get_origin(kind) is dict or (isinstance(kind, type) and issubclass(kind, Struct)):
        return f"a table: `[{'.'.join(map(str, path))}{'.name' if get_origin(kind) is dict else ''}]`"
    if not Setting("", kind).secret and _fits([value], kind):
        known = [value]
    else:
        known = default if default not in (msgspec.NODEFAULT, None, "", (), False) else Setting("", kind).example
    example = msgspec.json.encode(known).decode()
    about = _about(kind)
    return f"`{path[-1]} = {example}`{': ' + about if about else ''}"


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _referred(kind: type, value: Any) -> Secret:
    """What a secret looks like in the file: a text that refers to it."""
    if kind is not Secret or not isinstance(value, str):
        raise TypeError("Expected a text that refers to a secret, env:NAME or file:PATH")
    return Secret(value)


def _wanted(kind: Any) -> str:
    """The words that may stand here, where there is a list of them."""
    bare = get_args(kind)[0] if hasattr(kind, "__metadata__") else kind
    words = [word for word in get_args(bare) if isinstance(word, str)]
    return f"one of {', '.join(map(repr, words))}" if words else ""
