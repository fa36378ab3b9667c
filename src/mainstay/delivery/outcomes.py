"""Delivery's own file, outcomes.db: attempts, listings, cursors, and what came back as receipts for the core. Group commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from mainstay.contract.connector import Row
from mainstay.model.cards import notice, redacted
from mainstay.model.commands import SetLevel, SetPrice
from mainstay.model.failures import Reject
from mainstay.model.outcome import TOPIC, Outcome
from mainstay.storage.database import STORE_FAILED, ask
from mainstay.storage.failing import Failing
from mainstay.storage.inbox import Inbox, New

GROUP_S = 0.002  # outcomes that end within this time share a commit


class Attempt(Struct):
    """How an intent fares."""

    status: str = "waiting"
    tries: int = 0
    next_at: int = 0
    code: str = ""
    why: str = ""


class Outcomes:
    """Records what delivery learns; `recorded` is called after each commit, to wake the core."""

    def __init__(self, path: Path, clock: Callable[[], int], recorded: Callable[[], None]) -> None:
        self.inbox = Inbox(path)
        self.clock, self.recorded = clock, recorded
        self._new: list[New] = []
        self._marks: dict[str, str] = {}
        self._kept: dict[str, str] = {}  # what this process has remembered, to the last
        self._dropped: set[str] = set()
        self._attempts: dict[int, Attempt] = {}
        self._listed: dict[tuple[str, int], tuple[int, int]] = {}
        self._flushing: asyncio.TimerHandle | None = None
        self._failing = Failing("keep what was learnt")

    # --- what is known -----------------------------------------------------------------------------------------------
    def attempts(self) -> dict[int, Attempt]:
        """All attempts that are kept: those of intents above the low-water mark."""
        return {intent: Attempt(*rest) for intent, *rest in ask(self.inbox.connection, "attempts")}

    def mark(self, name: str) -> str:
        return self._marks.get(name) or self.inbox.mark(name)

    def marks(self, prefix: str) -> list[tuple[str, str]]:
        """Values that are kept, whose names begin so."""
        return [(name, value) for name, value in ask(self.inbox.connection, "marks", (prefix, prefix))]

    # --- what is learnt ----------------------------------------------------------------------------------------------
    def outcome(self, what: Outcome) -> None:
        """An effect ended, or is unknown."""
        self._new.append((self.clock(), "mainstay", TOPIC, what.key, msgspec.json.encode(what)))
        self._soon()

    def documents(self, system: str, found: tuple[Row, ...], cursor: tuple[str, str] | None = None) -> None:
        """Documents that a poll or an answer brought, with the cursor that moves along with them. A card number in one is redacted."""
        now = self.clock()
        for row in found:
            kept = redacted(row.body)
            self._new.append((now, system, row.topic, row.key, kept))
            if kept is not row.body:
                self.outcome(notice(system, row.topic, row.key, kept))
        if cursor is not None:
            self.remember(*cursor)
        self._soon()

    def refused(self, system: str, channel: str, command: SetLevel | SetPrice, why: Reject) -> None:
        """A channel refused a level or a price: that item's letter names it; the other items go on."""
        key = f"{'level' if isinstance(command, SetLevel) else 'price'}.{channel}.{command.sku}"
        self.outcome(Outcome(key=key, entity=0, outcome="rejected", system=system, code=why.code, why=why.why[:500]))

    def attempt(self, intent: int, attempt: Attempt) -> None:
        self._attempts[intent] = attempt
        self._soon()

    def listed(self, channel: str, item: int, units: int) -> None:
        self._listed[(channel, item)] = (units, self.clock())
        self._soon()

    def remember(self, name: str, value: str, *, soon: bool = True) -> None:
        """Keep a value. One that stands already costs no commit: an idle process leaves the disk alone. Not soon: with the next one."""
        if self._kept.get(name) != value:
            self._kept[name] = self._marks[name] = value
            if soon:
                self._soon()

    def keep(self, name: str, value: str) -> None:
        """Keep a value with the next commit, which is not hurried for it."""
        self._marks[name] = value
        self._dropped.discard(name)

    def forget(self, name: str) -> None:
        """Keep the values no longer whose names begin so, from the next commit on."""
        self._marks.pop(name, None)
        self._dropped.add(name)

    # --- group commit ------------------------------------------------------------------------------------------------
    def _soon(self) -> None:
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_later(GROUP_S, self._try)

    def _try(self) -> None:
        """What cannot be committed now waits for the next time."""
        try:
            self.flush()
        except STORE_FAILED as failed:
            self._failing.failed(failed)
        else:
            self._failing.worked()

    def flush(self) -> None:
        """Commit what has gathered. Synchronous on the loop: a thread beside a busy loop would be slower (reference/perf.md, D)."""
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        new = self._new
        if not (new or self._marks or self._dropped or self._attempts or self._listed):
            return
        attempts = [(intent, a.status, a.tries, a.next_at, a.code, a.why) for intent, a in self._attempts.items()]
        listed = [(*key, *value) for key, value in self._listed.items()]
        # a commit that fails forgets nothing: rows and cursors wait for the next one, together
        dropped = [(name, name) for name in sorted(self._dropped)]
        beside = (("save_attempt", attempts), ("save_listing", listed), ("drop_marks", dropped))
        self.inbox.add(new, tuple(self._marks.items()), beside)
        self._new, self._marks, self._dropped, self._attempts, self._listed = [], {}, set(), {}, {}
        if new:
            self.recorded()

    def prune(self, low_water: int) -> None:
        """Forget the attempts of intents that have all ended."""
        self.inbox.add([], [("low_water", str(low_water))], [("drop_attempts", [(low_water,)])])

    def close(self) -> None:
        self.flush()
        self.inbox.close()
