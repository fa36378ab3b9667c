"""What our own API reads: JSON that says each thing once, in text that every reader takes alike, and without card numbers.

A vendor's genuine message is kept however it is written, since its sender cannot repair it. A caller of ours can, and is told at once.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from mainstay.edge.problems import Problem
from mainstay.model.cards import holds_card
from mainstay.model.failures import Reject

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
    return asked


def refuse_card(asked: bytes) -> None:
    """Raise Problem where a card number stands in this."""
    if holds_card(asked):
        raise Problem(422, "pan_not_accepted", "a card number stands in this request; send the payment provider's token instead")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Problem(400, "duplicate_key", f"the field {name[:60]!r} stands twice in one object, and readers differ in which counts")
        found[name] = value
    return found
