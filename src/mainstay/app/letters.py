"""Dead letters, as a person looks at them."""

from __future__ import annotations

from typing import Any

import msgspec

from mainstay.app import build
from mainstay.edge.whose import with_runbooks
from mainstay.flows import journey
from mainstay.model.failures import Reject
from mainstay.storage.archive import raw_of
from mainstay.storage.inbox import InboxReader
from mainstay.storage.state import State


def listed(house: build.House, state: State) -> list[dict[str, Any]]:
    """The open dead letters, newest first."""
    duties = build.duties(house)
    return [with_runbooks(one, duties) for one in journey.letters(state)]


def letter(house: build.House, number: int) -> dict[str, Any]:
    """One dead letter with the raw message that it is about."""
    state = State(house.data / "state.db", write=False)
    found = state.load("load_letters", [number])
    if not found:
        raise Reject(f"no dead letter has the number {number}", "not_found")
    body = msgspec.json.decode(found[0][-1])
    inboxes = {name: InboxReader(house.data / f"{name}.db") for name in ("inbox", "outcomes")}
    raw = raw_of(house.data, inboxes, body["system"], body["receipt"]) if body.get("receipt") else None
    shown = with_runbooks({"id": number, "status": found[0][1], **body}, build.duties(house))
    return {**shown, "raw": raw.body.decode(errors="replace") if raw else None}
