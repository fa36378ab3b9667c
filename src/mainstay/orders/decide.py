"""What follows for an order. Pure: no clock, no store, no other room. Each function yields events; the caller folds one before it asks on.

The sequence for one receipt is fixed (flows.turns): `hear` -> `begin` -> [stock decides what `wants` may have] -> `settle`.
Compensation is fenced: it only undoes effects that stand in this order's own state.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mainstay.model.events import AnyEvent, Asked, CancelAsked, Deallocated, Freed, Held, Moved
from mainstay.model.money import major
from mainstay.model.objects import Order
from mainstay.model.seen import DisputeSeen, FulfilmentSeen, InvoiceSeen, OrderSeen, PaymentSeen, RefundSeen, SettlementLineSeen
from mainstay.model.state import OrderState
from mainstay.orders.fold import ENDED, OVER_REFUNDED
from mainstay.orders.holds import is_told, named
from mainstay.orders.moves import AT_THE_WAREHOUSE, BEFORE_RELEASE
from mainstay.orders.parcels import confirm, parcels, returns
from mainstay.orders.payments import (
    DEAD_PAYMENTS,
    UNPAID,
    capture,
    excess,
    give_back,
    is_captured,
    is_paid,
    kept,
    lost_payment,
    other_currency,
    overpaid,
)
from mainstay.orders.policy import Policy
from mainstay.orders.releases import recall, redirect, release, withdraw, withdrawn
from mainstay.orders.units import not_left, surplus_of, unshipped, wanted, wants


def newer(state: OrderState, said: Any) -> bool:
    """Is this statement news about its object, by the speaker's own clock? What is not is counted and ignored."""
    kind = type(said)
    if kind is OrderSeen:
        return state.order is None or said.version > state.version
    if kind is PaymentSeen:
        payment = state.payments.get(said.external)
        return payment is None or said.version > payment.version
    if kind is FulfilmentSeen:
        parcel = state.parcels.get(said.external)
        return parcel is None or said.version > parcel.version
    if kind is RefundSeen:
        refund = state.refunds.get(said.external)
        if refund is not None and refund.status == "pending" and said.version == refund.version:
            return bool(said.status != "pending")  # its end, by a speaker who counts only when a refund was made
        return refund is None or said.version > refund.version
    if kind is DisputeSeen:
        dispute = state.disputes.get(said.external)
        return dispute is None or said.version > dispute.version
    if kind is SettlementLineSeen:
        return said.external not in state.fees
    return not (kind is InvoiceSeen and state.invoice)


def begin(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    """What must be settled before stock is asked: the first move, totals, a cancellation, units that are no longer wanted."""
    order = state.order
    if order is None:
        return
    if state.status == "new":
        yield Moved(move="place")
    if policy.hold_totals:
        yield from _totals(state, order)
    if order.cancelled_at is not None and not state.cancel:  # first: of a cancelled order what had left is to be paid
        yield CancelAsked(by=state.system, reason="cancelled at its source")
    if state.payments or order.payment in DEAD_PAYMENTS or not UNPAID.isdisjoint(state.holds):
        yield from lost_payment(state, order)
        yield from other_currency(state, order)
    if policy.hold_address and state.status in BEFORE_RELEASE:
        yield from _address(state)
    surplus = surplus_of(state)
    if surplus:
        yield Deallocated(shares=surplus, reason="no longer wanted")


def _totals(state: OrderState, order: Order) -> Iterator[AnyEvent]:
    """Parts that do not add up hold the order, whenever they are told; not one that is undone, of which nothing will be charged."""
    difference, undone = order.difference(), bool(state.cancel) or order.cancelled_at is not None
    if not difference and "totals_mismatch" not in state.holds:
        return
    stated, parts = major(order.total, order.currency), major(order.total - difference, order.currency)
    detail = f"the source states {stated} {order.currency}, its parts sum to {parts}" if difference and not undone else ""
    yield from named(state, "totals_mismatch", detail, "the order is cancelled" if difference else "a newer version adds up")


def _address(state: OrderState) -> Iterator[AnyEvent]:
    """What is to be shipped needs somewhere to go; what a till handed over does not."""
    lost = not state.addressed and not state.parcels and any(wanted(state))
    if lost and not is_told(state, "address_incomplete"):
        yield Held(reason="address_incomplete", detail="it is to be shipped, and came without a street, a city or a country")
    elif state.addressed and "address_incomplete" in state.holds:
        yield Freed(reason="address_incomplete", by="a newer version says where to")


def settle(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    """Everything that follows from what is now known, one step at a time, until nothing more does."""
    if state.order is None:
        return
    if state.parcels:
        yield from parcels(state)
    if state.cancel:
        yield from _undo(state, policy)
    elif state.parcels or state.status in AT_THE_WAREHOUSE:
        yield from recall(state)
    yield from redirect(state, policy)
    if state.agreed is not None and not state.cancel:
        yield from named(state, "changed_after_shipment", _changes(state), "a newer version takes it back")
    if state.status == "placed" and state.holds:
        yield Moved(move="hold")
    elif state.status == "held" and not state.holds:
        yield Moved(move="free")
    if state.status == "placed" and not state.cancel and (is_paid(state) or UNPAID.intersection(state.waived)):
        yield Moved(move="pay")
    yield from _stock_moves(state, policy)
    yield from release(state, policy)
    yield from _after_shipping(state, policy)
    yield from overpaid(state)
    if state.refunds:
        yield from named(state, OVER_REFUNDED, excess(state), "no more is given back than was taken")


def _stock_moves(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    if state.status in ("paid", "allocated", "backordered") and state.holds:
        yield Moved(move="hold")
        return
    if state.status not in ("paid", "allocated", "backordered"):
        return
    missing = bool(wants(state))
    if not missing and state.status != "allocated":
        yield Moved(move="allocate")
    elif missing and state.status != "backordered":
        yield Moved(move="fall_short")
    if missing and policy.shortage == "cancel" and not (policy.waits or state.cancel):
        yield CancelAsked(by="mainstay", reason="sold but not in stock")
        yield from _undo(state, policy)


def _changes(state: OrderState) -> str:
    """What the source wants otherwise than what had been shipped and booked as a whole, in numbers. Nothing more is sent, booked or taken
    for it by itself: the buyer's parcel and invoice are out."""
    order, agreed = state.order, state.agreed
    if order is None or agreed is None:
        return ""
    lines = zip(order.lines, not_left(state), strict=True)
    said = [f"{count} units of line {line.id} ({line.sku}) are wanted that have not left" for line, count in lines if count > 0]
    if order.total != agreed:
        was, now = major(agreed, order.currency), major(order.total, order.currency)
        said.append(f"the total was {was} {order.currency} when the order left, it is {now} now")
    return "; ".join(said)


def _undo(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    """Compensate, as far as the world still allows: before release at once, after it by asking the warehouse; for what left, a person."""
    if state.status == "cancelled":
        yield from give_back(state, policy)  # an authorisation that came late, a capture that was under way
        yield from named(state, "money_kept", kept(state), "it was given back")
        return
    ended = state.status in ("shipped", "invoiced", "settled")
    some_left = any(share.shipped for share in state.shares)
    if (some_left or (ended and any(state.left()))) and not is_told(state, "cancelled_after_shipment"):
        yield Held(reason="cancelled_after_shipment", detail=state.cancel)
    if ended:
        return
    yield from withdraw(state)
    if not withdrawn(state):
        if state.status in AT_THE_WAREHOUSE:
            yield Moved(move="withdraw")
        return
    shares = unshipped(state)
    if shares:
        yield Deallocated(shares=shares, reason=state.cancel)
    if some_left:  # the rest is free again; what left, and its money, is a person's
        if state.status == "cancelling":
            yield Moved(move="ship_part")
        if "cancelled_after_shipment" in state.waived:
            yield Moved(move="ship")  # who has accepted it: what left is what was sold
        return
    yield from give_back(state, policy)
    if state.order is not None and state.order.cancelled_at is None and policy.takes(state.system, "CancelOrder"):
        key = f"{state.uid}:cancel"
        if key not in state.effects:
            yield Asked(key=key, command="CancelOrder", system=state.system, about=state.cancel)
    yield Moved(move="cancel")
    yield from named(state, "money_kept", kept(state), "")


def _after_shipping(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    yield from confirm(state, policy)
    if state.status in ("shipped", "invoiced") or (policy.capture == "order" and state.status in ("allocated", "released")):
        yield from capture(state, policy)
    if state.status == "shipped":
        key = f"{state.uid}:sale"
        erp = policy.books.get(state.system)
        if erp and key not in state.effects and not state.invoice:
            yield Asked(key=key, command="PostSale", system=erp)
        if state.invoice or not erp:
            yield Moved(move="invoice")
    if state.refunds:
        yield from returns(state, policy)
    if state.status == "invoiced" and _is_taken(state) and all(e.outcome in ENDED for e in state.effects.values()):
        yield Moved(move="settle")


def _is_taken(state: OrderState) -> bool:
    """Has everything been taken, or has a person settled otherwise what we were to take?"""
    return is_captured(state) or any(e.command == "CapturePayment" and e.outcome == "waived" for e in state.effects.values())


__all__ = ["begin", "newer", "settle"]
