"""Shopify before the conformance suite that every connector must pass."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from mainstay.connectors import shopify
from mainstay.connectors.shopify import Shopify
from mainstay.contract.conformance import CHECKS, Dice, Subject, examine, latest, report
from mainstay.contract.connector import Row, settings_of
from mainstay.model.commands import CancelOrder, Command, ConfirmFulfilment, SetLevel, SetPrice
from mainstay.model.money import minor
from mainstay.model.objects import UnitsOf
from mainstay.model.seen import FulfilmentSeen, OrderSeen, RefundSeen, Said
from mainstay.twins.imitation import Weather
from mainstay.twins.shopify import ShopifyTwin

SETTINGS = {
    "shop": "acme.myshopify.com", "token": "shpat_twin", "webhook_secret": "shpss_twin", "currency": "EUR", "location": "7001",
    "page_rows": 3,
}  # fmt: skip
PAID = {"authorized": "authorised", "paid": "captured", "partially_refunded": "part_refunded", "refunded": "refunded"}


class Driver:
    stale_s: float | None = None

    def act(self, twin: ShopifyTwin, dice: Dice, now: int) -> None:
        orders = list(twin.orders)
        if not orders or dice.random() < 0.6:
            lines = [(f"SKU-{dice.randrange(0, 8)}", 1 + dice.randrange(0, 3)) for _ in range(1 + dice.randrange(0, 3))]
            intent = f"pi_{len(orders)}" if dice.random() < 0.5 else None
            money = {
                "shipping_minor": dice.randrange(0, 900),
                "discount_minor": dice.randrange(0, 300),
                "tax_minor": dice.randrange(0, 900),
            }
            twin.place_order(lines, now=now, customer={"name": "Ada Lovelace"}, payment_intent=intent, **money)
        else:
            twin.refund(orders[dice.randrange(0, len(orders))], now=now, amount_minor=1 + dice.randrange(0, 50))

    def wish(self, twin: ShopifyTwin, dice: Dice) -> Command | None:
        variant, n = twin.variants[f"SKU-{dice.randrange(0, 8)}"], dice.randrange(50, 1000)
        kind = dice.randrange(0, 4)
        if kind == 0:
            return SetLevel(key="", sku=variant.sku, item=str(variant.item), quantity=n, revision=n)
        if kind == 1:
            return SetPrice(key="", sku=variant.sku, item=str(variant.item), currency="EUR", price=n, revision=n)
        still_open = [one for one in twin.orders.values() if any(line["fulfillable_quantity"] for line in one["line_items"])]
        if not still_open:
            return None
        order = still_open[dice.randrange(0, len(still_open))]
        if kind == 2:
            return CancelOrder(key="", order=str(order["id"]), reason="customer")
        line = next(line for line in order["line_items"] if line["fulfillable_quantity"])
        units = (UnitsOf(str(line["id"]), 1),)
        return ConfirmFulfilment(key="", order=str(order["id"]), fulfilment=f"f{n}", lines=units, shipped_at=0, tracking=(f"TRACK{n}",))

    def natural(self, command: Command) -> str:
        if isinstance(command, SetLevel):
            return f"level {command.sku} {command.quantity}"
        if isinstance(command, SetPrice):
            return f"price {command.sku} {command.price}"
        if isinstance(command, ConfirmFulfilment):
            return f"fulfilment:{command.order}:{list(command.tracking)}"
        assert isinstance(command, CancelOrder)
        return f"cancel:{command.order}"

    def effects(self, twin: ShopifyTwin) -> Mapping[str, int]:
        levels = Counter(f"level {sku} {quantity}" for sku, quantity, _ in twin.level_history)
        return levels + Counter(f"price {sku} {price}" for sku, price, _ in twin.price_history) + twin.effects

    def truth(self, twin: ShopifyTwin) -> Mapping[str, object]:
        found: dict[str, object] = {}
        for number, one in twin.orders.items():
            found[str(number)] = (PAID[one["financial_status"]], minor(one["total_price"], "EUR"), one["cancelled_at"] is not None)
            found |= {str(parcel["id"]): len(parcel["line_items"]) for parcel in one["fulfillments"]}
            found |= {str(back["id"]): minor(back["transactions"][0]["amount"], "EUR") for back in one["refunds"]}
        return found

    def belief(self, said: Sequence[Said]) -> Mapping[str, object]:
        found: dict[str, object] = {}
        for event in latest(said).values():
            if isinstance(event, OrderSeen):
                assert event.order.difference() == 0
                found[event.external] = (event.order.payment, event.order.total, event.order.cancelled_at is not None)
            if isinstance(event, FulfilmentSeen):
                found[event.external] = len(event.lines)
            if isinstance(event, RefundSeen):
                found[event.external] = event.amount
        return found

    def garble(self, row: Row) -> Row | None:
        word = {"graphql/order": "displayFinancialStatus", "orders/create": "financial_status"}.get(row.topic)
        body = msgspec.json.decode(row.body)
        return Row(row.topic, row.key, msgspec.json.encode(body | {word: "HOLOGRAM"})) if word else None


def shop(dice: Dice, rates: Mapping[str, float]) -> ShopifyTwin:
    twin = ShopifyTwin(dice, Weather(rates))
    for number in range(8):
        twin.add_product(f"SKU-{number}", f"Thing {number}", 1000 + number, 5000)
    return twin


SUBJECT = Subject(
    name="shopify",
    connector=lambda: Shopify(settings_of(Shopify, SETTINGS)),
    twin=shop,
    driver=Driver(),
    sources={path.name: path.read_text() for path in Path(shopify.__file__).parent.glob("*.py")},
)


@pytest.mark.parametrize("check", [check.name for check in CHECKS])
def test_conformance(check: str) -> None:
    verdicts = examine(SUBJECT, random.Random, only=[check])
    assert all(verdict.passed for verdict in verdicts), report(verdicts)
