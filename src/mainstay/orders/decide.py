"""What follows for an order. Pure: no clock, no store, no other room. Each function yields events; the caller folds one before it asks on.

The sequence for one receipt is fixed (flows.turns): `hear` -> `begin` -> [stock decides what `wants` may have] -> `settle`.
Compensation is fenced: it only undoes effects that stand in this order's own state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

from mainstay.model.events import WHEREVER, AnyEvent, Asked, CancelAsked, Deallocated, Freed, Held, Moved, Share, Shipped
from mainstay.model.money import major
from mainstay.model.objects import Order, UnitsOf
from mainstay.model.seen import DisputeSeen, FulfilmentSeen, InvoiceSeen, OrderSeen, PaymentSeen, RefundSeen, SettlementLineSeen
from mainstay.model.state import EffectState, OrderState, ParcelState, PaymentState, RefundState
from mainstay.orders.fold import DROPPED, ENDED, LEFT, MOVED_LATE
from mainstay.orders.given_back import OVER_REFUNDED, PAID_WORDS, excess
from mainstay.orders.moves import BEFORE_RELEASE

DEAD_PAYMENTS = frozenset({"voided", "failed", "expired"})
AT_THE_WAREHOUSE = frozenset({"released", "part_shipped"})
UNPAID = frozenset({"payment_lost", "payment_currency"})  # holds that a person lifts to go on without what is due


class Policy(Struct, frozen=True, kw_only=True):
    """How this shop handles orders; built from the landscape. `can` names the commands that each system takes."""

    can: Mapping[str, frozenset[str]]
    warehouses: Mapping[str, str] = {}  # who ships what a system sold
    books: Mapping[str, str] = {}  # where what a system sold is booked
    capture: Literal["order", "shipment"] = "shipment"
    partial_shipment: bool = True
    shortage: Literal["backorder", "cancel"] = "backorder"
    hold_totals: bool = True
    hold_address: bool = False
    asks_first: frozenset[str] = frozenset()

    def takes(self, system: str, command: str) -> bool:
        return command in self.can.get(system, ())


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
    if state.payments or order.payment in DEAD_PAYMENTS or not UNPAID.isdisjoint(state.holds):
        yield from _lost_payment(state, order)
        yield from _other_currency(state, order)
    if policy.hold_address and state.status in BEFORE_RELEASE:
        yield from _address(state)
    if order.cancelled_at is not None and not state.cancel:
        yield CancelAsked(by=state.system, reason="cancelled at its source")
    surplus = _surplus(state)
    if surplus:
        yield Deallocated(shares=surplus, reason="no longer wanted")


def _totals(state: OrderState, order: Order) -> Iterator[AnyEvent]:
    """Parts that do not add up hold the order, whenever they are told; not one that is undone, of which nothing will be charged."""
    difference, undone = order.difference(), bool(state.cancel) or order.cancelled_at is not None
    if not difference and "totals_mismatch" not in state.holds:
        return
    stated, parts = major(order.total, order.currency), major(order.total - difference, order.currency)
    detail = f"the source states {stated} {order.currency}, its parts sum to {parts}" if difference and not undone else ""
    yield from _named(state, "totals_mismatch", detail, "the order is cancelled" if difference else "a newer version adds up")


def _lost_payment(state: OrderState, order: Order) -> Iterator[AnyEvent]:
    """An order that was paid, and whose authorisation has expired or was let go, or of which only a part was taken: whatever has not left
    yet stays until another payment stands for it; what has left needs somebody who gets the money. What its source added is no loss."""
    waits = state.status in ("new", "placed", "settled", "cancelled") or (state.status == "held" and "payment_lost" not in state.holds)
    need = due(state) if state.agreed is None else min(due(state), state.agreed - order.gift_cards)
    gone = [
        external
        for external, payment in _in_its_currency(state).items()
        if _good_of(payment) < payment.authorised or payment.status in DEAD_PAYMENTS
    ]
    gone += [order.payment] if not state.payments and order.payment in DEAD_PAYMENTS else []
    if waits or not gone or _good(state) >= need:  # of a cancelled order nothing is due but for what had left
        yield from _named(state, "payment_lost", "", "the order is cancelled" if state.cancel else "it is paid")
        return
    good, whole = (f"{major(amount, order.currency)} {order.currency}" for amount in (_good(state), need))
    told = [f"{external} is {payment.status}" for external, payment in state.payments.items()]
    yield from _named(state, "payment_lost", f"{whole} are due, {good} are held or taken ({'; '.join(told) or order.payment})", "")


def _other_currency(state: OrderState, order: Order) -> Iterator[AnyEvent]:
    """A payment in another currency than its order's: no rate is ours to guess, so a person says whether it is enough."""
    foreign = {name: payment for name, payment in state.payments.items() if name not in _in_its_currency(state)}
    told = [f"{name} is {major(max(one.authorised, one.captured), one.currency)} {one.currency}" for name, one in foreign.items()]
    waits = foreign and not state.cancel and state.status not in ("settled", "cancelled") and _good(state) < due(state)
    detail = f"{'; '.join(told)}, the order is {major(order.total, order.currency)} {order.currency}" if waits else ""
    yield from _named(state, "payment_currency", detail, "the order is cancelled" if state.cancel else "it is paid in its own currency")


def _in_its_currency(state: OrderState) -> dict[str, PaymentState]:
    """The payments of an order that its amounts can be compared with."""
    assert state.order is not None
    return {name: payment for name, payment in state.payments.items() if payment.currency in ("", state.order.currency)}


def _named(state: OrderState, reason: str, detail: str, by: str) -> Iterator[AnyEvent]:
    """Hold the order for what `detail` says, in the words of now, unless a person has accepted it; free it where that is empty."""
    if detail and state.holds.get(reason) != detail and reason not in state.waived:
        yield Held(reason=reason, detail=detail)
    elif not detail and reason in state.holds:
        yield Freed(reason=reason, by=by)


def _address(state: OrderState) -> Iterator[AnyEvent]:
    """What is to be shipped needs somewhere to go; what a till handed over does not."""
    lost = not state.addressed and not state.parcels and any(wanted(state))
    if lost and not _told(state, "address_incomplete"):
        yield Held(reason="address_incomplete", detail="it is to be shipped, and came without a street, a city or a country")
    elif state.addressed and "address_incomplete" in state.holds:
        yield Freed(reason="address_incomplete", by="a newer version says where to")


def wanted(state: OrderState) -> list[int]:
    """Units that each line still promises, by line number. Lines that are not shipped, or that others ship, want none."""
    order = state.order
    if order is None or state.cancel or order.fulfilled_by != "merchant":
        return [0] * (len(order.lines) if order else 0)
    return [line.quantity - line.cancelled if line.ships else 0 for line in order.lines]


def wants(state: OrderState) -> list[tuple[int, int, int]]:
    """(line number, item, units) that are promised but not allocated yet."""
    if state.order is None or state.status in ("cancelled", "settled", "shipped", "invoiced"):
        return []
    units = wanted(state)
    for share in state.shares:
        if share.line < len(units):
            units[share.line] -= share.quantity
    return [(number, state.items[number], count) for number, count in enumerate(units) if count > 0]


def settle(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    """Everything that follows from what is now known, one step at a time, until nothing more does."""
    if state.order is None:
        return
    yield from _parcels(state)
    yield from _undo(state, policy) if state.cancel else _recall(state)
    yield from _redirect(state, policy)
    if state.agreed is not None and not state.cancel:
        yield from _named(state, "changed_after_shipment", _changes(state), "a newer version takes it back")
    if state.status == "placed" and state.holds:
        yield Moved(move="hold")
    elif state.status == "held" and not state.holds:
        yield Moved(move="free")
    if state.status == "placed" and not state.cancel and (is_paid(state) or UNPAID.intersection(state.waived)):
        yield Moved(move="pay")
    yield from _stock_moves(state, policy)
    yield from _release(state, policy)
    yield from _after_shipping(state, policy)
    yield from _overpaid(state)
    yield from _named(state, OVER_REFUNDED, excess(state, captured), "no more is given back than was taken")


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
    if missing and policy.shortage == "cancel" and not state.cancel:
        yield CancelAsked(by="mainstay", reason="sold but not in stock")
        yield from _undo(state, policy)


def _release(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    ready = state.status == "allocated" or (state.status == "backordered" and policy.partial_shipment)
    later = state.status in AT_THE_WAREHOUSE and not state.cancel
    warehouse = policy.warehouses.get(state.system)
    if not (ready or later) or not warehouse or state.holds.keys() - {MOVED_LATE} or not _withdrawn(state):
        return
    lines = _units(state, [(share.line, share.quantity - share.released) for share in state.shares])
    if not lines:
        if state.status == "allocated" and not any(wanted(state)):
            yield Moved(move="ship")  # nothing to send: downloads, gift cards, or others ship it
        return
    number = 1 + sum(effect.command == "ReleaseOrder" for effect in state.effects.values())
    yield Asked(key=f"{state.uid}:release.{number}", command="ReleaseOrder", system=warehouse, lines=lines, about=str(number))
    if ready:
        yield Moved(move="release")


def _parcels(state: OrderState) -> Iterator[AnyEvent]:
    """Take the units of new parcels off the shelf; what was never allocated, or is of no line of the order, is named."""
    numbers, left = _numbers(state), False
    for external, parcel in list(state.parcels.items()):
        if parcel.status not in LEFT or (parcel.counted and not any(units.line in numbers for units in parcel.unknown)):
            continue
        shares, beyond = _cover(state, parcel)
        if _is_echo(state, external, parcel, bool(shares)):
            yield Shipped(parcel=external, shares=())
            continue
        yield Shipped(parcel=external, shares=shares, beyond=beyond)
        if beyond:
            units = sum(share.quantity for share in beyond)
            yield Held(reason="shipped_beyond_allocation", detail=f"parcel {external} held {units} units that were not allocated")
        if state.status in ("cancelled", "shipped", "invoiced", "settled"):
            if state.status == "cancelled":
                yield Held(reason="shipped_after_cancel", detail=f"parcel {external} left although the order was cancelled")
            continue
        left = True
        if not all_shipped(state) and state.status != "part_shipped" and (shares or beyond):
            yield Moved(move="ship_part")
    if left and all_shipped(state):  # when all parcels are counted: of several that are told at once each takes its own units
        if rest := _unshipped(state):
            yield Deallocated(shares=rest, reason="not shipped")  # it was taken off the order after its release
        yield Moved(move="ship")
    yield from _unknown_lines(state)


def _unknown_lines(state: OrderState) -> Iterator[AnyEvent]:
    """Units that left under a line that the order does not have: named until an edit brings the line, or a person has looked."""
    parts = [
        f"parcel {external} held {units.quantity} units of line {units.line}"
        for external, parcel in state.parcels.items() for units in parcel.unknown
    ]  # fmt: skip
    detail = f"{'; '.join(parts)}, which the order does not have" if parts else ""
    yield from _named(state, "unknown_parcel_line", detail, "the order has the line now")


def _is_echo(state: OrderState, external: str, parcel: ParcelState, something_left: bool) -> bool:
    """Is this parcel told of a second time, by its channel or by its warehouse? Its tracking says so; or the channel tells of one,
    and nothing is left to ship."""
    others = [one for key, one in state.parcels.items() if key != external and one.counted and one.system != parcel.system]
    same = any(set(parcel.tracking) & set(one.tracking) for one in others)
    return same or (parcel.system == state.system and bool(others) and not something_left)


def all_shipped(state: OrderState) -> bool:
    """Has every unit left that was to leave?"""
    return all(count <= 0 for count in _not_left(state))


def _not_left(state: OrderState) -> list[int]:
    """Units of each line that are to leave and have not; below zero where more left."""
    units = _to_leave(state)
    for share in state.shares:
        if share.line < len(units):
            units[share.line] -= share.shipped
    return units


def _changes(state: OrderState) -> str:
    """What the source wants otherwise than what had been shipped and booked as a whole, in numbers. Nothing more is sent, booked or taken
    for it by itself: the buyer's parcel and invoice are out."""
    order, agreed = state.order, state.agreed
    if order is None or agreed is None:
        return ""
    lines = zip(order.lines, _not_left(state), strict=True)
    said = [f"{count} units of line {line.id} ({line.sku}) are wanted that have not left" for line, count in lines if count > 0]
    if order.total != agreed:
        was, now = major(agreed, order.currency), major(order.total, order.currency)
        said.append(f"the total was {was} {order.currency} when the order left, it is {now} now")
    return "; ".join(said)


def _to_leave(state: OrderState) -> list[int]:
    """Units of each line that may be in parcels: what is wanted; of a cancelled order all that was ordered, as it had been wanted."""
    if state.order is None or not state.cancel:
        return wanted(state)
    return [line.quantity if line.ships and state.order.fulfilled_by == "merchant" else 0 for line in state.order.lines]


def _unshipped(state: OrderState) -> tuple[Share, ...]:
    return tuple(Share(s.line, s.item, s.location, s.quantity - s.shipped) for s in state.shares if s.quantity > s.shipped)


def _cover(state: OrderState, parcel: ParcelState) -> tuple[tuple[Share, ...], tuple[Share, ...]]:
    """Which allocated units a parcel took; and those that it took beyond them, from wherever they were."""
    if parcel.units:
        said, numbers = parcel.unknown if parcel.counted else parcel.units, _numbers(state)
        todo = [(numbers[units.line], units.quantity) for units in said if units.line in numbers]
    elif any(share.released for share in state.shares):  # it speaks of all that was released
        todo = [(share.line, share.released - share.shipped) for share in state.shares]
    else:  # it is told before we released anything, or after we gave up: of all that was to leave
        todo = list(enumerate(_to_leave(state)))
    shares: list[Share] = []
    beyond: list[Share] = []
    taken = [share.shipped for share in state.shares]
    for line, units in todo:
        count = units
        for index, share in enumerate(state.shares):
            part = min(count, share.quantity - taken[index]) if share.line == line else 0
            if part > 0:
                shares.append(Share(line, share.item, share.location, part))
                taken[index] += part
                count -= part
        if count > 0:
            beyond.append(Share(line, state.items[line], WHEREVER, count))
    return tuple(shares), tuple(beyond)


def _numbers(state: OrderState) -> dict[str, int]:
    """The number of each line that the order has, by its id."""
    return {line.id: number for number, line in enumerate(state.order.lines)} if state.order is not None else {}


def _undo(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    """Compensate, as far as the world still allows: before release at once, after it by asking the warehouse; for what left, a person."""
    if state.status == "cancelled":
        yield from _give_back(state, policy)  # an authorisation that came late, a capture that was under way
        yield from _named(state, "money_kept", _kept(state), "it was given back")
        return
    ended = state.status in ("shipped", "invoiced", "settled")
    some_left = any(share.shipped for share in state.shares)
    if (ended or some_left) and not _told(state, "cancelled_after_shipment"):
        yield Held(reason="cancelled_after_shipment", detail=state.cancel)
    if ended:
        return
    yield from _withdraw(state)
    if not _withdrawn(state):
        if state.status != "cancelling":
            yield Moved(move="withdraw")
        return
    shares = _unshipped(state)
    if shares:
        yield Deallocated(shares=shares, reason=state.cancel)
    if some_left:  # the rest is free again; what left, and its money, is a person's
        if state.status == "cancelling":
            yield Moved(move="ship_part")
        if "cancelled_after_shipment" in state.waived:
            yield Moved(move="ship")  # who has accepted it: what left is what was sold
        return
    yield from _give_back(state, policy)
    if state.order is not None and state.order.cancelled_at is None and policy.takes(state.system, "CancelOrder"):
        key = f"{state.uid}:cancel"
        if key not in state.effects:
            yield Asked(key=key, command="CancelOrder", system=state.system, about=state.cancel)
    yield Moved(move="cancel")
    yield from _named(state, "money_kept", _kept(state), "")


def _told(state: OrderState, reason: str) -> bool:
    """Does this hold stand already, or has a person accepted its cause?"""
    return reason in state.holds or reason in state.waived


def _recall(state: OrderState) -> Iterator[AnyEvent]:
    """Units that were taken off the order after their release: the warehouse gives its releases back, and the rest is released anew
    when it has answered. What left all the same is named."""
    gone = _unwanted(state, lambda share: share.shipped)
    if gone and not _told(state, "shipped_after_cancel") and not _told(state, "shipped_beyond_allocation"):
        yield Held(reason="shipped_after_cancel", detail=f"{gone} units left although they were cancelled")
    if state.status not in AT_THE_WAREHOUSE:
        return
    if _unwanted(state, lambda share: share.released) > gone:
        yield from _withdraw(state)
    elif _withdrawn(state) and all_shipped(state) and not _unshipped(state):
        yield Moved(move="ship")  # what had not left yet was taken off


def _unwanted(state: OrderState, count: Callable[[Share], int]) -> int:
    """Units of the shares, counted so, that the order does not want any more."""
    units, surplus = wanted(state), 0
    for share in state.shares:
        if share.line < len(units):
            units[share.line] -= count(share)
        else:
            surplus += count(share)  # its line has vanished
    return surplus - sum(left for left in units if left < 0)


def _redirect(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    """The buyer has moved after the release: what has not left is asked back, and released anew when the warehouse has answered. To
    change it there would not do: a call of before that we have given up may still be carried out, and only what is called off refuses it.
    What left for the address of before, and what cannot be asked back, is named."""
    told: list[str] = []
    for key in _under_way(state) if state.misled and not state.cancel else ():
        effect = state.effects[key]
        if key in state.misled and policy.takes(effect.system, "CancelRelease"):
            yield _asked_back(key, effect)
        elif key in state.misled:
            told.append(f"{effect.system} cannot be told where to send release {effect.about} now")
    strayed = [external for external in state.strayed if state.parcels[external].status in LEFT]
    told += [f"parcel {external} left for the address of before" for external in strayed]
    yield from _named(state, MOVED_LATE, "; ".join(told), "nothing goes to the address of before")


def _withdraw(state: OrderState) -> Iterator[AnyEvent]:
    """Ask for every release back that the warehouse may still be working on."""
    yield from (_asked_back(key, state.effects[key]) for key in _under_way(state))


def _asked_back(key: str, release: EffectState) -> Asked:
    return Asked(key=f"{key}.withdraw", command="CancelRelease", system=release.system, about=release.about)


def _under_way(state: OrderState) -> list[str]:
    """Releases that were not asked back, and of which something has not left. Units that have not left are those of the newest ones."""
    found = []
    waiting = dict.fromkeys(_numbers(state), 0)
    for of in _units(state, [(share.line, share.released - share.shipped) for share in state.shares]):
        waiting[of.line] = of.quantity
    former = sum(share.released - share.shipped for share in state.shares if share.line >= len(state.items))  # of what lines were
    for key, effect in reversed(list(state.effects.items())):
        if effect.command != "ReleaseOrder" or effect.outcome in DROPPED or f"{key}.withdraw" in state.effects:
            continue
        here = {units.line: min(units.quantity, waiting.get(units.line, units.quantity)) for units in effect.lines}
        for line, units in here.items():
            waiting[line] = waiting.get(line, units) - units
        rest = min(former, sum(units.quantity - here[units.line] for units in effect.lines))
        former -= rest
        if rest or any(here.values()):
            found.append(key)
    return found


def _withdrawn(state: OrderState) -> bool:
    """Has the warehouse answered every withdrawal?"""
    return all(effect.outcome in ENDED for effect in state.effects.values() if effect.command == "CancelRelease")


def _give_back(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    """Let authorisations go; refund what our own capture took. What others captured, others refund."""
    for external, payment in list(state.payments.items()):
        if not policy.takes(payment.system, "VoidPayment"):
            continue
        ours = [e for e in state.effects.values() if e.command == "CapturePayment" and e.about == external]
        taken = max((effect.amount for effect in ours if effect.outcome == "done"), default=0)
        under_way = any(effect.outcome not in DROPPED | {"done"} for effect in ours)
        if payment.status == "authorised" and not taken and not under_way:
            key = f"{state.uid}:void.{external}"
            if key not in state.effects:
                yield Asked(key=key, command="VoidPayment", system=payment.system, about=external)
        elif taken > payment.refunded:
            key = f"{state.uid}:refund.{external}"
            if key not in state.effects:
                yield Asked(key=key, command="RefundPayment", system=payment.system, about=external, amount=taken - payment.refunded)


def _kept(state: OrderState) -> str:
    """What others took of a cancelled order and have not given back, at its provider, at its channel or from gift cards; what we took, we
    give back. A channel may say that all of it was given back, and tell of no refund."""
    order = state.order
    assert order is not None
    ours = {effect.about for effect in state.effects.values() if effect.command == "CapturePayment" and effect.outcome not in DROPPED}
    left = {external: one for external, one in state.payments.items() if external not in ours and one.captured > one.refunded}
    told = [f"{major(one.captured - one.refunded, one.currency)} {one.currency} of {external}" for external, one in left.items()]
    if order.payment != "refunded" or state.refunds:
        back = [one for one in state.refunds.values() if one.status == "succeeded" and one.system == state.system]
        at_the_channel = order.payment in PAID_WORDS and not order.payments and not state.payments
        taken = order.total - order.gift_cards - order.facilitator_tax if at_the_channel else 0
        parts = {f"by {state.system}": taken - sum(one.amount - one.gift_cards for one in back) if at_the_channel else 0}
        parts["of gift cards"] = order.gift_cards - sum(one.gift_cards for one in back)
        told += [f"{major(amount, order.currency)} {order.currency} {whose}" for whose, amount in parts.items() if amount > 0]
    return f"{', '.join(told)} was taken and not given back" if told else ""


def amount_again(state: OrderState, effect: EffectState) -> int:
    """Minor units to ask for where an effect is asked once more: of a refund, what the provider has not given back meanwhile."""
    if effect.command != "RefundPayment":
        return effect.amount
    return max(0, min(effect.amount, captured(state, effect.about) - state.payments[effect.about].refunded))


def _after_shipping(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    yield from _confirm(state, policy)
    if state.status in ("shipped", "invoiced") or (policy.capture == "order" and state.status in ("allocated", "released")):
        yield from _capture(state, policy)
    if state.status == "shipped":
        key = f"{state.uid}:sale"
        erp = policy.books.get(state.system)
        if erp and key not in state.effects and not state.invoice:
            yield Asked(key=key, command="PostSale", system=erp)
        if state.invoice or not erp:
            yield Moved(move="invoice")
    yield from _returns(state, policy)
    taken = is_captured(state) or any(e.command == "CapturePayment" and e.outcome == "waived" for e in state.effects.values())
    if state.status == "invoiced" and taken and all(e.outcome in ENDED for e in state.effects.values()):
        yield Moved(move="settle")


def _overpaid(state: OrderState) -> Iterator[AnyEvent]:
    """Units that were taken off after they had been paid: once the rest has left, what was taken for them and not given back is named.
    Who takes units off mostly gives their money back, too, and nobody is to get it twice."""
    order = state.order
    if order is None or state.cancel or state.status not in ("shipped", "invoiced", "settled"):
        return
    over = 0
    if any(line.cancelled for line in order.lines):
        told: dict[str, int] = {}  # by who tells of it: a shop and its provider speak of the same money
        for refund in state.refunds.values():
            if refund.status in ("pending", "succeeded"):
                told[refund.system] = told.get(refund.system, 0) + refund.amount
        back = max([sum(payment.refunded for payment in state.payments.values()), *told.values()])
        over = sum(captured(state, external) for external in state.payments) - back - due(state)
    detail = f"{major(over, order.currency)} {order.currency} was taken for units that were taken off again" if over > 0 else ""
    yield from _named(state, "overpaid", detail, "it was given back")


def _returns(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    """Have what came back booked, once for each refund that says so, and after the sale that it undoes."""
    erp = policy.books.get(state.system, "")
    if not state.invoice or not policy.takes(erp, "PostReturn"):
        return
    for external, refund in list(state.refunds.items()):
        key = f"{state.uid}:return.{external}"
        if refund.back and refund.status in ("pending", "succeeded") and key not in state.effects:
            lines = _came_back(state, refund)
            if lines:
                yield Asked(key=key, command="PostReturn", system=erp, lines=lines, about=external)


def _came_back(state: OrderState, refund: RefundState) -> tuple[UnitsOf, ...]:
    """Units of a refund that are on the shelf again: at most those that had left and have not come back by another one."""
    out, numbers = [sum(share.shipped for share in state.shares if share.line == line) for line in range(len(state.items))], _numbers(state)
    for effect in state.effects.values():
        if effect.command == "PostReturn" and effect.outcome != "replaced":
            for units in effect.lines:
                if units.line in numbers:
                    out[numbers[units.line]] -= units.quantity
    back: list[tuple[int, int]] = []
    for line in refund.back:
        number = numbers.get(line.line)
        if number is not None:
            back.append((number, min(line.quantity, out[number])))
            out[number] -= back[-1][1]
    return _units(state, back)


def _confirm(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    if not policy.takes(state.system, "ConfirmFulfilment"):
        return
    for external, parcel in list(state.parcels.items()):
        key = f"{state.uid}:confirm.{external}"
        if parcel.counted and parcel.system != state.system and key not in state.effects:
            yield Asked(key=key, command="ConfirmFulfilment", system=state.system, lines=tuple(parcel.units), about=external)


def _capture(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    payments = _in_its_currency(state)
    left = due(state) - sum(payment.captured for payment in payments.values())
    left -= sum(e.amount for e in state.effects.values() if e.command == "CapturePayment" and e.outcome in ("asked", "unknown"))
    for external, payment in payments.items():
        key = f"{state.uid}:capture.{external}"
        amount = min(left, payment.authorised - payment.captured)
        if amount > 0 and payment.status == "authorised" and key not in state.effects and policy.takes(payment.system, "CapturePayment"):
            yield Asked(key=key, command="CapturePayment", system=payment.system, amount=amount, about=external)
            left -= amount


def due(state: OrderState) -> int:
    """What is to be taken beyond gift cards, in minor units: not for units that were cancelled, and of a cancelled order for what had
    left. A total that does not add up is taken as it is stated: nobody knows which part of it is whose."""
    order = state.order
    if order is None or (state.cancel and not any(state.left())):
        return 0
    part = order if order.difference() else order.of(state.sold())
    return max(0, part.total - order.gift_cards)


def is_paid(state: OrderState) -> bool:
    """Is enough authorised or captured? Where providers are named, only their own word counts."""
    order = state.order
    if order is None:
        return False
    whole = order.total - order.gift_cards if state.cancel else due(state)
    if order.payments or state.payments:
        return _good(state) >= whole
    return order.payment in PAID_WORDS or order.payment == "authorised" or whole <= 0


def _good(state: OrderState) -> int:
    """What providers hold for the order or have taken, in minor units."""
    return sum(map(_good_of, _in_its_currency(state).values()))


def _good_of(payment: PaymentState) -> int:
    """Of a payment that was captured the rest was let go."""
    if payment.status in DEAD_PAYMENTS:
        return 0
    return payment.captured if payment.status in PAID_WORDS else max(payment.authorised, payment.captured)


def is_captured(state: OrderState) -> bool:
    """Has everything been taken? What the source added after the order had left is named, and a person's to take."""
    order = state.order
    if order is None:
        return False
    added = order.total - state.agreed if state.agreed is not None else 0
    return owed(state) <= max(0, added)


def owed(state: OrderState) -> int:
    """What is due and has not been taken, in minor units."""
    order = state.order
    if order is None or state.status == "cancelled":
        return 0
    if order.payments or state.payments:
        return max(0, due(state) - sum(captured(state, external) for external in _in_its_currency(state)))
    return 0 if order.payment in PAID_WORDS else due(state)


def captured(state: OrderState, external: str) -> int:
    """Minor units taken of one payment: by its provider's statement or its answer to our capture, whichever knows more."""
    captures = (effect for effect in state.effects.values() if effect.command == "CapturePayment" and effect.about == external)
    answered = max((effect.amount for effect in captures if effect.outcome == "done"), default=0)
    return max(state.payments[external].captured, answered)


def _surplus(state: OrderState) -> tuple[Share, ...]:
    """Allocated units that the order no longer wants, and that no warehouse works on."""
    order = state.order
    if order is None or not state.shares or state.status not in BEFORE_RELEASE | AT_THE_WAREHOUSE:
        return ()
    units = wanted(state)
    back = []
    for share in state.shares:
        keep = min(share.quantity, units[share.line]) if share.line < len(units) else 0
        if share.line < len(units):
            units[share.line] -= keep
        free = share.quantity - max(keep, share.released, share.shipped)
        if free > 0 and not state.cancel:
            back.append(Share(share.line, share.item, share.location, free))
    return tuple(back)


def _units(state: OrderState, counts: list[tuple[int, int]]) -> tuple[UnitsOf, ...]:
    assert state.order is not None
    by_line: dict[int, int] = {}
    for line, count in counts:
        if count > 0 and line < len(state.order.lines):
            by_line[line] = by_line.get(line, 0) + count
    return tuple(UnitsOf(state.order.lines[line].id, count) for line, count in by_line.items())


__all__ = [
    "Policy", "all_shipped", "amount_again", "begin", "captured", "due", "is_captured", "is_paid", "newer", "owed", "settle", "wanted",
    "wants",
]  # fmt: skip
