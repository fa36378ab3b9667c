"""Amazon's words and ours, and what is known of its marketplaces.

Sources: the models of amzn/selling-partner-api-models (orders 2026-01-01, feeds 2021-06-30, listings items 2021-08-01) and
https://developer-docs.amazon.com/sp-api/docs/marketplace-ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

from mainstay.model.failures import Reject
from mainstay.model.objects import FulfilmentStatus, PaymentStatus

T = TypeVar("T")

# Amazon takes the money itself: an order that may be shipped is paid.
PAYMENT: Mapping[str, PaymentStatus] = {
    "PENDING_AVAILABILITY": "pending",
    "PENDING": "pending",
    "UNSHIPPED": "captured",
    "PARTIALLY_SHIPPED": "captured",
    "SHIPPED": "captured",
    "UNFULFILLABLE": "captured",
    "CANCELLED": "voided",
}

PACKAGE: Mapping[str, FulfilmentStatus] = {
    "PENDING": "pending",
    "IN_TRANSIT": "shipped",
    "SHIPPED": "shipped",
    "DELIVERED": "delivered",
    "CANCELLED": "cancelled",
    "UNDELIVERABLE": "shipped",  # it left all the same, and is on its way back
}

FULFILLED_BY: Mapping[str, Literal["merchant", "marketplace"]] = {"MERCHANT": "merchant", "AMAZON": "marketplace"}

# Where each kind of proceeds goes in an order of ours. Gift wrap and cash-on-delivery fees are charges like shipping.
PROCEEDS: Mapping[str, str] = {
    "ITEM": "goods",
    "SHIPPING": "shipping",
    "GIFT_WRAP": "shipping",
    "COD_FEE": "shipping",
    "TAX": "tax",
    "DISCOUNT": "discount",
    "OTHER": "other",
}

TAX_COLLECTION: Mapping[str, bool] = {"MARKETPLACE_FACILITATOR": True}  # does Amazon remit it?

CURRENCY: Mapping[str, str] = {
    "ATVPDKIKX0DER": "USD", "A2EUQ1WTGCTBG2": "CAD", "A1AM78C64UM0Y8": "MXN", "A2Q3Y263D00KWC": "BRL", "A28R8C7NBKEWEA": "EUR",
    "A1RKKUPIHCS9HS": "EUR", "A1F83G8C2ARO7P": "GBP", "A13V1IB3VIYZZH": "EUR", "AMEN7PMS3EDWL": "EUR", "A1805IZSGTT6HS": "EUR",
    "A1PA6795UKMFR9": "EUR", "APJ6JRA9NG5V4": "EUR", "A2NODRKZP88ZB9": "SEK", "AE08WJ6YKNBMC": "ZAR", "A1C3SOZRARQ6R3": "PLN",
    "ARBP9OOSHTCHU": "EGP", "A33AVAJ2PDY3EV": "TRY", "A17E79C6D8DWNP": "SAR", "A2VIGQ35RCS4UG": "AED", "A21TJRUUN4KGV": "INR",
    "A19VAU5U5O7RUS": "SGD", "A39IBJ37TRP1C6": "AUD", "A1VC38T7YXB528": "JPY",
}  # fmt: skip

# Carriers that Amazon names by a code; any other goes out as "Other" with its name.
CARRIER: Mapping[str, str] = {
    "ups": "UPS", "usps": "USPS", "fedex": "FedEx", "dhl": "DHL", "dhl express": "DHL", "dpd": "DPD", "gls": "GLS",
    "royal mail": "Royal Mail",
}  # fmt: skip


def ours(table: Mapping[str, T], word: str, what: str) -> T:
    """Our word for theirs; Reject `unknown_word` names the word and the known ones."""
    found = table.get(word)
    if found is None:
        raise Reject(f"unknown {what} {word!r}; known: {', '.join(sorted(table))}", "unknown_word")
    return found
