"""Looking at payloads, contracts, the landscape and dead letters, without a running Mainstay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from mainstay import connectors
from mainstay.app import build
from mainstay.contract.connector import Connector, settings_of
from mainstay.flows.tell import statements_of
from mainstay.landscape import Finding, Misdeclared, check, places, read
from mainstay.model import events
from mainstay.model.failures import Reject
from mainstay.model.seen import Said, SeenEvent
from mainstay.storage.archive import raw_of
from mainstay.storage.inbox import InboxReader
from mainstay.storage.state import State


def translator(name: str, given: Mapping[str, str]) -> Callable[[str, bytes], list[Said]]:
    """A connector's translation with stand-ins for the settings that it does not need."""
    if name == "api":
        return statements_of
    kind = connectors.find(name)
    return kind(settings_of(kind, {**stand_ins(kind), **given})).translate


STAND_IN: Mapping[str, Any] = {"string": "none", "array": [], "object": {}}  # by JSON type; all others: 1


def stand_ins(connector: type[Connector]) -> dict[str, Any]:
    """A value for every required setting: enough to translate, never to connect."""
    found: dict[str, Any] = {}
    for one in build.settings(connector):
        if one.required:
            found[one.name] = one.schema.get("examples", [STAND_IN.get(str(one.schema.get("type")), 1)])[0]
        elif one.name == "currency":
            found[one.name] = "USD"
    return found


def contracts() -> dict[str, Any]:
    """Name -> version and JSON Schema of each canonical event, those of the outside and those of the log."""
    found = {}
    for kind in (*_members(SeenEvent), *_members(events.AnyEvent)):
        (reference,), components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
        found[kind.__name__] = {
            "version": events.VERSION,
            "doc": (kind.__doc__ or "").split("\n")[0],
            "schema": {**reference, "$defs": components},
        }
    return found


def _members(union: Any) -> tuple[type[Any], ...]:
    return tuple(union.__args__)


def findings(config: Path) -> list[Finding]:
    """What `mainstay check` finds."""
    text = build.declared(config)
    try:
        landscape = read(text, str(config))
    except Misdeclared as wrong:  # no landscape at all: what keeps it from being one is what is found
        return wrong.findings
    return check(landscape, build.offers(), build.has_secret(config.resolve().parent), places(text), str(config))


def letter(house: build.House, number: int) -> dict[str, Any]:
    """One dead letter with the raw message that it is about."""
    state = State(house.data / "state.db", write=False)
    found = state.load("load_letters", [number])
    if not found:
        raise Reject(f"no dead letter has the number {number}", "not_found")
    body = msgspec.json.decode(found[0][-1])
    inboxes = {name: InboxReader(house.data / f"{name}.db") for name in ("inbox", "outcomes")}
    raw = raw_of(house.data, inboxes, body["system"], body["receipt"]) if body.get("receipt") else None
    return {"id": number, "status": found[0][1], **body, "raw": raw.body.decode(errors="replace") if raw else None}
