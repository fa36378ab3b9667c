"""What a case of the catalogue of bad inputs is: the input as data, the door that it comes to, and what must happen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import mainstay

SAMPLES = Path(mainstay.__file__).parent / "connectors"

# Every door, and what `status` is there, if anything.
DOORS = {
    "webhook": "A delivery to POST /hooks/{system}. 200 with a code: it is kept, and becomes a dead letter with this code.",
    "wire": "Bytes on a connection, before there is any request. The status of HTTP.",
    "api": "A request of a channel or of an operator. The status of HTTP.",
    "file": "A file in the folder of a flow by `file`. 200: it is read; the code is that of the line that is refused.",
    "count": "`mainstay count --file`. The exit code.",
    "translate": "`mainstay translate`. The exit code.",
    "deadletters repair": "`mainstay deadletters repair --file`. The exit code; the letter stays open.",
    "check": "`mainstay.toml`, read by `mainstay check`. The exit code; the code is that of the finding.",
    "answer": "What an outside system answers to a call of ours. The code is that of the failure; the system is told nothing.",
}

# Doors of the catalogue that are not there yet.
ABSENT = {
    "XML": "nothing reads XML; a delivery of it is no JSON (`json_syntax`)",
    "EDI": "nothing reads EDIFACT or X12; a file of it has a name that no form reads, and is left alone",
    "archives": "nothing opens an archive; in a folder it has a name that no form reads, and is left alone",
    "compressed bodies": "a delivery with a Content-Encoding is refused before its body is read (case 16)",
    "CSV export": "nothing is written as CSV",
    "addresses given by users": "no request names an address that is called; whoever writes `mainstay.toml` may name private ones",
    "paging": "no call of the API takes a page or an order: of a list the newest are told, and a query narrows it",
    "masked fields": "no field is shown to some and masked for others: a token sees all of an object, or nothing of it",
    "rules of users": "nobody can write rules: a mapping is a table in a connector",
    "closed channels": "a channel has no opening times: what is declared may sell",
}

Signature = Literal["good", "none", "wrong", "of another", "six minutes old", "six minutes early", "not ASCII", "of other bytes", "two"]


class Hook(NamedTuple):
    """A delivery. `shop` is a Shopify shop, `payments` a Stripe account, `warehouse` sends unsigned by a secret path."""

    body: bytes
    topic: str = "orders/create"
    system: Literal["shop", "payments", "warehouse"] = "shop"
    signature: Signature = "good"
    headers: Mapping[str, str] = {}
    method: str = "POST"
    event: str = ""  # its id; nothing: one of its own for each delivery
    before: bytes = b""  # what was delivered before, with the same id where one is given


class Wire(NamedTuple):
    """Bytes as they are. `drip`: each of these follows after a second, until there is an answer."""

    data: bytes
    drip: bytes = b""


class Ask(NamedTuple):
    """A request. `body` is JSON, or bytes as they are."""

    path: str
    body: Any = None
    method: str = "POST"
    who: str = "till"
    key: str = ""
    kind: str = "application/json"
    before: Any = None  # what was asked before, with the same key


class File(NamedTuple):
    """A file in a folder of counts and statements. `again`: the same bytes are there under another name, too."""

    name: str
    body: bytes
    again: bool = False
    grows: bool = False


class Text(NamedTuple):
    """Bytes in a file, for a command."""

    body: bytes
    connector: str = ""
    topic: str = ""


class Declared(NamedTuple):
    """A change of a good mainstay.toml."""

    old: str
    new: str


class Answer(NamedTuple):
    """What an outside system answers: its status, headers and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HandedOut(NamedTuple):
    """An address that an outside system names in an answer, for us to call."""

    address: str
    system: Literal["amazon"] = "amazon"


class Case(NamedTuple):
    """One bad input. `door` is one of DOORS, or of ABSENT (then nothing is sent). `says` is part of the sentence that is told, `ends` what
    becomes of a statement that is taken, `note` why this is right where it differs from what the catalogue asks for."""

    number: int
    what: str
    door: str
    sent: Any = None
    status: int = 0
    code: str = ""
    says: str = ""
    ends: str = ""
    note: str = ""

    @property
    def name(self) -> str:
        return f"{self.number} {self.what}"


def sample(path: str, **changes: Any) -> dict[str, Any]:
    """A real payload of a connector's samples, with other values at its top."""
    return {**json.loads((SAMPLES / path).read_bytes()), **changes}


def order(number: int, **changes: Any) -> bytes:
    """An order as Shopify posts it."""
    return json.dumps(sample("shopify/samples/order.json", id=number, name=f"#{number}") | changes).encode()


def with_line(number: int, **changes: Any) -> bytes:
    """An order whose first line is another."""
    told = sample("shopify/samples/order.json", id=number, name=f"#{number}")
    told["line_items"][0].update(changes)
    return json.dumps(told).encode()


def without(number: int, field: str) -> bytes:
    """An order that lacks a field."""
    told = json.loads(order(number))
    del told[field]
    return json.dumps(told).encode()


def swapped(body: bytes, old: str, new: bytes) -> bytes:
    """The first occurrence of a text in a body, replaced."""
    assert old.encode() in body, old
    return body.replace(old.encode(), new, 1)
