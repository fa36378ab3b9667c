"""Long JSON in rows is packed: about a third of the bytes for about ten microseconds. Short JSON stands as it is."""

from __future__ import annotations

import zlib

PACK_FROM = 256  # bytes; shorter bodies gain little
_ZLIB = 0x78  # the first byte of a zlib stream; JSON begins with [ or {


def pack(body: bytes) -> bytes:
    """The same bytes always give the same packing."""
    return zlib.compress(body, 1) if len(body) >= PACK_FROM else body


def unpack(body: bytes) -> bytes:
    """The JSON of a row."""
    return zlib.decompress(body) if body[0] == _ZLIB else body
