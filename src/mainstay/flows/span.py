"""What of the past is meant by a replay: receipts, statements or effects of an interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from mainstay.flows.queue import Name, Reason, Word
from mainstay.landscape import MAINSTAY
from mainstay.model.events import Heard, Proposed, decode
from mainstay.model.failures import Reject
from mainstay.model.times import micros
from mainstay.storage.inbox import Receipt
from mainstay.storage.packing import unpack
from mainstay.storage.receipts import between
from mainstay.storage.state import State

RECEIPTS_MAX = 100_000  # messages, statements or effects of one replay
FOR_EVER = 1 << 62
ASKED = ("api/", "operator/")
Stage = Literal["receipt", "statement", "effect"]
How = Literal["same", "superseded", "corrected", "taken", "decided", "asked", "refused"]
HOWS: Mapping[Stage, tuple[How, ...]] = {  # how one may end, by the stage from which it is replayed
    "receipt": ("same", "superseded", "corrected", "taken", "refused"),
    "statement": ("same", "superseded", "corrected", "taken", "decided", "refused"),
    "effect": ("asked", "superseded", "refused"),
}
TOLD: tuple[How, ...] = ("corrected", "taken", "refused", "superseded")  # how one ended of which parts did so differently
UNCHANGED: tuple[How, ...] = ("same", "superseded")  # nothing follows from it
T = TypeVar("T")


class Replayed(NamedTuple):
    """What became of one: `same`, `superseded` by a later word, `corrected`, `taken` for the first time, `decided` anew, `asked` of its
    system once more, `refused`; and which, or why."""

    how: How
    detail: str


class Span(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What of the past is meant: what came in, was said or was asked from `since` (ISO 8601 with a zone) to before `until`, and for which
    all else is true that is given here. Raises Reject `time`."""

    since: Word
    until: Word = ""
    system: Word = ""  # that sent it, said it, or was asked for it
    topic: Word = ""  # of a message; the kind of a statement, such as OrderSeen; the command of an effect, such as PostSale
    text: Word = ""  # in the message, the statement or the outgoing document

    def __post_init__(self) -> None:
        self.from_us()
        self.until_us()

    def from_us(self) -> int:
        return micros(self.since)

    def until_us(self) -> int:
        return micros(self.until) if self.until else FOR_EVER

    def holds(self, receipt: Receipt) -> bool:
        """Is this message meant? What people and callers of the API asked for is no message of a system: it is not asked again."""
        if receipt.topic.startswith(ASKED) or receipt.system == MAINSTAY:
            return False
        return self.fits(receipt.system, receipt.topic, receipt.body)

    def fits(self, system: str, topic: str, body: bytes) -> bool:
        """Is all else true of it?"""
        exact = ((self.system, system), (self.topic, topic))
        return all(not asked or asked == found for asked, found in exact) and self.text.encode() in body


class ReplayRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/replays. From the stage `receipt`: read these old messages again, and send what follows from the difference. From
    `statement`: decide anew on what was said then, as it was read then. From `effect`: look for what was asked of other systems, and ask
    it again where they have lost it."""

    span: Span
    by: Name = ""
    reason: Reason = ""
    stage: Stage = "receipt"


def meant(span: Span, receipts: Iterable[Receipt]) -> Iterator[Receipt]:
    """Those of an interval's receipts that are meant. Raises Reject `out_of_range` where there are too many of them."""
    return _limited(one for one in receipts if span.holds(one))


def _limited(found: Iterator[T]) -> Iterator[T]:
    yield from islice(found, RECEIPTS_MAX)
    if next(found, None) is not None:
        raise Reject(f"more than {RECEIPTS_MAX} are meant; name a shorter interval, a system or a topic", "out_of_range")


def numbers(state: State, span: Span, stage: Stage) -> list[int]:
    """The numbers of what is meant: of receipts, of rows of the log, of intents. Raises Reject where there are too many of them."""
    return list(_limited(_FOUND[stage](state, span)))


def _receipts(state: State, span: Span) -> Iterator[int]:
    return (one.seq for one in between(state.path.parent, span.from_us(), span.until_us()) if span.holds(one))


def _effects(state: State, span: Span) -> Iterator[int]:
    """What is read again is no effect, and what was asked again is the same one."""
    for number, system, packed in state.each("intents_between", (span.from_us(), span.until_us())):
        body = unpack(packed)
        asked = msgspec.json.decode(body, type=_Glance)
        if not asked.again and span.fits(system, asked.command, body):
            yield number


def _statements(state: State, span: Span) -> Iterator[int]:
    """Proposals; and the first row of each order that holds such a statement, as an order is decided upon as a whole."""
    seen: set[int] = set()
    for number, kind, entity, body in state.each("heard_between", (span.from_us(), span.until_us())):
        heard = [event for event in decode(unpack(body)) if isinstance(event, Heard | Proposed)]
        if entity not in seen and any(span.fits(one.system, type(one.said).__name__, msgspec.json.encode(one.said)) for one in heard):
            seen.add(entity if kind == "order" else 0)
            yield number


class _Glance(Struct):
    command: str
    again: bool = False


_FOUND: dict[Stage, Callable[[State, Span], Iterator[int]]] = {"receipt": _receipts, "statement": _statements, "effect": _effects}
