"""ShipStation's words and ours.

Sources: https://www.shipstation.com/docs/api/models/order/, …/models/webhook/, …/orders/create-update-multiple-orders/
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from mainstay.model.failures import Reject
from mainstay.model.objects import FulfilmentStatus
from mainstay.model.times import SECOND

PACIFIC = ZoneInfo("America/Los_Angeles")

# What an order's status says of our release; "" where it says nothing that a shipment does not say better.
ORDER_STATUS: dict[str, FulfilmentStatus | str] = {
    "awaiting_payment": "",
    "awaiting_shipment": "",
    "pending_fulfillment": "",
    "on_hold": "",
    "shipped": "",  # says something only where somebody shipped it outside ShipStation: then no shipment will come
    "cancelled": "cancelled",
    "rejected_fulfillment": "failed",
}
CLOSED = ("shipped", "cancelled")  # "may not be updated"

# Hooks: those of shipments are read at once; what the others speak of is read by the feed of orders.
HINTS = ("SHIP_NOTIFY", "ITEM_SHIP_NOTIFY")
NOT_BUSINESS = ("ORDER_NOTIFY", "ITEM_ORDER_NOTIFY", "FULFILLMENT_SHIPPED", "FULFILLMENT_REJECTED")

# Names of carriers that channels know. A code that is not here is the account's own and is handed on as it stands.
CARRIER: dict[str, str] = {
    "stamps_com": "USPS",
    "endicia": "USPS",
    "usps": "USPS",
    "ups": "UPS",
    "ups_walleted": "UPS",
    "fedex": "FedEx",
    "fedex_walleted": "FedEx",
    "dhl_express": "DHL Express",
    "dhl_express_worldwide": "DHL Express",
    "dhl_ecommerce": "DHL eCommerce",
    "ontrac": "OnTrac",
    "canada_post": "Canada Post",
    "royal_mail": "Royal Mail",
    "australia_post": "Australia Post",
}

FAILED_FOR_NOW = "An error has occurred."  # what its framework says when it broke itself, not the order


def ours(table: Mapping[str, str], word: str, what: str) -> str:
    """Our word for theirs; Reject `unknown_word` names it and the known ones."""
    if word not in table:
        raise Reject(f"ShipStation's {what} {word!r} is unknown; known: {', '.join(sorted(table))}", "unknown_word")
    return table[word]


def moment(text: str) -> datetime:
    """A time of ShipStation, which is Pacific without saying so: "2014-10-03T06:51:33.6270000". Reject `time` otherwise."""
    try:
        stated = datetime.fromisoformat(text)
    except ValueError:
        raise Reject(f"{text[:40]!r} is not a time such as '2014-10-03T06:51:33.6270000'", "time") from None
    if stated.tzinfo is not None:
        raise Reject(f"{text[:40]!r} has a zone, and ShipStation states none", "time")
    return stated


def micros(text: str) -> int:
    """UTC microseconds of a Pacific time. Of the hour that comes twice in November the first is meant."""
    try:
        utc = moment(text).replace(tzinfo=PACIFIC).astimezone(UTC)
    except OverflowError:
        raise Reject(f"{text[:40]!r} is no moment of the years 1 to 9999", "time") from None
    return int(utc.replace(microsecond=0).timestamp()) * SECOND + utc.microsecond


def pacific(at: int) -> str:
    """The reverse, for what we send: to the second."""
    return datetime.fromtimestamp(at // SECOND, PACIFIC).strftime("%Y-%m-%dT%H:%M:%S.0000000")
