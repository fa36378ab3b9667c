"""Orders with their fulfilments and refunds, from the REST-shaped payload of a webhook to our statements.

The payload's own figures are law. Sources: https://shopify.dev/docs/api/admin-rest/latest/resources/order and the recorded
exchanges (README.md names what each rule was seen in).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from mainstay.connectors.shopify.words import FINANCIAL, FULFILMENT, PARCEL, RESTOCK, TRANSACTION, ours
from mainstay.contract.connector import read
from mainstay.model.failures import Reject
from mainstay.model.identity import sku
from mainstay.model.money import decimals, minor
from mainstay.model.objects import Address, Line, Order, Person, Reference, RefundLine, Units, UnitsOf
from mainstay.model.seen import FulfilmentSeen, Hint, OrderSeen, RefundSeen, Said
from mainstay.model.times import micros

TEXT_CHARS_MAX = 250
PAYMENT_NOTE = "payment_intent"  # note attributes in which a checkout leaves the ids that join its order to other systems
RESERVATION_NOTE = "mainstay_reservation"
PAYMENT_PREFIX = "pi_"
GIFT_CARD = "gift_card"  # the gateway of a payment by gift card (recorded: rest-docs, cancel.json of 2026-07)


class Amount(Struct, gc=False):
    amount: str
    currency_code: str = ""


class Amounts(Struct, gc=False):
    shop_money: Amount
    presentment_money: Amount | None = None


class TaxLine(Struct, gc=False):
    price: str
    channel_liable: bool | None = None


class Allocation(Struct, gc=False):
    amount: str


class LineItem(Struct, gc=False):
    id: int
    quantity: Units
    price: str
    sku: str | None = None
    name: str | None = None
    current_quantity: int | None = None
    fulfillable_quantity: int = 0
    requires_shipping: bool = True
    gift_card: bool = False
    tax_lines: list[TaxLine] = []
    discount_allocations: list[Allocation] = []
    tip: Any = None  # only lines that are a tip have it


class ShippingLine(Struct, gc=False):
    price: str
    title: str | None = None
    is_removed: bool = False
    tax_lines: list[TaxLine] = []
    discount_allocations: list[Allocation] = []


class Note(Struct, gc=False):
    name: str
    value: Any = None


class PostalAddress(Struct, gc=False):
    name: str | None = None
    company: str | None = None
    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    province: str | None = None
    province_code: str | None = None
    zip: str | None = None
    country_code: str | None = None
    phone: str | None = None


class Customer(Struct, gc=False):
    id: int
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    phone: str | None = None


class Company(Struct, gc=False):
    id: int


class FulfilledLine(Struct, gc=False):
    id: int
    quantity: Units


class Fulfilment(Struct, gc=False):
    id: int
    order_id: int
    status: str
    created_at: str
    updated_at: str
    line_items: list[FulfilledLine] = []
    shipment_status: str | None = None
    tracking_company: str | None = None
    tracking_numbers: list[str] = []
    location_id: int | None = None


class Transaction(Struct, gc=False):
    kind: str
    status: str
    amount: str = "0"
    currency: str = ""
    receipt: Any = None
    gateway: str | None = ""


class RefundedLine(Struct, gc=False):
    line_item_id: int
    quantity: Units
    subtotal_set: Amounts | None = None
    total_tax_set: Amounts | None = None
    restock_type: str = ""


class Adjustment(Struct, gc=False):
    kind: str
    amount: str
    tax_amount: str = "0"
    amount_set: Amounts | None = None
    tax_amount_set: Amounts | None = None

    def in_shop_money(self, currency: str) -> int:
        """With its tax, in minor units of the shop's currency."""
        stated = ((self.amount_set, self.amount), (self.tax_amount_set, self.tax_amount))
        return sum(minor(both.shop_money.amount if both else plain, currency) for both, plain in stated)


class Refund(Struct, gc=False):
    id: int
    order_id: int
    created_at: str
    note: str | None = None
    restock: bool | None = None
    refund_line_items: list[RefundedLine] = []
    transactions: list[Transaction] = []
    order_adjustments: list[Adjustment] = []
    total_duties_set: Amounts | None = None


class Payload(Struct, gc=False):
    """An order, its parcels and its refunds. A field that a webhook always carries and that we need has no default."""

    id: int
    name: str
    currency: str
    created_at: str
    updated_at: str
    total_price: str
    total_tax: str
    taxes_included: bool
    financial_status: str | None
    line_items: list[LineItem]
    shipping_lines: list[ShippingLine] = []
    cancelled_at: str | None = None
    note_attributes: list[Note] = []
    total_tip_received: str = "0"
    original_total_duties_set: Amounts | None = None
    original_total_additional_fees_set: Amounts | None = None
    duties_included: bool = False
    presentment_currency: str = ""
    total_price_set: Amounts | None = None
    email: str | None = None
    phone: str | None = None
    customer: Customer | None = None
    shipping_address: PostalAddress | None = None
    billing_address: PostalAddress | None = None
    company: Company | None = None
    po_number: str | None = None
    tax_exempt: bool = False
    test: bool = False
    fulfillments: list[Fulfilment] = []
    refunds: list[Refund] = []
    payment_gateway_names: list[str] = []
    transactions: list[Transaction] = []  # a webhook has none


def from_order(body: bytes, payment_system: str) -> list[Said]:
    """A webhook says that a gift card paid a part, and not how much: such an order is fetched."""
    payload = read(body, Payload)
    if GIFT_CARD in payload.payment_gateway_names and not payload.transactions:
        at = micros(payload.updated_at)
        return [Said(Hint(external=str(payload.id), version=at, at=at, feed="order"), person(payload))]
    return statements(payload, payment_system)


def from_fulfilment(body: bytes) -> list[Said]:
    return [Said(fulfilment(read(body, Fulfilment)))]


def from_refund(body: bytes, payment_system: str) -> list[Said]:
    return [Said(refund(read(body, Refund), "", payment_system))]


def statements(payload: Payload, payment_system: str) -> list[Said]:
    """The order first, then what left and what was given back, so that each finds what it speaks of."""
    at = micros(payload.updated_at)
    event = OrderSeen(
        external=str(payload.id), version=at, at=at, order=order(payload, payment_system), aliases=(Reference("order_name", payload.name),)
    )
    said = [Said(event, person(payload))]
    said += [Said(fulfilment(one)) for one in payload.fulfillments]
    said += [Said(refund(one, payload.currency, payment_system)) for one in payload.refunds]
    return said


def order(payload: Payload, payment_system: str) -> Order:
    currency = payload.currency
    decimals(currency)
    lines, theirs = _lines(payload, currency)
    shipping, off = 0, 0
    for line in payload.shipping_lines:
        if not line.is_removed:
            shipping += minor(line.price, currency)
            off += _sum(line.discount_allocations, currency)
            theirs += _taxes(line.tax_lines, currency)[1]
    seen = payload.presentment_currency not in ("", currency) and payload.total_price_set and payload.total_price_set.presentment_money
    notes = {note.name: note.value for note in payload.note_attributes}
    ship_to, method = payload.shipping_address, payload.shipping_lines[0].title if payload.shipping_lines else ""
    return Order(
        number=payload.name,
        currency=currency,
        placed_at=micros(payload.created_at),
        lines=lines,
        total=minor(payload.total_price, currency),
        shipping=shipping,
        shipping_discount=off,
        tax=minor(payload.total_tax, currency) - theirs,
        facilitator_tax=theirs,
        taxes_included=payload.taxes_included,
        duties=_duties(payload, currency),
        tip=0 if any(line.tip is not None for line in payload.line_items) else minor(payload.total_tip_received, currency),
        gift_cards=_by_gift_card(payload.transactions, ("sale", "capture"), currency),
        adjustment=-theirs if payload.taxes_included else 0,  # what the channel remits lies inside the prices: it is no revenue of ours
        payment=ours(FINANCIAL, payload.financial_status, "financial status"),
        cancelled_at=micros(payload.cancelled_at) if payload.cancelled_at else None,
        payments=_payments(payload, notes, payment_system),
        reservation=str(notes.get(RESERVATION_NOTE) or ""),
        company=str(payload.company.id) if payload.company else "",
        purchase_order=payload.po_number or "",
        tax_exempt=payload.tax_exempt,
        presentment_currency=payload.presentment_currency if seen else "",
        presentment_total=minor(seen.amount, payload.presentment_currency) if seen else 0,
        ship_to_country=(ship_to.country_code or "") if ship_to else "",
        ship_method=(method or "")[:TEXT_CHARS_MAX],
        test=payload.test,
    )


def _lines(payload: Payload, currency: str) -> tuple[tuple[Line, ...], int]:
    """The lines, and the part of their tax that the channel remits."""
    left = _left(payload.fulfillments) if payload.fulfillments else {}
    lines, channel_tax = [], 0
    for line in payload.line_items:
        tax, theirs = _taxes(line.tax_lines, currency) if line.tax_lines else (0, 0)
        channel_tax += theirs
        lines.append(
            Line(
                id=str(line.id),
                sku=sku(line.sku) if line.sku and not line.sku.isspace() else "",  # a line typed by hand has none
                quantity=line.quantity,
                price=minor(line.price, currency),
                discount=_sum(line.discount_allocations, currency) if line.discount_allocations else 0,
                tax=tax,
                facilitator_tax=theirs,
                cancelled=_cancelled(line, left),
                title=(line.name or "")[:TEXT_CHARS_MAX],
                ships=line.requires_shipping,
                gift_card=line.gift_card,
            )
        )
    return tuple(lines), channel_tax


def _left(parcels: Sequence[Fulfilment]) -> Counter[int]:
    left: Counter[int] = Counter()
    for parcel in parcels:
        if parcel.status.lower() in ("success", "pending", "open"):
            for line in parcel.line_items:
                left[line.id] += line.quantity
    return left


def _cancelled(line: LineItem, left: dict[int, int]) -> int:
    """Units taken off again before they left: removed from the order, and neither shipped nor still to be shipped.

    `current_quantity` alone will not do: it also falls when shipped units come back.
    """
    if line.current_quantity is None or line.current_quantity >= line.quantity:
        return 0
    never_left = line.quantity - left.get(line.id, 0) - line.fulfillable_quantity
    return max(0, min(line.quantity - line.current_quantity, never_left))


def _taxes(lines: Sequence[TaxLine], currency: str) -> tuple[int, int]:
    """Tax that the shop owes, and tax that the sales channel remits (`channel_liable`)."""
    own, theirs = 0, 0
    for line in lines:
        if line.channel_liable:
            theirs += minor(line.price, currency)
        else:
            own += minor(line.price, currency)
    return own, theirs


def _sum(allocations: Sequence[Allocation], currency: str) -> int:
    total = 0
    for one in allocations:
        total += minor(one.amount, currency)
    return total


def _duties(payload: Payload, currency: str) -> int:
    """Duties and import fees. `duties_included` says that the prices already hold the duties."""
    duties = None if payload.duties_included else payload.original_total_duties_set
    stated = (duties, payload.original_total_additional_fees_set)
    return sum(minor(one.shop_money.amount, currency) for one in stated if one is not None)


def _payments(payload: Payload, notes: dict[str, Any], system: str) -> tuple[Reference, ...]:
    found = [notes.get(PAYMENT_NOTE)]
    found += [payment_in(one.receipt) for refund in payload.refunds for one in refund.transactions]
    ids = dict.fromkeys(one for one in found if type(one) is str and one)
    return tuple(Reference("payment", one, system) for one in ids)


def _by_gift_card(transactions: Sequence[Transaction], kinds: Sequence[str], currency: str) -> int:
    """What gift cards paid, or got back, of what went through."""
    some = [one for one in transactions if one.gateway == GIFT_CARD and one.kind.lower() in kinds]
    return sum(minor(one.amount, currency) for one in some if ours(TRANSACTION, one.status, "transaction status") == "succeeded")


def payment_in(receipt: Any) -> str:
    """The payment intent's id that a gateway left in its receipt, or ""."""
    if not isinstance(receipt, dict):
        return ""
    stated = (receipt.get(name) for name in ("payment_intent", "payment_intent_id", "id"))
    return next((one for one in stated if type(one) is str and one.startswith(PAYMENT_PREFIX)), "")


def person(payload: Payload) -> Person | None:
    customer, ship, bill = payload.customer, payload.shipping_address, payload.billing_address
    found = Person(
        id=str(customer.id) if customer else "",
        name=(full_name(customer) if customer else "") or (bill and bill.name) or (ship and ship.name) or "",
        email=payload.email or (customer and customer.email) or "",
        phone=payload.phone or (customer and customer.phone) or "",
        shipping=address(ship) if ship else None,
        billing=address(bill) if bill else None,
    )
    return found if found != Person() else None


def full_name(customer: Customer) -> str:
    return " ".join(part for part in (customer.first_name, customer.last_name) if part)


def address(given: PostalAddress) -> Address:
    return Address(
        name=given.name or "",
        company=given.company or "",
        street=given.address1 or "",
        street2=given.address2 or "",
        city=given.city or "",
        region=given.province_code or given.province or "",
        postcode=given.zip or "",
        country=given.country_code or "",
        phone=given.phone or "",
    )


def fulfilment(given: Fulfilment) -> FulfilmentSeen:
    status = ours(FULFILMENT, given.status, "fulfilment status")
    parcel = ours(PARCEL, given.shipment_status, "shipment status")
    return FulfilmentSeen(
        external=str(given.id),
        version=micros(given.updated_at),
        at=micros(given.created_at),
        of=Reference("order", str(given.order_id)),
        status=parcel if status == "shipped" else status,
        lines=tuple(UnitsOf(str(line.id), line.quantity) for line in given.line_items),
        carrier=given.tracking_company or "",
        tracking=tuple(given.tracking_numbers),
        location=str(given.location_id) if given.location_id is not None else "",
    )


def refund(given: Refund, currency: str, payment_system: str) -> RefundSeen:
    """What was given back is the sum of the refund's transactions: its lines may say more (a shop may keep some) or less. A transaction
    says what the buyer got, in the buyer's currency; what that is in the shop's, the refund's parts say."""
    paid = [one for one in given.transactions if one.kind.lower() == "refund"]
    theirs = next((one.currency for one in paid if one.currency), "")
    currency = currency or _currency_of(given) or theirs
    decimals(currency)
    statuses = {one.status: ours(TRANSACTION, one.status, "transaction status") for one in paid}
    given_back = [one for one in paid if statuses[one.status] != "failed"]
    intent = next(filter(None, (payment_in(one.receipt) for one in paid)), "")
    at = micros(given.created_at)
    amount = whole = sum(minor(one.amount, theirs or currency) for one in given_back)
    by_card = _by_gift_card(paid, ("refund",), theirs or currency)
    if theirs not in ("", currency) and whole:
        amount = _in_shop_money(given, currency)
        by_card = amount * by_card // whole
    return RefundSeen(
        external=str(given.id),
        version=at,
        at=at,
        of=Reference("order", str(given.order_id)),
        currency=currency,
        amount=amount,
        status=_refund_status(set(statuses.values())),
        gift_cards=by_card,
        shipping=_shipping_back(given, currency),
        lines=tuple(_refunded(line, currency, given.restock) for line in given.refund_line_items),
        payment=Reference("payment", intent, payment_system) if intent else None,
        reason=given.note or "",
    )


def _shipping_back(given: Refund, currency: str) -> int:
    """An adjustment is stated from the shop's side: what goes back to the buyer is negative."""
    back = [one for one in given.order_adjustments if one.kind == "shipping_refund"]
    return -sum(one.in_shop_money(currency) for one in back)


def _in_shop_money(given: Refund, currency: str) -> int:
    """What a refund gave back in the shop's currency: its lines, less its adjustments, which also say what it gave beyond or short of
    them (recorded: rest-docs, cancel.json of 2026-07). Reject `currency` where it states no parts."""
    lines = [one for line in given.refund_line_items for one in (line.subtotal_set, line.total_tax_set) if one is not None]
    if not lines and not given.order_adjustments:
        raise Reject(
            f"refund {given.id} was paid in another currency than {currency}, and does not say what that is in {currency}", "currency"
        )
    return sum(minor(one.shop_money.amount, currency) for one in lines) - sum(
        one.in_shop_money(currency) for one in given.order_adjustments
    )


def _refund_status(statuses: set[str]) -> Any:
    if "pending" in statuses:
        return "pending"
    return "failed" if statuses == {"failed"} else "succeeded"  # without a transaction only units came back: that is done


def _currency_of(given: Refund) -> str:
    """A refund names the shop's currency only in its money sets."""
    sets = [given.total_duties_set, *(line.subtotal_set for line in given.refund_line_items)]
    return next((one.shop_money.currency_code for one in sets if one is not None), "")


def _refunded(line: RefundedLine, currency: str, restock: bool | None) -> RefundLine:
    """Older payloads say only for the whole refund whether its units go back into stock."""
    word = line.restock_type or {True: "legacy_restock", False: "no_restock"}.get(restock)  # type: ignore[arg-type]
    if word is None:
        raise Reject("a refund line does not say whether its units go back into stock", "schema")
    return RefundLine(
        line=str(line.line_item_id),
        quantity=line.quantity,
        amount=minor(line.subtotal_set.shop_money.amount, currency) if line.subtotal_set else 0,
        tax=minor(line.total_tax_set.shop_money.amount, currency) if line.total_tax_set else 0,
        restock=ours(RESTOCK, word, "restock type"),
    )
