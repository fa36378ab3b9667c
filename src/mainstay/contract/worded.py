"""Words of a vendor that its connector does not know yet, and that the shop says how to read: until the connector learns them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

from mainstay.model.failures import Reject
from mainstay.model.seen import Said

Translate = Callable[[str, bytes], list[Said]]


def worded(translate: Translate, words: Mapping[str, str]) -> Translate:
    """The same translation for a message that it refuses for an unknown word: read once more with other words in the place of theirs.

    `words` says "field.word" -> the vendor's own word that it is to be read as. The message itself stays as it came.
    """
    places = [(_place(*told.split(".", 1)), msgspec.json.encode(word)) for told, word in words.items()]

    def translated(topic: str, body: bytes) -> list[Said]:
        try:
            return translate(topic, body)
        except Reject as why:
            read = body
            for place, word in places:
                read = place.sub(lambda found: found[1] + word, read)  # noqa: B023
            if why.code != "unknown_word" or read == body:
                raise
            return translate(topic, read)

    return translated if places else translate


def _place(field: str, word: str) -> re.Pattern[bytes]:
    """Where a JSON text says that word in that field."""
    return re.compile(rb"(" + re.escape(msgspec.json.encode(field)) + rb"\s*:\s*)" + re.escape(msgspec.json.encode(word)))
