"""Shopify: buyers order, staff cancel and refund; we set levels and prices, confirm parcels and cancel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mainstay.connectors.shopify import Shopify
from mainstay.contract.conformance import Dice, Subject, latest
from mainstay.contract.connector import Row, settings_of
from mainstay.model.commands import CancelOrder, Command, ConfirmFulfilment, SetLevel, SetPrice
from mainstay.model.money import minor
from mainstay.model.objects import UnitsOf
from mainstay.model.seen import FulfilmentSeen, OrderSeen, RefundSeen, Said, StockCounted
from mainstay.proof.drivers.sources import sources
from mainstay.twins.imitation import Weather
from mainstay.twins.shopify import ShopifyTwin

SHOP, LOCATION = "acme.myshopify.com", 7001
SETTINGS = {
    "shop": SHOP,
    "token": "shpat_twin",
    "webhook_secret": "shpss_twin",
    "currency": "EUR",
    "location": str(LOCATION),
    "page_rows": 5,
}
SKUS = {f"SKU-{n}": 1000 + n for n in range(6)}  # with their first prices
BUYER = {"name": "Ada Lovelace", "email": "ada@buyer.example", "street": "Seestr. 1", "city": "Zürich", "postcode": "8001", "country": "CH"}
PAID = {"authorized": "authorised", "paid": "captured", "partially_refunded": "part_refunded", "refunded": "refunded"}


class ShopifyDriver:
    stale_s: float | None = None  # the scheme signs no time

    def act(self, twin: ShopifyTwin, dice: Dice, now: int) -> None:
        live = [one for one in twin.orders.values() if not one["cancelled_at"]]
        throw = dice.random()
        if live and throw < 0.1:
            twin.cancel_order(live[dice.randrange(0, len(live))]["id"], now=now)
        elif live and throw < 0.25:
            order = live[dice.randrange(0, len(live))]
            twin.refund(order["id"], now=now, amount_minor=dice.randrange(1, 500))
        else:
            lines = [(f"SKU-{dice.randrange(0, 3)}", dice.randrange(1, 4)), (f"SKU-{dice.randrange(3, 6)}", 1)]
            paid = f"pi_{len(twin.orders)}" if dice.random() < 0.5 else None
            tax, discount = dice.randrange(0, 300), 70 * (len(twin.orders) % 4)
            twin.place_order(
                lines, now=now, customer=BUYER, payment_intent=paid, shipping_minor=490, tax_minor=tax, discount_minor=discount
            )

    def wish(self, twin: ShopifyTwin, dice: Dice) -> Command | None:
        sku, n = f"SKU-{dice.randrange(0, 6)}", dice.randrange(1, 10_000)
        variant, kind = twin.variants[sku], dice.randrange(0, 6)
        if kind < 3:
            return SetLevel(key="", sku=sku, item=str(variant.item), quantity=50 + n, revision=n)
        if kind == 3:
            return SetPrice(key="", sku=sku, item=str(variant.item), currency="EUR", price=2000 + n, revision=n)
        orders = [one for one in twin.orders.values() if not one["cancelled_at"]]
        if not orders:
            return None
        order = orders[dice.randrange(0, len(orders))]
        if kind == 4:
            return CancelOrder(key="", order=str(order["id"]), reason="customer")
        line = next((line for line in order["line_items"] if line["fulfillable_quantity"]), None)
        if line is None:
            return None
        units = (UnitsOf(str(line["id"]), 1),)
        return ConfirmFulfilment(
            key="", order=str(order["id"]), fulfilment="", lines=units, shipped_at=0, carrier="UPS", tracking=(f"1Z{n}",)
        )

    def natural(self, command: Command) -> str:
        if isinstance(command, SetLevel):
            return f"level {command.sku} {command.quantity}"
        if isinstance(command, SetPrice):
            return f"price {command.sku} {command.price}"
        if isinstance(command, CancelOrder):
            return f"cancel:{command.order}"
        assert isinstance(command, ConfirmFulfilment)
        return f"fulfilment:{command.order}:{list(command.tracking)}"

    def effects(self, twin: ShopifyTwin) -> Mapping[str, int]:
        levels = Counter(f"level {sku} {quantity}" for sku, quantity, _ in twin.level_history)
        return levels + Counter(f"price {sku} {price}" for sku, price, _ in twin.price_history) + twin.effects

    def truth(self, twin: ShopifyTwin) -> Mapping[str, object]:
        found: dict[str, object] = {}
        for one in twin.orders.values():
            found[f"order {one['id']}"] = (PAID[one["financial_status"]], bool(one["cancelled_at"]), minor(one["total_price"], "EUR"))
            found |= {f"parcel {parcel['id']}": _units(parcel) for parcel in one["fulfillments"]}
            found |= {f"refund {refund['id']}": minor(refund["transactions"][0]["amount"], "EUR") for refund in one["refunds"]}
        return found | {f"level {variant.item}": variant.quantity for variant in twin.variants.values()}

    def belief(self, said: Sequence[Said]) -> Mapping[str, object]:
        found: dict[str, object] = {}
        for event in latest(said).values():
            match event:
                case OrderSeen():
                    assert event.order.difference() == 0, "its lines make its total"
                    found[f"order {event.external}"] = (event.order.payment, event.order.cancelled_at is not None, event.order.total)
                case FulfilmentSeen():
                    found[f"parcel {event.external}"] = tuple((line.line, line.quantity) for line in event.lines)
                case RefundSeen():
                    found[f"refund {event.external}"] = event.amount
                case StockCounted():
                    found[f"level {event.item}"] = event.quantity
        return found

    def garble(self, row: Row) -> Row | None:
        order: dict[str, Any] = msgspec.json.decode(row.body)
        word = next((name for name in ("financial_status", "displayFinancialStatus") if name in order), None)
        return Row(row.topic, row.key, msgspec.json.encode(order | {word: "HOLOGRAM"})) if word else None


def _units(parcel: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    return tuple((str(line["id"]), line["quantity"]) for line in parcel["line_items"])


def _twin(dice: Dice, rates: Mapping[str, float]) -> ShopifyTwin:
    twin = ShopifyTwin(dice, Weather(rates), time_factor=1000.0, shop=SHOP, location=LOCATION)
    for sku, price in SKUS.items():
        twin.add_product(sku, f"Thing {sku}", price, 100)
    return twin


def subject() -> Subject:
    return Subject(
        name="shopify",
        connector=lambda: Shopify(settings_of(Shopify, SETTINGS)),
        twin=_twin,
        driver=ShopifyDriver(),
        sources=sources("shopify"),
    )
