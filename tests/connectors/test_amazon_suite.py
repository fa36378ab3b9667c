"""Amazon before the conformance suite that every connector must pass."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from mainstay.connectors import amazon
from mainstay.connectors.amazon import Amazon
from mainstay.connectors.amazon.shipments import package_reference
from mainstay.contract.conformance import CHECKS, Dice, Subject, examine, latest, report
from mainstay.contract.connector import Row, settings_of
from mainstay.model.commands import Command, ConfirmFulfilment, SetLevel, SetPrice
from mainstay.model.money import minor
from mainstay.model.objects import UnitsOf
from mainstay.model.seen import FulfilmentSeen, OrderSeen, Said
from mainstay.twins.amazon import AmazonTwin
from mainstay.twins.imitation import Weather

SETTINGS = {
    "seller": "A3TH9S8BH6GOGM", "marketplace": "A1PA6795UKMFR9", "client": "amzn1.client", "client_secret": "amzn-secret",
    "refresh_token": "Atzr|twin", "queue_url": "https://sqs.eu-west-1.amazonaws.com/1234/orders", "access_key": "AKIATWIN",
    "secret_key": "sqs-secret", "url": "https://sellingpartner.example",
}  # fmt: skip
LISTINGS = 120  # enough that some batches go as a feed
PAID = {"UNSHIPPED": "captured", "PARTIALLY_SHIPPED": "captured", "SHIPPED": "captured", "CANCELLED": "voided"}


class Driver:
    stale_s: float | None = None

    def act(self, twin: AmazonTwin, dice: Dice, now: int) -> None:
        untouched = [name for name, one in twin.orders.items() if one["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"]
        if not untouched or dice.random() < 0.7:
            lines = [(f"SKU-{dice.randrange(0, 20)}", 1 + dice.randrange(0, 3)) for _ in range(1 + dice.randrange(0, 3))]
            money = {
                "shipping_minor": dice.randrange(0, 900),
                "discount_minor": dice.randrange(0, 300),
                "tax_minor": dice.randrange(0, 900),
            }
            twin.place_order(lines, now=now, buyer={"name": "Ada Lovelace"}, facilitator=dice.random() < 0.5, **money)
        else:
            twin.cancel_order(untouched[dice.randrange(0, len(untouched))], now=now)

    def wish(self, twin: AmazonTwin, dice: Dice) -> Command | None:
        sku, n = f"SKU-{dice.randrange(0, LISTINGS)}", dice.randrange(50, 1000)
        kind = len(twin.orders) % 4  # the same for all wishes of one batch, so that it may be long enough for a feed
        if kind < 2:
            return SetLevel(key="", sku=sku, item=sku, quantity=n, revision=n)
        if kind == 2:
            return SetPrice(key="", sku=sku, item=sku, currency="EUR", price=n, revision=n)
        items = [
            (order, item) for order in twin.orders.values() for item in order["orderItems"] if item["fulfillment"]["quantityUnfulfilled"]
        ]
        if not items:
            return None
        order, item = items[dice.randrange(0, len(items))]
        units = (UnitsOf(item["orderItemId"], 1),)
        return ConfirmFulfilment(key="", order=order["orderId"], fulfilment=f"f{n}", lines=units, shipped_at=0, tracking=(f"TRACK{n}",))

    def natural(self, command: Command) -> str:
        if isinstance(command, SetLevel):
            return f"level {command.sku} {command.quantity}"
        if isinstance(command, SetPrice):
            return f"price {command.sku} {command.price}"
        assert isinstance(command, ConfirmFulfilment)
        return f"package:{command.order}:{package_reference(command.fulfilment)}"

    def effects(self, twin: AmazonTwin) -> Mapping[str, int]:
        levels = Counter(f"level {sku} {quantity}" for sku, quantity, _ in twin.level_history)
        return levels + Counter(f"price {sku} {price}" for sku, price, _ in twin.price_history) + twin.effects

    def truth(self, twin: AmazonTwin) -> Mapping[str, object]:
        found: dict[str, object] = {}
        for name, one in twin.orders.items():
            total = minor(one["proceeds"]["grandTotal"]["amount"], "EUR")
            found[name] = (PAID[one["fulfillment"]["fulfillmentStatus"]], total)
            found |= {f"{name}/{package['packageReferenceId']}": package["trackingNumber"] for package in one["packages"]}
        return found

    def belief(self, said: Sequence[Said]) -> Mapping[str, object]:
        found: dict[str, object] = {}
        for event in latest(said).values():
            if isinstance(event, OrderSeen):
                assert event.order.difference() == 0
                found[event.external] = (event.order.payment, event.order.total)
            if isinstance(event, FulfilmentSeen):
                found[event.external] = event.tracking[0]
        return found

    def garble(self, row: Row) -> Row | None:
        body = msgspec.json.decode(row.body)
        if row.topic != "order":
            return None
        return Row(row.topic, row.key, msgspec.json.encode(body | {"fulfillment": {"fulfillmentStatus": "HOLOGRAM"}}))


def account(dice: Dice, rates: Mapping[str, float]) -> AmazonTwin:
    twin = AmazonTwin(dice, Weather(rates), 1000.0)
    for number in range(LISTINGS):
        twin.add_listing(f"SKU-{number}", 1000 + number, 5000)
    return twin


SUBJECT = Subject(
    name="amazon",
    connector=lambda: Amazon(settings_of(Amazon, SETTINGS)),
    twin=account,
    driver=Driver(),
    sources={path.name: path.read_text() for path in Path(amazon.__file__).parent.glob("*.py")},
)


@pytest.mark.parametrize("check", [check.name for check in CHECKS])
def test_conformance(check: str) -> None:
    verdicts = examine(SUBJECT, random.Random, only=[check])
    assert all(verdict.passed for verdict in verdicts), report(verdicts)
