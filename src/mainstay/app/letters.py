"""Dead letters, jobs and proposals, with the people who answer for them; and what a repair would do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mainstay.app import build
from mainstay.app.snapshots import works_otherwise
from mainstay.edge.whose import with_deadline, with_people, with_runbooks
from mainstay.flows import journey, queue, rehearse
from mainstay.flows.mend import Mend
from mainstay.flows.queue import Wanted
from mainstay.landscape import Duties
from mainstay.model.failures import Reject
from mainstay.model.outcome import TOPIC
from mainstay.storage.rehearsed import Rehearsed
from mainstay.storage.state import State


def listed(house: build.House, state: State, query: Mapping[str, str], most: int) -> list[dict[str, Any]]:
    """The dead letters that are meant, newest first."""
    duties = build.duties(house)
    found = journey.letters(state, _wanted(query), most)
    refuse_stranger(duties, query.get("system", ""), found)
    return [with_runbooks(one, duties) for one in found]


def by_cause(house: build.House, state: State, query: Mapping[str, str]) -> list[dict[str, Any]]:
    """The open dead letters that are meant, by cause."""
    duties = build.duties(house)
    found = queue.causes(queue.wanted(state, _wanted(query)))
    refuse_stranger(duties, query.get("system", ""), found)
    return [with_deadline(one, duties) for one in found]


def refuse_stranger(duties: Duties, system: str, found: Collection[Any]) -> None:
    """Nothing found of a name that no system bears is a slip, and no good news. Raises Reject."""
    if not found and (wrong := duties.stranger(system)):
        raise Reject(wrong, "not_found")


def _wanted(query: Mapping[str, str]) -> Wanted:
    try:
        return msgspec.convert(dict(query), Wanted)
    except msgspec.ValidationError as wrong:
        raise Reject(f"no dead letter is meant by this: {wrong}", "schema") from None


def letter(house: build.House, state: State, number: int) -> dict[str, Any]:
    """One dead letter with its history and the raw message that it is about. Raises Reject."""
    found = journey.letter(state, number)
    if found is None:
        raise Reject(f"no dead letter has the number {number}; `mainstay deadletters list` shows those that are open", "not_found")
    return with_runbooks(found, build.duties(house))


def whole(file: Path) -> bytes:
    """A message that a person gives whole. Raises Reject where it is no text."""
    body = file.read_bytes()
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise Reject(f"the mended message is not UTF-8 at byte {error.start}; save it as UTF-8", "not_utf8") from None
    return body


def mended(state: State, number: int, to: Mend) -> bytes:
    """A letter's message as it should have been. Raises Reject."""
    found = queue.one(state, number)
    if found is None or found.status != "open" or found.state.topic == TOPIC:
        told = f"no open dead letter about a message that came in has the number {number}"
        raise Reject(f"{told}; `mainstay deadletters list` shows those that are open", "not_found")
    raw = journey.raw_message(state, found.state)
    return to(raw.body if raw is not None else None)


def rehearsed(house: build.House, numbers: Sequence[int], query: Mapping[str, str], to: Mend) -> dict[str, Any]:
    """What would follow if these letters, or else those that the query means, were repaired. Raises Reject where none is open."""
    store = Rehearsed(house.data / "state.db")
    try:
        letters = queue.meant(store, numbers, None if numbers else _wanted(query))
        if not letters:
            raise Reject("no open dead letter is meant by this; `mainstay deadletters list` shows those that are open", "not_found")
        with journey.raws(store) as raw:
            found = rehearse.repairs(store, build.shop(house), raw, letters, to, build.clock())
        return {**found, "restart_first": works_otherwise(house)}
    finally:
        store.close()


def job(state: State, number: int) -> dict[str, Any]:
    """One job with what became of each letter. Raises Reject."""
    found = journey.job(state, number)
    if found is None:
        raise Reject(f"no job has the number {number}; `mainstay jobs list` shows them", "not_found")
    return found


def proposed(house: build.House, state: State) -> list[dict[str, Any]]:
    """The proposals, newest first."""
    duties = build.duties(house)
    return [with_people(one, duties) for one in journey.proposals(state)]
