"""Reads feeds in pages, on their schedule. A page and the cursor after it are recorded in one commit, or neither is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from zlib import crc32

import structlog
from msgspec.structs import replace

from mainstay.contract.connector import Feed, Page, Row
from mainstay.delivery.connection import Connection
from mainstay.delivery.outcomes import Outcomes
from mainstay.delivery.pauses import NOTHING_HELD, Pauses
from mainstay.delivery.retry import Dice, backoff_us
from mainstay.model.failures import Failure, Reject, Retry
from mainstay.model.times import DAY, SECOND
from mainstay.model.timetable import Timetable

RECENT_MAX = 50_000  # rows of a feed that are remembered
LOOK_S = 30.0  # how long it waits for a time of day without a look at the clock, which can be set, or go on while the machine sleeps

PAUSED_S = 0.5  # how soon a feed that was held back, or has to wait, is looked at again
Pace = float | Timetable  # seconds between two readings, or the times of day at which they begin

log = structlog.get_logger("delivery")


class Poll:
    """One feed of one system. What is read at times of day remembers when its last reading began, in the commit that ends it: a time
    that passes while nothing runs, or while the system cannot be read, is made up for once."""

    def __init__(
        self, connection: Connection, feed: Feed, outcomes: Outcomes, dice: Dice, pace: Pace, pauses: Pauses = NOTHING_HELD
    ) -> None:
        self.connection, self.feed, self.outcomes, self.dice = connection, feed, outcomes, dice
        self.pauses = pauses
        self.times = pace if isinstance(pace, Timetable) else None
        self.every_s = DAY / SECOND if isinstance(pace, Timetable) else pace
        self.name = f"cursor/{connection.name}/{feed.name}"
        self.pages = 0
        self.rows = 0
        self.failure = ""
        self.read_at = connection.clock()  # when it was last read without failure; at times of day, when that reading began
        self.may_read: Callable[[], bool] = lambda: True
        self._tries = 0
        self._began = 0  # when the reading began whose pages are being read
        self._readings = 0  # that ended
        self._recent: dict[tuple[str, str], int] = {}
        if self.times is not None:
            self._resume()

    def _resume(self) -> None:
        """Since when a time of day counts as passed: since the last reading began, or since the schedule was first seen."""
        if known := self.outcomes.mark(self._read):
            self.read_at = min(int(known), self.connection.clock())  # it was read before now, whatever the clock said then
        else:
            self.outcomes.inbox.add([], [(self._read, str(self.read_at))])

    @property
    def _read(self) -> str:
        return f"read/{self.connection.name}/{self.feed.name}"

    @property
    def due(self) -> int:
        """When it is to be read next, in microseconds of UTC; what has passed is due now."""
        return self.times.after(self.read_at) if self.times else self.read_at + int(self.every_s * SECOND)

    @property
    def read_through(self) -> bool:
        """It was read to its end since this process began; what is read at times of day counts as that."""
        return self.times is not None or self._readings > 0

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
            while self.times and (wait := self.due - self.connection.clock()) > 0:
                await asyncio.sleep(min(wait / SECOND, LOOK_S))
            if self.pauses.of_reading(self.connection.name, self.feed.objects) or not self.may_read():
                await asyncio.sleep(PAUSED_S)
                continue
            await asyncio.sleep(await self.once())

    async def once(self) -> float:
        """Read one page; returns the seconds to wait before the next, where no time of day says when."""
        connection, now = self.connection, self.connection.clock()
        try:
            page = await self.page(self.outcomes.mark(self.name))
        except Failure as failure:
            return self._failed(failure)
        self._tries, self.failure = 0, ""
        self._began = self._began or now  # what fails before its first page has not begun
        ended = self.times is not None and not page.more
        if ended:
            self.outcomes.remember(self._read, str(self._began))
        if page.rows or ended or page.cursor != self.outcomes.mark(self.name):
            self.outcomes.documents(connection.name, page.rows, (self.name, page.cursor))
            self.outcomes.flush()
        if self.times is None:
            self.read_at = connection.clock()
        elif ended:
            self.read_at = self._began
        if not page.more:
            self._began = 0
            self._readings += 1
        return 0.0 if page.more or self.times else self.every_s

    async def page(self, cursor: str) -> Page:
        """A page from a cursor, of which only the rows are left that are new. Raises what failed; a bug, too, stops only this feed."""
        connection = self.connection
        try:
            page = await connection.hold(connection.connector.pull(self.feed.name, cursor), kind=self.feed.name)
        except Failure:
            raise
        except Exception as bug:
            log.exception("bug", system=connection.name, feed=self.feed.name)
            raise Reject(f"{type(bug).__name__}: {bug}", "bug") from bug
        news = tuple(row for row in page.rows if self._is_new(row))
        self.pages += 1
        self.rows += len(news)
        return replace(page, rows=news)

    def _failed(self, failure: Failure) -> float:
        self._tries += 1
        self.failure = failure.why
        if not isinstance(failure, Retry):
            log.warning("poll_failed", system=self.connection.name, feed=self.feed.name, code=failure.code, why=failure.why)
        after = failure.after_s if isinstance(failure, Retry) else None
        return min(backoff_us(min(self._tries, 8), self.dice, after) / SECOND, max(self.every_s, 1.0) * 4)
