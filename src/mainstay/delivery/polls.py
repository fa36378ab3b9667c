"""Reads feeds in pages, on their schedule. A page and the cursor after it are recorded in one commit, or neither is."""

from __future__ import annotations

import asyncio
from zlib import crc32

import structlog

from mainstay.contract.connector import Feed, Row
from mainstay.delivery.connection import Connection
from mainstay.delivery.outcomes import Outcomes
from mainstay.delivery.retry import Dice, backoff_us
from mainstay.model.failures import Failure, Reject, Retry
from mainstay.model.times import SECOND

RECENT_MAX = 50_000  # rows of a feed that are remembered

log = structlog.get_logger("delivery")


class Poll:
    """One feed of one system."""

    def __init__(self, connection: Connection, feed: Feed, outcomes: Outcomes, dice: Dice, every_s: float) -> None:
        self.connection, self.feed, self.outcomes, self.dice, self.every_s = connection, feed, outcomes, dice, every_s
        self.name = f"cursor/{connection.name}/{feed.name}"
        self.pages = 0
        self.rows = 0
        self.failure = ""
        self.read_at = connection.clock()  # when it was last read without failure
        self._tries = 0
        self._recent: dict[tuple[str, str], int] = {}

    def _is_new(self, row: Row) -> bool:
        """Feeds overlap so that nothing is missed: what was recorded a moment ago, byte for byte, is not recorded again. After a
        restart everything is new again, and the core counts the duplicates."""
        mark = crc32(row.body)
        if self._recent.get((row.topic, row.key)) == mark:
            return False
        if len(self._recent) >= RECENT_MAX:
            self._recent.clear()
        self._recent[(row.topic, row.key)] = mark
        return True

    async def run(self) -> None:
        while True:
            pause_s = await self.once()
            await asyncio.sleep(pause_s)

    async def once(self) -> float:
        """Read one page; returns the seconds to wait before the next."""
        connection = self.connection
        try:
            page = await connection.hold(connection.connector.pull(self.feed.name, self.outcomes.mark(self.name)))
        except Failure as failure:
            return self._failed(failure)
        except Exception as bug:  # one feed that we cannot read stops only itself
            log.exception("bug", system=connection.name, feed=self.feed.name)
            return self._failed(Reject(f"{type(bug).__name__}: {bug}", "bug"))
        self._tries, self.failure = 0, ""
        self.read_at = connection.clock()
        news = tuple(row for row in page.rows if self._is_new(row))
        if news or page.cursor != self.outcomes.mark(self.name):
            self.outcomes.documents(connection.name, news, (self.name, page.cursor))
            self.outcomes.flush()
        self.pages += 1
        self.rows += len(news)
        return 0.0 if page.more else self.every_s

    def _failed(self, failure: Failure) -> float:
        self._tries += 1
        self.failure = failure.why
        if not isinstance(failure, Retry):
            log.warning("poll_failed", system=self.connection.name, feed=self.feed.name, code=failure.code, why=failure.why)
        after = failure.after_s if isinstance(failure, Retry) else None
        return min(backoff_us(min(self._tries, 8), self.dice, after) / SECOND, max(self.every_s, 1.0) * 4)
