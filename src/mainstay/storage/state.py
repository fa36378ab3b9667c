"""state.db: everything the core knows. Loads what a batch touches with one query for each kind; writes each table once, in one commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from mainstay.storage.database import SQL, Lock, ask, connect
from mainstay.storage.packing import head_of

MERGE_AT = 50_000  # new cross-references that are merged even when the core is busy
Key = tuple[int, int | str]  # (space, their id)

_json = msgspec.json.encode


class Batch:
    """The rows that one commit writes. Names are those of the tables."""

    def __init__(self) -> None:
        self.events: list[tuple[int, int, str, int, bytes, int]] = []
        self.words: list[tuple[int, str]] = []
        self.xrefs: list[tuple[int, int | str, int]] = []
        self.orders: list[tuple[int, str, int, int, int, int, bytes]] = []
        self.reservations: list[tuple[int, str, int, bytes]] = []
        self.items: list[tuple[int, str, bytes]] = []
        self.stock: list[tuple[Any, ...]] = []
        self.accounts: list[tuple[int, str, str, int]] = []
        self.transfers: list[tuple[int, int, int, str, int, int, int]] = []
        self.intents: list[tuple[int, int, str, int, bytes]] = []
        self.timers: dict[tuple[int, str, int], None] = {}  # many may ask for the same one
        self.timers_done: list[tuple[int, str, int]] = []
        self.backlog: list[tuple[int, int]] = []
        self.backlog_done: list[tuple[int, int]] = []
        self.early: list[tuple[int, int, int | str, int, bytes]] = []
        self.early_done: list[tuple[int]] = []
        self.letters: list[tuple[int, int, str, str, str, int, bytes]] = []
        self.jobs: list[tuple[int, str, bytes]] = []
        self.shapes: list[tuple[str, str, bytes]] = []
        self.drifts: list[tuple[int, str, bytes]] = []
        self.pauses: list[tuple[str, str, int, bytes]] = []
        self.proposals: list[tuple[int, int, bytes]] = []
        self.people_gone: list[tuple[int, int]] = []
        self.people: list[tuple[int, int, bytes]] = []
        self.erased: list[tuple[bytes, int]] = []
        self.answers: list[tuple[int, bytes]] = []
        self.level_changes: list[tuple[int, int, bytes]] = []
        self.price_changes: list[tuple[int, int, bytes]] = []
        self.handled: list[tuple[int, str, bytes]] = []
        self.tally: Counter[tuple[str, str, str]] = Counter()
        self.counters: dict[str, int] = {}

    def log(self, seq: int, at: int, kind: str, entity: int, body: bytes) -> None:
        """A row of the log, with the checksum of its columns; the body bears its own."""
        self.events.append((seq, at, kind, entity, body, head_of(seq, at, kind, entity)))


_WRITES: tuple[tuple[str, str], ...] = (  # (rows of the batch, statement), in the order in which they are written
    ("words", "add_word"),
    ("events", "add_event"),
    ("xrefs", "add_xref"),
    ("orders", "save_order"),
    ("reservations", "save_reservation"),
    ("items", "save_item"),
    ("stock", "save_stock"),
    ("accounts", "save_account"),
    ("transfers", "add_transfer"),
    ("intents", "add_intent"),
    ("timers", "add_timer"),
    ("timers_done", "drop_timer"),
    ("backlog", "add_backlog"),
    ("backlog_done", "drop_backlog"),
    ("early", "add_early"),
    ("early_done", "drop_early"),
    ("letters", "save_letter"),
    ("jobs", "save_job"),
    ("shapes", "save_shape"),
    ("drifts", "save_drift"),
    ("pauses", "save_pause"),
    ("proposals", "add_proposal"),
    ("people_gone", "drop_person"),
    ("people", "save_person"),
    ("erased", "blank_people"),
    ("erased", "erase_person"),
    ("answers", "add_answer"),
    ("level_changes", "add_level_change"),
    ("price_changes", "add_price_change"),
    ("handled", "add_handled"),
)


class Claim(NamedTuple):
    """An id of others that a second entity claimed: its space (the number of "system/kind"), the id, who keeps it, who does not get it."""

    space: int
    ext: int | str
    kept: int
    refused: int


class State:
    """The core's store. One writer; any number of readers open the same file with `write=False`."""

    def __init__(self, path: Path, *, write: bool = True) -> None:
        self.path = path
        self._lock = Lock(path) if write else None
        try:
            self.connection = connect(path, write=write, schema="state")
        except BaseException:  # nothing is held by what could not be opened
            if self._lock is not None:
                self._lock.release()
            raise
        self.rows_written: Counter[str] = Counter()
        self.claims: list[Claim] = []  # found by a merge; whoever tells people of them empties it
        self._recent: dict[Key, int] = {}
        if write:
            self._recent = {(space, ext): entity for space, ext, entity in self.rows("recent_xrefs")}

    def rows(self, name: str, bindings: Any = ()) -> list[tuple[Any, ...]]:
        """All rows of a named query."""
        return ask(self.connection, name, bindings)

    def each(self, name: str, bindings: Any = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a named query, one by one."""
        return iter(self.connection.execute(SQL[name], bindings))

    def close(self) -> None:
        try:
            self.connection.close()
        finally:
            if self._lock is not None:
                self._lock.release()

    # --- load --------------------------------------------------------------------------------------------------------
    def counters(self) -> dict[str, int]:
        return dict(self.rows("counters"))

    def words(self) -> dict[str, int]:
        return {text: number for number, text in self.rows("words")}

    def accounts(self) -> dict[tuple[str, str], tuple[int, int]]:
        """(name, currency) -> (number, balance)."""
        return {(name, currency): (number, balance) for number, name, currency, balance in self.rows("accounts")}

    def find(self, keys: Collection[Key]) -> dict[Key, int]:
        """Which entities these ids of others mean, as far as they are known."""
        found: dict[Key, int] = {}
        missing: list[Key] = []
        for key in keys:
            entity = self._recent.get(key)
            if entity is None:
                missing.append(key)
            else:
                found[key] = entity
        if missing:
            for index, entity in self.rows("find_xrefs", (_json(missing).decode(),)):
                found[missing[index]] = entity
            if self._lock is None:  # a reader holds no recent ones in memory
                found |= self._find_recent(missing)
        return found

    def recent(self, key: Key) -> int | None:
        """The entity of a cross-reference that is not merged yet."""
        return self._recent.get(key)

    def _find_recent(self, keys: list[Key]) -> dict[Key, int]:
        found = {}
        for space, ext in keys:
            hit = self.rows("find_recent_xref", (space, ext))
            if hit:
                found[(space, ext)] = hit[0][0]
        return found

    def load(self, name: str, numbers: Iterable[object]) -> list[tuple[Any, ...]]:
        """Rows of a `load_…` or `find_…` query for a list of numbers or texts."""
        return self.rows(name, (_json(list(numbers)).decode(),))

    # --- write -------------------------------------------------------------------------------------------------------
    def write(self, batch: Batch) -> None:
        """One commit: all of the batch or nothing."""
        connection, written = self.connection, self.rows_written
        connection.execute("BEGIN IMMEDIATE")
        try:
            for name, statement in _WRITES:
                new = getattr(batch, name)
                if new:
                    connection.executemany(SQL[statement], new)
                    written[name] += len(new)
            if batch.tally:
                connection.executemany(SQL["add_tally"], [(*key, n) for key, n in batch.tally.items()])
            connection.executemany(SQL["set_counter"], batch.counters.items())
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # where the disk failed, SQLite has already rolled back; what failed is what must be told
                connection.execute("ROLLBACK")
            raise
        for space, ext, entity in batch.xrefs:
            self._recent.setdefault((space, ext), entity)
        if len(self._recent) >= MERGE_AT:
            self.merge_xrefs()

    def merge_xrefs(self) -> None:
        """Move the new cross-references to their sorted place: in idle moments, or when there are many.

        Where two entities claim an id the first one keeps it, and `claims` gets the other.
        """
        if not self._recent:
            return
        with self.connection:
            new = self.rows("count_new_xrefs")[0][0]
            self.connection.execute(SQL["merge_xrefs"])
            if self.connection.changes() < new:
                self.claims += [Claim(*row) for row in self.rows("claimed_twice")]
            self.connection.execute(SQL["clear_new_xrefs"])
        self._recent.clear()

    @property
    def unmerged(self) -> int:
        """Cross-references that are not in their sorted place yet."""
        return len(self._recent)

    def run(self, name: str, bindings: Any) -> None:
        """A named statement of upkeep, in a commit of its own."""
        with self.connection:
            self.connection.execute(SQL[name], bindings)
