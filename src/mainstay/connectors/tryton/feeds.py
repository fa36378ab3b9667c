"""What is read from Tryton, page by page.

Records that changed are found by `last_modified_at`. Its cursor is "since" between passes and "since/newest/last id" within one, in
microseconds: a pass walks through the window by id, and the next one begins where the newest change of this one was, less an overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime

import msgspec
from msgspec import Struct

from mainstay.connectors.tryton import transfers, words
from mainstay.connectors.tryton.posting import MARK
from mainstay.connectors.tryton.rpc import Rpc
from mainstay.connectors.tryton.statements import Invoice, Modified, Move, Named, OnHand, Product
from mainstay.contract.connector import ROWS_MAX, Page, Row
from mainstay.contract.talk import Reply, Talk, as_json
from mainstay.model.failures import Reject
from mainstay.model.times import MINUTE, SECOND

OVERLAP = 10 * MINUTE  # a record carries the moment of its transaction's beginning, and is seen after its end

_PLACE_FIELDS = ("type", "parent", "code")
_PRODUCT_FIELDS = ("code", "name", "list_price_used", "active", "last_modified_at", "template.last_modified_at")
_MOVE_FIELDS = ("product", "product.code", "internal_quantity", "from_location", "to_location", "origin", "shipment", "last_modified_at")
_INVOICE_FIELDS = (
    "number", "state", "total_amount", "tax_amount", "currency.code", "sales.reference", "sales.description", "sales.number",
    "last_modified_at",
)  # fmt: skip


class Place(Struct):
    """A location; warehouses are locations too, above those that they hold."""

    id: int
    type: str
    parent: int | None = None
    code: str | None = None

    def name(self) -> str:
        return self.code or str(self.id)


class _Moved(Modified):
    product: int


class _SaleLine(Struct):
    id: int
    sale: Named = msgspec.field(name="sale.")


def products(rpc: Rpc, cursor: str, hidden: list[str]) -> Talk[Page]:
    """Products with a code, archived ones too; not those that only take bookings (`hidden`)."""
    since = words.moment(_window(cursor)[0])
    changed = ["OR", ["last_modified_at", ">=", since], ["template.last_modified_at", ">=", since]]
    domain = [changed, ["code", "!=", None], ["code", "not in", hidden]]
    raws, onward, more = yield from _changed(rpc, "product.product", domain, _PRODUCT_FIELDS, cursor, active_test=False)
    found = ((msgspec.json.decode(raw, type=Product), raw) for raw in raws)
    return Page(tuple(Row("product", f"{product.id}@{product.changed()}", bytes(raw)) for product, raw in found), onward, more)


def levels(rpc: Rpc, cursor: str) -> Talk[Page]:
    """All products, by id, page by page; the cursor is the last id of the page before. A pass over, the next one begins.

    A count speaks of the moment before it was read: the server's second, or the last move that it had seen in that second. What moved while
    it was read is left out: its count may hold the move or not, and the move is told by itself.
    """
    raws, reply = yield from rpc.rows("stock.location", [["type", "=", "warehouse"]], _PLACE_FIELDS)
    warehouses = [msgspec.json.decode(raw, type=Place) for raw in raws]
    second = _server_second(reply)
    just_now = [["state", "=", "done"], ["last_modified_at", ">=", words.moment(second - OVERLAP)]]
    moves = yield from rpc.search("stock.move", just_now, ("product", "last_modified_at"), _Moved)
    at = max([second, *(move.last_modified_at.micros() for move in moves)])
    domain = [["id", ">", int(cursor or "0")], ["type", "=", "goods"], ["code", "!=", None]]
    found: list[tuple[Place, int, msgspec.Raw]] = []
    more = False
    for place in warehouses:
        raws, _ = yield from rpc.rows("product.product", domain, ("code", "quantity"), ROWS_MAX, locations=[place.id])
        found += [(place, msgspec.json.decode(raw, type=OnHand).id, raw) for raw in raws]
        more = more or len(raws) == ROWS_MAX
    now = yield from rpc.search("stock.move", just_now, ("product", "last_modified_at"), _Moved)
    moving = {move.product for move in now if move not in moves}
    rows = [
        Row("level", f"{product}/{place.name()}@{at}", _wrapped(raw, "level", at=at, warehouse=place.name()))
        for place, product, raw in found
        if product not in moving
    ]
    return Page(tuple(rows), str(max(product for _, product, _ in found)) if more else "", more)


def moves(rpc: Rpc, cursor: str) -> Talk[Page]:
    """What done moves did to warehouses; those inside one warehouse did nothing, and those of our sales, or made for one, are no news."""
    domain = [["state", "=", "done"], ["last_modified_at", ">=", words.moment(_window(cursor)[0])]]
    raws, onward, more = yield from _changed(rpc, "stock.move", domain, _MOVE_FIELDS, cursor)
    found = [(msgspec.json.decode(raw, type=Move), raw) for raw in raws]
    known = (yield from rpc.search("stock.location", [], _PLACE_FIELDS, Place, active_test=False)) if found else []
    places = {place.id: place for place in known}
    ends = {move.id: (_warehouse(move.from_location, places), _warehouse(move.to_location, places)) for move, _ in found}
    found = [(move, raw) for move, raw in found if len({*ends[move.id]}) == 2]
    ours = yield from _our_lines(rpc, (move.origin for move, _ in found))
    ours |= yield from transfers.ours(rpc, (move.shipment for move, _ in found))
    rows: list[Row] = []
    for move, raw in found:
        if not ours.isdisjoint((move.origin, move.shipment)):
            continue
        source, target = ends[move.id]
        for here, other, sign in ((source, move.to_location, -1), (target, move.from_location, 1)):
            if here:
                place = places[other].type if other in places else ""
                rows.append(Row("move", f"{move.id}/{here}", _wrapped(raw, "move", warehouse=here, sign=sign, place=place)))
    return Page(tuple(rows), onward, more)


def invoices(rpc: Rpc, cursor: str) -> Talk[Page]:
    """Invoices of our sales."""
    domain = [["type", "=", "out"], ["last_modified_at", ">=", words.moment(_window(cursor)[0])]]
    raws, onward, more = yield from _changed(rpc, "account.invoice", domain, _INVOICE_FIELDS, cursor)
    found = ((msgspec.json.decode(raw, type=Invoice), raw) for raw in raws)
    ours = ((invoice, raw) for invoice, raw in found if any(_is_ours(sale) for sale in invoice.sales))
    return Page(tuple(Row("invoice", f"{one.id}@{one.last_modified_at.micros()}", bytes(raw)) for one, raw in ours), onward, more)


def _changed(
    rpc: Rpc, model: str, domain: list[object], fields: tuple[str, ...], cursor: str, **context: bool
) -> Talk[tuple[list[msgspec.Raw], str, bool]]:
    """The next page of the window, the cursor after it, and whether more follow."""
    since, newest, last = _window(cursor)
    raws, _ = yield from rpc.rows(model, [*domain, ["id", ">", last]], fields, ROWS_MAX, **context)
    stamps = [msgspec.json.decode(raw, type=Modified) for raw in raws]
    newest = max([newest, *(stamp.last_modified_at.micros() for stamp in stamps)])
    if len(raws) == ROWS_MAX:
        return raws, f"{since}/{newest}/{stamps[-1].id}", True
    return raws, str(max(since, newest - OVERLAP)), False


def _our_lines(rpc: Rpc, origins: Iterable[str | None]) -> Talk[set[str]]:
    """Which of the origins of moves are lines of sales that we posted."""
    lines = [int(origin.removeprefix("sale.line,")) for origin in origins if origin and origin.startswith("sale.line,")]
    if not lines:
        return set()
    named = yield from rpc.search("sale.line", [["id", "in", lines]], ("sale.reference", "sale.description"), _SaleLine)
    return {f"sale.line,{line.id}" for line in named if _is_ours(line.sale)}


def _is_ours(sale: Named) -> bool:
    return bool(sale.reference) and (sale.description or "").startswith(f"{MARK} ")


def _window(cursor: str) -> tuple[int, int, int]:
    since, newest, last = (*(cursor or "0").split("/"), "0", "0")[:3]
    return int(since), int(newest), int(last)


def _server_second(reply: Reply) -> int:
    """The beginning of the second, in microseconds, in which the server answered."""
    stated = reply.headers.get("date", "")
    try:
        return int(parsedate_to_datetime(stated).timestamp()) * SECOND
    except ValueError:
        raise Reject(f"the answer does not state when it was given: Date is {stated!r}", "time") from None


def _warehouse(place: int | None, places: Mapping[int, Place]) -> str:
    """The name of the warehouse that a location stands in; "" for one that stands in none."""
    while place is not None and place in places:
        if places[place].type == "warehouse":
            return places[place].name()
        place = places[place].parent
    return ""


def _wrapped(raw: msgspec.Raw, name: str, **more: str | int) -> bytes:
    """The record as it came, with what we know of it."""
    return as_json({**more, name: raw})
