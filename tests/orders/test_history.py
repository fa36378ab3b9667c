"""When an order was over before anybody here looked after it, by what its source says of it."""

import pytest
from msgspec.structs import replace

from mainstay.model.objects import UnitsOf
from mainstay.model.seen import FulfilmentSeen
from mainstay.orders.history import ended
from tests.flows.conftest import T0, an_order

ORDER = an_order(lines=(("A", 2, 500), ("B", 1, 300))).order


def parcel(at, *units, status="shipped"):
    lines = tuple(UnitsOf(line, count) for line, count in units)
    return FulfilmentSeen(external=f"p{at}", version=1, at=T0 + at, of=None, status=status, lines=lines)


@pytest.mark.parametrize(
    ("order", "parcels", "over"),
    [
        (ORDER, [], None),
        (ORDER, [parcel(1, ("1", 2))], None),
        (ORDER, [parcel(1, ("1", 2)), parcel(5, ("2", 1), status="pending")], None),
        (ORDER, [parcel(5, ("1", 2)), parcel(3, ("2", 1))], 5),
        (replace(ORDER, cancelled_at=T0 + 7), [], 7),
        (replace(ORDER, cancelled_at=T0 + 7), [parcel(1, ("1", 1))], 7),
        (replace(ORDER, lines=(ORDER.lines[0], replace(ORDER.lines[1], cancelled=1))), [parcel(2, ("1", 2))], 2),
        (replace(ORDER, lines=(ORDER.lines[0], replace(ORDER.lines[1], ships=False))), [parcel(2, ("1", 2))], 2),
        (replace(ORDER, lines=(replace(ORDER.lines[0], ships=False),)), [], 0),
        (replace(ORDER, lines=(replace(ORDER.lines[0], ships=False),), payment="pending"), [], None),
    ],
    ids=[
        "nothing has left", "a line has left", "a parcel has not left yet", "all has left", "cancelled", "cancelled after a part had left",
        "the rest was taken off", "the rest is no goods", "nothing to send, and paid", "nothing to send, not paid",
    ],
)  # fmt: skip
def test_an_order_is_over_when_nothing_of_it_is_left_to_do(order, parcels, over):
    assert ended(order, [an_order(), *parcels]) == (None if over is None else T0 + over)
