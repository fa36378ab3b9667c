"""Parcels that left and goods that came back: counted once, whoever tells of them, and told to those who must know. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from mainstay.model.events import WHEREVER, AnyEvent, Asked, Deallocated, Held, Moved, Share, Shipped
from mainstay.model.objects import UnitsOf
from mainstay.model.state import EffectState, OrderState, ParcelState, RefundState
from mainstay.orders.fold import LEFT, LEFT_ALL_THE_SAME
from mainstay.orders.holds import named
from mainstay.orders.policy import Policy
from mainstay.orders.releases import is_over
from mainstay.orders.units import line_numbers, to_leave, units_of, unshipped


def parcels(state: OrderState) -> Iterator[AnyEvent]:
    """Take the units of new parcels off the shelf; what was never allocated, or is of no line of the order, is named."""
    numbers, left = line_numbers(state), False
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
                yield Held(reason=LEFT_ALL_THE_SAME, detail=f"parcel {external} left although the order was cancelled")
            continue
        left = True
        if not is_over(state) and state.status != "part_shipped" and (shares or beyond):
            yield Moved(move="ship_part")
    if left and is_over(state):  # when all parcels are counted: of several at once each takes its own units
        if rest := unshipped(state):
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
    yield from named(state, "unknown_parcel_line", detail, "the order has the line now")


def _is_echo(state: OrderState, external: str, parcel: ParcelState, something_left: bool) -> bool:
    """Is this parcel told of a second time, by its channel or by its warehouse? Its tracking says so; or the channel tells of one,
    and nothing is left to ship."""
    others = [one for key, one in state.parcels.items() if key != external and one.counted and one.system != parcel.system]
    same = any(set(parcel.tracking) & set(one.tracking) for one in others)
    return same or (parcel.system == state.system and bool(others) and not something_left)


def _cover(state: OrderState, parcel: ParcelState) -> tuple[tuple[Share, ...], tuple[Share, ...]]:
    """Which allocated units a parcel took, of those first that its release was of; and those that it took beyond them, from wherever they
    were."""
    release = state.effects.get(parcel.release)
    place = release.location if release else WHEREVER
    if parcel.units:
        said, numbers = parcel.unknown if parcel.counted else parcel.units, line_numbers(state)
        todo = [(numbers[units.line], units.quantity) for units in said if units.line in numbers]
    else:
        todo = _all_of(state, release)
    shares: list[Share] = []
    beyond: list[Share] = []
    taken = [share.shipped for share in state.shares]
    nearest = sorted(enumerate(state.shares), key=lambda one: one[1].location != place)
    for line, units in todo:
        count = units
        for index, share in nearest:
            part = min(count, share.quantity - taken[index]) if share.line == line else 0
            if part > 0:
                shares.append(Share(line, share.item, share.location, part))
                taken[index] += part
                count -= part
        if count > 0:
            beyond.append(Share(line, state.items[line], place, count))
    return tuple(shares), tuple(beyond)


def _all_of(state: OrderState, release: EffectState | None) -> list[tuple[int, int]]:
    """Units by line of a parcel that names none: those of its release that have not left; else all that was released. Told before we
    released anything, or after we gave up, it is all that was to leave."""
    if not any(share.released for share in state.shares):
        return list(enumerate(to_leave(state)))
    if release is None:
        return [(share.line, share.released - share.shipped) for share in state.shares]
    numbers = line_numbers(state)
    asked = {numbers[of.line]: of.quantity for of in release.lines if of.line in numbers}
    here = [share for share in state.shares if share.location == release.location]
    return [(share.line, min(share.released - share.shipped, asked.get(share.line, 0))) for share in here]


def confirm(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    if not policy.takes(state.system, "ConfirmFulfilment"):
        return
    for external, parcel in list(state.parcels.items()):
        key = f"{state.uid}:confirm.{external}"
        if parcel.counted and parcel.system != state.system and key not in state.effects:
            yield Asked(key=key, command="ConfirmFulfilment", system=state.system, lines=tuple(parcel.units), about=external)


def returns(state: OrderState, policy: Policy) -> Iterator[AnyEvent]:
    """Have what came back booked, once for each refund that says so, and after the sale that it undoes."""
    erp = policy.books.get(state.system, "")
    since = _booked_from(state, policy.since.get(erp))
    if since is None or not policy.takes(erp, "PostReturn"):
        return
    for external, refund in list(state.refunds.items()):
        key = f"{state.uid}:return.{external}"
        if refund.back and refund.at >= since and refund.status in ("pending", "succeeded") and key not in state.effects:
            lines = _came_back(state, refund)
            if lines:
                yield Asked(key=key, command="PostReturn", system=erp, lines=lines, about=external)


def _booked_from(state: OrderState, connected: int | None) -> int | None:
    """From when on what comes back of an order is to be booked: from the first moment, where its sale is. Where it had left before there
    was anybody to book it, since then: what came back earlier is in the opening balance. None: not yet, or never."""
    if state.invoice:
        return 0
    sold_before = state.status in ("invoiced", "settled") and f"{state.uid}:sale" not in state.effects
    return connected if sold_before else None


def _came_back(state: OrderState, refund: RefundState) -> tuple[UnitsOf, ...]:
    """Units of a refund that are on the shelf again: at most those that had left and have not come back by another one."""
    numbers = line_numbers(state)
    out = [sum(share.shipped for share in state.shares if share.line == line) for line in range(len(state.items))]
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
    return units_of(state, back)
