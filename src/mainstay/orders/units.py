"""Units of an order by line: what is wanted of each, what has left, what is to be given back. Pure."""

from __future__ import annotations

from collections.abc import Callable

from mainstay.model.events import Share
from mainstay.model.objects import UnitsOf
from mainstay.model.state import OrderState
from mainstay.orders.moves import AT_THE_WAREHOUSE, BEFORE_RELEASE


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


def all_shipped(state: OrderState) -> bool:
    """Has every unit left that was to leave?"""
    return all(count <= 0 for count in not_left(state))


def not_left(state: OrderState) -> list[int]:
    """Units of each line that are to leave and have not; below zero where more left."""
    units = to_leave(state)
    for share in state.shares:
        if share.line < len(units):
            units[share.line] -= share.shipped
    return units


def to_leave(state: OrderState) -> list[int]:
    """Units of each line that may be in parcels: what is wanted; of a cancelled order all that was ordered, as it had been wanted."""
    if state.order is None or not state.cancel:
        return wanted(state)
    return [line.quantity if line.ships and state.order.fulfilled_by == "merchant" else 0 for line in state.order.lines]


def unshipped(state: OrderState) -> tuple[Share, ...]:
    return tuple(Share(s.line, s.item, s.location, s.quantity - s.shipped) for s in state.shares if s.quantity > s.shipped)


def unwanted(state: OrderState, count: Callable[[Share], int]) -> int:
    """Units of the shares, counted so, that the order does not want any more."""
    units, surplus = wanted(state), 0
    for share in state.shares:
        if share.line < len(units):
            units[share.line] -= count(share)
        else:
            surplus += count(share)  # its line has vanished
    return surplus - sum(left for left in units if left < 0)


def surplus_of(state: OrderState) -> tuple[Share, ...]:
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


def line_numbers(state: OrderState) -> dict[str, int]:
    """The number of each line that the order has, by its id."""
    return {line.id: number for number, line in enumerate(state.order.lines)} if state.order is not None else {}


def units_of(state: OrderState, counts: list[tuple[int, int]]) -> tuple[UnitsOf, ...]:
    assert state.order is not None
    by_line: dict[int, int] = {}
    for line, count in counts:
        if count > 0 and line < len(state.order.lines):
            by_line[line] = by_line.get(line, 0) + count
    return tuple(UnitsOf(state.order.lines[line].id, count) for line, count in by_line.items())
