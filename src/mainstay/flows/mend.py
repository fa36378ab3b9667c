"""A message as a person says that it should have been: with other values, each named by the way that leads to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec

from mainstay.model.failures import Reject
from mainstay.storage.inbox import Receipt

Values = Iterable[tuple[str, str]]  # (path, value)
Mend = Callable[[bytes | None], bytes]  # the kept message, None where its bytes are gone -> the message as it should have been; or Reject

GONE = "its raw bytes are gone, as when its person was erased: suppress it"


def with_values(values: Values) -> Mend:
    """The same values in whatever message they are set in; where none are, the message as it came, read with today's mapping."""
    return partial(_mended, values=tuple(values))


def as_said(asked: Receipt, body: bytes) -> bytes:
    """A message as a person has said in this receipt that it should have been: whole, or by values that are set in it."""
    said = msgspec.json.decode(asked.body)
    return said["body"].encode() if "body" in said else with_values(said.get("set", {}).items())(body)


def lost(_body: bytes | None) -> bytes:
    """Nobody knows any more what was to be set."""
    raise Reject("what it was to set is gone, as when its person was erased: ask for it anew", "not_found")


def _mended(body: bytes | None, values: Values) -> bytes:
    if body is None:
        raise Reject(GONE, "not_found")
    return edited(body, values) if values else body


def edited(body: bytes, values: Values) -> bytes:
    """A JSON message with other values: each is named by the fields that lead to it, with dots between them ("line_items.0.sku").

    A value takes the type of what stood there; where nothing did, it is JSON, else text. Raises Reject where a path leads nowhere.
    """
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Reject(f"the message is not JSON ({error}); give it whole, with --file", "json_syntax") from None
    for path, text in values:
        *way, last = path.split(".")
        at = document
        try:
            for name in way:
                at = at[int(name) if isinstance(at, list) else name]
            key: Any = int(last) if isinstance(at, list) else last
            at[key] = _like(at.get(key) if isinstance(at, dict) else at[key], text)
        except (LookupError, TypeError, ValueError, AttributeError):
            raise Reject(f"the message has nothing at {path!r}; `mainstay deadletters show` shows it", "schema") from None
    return msgspec.json.encode(document)


def _like(old: Any, text: str) -> Any:
    if isinstance(old, str):
        return text
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
