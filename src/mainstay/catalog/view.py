"""What people are told of an item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainstay.model.money import major
from mainstay.model.state import ItemState


def price(state: ItemState, owners: Sequence[str]) -> tuple[str, int, str] | None:
    """What an item costs: (who says so, minor units, currency). Where several may say, whose claim stands; else the first who spoke."""
    claimed = (state.claims["price"][0],) if "price" in state.claims else owners
    for system in claimed:
        if system in state.prices and system in owners:
            return system, *state.prices[system]
    return None


def item(state: ItemState) -> dict[str, Any]:
    """Title, names and prices, as decimal text."""
    return {
        "title": state.title,
        "known_as": state.ids,
        "prices": {system: f"{major(amount, currency)} {currency}" for system, (amount, currency) in state.prices.items()},
    }
