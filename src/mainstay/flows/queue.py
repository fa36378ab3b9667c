"""The dead letters as a queue of work: whose each is, which have one cause, what they put at risk. Reads only."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from hashlib import blake2b
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from mainstay.flows.world import events_of
from mainstay.model.events import JobBegan, JobStepped, Parked
from mainstay.model.failures import CODES
from mainstay.model.money import major
from mainstay.model.outcome import TOPIC
from mainstay.model.state import JobState, LetterState
from mainstay.model.times import iso, micros
from mainstay.storage.state import State

LETTERS_MAX = 1_000_000  # that one question looks at
JOBS_MAX = 200
_state = msgspec.json.Decoder(LetterState).decode
_FIGURES = re.compile(r"[^\s'\"]*[\d@][^\s'\"]*")  # numbers, ids, times, addresses: they differ, and the cause is the same

Word = Annotated[str, Meta(max_length=250)]
Name = Annotated[str, Meta(max_length=200)]
Reason = Annotated[str, Meta(max_length=2000)]
Held = Literal["open", "retried", "suppressed", "resolved"]


class Wanted(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which dead letters are meant: those for which all that is given here is true. Times are ISO 8601 with a zone; Reject `time` else."""

    status: Held = "open"
    queue: Literal["", "ours", "theirs"] = ""
    cause: Word = ""
    code: Word = ""
    system: Word = ""
    topic: Word = ""
    owner: Word = ""  # or whom it was given to
    text: Word = ""  # in its reason
    since: Word = ""
    until: Word = ""

    def __post_init__(self) -> None:
        """Raise Reject `time` for a time that is none."""
        for text in (self.since, self.until):
            if text:
                micros(text)


class Letter(NamedTuple):
    """A dead letter as it stands."""

    id: int
    at: int
    status: str
    state: LetterState

    @property
    def queue(self) -> str:
        """On whose side the cause usually lies."""
        return CODES[self.state.code].whose

    @property
    def cause(self) -> str:
        return cause(self.state)

    @property
    def owner(self) -> str:
        """Who is to act: whom a person gave it to, else the owner."""
        return self.state.given_to or self.state.owner


def cause(parked: Parked) -> str:
    """The fingerprint of why: equal for letters that one action would mend. Figures, ids and addresses in the reason do not count, words
    do: each word that has no mapping is a cause of its own."""
    what = parked.key.partition(":")[2] if parked.topic == TOPIC else parked.topic
    told = "\0".join((parked.code, parked.system, alike(what), alike(parked.why)))
    return blake2b(told.encode(), digest_size=5).hexdigest()


def alike(text: str) -> str:
    """What texts have in common that differ in figures, ids and addresses alone."""
    return _FIGURES.sub("#", text)


def one(state: State, number: int) -> Letter | None:
    """A dead letter by its number."""
    return next((letter_of(row) for row in state.load("load_letters", [number])), None)


def letter_of(row: tuple[Any, ...]) -> Letter:
    """A row of the store."""
    number, at, held_as, *_, body = row
    return Letter(number, at, held_as, _state(body))


def wanted(state: State, query: Wanted) -> Iterator[Letter]:
    """The dead letters that are meant, newest first."""
    since, until = (micros(text) if text else None for text in (query.since, query.until))
    for number, at, _, _, _, body in state.each("letters_as", (query.status, LETTERS_MAX)):
        letter = Letter(number, at, query.status, _state(body))
        if (since is None or at >= since) and (until is None or at < until) and _meant(letter, query):
            yield letter


def repaired(state: State) -> dict[int, int]:
    """The messages that people have repaired, each by its receipt: the one in which they said last what it should have been."""
    letters = [one.state for one in wanted(state, Wanted(status="resolved")) if one.state.repaired]
    return {one.receipt: one.repaired for one in reversed(letters)}


def meant(state: State, letters: Collection[int], query: Wanted | None) -> tuple[int, ...]:
    """The numbers of the dead letters that are to be acted upon, oldest first: those that are named, or else that the query means; none
    where none of them is open."""
    if query is not None:
        return tuple(letter.id for letter in wanted(state, query))[::-1]
    held = [letter_of(row) for row in state.load("load_letters", sorted(set(letters)))]
    return tuple(sorted(set(letters))) if any(letter.status == "open" for letter in held) else ()


def _meant(letter: Letter, query: Wanted) -> bool:
    said = letter.state
    exact = (
        (query.code, said.code), (query.system, said.system), (query.topic, said.topic), (query.owner, letter.owner),
        (query.queue, letter.queue),
    )  # fmt: skip
    equal = all(not asked or asked == found for asked, found in exact)
    return equal and query.text.lower() in said.why.lower() and (not query.cause or letter.cause.startswith(query.cause))


def shown(letter: Letter) -> dict[str, Any]:
    """A dead letter for people: cause, owner, next action, what is at risk."""
    said, known = letter.state, CODES[letter.state.code]
    return {
        "id": letter.id, "at": iso(letter.at), "status": letter.status, "queue": letter.queue, "cause": letter.cause, "code": said.code,
        "system": said.system, "topic": said.topic, "why": said.why, "key": said.key, "receipt": said.receipt, "about": said.about,
        "at_risk": _money(said.amount, said.currency), "meaning": known.meaning, "whose": known.whose, "owner": said.owner,
        "given_to": said.given_to, "escalated": said.escalated, "next": known.next,
    }  # fmt: skip


def _money(amount: int, currency: str) -> str:
    return f"{major(amount, currency)} {currency}" if currency else ""


def causes(letters: Iterator[Letter]) -> list[dict[str, Any]]:
    """The letters by cause, the most frequent first; money at risk by currency, as decimal text."""
    grouped: dict[str, list[Letter]] = {}
    for letter in letters:
        grouped.setdefault(letter.cause, []).append(letter)
    return [_cause(name, grouped[name]) for name in sorted(grouped, key=lambda name: (-len(grouped[name]), name))]


def _cause(name: str, letters: list[Letter]) -> dict[str, Any]:
    newest, oldest = letters[0], letters[-1]
    risk: dict[str, int] = {}
    for letter in letters:
        if letter.state.currency:
            risk[letter.state.currency] = risk.get(letter.state.currency, 0) + letter.state.amount
    return {
        "cause": name, "count": len(letters), "queue": newest.queue, "code": newest.state.code, "system": newest.state.system,
        "topic": newest.state.topic, "example": newest.state.why, "newest": newest.id, "oldest": oldest.id, "first_at": iso(oldest.at),
        "last_at": iso(newest.at), "owners": sorted({letter.owner for letter in letters}),
        "at_risk": {currency: major(amount, currency) for currency, amount in sorted(risk.items())},
        "unpriced": sum(1 for letter in letters if not letter.state.currency), "next": CODES[newest.state.code].next,
    }  # fmt: skip


def jobs(state: State) -> list[dict[str, Any]]:
    """The jobs, newest first."""
    return [_job(msgspec.json.decode(body, type=JobState)) for (body,) in state.rows("newest_jobs", (JOBS_MAX,))]


def job(state: State, number: int) -> dict[str, Any] | None:
    """How far a job is, and what became of each of its letters, from the log."""
    found = state.load("load_jobs", [number])
    if not found:
        return None
    events = events_of(state, number)
    began = next(event for event in events if isinstance(event, JobBegan))
    results = [result for event in events if isinstance(event, JobStepped) for result in event.results]
    told = [{"letter": letter, "done": done, "detail": detail} for letter, done, detail in results]
    held = msgspec.json.decode(found[0][2], type=JobState)
    return {**_job(held), "receipt": began.receipt, "results": told, "to_do": list(began.letters[held.taken :])}


def _job(held: JobState) -> dict[str, Any]:
    return {
        "job": held.id, "at": iso(held.at), "status": held.status, "action": held.action, "letters": held.total, "done": held.done,
        "nothing_done": held.failed, "unchanged": held.unchanged, "query": held.query, "to": held.to, "by": held.by,
        "reason": held.reason, "ended_by": held.ended_by,
    }  # fmt: skip
