"""What the log holds: statements that were heard, and what was decided. The whole domain state is a fold over these.

Evolution rule: a field may be added with a default; none is renamed, retyped or removed. A new meaning is a new event.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from mainstay.model.objects import UnitsOf
from mainstay.model.seen import SeenEvent

VERSION = 1


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="event"):
    """What all events of the log share."""


class Heard(Event, frozen=True, tag="Heard"):
    """A statement that was admitted. `receipt` is the number of the receipt whose raw bytes are kept.

    `corrects`: what was heard of a SKU's stock from this receipt before, which was read wrongly and counts no more."""

    system: str
    said: SeenEvent
    mark: int = 0  # the fingerprint of the delivery's event id
    subject: int = 0
    customer: str = ""  # the buyer's id at the speaker: several orders of one buyer share the subject
    receipt: int = 0
    addressed: bool = False  # of an order: a whole address to ship to came with it; where it lies is the vault's business
    moved: bool = False  # of an order that a warehouse has: it is to be sent elsewhere than was said before
    contested: tuple[str, ...] = ()  # of an item: fields that others may state too, so that it is remembered who said them last
    corrects: SeenEvent | None = None


class Held(Event, frozen=True, tag="Held"):
    """The order waits for a person or a cause; `detail` explains, with numbers."""

    reason: str
    detail: str = ""


class Freed(Event, frozen=True, tag="Freed"):
    """A hold has gone, by whom or by what. `waived`: a person accepted its cause, and it does not come back by itself."""

    reason: str
    by: str = ""
    waived: bool = False


WHEREVER = 0  # the location of units that left and were set aside nowhere, until stock says where they were


class Share(Struct, array_like=True, gc=False):
    """Units of one order line that a location holds for it: [line number, item, location, allocated, released, shipped]."""

    line: int
    item: int
    location: int
    quantity: int
    released: int = 0
    shipped: int = 0


class Allocated(Event, frozen=True, tag="Allocated"):
    """Stock was set aside for the order. `reservation` is the one that it came from, 0 for free stock."""

    shares: tuple[Share, ...]
    reservation: int = 0


class Deallocated(Event, frozen=True, tag="Deallocated"):
    """Stock that was set aside is free again."""

    shares: tuple[Share, ...]
    reason: str


class Shipped(Event, frozen=True, tag="Shipped"):
    """Units of a parcel left their location. `beyond` were never allocated: the warehouse knew better than we did."""

    parcel: str
    shares: tuple[Share, ...]
    beyond: tuple[Share, ...] = ()


class Short(Event, frozen=True, tag="Short"):
    """Sold, but not there: named at once. (item, missing units) each."""

    missing: tuple[tuple[int, int], ...]
    asked_first: bool = False


class Asked(Event, frozen=True, tag="Asked"):
    """An effect was asked of a system: from here on an intent with this key is durable."""

    key: str
    command: str
    system: str
    amount: int = 0
    lines: tuple[UnitsOf, ...] = ()
    about: str = ""  # the release, parcel or payment that it is about
    location: int = 0  # that a release is to leave from; 0 in the log of an earlier version, whose releases were of all locations
    letter: int = 0  # the dead letter whose retry asked for it


class Answered(Event, frozen=True, tag="Answered"):
    """How an effect ended: done, unknown or rejected (with a failure code); replaced by a later one, or waived by a person.

    `again`: it was looked for after it had been done; `found`: it was there, and nothing was sent."""

    key: str
    outcome: str
    at: int = 0
    code: str = ""
    why: str = ""
    references: dict[str, str] = {}
    again: bool = False
    found: bool = False


class Doubted(Event, frozen=True, tag="Doubted"):
    """A person has an effect that was done looked for at its system, and made again where it is not there any more.

    The same document goes out under the same key: that of `intent`, which it was made by."""

    key: str
    intent: int
    letter: int = 0  # the dead letter whose retry doubted it


class Moved(Event, frozen=True, tag="Moved"):
    """The order's status moved along the table `orders.moves`."""

    move: str


class CancelAsked(Event, frozen=True, tag="CancelAsked"):
    """The order is to be undone: by its source, by a person, by a time-out."""

    by: str
    reason: str


class Reserved(Event, frozen=True, tag="Reserved"):
    """A channel that asks first was promised units until `expires`."""

    channel: str
    key: str
    shares: tuple[Share, ...]
    expires: int
    at: int = 0


class Refused(Event, frozen=True, tag="Refused"):
    """A channel that asks first was refused: (item, wanted, available) each that fell short."""

    channel: str
    key: str
    short: tuple[tuple[int, int, int], ...]
    at: int = 0


class ReservationEnded(Event, frozen=True, tag="ReservationEnded"):
    """A reservation ended exactly once: consumed by an order, released by its channel, or expired."""

    how: str
    shares: tuple[Share, ...] = ()  # the units that are free again
    order: int = 0


class ItemListed(Event, frozen=True, tag="ItemListed"):
    """A SKU was heard of for the first time and got its number."""

    sku: str


class Parked(Event, frozen=True, tag="Parked"):
    """A message that could not be handled became a dead letter."""

    system: str
    topic: str
    code: str
    why: str
    owner: str
    receipt: int = 0
    key: str = ""
    about: int = 0
    amount: int = 0  # the money that it puts at risk, in minor units; 0: nobody can say, or none
    currency: str = ""


class LetterClosed(Event, frozen=True, tag="LetterClosed"):
    """A dead letter was retried, repaired or suppressed, by whom and why. `job`: the bulk job that it was done by, 0 where by itself.
    `receipt`: the one in which a person said what the message should have been."""

    how: str
    by: str = ""
    reason: str = ""
    job: int = 0
    receipt: int = 0


class LetterPassed(Event, frozen=True, tag="LetterPassed"):
    """An open dead letter was given to somebody: assigned, or escalated to those above its owner."""

    how: Literal["assign", "escalate"]
    to: str
    by: str = ""
    reason: str = ""
    job: int = 0


class LetterTried(Event, frozen=True, tag="LetterTried"):
    """A dead letter was retried in vain: it stays open, or is open again, for what stands in its way now.

    `key`: the effect that was asked for instead, and was refused, too, as `receipt` says; `amount`: what hangs on it."""

    code: str
    why: str
    owner: str
    by: str = ""
    reason: str = ""
    job: int = 0
    key: str = ""
    receipt: int = 0
    amount: int = 0


class JobBegan(Event, frozen=True, tag="JobBegan"):
    """A person asked for the same thing for many dead letters, or messages (`replay`); `letters` are those that were meant then.

    `receipt`: the one in which they asked. What a repair sets stands there alone, as it may tell of people."""

    action: str
    letters: tuple[int, ...]
    query: dict[str, str] = {}
    to: str = ""
    by: str = ""
    reason: str = ""
    receipt: int = 0


class JobStepped(Event, frozen=True, tag="JobStepped"):
    """What became of the next letters of a job: (its letter, done or not, in words)."""

    results: tuple[tuple[int, bool, str], ...]
    unchanged: int = 0  # messages of a replay that say what they said


class JobEnded(Event, frozen=True, tag="JobEnded"):
    """A job came to its end, or was cancelled."""

    how: Literal["done", "cancelled"]
    by: str = ""


class PauseSet(Event, frozen=True, tag="PauseSet"):
    """A person held something back, or let it go on: `target` is "system:wms", "flow:…", "channel:…", "sku:…" or "key:ord.shop.17".

    `draining`: what was to go out before goes out still.
    """

    target: str
    mode: Literal["paused", "draining", "running"]
    entity: int = 0  # the item or order that is meant
    by: str = ""
    reason: str = ""


class Proposed(Event, frozen=True, tag="Proposed"):
    """A system spoke of what another owns: kept, visible, without effect."""

    system: str
    said: SeenEvent
    reason: str
    receipt: int = 0


class Early(Event, frozen=True, tag="Early"):
    """A statement about something that has not arrived: kept until it does, escalated when it waits too long."""

    system: str
    topic: str
    key: str
    receipt: int
    space: int
    ext: int | str
    due: int
    said: SeenEvent


class EarlyEnded(Event, frozen=True, tag="EarlyEnded"):
    """What it waited for has arrived."""


class CustomerListed(Event, frozen=True, tag="CustomerListed"):
    """A customer of a system was heard of before any order of theirs, and got a subject, which stands for the person."""

    system: str
    customer: str  # their id there


class SamePerson(Event, frozen=True, tag="SamePerson"):
    """Two subjects stand for one person: their system has merged the customers, or one who was erased ordered again.

    It stands under each of the two, so that an erasure finds both from either.
    """

    other: int


class SettingsChanged(Event, frozen=True, tag="SettingsChanged"):
    """What folding needs of the shop as declared, from here on: so that a log proves itself without it. Sets are sorted."""

    payment_us: int  # after which an order that is not paid is cancelled
    main: str  # the location of whoever names none
    behind: tuple[str, ...] = ()  # counters that learn of shipments from us


class Erased(Event, frozen=True, tag="Erased"):
    """A person's data was deleted: their row in the vault and the keys of their receipts."""

    by: str = ""


AnyEvent = (
    Heard
    | Held
    | Freed
    | Allocated
    | Deallocated
    | Shipped
    | Short
    | Asked
    | Answered
    | Doubted
    | Moved
    | CancelAsked
    | Reserved
    | Refused
    | ReservationEnded
    | ItemListed
    | Parked
    | LetterClosed
    | LetterPassed
    | LetterTried
    | JobBegan
    | JobStepped
    | JobEnded
    | PauseSet
    | Proposed
    | Early
    | EarlyEnded
    | CustomerListed
    | SamePerson
    | SettingsChanged
    | Erased
)

_decoder = msgspec.json.Decoder(list[AnyEvent])


def decode(body: bytes) -> list[AnyEvent]:
    """The events of one row of the log."""
    return _decoder.decode(body)
