"""Tell Amazon that units left: `confirmShipment` of Orders v0, the one operation of it that 2026-01-01 did not replace.

Source: https://developer-docs.amazon.com/sp-api/docs/orders-api-migration-guide and the model ordersV0.json.
"""

from __future__ import annotations

from hashlib import blake2b
from urllib.parse import quote

from msgspec import Struct

from mainstay.connectors.amazon.words import CARRIER
from mainstay.contract.connector import Done
from mainstay.contract.talk import Call, Repeat, Talk, as_json
from mainstay.model.commands import ConfirmFulfilment
from mainstay.model.failures import Reject
from mainstay.model.times import iso


class _Package(Struct, rename="camel"):
    package_reference_id: str


class _Order(Struct):
    packages: list[_Package] = []


class _Answer(Struct):
    order: _Order


def order_path(order: str) -> str:
    return f"/orders/2026-01-01/orders/{quote(order, safe='')}"


def package_reference(fulfilment: str) -> str:
    """The number that stands for our fulfilment in its order: Amazon takes positive numbers only."""
    return str(1 + int.from_bytes(blake2b(fulfilment.encode(), digest_size=6).digest(), "big"))


def confirm(marketplace: str, command: ConfirmFulfilment) -> Talk[Done]:
    if not command.tracking:
        raise Reject(f"Amazon takes no parcel without a tracking number; fulfilment {command.fulfilment} has none")
    reference, carrier = package_reference(command.fulfilment), CARRIER.get(command.carrier.lower())
    package = {
        "packageReferenceId": reference,
        "carrierCode": carrier or "Other",
        "carrierName": command.carrier or "Other",
        "shippingMethod": command.service or "Standard",
        "trackingNumber": command.tracking[0],
        "shipDate": iso(command.shipped_at),
        "orderItems": [{"orderItemId": one.line, "quantity": one.quantity} for one in command.lines],
    }
    yield Call(
        operation="confirmShipment", method="POST", path=f"/orders/v0/orders/{quote(command.order, safe='')}/shipmentConfirmation",
        body=as_json({"marketplaceId": marketplace, "packageDetail": package}), key=command.key, repeat=Repeat.LOOKUP,
    )  # fmt: skip
    return Done({"fulfilment": f"{command.order}/{reference}"})


def find(command: ConfirmFulfilment) -> Talk[Done | None]:
    """Is there a package under our number?"""
    reply = yield Call(operation="getOrder", method="GET", path=order_path(command.order), query={"includedData": "PACKAGES"})
    reference = package_reference(command.fulfilment)
    packages = reply.read(_Answer).order.packages
    return Done({"fulfilment": f"{command.order}/{reference}"}) if any(one.package_reference_id == reference for one in packages) else None
