"""What outside systems say, in our words: one struct for each kind of statement. Past tense, frozen, without personal data.

`external` is the object's id at the speaker; `version` is the speaker's own clock for that object (0 where it has none), so that
a late statement never overwrites a newer one; `at` is when it happened there, in UTC microseconds.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from mainstay.model.failures import Reject
from mainstay.model.money import decimals
from mainstay.model.objects import (
    Amount,
    Currency,
    DisputeStatus,
    FulfilmentStatus,
    Moment,
    Order,
    PaymentStatus,
    Person,
    Reference,
    RefundLine,
    RefundStatus,
    ReturnLine,
    ReturnStatus,
    StockMeasure,
    UnitsOf,
    Variant,
    Word,
)

EXTERNAL_CHARS_MAX = 250
External = Annotated[str, Meta(min_length=1, max_length=EXTERNAL_CHARS_MAX)]
Version = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class Seen(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="event"):
    """What all statements share."""

    external: External
    version: Version = 0
    at: Moment = 0


class OrderSeen(Seen, frozen=True, tag="OrderSeen"):
    """An order as its source states it now. `aliases` are further ids of the same order, for cross-references and `trace`."""

    order: Order
    aliases: tuple[Reference, ...] = ()


class PaymentSeen(Seen, frozen=True, tag="PaymentSeen"):
    """A payment at a provider; amounts are running totals in minor units. `order` is set where the provider knows it."""

    currency: Currency
    status: PaymentStatus
    authorised: Amount = 0
    captured: Amount = 0
    refunded: Amount = 0
    fee: Amount = 0
    order: Reference | None = None
    aliases: tuple[Reference, ...] = ()
    reason: str = ""


class RefundSeen(Seen, frozen=True, tag="RefundSeen"):
    """Money given back. It names its order or its payment."""

    of: Reference
    currency: Currency
    amount: Amount
    status: RefundStatus = "succeeded"
    gift_cards: Amount = 0  # the part of the amount that went back on gift cards
    shipping: Amount = 0
    lines: tuple[RefundLine, ...] = ()
    payment: Reference | None = None
    reason: str = ""


class FulfilmentSeen(Seen, frozen=True, tag="FulfilmentSeen"):
    """A parcel or hand-over: units that left. Without lines it speaks of all that was released under `of`."""

    of: Reference
    status: FulfilmentStatus = "shipped"
    lines: tuple[UnitsOf, ...] = ()
    carrier: Word = ""
    service: Word = ""
    tracking: tuple[str, ...] = ()
    location: str = ""
    cost: Amount = 0
    currency: str = ""


class ReturnSeen(Seen, frozen=True, tag="ReturnSeen"):
    """A buyer sends goods back."""

    of: Reference
    status: ReturnStatus
    lines: tuple[ReturnLine, ...] = ()


class DisputeSeen(Seen, frozen=True, tag="DisputeSeen"):
    """A card holder contests a payment. `inquiry`: the bank only asks, and has taken no money."""

    of: Reference
    currency: Currency
    amount: Amount
    status: DisputeStatus
    reason: str = ""
    inquiry: bool = False


class StockCounted(Seen, frozen=True, tag="StockCounted"):
    """An absolute count: at `at` there were `quantity` units. `item` is the speaker's own id of the stock item.

    `damaged` and `safety` are units on hand that cannot be sold, or are kept back; `in_transit` are on their way and not on hand yet.
    """

    item: Word
    quantity: Annotated[int, Meta(ge=-1_000_000_000, le=1_000_000_000)]
    sku: Word = ""  # empty: the item's cross-reference says
    location: str = ""
    measure: StockMeasure = "on_hand"


class StockMoved(Seen, frozen=True, tag="StockMoved"):
    """A change of stock that the speaker made: received, written off, transferred, returned."""

    item: Word
    delta: Annotated[int, Meta(ge=-1_000_000_000, le=1_000_000_000)]
    sku: Word = ""
    location: str = ""
    reason: Word = ""


class ProductSeen(Seen, frozen=True, tag="ProductSeen"):
    """A product and what is sold of it."""

    title: Word = ""
    variants: tuple[Variant, ...] = ()
    currency: str = ""
    status: Literal["active", "draft", "archived", "deleted"] = "active"
    category: Word = ""


class PriceSeen(Seen, frozen=True, tag="PriceSeen"):
    """The price of one SKU at a channel."""

    sku: Word
    currency: Currency
    price: Amount
    compare_at: Amount | None = None


class CustomerSeen(Seen, frozen=True, tag="CustomerSeen"):
    """A customer record; the personal part goes to the vault."""

    tax_exempt: bool = False
    company: str = ""
    marketing: bool | None = None
    deleted: bool = False
    merged_into: Word = ""  # the customer who took this one over: by the speaker's own word both are one person


class InvoiceSeen(Seen, frozen=True, tag="InvoiceSeen"):
    """A sale document of the ERP with its invoice. `aliases` are the numbers that people know them by."""

    of: Reference
    aliases: tuple[Reference, ...] = ()
    currency: str = ""
    total: Amount = 0
    tax: Amount = 0
    state: Literal["draft", "posted", "paid", "cancelled"] = "draft"
    number: Word = ""


class SettlementLineSeen(Seen, frozen=True, tag="SettlementLineSeen"):
    """One line of a provider's balance: gross - fee = net, in minor units; `of` is what it settles."""

    kind: Literal["charge", "refund", "fee", "dispute", "adjustment", "payout", "transfer", "other"]
    currency: Currency
    gross: Amount
    net: Amount
    fee: Amount = 0
    of: Reference | None = None
    payout: str = ""
    available_at: Moment = 0


class PayoutSeen(Seen, frozen=True, tag="PayoutSeen"):
    """Money on its way from a provider to the bank."""

    currency: Currency
    amount: Amount
    status: Literal["scheduled", "in_transit", "paid", "failed", "cancelled"]
    arrives_at: Moment = 0


class TaxQuoted(Seen, frozen=True, tag="TaxQuoted"):
    """A tax engine's answer for a cart or order."""

    of: Reference
    currency: Currency
    tax: Amount
    lines: tuple[RefundLine, ...] = ()


class Hint(Seen, frozen=True, tag="Hint"):
    """A thin notification: something changed; fetch `external` from `feed` to learn what."""

    feed: str


class Said(Struct, frozen=True, gc=False):
    """One statement with the personal data that came with it, before the two are parted."""

    event: SeenEvent
    person: Person | None = None


SeenEvent = (
    OrderSeen
    | PaymentSeen
    | RefundSeen
    | FulfilmentSeen
    | ReturnSeen
    | DisputeSeen
    | StockCounted
    | StockMoved
    | ProductSeen
    | PriceSeen
    | CustomerSeen
    | InvoiceSeen
    | SettlementLineSeen
    | PayoutSeen
    | TaxQuoted
    | Hint
)

_write = msgspec.msgpack.Encoder().encode
_read = msgspec.msgpack.Decoder(SeenEvent).decode


def refuse_senseless(said: SeenEvent) -> None:
    """Raise Reject for a statement that the log could not give back. A connector builds it unchecked, and sums what was in bounds."""
    if not said.external:
        raise Reject(f"{type(said).__name__} does not say which object it speaks of", "id_missing")
    if len(said.external) > EXTERNAL_CHARS_MAX:
        told = f"the id {said.external[:40]!r}… has {len(said.external)} characters"
        raise Reject(f"{told}; at most {EXTERNAL_CHARS_MAX} are an id", "schema")
    try:
        _read(_write(said))
    except (msgspec.ValidationError, OverflowError) as error:
        raise Reject(f"what {said.external!r} says is more than can be meant: {error}", "out_of_range") from None
    if type(said) is OrderSeen:
        said.order.refuse_contradiction(said.external)
    elif currency := getattr(said, "currency", None):  # a parcel without costs has none
        decimals(currency)
    if type(said) is PaymentSeen and said.refunded > said.captured:
        told = f"{said.refunded} of payment {said.external!r} were given back, {said.captured} captured (minor units of {said.currency})"
        raise Reject(f"{told}: compare them at the provider; no more can go back than was captured", "refund_exceeds_capture")
