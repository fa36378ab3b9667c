"""Webhook custody: the subscriptions that should exist are made, and looked at again now and then."""

from __future__ import annotations

import asyncio

import structlog

from mainstay.delivery.connection import Connection
from mainstay.delivery.pauses import NOTHING_HELD, Pauses
from mainstay.model.failures import Failure

EVERY_S = 600.0

log = structlog.get_logger("delivery")


class Hooks:
    """The subscriptions of one system. `url` is where its deliveries are to go."""

    def __init__(self, connection: Connection, url: str, pauses: Pauses = NOTHING_HELD) -> None:
        self.connection, self.url, self.pauses = connection, url, pauses
        self.made = 0
        self.failure = ""

    async def run(self) -> None:
        while True:
            if not self.pauses.of_reading(self.connection.name, ()):
                await self.once()
            await asyncio.sleep(EVERY_S / self.connection.budgets.scale)

    async def once(self) -> None:
        """Make what is missing. What cannot be made is said, and polling goes on."""
        try:
            made = await self.connection.hold(self.connection.connector.ensure(self.url))
        except Failure as failure:
            if failure.why != self.failure:
                log.warning("subscriptions_missing", system=self.connection.name, code=failure.code, why=failure.why)
            self.failure = failure.why
            return
        self.failure = ""
        self.made += len(made)
        if made:
            log.info("subscribed", system=self.connection.name, topics=list(made))
