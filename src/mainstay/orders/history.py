"""What had ended before anybody here looked after it: an order of the time when its shop did without us. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from mainstay.model.objects import PAID_WORDS, Order
from mainstay.model.seen import FulfilmentSeen
from mainstay.orders.fold import LEFT


def ended(order: Order, told: Iterable[object]) -> int | None:
    """When an order was over at its source, in microseconds: it was cancelled, or the last of what was to be sent left, by the parcels
    that are told of with it. None where something of it is still to be done."""
    if order.cancelled_at is not None:
        return order.cancelled_at
    parcels = [one for one in told if isinstance(one, FulfilmentSeen) and one.status in LEFT]
    sends = [line for line in order.lines if line.ships and line.quantity > line.cancelled]
    left: Counter[str] = Counter()
    for parcel in parcels:
        for units in parcel.lines:
            left[units.line] += units.quantity
    if any(line.quantity - line.cancelled > left[line.id] for line in sends):
        return None
    if not sends:  # downloads, gift cards, or all was taken off again
        return order.placed_at if order.payment in PAID_WORDS else None
    return max(parcel.at for parcel in parcels)
