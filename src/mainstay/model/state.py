"""What we know, as the store keeps it: one struct for each kind of entity. Only the fold of a room changes them.

None can be part of a cycle, so none is tracked by the garbage collector: a core holds hundreds of thousands of them.
"""

from __future__ import annotations

from msgspec import Struct, field

from mainstay.model.events import Parked, Share
from mainstay.model.objects import PAID_WORDS, Order, RefundLine, UnitsOf


class PaymentState(Struct, gc=False, omit_defaults=True):
    """A payment of an order; running totals in minor units."""

    system: str
    status: str = "pending"
    currency: str = ""
    authorised: int = 0
    captured: int = 0
    refunded: int = 0
    version: int = 0


class ParcelState(Struct, gc=False, omit_defaults=True):
    """A fulfilment: units that left, with their tracking."""

    system: str
    status: str
    units: list[UnitsOf]  # by our line id
    carrier: str = ""
    service: str = ""
    tracking: tuple[str, ...] = ()
    at: int = 0
    version: int = 0
    counted: bool = False  # its units are off the shelf
    unknown: list[UnitsOf] = []  # those of lines that the order does not have: named, and taken once it has them
    release: str = ""  # the key of the effect that asked for it, where it is of a release from one location


class RefundState(Struct, gc=False, omit_defaults=True):
    """Money given back, or promised back."""

    system: str
    status: str
    amount: int
    version: int = 0
    at: int = 0
    shipping: int = 0
    back: tuple[RefundLine, ...] = ()  # units that came back to the shelf
    restocked: bool = False  # the ERP has booked them
    gift_cards: int = 0  # the part of the amount that went back on gift cards
    currency: str = ""
    payment: str = ""  # to which one, where that is said


class DisputeState(Struct, gc=False, omit_defaults=True):
    """A payment that its card holder contests."""

    system: str
    status: str
    amount: int
    version: int = 0
    reason: str = ""
    inquiry: bool = False  # the bank only asks, and has taken no money
    currency: str = ""
    payment: str = ""  # which one, where it is a provider's; "": what the channel took itself

    def has_the_money(self) -> bool:
        """Has the bank taken it back, for now or for good?"""
        return not self.inquiry and self.status in ("needs_response", "under_review", "lost")


class EffectState(Struct, gc=False, omit_defaults=True):
    """Something asked of another system, under a key of its own."""

    command: str
    system: str
    outcome: str = "asked"  # asked, done, unknown, rejected, replaced (by a later one), waived (a person settled it otherwise)
    amount: int = 0
    lines: tuple[UnitsOf, ...] = ()
    about: str = ""
    code: str = ""
    why: str = ""
    references: dict[str, str] = {}
    again: str = ""  # done, and looked for once more since: asked, unknown, rejected; empty: it is there
    location: int = 0  # that a release leaves from
    letter: int = 0  # the dead letter whose retry asked for it


class OrderState(Struct, gc=False, omit_defaults=True, kw_only=True):
    """Everything known of one order."""

    id: int
    uid: str
    system: str
    external: str
    status: str = "new"
    order: Order | None = None
    version: int = 0
    heard: int = 0  # the row of the log that holds `order`
    subject: int = 0
    marks: list[int] = field(default_factory=list)
    items: list[int] = field(default_factory=list)  # the item of each line, by line number
    shares: list[Share] = field(default_factory=list)
    addressed: bool = False  # a whole address to ship to is known
    misled: list[str] = field(default_factory=list)  # releases that bear an address of before
    strayed: list[str] = field(default_factory=list)  # parcels that left for one
    holds: dict[str, str] = field(default_factory=dict)
    waived: list[str] = field(default_factory=list)  # holds that a person lifted: they do not come back by themselves
    payments: dict[str, PaymentState] = field(default_factory=dict)
    parcels: dict[str, ParcelState] = field(default_factory=dict)
    refunds: dict[str, RefundState] = field(default_factory=dict)
    disputes: dict[str, DisputeState] = field(default_factory=dict)
    fees: dict[str, int] = field(default_factory=dict)  # what providers kept, by their settlement line
    fees_in: dict[str, str] = field(default_factory=dict)  # the currency of those that are not in the order's
    effects: dict[str, EffectState] = field(default_factory=dict)
    short: dict[int, int] = field(default_factory=dict)
    paid: bool = False
    cancel: str = ""  # why it is to be undone
    invoice: str = ""
    agreed: int | None = None  # the total when the order had left as a whole
    booked: dict[str, int] = field(default_factory=dict)  # what of each amount stands in the ledger
    updated_at: int = 0

    def paid_at_source(self) -> bool:
        """Did the channel take the money itself? Where a provider is named, or has spoken, that one holds it."""
        order = self.order
        return order is not None and not order.payments and not self.payments and order.payment in PAID_WORDS

    def left(self) -> list[int]:
        """Units of each line that left; of lines that are not shipped, or that others ship, all that are not cancelled."""
        order = self.order
        if order is None:
            return []
        ours = order.fulfilled_by == "merchant"
        units = [0 if line.ships and ours else line.quantity - line.cancelled for line in order.lines]
        for share in self.shares:
            if share.line < len(units):
                units[share.line] += share.shipped
        return units

    def sold(self) -> list[int]:
        """Units of each line that the buyer is to pay: all but those that were cancelled, and of a cancelled order what had left."""
        lines = self.order.lines if self.order is not None else ()
        return self.left() if self.cancel else [line.quantity - line.cancelled for line in lines]


class Level(Struct, gc=False, array_like=True):
    """Stock of one item at one location, in units. `deficit` names units that were promised and then counted away, and with nothing on
    hand those that left before they had come."""

    id: int  # item * LOCATIONS_MAX + location
    on_hand: int = 0
    allocated: int = 0
    reserved: int = 0
    in_transit: int = 0
    damaged: int = 0
    safety: int = 0
    deficit: int = 0
    unbooked: int = 0  # units that left and that the ERP has not been told of yet
    counted_at: int = 0  # the moment that the last count spoke of
    stated: tuple[int, int, int] = (0, 0, 0)  # the moments that in_transit, damaged and safety were last stated of
    recent: tuple[tuple[int, int, bool], ...] = ()  # movements that a late count must re-apply: (when, units, is it a shipment of ours)


LOCATIONS_MAX = 256


class ReservationState(Struct, gc=False, omit_defaults=True, kw_only=True):
    """Units promised to a channel that asked first."""

    id: int
    channel: str
    key: str
    shares: tuple[Share, ...]
    expires: int
    status: str = "reserved"  # reserved, consumed, released, expired, refused
    short: tuple[tuple[int, int, int], ...] = ()
    order: int = 0


class ItemState(Struct, gc=False, omit_defaults=True, kw_only=True):
    """A SKU, and what each system calls it."""

    id: int
    sku: str
    title: str = ""
    versions: dict[str, int] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)  # system -> its stock item id
    prices: dict[str, tuple[int, str]] = field(default_factory=dict)  # system -> (minor units, currency)
    claims: dict[str, tuple[str, int, int]] = field(default_factory=dict)  # contested field -> who said it last, its version, when


class LetterState(Parked, frozen=True, tag="Parked"):
    """A dead letter: what was parked, and whom people have given it to."""

    given_to: str = ""  # who is to act now, where it is not its owner
    escalated: bool = False
    repaired: int = 0  # the receipt in which a person said what the message should have been


class JobState(Struct, gc=False, omit_defaults=True):
    """The same act for many dead letters, which the core does step by step. The letters and each result stand in the log."""

    id: int
    at: int
    action: str
    total: int
    done: int = 0
    failed: int = 0  # letters for which nothing could be done: they stay open
    unchanged: int = 0  # of a replay: messages that say what they said
    status: str = "running"
    query: dict[str, str] = {}
    to: str = ""
    by: str = ""
    reason: str = ""
    ended_by: str = ""

    @property
    def taken(self) -> int:
        """How many of them have had their turn."""
        return self.done + self.failed + self.unchanged
