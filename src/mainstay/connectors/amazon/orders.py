"""Orders of the Orders API 2026-01-01 with their packages, to our statements.

Source: the model orders_2026-01-01.json and its examples in amzn/selling-partner-api-models.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from mainstay.connectors.amazon.words import CURRENCY, FULFILLED_BY, PACKAGE, PAYMENT, PROCEEDS, TAX_COLLECTION, ours
from mainstay.contract.connector import read
from mainstay.model.failures import Reject
from mainstay.model.identity import sku
from mainstay.model.money import decimals, minor
from mainstay.model.objects import Address, Line, Order, Person, Reference, Units, UnitsOf
from mainstay.model.seen import FulfilmentSeen, OrderSeen, Said
from mainstay.model.times import micros

TEXT_CHARS_MAX = 250
WAITING = ("PENDING", "PENDING_AVAILABILITY")  # no price, no address yet


class _Doc(Struct, rename="camel", gc=False):
    """What all parts share: camel-cased names."""


class _Money(_Doc):
    amount: str
    currency_code: str


class _Detail(_Doc):
    subtype: str = ""
    value: _Money | None = None


class _Breakdown(_Doc):
    type: str
    subtotal: _Money
    detailed_breakdowns: list[_Detail] = []
    status: str = ""


class _OrderProceeds(_Doc):
    grand_total: _Money | None = None
    breakdowns: list[_Breakdown] = []


class _ItemProceeds(_Doc):
    breakdowns: list[_Breakdown] = []


class _Price(_Doc):
    unit_price: _Money | None = None


class _Product(_Doc):
    seller_sku: str | None = None
    title: str | None = None
    price: _Price | None = None


class _Progress(_Doc):
    quantity_fulfilled: int = 0
    quantity_unfulfilled: int = 0


class _Collection(_Doc):
    model: str = ""


class _Tax(_Doc):
    tax_collections: list[_Collection] = []


class _Item(_Doc):
    order_item_id: str
    quantity_ordered: Units
    product: _Product
    proceeds: _ItemProceeds | None = None
    fulfillment: _Progress | None = None
    tax: _Tax | None = None


class _Channel(_Doc):
    marketplace_id: str = ""


class _Fulfilment(_Doc):
    fulfillment_status: str
    fulfilled_by: str = "MERCHANT"
    fulfillment_service_level: str = ""


class _Buyer(_Doc):
    buyer_name: str | None = None
    buyer_email: str | None = None
    buyer_purchase_order_number: str | None = None


class _Address(_Doc):
    name: str | None = None
    company_name: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    address_line3: str | None = None
    city: str | None = None
    state_or_region: str | None = None
    postal_code: str | None = None
    country_code: str | None = None
    phone: str | None = None


class _Recipient(_Doc):
    delivery_address: _Address | None = None


class _Status(_Doc):
    status: str


class _Packed(_Doc):
    order_item_id: str
    quantity: Units


class _Package(_Doc):
    package_reference_id: str
    created_time: str | None = None
    ship_time: str | None = None
    package_status: _Status | None = None
    carrier: str | None = None
    shipping_service: str | None = None
    tracking_number: str | None = None
    package_items: list[_Packed] = []


class _Alias(_Doc):
    alias_id: str
    alias_type: str


class _Order(_Doc):
    order_id: str
    created_time: str
    last_updated_time: str
    sales_channel: _Channel
    order_items: list[_Item]
    fulfillment: _Fulfilment
    proceeds: _OrderProceeds | None = None
    buyer: _Buyer | None = None
    recipient: _Recipient | None = None
    packages: list[_Package] = []
    order_aliases: list[_Alias] = []


class _Sums(Counter[str]):
    """Minor units by where they go: goods, shipping, shipping_discount, tax, facilitator_tax, discount, other."""


def from_order(body: bytes) -> list[Said]:
    """The order, then its packages. An order that waits for its payment has no amounts yet, and says so by being `pending`."""
    given = read(body, _Order)
    at = micros(given.last_updated_time)
    aliases = tuple(Reference("seller_order_id", one.alias_id) for one in given.order_aliases if one.alias_type == "SELLER_ORDER_ID")
    event = OrderSeen(external=given.order_id, version=at, at=at, order=_order(given, at), aliases=aliases)
    return [Said(event, _person(given)), *(Said(_package(one, given.order_id, at)) for one in given.packages)]


def _order(given: _Order, at: int) -> Order:
    status, proceeds = given.fulfillment.fulfillment_status, given.proceeds or _OrderProceeds()
    payment = ours(PAYMENT, status, "fulfilment status")
    total = proceeds.grand_total
    if total is None and status not in (*WAITING, "CANCELLED"):
        raise Reject(f"order {given.order_id} is {status} and states no total", "schema")
    currency = total.currency_code if total else ours(CURRENCY, given.sales_channel.marketplace_id, "marketplace")
    decimals(currency)
    sums = _Sums()
    lines = tuple(_line(item, status, currency, sums) for item in given.order_items)
    tip = sum(_amount(one.subtotal, currency) for one in proceeds.breakdowns if one.type == "DELIVERY_TIP" and one.status != "PENDING")
    address = given.recipient.delivery_address if given.recipient else None
    return Order(
        number=given.order_id,
        currency=currency,
        placed_at=micros(given.created_time),
        lines=lines,
        total=_amount(total, currency) if total else 0,
        shipping=sums["shipping"],
        shipping_discount=sums["shipping_discount"],
        tax=sums["tax"],
        facilitator_tax=sums["facilitator_tax"],
        tip=tip,
        adjustment=sums["other"],
        payment=payment,
        cancelled_at=at if status == "CANCELLED" else None,
        purchase_order=(given.buyer.buyer_purchase_order_number or "") if given.buyer else "",
        ship_to_country=(address.country_code or "") if address else "",
        ship_method=given.fulfillment.fulfillment_service_level,
        fulfilled_by=ours(FULFILLED_BY, given.fulfillment.fulfilled_by, "fulfiller"),
    )


def _line(item: _Item, status: str, currency: str, order: _Sums) -> Line:
    """One item; what belongs to the whole order (shipping, tax) is added to `order`."""
    sums = _proceeds(item, currency)
    price, rounded = _unit_price(item, sums, currency)
    for name in ("shipping", "shipping_discount", "tax", "facilitator_tax", "other"):
        order[name] += sums[name]
    done = item.fulfillment
    gone = item.quantity_ordered - done.quantity_fulfilled - done.quantity_unfulfilled if done and status not in WAITING else 0
    text = item.product.seller_sku or ""
    return Line(
        id=item.order_item_id,
        sku=sku(text) if text and not text.isspace() else "",
        quantity=item.quantity_ordered,
        price=price,
        discount=sums["discount"] + rounded,
        tax=sums["tax"],
        facilitator_tax=sums["facilitator_tax"],
        cancelled=max(0, gone),
        title=(item.product.title or "")[:TEXT_CHARS_MAX],
    )


def _unit_price(item: _Item, sums: _Sums, currency: str) -> tuple[int, int]:
    """The price of one unit, and what all units together cost less than that price says.

    Amazon states what all units bring in; where they do not divide evenly the price is rounded up and the rest is a discount.
    """
    if "goods" in sums and item.quantity_ordered:
        price = -(-sums["goods"] // item.quantity_ordered)
        return price, price * item.quantity_ordered - sums["goods"]
    stated = item.product.price.unit_price if item.product.price else None
    return (_amount(stated, currency) if stated else 0), 0


def _proceeds(item: _Item, currency: str) -> _Sums:
    sums = _Sums()
    remitted = any(ours(TAX_COLLECTION, one.model, "tax collection model") for one in item.tax.tax_collections) if item.tax else False
    for one in item.proceeds.breakdowns if item.proceeds else ():
        kind, amount = ours(PROCEEDS, one.type, "kind of proceeds"), _amount(one.subtotal, currency)
        if kind == "tax":
            sums["facilitator_tax" if remitted else "tax"] += amount
        elif kind == "discount":  # of either sign: a discount takes away
            shipping = sum(
                abs(_amount(part.value, currency)) for part in one.detailed_breakdowns if part.value and part.subtype == "SHIPPING"
            )
            sums["shipping_discount"] += shipping
            sums["discount"] += abs(amount) - shipping
        else:
            sums[kind] += amount
    return sums


def _amount(given: _Money, currency: str) -> int:
    if given.currency_code != currency:
        raise Reject(f"an order in {currency} has an amount in {given.currency_code}", "currency")
    return minor(given.amount, currency)


def _package(given: _Package, order: str, at: int) -> FulfilmentSeen:
    """Reference ids are unique within their order only."""
    moment = given.ship_time or given.created_time
    status = ours(PACKAGE, given.package_status.status, "package status") if given.package_status else None
    return FulfilmentSeen(
        external=f"{order}/{given.package_reference_id}",
        version=at,
        at=micros(moment) if moment else at,
        of=Reference("order", order),
        status=status or ("shipped" if given.ship_time else "pending"),
        lines=tuple(UnitsOf(one.order_item_id, one.quantity) for one in given.package_items),
        carrier=given.carrier or "",
        service=given.shipping_service or "",
        tracking=(given.tracking_number,) if given.tracking_number else (),
    )


def _person(given: _Order) -> Person | None:
    """Amazon gives no customer number, and an e-mail address of its own that forwards."""
    buyer, address = given.buyer or _Buyer(), given.recipient.delivery_address if given.recipient else None
    person = Person(
        name=buyer.buyer_name or (address and address.name) or "",
        email=buyer.buyer_email or "",
        phone=(address and address.phone) or "",
        shipping=_postal(address) if address else None,
    )
    return person if person != Person() else None


def _postal(given: _Address) -> Address:
    further: Sequence[str | None] = (given.address_line2, given.address_line3)
    return Address(
        name=given.name or "",
        company=given.company_name or "",
        street=given.address_line1 or "",
        street2=", ".join(part for part in further if part),
        city=given.city or "",
        region=given.state_or_region or "",
        postcode=given.postal_code or "",
        country=given.country_code or "",
        phone=given.phone or "",
    )
