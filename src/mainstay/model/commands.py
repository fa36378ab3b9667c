"""What we ask outside systems to make true. Imperative. `key` is the intent's own id and the idempotency key of every attempt."""

from __future__ import annotations

from msgspec import Struct

from mainstay.model.objects import Noun, Person, UnitsOf


class Command(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="command"):
    """What all commands share."""

    key: str
    again: bool = False  # it was carried out before: it is looked up, and carried out only where it is not there any more


class OrderLine(Noun, frozen=True, gc=False):
    """A line as the warehouse and the ERP need it: amounts in minor units for all its units together."""

    id: str
    sku: str
    quantity: int
    price: int = 0  # of one unit
    discount: int = 0
    tax: int = 0
    facilitator_tax: int = 0
    title: str = ""


class ReleaseOrder(Command, frozen=True, tag="ReleaseOrder"):
    """Have these units picked, packed and shipped from `location`, by the name that stock is counted under there. `release` is ours and the
    warehouse's key for it (an upsert there); an order that is served from several locations has one for each."""

    release: str
    number: str
    channel: str
    currency: str
    placed_at: int
    lines: tuple[OrderLine, ...]
    total: int = 0
    tax: int = 0
    shipping: int = 0
    ship_method: str = ""
    location: str = ""
    subject: int | None = None
    recipient: Person | None = None  # filled in from the vault just before the call


class CancelRelease(Command, frozen=True, tag="CancelRelease"):
    """Do not ship this release after all. `reference` is the warehouse's own id, where its answer has come; `number` finds it there."""

    release: str
    reference: str = ""
    number: str = ""


class CapturePayment(Command, frozen=True, tag="CapturePayment"):
    """Take `amount` minor units of an authorised payment."""

    payment: str
    amount: int
    currency: str
    order: str = ""
    final: bool = True


class VoidPayment(Command, frozen=True, tag="VoidPayment"):
    """Let an authorisation go."""

    payment: str
    reason: str = ""


class RefundPayment(Command, frozen=True, tag="RefundPayment"):
    """Give back `amount` minor units of a captured payment."""

    payment: str
    amount: int
    currency: str
    order: str = ""
    reason: str = ""


class ConfirmFulfilment(Command, frozen=True, tag="ConfirmFulfilment"):
    """Tell the channel that units left, with the parcel's number. `lines` are the channel's own line ids."""

    order: str
    fulfilment: str
    lines: tuple[UnitsOf, ...]
    shipped_at: int
    carrier: str = ""
    service: str = ""
    tracking: tuple[str, ...] = ()


class CancelOrder(Command, frozen=True, tag="CancelOrder"):
    """Tell the channel that the order will not be fulfilled."""

    order: str
    reason: str
    lines: tuple[UnitsOf, ...] = ()


class LeftFrom(Noun, frozen=True, gc=False):
    """Units of an order line that left from a location, by the name that stock is counted under there."""

    line: str
    location: str
    quantity: int


class PostSale(Command, frozen=True, tag="PostSale"):
    """Book the sale, its shipment and its invoice in the ERP. `reference` is ours and is looked up first; `location` is where its units
    left from, by the name that stock is counted under: of several the one that most of them left from. Then `elsewhere` is what left from
    the others: the ERP is to count it there."""

    reference: str
    number: str
    channel: str
    currency: str
    placed_at: int
    shipped_at: int
    lines: tuple[OrderLine, ...]
    total: int
    shipping: int = 0
    shipping_discount: int = 0
    tax: int = 0
    facilitator_tax: int = 0
    taxes_included: bool = False
    duties: int = 0
    tip: int = 0
    adjustment: int = 0
    location: str = ""
    elsewhere: tuple[LeftFrom, ...] = ()
    subject: int | None = None
    recipient: Person | None = None


class ReturnedLine(Noun, frozen=True, gc=False):
    """Units of an order line that came back: what was given back for all of them together, in minor units."""

    id: str
    sku: str
    quantity: int
    amount: int = 0
    tax: int = 0
    title: str = ""


class PostReturn(Command, frozen=True, tag="PostReturn"):
    """Book goods that came back in the ERP: they stand on its shelf again, and a credit note says what was given back. `reference` is
    ours and is looked up first; `total` is law, whatever the parts say."""

    reference: str
    number: str
    channel: str
    currency: str
    returned_at: int
    lines: tuple[ReturnedLine, ...]
    total: int
    shipping: int = 0
    taxes_included: bool = False


class SetLevel(Command, frozen=True, tag="SetLevel"):
    """Publish what a channel may sell of one SKU. Absolute, the newest `revision` wins."""

    sku: str
    item: str
    quantity: int
    revision: int
    location: str = ""


class SetPrice(Command, frozen=True, tag="SetPrice"):
    """Publish a price, in minor units."""

    sku: str
    item: str
    currency: str
    price: int
    revision: int


class Fetch(Command, frozen=True, tag="Fetch"):
    """Read one object that a thin notification spoke of."""

    feed: str
    reference: str


AnyCommand = (
    ReleaseOrder
    | CancelRelease
    | CapturePayment
    | VoidPayment
    | RefundPayment
    | ConfirmFulfilment
    | CancelOrder
    | PostSale
    | PostReturn
    | SetLevel
    | SetPrice
    | Fetch
)
