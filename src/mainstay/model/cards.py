"""Card numbers are never accepted or stored: they are found in raw bytes, and redacted to their first six and last four digits.

A card number has an issuer's prefix, a length that this issuer uses, and the right check digit. It may be written in groups of four or
more, parted by single spaces or dashes. Digits that are part of a longer word or number are none: those of a token, of an order id with
dashes, of the path of a URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mainstay.model.outcome import Outcome

# First four digits (from, to) and how many digits there are in all. Source: braintree/credit-card-type, src/lib/card-types.ts. The 13
# digits of Visa's oldest cards are left out: no such card is valid any more, and storefronts number their products so.
ISSUERS: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (4000, 4999, (16, 19)),  # Visa
    (5100, 5599, (16,)),  # Mastercard
    (2221, 2720, (16,)),  # Mastercard
    (3400, 3499, (15,)),  # American Express
    (3700, 3799, (15,)),  # American Express
    (3000, 3059, (14, 16, 19)),  # Diners Club
    (3600, 3699, (14, 16, 19)),  # Diners Club
    (3800, 3999, (14, 16, 19)),  # Diners Club
    (6011, 6011, (16, 19)),  # Discover
    (6440, 6599, (16, 19)),  # Discover
    (3528, 3589, (16, 19)),  # JCB
    (6200, 6299, (16, 17, 18, 19)),  # UnionPay
    (5018, 5038, (16, 19)),  # Maestro
    (5893, 5893, (16, 19)),  # Maestro
    (6304, 6304, (16, 19)),  # Maestro
    (6759, 6799, (16, 19)),  # Maestro
)
GROUPS_MAX = 5  # the longest numbers, in fours
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")  # the digits of twice a digit, added up

# The shape of a body is enough to see that no card number is in it: 0 for digits, a space for what may part them, a colon for what
# stands before the numbers of JSON and of paths. There, fourteen digits are how Shopify and others number their things.
_SHAPE = bytes(
    ord("0") if byte in b"0123456789" else ord(" ") if byte in b'" -' else ord(":") if byte in b":,[/" else ord("x") for byte in range(256)
)
_GROUPED, _FOURTEEN = b"0000 0000", b"0" * 14
_MORE_THAN_AN_ID = (b"0" * 15, b" " + _FOURTEEN, b"x" + _FOURTEEN)

# Fourteen digits or more, as a word of their own; a word may begin after an escape of JSON, such as \n.
_RUN = re.compile(rb"(?:(?<![\w-])(?<!\d\.)|(?<=\\[bfnrt])|(?<=\\u[0-9a-fA-F]{4}))\d(?:[ -]?\d){13,}+")
_WORD = re.compile(rb"[\d-]+")
_GOES_ON = re.compile(rb"-?\w|\.\d")
_PATH = re.compile(rb':\\?/\\?/[^\s"?]*$')
# A field whose name says what its number is, open at its value or within its list of values.
_NAMED = re.compile(rb'"\w*(?:[Ii]ds?|[Tt]racking\w*|[Bb]arcode)"\s*:\s*(?:\[[^\]]*|"[^"]*)?$')
_REDACTED = re.compile(rb"\d{6}\*{4,9}\d{4}")
_BEFORE_BYTES = 300  # how far back such a name or a URL can begin


def is_card(digits: bytes) -> bool:
    """Are these digits a card number?"""
    check = sum(digits[-1::-2]) + sum(digits[-2::-2].translate(_DOUBLED)) - ord("0") * len(digits)
    return check % 10 == 0 and any(len(digits) in lengths and low <= int(digits[:4]) <= high for low, high, lengths in ISSUERS)


def holds_card(body: bytes) -> bool:
    """Does a card number stand anywhere in this?"""
    return any(True for _ in _cards(body))


def redacted(body: bytes) -> bytes:
    """A system's document with each card number redacted; the same object where there is none.

    A number under a name that says what it is (an id, a tracking number, a bar code) is what that name says: systems fill such fields.
    """
    parts, done = [], 0
    for start, end in _cards(body):
        if _NAMED.search(body, max(0, start - _BEFORE_BYTES), start):
            continue
        digits = re.sub(rb"\D", b"", body[start:end])
        parts += [body[done:start], digits[:6], b"*" * (len(digits) - 10), digits[-4:]]
        done = end
    return b"".join([*parts, body[done:]]) if parts else body


def notice(system: str, topic: str, key: str, kept: bytes) -> Outcome:
    """What is said beside a document that was redacted, so that its system's owner gets a dead letter. `kept` is what is left of it."""
    numbers = ", ".join(dict.fromkeys(number.decode() for number in _REDACTED.findall(kept)))
    why = f"a card number ({numbers}) stood in {topic} {key}; its other digits were not stored"
    return Outcome(key=key, entity=0, outcome="rejected", system=system, code="pan_redacted", why=why)


def _cards(body: bytes) -> Iterator[tuple[int, int]]:
    """Where card numbers begin and end."""
    if not _may_hold(body):
        return
    for run in _RUN.finditer(body):
        words = [word.span() for word in _WORD.finditer(body, *run.span())]
        if _GOES_ON.match(body, run.end()):
            words.pop()
        if not _PATH.search(body, max(0, run.start() - _BEFORE_BYTES), run.start()):
            yield from _among(body, words)


def _may_hold(body: bytes) -> bool:
    """A look at the shape only, which nearly every body fails: this runs for each delivery, before its answer."""
    shape = body.translate(_SHAPE)
    if _FOURTEEN not in shape:
        return _GROUPED in shape
    return _GROUPED in shape or shape.startswith(_FOURTEEN) or any(one in shape for one in _MORE_THAN_AN_ID)


def _among(body: bytes, words: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Card numbers that are one word or several in a row: `4111 1111 1111 1111 12/26` holds one of four words."""
    first = 0
    while first < len(words):
        digits = b""
        for last in range(first, min(first + GROUPS_MAX, len(words))):
            digits += body[slice(*words[last])].replace(b"-", b"")
            if is_card(digits):
                yield words[first][0], words[last][1]
                first = last
                break
        first += 1
