"""Which subject stands for a buyer. Pure: look-ups are handed in."""

from __future__ import annotations

from collections.abc import Collection


def subject_of(customer: int, before: int, order: int, erased: Collection[int], *, same: bool) -> int:
    """All orders that carry the same customer id of one system share the customer's subject; a guest's order is a subject of its own.

    `customer` is the subject of the customer whom the order names, or 0; `before` the one that it has so far, or 0. `same`: it has
    named nobody else. Who buys again after an erasure is somebody new. 0: somebody of whom nothing is known, and whom the order's own
    subject does not stand for.
    """
    if customer and customer not in erased:
        return customer
    return (before or order) if same or not before else 0
