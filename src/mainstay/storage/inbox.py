"""An inbox: raw receipts, durable before anything is answered. The edge writes inbox.db; dispatch writes outcomes.db the same way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw
from msgspec import Struct

from mainstay.storage.database import SQL, Lock, ask, connect

UNCLAIMED = -1  # whose a receipt is, where it may be a person's and nobody knows which one's
OUTCOMES_FROM = 1 << 40  # receipts of outcomes.db are numbered from here: a number alone says which file it is in


class Receipt(Struct, frozen=True, gc=False):
    """What came in: when (UTC microseconds), from whom, of which kind, under which event identity, byte for byte."""

    seq: int
    at: int
    system: str
    topic: str
    key: str
    body: bytes


New = tuple[int, str, str, str, bytes]  # a receipt before it is numbered: at, system, topic, key, body
Beside = tuple[str, Sequence[tuple[Any, ...]]]  # a named statement, and the bindings of each row


def last(inbox: apsw.Connection) -> int:
    """The number of an inbox's last receipt, archived or not; 0 where there is none."""
    return max(ask(inbox, "last_receipt")[0][0] or 0, ask(inbox, "last_seal")[0][0] or 0)


class Inbox:
    """The writer of an inbox file. `add` returns after the rows are in stable storage."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock(path)
        try:
            self.connection = connect(path, write=True, schema="inbox")
        except BaseException:  # nothing is held by what could not be opened
            self._lock.release()
            raise
        self.last = max(last(self.connection), OUTCOMES_FROM if path.name.startswith("outcomes") else 0)

    def add(self, new: Sequence[New], marks: Sequence[tuple[str, str]] = (), beside: Sequence[Beside] = ()) -> int:
        """Make receipts durable in one commit, with what moves along with them: a feed's cursor, rows beside. Returns the last number.

        A commit that fails leaves everything as it was, the next number too.
        """
        first = self.last + 1
        with self.connection:
            self.connection.executemany(SQL["add_receipt"], [(first + n, *one) for n, one in enumerate(new)])
            if marks:
                self.connection.executemany(SQL["set_mark"], marks)
            for name, bindings in beside:
                self.connection.executemany(SQL[name], bindings)
        self.last += len(new)
        return self.last

    def mark(self, name: str) -> str:
        """A remembered value, such as a cursor; empty where there is none."""
        found = ask(self.connection, "mark", (name,))
        return str(found[0][0]) if found else ""

    def close(self) -> None:
        try:
            self.connection.close()
        finally:
            self._lock.release()


class InboxReader:
    """Reads another process's inbox. The file may not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection: apsw.Connection | None = None

    def after(self, seq: int, most: int) -> list[Receipt]:
        """Receipts with higher numbers, in order."""
        found = self._ask("receipts_from", (seq, most))
        return [Receipt(*row) for row in found]

    def heads(self, seq: int, most: int) -> list[tuple[int, int, str, str]]:
        """The number, time, system and topic of receipts with higher numbers, in order: their bytes are not read."""
        return [(number, at, system, topic) for number, at, system, topic in self._ask("heads_from", (seq, most))]

    def one(self, seq: int) -> Receipt | None:
        """A receipt by number, as long as it is not archived."""
        found = self._ask("one_receipt", (seq,))
        return Receipt(*found[0]) if found else None

    def _ask(self, name: str, bindings: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        if self.connection is None:
            if not self.path.exists():
                return []
            try:
                self.connection = connect(self.path, write=False, schema="inbox")
            except apsw.CantOpenError:
                return []
        try:
            return ask(self.connection, name, bindings)
        except apsw.SQLError:  # the writer has made the file but not its tables yet
            self.connection.close()
            self.connection = None
            return []

    def open(self) -> apsw.Connection | None:
        """The connection, where the file exists."""
        self._ask("last_receipt", ())
        return self.connection

    def behind(self, position: int) -> int:
        """How many receipts come after a position."""
        found = self._ask("receipts_behind", (position,))
        return int(found[0][0]) if found else 0

    def mark(self, name: str) -> str:
        """A remembered value; empty where there is none."""
        return dict(self.marks(name)).get(name, "")

    def marks(self, prefix: str) -> list[tuple[str, str]]:
        """Remembered values whose names begin so."""
        return [(name, value) for name, value in self._ask("marks", (prefix, prefix))]

    def told(self, item: int | None) -> dict[str, int]:
        """What each channel was last told of an item."""
        return dict(self._ask("listings_of", (item or 0,)))

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
