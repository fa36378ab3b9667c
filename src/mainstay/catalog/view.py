"""What people are told of an item."""

from __future__ import annotations

from typing import Any

from mainstay.model.money import major
from mainstay.model.state import ItemState


def item(state: ItemState) -> dict[str, Any]:
    """Title, names and prices, as decimal text."""
    return {
        "title": state.title,
        "known_as": state.ids,
        "prices": {system: f"{major(amount, currency)} {currency}" for system, (amount, currency) in state.prices.items()},
    }
