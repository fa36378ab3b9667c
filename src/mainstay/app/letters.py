"""Dead letters and proposals, with the people who answer for them."""

from __future__ import annotations

from typing import Any

from mainstay.app import build
from mainstay.edge.whose import with_people, with_runbooks
from mainstay.flows import journey
from mainstay.model.failures import Reject
from mainstay.storage.state import State


def listed(house: build.House, state: State) -> list[dict[str, Any]]:
    """The open dead letters, newest first."""
    duties = build.duties(house)
    return [with_runbooks(one, duties) for one in journey.letters(state)]


def letter(house: build.House, state: State, number: int) -> dict[str, Any]:
    """One dead letter with the raw message that it is about. Raises Reject."""
    found = journey.letter(state, number)
    if found is None:
        raise Reject(f"no dead letter has the number {number}; `mainstay deadletters list` shows those that are open", "not_found")
    return with_runbooks(found, build.duties(house))


def proposed(house: build.House, state: State) -> list[dict[str, Any]]:
    """The proposals, newest first."""
    duties = build.duties(house)
    return [with_people(one, duties) for one in journey.proposals(state)]
