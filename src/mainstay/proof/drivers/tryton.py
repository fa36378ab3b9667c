"""Tryton: people at the ERP edit products, move stock and take payments; we post sales and returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from mainstay.connectors.tryton import Tryton
from mainstay.contract.conformance import Dice, Subject, latest
from mainstay.contract.connector import Row, settings_of
from mainstay.model.commands import Command, LeftFrom, OrderLine, PostReturn, PostSale, ReturnedLine
from mainstay.model.seen import InvoiceSeen, ProductSeen, Said, StockCounted, StockMoved
from mainstay.model.times import micros
from mainstay.proof.drivers.sources import sources
from mainstay.twins.imitation import Weather
from mainstay.twins.tryton import CUSTOMER, HOME, TrytonTwin

SETTINGS = {"url": "https://erp.example", "database": "shop", "login": "mainstay", "password": "twin-password"}
PLACED = micros("2026-03-02T09:00:00Z")
PLACES = (HOME, "EAST")  # its warehouses
SKUS = {f"SKU-{n}": 1000 + n for n in range(6)}


class TrytonDriver:
    stale_s: float | None = None  # it sends no webhooks

    def act(self, twin: TrytonTwin, dice: Dice, now: int) -> None:
        sku, throw = f"SKU-{dice.randrange(0, 6)}", dice.random()
        posted = [name for name, total in twin.totals().items() if total]
        if throw < 0.2:
            twin.rename(sku, f"Thing {dice.randrange(0, 1000)}", now)
        elif throw < 0.3:
            twin.add_product(f"NEW-{len(twin.books['product.product'])}", dice.randrange(0, 20), dice.randrange(100, 9999), now)
        elif throw < 0.5 and posted:
            twin.pay(posted[dice.randrange(0, len(posted))], now)
        elif throw < 0.6:
            self._transfer(twin, sku, dice, now)
        else:
            twin.move(
                sku, dice.randrange(-3, 10) or 1, "supplier" if dice.random() < 0.5 else "inventory", now, PLACES[dice.randrange(0, 2)]
            )

    def _transfer(self, twin: TrytonTwin, sku: str, dice: Dice, now: int) -> None:
        """Units go from one warehouse to the other, or arrive there, not always all of them."""
        theirs = ((number, one) for number, one in twin.books["stock.shipment.internal"].items() if not one["reference"])
        under_way = [number for number, one in theirs if one["state"] == "shipped"]
        if under_way and dice.random() < 0.6:
            twin.arrive(under_way[0], dice.randrange(1, 3), now)
        else:
            here = dice.randrange(0, 2)
            twin.send(sku, 2, PLACES[here], PLACES[1 - here], now)

    def wish(self, twin: TrytonTwin, dice: Dice) -> Command | None:
        n = dice.randrange(1, 100_000)
        sku = f"SKU-{n % 6}"
        line = OrderLine(id="1", sku=sku, quantity=1 + n % 4, price=SKUS[sku], discount=n % 7, title=sku)
        goods, shipping, tax = line.price * line.quantity - line.discount, n % 500, n % 90
        if n % 5 == 0:
            back = ReturnedLine(id="1", sku=sku, quantity=line.quantity, amount=goods, tax=tax, title=sku)
            return PostReturn(
                key="", reference=f"ord-{n}.return.7", number=f"#{n}", channel="web", currency="EUR", returned_at=PLACED, lines=(back,),
                shipping=shipping, total=goods + tax + n % 3,
            )  # fmt: skip
        here, there = PLACES[n % 2], PLACES[1 - n % 2]
        elsewhere = (LeftFrom(line="1", location=there, quantity=1),) if n % 7 == 0 else ()
        return PostSale(
            key="", reference=f"ord-{n}", number=f"#{n}", channel="web", currency="EUR", placed_at=PLACED, shipped_at=PLACED, lines=(line,),
            shipping=shipping, tax=tax, total=goods + shipping + tax, location=here, elsewhere=elsewhere,
        )  # fmt: skip

    def natural(self, command: Command) -> str:
        assert isinstance(command, PostSale | PostReturn)
        return command.reference

    def effects(self, twin: TrytonTwin) -> Mapping[str, int]:
        """A sale is through when it was invoiced."""
        return Counter(reference for kind, reference, what in twin.effects if (kind, what) == ("invoice", "posted"))

    def truth(self, twin: TrytonTwin) -> Mapping[str, object]:
        found: dict[str, object] = {}
        for number, product in twin.books["product.product"].items():
            if product["type"] == "goods":
                found[f"product {number}"] = (product["code"], product["name"], _minor(product["list_price_used"]))
                found |= {f"level {number}/{place}": twin.on_hand(product["code"], place) for place in twin.warehouses}
        internal = twin.books["stock.shipment.internal"]
        brought = {f"stock.shipment.internal,{number}" for number, one in internal.items() if one["reference"]}
        for number, move in twin.books["stock.move"].items():
            origin = move["origin"] or ""
            sold = (origin.startswith("sale.line,") and move["from_location"] != CUSTOMER) or move["shipment"] in brought
            if sold or origin.startswith("stock.move,") or move["state"] != "done":
                continue
            for place, zones in twin.warehouses.items():
                sign = (move["to_location"] in zones) - (move["from_location"] in zones)
                if sign:
                    found[f"move {number}/{place}"] = (str(move["product"]), sign * int(move["internal_quantity"]))
        for number, invoice in twin.books["account.invoice"].items():
            if invoice["total_amount"] < 0:
                continue  # the credit note of a return: nothing that an order waits for
            found[f"invoice {number}"] = ("draft" if invoice["state"] == "validated" else invoice["state"], _minor(invoice["total_amount"]))
        return found

    def belief(self, said: Sequence[Said]) -> Mapping[str, object]:
        found: dict[str, object] = {}
        for event in latest(said).values():
            match event:
                case ProductSeen():
                    found[f"product {event.external}"] = (event.variants[0].sku, event.title, event.variants[0].price)
                case StockCounted():
                    found[f"level {event.item}/{event.location}"] = event.quantity
                case StockMoved():
                    found[f"move {event.external}"] = (event.item, event.delta)
                case InvoiceSeen():
                    found[f"invoice {event.external}"] = (event.state, event.total)
        return found

    def garble(self, row: Row) -> Row | None:
        if row.topic != "invoice":
            return None
        return Row(row.topic, row.key, msgspec.json.encode(msgspec.json.decode(row.body) | {"state": "hologram"}))


def _minor(amount: Decimal) -> int:
    return int(amount.scaleb(2))


def _twin(dice: Dice, rates: Mapping[str, float]) -> TrytonTwin:
    twin = TrytonTwin(dice, Weather(rates), time_factor=1000.0, password="twin-password", warns=dice.random() < 0.5)
    twin.open_warehouse(PLACES[1])
    for sku, price in SKUS.items():
        twin.add_product(sku, 10_000, price, PLACED)
        twin.move(sku, 10_000, "supplier", PLACED, PLACES[1])
    return twin


def subject() -> Subject:
    return Subject(
        name="tryton", connector=lambda: Tryton(settings_of(Tryton, SETTINGS)), twin=_twin, driver=TrytonDriver(), sources=sources("tryton")
    )
