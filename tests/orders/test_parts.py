"""Which part of an order a statement may change."""

import pytest
from msgspec.structs import replace

from mainstay.landscape import GROUPS
from mainstay.model.objects import Order
from mainstay.orders.parts import PARTS, merged
from tests.orders.conftest import an_order

KNOWN = an_order(lines=(("A", 2, 500),)).order
SAID = replace(an_order(lines=(("A", 3, 500),)).order, number="#other", cancelled_at=7)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ((), KNOWN),
        (("status",), replace(KNOWN, cancelled_at=7)),
        (("lines",), replace(KNOWN, lines=SAID.lines, total=SAID.total)),
        (("header",), replace(KNOWN, number="#other")),
        (("header", "lines", "status"), SAID),
    ],
)
def test_only_the_fields_of_these_groups_change(groups, expected):
    assert merged(KNOWN, SAID, groups) == expected


def test_every_part_is_a_group_and_every_field_exists():
    assert set(PARTS) < set(GROUPS["order"])
    assert {field for fields in PARTS.values() for field in fields} < set(Order.__struct_fields__)
