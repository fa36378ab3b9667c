"""What an imitation of an outside system offers: it answers requests, sends deliveries, keeps its own books. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from mainstay.contract.talk import Reply


class Request(Struct, frozen=True):
    """What reached the twin. Header names are lower case; `query` values are single."""

    method: str
    path: str
    query: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Cut(Exception):
    """The connection breaks without an answer; whether the effect happened is the twin's secret."""


class Post(Struct, frozen=True):
    """A delivery that the twin wants to make now. `id` names this attempt's event at the twin."""

    id: str
    headers: Mapping[str, str]
    body: bytes


class Twin(Protocol):
    """The face that a host (HTTP server, simulator, conformance suite) drives. Times are UTC microseconds."""

    @property
    def name(self) -> str: ...

    def answer(self, request: Request, now: int) -> Reply:
        """Answer one request; raises Cut where the connection breaks."""
        ...

    def due(self, now: int) -> list[Post]:
        """Deliveries to make now, in the order in which they are to leave."""
        ...

    def delivered(self, post: str, status: int, now: int) -> None:
        """What the receiver answered to a delivery; 0 says that there was no answer."""
        ...
