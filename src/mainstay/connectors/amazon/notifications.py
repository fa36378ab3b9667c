"""Notifications: thin messages from a queue. Their envelope is spelt in two ways, `NotificationType` and `notificationType`.

Source: https://developer-docs.amazon.com/sp-api/docs/notification-type-values and the examples of amzn/selling-partner-api-models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from mainstay.contract.connector import Delivery, read
from mainstay.model.failures import Reject
from mainstay.model.identity import sku
from mainstay.model.seen import Hint, Said, StockCounted
from mainstay.model.times import micros

UNREADABLE = "notification"
# Known types that say nothing that the shop's systems have to agree on, and why.
NOT_BUSINESS: Mapping[str, str] = {
    "FEED_PROCESSING_FINISHED": "A feed of ours was processed: whoever sent it reads its report.",
    "REPORT_PROCESSING_FINISHED": "A report is ready: whoever asked for it reads it.",
    "BRANDED_ITEM_CONTENT_CHANGE": "The text or pictures of a branded item changed.",
    "FEE_PROMOTION": "Amazon offers lower fees.",
    "LISTINGS_ITEM_ISSUES_CHANGE": "The issues of a listing changed: a person looks at Seller Central.",
    "PRICING_HEALTH": "An offer is not competitive: advice, not a price.",
    "PRODUCT_TYPE_DEFINITIONS_CHANGE": "Amazon changed the definition of a product type.",
}


class _Metadata(Struct):
    upper: str = msgspec.field(name="NotificationId", default="")
    lower: str = msgspec.field(name="notificationId", default="")


class _Head(Struct):
    """Only what names the event."""

    upper_type: str = msgspec.field(name="NotificationType", default="")
    lower_type: str = msgspec.field(name="notificationType", default="")
    upper: _Metadata | None = msgspec.field(name="NotificationMetadata", default=None)
    lower: _Metadata | None = msgspec.field(name="notificationMetadata", default=None)


class _OrderSummary(Struct, rename="pascal"):
    amazon_order_id: str


class _OrderChange(Struct):
    change: _OrderSummary = msgspec.field(name="OrderChangeNotification")


class _OrderChanged(Struct, rename="pascal"):
    event_time: str
    payload: _OrderChange


class _Quantity(Struct, rename="pascal"):
    sku: str
    quantity: int
    fulfillment_channel_code: str


class _QuantityChanged(Struct, rename="pascal"):
    event_time: str
    payload: _Quantity


def name(body: bytes) -> Delivery | None:
    """The type and id of a notification, whichever way it is spelt; None where it names neither."""
    try:
        head = msgspec.json.decode(body, type=_Head)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    metadata = head.upper or head.lower or _Metadata()
    topic, key = head.upper_type or head.lower_type, metadata.upper or metadata.lower
    return Delivery(topic, key) if topic and key else None


def from_order_change(body: bytes) -> list[Said]:
    """A summary without prices: the order is fetched."""
    given = read(body, _OrderChanged)
    at = micros(given.event_time)
    return [Said(Hint(external=given.payload.change.amazon_order_id, version=at, at=at, feed="order"))]


def from_quantity_change(body: bytes) -> list[Said]:
    """What Amazon now shows for a listing that we fulfil ourselves."""
    given = read(body, _QuantityChanged)
    at, listing = micros(given.event_time), sku(given.payload.sku)
    return [
        Said(
            StockCounted(
                external=f"{listing}@{given.payload.fulfillment_channel_code}", version=at, at=at, item=listing, sku=listing,
                quantity=given.payload.quantity, measure="available",
            )
        )
    ]  # fmt: skip


def refuse(topic: str, body: bytes) -> list[Said]:
    """What became of a type without a translation."""
    if topic in NOT_BUSINESS:
        raise Reject(NOT_BUSINESS[topic], "not_business")
    read(body, dict[str, Any])
    raise Reject(f"Amazon notification {topic[:80]!r} is not one that we know", "unknown_topic")
