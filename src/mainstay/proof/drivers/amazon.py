"""Amazon: buyers order and cancel; we set levels and prices and confirm parcels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mainstay.connectors.amazon import Amazon
from mainstay.connectors.amazon.shipments import package_reference
from mainstay.contract.conformance import Dice, Subject, latest
from mainstay.contract.connector import Row, settings_of
from mainstay.model.commands import Command, ConfirmFulfilment, SetLevel, SetPrice
from mainstay.model.money import minor
from mainstay.model.objects import UnitsOf
from mainstay.model.seen import FulfilmentSeen, OrderSeen, Said
from mainstay.proof.drivers.sources import sources
from mainstay.twins.amazon import AmazonTwin
from mainstay.twins.imitation import Weather

SETTINGS = {
    "seller": "A3TH9S8BH6GOGM", "marketplace": "A1PA6795UKMFR9", "client": "amzn1.client", "client_secret": "amzn-secret",
    "refresh_token": "Atzr|twin", "queue_url": "https://sqs.eu-west-1.amazonaws.com/000000000000/mainstay", "access_key": "AKIATWIN",
    "secret_key": "sqs-secret", "url": "https://sellingpartner.example", "auth_url": "https://sellingpartner.example",
}  # fmt: skip
SKUS = {f"SKU-{n}": 1000 + n for n in range(120)}  # with their first prices; enough that some batches go as a feed
BUYER = {
    "name": "Ada Lovelace",
    "email": "ada@buyer.example",
    "street": "Seestr. 1",
    "city": "Berlin",
    "postcode": "10115",
    "country": "DE",
}
PAID = {"PENDING": "pending", "UNSHIPPED": "captured", "PARTIALLY_SHIPPED": "captured", "SHIPPED": "captured", "CANCELLED": "voided"}


class AmazonDriver:
    stale_s: float | None = None  # nothing is delivered: the queue is read

    def act(self, twin: AmazonTwin, dice: Dice, now: int) -> None:
        untouched = _untouched(twin)
        if untouched and dice.random() < 0.15:
            twin.cancel_order(untouched[dice.randrange(0, len(untouched))], now=now)
            return
        lines = [(f"SKU-{dice.randrange(0, 20)}", dice.randrange(1, 4)), (f"SKU-{dice.randrange(20, 40)}", 1)]
        tax, discount = dice.randrange(0, 300), dice.randrange(0, 100)
        remits = dice.random() < 0.5
        twin.place_order(
            lines, now=now, buyer=BUYER, facilitator=remits, shipping_minor=490, tax_minor=tax, discount_minor=discount
        )  # fmt: skip

    def wish(self, twin: AmazonTwin, dice: Dice) -> Command | None:
        sku, n = f"SKU-{dice.randrange(0, len(SKUS))}", dice.randrange(1, 10_000)
        kind = len(twin.orders) % 4  # the same for all wishes of one batch, so that some are long enough for a feed
        if kind < 2:
            return SetLevel(key="", sku=sku, item=sku, quantity=50 + n, revision=n)
        if kind == 2:
            return SetPrice(key="", sku=sku, item=sku, currency="EUR", price=2000 + n, revision=n)
        still_open = [
            (name, item) for name, one in twin.orders.items() for item in one["orderItems"] if item["fulfillment"]["quantityUnfulfilled"]
        ]
        if not still_open:
            return None
        order, item = still_open[dice.randrange(0, len(still_open))]
        lines = (UnitsOf(item["orderItemId"], 1),)  # a part of the order: others may follow
        return ConfirmFulfilment(key="", order=order, fulfilment=f"ful-{n}", lines=lines, shipped_at=0, carrier="UPS", tracking=(f"1Z{n}",))

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
            status = one["fulfillment"]["fulfillmentStatus"]
            found[name] = (PAID[status], status == "CANCELLED", minor(one["proceeds"]["grandTotal"]["amount"], "EUR"))
            found |= {f"{name}/{package['packageReferenceId']}": _packed(package) for package in one["packages"]}
        return found

    def belief(self, said: Sequence[Said]) -> Mapping[str, object]:
        found: dict[str, object] = {}
        for event in latest(said).values():
            if isinstance(event, OrderSeen):
                assert event.order.difference() == 0, "its lines make its total"
                found[event.external] = (event.order.payment, event.order.cancelled_at is not None, event.order.total)
            elif isinstance(event, FulfilmentSeen):
                found[event.external] = (event.status, tuple((line.line, line.quantity) for line in event.lines), event.tracking)
        return found

    def garble(self, row: Row) -> Row | None:
        if row.topic != "order":
            return None
        order = msgspec.json.decode(row.body)
        order["fulfillment"]["fulfillmentStatus"] = "HOLOGRAM"
        return Row(row.topic, row.key, msgspec.json.encode(order))


def _untouched(twin: AmazonTwin) -> list[str]:
    return [name for name, one in twin.orders.items() if one["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"]


def _packed(package: Mapping[str, Any]) -> tuple[object, ...]:
    lines = tuple((item["orderItemId"], item["quantity"]) for item in package["packageItems"])
    return "shipped", lines, (package["trackingNumber"],)


def _twin(dice: Dice, rates: Mapping[str, float]) -> AmazonTwin:
    twin = AmazonTwin(dice, Weather(rates), time_factor=1000.0)
    for sku, price in SKUS.items():
        twin.add_listing(sku, price, 100)
    twin.subscribe_by_hand()
    return twin


def subject() -> Subject:
    return Subject(
        name="amazon", connector=lambda: Amazon(settings_of(Amazon, SETTINGS)), twin=_twin, driver=AmazonDriver(), sources=sources("amazon")
    )
