"""Which fields of an order belong to which field group, and what a statement says that counts only in part. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec.structs import replace

from mainstay.model.objects import Order

# All fields that are not named here are the header.
PARTS: Mapping[str, tuple[str, ...]] = {
    "lines": (
        "lines", "total", "shipping", "shipping_discount", "tax", "facilitator_tax", "taxes_included", "duties", "tip", "gift_cards",
        "adjustment", "presentment_total",
    ),
    "status": ("payment", "cancelled_at"),
}  # fmt: skip
_NAMED = {field for fields in PARTS.values() for field in fields}


def merged(known: Order, said: Order, groups: Collection[str]) -> Order:
    """What we know, with the fields of these groups as they were said. Amounts belong to the lines, whose sum they are."""
    header = tuple(field for field in Order.__struct_fields__ if field not in _NAMED)
    taken = [field for group in groups for field in (header if group == "header" else PARTS[group])]
    return replace(known, **{field: getattr(said, field) for field in taken})
