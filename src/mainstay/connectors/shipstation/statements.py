"""ShipStation's parcels, orders and hints as statements of ours. Shapes hold the needed fields only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from mainstay.connectors.shipstation import words
from mainstay.model.failures import Reject
from mainstay.model.money import minor, plain
from mainstay.model.objects import FulfilmentStatus, Reference, UnitsOf
from mainstay.model.seen import FulfilmentSeen, Hint


class Notice(Struct):
    resource_url: str
    resource_type: str


class Item(Struct, rename="camel"):
    quantity: int
    line_item_key: str | None = None


class Shipment(Struct, rename="camel"):
    shipment_id: int
    order_id: int
    create_date: str
    voided: bool
    carrier_code: str
    shipment_cost: Decimal
    order_key: str | None = None
    void_date: str | None = None
    is_return_label: bool = False
    service_code: str | None = None
    tracking_number: str | None = None
    warehouse_id: int | None = None
    shipment_items: list[Item] | None = None


class Order(Struct, rename="camel"):
    order_id: int
    order_number: str
    order_key: str
    order_status: str
    modify_date: str
    externally_fulfilled: bool = False
    items: list[Item] = []


def units_of(items: Iterable[Item]) -> Counter[str]:
    """Units of each line of a release of ours, by the line's key."""
    units: Counter[str] = Counter()
    for item in items:
        if item.line_item_key:
            units[item.line_item_key] += item.quantity
    return units


def hint(notice: Notice, own_host: str) -> Hint:
    """A thin notification; one that points to another host than ShipStation's is refused, though we never follow it there."""
    try:
        url = urlsplit(notice.resource_url)
    except ValueError as error:
        raise Reject(f"{notice.resource_url[:80]!r} is no address: {error}", "schema") from None
    host = url.hostname or ""
    if host != own_host and not (url.scheme == "https" and f".{host}".endswith(".shipstation.com")):
        raise Reject(f"resource_url points to {host or 'nowhere'!r}, which is not ShipStation", "schema")
    return Hint(external=f"{url.path}?{url.query}", feed="shipments")


def parcel(shipment: Shipment, currency: str) -> FulfilmentSeen:
    """What left under one label. Items without our line's key are not of our release and are left out."""
    if shipment.is_return_label:
        raise Reject(f"shipment {shipment.shipment_id} is a label for a return", "not_business")
    if shipment.shipment_items is None:
        raise Reject(f"shipment {shipment.shipment_id} came without its items: ask with includeShipmentItems=true", "schema")
    at = words.micros(shipment.void_date if shipment.voided and shipment.void_date else shipment.create_date)
    return FulfilmentSeen(
        external=str(shipment.shipment_id),
        version=at,
        at=at,
        of=_release(shipment.order_key, shipment.order_id),
        status="cancelled" if shipment.voided else "shipped",
        lines=tuple(UnitsOf(item.line_item_key, item.quantity) for item in shipment.shipment_items if item.line_item_key),
        carrier=words.CARRIER.get(shipment.carrier_code, shipment.carrier_code),
        service=shipment.service_code or "",
        tracking=(shipment.tracking_number,) if shipment.tracking_number else (),
        location=str(shipment.warehouse_id or ""),
        cost=minor(plain(shipment.shipment_cost), currency),
        currency=currency,
    )


def closed(order: Order) -> FulfilmentSeen:
    """An order that ended without a shipment of its own: all of the release is meant."""
    status = words.ours(words.ORDER_STATUS, order.order_status, "order status")
    if order.order_status == "shipped" and order.externally_fulfilled:
        status = "shipped"
    if not status:
        raise Reject(f"order {order.order_number} is {order.order_status}: nothing has left, and nothing was called off", "not_business")
    at = words.micros(order.modify_date)
    return FulfilmentSeen(
        external=f"order-{order.order_id}",
        version=at,
        at=at,
        of=_release(order.order_key, order.order_id),
        status=msgspec.convert(status, FulfilmentStatus),
    )


def _release(key: str | None, order_id: int) -> Reference:
    """Our release where ShipStation says our key; old accounts leave it out, then the order's own id, which we were told at the release."""
    return Reference("release", key, "mainstay") if key else Reference("release", str(order_id))
