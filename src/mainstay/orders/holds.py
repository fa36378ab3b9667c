"""Holds by name: in the words of now, and never once more for what a person has accepted. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from mainstay.model.events import AnyEvent, Freed, Held
from mainstay.model.state import OrderState


def named(state: OrderState, reason: str, detail: str, by: str) -> Iterator[AnyEvent]:
    """Hold the order for what `detail` says, in the words of now, unless a person has accepted it; free it where that is empty."""
    if detail and state.holds.get(reason) != detail and reason not in state.waived:
        yield Held(reason=reason, detail=detail)
    elif not detail and reason in state.holds:
        yield Freed(reason=reason, by=by)


def is_told(state: OrderState, reason: str) -> bool:
    """Does this hold stand already, or has a person accepted its cause?"""
    return reason in state.holds or reason in state.waived
