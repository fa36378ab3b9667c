"""Custody of subscriptions: those that should exist are looked at now and then and made again, and what was said while one was silent is
read by polling, as soon as it shows."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

import msgspec
import structlog
from msgspec.structs import replace

from mainstay.delivery.connection import Connection
from mainstay.delivery.custody import SPEAKS, Held, Silence, feeds_of, joined, seen, silences, to_make
from mainstay.delivery.outcomes import Outcomes
from mainstay.delivery.pauses import NOTHING_HELD, Pauses
from mainstay.delivery.polls import Poll
from mainstay.model.failures import Failure, Retry
from mainstay.model.times import SECOND, iso

EVERY_S = 600.0
AGAIN_S = 30.0  # until what could not be made or read is tried again

log = structlog.get_logger("delivery")
_held = msgspec.json.Decoder(list[Held])
_silence = msgspec.json.Decoder(Silence)


class Hooks:
    """The subscriptions of one system. `url` is where its deliveries are to go, `polls` are its feeds that are read, `heard` the topics
    that some flow wants."""

    def __init__(
        self, connection: Connection, url: str, polls: Sequence[Poll], outcomes: Outcomes, heard: Collection[str],
        pauses: Pauses = NOTHING_HELD, every_s: float = EVERY_S,
    ) -> None:  # fmt: skip
        self.connection, self.url, self.outcomes, self.heard, self.pauses = connection, url, outcomes, heard, pauses
        self.polls, self.every_s = {poll.feed.name: poll for poll in polls}, every_s
        self.name = f"custody/{connection.name}"
        self.known = {one.topic: one for one in _held.decode(outcomes.mark(self.name) or "[]")}
        self.silences = {feed: _silence.decode(kept) for feed in self.polls if (kept := outcomes.mark(self._mark(feed)))}
        self.looked_at = 0
        self.failure = ""

    def _mark(self, feed: str) -> str:
        return f"silence/{self.connection.name}/{feed}"

    @property
    def unread(self) -> tuple[str, ...]:
        """Topics that a flow wants and no feed brings: what one says while it is silent is not made up for."""
        manifest = self.connection.connector.manifest
        return tuple(topic for topic in self.known if topic in self.heard and not set(feeds_of(manifest, topic)) & set(self.polls))

    async def run(self) -> None:
        while True:
            held = self.pauses.of_reading(self.connection.name, ())
            await asyncio.sleep((AGAIN_S if held else await self.once()) / self.connection.budgets.scale)

    async def once(self) -> float:
        """Look, make again what is wrong, read what was silent; returns the seconds until the next look. What cannot be made is said,
        and polling goes on."""
        try:
            await self._keep()
        except Failure as failure:
            if failure.why != self.failure:
                log.warning("subscriptions_missing", system=self.connection.name, code=failure.code, why=failure.why)
            self.failure = failure.why
            return AGAIN_S if isinstance(failure, Retry) else self.every_s
        self.failure = ""
        read = [self._shows(feed) and await self._read(feed) for feed, one in self.silences.items() if not one.read_at]
        return self.every_s if all(read) else AGAIN_S

    async def _keep(self) -> None:
        """What is noticed is kept before anything is made: after a crash between the two the silent interval would be forgotten."""
        connector, now = self.connection.connector, self.connection.clock()
        found = await self.connection.hold(connector.subscriptions(self.url))
        before, self.known = self.known, seen(self.known, found, now)
        self.looked_at = now
        self._remember(soon=any(one.wrong for one in found))
        self._tell(before)
        if healed := [topic for topic, held in before.items() if held.wrong and topic in self.known and not self.known[topic].wrong]:
            self._speaks_again(before, healed, now, now)  # a person made it, or we did and died before we could note it
        if wrong := to_make(self.known, found, now):
            self.outcomes.flush()
            await self.connection.hold(connector.subscribe(self.url, wrong))
            self._speaks_again(self.known, [one.topic for one in wrong], now, self.connection.clock())

    def _speaks_again(self, held: Mapping[str, Held], topics: Sequence[str], now: int, until: int) -> None:
        """They were held to be silent, and are made again: that they are, and what is to be read for it, is one commit."""
        for new in silences(held, topics, self.connection.connector.manifest, self.polls, now, until):
            one = self.silences[new.feed] = joined(self.silences.get(new.feed), new)
            self.outcomes.remember(self._mark(new.feed), msgspec.json.encode(one).decode())
        lost = [topic for topic in topics if topic in self.unread and held[topic].whole_at and held[topic].wrong not in SPEAKS]
        for topic in topics:
            self.known[topic] = replace(self.known[topic], wrong="", hint="", made_at=until, whole_at=until)
        self._remember(soon=True)
        self.outcomes.flush()
        log.info("subscribed", system=self.connection.name, topics=list(topics))
        if lost:
            log.warning("silence_not_read", system=self.connection.name, topics=lost, why="the vendor has no feed of what they speak of")

    def _remember(self, *, soon: bool) -> None:
        """That all is whole comes with the next commit: an idle process leaves the disk alone."""
        self.outcomes.remember(self.name, msgspec.json.encode(list(self.known.values())).decode(), soon=soon)

    def _tell(self, before: dict[str, Held]) -> None:
        """Say which have gone wrong since the last look; that those of a new shop are not there yet is no news."""
        fresh = [one for one in self.known.values() if one.wrong and (one.hint or one.whole_at) and one != before.get(one.topic)]
        if fresh:
            topics, since = {one.topic: one.wrong for one in fresh}, min(one.whole_at for one in fresh)
            whole = iso(since) if since else ""
            log.warning("subscriptions_wrong", system=self.connection.name, topics=topics, whole_at=whole, hint=fresh[0].hint)

    def _shows(self, feed: str) -> bool:
        """Does the feed show all of its silent interval by now?"""
        lag = int(self.polls[feed].feed.lag_s / self.connection.budgets.scale * SECOND)
        return self.connection.clock() >= self.silences[feed].until + lag

    async def _read(self, feed: str) -> bool:
        """Read a feed from the beginning of the silence to its end. The feed's own cursor stays where it is: pages come with the silence's,
        in one commit. Where no cursor can be made for a moment, the feed is read from its own."""
        silence, poll, connector = self.silences[feed], self.polls[feed], self.connection.connector
        begins = connector.since(feed, silence.since) if silence.cursor is None else silence.cursor
        cursor, more = self.outcomes.mark(poll.name) if begins is None else begins, True
        while more:
            try:
                page = await poll.page(cursor)
            except Failure as failure:
                log.warning("silence_not_read", system=self.connection.name, feed=feed, code=failure.code, why=failure.why)
                return False
            cursor, more = page.cursor, page.more
            ended = 0 if more else self.connection.clock()
            silence = replace(silence, cursor=cursor, rows=silence.rows + len(page.rows), read_at=ended)
            self.outcomes.documents(self.connection.name, page.rows, (self._mark(feed), msgspec.json.encode(silence).decode()))
            self.outcomes.flush()
            self.silences[feed] = silence
        span = {"since": iso(silence.since), "until": iso(silence.until)}
        log.info("silence_read", system=self.connection.name, feed=feed, **span, rows=silence.rows)
        return True
