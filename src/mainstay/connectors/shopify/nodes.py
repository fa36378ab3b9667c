"""Orders, products and stock levels as GraphQL nodes: brought into the shape of webhook payloads, so that one set of rules reads both."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from mainstay.connectors.shopify import orders
from mainstay.connectors.shopify.records import Product, SoldAs, level, product
from mainstay.contract.connector import read
from mainstay.model.failures import Reject
from mainstay.model.objects import Units
from mainstay.model.seen import Said


class Node(Struct, rename="camel", gc=False):
    """What all nodes share: camel-cased names. What our documents ask for has no default: an answer without it answers another question."""


class _Money(Node):
    amount: str
    currency_code: str


class _Moneys(Node):
    shop_money: _Money
    presentment_money: _Money | None = None


class _Id(Node):
    id: str


class _Tax(Node):
    price_set: _Moneys
    channel_liable: bool | None


class _Off(Node):
    allocated_amount_set: _Moneys


class _Line(Node):
    id: str
    quantity: Units
    original_unit_price_set: _Moneys
    name: str | None
    sku: str | None
    current_quantity: int
    unfulfilled_quantity: int
    requires_shipping: bool
    is_gift_card: bool
    tax_lines: list[_Tax]
    discount_allocations: list[_Off]


class _Lines(Node):
    nodes: list[_Line]


class _Shipping(Node):
    original_price_set: _Moneys
    title: str | None
    is_removed: bool
    tax_lines: list[_Tax]
    discount_allocations: list[_Off]


class _Shippings(Node):
    nodes: list[_Shipping]


class _Attribute(Node):
    key: str
    value: str | None


class _Customer(Node):
    id: str
    first_name: str | None
    last_name: str | None


class _Address(Node):
    name: str | None
    company: str | None
    address1: str | None
    address2: str | None
    city: str | None
    province: str | None
    province_code: str | None
    zip: str | None
    country: str | None = msgspec.field(name="countryCodeV2")
    phone: str | None


class _Purchaser(Node):
    company: _Id | None = None  # a customer who buys for themselves has none


class _Units(Node):
    line_item: _Id
    quantity: Units


class _UnitsOf(Node):
    nodes: list[_Units]


class _Tracking(Node):
    company: str | None
    number: str | None


class _Fulfilment(Node):
    id: str
    status: str
    created_at: str
    updated_at: str
    fulfillment_line_items: _UnitsOf
    display_status: str | None
    location: _Id | None
    tracking_info: list[_Tracking]


class _Transaction(Node):
    kind: str
    status: str
    gateway: str | None
    amount_set: _Moneys
    receipt_json: Any


class _AllGivenBack(Node):
    nodes: list[_Transaction]


class _RefundedLine(Node):
    line_item: _Id
    quantity: Units
    restock_type: str
    subtotal_set: _Moneys
    total_tax_set: _Moneys


class _RefundedLines(Node):
    nodes: list[_RefundedLine]


class _RefundedShipping(Node):
    subtotal_amount_set: _Moneys
    tax_amount_set: _Moneys


class _RefundedShippings(Node):
    nodes: list[_RefundedShipping]


class _Refund(Node):
    id: str
    created_at: str
    note: str | None
    refund_line_items: _RefundedLines
    refund_shipping_lines: _RefundedShippings
    transactions: _AllGivenBack


class _Order(Node):
    id: str
    name: str
    currency_code: str
    created_at: str
    updated_at: str
    total_price_set: _Moneys
    total_tax_set: _Moneys | None
    taxes_included: bool
    display_financial_status: str | None
    line_items: _Lines
    shipping_lines: _Shippings
    cancelled_at: str | None
    presentment_currency_code: str
    total_tip_received_set: _Moneys | None
    original_total_duties_set: _Moneys | None
    original_total_additional_fees_set: _Moneys | None
    duties_included: bool
    custom_attributes: list[_Attribute]
    email: str | None
    phone: str | None
    po_number: str | None
    test: bool
    tax_exempt: bool
    customer: _Customer | None
    shipping_address: _Address | None
    billing_address: _Address | None
    purchasing_entity: _Purchaser | None
    fulfillments: list[_Fulfilment]
    refunds: list[_Refund]
    transactions: list[_Transaction]


class _Item(Node):
    id: str
    sku: str | None
    tracked: bool


class _Quantity(Node):
    name: str
    quantity: int


class _Level(Node):
    updated_at: str
    item: _Item
    location: _Id
    quantities: list[_Quantity]


class _Weight(Node):
    unit: Literal["GRAMS", "KILOGRAMS", "OUNCES", "POUNDS"]
    value: float


class _Measured(Node):
    weight: _Weight | None


class _Stocked(Node):
    id: str
    measurement: _Measured


class _SoldAs(Node):
    id: str
    sku: str | None
    title: str
    barcode: str | None
    price: str
    compare_at_price: str | None
    inventory_item: _Stocked


class _Variants(Node):
    nodes: list[_SoldAs]


class _Product(Node):
    id: str
    title: str
    status: str
    product_type: str
    updated_at: str
    variants: _Variants


_GRAMS = {"GRAMS": 1.0, "KILOGRAMS": 1_000.0, "OUNCES": 28.349523125, "POUNDS": 453.59237}


def number(gid: str) -> int:
    """The number at the end of a global id: gid://shopify/Order/42 gives 42, as webhooks call it."""
    text = gid.rpartition("/")[2].partition("?")[0]
    if not (text.isascii() and text.isdecimal()):
        raise Reject(f"{gid[:80]!r} is not an id such as gid://shopify/Order/42", "schema")
    return int(text)


def from_order(body: bytes, payment_system: str) -> list[Said]:
    return orders.statements(_payload(read(body, _Order)), payment_system)


def from_level(body: bytes) -> list[Said]:
    given = read(body, _Level)
    stated: dict[str, int | None] = {one.name: one.quantity for one in given.quantities}
    if "available" not in stated:
        raise Reject(f"the level of {given.item.id} states no `available`; it states: {', '.join(stated) or 'nothing'}", "schema")
    available = stated["available"] if given.item.tracked else None  # of what nobody counts it says 0, where a webhook says null
    return [level(number(given.item.id), number(given.location.id), available, given.updated_at, given.item.sku or "")]


def from_product(body: bytes, currency: str) -> list[Said]:
    given = read(body, _Product)
    sold = [_sold_as(one) for one in given.variants.nodes]
    told = Product(number(given.id), given.updated_at, given.status.lower(), given.title, given.product_type, sold)
    return product(told, currency)


def _sold_as(given: _SoldAs) -> SoldAs:
    stocked, weight = given.inventory_item, given.inventory_item.measurement.weight
    return SoldAs(
        id=number(given.id), price=given.price, sku=given.sku, title=given.title, inventory_item_id=number(stocked.id),
        barcode=given.barcode, compare_at_price=given.compare_at_price, grams=round(weight.value * _GRAMS[weight.unit]) if weight else 0,
    )  # fmt: skip


def _payload(node: _Order) -> orders.Payload:
    order = number(node.id)
    buyer, company = node.customer, node.purchasing_entity.company if node.purchasing_entity else None
    return orders.Payload(
        id=order,
        name=node.name,
        currency=node.currency_code,
        created_at=node.created_at,
        updated_at=node.updated_at,
        total_price=node.total_price_set.shop_money.amount,
        total_tax=_amount(node.total_tax_set),
        taxes_included=node.taxes_included,
        financial_status=node.display_financial_status,
        line_items=[_line(line) for line in node.line_items.nodes],
        shipping_lines=[_shipping(line) for line in node.shipping_lines.nodes],
        cancelled_at=node.cancelled_at,
        note_attributes=_notes(node),
        total_tip_received=_amount(node.total_tip_received_set),
        original_total_duties_set=_amounts(node.original_total_duties_set),
        original_total_additional_fees_set=_amounts(node.original_total_additional_fees_set),
        duties_included=node.duties_included,
        presentment_currency=node.presentment_currency_code,
        total_price_set=_amounts(node.total_price_set),
        email=node.email,
        phone=node.phone,
        customer=orders.Customer(number(buyer.id), buyer.first_name, buyer.last_name) if buyer else None,
        shipping_address=_address(node.shipping_address),
        billing_address=_address(node.billing_address),
        company=orders.Company(number(company.id)) if company else None,
        po_number=node.po_number,
        tax_exempt=node.tax_exempt,
        test=node.test,
        fulfillments=[_fulfilment(one, order) for one in node.fulfillments],
        refunds=[_refund(one, order) for one in node.refunds],
        transactions=[_transaction(one) for one in node.transactions],
    )


def _amount(given: _Moneys | None) -> str:
    return given.shop_money.amount if given else "0"


def _amounts(given: _Moneys | None) -> orders.Amounts | None:
    if given is None:
        return None
    shop, seen = given.shop_money, given.presentment_money
    return orders.Amounts(orders.Amount(shop.amount, shop.currency_code), orders.Amount(seen.amount, seen.currency_code) if seen else None)


def _notes(node: _Order) -> list[orders.Note]:
    """The attributes of the cart, and the payment that a transaction's receipt names where the cart does not."""
    notes = [orders.Note(one.key, one.value) for one in node.custom_attributes]
    paid = next(filter(None, (orders.payment_in(_receipt(one)) for one in node.transactions)), "")
    if paid and all(note.name != orders.PAYMENT_NOTE for note in notes):
        notes.append(orders.Note(orders.PAYMENT_NOTE, paid))
    return notes


def _receipt(transaction: _Transaction) -> Any:
    """Gateways leave a JSON object or its text."""
    if type(transaction.receipt_json) is not str:
        return transaction.receipt_json
    try:
        return msgspec.json.decode(transaction.receipt_json)
    except msgspec.DecodeError:
        return None


def _taxes(given: list[_Tax]) -> list[orders.TaxLine]:
    return [orders.TaxLine(_amount(one.price_set), one.channel_liable) for one in given]


def _offs(given: list[_Off]) -> list[orders.Allocation]:
    return [orders.Allocation(_amount(one.allocated_amount_set)) for one in given]


def _line(given: _Line) -> orders.LineItem:
    return orders.LineItem(
        id=number(given.id),
        quantity=given.quantity,
        price=_amount(given.original_unit_price_set),
        sku=given.sku,
        name=given.name,
        current_quantity=given.current_quantity,
        fulfillable_quantity=given.unfulfilled_quantity,
        requires_shipping=given.requires_shipping,
        gift_card=given.is_gift_card,
        tax_lines=_taxes(given.tax_lines),
        discount_allocations=_offs(given.discount_allocations),
    )


def _shipping(given: _Shipping) -> orders.ShippingLine:
    return orders.ShippingLine(
        _amount(given.original_price_set), given.title, given.is_removed, _taxes(given.tax_lines), _offs(given.discount_allocations)
    )


def _address(given: _Address | None) -> orders.PostalAddress | None:
    if given is None:
        return None
    return orders.PostalAddress(
        given.name, given.company, given.address1, given.address2, given.city, given.province, given.province_code, given.zip,
        given.country, given.phone,
    )  # fmt: skip


def _fulfilment(given: _Fulfilment, order: int) -> orders.Fulfilment:
    tracking = given.tracking_info
    return orders.Fulfilment(
        id=number(given.id),
        order_id=order,
        status=given.status,
        created_at=given.created_at,
        updated_at=given.updated_at,
        line_items=[orders.FulfilledLine(number(one.line_item.id), one.quantity) for one in given.fulfillment_line_items.nodes],
        shipment_status=given.display_status if given.status == "SUCCESS" else None,
        tracking_company=next((one.company for one in tracking if one.company), None),
        tracking_numbers=[one.number for one in tracking if one.number],
        location_id=number(given.location.id) if given.location else None,
    )


def _refund(given: _Refund, order: int) -> orders.Refund:
    lines = [_refunded(one) for one in given.refund_line_items.nodes]
    shipping = [
        orders.Adjustment("shipping_refund", f"-{_amount(one.subtotal_amount_set)}", f"-{_amount(one.tax_amount_set)}")
        for one in given.refund_shipping_lines.nodes
    ]
    return orders.Refund(
        id=number(given.id), order_id=order, created_at=given.created_at, note=given.note,
        refund_line_items=lines, order_adjustments=shipping, transactions=[_transaction(one) for one in given.transactions.nodes],
    )  # fmt: skip


def _transaction(given: _Transaction) -> orders.Transaction:
    paid = given.amount_set.shop_money
    return orders.Transaction(given.kind, given.status, paid.amount, paid.currency_code, _receipt(given), given.gateway or "")


def _refunded(given: _RefundedLine) -> orders.RefundedLine:
    return orders.RefundedLine(
        number(given.line_item.id), given.quantity, _amounts(given.subtotal_set), _amounts(given.total_tax_set), given.restock_type
    )
