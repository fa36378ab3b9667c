"""Identity: what is shown outside is derived, never drawn; inside, an entity is an int64 numbered in log order."""

from __future__ import annotations

import base64
import unicodedata
from hashlib import blake2b

from mainstay.model.failures import Reject

SKU_CHARS_MAX = 120
PREFIXES = {"order": "ord", "reservation": "rsv", "release": "rel", "letter": "dl", "customer": "cus"}
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
PLAIN_CHARS_MAX = 40


def shown(kind: str, system: str, external: str) -> str:
    """The id that people and other systems see: `ord.shop.5000000001`. The same three always give the same id.

    An external id that is long or holds other characters than letters, digits, _ and - is shown by its hash, after a "~".
    """
    if len(external) > PLAIN_CHARS_MAX or not _PLAIN.issuperset(external) or not external:
        external = "~" + base64.b32encode(blake2b(f"{kind}\0{system}\0{external}".encode(), digest_size=10).digest()).decode().lower()
    return f"{PREFIXES[kind]}.{system}.{external}"


def named(text: str) -> tuple[str, str, str] | None:
    """The (kind, system, external id) of a shown id, or None. A release `rel.shop.5000000001.2` names its order."""
    prefix, _, rest = text.partition(".")
    kind = _KINDS.get(prefix)
    system, dot, external = rest.partition(".")
    if kind is None or not dot or not external:
        return None
    if kind == "release":
        kind, external = "order", external.rpartition(".")[0]
    return kind, system, external


def release(order: str, number: int) -> str:
    """The id of an order's n-th release to a warehouse: release("ord.shop.17", 1) == "rel.shop.17.1"."""
    return f"rel.{order.partition('.')[2]}.{number}"


_KINDS = {prefix: kind for kind, prefix in PREFIXES.items()}


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
