"""ShipStation: we release and call off; the warehouse prints labels, voids some, and closes orders by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from mainstay.connectors.shipstation import ShipStation
from mainstay.contract.conformance import Dice, Subject, latest
from mainstay.contract.connector import Row, settings_of
from mainstay.model.commands import CancelRelease, Command, OrderLine, ReleaseOrder
from mainstay.model.seen import FulfilmentSeen, Said
from mainstay.proof.drivers.sources import sources
from mainstay.twins.imitation import Weather
from mainstay.twins.shipstation import OPEN, ShipStationTwin

SETTINGS = {"key": "twin-key", "secret": "twin-secret", "hook_secret": "twin-path"}


class ShipStationDriver:
    stale_s: float | None = None

    def act(self, twin: ShipStationTwin, dice: Dice, now: int) -> None:
        waiting = _open(twin)
        labels = [one["shipmentId"] for one in twin.shipments if not one["voided"]]
        throw = dice.random()
        if labels and throw < 0.15:
            twin.void(labels[dice.randrange(0, len(labels))], now)
        elif waiting and throw < 0.25:
            name = waiting[dice.randrange(0, len(waiting))]
            if len(twin.left(name)) == len(twin.released[name]["items"]):  # nobody closes by hand what is half shipped
                twin.close(name, "cancelled" if dice.random() < 0.5 else "shipped", now)
        elif waiting:
            name = waiting[dice.randrange(0, len(waiting))]
            left = twin.left(name)
            twin.ship(name, now, left if dice.random() < 0.5 else dict(list(left.items())[:1]))

    def wish(self, twin: ShipStationTwin, dice: Dice) -> Command | None:
        untouched = [name for name in _open(twin) if not any(one["orderKey"] == name for one in twin.shipments)]
        if untouched and dice.random() < 0.25:
            name = untouched[dice.randrange(0, len(untouched))]
            return CancelRelease(key="", release=name, reference=str(twin.released[name]["orderId"]))
        n = dice.randrange(1, 100_000)
        lines = tuple(OrderLine(id=f"{n}-{line}", sku=f"SKU-{line}", quantity=1 + n % 3, price=999) for line in range(1 + n % 2))
        return ReleaseOrder(key="", release=f"rel-{n}", number=f"#{n}", channel="shop", currency="USD", placed_at=0, lines=lines)

    def natural(self, command: Command) -> str:
        assert isinstance(command, ReleaseOrder | CancelRelease)
        return f"{'order' if isinstance(command, ReleaseOrder) else 'cancel'} {command.release}"

    def effects(self, twin: ShipStationTwin) -> Mapping[str, int]:
        return Counter(f"{kind} {name}" for kind, name, _ in twin.effects)

    def truth(self, twin: ShipStationTwin) -> Mapping[str, object]:
        parcels = {str(one["shipmentId"]): _parcel(one) for one in twin.shipments}
        orders = twin.released.values()
        cancelled = {f"order-{one['orderId']}": ("cancelled", (), ()) for one in orders if one["orderStatus"] == "cancelled"}
        elsewhere = {f"order-{one['orderId']}": ("shipped", (), ()) for one in orders if one["externallyFulfilled"]}
        return parcels | cancelled | elsewhere

    def belief(self, said: Sequence[Said]) -> Mapping[str, object]:
        parcels = [event for event in latest(said).values() if isinstance(event, FulfilmentSeen)]
        return {one.external: (one.status, tuple((line.line, line.quantity) for line in one.lines), one.tracking) for one in parcels}

    def garble(self, row: Row) -> Row | None:
        if row.topic != "order":
            return None
        return Row(row.topic, row.key, msgspec.json.encode(msgspec.json.decode(row.body) | {"orderStatus": "hologram"}))


def _open(twin: ShipStationTwin) -> list[str]:
    return [name for name, order in twin.released.items() if order["orderStatus"] in OPEN and twin.left(name)]


def _parcel(shipment: Mapping[str, object]) -> tuple[object, ...]:
    items = msgspec.convert(shipment["shipmentItems"], list[dict[str, object]])
    lines = tuple((item["lineItemKey"], item["quantity"]) for item in items)
    return "cancelled" if shipment["voided"] else "shipped", lines, (shipment["trackingNumber"],)


def subject() -> Subject:
    return Subject(
        name="shipstation",
        connector=lambda: ShipStation(settings_of(ShipStation, SETTINGS)),
        twin=lambda dice, rates: ShipStationTwin(dice, Weather(rates), time_factor=1000.0),
        driver=ShipStationDriver(),
        sources=sources("shipstation"),
    )
