"""Reads feeds in pages, on their schedule. A page and the cursor after it are recorded in one commit, or neither is."""

from __future__ import annotations

import asyncio

import structlog

from mainstay.contract.connector import Feed
from mainstay.delivery.connection import Connection
from mainstay.delivery.outcomes import Outcomes
from mainstay.delivery.retry import Dice, backoff_us
from mainstay.model.failures import Failure, Retry
from mainstay.model.times import SECOND

log = structlog.get_logger("delivery")


class Poll:
    """One feed of one system."""

    def __init__(self, connection: Connection, feed: Feed, outcomes: Outcomes, dice: Dice, every_s: float) -> None:
        self.connection, self.feed, self.outcomes, self.dice, self.every_s = connection, feed, outcomes, dice, every_s
        self.name = f"cursor/{connection.name}/{feed.name}"
        self.pages = 0
        self.rows = 0
        self.last_at = 0
        self.failure = ""
        self._tries = 0

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
            self._tries += 1
            self.failure = failure.why
            if not isinstance(failure, Retry):
                log.warning("poll_failed", system=connection.name, feed=self.feed.name, code=failure.code, why=failure.why)
            after = failure.after_s if isinstance(failure, Retry) else None
            return min(backoff_us(min(self._tries, 8), self.dice, after) / SECOND, max(self.every_s, 1.0) * 4)
        self._tries, self.failure = 0, ""
        self.outcomes.documents(connection.name, page.rows, (self.name, page.cursor))
        self.outcomes.flush()
        self.pages += 1
        self.rows += len(page.rows)
        self.last_at = connection.clock()
        return 0.0 if page.more else self.every_s
