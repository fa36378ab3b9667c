"""Tryton's products, levels, moves and invoices as statements of ours. Shapes hold the needed fields only."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct, field

from mainstay.connectors.tryton.words import INVOICE_STATE, PLACE, Exact, Moment, ours
from mainstay.model import identity
from mainstay.model.failures import Reject
from mainstay.model.money import minor
from mainstay.model.objects import Reference, Variant
from mainstay.model.seen import InvoiceSeen, ProductSeen, StockCounted, StockMoved


class Modified(Struct):
    """Any record, with when it last changed."""

    id: int
    last_modified_at: Moment


class Product(Struct):
    id: int
    code: str
    name: str
    list_price_used: Exact | None  # the variant's own price, or its template's
    active: bool | int
    last_modified_at: Moment
    template: Modified = field(name="template.")

    def changed(self) -> int:
        return max(self.last_modified_at.micros(), self.template.last_modified_at.micros())


class OnHand(Struct):
    id: int
    code: str
    quantity: Decimal


class Level(Struct):
    """A row of the feed of levels: what the server held at `at`, in microseconds."""

    at: int
    warehouse: str
    level: OnHand


class Coded(Struct):
    code: str


class Named(Struct):
    """A sale, as an invoice or a line names it."""

    reference: str | None = None
    description: str | None = None
    number: str | None = None


class Move(Struct):
    id: int
    product: int
    internal_quantity: Decimal  # in the product's own unit
    from_location: int
    to_location: int
    last_modified_at: Moment
    product_: Coded = field(name="product.")
    origin: str | None = None
    shipment: str | None = None


class Change(Struct):
    """A row of the feed of moves: what a move did to one warehouse."""

    warehouse: str
    sign: int  # 1: came, -1: went
    place: str  # the kind of place at the other end
    move: Move


class Invoice(Struct):
    id: int
    state: str
    total_amount: Exact
    tax_amount: Exact
    last_modified_at: Moment
    currency: Coded = field(name="currency.")
    sales: list[Named] = field(name="sales.")
    number: str | None = None


def product_seen(product: Product, currency: str) -> ProductSeen:
    price = minor(product.list_price_used.decimal, currency) if product.list_price_used else None
    number, at = str(product.id), product.changed()
    return ProductSeen(
        external=number,
        version=at,
        at=at,
        title=product.name,
        variants=(Variant(id=number, item=number, sku=identity.sku(product.code), title=product.name, price=price),),
        currency=currency,
        status="active" if product.active else "archived",
    )


def level_seen(row: Level) -> StockCounted:
    return StockCounted(
        external=f"{row.level.id}/{row.warehouse}",
        version=row.at,
        at=row.at,
        item=str(row.level.id),
        sku=identity.sku(row.level.code),
        quantity=_whole(row.level.quantity, row.level.code),
        location=row.warehouse,
    )


def change_seen(row: Change) -> StockMoved:
    move = row.move
    at = move.last_modified_at.micros()
    return StockMoved(
        external=f"{move.id}/{row.warehouse}",
        version=at,
        at=at,
        item=str(move.product),
        sku=identity.sku(move.product_.code),
        delta=row.sign * _whole(move.internal_quantity, move.product_.code),
        location=row.warehouse,
        reason=ours(PLACE, row.place, "location type"),
    )


def invoice_seen(invoice: Invoice) -> InvoiceSeen:
    sale = next((sale for sale in invoice.sales if sale.reference), None)
    if sale is None or sale.reference is None:
        raise Reject(f"invoice {invoice.number or invoice.id} is of no sale with a reference", "not_business")
    at = invoice.last_modified_at.micros()
    numbers = {"sale": sale.number, "invoice": invoice.number}
    return InvoiceSeen(
        external=str(invoice.id),
        version=at,
        at=at,
        of=Reference("order", sale.reference, "mainstay"),
        aliases=tuple(Reference(kind, number) for kind, number in numbers.items() if number),
        currency=invoice.currency.code,
        total=minor(invoice.total_amount.decimal, invoice.currency.code),
        tax=minor(invoice.tax_amount.decimal, invoice.currency.code),
        state=ours(INVOICE_STATE, invoice.state, "invoice state"),
        number=invoice.number or "",
    )


DIGITS_MAX = 12  # of a number of units


def _whole(quantity: Decimal, code: str) -> int:
    """Units are whole here; a product that is sold by weight or length does not belong in the feed."""
    if not quantity.is_finite() or quantity.adjusted() > DIGITS_MAX or quantity != int(quantity):  # 1E+999999999 would take all memory
        raise Reject(f"{str(quantity)[:40]} of {code[:120]} is no whole number of units", "out_of_range")
    return int(quantity)
