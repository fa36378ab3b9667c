"""What the processes tell of themselves beside the store, for each other and for people. No personal data, no secrets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from mainstay.app.build import House, clock, fingerprint
from mainstay.model.times import SECOND
from mainstay.storage.inbox import InboxReader
from mainstay.storage.state import State

STALE_S = 10.0  # a process that has not told anything for so long counts as down


def write_snapshot(data: Path, role: str, what: dict[str, Any]) -> None:
    """Replace a role's snapshot."""
    path = data / f"{role}.now.json"
    fresh = path.with_suffix(".tmp")
    fresh.write_bytes(msgspec.json.encode({"at": clock(), **what}))
    os.replace(fresh, path)


def read_snapshot(data: Path, role: str) -> dict[str, Any]:
    """A role's last snapshot; empty where there is none."""
    try:
        return msgspec.json.decode((data / f"{role}.now.json").read_bytes())  # type: ignore[no-any-return]
    except FileNotFoundError:
        return {}


def works_otherwise(house: House) -> bool:
    """Does a Mainstay work on this store that has loaded another declaration than this one, as it was changed since?"""
    said, declared = read_snapshot(house.data, "core"), fingerprint(house)
    return not silent_s(said, clock()) and said.get("declared", declared) != declared


def silent_s(said: dict[str, Any], now: int) -> int:
    """For how many seconds a process has told nothing since this snapshot; 0 where that is no time, or where it never told anything."""
    at = said.get("at", 0)
    return (now - at) // SECOND if at and now - at > STALE_S * SECOND else 0


def silent(data: Path, now: int) -> dict[str, int]:
    """Who has told nothing for how many seconds, having ended or standing still: by what the supervisor hears while it looks, and by what
    each has written down."""
    found = {role: silent_s(read_snapshot(data, role), now) for role in ("up", "core", "dispatch")}
    if not found["up"]:
        roles = read_snapshot(data, "up").get("roles", {})
        found |= {role: told for role, one in roles.items() if (told := one.get("silent_s", 0)) > STALE_S}
    return {role: seconds for role, seconds in found.items() if seconds}


def standing(data: Path) -> dict[str, Any]:
    """What the core has not handled (`lag`), how delivery stands (`dispatch`: calls, breakers, flows that are late), and who tells nothing
    any more (`silent`)."""
    return {"lag": backlog(data), "dispatch": read_snapshot(data, "dispatch"), "silent": silent(data, clock())}


def backlog(data: Path) -> dict[str, int]:
    """Receipts of each inbox that the core has not handled yet."""
    return {name: reader.behind(position) for name, reader, position in _inboxes(data)}


def oldest_s(data: Path, now: int) -> dict[str, float]:
    """For how many seconds the core has left the oldest unhandled receipt of each inbox; `now` in microseconds."""
    found = {}
    for name, reader, position in _inboxes(data):
        waiting = reader.after(position, 1)
        found[name] = max(0, now - waiting[0].at) / SECOND if waiting else 0.0
    return found


def _inboxes(data: Path) -> Iterator[tuple[str, InboxReader, int]]:
    """Each inbox with the core's position in it; none before there is a store."""
    try:
        state = State(data / "state.db", write=False)
    except Exception:
        return
    counters = state.counters()
    state.close()
    for name in ("inbox", "outcomes"):
        reader = InboxReader(data / f"{name}.db")
        yield name, reader, counters.get(f"position/{name}", 0)
        reader.close()
