"""Of a sale that left from several warehouses: Tryton ships it from one, so what left elsewhere is brought there first, by an internal
shipment from each of the others. Its reference is ours: by it it is found again after a lost answer, and known by the feed of moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from mainstay.connectors.tryton.posting import MARK, Document, Sale, Sellable
from mainstay.connectors.tryton.rpc import Rpc
from mainstay.contract.talk import Call, Repeat, Talk
from mainstay.model.commands import PostSale
from mainstay.model.failures import Reject

INTERNAL = "stock.shipment.internal,"  # how a move names one


class _Transfer(Document, kw_only=True):
    reference: str
    from_location: int


class _Reference(Struct):
    id: int


class _Warehouse(Struct):
    id: int
    code: str | None
    storage_location: int | None


def attach(rpc: Rpc, sales: Mapping[str, Sale], wanted: Mapping[str, PostSale]) -> Talk[dict[str, Reject]]:
    """Give each of these sales its internal shipments, which are made where they are not there yet; what was refused, by reference."""
    found = yield from rpc.search("stock.location", [["type", "=", "warehouse"]], ("code", "storage_location"), _Warehouse)
    shelves = {place.code or str(place.id): place.storage_location for place in found if place.storage_location}
    homes = {place.id: place.storage_location for place in found}
    made = yield from _made(rpc, sales)
    missing: dict[str, dict[int, dict[str, int]]] = {}
    for name, sale in sales.items():
        there = {one.from_location for one in made if one.reference == _reference(name)}
        due = {place: units for place, units in _due(wanted[name], shelves, homes.get(sale.warehouse)).items() if place not in there}
        if due:
            missing[name] = due
    refused: dict[str, Reject] = {}
    if missing:
        codes = sorted({sku for due in missing.values() for units in due.values() for sku in units})
        stocked = yield from rpc.search("product.product", [["code", "in", codes]], ("code", "sale_uom"), Sellable)
        products = {one.code: one for one in stocked}

        def creation(names: list[str]) -> Call:
            documents = [one for name in names for one in _documents(rpc, name, missing[name], homes[sales[name].warehouse], products)]
            return rpc.on("stock.shipment.internal.create", documents, repeat=Repeat.LOOKUP)

        refused = yield from rpc.each(list(missing), creation)
        made = yield from _made(rpc, sales)
    for name, sale in sales.items():
        sale.transfers = [one for one in made if one.reference == _reference(name)]
    return refused


def ours(rpc: Rpc, shipments: Iterable[str | None]) -> Talk[set[str]]:
    """Which of the shipments of moves are internal ones that we made."""
    numbers = sorted({int(one.removeprefix(INTERNAL)) for one in shipments if one and one.startswith(INTERNAL)})
    domain = [["id", "in", numbers], ["reference", "like", f"{MARK} %"]]
    found = (yield from rpc.search("stock.shipment.internal", domain, ("reference",), _Reference)) if numbers else []
    return {f"{INTERNAL}{one.id}" for one in found}


def _reference(sale: str) -> str:
    return f"{MARK} {sale}"


def _made(rpc: Rpc, sales: Iterable[str]) -> Talk[list[_Transfer]]:
    domain = [["reference", "in", [_reference(name) for name in sales]], ["state", "!=", "cancelled"]]
    fields = ("reference", "from_location", "state", "number")
    return (yield from rpc.search("stock.shipment.internal", domain, fields, _Transfer))


def _due(sale: PostSale, shelves: Mapping[str, int], home: int | None) -> dict[int, dict[str, int]]:
    """Units by SKU that are to come from each shelf; none from where Tryton has no shelf, or from the sale's own."""
    skus, due = {line.id: line.sku for line in sale.lines}, dict[int, dict[str, int]]()
    for one in sale.elsewhere:
        shelf = shelves.get(one.location)
        if shelf is not None and shelf != home and one.line in skus:
            units = due.setdefault(shelf, {})
            units[skus[one.line]] = units.get(skus[one.line], 0) + one.quantity
    return due


def _documents(
    rpc: Rpc, name: str, due: Mapping[int, Mapping[str, int]], home: int | None, products: Mapping[str, Sellable]
) -> list[dict[str, Any]]:
    """The values of a sale's internal shipments."""
    return [
        {
            "company": rpc.company, "reference": _reference(name), "from_location": shelf, "to_location": home,
            "moves": [["create", [
                {"product": products[sku].id, "unit": products[sku].sale_uom, "quantity": count, "company": rpc.company,
                 "from_location": shelf, "to_location": home}
                for sku, count in units.items() if sku in products
            ]]],
        }
        for shelf, units in due.items()
    ]  # fmt: skip
