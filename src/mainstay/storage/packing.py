"""JSON in rows is packed with a vocabulary of our own field names: less than half the bytes for about two microseconds. Short texts stay as
they are. Either way a checksum goes with them, so that a byte that the disk changed is found, whatever it says now.
"""

from __future__ import annotations

from importlib import resources
from zlib import crc32

import zstandard

from mainstay.model.failures import Reject

PACK_FROM = 200  # bytes; shorter bodies gain little
LEVEL = -2  # half the time of level 1 for 8 % more bytes
_VOCABULARY = 1  # the first byte of what is packed; JSON begins with [ or {

# Rows on disk can be read only with the vocabulary that packed them: the file never changes, a better one gets the next number.
_words = resources.files("mainstay.storage").joinpath("vocabulary", f"{_VOCABULARY}.jsonl").read_bytes()
_dictionary = zstandard.ZstdCompressionDict(_words, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
_pack = zstandard.ZstdCompressor(level=LEVEL, dict_data=_dictionary, write_checksum=True).compress
_unpack = zstandard.ZstdDecompressor(dict_data=_dictionary).decompress
_MARK = bytes([_VOCABULARY])
_PLAIN = 255  # the first byte of what is not packed: its CRC-32 follows, then the JSON
_PLAIN_MARK = bytes([_PLAIN])


def pack(body: bytes) -> bytes:
    """A body for a row."""
    return _MARK + _pack(body) if len(body) >= PACK_FROM else _PLAIN_MARK + crc32(body).to_bytes(4) + body


def head_of(*columns: int | str) -> int:
    """The checksum of a row's other columns: never 0."""
    return crc32(",".join(map(str, columns)).encode()) or 1


class Damaged(Reject):
    """A row of the store that cannot be read: its bytes were changed on the disk."""

    code = "store_damaged"


def unpack(body: bytes) -> bytes:
    """The JSON of a row. Raises Damaged."""
    try:
        mark = body[0]
        if mark == _VOCABULARY:
            return _unpack(memoryview(body)[1:])
        if mark in b"[{":
            return body  # as earlier versions wrote short texts
        text = body[5:]
        if mark != _PLAIN or crc32(text).to_bytes(4) != body[1:5]:
            raise damaged("a row's bytes are not those that were written")
    except (zstandard.ZstdError, IndexError) as why:
        raise damaged(f"a packed row: {why}") from None
    return text


def damaged(which: str) -> Damaged:
    """The failure that names a row, and what to do."""
    return Damaged(f"the store is damaged ({which}); `mainstay verify` and `mainstay doctor` name what is, and a backup has it whole")
