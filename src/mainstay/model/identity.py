"""Identity: what is shown outside is derived, never drawn; inside, an entity is an int64 numbered in log order."""

from __future__ import annotations

import base64
import unicodedata
from hashlib import blake2b

from mainstay.model.failures import Reject

SKU_CHARS_MAX = 120
PREFIXES = {"order": "ord", "reservation": "rsv", "fulfilment": "ful", "release": "rel", "subject": "sub", "intent": "int", "letter": "dl"}


def shown(kind: str, system: str, external: str) -> str:
    """The id that people and other systems see: the same (kind, system, external id) always gives the same one."""
    digest = blake2b(f"{kind}\0{system}\0{external}".encode(), digest_size=10).digest()
    return f"{PREFIXES[kind]}-{base64.b32encode(digest).decode().lower()}"


def fingerprint(system: str, topic: str, key: str) -> int:
    """A signed 64-bit fingerprint of an event id; it only ever names a candidate that is then confirmed."""
    return int.from_bytes(blake2b(f"{system}\0{topic}\0{key}".encode(), digest_size=8).digest(), "big", signed=True)


def sku(text: object) -> str:
    """A SKU as it may stand inside: NFC, trimmed, visible, at most 120 characters. Reject `schema` otherwise."""
    if type(text) is not str:
        raise Reject(f"a SKU must be text, not {type(text).__name__}", "schema")
    if text.isascii() and text.isprintable():  # nearly always
        clean = text.strip()
    else:
        clean = unicodedata.normalize("NFC", text).strip()
        if not clean.isprintable():
            raise Reject(f"SKU {text[:40]!r} holds characters that cannot be seen", "sku_ambiguous")
    if not clean or len(clean) > SKU_CHARS_MAX:
        raise Reject(f"a SKU has 1 to {SKU_CHARS_MAX} characters; got {len(clean)}", "schema")
    return clean
