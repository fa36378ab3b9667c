"""Shopify's words and ours. GraphQL's are the same in capitals: they are lowered before they are looked up.

Source of every list: the enums of the Admin GraphQL schema 2026-07, with the REST spellings of the webhook payloads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from mainstay.model.failures import Reject
from mainstay.model.objects import DisputeStatus, FulfilmentStatus, PaymentStatus, RefundStatus, Restock

T = TypeVar("T")

# An order without any transaction has no financial status at all in GraphQL (seen: draft-proxy order-create-math-matrix).
FINANCIAL: Mapping[str, PaymentStatus] = {
    "": "pending",
    "pending": "pending",
    "authorized": "authorised",
    "partially_paid": "pending",  # not all of it is there, so nothing ships yet
    "paid": "captured",
    "partially_refunded": "part_refunded",
    "refunded": "refunded",
    "voided": "voided",
    "expired": "expired",
}

FULFILMENT: Mapping[str, FulfilmentStatus] = {
    "pending": "pending",
    "open": "pending",
    "success": "shipped",
    "cancelled": "cancelled",
    "error": "failed",
    "failure": "failed",
}

# How far a parcel of a successful fulfilment is. Trouble on the way does not bring the units back.
PARCEL: Mapping[str, FulfilmentStatus] = {
    "": "shipped",
    "attempted_delivery": "shipped",
    "canceled": "cancelled",
    "carrier_picked_up": "shipped",
    "confirmed": "shipped",
    "delayed": "shipped",
    "delivered": "delivered",
    "failure": "shipped",
    "fulfilled": "shipped",
    "in_transit": "shipped",
    "label_printed": "shipped",
    "label_purchased": "shipped",
    "label_voided": "shipped",
    "marked_as_fulfilled": "shipped",
    "not_delivered": "shipped",
    "out_for_delivery": "shipped",
    "picked_up": "delivered",
    "ready_for_pickup": "shipped",
    "submitted": "shipped",
}

RESTOCK: Mapping[str, Restock] = {"no_restock": "no_restock", "cancel": "cancel", "return": "restock", "legacy_restock": "restock"}

TRANSACTION: Mapping[str, RefundStatus] = {
    "success": "succeeded",
    "pending": "pending",
    "awaiting_response": "pending",
    "unknown": "pending",
    "failure": "failed",
    "error": "failed",
}

DISPUTE_TYPE: Mapping[str, bool] = {"chargeback": False, "inquiry": True}  # does the bank only ask?
DISPUTE: Mapping[str, DisputeStatus] = {
    "needs_response": "needs_response",
    "under_review": "under_review",
    "won": "won",
    "lost": "lost",
    "accepted": "lost",
    "charge_refunded": "closed",
    "prevented": "closed",
}

PRODUCT: Mapping[str, str] = {"active": "active", "unlisted": "active", "draft": "draft", "archived": "archived"}

SUBSCRIBED: Mapping[str, bool] = {
    "subscribed": True,
    "not_subscribed": False,
    "pending": False,
    "unsubscribed": False,
    "redacted": False,
    "invalid": False,
}

MERGE: Mapping[str, bool] = {"requested": False, "in_progress": False, "completed": True, "failed": False}  # has it been done?

# Our reasons for cancelling an order, in Shopify's six words; whatever else a person typed is OTHER.
CANCEL_REASON: Mapping[str, str] = {
    "customer": "CUSTOMER",
    "declined": "DECLINED",
    "payment": "DECLINED",
    "fraud": "FRAUD",
    "oversold": "INVENTORY",
    "inventory": "INVENTORY",
    "staff": "STAFF",
}

# Codes of `userErrors` that mean something to us; every other one is "rejected", with the vendor's own text.
USER_ERROR: Mapping[str, str] = {
    "NOT_FOUND": "not_found",
    "INVALID_INVENTORY_ITEM": "not_found",
    "INVALID_LOCATION": "not_found",
    "ITEM_NOT_STOCKED_AT_LOCATION": "not_found",
    "IDEMPOTENCY_KEY_PARAMETER_MISMATCH": "key_reused",
}


def ours(table: Mapping[str, T], word: str | None, what: str) -> T:
    """Our word for theirs; Reject `unknown_word` names the word and the known ones."""
    found = table.get((word or "").lower())
    if found is None:
        raise Reject(f"unknown {what} {word!r}; known: {', '.join(sorted(filter(None, table)))}", "unknown_word")
    return found
