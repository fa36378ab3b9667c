"""The nouns: what a shop's systems speak of, in our words. Frozen, complete, without personal data.

Amounts are minor units of the document's one currency; times are UTC microseconds; quantities are whole units.
Personal fields stand only in `Person`, which lives in the vault; everything else carries the subject's id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from mainstay.model.failures import Reject
from mainstay.model.money import decimals
from mainstay.model.times import BEGIN, END

Units = Annotated[int, Meta(ge=0, le=1_000_000)]
Amount = Annotated[int, Meta(ge=-(2**53), le=2**53)]
Moment = Annotated[int, Meta(ge=BEGIN, lt=END)]  # UTC microseconds since 1970
Currency = Annotated[str, Meta(min_length=3, max_length=3)]
Word = Annotated[str, Meta(max_length=250)]

PaymentStatus = Literal["pending", "authorised", "captured", "part_refunded", "refunded", "voided", "failed", "expired"]
PAID_WORDS = frozenset({"captured", "part_refunded", "refunded"})  # of a payment that was taken, whatever went back since
RefundStatus = Literal["pending", "succeeded", "failed", "cancelled"]
FulfilmentStatus = Literal["pending", "shipped", "delivered", "failed", "cancelled"]
ReturnStatus = Literal["requested", "open", "received", "closed", "declined", "cancelled"]
DisputeStatus = Literal["needs_response", "under_review", "won", "lost", "closed"]
Restock = Literal["restock", "no_restock", "cancel"]
StockMeasure = Literal["on_hand", "available", "damaged", "safety", "in_transit"]


class Noun(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What all nouns share: frozen, named fields, defaults left out of the text."""


class Reference(Struct, frozen=True, omit_defaults=True, gc=False):
    """Points to an object of a system. `system` "" is the speaker itself; "mainstay" says that `id` is one of ours."""

    kind: str
    id: str
    system: str = ""


class Line(Noun, frozen=True, gc=False):
    """One line of an order, as the source states it."""

    id: Word
    sku: Word
    quantity: Units
    price: Amount  # of one unit, before discounts
    discount: Amount = 0  # the part of all discounts that falls on this line
    tax: Amount = 0  # what we owe to a tax office for this line
    facilitator_tax: Amount = 0  # collected and remitted by the marketplace: passes through, never ours
    cancelled: Units = 0  # units that the source took off again
    title: Word = ""
    ships: bool = True
    gift_card: bool = False


class Order(Noun, frozen=True):
    """What a buyer was promised. `total` is the source's own figure and is law: parts that do not add up hold the order."""

    number: Word
    currency: Currency
    placed_at: Moment
    lines: tuple[Line, ...]
    total: Amount
    shipping: Amount = 0
    shipping_discount: Amount = 0
    tax: Amount = 0  # all tax that is ours to remit, shipping's included
    facilitator_tax: Amount = 0  # all tax that the marketplace remits
    taxes_included: bool = False  # prices and shipping already hold the tax
    duties: Amount = 0
    tip: Amount = 0
    gift_cards: Amount = 0  # part of the total that gift cards paid
    adjustment: Amount = 0  # a rounding or cash adjustment that the source itself states
    payment: PaymentStatus = "pending"
    cancelled_at: Moment | None = None
    payments: tuple[Reference, ...] = ()  # at payment providers
    reservation: str = ""  # ours, when the channel asked first
    company: Word = ""  # B2B: the company's id at the source
    purchase_order: Word = ""
    tax_exempt: bool = False
    presentment_currency: str = ""  # what the buyer saw, where it differs
    presentment_total: Amount = 0
    ship_to_country: str = ""  # ISO 3166 alpha-2
    ship_method: Word = ""
    fulfilled_by: Literal["merchant", "marketplace"] = "merchant"
    test: bool = False

    def refuse_contradiction(self, external: str) -> None:
        """Raise Reject where nobody could say which line is meant (`schema`), or which money (`currency`). `external` names the order."""
        decimals(self.currency)
        ids = {line.id for line in self.lines}
        if len(ids) < len(self.lines):
            twice = next(line.id for n, line in enumerate(self.lines) if any(line.id == other.id for other in self.lines[:n]))
            told = f"two of its lines have the id {twice[:60]!r}; each line of an order has an id of its own"
            raise Reject(f"order {external[:60]!r}: {told}", "schema")

    def goods(self) -> int:
        """Units times prices, before discounts and tax."""
        total = 0
        for line in self.lines:
            total += line.price * line.quantity
        return total

    def discount(self) -> int:
        """All discounts: those of the lines and that of shipping."""
        total = self.shipping_discount
        for line in self.lines:
            total += line.discount
        return total

    def difference(self) -> int:
        """Stated total minus what the parts sum to; 0 for a document that adds up."""
        extra = self.facilitator_tax if self.taxes_included else self.tax + self.facilitator_tax
        parts = self.goods() - self.discount() + self.shipping + extra + self.duties + self.tip + self.adjustment
        return self.total - parts

    def of(self, units: Sequence[int]) -> Order:
        """The same order as if only so many units of each line had been ordered: what is left out takes its part of discounts and tax
        with it. More units than were ordered cost nothing more. Tax of a marketplace that lies within the prices stays as it is stated."""
        if list(units) == [line.quantity for line in self.lines]:
            return self
        lines = tuple(_part(line, count, self.taxes_included) for line, count in zip(self.lines, units, strict=True))
        tax = sum(line.tax for line in self.lines) - sum(line.tax for line in lines)
        theirs = sum(line.facilitator_tax for line in self.lines) - sum(line.facilitator_tax for line in lines)
        part = replace(self, lines=lines, tax=self.tax - tax, facilitator_tax=self.facilitator_tax - theirs)
        return replace(part, total=self.total + self.difference() - part.difference())


def _part(line: Line, units: int, taxes_included: bool) -> Line:
    """A line of so many units, with their part of what was let off and of tax."""
    paid, ordered = min(units, line.quantity), line.quantity or 1
    off = line.discount * paid // ordered + line.price * (units - paid)
    theirs = line.facilitator_tax if taxes_included else line.facilitator_tax * paid // ordered
    return replace(line, quantity=units, discount=off, tax=line.tax * paid // ordered, facilitator_tax=theirs, cancelled=0)


class Address(Noun, frozen=True):
    """A postal address. Personal: vault only."""

    name: str = ""
    company: str = ""
    street: str = ""
    street2: str = ""
    city: str = ""
    region: str = ""
    postcode: str = ""
    country: str = ""
    phone: str = ""


class Person(Noun, frozen=True):
    """A buyer. Personal: vault only; events and state carry the subject's id."""

    id: str = ""  # the customer's id at the source
    name: str = ""
    email: str = ""
    phone: str = ""
    shipping: Address | None = None
    billing: Address | None = None

    @property
    def addressed(self) -> bool:
        """Can a parcel be sent to them? Not every country has postcodes."""
        to = self.shipping
        return to is not None and bool(to.street.strip() and to.city.strip() and to.country.strip())


class UnitsOf(Struct, frozen=True, gc=False):
    """So many units of one order line."""

    line: str
    quantity: Units


class RefundLine(Noun, frozen=True, gc=False):
    """Units that a refund takes back, and what for."""

    line: Word
    quantity: Units
    amount: Amount = 0
    tax: Amount = 0
    restock: Restock = "no_restock"


class Variant(Noun, frozen=True, gc=False):
    """What is sold: one SKU with the ids that its system uses for it."""

    id: Word
    sku: Word
    title: Word = ""
    item: Word = ""  # the stock item's id where it differs from the variant's
    barcode: Word = ""
    price: Amount | None = None
    compare_at: Amount | None = None
    grams: int = 0


class ReturnLine(Noun, frozen=True, gc=False):
    """Units that a buyer sends back."""

    line: Word
    quantity: Units
    reason: Word = ""
