"""What in a text tells of a person: whether a message is theirs, and what of it may not be written down. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from mainstay.model.objects import Person

HIDDEN = "…"
WORD_CHARS_MIN = 3  # shorter ones stand in half of all texts
PHONE_CHARS_MIN = 6

_EMAIL = re.compile(r"[^\s<>()\[\]{}'\",;:=]+@[^\s<>()\[\]{}'\",;:=]+")
_PHONE = re.compile(r"\+\d[\d ()/.-]{5,}\d")


def theirs(body: bytes, person: Person) -> bool:
    """Is a message about this person? It says their e-mail address or phone number, or their name with their street.

    A name alone proves nothing: others have it too, and their messages must stay.
    """
    text = body.decode(errors="replace").casefold()
    phones = [phone for phone in _phones(person) if len(phone) >= PHONE_CHARS_MIN]
    if any(_stands_in(text, sure) for sure in (person.email, *phones)):
        return True
    places = [(address.name or person.name, address.street) for address in (person.shipping, person.billing) if address]
    return any(_stands_in(text, name) and _stands_in(text, street) for name, street in places)


def _stands_in(text: str, word: str) -> bool:
    """As it is, or with its letters beyond ASCII written as JSON may write them."""
    return bool(word) and (word.casefold() in text or json.dumps(word)[1:-1].casefold() in text)


def cleaned(text: str, person: Person | None = None) -> str:
    """A text of another system without e-mail addresses, telephone numbers, and whatever else it says of `person`."""
    text = _PHONE.sub(HIDDEN, _EMAIL.sub(HIDDEN, text))
    for word in sorted({word for word in _words(person) if len(word) >= WORD_CHARS_MIN}, key=lambda word: (-len(word), word)):
        text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", HIDDEN, text, flags=re.IGNORECASE)
    return text


def _phones(person: Person) -> Iterator[str]:
    yield person.phone
    yield from (address.phone for address in (person.shipping, person.billing) if address)


def _words(person: Person | None) -> Iterator[str]:
    if person is None:
        return
    yield from (person.email, person.name, *person.name.split(), *_phones(person))
    for address in (person.shipping, person.billing):
        if address is not None:
            yield from (address.name, *address.name.split(), address.company, address.street, address.street2, address.postcode)
