"""What our own API reads: JSON that says each thing once, in text that every reader takes alike, and without card numbers.

A vendor's genuine message is kept however it is written, since its sender cannot repair it. A caller of ours can, and is told at once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from mainstay.edge.problems import Problem
from mainstay.model.cards import holds_card
from mainstay.model.failures import Reject

T = TypeVar("T")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def read(raw: bytes, content_type: str, kind: type[Any]) -> Any:
    """A request's body as `kind`; an empty one is {}. Raises Problem with the code that says what is wrong with it."""
    if raw and content_type.partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "content_type", "send the body as JSON, with the header `Content-Type: application/json`")
    try:
        text = raw.decode() or "{}"
        asked = msgspec.json.decode(text, type=kind)
        plain = json.loads(text, object_pairs_hook=_each_once, parse_int=str, parse_float=str)
    except UnicodeDecodeError as error:
        raise Problem(400, "not_utf8", f"the body is not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise Problem(400, "too_deep", "the body is nested deeper than any request") from None
    except msgspec.ValidationError as error:
        raise Problem(422, "schema", str(error)) from None
    except Reject as why:
        raise Problem(422, why.code, why.why) from None
    except msgspec.DecodeError as error:
        raise Problem(400, "json_syntax", f"the body is not JSON: {error}") from None
    if _NUL.search(raw):
        raise Problem(400, "nul_in_text", "a text holds the character U+0000, which many readers take for its end; leave it out")
    refuse_card(msgspec.json.encode(plain))
    shape = _shape(kind)  # type: ignore[arg-type]  # a class is hashable
    if strange := _unknown(plain, shape, "$"):
        raise Problem(422, "schema", f"Object contains unknown field `{strange}`: nobody reads it; /v1/openapi.json has the fields")
    return asked


def query(given: Sequence[tuple[str, str]], kind: type[T]) -> T:
    """A question's query parameters as `kind`. Raises Problem for one that is unknown, given twice or senseless."""
    try:
        return msgspec.convert(_each_once(list(given)), kind)
    except Reject as why:
        raise Problem(422, why.code, why.why) from None
    except msgspec.ValidationError as error:
        raise Problem(422, "schema", str(error)) from None


def refuse_card(asked: bytes) -> None:
    """Raise Problem where a card number stands in this."""
    if holds_card(asked):
        raise Problem(422, "pan_not_accepted", "a card number stands in this request; send the payment provider's token instead")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Problem(400, "duplicate_key", f"{name[:60]!r} stands twice, and readers differ in which counts")
        found[name] = value
    return found


@cache
def _shape(kind: Hashable) -> inspect.Type:
    return inspect.type_info(kind)


def _unknown(told: Any, shape: Any, path: str) -> str:
    """The first field that nobody reads, by its path; a misspelt one would be missing without a word. Empty where all are known."""
    if isinstance(shape, inspect.Metadata):
        return _unknown(told, shape.type, path)
    if isinstance(shape, inspect.UnionType):
        return _unknown(told, _of_union(told, shape.types), path)
    if isinstance(told, dict) and isinstance(shape, inspect.StructType):
        fields = {field.encode_name: field.type for field in shape.fields}
        for name, value in told.items():
            if name in fields:
                if found := _unknown(value, fields[name], f"{path}.{name}"):
                    return found
            elif name != shape.tag_field:
                return f"{path}.{name}"
    if isinstance(told, list) and isinstance(shape, inspect.VarTupleType | inspect.ListType):
        return next((found for n, one in enumerate(told) if (found := _unknown(one, shape.item_type, f"{path}[{n}]"))), "")
    return ""


def _of_union(told: Any, shapes: Sequence[Any]) -> Any:
    """Which of several types this is: by its tag, or the only one with fields."""
    structs = [shape for shape in shapes if isinstance(shape, inspect.StructType)]
    tagged = [shape for shape in structs if isinstance(told, dict) and shape.tag_field and told.get(shape.tag_field) == shape.tag]
    return next(iter(tagged or structs), next((shape for shape in shapes if isinstance(shape, inspect.VarTupleType)), None))
