"""A data folder with a core and both inboxes, as the three processes have it, in one thread."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec
import pytest

from mainstay.flows.clerk import Clerk
from mainstay.flows.operate import Operators
from mainstay.model.objects import Person
from mainstay.model.seen import SeenEvent
from mainstay.storage.archive import Archive, raw_of, unclaimed
from mainstay.storage.database import scrub
from mainstay.storage.inbox import Inbox, InboxReader
from tests.flows.conftest import Core

NOW = 1_790_000_000_000_000


class Store:
    """`tell` records a statement in an inbox as the edge or dispatch would; `handle` lets the core take what is there."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.inboxes = {name: Inbox(data / f"{name}.db") for name in ("inbox", "outcomes")}
        self.readers = {name: InboxReader(data / f"{name}.db") for name in self.inboxes}
        self.core = Core(data / "state.db")
        raw = partial(raw_of, data, self.readers)
        Clerk(self.core.intake, raw)
        Operators(self.core.intake, raw, lambda: unclaimed(data))
        self.archives = {name: Archive(data, inbox, name) for name, inbox in self.inboxes.items()}
        self.now = NOW

    def record(self, system: str, topic: str, key: str, body: bytes, source: str = "inbox") -> int:
        self.now += 1_000
        return self.inboxes[source].add([(self.now, system, topic, key, body)])

    def tell(self, system: str, said: SeenEvent, person: Person | None = None, source: str = "inbox") -> int:
        return self.record(system, "statement", f"{said.external}-{self.now}", msgspec.json.encode((said, person)), source)

    def handle(self) -> None:
        for source, reader in self.readers.items():
            while receipts := reader.after(self.core.world.counters.get(f"position/{source}", 0), 64):
                self.core.intake.take(source, receipts, self.now)

    def archive(self) -> int:
        return sum(archive.step(self.core.state, all_of_it=True) for archive in self.archives.values())

    def erase(self, uid: str) -> None:
        """All that the three processes do about it."""
        self.record("operator", "operator/erase", "", msgspec.json.encode({"who": uid, "by": "ann"}))
        self.handle()
        self.archive()
        self.archive()  # the next look empties the write-ahead logs
        assert scrub(self.core.state.connection)

    def raw(self, seq: int) -> bytes | None:
        found = raw_of(self.data, self.readers, "", seq)
        return found.body if found else None


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)
