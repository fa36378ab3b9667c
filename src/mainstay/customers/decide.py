"""Which subject stands for a buyer. Pure: look-ups are handed in, numbers are given out by the caller."""

from __future__ import annotations

from collections.abc import Callable

from mainstay.model.objects import Person


def subject_of(person: Person, known: Callable[[str], int], order: int, new: Callable[[], int]) -> int:
    """All orders that carry the same customer id of one system share a subject; a guest's order is a subject of its own.

    `known` gives the subject of a customer id, or 0; `order` is the order that the person came with, or 0.
    """
    subject = known(person.id) if person.id else 0
    return subject or order or new()
