"""How an order's state follows from its events. Pure: the same events give the same state, whenever they are folded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mainstay.model.events import (
    Allocated,
    Answered,
    Asked,
    CancelAsked,
    Deallocated,
    Doubted,
    Freed,
    Heard,
    Held,
    Moved,
    Share,
    Shipped,
    Short,
)
from mainstay.model.identity import release
from mainstay.model.objects import Order, Reference, UnitsOf
from mainstay.model.seen import DisputeSeen, FulfilmentSeen, InvoiceSeen, OrderSeen, PaymentSeen, RefundSeen, SettlementLineSeen
from mainstay.model.state import DisputeState, EffectState, OrderState, ParcelState, PaymentState, RefundState
from mainstay.orders.moves import move

ItemOf = Callable[[str], int]
ENDED = frozenset({"done", "replaced", "waived"})  # outcomes of an effect after which nothing more is waited for
BOOKED = {"done": "posted", "waived": "by hand"}  # outcomes of a booking after which the ERP will hear no more of it
DROPPED = frozenset({"rejected", "replaced", "waived"})  # outcomes of an effect that has not happened
LEFT = frozenset({"shipped", "delivered"})
OVER_REFUNDED = "over_refunded"
MOVED_LATE = "address_changed_late"  # a hold for what has left: the rest goes on
LEFT_ALL_THE_SAME = "shipped_after_cancel"
MARKS_MAX = 64  # fingerprints kept of one order; older ones are guarded by versions


def fold(state: OrderState, event: Any, item_of: ItemOf) -> None:
    """Apply one event. `item_of` gives the number of a SKU, which an earlier ItemListed made known."""
    kind = type(event)
    if kind is Heard:
        _heard(state, event, item_of)
    elif kind in _FOLDS:
        _FOLDS[kind](state, event)


def _heard(state: OrderState, event: Heard, item_of: ItemOf) -> None:
    if event.mark and event.mark not in state.marks:
        state.marks = [*state.marks[1 - MARKS_MAX :], event.mark]
    if event.subject:
        state.subject = event.subject
    state.addressed = state.addressed or event.addressed
    said = event.said
    if isinstance(said, OrderSeen):
        if event.moved:
            _moved_house(state)
        _snapshot(state, said, item_of)
    elif isinstance(said, PaymentSeen):
        payment = state.payments.setdefault(said.external, PaymentState(event.system))
        payment.status, payment.currency, payment.version = said.status, said.currency, said.version
        payment.authorised, payment.captured, payment.refunded = said.authorised, said.captured, said.refunded
    elif isinstance(said, FulfilmentSeen):
        known = state.parcels.get(said.external)
        if said.status in LEFT and (known is None or known.status not in LEFT) and _is_misled(state, event.system, said):
            state.strayed = [*state.strayed, said.external]
        state.parcels[said.external] = ParcelState(
            event.system, said.status, list(said.lines), said.carrier, said.service, said.tracking, said.at, said.version,
            known.counted if known else False, known.unknown if known else [], _asked_by(state, said),
        )  # fmt: skip
    elif isinstance(said, RefundSeen):
        if said.external not in state.refunds:  # a person has accepted what they saw, and not this one
            state.waived = [reason for reason in state.waived if reason != OVER_REFUNDED]
        known_refund = state.refunds.setdefault(said.external, RefundState(event.system, said.status, said.amount))
        known_refund.status, known_refund.amount, known_refund.version = said.status, said.amount, said.version
        known_refund.at, known_refund.shipping, known_refund.gift_cards = said.at, said.shipping, said.gift_cards
        known_refund.currency, known_refund.payment = said.currency, _payment(said.payment or said.of)
        known_refund.back = tuple(line for line in said.lines if line.restock == "restock" and line.quantity)
    elif isinstance(said, DisputeSeen):
        state.disputes[said.external] = DisputeState(
            event.system, said.status, said.amount, said.version, said.reason, said.inquiry, said.currency, _payment(said.of)
        )
    elif isinstance(said, SettlementLineSeen):
        state.fees[said.external] = said.fee
        if state.order is not None and said.currency != state.order.currency:
            state.fees_in[said.external] = said.currency
    elif isinstance(said, InvoiceSeen) and said.state in ("posted", "paid"):
        state.invoice = said.number or said.external


def _payment(of: Reference) -> str:
    return of.id if of.kind == "payment" else ""


def _moved_house(state: OrderState) -> None:
    """What the warehouse has, and all that has left, has the address of before."""
    releases = [key for key, effect in state.effects.items() if effect.command == "ReleaseOrder" and effect.outcome not in DROPPED]
    parcels = [key for key, parcel in state.parcels.items() if parcel.status in LEFT and parcel.system != state.system]
    state.misled, state.strayed = releases, list(dict.fromkeys([*state.strayed, *parcels]))
    state.waived = [reason for reason in state.waived if reason != MOVED_LATE]


def _asked_by(state: OrderState, said: FulfilmentSeen) -> str:
    """The release from one location that a parcel is of, by the key of its effect; "" where it says none, or none that has a location."""
    if said.of.kind == "release":
        for key, effect in state.effects.items():
            if effect.location and said.of.id in (release(state.uid, int(effect.about)), effect.references.get("release")):
                return key
    return ""


def _is_misled(state: OrderState, system: str, said: FulfilmentSeen) -> bool:
    """Is this a parcel of a release with an address of before? The channel's own are the echo of what it was told."""
    releases = {release(state.uid, int(state.effects[key].about)) for key in state.misled}
    return bool(releases) and system != state.system and (said.of.kind != "release" or said.of.id in releases)


def _snapshot(state: OrderState, said: OrderSeen, item_of: ItemOf) -> None:
    before, after, items = state.order, said.order, state.items
    state.order, state.version = after, said.version
    state.items = [item_of(line.sku) for line in after.lines]
    if before is not None and state.waived:
        state.waived = [
            reason for reason in state.waived if reason not in _ACCEPTED or _ACCEPTED[reason](before) == _ACCEPTED[reason](after)
        ]
    if state.shares and before is not None and (items != state.items or [x.id for x in before.lines] != [x.id for x in after.lines]):
        state.shares = _moved_shares(state, [line.id for line in before.lines], [line.id for line in after.lines])


def _moved_shares(state: OrderState, before: list[str], after: list[str]) -> list[Share]:
    """Shares by the line numbers of now. Units of a line that vanished, or that became another SKU, stand under a number past the end,
    where `surplus` finds and frees them."""
    past = len(after)
    position = {line: number for number, line in enumerate(after)}
    moved: dict[tuple[int, int, int], Share] = {}
    for share in state.shares:
        line = position.get(before[share.line], past) if share.line < len(before) else past
        if line < past and state.items[line] != share.item:
            line = past
        at = moved.setdefault((line, share.item, share.location), Share(line, share.item, share.location, 0))
        at.quantity += share.quantity
        at.released += share.released
        at.shipped += share.shipped
    _found_again(state, moved, after)
    return [share for share in moved.values() if share.quantity]


def _found_again(state: OrderState, shares: dict[tuple[int, int, int], Share], lines: list[str]) -> None:
    """A line that becomes again what it was when units of it left: they are its own, as the parcels say by the line's id."""
    for share in [one for one in shares.values() if one.line == len(lines) and one.shipped]:
        for number, line in enumerate(lines):
            told: dict[str, int] = {}  # by who tells of it: a channel's parcels are the echo of the warehouse's
            for parcel in state.parcels.values():
                if parcel.status in LEFT:
                    units = sum(of.quantity for of in parcel.units if of.line == line)
                    told[parcel.system] = told.get(parcel.system, 0) + units
            known = sum(one.shipped for one in shares.values() if one.line == number)
            here = min(share.shipped, max(told.values(), default=0) - known) if state.items[number] == share.item else 0
            if here > 0:
                at = shares.setdefault((number, share.item, share.location), Share(number, share.item, share.location, 0))
                for name in ("quantity", "released", "shipped"):
                    setattr(at, name, getattr(at, name) + here)
                    setattr(share, name, getattr(share, name) - here)


def _allocated(state: OrderState, event: Allocated) -> None:
    for share in event.shares:
        at = _share(state, share)
        if at is None:
            state.shares.append(Share(share.line, share.item, share.location, share.quantity))
        else:
            at.quantity += share.quantity
        missing = state.short.get(share.item, 0) - share.quantity
        if missing > 0:
            state.short[share.item] = missing
        else:
            state.short.pop(share.item, None)


def _deallocated(state: OrderState, event: Deallocated) -> None:
    for share in event.shares:
        at = _share(state, share)
        assert at is not None and at.quantity - at.shipped >= share.quantity, f"{state.uid}: freed more than is held"
        at.quantity -= share.quantity
        at.released = min(at.released, at.quantity)
    state.shares = [share for share in state.shares if share.quantity]


def _shipped(state: OrderState, event: Shipped) -> None:
    for share in event.shares:
        at = _share(state, share)
        assert at is not None and at.shipped + share.quantity <= at.quantity, f"{state.uid}: shipped more than is held"
        at.shipped += share.quantity
        at.released = max(at.released, at.shipped)
    for share in event.beyond:
        state.shares.append(Share(share.line, share.item, share.location, share.quantity, share.quantity, share.quantity))
        state.short.pop(share.item, None)
    parcel, lines = state.parcels[event.parcel], state.order.lines if state.order is not None else ()
    known = {line.id for line in lines}
    parcel.unknown = [units for units in (parcel.unknown if parcel.counted else parcel.units) if units.line not in known]
    parcel.counted = True
    if not parcel.units:  # it spoke of all that was released: say what that was
        parcel.units = [UnitsOf(lines[share.line].id, share.quantity) for share in event.shares if share.line < len(lines)]


def _short(state: OrderState, event: Short) -> None:
    state.short = dict(event.missing)


def _asked(state: OrderState, event: Asked) -> None:
    assert event.key not in state.effects, f"{state.uid}: effect {event.key} was asked twice"
    state.effects[event.key] = EffectState(
        event.command, event.system, amount=event.amount, lines=event.lines, about=event.about, location=event.location,
        letter=event.letter,
    )  # fmt: skip
    if event.command == "ReleaseOrder":
        for share in state.shares:
            if event.location in (share.location, 0):
                share.released = share.quantity


def _doubted(state: OrderState, event: Doubted) -> None:
    effect = state.effects[event.key]
    assert effect.outcome == "done" and effect.again in ("", "rejected"), f"{state.uid}: {event.key} cannot be made again"
    effect.again, effect.letter = "asked", event.letter


def _answered(state: OrderState, event: Answered) -> None:
    effect = state.effects[event.key]
    if event.again:
        effect.again = "" if event.outcome in ENDED else event.outcome
        effect.code, effect.why = event.code, event.why
        effect.references = event.references or effect.references
        return
    effect.outcome, effect.code, effect.why = event.outcome, event.code, event.why
    if event.references:
        effect.references = event.references
    if effect.command == "CancelRelease" and event.outcome in ("done", "waived"):
        known = {one.about for one in state.effects.values() if one.command == "ReleaseOrder"}
        withdrawals = [one.outcome for one in state.effects.values() if one.command == "CancelRelease" and one.about in known]
        if effect.about in known and ENDED.issuperset(withdrawals):  # the warehouse works on nothing any more that we know of
            for share in state.shares:
                share.released = share.shipped
    if effect.command == "PostSale" and event.outcome in BOOKED:
        state.invoice = event.references.get("invoice", "") or state.invoice or BOOKED[event.outcome]
    if effect.command == "PostReturn" and event.outcome == "done":
        state.refunds[effect.about].restocked = True


def _held(state: OrderState, event: Held) -> None:
    state.holds[event.reason] = event.detail


def _freed(state: OrderState, event: Freed) -> None:
    state.holds.pop(event.reason, None)
    if event.waived:
        state.waived = [*state.waived, event.reason]


def _moved(state: OrderState, event: Moved) -> None:
    state.status = move(state.status, event.move)
    if state.status == "shipped" and state.order is not None:
        state.agreed = state.order.total
    if state.status == "cancelled":
        state.short = {}


def _cancel_asked(state: OrderState, event: CancelAsked) -> None:
    state.cancel = event.reason


def _share(state: OrderState, share: Share) -> Share | None:
    for at in state.shares:
        if at.line == share.line and at.location == share.location and at.item == share.item:
            return at
    return None


def _sold(order: Order) -> object:
    return order.total, [(line.id, line.sku, line.quantity - line.cancelled) for line in order.lines]


# What a person accepted by lifting a hold, where it is a statement of the source's: stated otherwise, it is not accepted.
_ACCEPTED: dict[str, Callable[[Order], object]] = {
    "totals_mismatch": Order.difference,
    "changed_after_shipment": _sold,
    "overpaid": _sold,
}
_FOLDS: dict[type, Callable[[OrderState, Any], None]] = {
    Allocated: _allocated,
    Deallocated: _deallocated,
    Shipped: _shipped,
    Short: _short,
    Asked: _asked,
    Doubted: _doubted,
    Answered: _answered,
    Held: _held,
    Freed: _freed,
    Moved: _moved,
    CancelAsked: _cancel_asked,
}
