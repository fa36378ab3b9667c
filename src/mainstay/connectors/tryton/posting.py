"""A sale or a return of ours as Tryton's sale: which lines it has, and which button comes next until it is shipped and invoiced.

Every amount stands in a line of its own, so that the invoice's total is the order's stated total to the cent:
- each order line is one line at the net of its units (price less discount, less the tax that the price holds) divided by their number,
  rounded down; what does not divide stands, for all lines together, in one line of quantity 1;
- shipping, tax, the marketplace's tax, duties, tip and adjustment are lines of service products (settings `products`).
Tryton computes no tax of its own on them: the source's tax is law.

A return is a sale of negative quantities: its goods come in by a return shipment, and its invoice is a credit note. Its lines are made in
the same way; what was given back beyond its parts, or less, stands on the adjustment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec import Struct, field

from mainstay.connectors.tryton import words
from mainstay.connectors.tryton.words import Exact, ours
from mainstay.contract.connector import Done
from mainstay.model.commands import PostReturn, PostSale
from mainstay.model.failures import Reject, Retry
from mainstay.model.money import minor

Booking = PostSale | PostReturn
MARK = "Mainstay"  # begins the description of our sales
RETURN_MARK = f"{MARK}/return"  # and that of our returns


class Parts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Codes of the service products, in Tryton, whose accounts take what is not goods."""

    shipping: str = "SHIPPING"
    tax: str = "TAX"
    facilitator_tax: str = "FACILITATOR-TAX"
    duties: str = "DUTIES"
    tip: str = "TIP"
    adjustment: str = "ADJUSTMENT"


class Line(NamedTuple):
    """A line of the sale to be: `price` is of one unit, in minor units."""

    code: str
    quantity: int
    price: int
    text: str


class Document(Struct):
    """A shipment or an invoice of a sale."""

    id: int
    state: str
    number: str | None = None


class Sale(Struct):
    id: int
    reference: str
    state: str
    total_amount: Exact
    shipments: list[Document] = field(name="shipments.")
    returns: list[Document] = field(name="shipment_returns.")
    invoices: list[Document] = field(name="invoices.")
    number: str | None = None
    warehouse: int = 0
    transfers: Sequence[Document] = ()  # what brings here what left elsewhere


class Sellable(Struct):
    """A product, and its unit for sales."""

    id: int
    code: str
    sale_uom: int | None


SALE_FIELDS = (
    "reference", "state", "number", "total_amount", "warehouse", "shipments.state", "shipments.number", "shipment_returns.state",
    "shipment_returns.number", "invoices.state", "invoices.number",
)  # fmt: skip


class Press(NamedTuple):
    """A button, with its model, to press on documents."""

    button: str
    ids: tuple[int, ...]


class Known(NamedTuple):
    """The ids of what a sale refers to. `warehouse` is for sales of which nothing better is known; `warehouses` are all, by the names that
    their stock is counted under; `products`: code -> (product, its unit for sales)."""

    company: int
    party: int
    address: int
    warehouse: int
    warehouses: dict[str, int]
    currencies: dict[str, int]
    products: dict[str, tuple[int, int]]


def lines(booking: Booking, parts: Parts) -> list[Line]:
    """The lines of the sale to be. Raises Reject, as `_sold` does."""
    return _sold(booking, parts) if isinstance(booking, PostSale) else _returned(booking, parts)


def _returned(back: PostReturn, parts: Parts) -> list[Line]:
    """The lines of a return: their sum is what was given back, as the source states it."""
    made: list[Line] = []
    undivided = taxed = 0
    for line in back.lines:
        price, rest = divmod(line.amount - (line.tax if back.taxes_included else 0), line.quantity)
        undivided += rest
        taxed += line.tax
        made.append(Line(line.sku, -line.quantity, price, line.title or line.sku))
    given = -sum(line.quantity * line.price for line in made) + taxed + back.shipping + undivided
    extras = (
        Line(parts.shipping, -1, back.shipping, "Shipping"),
        Line(parts.tax, -1, taxed, "Tax"),
        Line(parts.adjustment, -1, undivided, "What does not divide by the units"),
        Line(parts.adjustment, -1, back.total - given, "Given back beyond the goods"),
    )
    return made + [line for line in extras if line.price]


def _sold(sale: PostSale, parts: Parts) -> list[Line]:
    """The lines of a sale; Reject `totals_mismatch` where the command's parts are not its total."""
    made: list[Line] = []
    undivided = 0
    taxed = 0
    for line in sale.lines:
        net = line.price * line.quantity - line.discount - (line.tax if sale.taxes_included else 0)
        price, rest = divmod(net, line.quantity)
        undivided += rest
        taxed += line.tax
        made.append(Line(line.sku, line.quantity, price, line.title or line.sku))
    held = sale.tax - taxed if sale.taxes_included else 0  # the tax that the price of shipping holds
    extras = (
        Line(parts.shipping, 1, sale.shipping - sale.shipping_discount - held, "Shipping"),
        Line(parts.tax, 1, sale.tax, "Tax"),
        Line(parts.facilitator_tax, 1, sale.facilitator_tax, "Tax remitted by the marketplace"),
        Line(parts.duties, 1, sale.duties, "Duties"),
        Line(parts.tip, 1, sale.tip, "Tip"),
        Line(parts.adjustment, 1, sale.adjustment, "Adjustment"),
        Line(parts.adjustment, 1, undivided, "What does not divide by the units"),
    )
    made += (line for line in extras if line.price)
    total = sum(line.quantity * line.price for line in made)
    if total != sale.total:
        raise Reject(f"the parts of {sale.reference} sum to {total}, its stated total is {sale.total} (minor units)", "totals_mismatch")
    return made


def document(booking: Booking, made: Sequence[Line], known: Known) -> dict[str, Any]:
    """The values of the new sale; Reject `unknown_sku` or `currency` where Tryton lacks what it refers to."""
    missing = sorted({line.code for line in made} - known.products.keys())
    if missing:
        raise Reject(f"Tryton has no product with the code {', '.join(missing)}", "unknown_sku")
    if booking.currency not in known.currencies:
        raise Reject(f"Tryton has no currency {booking.currency}", "currency")
    mark, at, left = (
        (MARK, booking.placed_at, booking.location) if isinstance(booking, PostSale) else (RETURN_MARK, booking.returned_at, "")
    )
    return {
        "party": known.party,
        "company": known.company,
        "currency": known.currencies[booking.currency],
        "invoice_address": known.address,
        "shipment_address": known.address,
        "warehouse": known.warehouses.get(left, known.warehouse),
        "reference": booking.reference,
        "description": f"{mark} {booking.channel} {booking.number}",
        "sale_date": words.date(at),
        "invoice_method": "order",
        "shipment_method": "order",
        "lines": [["create", [_line(line, booking.currency, known) for line in made]]],
    }


def _line(line: Line, currency: str, known: Known) -> dict[str, Any]:
    product, unit = known.products[line.code]
    return {
        "type": "line",
        "product": product,
        "unit": unit,
        "quantity": line.quantity,
        "unit_price": words.exact(line.price, currency),
        "description": line.text,
    }


def step(sale: Sale, wanted: Booking) -> Press | Done:
    """What brings the sale on: first itself, then its shipments, then its invoices. Reject where no button of ours does."""
    stated = minor(sale.total_amount.decimal, wanted.currency)
    due = wanted.total if isinstance(wanted, PostSale) else -wanted.total
    if stated != due:
        raise Reject(f"sale {sale.number or sale.id} has a total of {stated} in Tryton, not {due} (minor units)", "totals_mismatch")
    button = ours(words.SALE_BUTTON, sale.state, "sale state")
    if button:
        return Press(f"sale.sale.{button}", (sale.id,))
    if button is None:
        raise Reject(f"sale {sale.number or sale.id} of {sale.reference} was {sale.state} in Tryton")
    for model, buttons, documents in (
        ("stock.shipment.internal", words.TRANSFER_BUTTON, sale.transfers),
        ("stock.shipment.out", words.SHIPMENT_BUTTON, sale.shipments),
        ("stock.shipment.out.return", words.RETURN_BUTTON, sale.returns),
        ("account.invoice", words.INVOICE_BUTTON, sale.invoices),
    ):
        if press := _press(model, buttons, documents):
            return press
    if not sale.invoices:
        raise Retry(f"Tryton still works on sale {sale.number}: it has no invoice yet")
    bill, moved = ("invoice", "shipment") if isinstance(wanted, PostSale) else ("credit_note", "return")  # each has numbers of its own
    goods = next(iter([*sale.shipments, *sale.returns]), None)
    numbers = {"sale": sale.number, bill: sale.invoices[0].number, moved: goods.number if goods else None}
    return Done({kind: number for kind, number in numbers.items() if number})


def _press(model: str, buttons: dict[str, str | None], documents: Sequence[Document]) -> Press | None:
    """The button of the first document that needs one, on all documents that need the same one."""
    due = [(ours(buttons, one.state, f"{model} state"), one) for one in documents]
    for button, one in due:
        if button is None:
            raise Reject(f"{model} {one.number or one.id} was {one.state} in Tryton")
        if button:
            return Press(f"{model}.{button}", tuple(other.id for wanted, other in due if wanted == button))
    return None
