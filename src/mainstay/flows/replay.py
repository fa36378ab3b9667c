"""Old messages read once more with today's mapping: what they say now that they did not say then, and what follows from the difference.

A message is taken again only where its statement is still the last word on its object and differs from what was heard then. All else
stays as it is, so that nothing goes out but what changed. Counts, products and prices are left to the next one that comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from mainstay.flows.intake import ON_ORDERS, Intake
from mainstay.flows.queue import Name, Reason, Word
from mainstay.flows.statements import Statement
from mainstay.flows.world import events_of
from mainstay.landscape import MAINSTAY
from mainstay.model.events import Heard
from mainstay.model.failures import Reject
from mainstay.model.times import micros
from mainstay.orders import decide as orders
from mainstay.storage.inbox import Receipt

RECEIPTS_MAX = 100_000  # messages of one replay
FOR_EVER = 1 << 62
ASKED = ("api/", "operator/")
How = Literal["same", "superseded", "corrected", "taken", "refused"]
CHANGED: tuple[How, ...] = ("corrected", "taken", "superseded")
UNCHANGED: tuple[How, ...] = ("same", "superseded")  # nothing follows from it


class Replayed(NamedTuple):
    """What became of a message: `same`, `superseded` by a later word, `corrected`, `taken` for the first time, `refused`; and which."""

    how: How
    detail: str


class Span(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which old messages are meant: those that came in from `since` (ISO 8601 with a zone) to before `until`, and for which all else is
    true that is given here. Raises Reject `time`."""

    since: Word
    until: Word = ""
    system: Word = ""
    topic: Word = ""
    text: Word = ""  # in the message

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
        exact = ((self.system, receipt.system), (self.topic, receipt.topic))
        return all(not asked or asked == found for asked, found in exact) and self.text.encode() in receipt.body


class ReplayRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /v1/replays: read these old messages again, and send what follows from the difference."""

    span: Span
    by: Name = ""
    reason: Reason = ""


def meant(span: Span, receipts: Iterable[Receipt]) -> Iterator[Receipt]:
    """Those of an interval's receipts that are meant. Raises Reject `out_of_range` where there are too many of them."""
    found = (one for one in receipts if span.holds(one))
    yield from islice(found, RECEIPTS_MAX)
    if next(found, None) is not None:
        raise Reject(f"more than {RECEIPTS_MAX} messages are meant; name a shorter interval, a system or a topic", "out_of_range")


def replay(intake: Intake, old: Receipt, at: int) -> Replayed:
    """Read an old message again and take what is different of it."""
    found = intake.translate(old)
    if isinstance(found, Reject):
        return Replayed("refused", f"{found.code}: {found.why}")
    if not isinstance(found, list):
        return Replayed("same", "")
    again = Receipt(old.seq, at, old.system, old.topic, old.key, old.body)
    intake.load([(again, found)])
    said = [Statement(again, one.said, one.person, one.keys) for one in found if type(one.said) in ON_ORDERS]
    ended: list[tuple[How, Statement]] = [(_one(intake, one), one) for one in said]
    intake.end()
    told: How = next((how for how in CHANGED if any(how == each for each, _ in ended)), "same")
    names = dict.fromkeys(f"{type(one.said).__name__} {one.said.external}" for how, one in ended if how == told)
    return Replayed(told, ", ".join(names))


def _one(intake: Intake, one: Statement) -> How:
    world = intake.world
    counts, _ = intake.claims.sift(one)
    if counts is None:
        return "same"
    said = counts.said
    number = next((world.links[key] for key in counts.keys if key in world.links), None)
    state = world.orders.get(number) if number is not None else None
    if state is None:
        ended, _ = intake.take_one(counts)
        return "taken" if ended == "applied" else "same"
    then = _heard(intake, state.id, counts.receipt.seq, said)
    if then == said:
        return "same"
    if then is None:
        ended, _ = intake.take_one(counts)
        return "taken" if ended == "applied" else "same"
    if not orders.newer(state, replace(said, version=said.version + 1)):
        return "superseded"
    intake.take_one(counts, corrects=True)
    return "corrected"


def _heard(intake: Intake, number: int, receipt: int, said: Any) -> Any:
    """What was heard of this object from this very receipt, the last time that it was taken."""
    then = [
        event.said
        for event in events_of(intake.world.store, number)
        if isinstance(event, Heard) and event.receipt == receipt and type(event.said) is type(said) and event.said.external == said.external
    ]
    return then[-1] if then else None
