"""The dispatch process's work: takes intents and level changes from state.db, lets lanes, levels and polls talk, keeps the marks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import msgspec
import structlog
from msgspec import Struct

from mainstay.contract.connector import Connector, Row
from mainstay.delivery.backlog import Backlog, backlog
from mainstay.delivery.changes import TAKE_MAX, Changes
from mainstay.delivery.connection import Connection, Transport
from mainstay.delivery.files import Folder, Inflow
from mainstay.delivery.hooks import EVERY_S, Hooks
from mainstay.delivery.lanes import Lanes
from mainstay.delivery.lateness import Promise, Standing, standings
from mainstay.delivery.levels import Exposes, Levels, Prices
from mainstay.delivery.outcomes import Outcomes
from mainstay.delivery.pauses import Pauses
from mainstay.delivery.polls import Pace, Poll
from mainstay.delivery.retry import Dice
from mainstay.model.commands import Command, SetLevel, SetPrice
from mainstay.model.failures import Reject
from mainstay.model.objects import Person
from mainstay.model.restored import READ_AGAIN, RESTORED
from mainstay.model.times import DAY, SECOND
from mainstay.storage.bell import POLL_S
from mainstay.storage.database import STORE_FAILED
from mainstay.storage.inbox import OUTCOMES_FROM
from mainstay.storage.packing import unpack
from mainstay.storage.state import State

PRUNE_EVERY = 5_000  # ended intents between two prunings
JUMP_US = 60 * SECOND  # by which the clock parts from the time that passed; what waits is not much too early or late by less
CATCH_UP_US = 15 * 60 * SECOND  # so long after a restore releases and whole counts wait for the rest
AGAIN_US = 30 * SECOND  # between two times that the core is told so
DOUBT_US = DAY  # after a restore: what is asked then may have been done in the time that the backup does not know

log = structlog.get_logger("delivery")


class Webhooks(Struct, frozen=True):
    """Where a system's events are to go, the topics that some flow wants, and seconds between two looks at its subscriptions."""

    url: str
    heard: frozenset[str] = frozenset()
    every_s: float = EVERY_S


class ClockJumped(Exception):
    """The system's clock was set, by so many microseconds: what waits until a moment of the old one waits too long, or not at all. Begin
    anew."""

    def __init__(self, by: int) -> None:
        super().__init__(f"the clock was set by {by / SECOND:.0f} s")
        self.by = by


class Plan(Struct, frozen=True, kw_only=True):
    """What dispatch must know of the landscape."""

    connectors: Mapping[str, Connector]
    channels: Mapping[str, str]  # channel -> system, for those that are told levels
    polls: Mapping[tuple[str, str], Pace]  # (system, feed) -> when it is read
    inflows: Sequence[Inflow] = ()  # folders that files are put into
    hooks: Mapping[str, Webhooks] = {}  # by system
    policies: Mapping[str, str] = {}  # channel -> its stock policy in words: a changed one is told at once
    pricing: Mapping[str, str] = {}  # systems that are told prices -> in words, by whose
    promises: Sequence[Promise] = ()  # how soon each flow is needed
    urgent: Mapping[str, Mapping[str, float]] = {}  # system -> command -> seconds within which it is needed
    scale: Mapping[str, float] = {}  # rate budgets of twins that live faster
    listen_s: float = POLL_S  # how long a missed ring can go unnoticed


class Propagates(Protocol):
    """Computes what a channel may show of items and what they cost at a system, given (item, revision) each."""

    def levels(self, channel: str, changes: Sequence[tuple[int, int]]) -> Sequence[SetLevel | None]: ...

    def prices(self, system: str, changes: Sequence[tuple[int, int]]) -> Sequence[SetPrice | None]: ...


class Dispatch:
    """Owns outcomes.db. `clock` gives UTC microseconds, `dice` chance; both come from the top floor."""

    def __init__(
        self,
        state: State,
        outcomes: Outcomes,
        plan: Plan,
        transport: Transport,
        propagate: Propagates,
        clock: Callable[[], int],
        dice: Dice,
        exposure: Exposes | None = None,
    ) -> None:
        self.state, self.outcomes, self.plan, self._clock = state, outcomes, plan, clock
        self.pauses = Pauses(partial(state.rows, "pauses"), plan.promises)
        restored, self._began = outcomes.mark(RESTORED), clock()
        self._doubtful_until = int(restored) + DOUBT_US if restored else 0
        self._reads_again, self._said_again = self._core_waits(), 0
        self.connections = {
            name: Connection(name, connector, transport, outcomes, clock, plan.scale.get(name, 1.0))
            for name, connector in plan.connectors.items()
        }
        held = self.pauses
        self.lanes = {
            name: Lanes(one, outcomes, dice, self._fill, self._ended, plan.urgent.get(name, {}), held)
            for name, one in self.connections.items()
        }
        self.levels = {
            channel: Levels(channel, self.connections[system], outcomes, propagate.levels, dice, held, exposure)
            for channel, system in plan.channels.items()
        }
        self.prices = {one: Prices(one, self.connections[one], outcomes, propagate.prices, dice, held) for one in plan.pricing}
        self._changes = (Changes("level", self.levels, state, outcomes), Changes("price", self.prices, state, outcomes))
        self.polls = [
            Poll(self.connections[system], feed, outcomes, dice, pace, self.pauses)
            for (system, name), pace in plan.polls.items()
            if (feed := self.connections[system].connector.manifest.feed(name)) is not None
        ]
        for poll in self.polls:
            if poll.feed.whole and clock() < self._doubtful_until:
                poll.may_read = self._caught_up
        self.folders = [Folder(one, outcomes, self._behind, self.pauses) for one in plan.inflows]
        self.hooks = [
            Hooks(
                self.connections[system], hook.url, [poll for poll in self.polls if poll.connection.name == system], outcomes, hook.heard,
                self.pauses, hook.every_s,
            )
            for system, hook in plan.hooks.items()
        ]  # fmt: skip
        self.news = asyncio.Event()
        self._low_water = int(outcomes.mark("low_water") or 0)
        self._taken = self._low_water
        self._open: set[int] = set()
        self._ended_since = 0

    async def run(self, stop: asyncio.Event, *beside: Coroutine[Any, Any, object]) -> None:
        """Work until told to stop, with what else writes into our file beside it; then finish what is being said, and commit."""
        for changes, policies in zip(self._changes, (self.plan.policies, self.plan.pricing), strict=True):
            changes.begin(policies, doubtful=self._clock() < self._doubtful_until)
        self._take(restarted=True)
        runs = [one.run() for one in self.lanes.values()] + [one.run() for one in (*self.levels.values(), *self.prices.values())]
        runs += [one.run() for one in self.polls] + [one.run() for one in self.folders] + [one.run() for one in self.hooks]
        work: list[asyncio.Task[object]] = [asyncio.create_task(run) for run in (*runs, *beside, self._follow())]
        stopping: asyncio.Task[object] = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait([*work, stopping], return_when=asyncio.FIRST_COMPLETED)
        for part in work:
            part.cancel()
        stopping.cancel()
        await asyncio.gather(*work, stopping, return_exceptions=True)
        for why in [part.exception() for part in done - {stopping}]:
            if isinstance(why, ClockJumped):
                for lanes in self.lanes.values():
                    lanes.clock_was_set(why.by)
        self._note_changes()
        self.outcomes.close()
        for part in done - {stopping}:
            part.result()  # a part that died is a bug: say so

    async def _follow(self) -> None:
        passed = asyncio.get_running_loop().time
        ahead = self._clock() - int(passed() * SECOND)
        while True:
            before, ahead = ahead, self._clock() - int(passed() * SECOND)
            if abs(ahead - before) > JUMP_US:
                raise ClockJumped(ahead - before)
            self.news.clear()
            while self._take(restarted=False):
                await asyncio.sleep(0)
            self._say_when_read_again()
            try:
                async with asyncio.timeout(self.plan.listen_s):
                    await self.news.wait()
            except TimeoutError:
                self._note_changes()

    def _take(self, *, restarted: bool) -> bool:
        """Take over what the core committed since; True when there may be more."""
        attempts = self.outcomes.attempts() if restarted else {}
        more = False
        while found := self.state.rows("intents_from", (self._taken, TAKE_MAX)):
            for intent, at, system, entity, body in found:
                self._taken = intent
                attempt = attempts.get(intent)
                if attempt is not None and attempt.status in ("done", "rejected"):
                    continue
                if system not in self.lanes:
                    log.error("no_such_system", system=system, intent=intent)
                    continue
                self._open.add(intent)
                restored = at < self._doubtful_until
                self.lanes[system].add(intent, at, entity, body, attempt, restarted=restarted, restored=restored)
            more = len(found) == TAKE_MAX
            if more and not restarted:
                break
        for changes in self._changes:
            changes.take()
        self._hold_back()
        return more

    def _hold_back(self) -> None:
        if self.pauses.refresh(self._clock()):
            talkers: tuple[Lanes | Levels, ...] = (*self.lanes.values(), *self.levels.values(), *self.prices.values())
            for one in talkers:
                one.look_again()

    def _ended(self, intent: int) -> None:
        self._open.discard(intent)
        self._ended_since += 1
        if self._ended_since >= PRUNE_EVERY:
            self._ended_since = 0
            try:
                self.outcomes.flush()
                self.outcomes.prune(min(self._open) - 1 if self._open else self._taken)
            except STORE_FAILED as failed:  # what ended has ended, and what ends beside it goes on; it is pruned another time
                log.error("not_pruned", why=str(failed))

    def _behind(self) -> int:
        """How many of our receipts the core has not taken yet."""
        return self.outcomes.inbox.last - max(OUTCOMES_FROM, self.state.counters().get("position/outcomes", 0))

    def _say_when_read_again(self) -> None:
        """After a restore: when what the backup does not know was read again, with the orders that parcels wait for (some vendors show them
        minutes later), the core may release orders. A core that waits after that still is told again: it may have asked the warehouse."""
        now = self._clock()
        if not self._reads_again or now < self._said_again + AGAIN_US:
            return
        if self._said_again and not self._core_waits():
            self._reads_again = False
            return
        read = all(poll.read_through for poll in self.polls if not poll.feed.whole) and not self.state.rows("count_early")[0][0]
        if (read and not self._behind()) or now > self._began + CATCH_UP_US:
            self._said_again = now
            self.outcomes.documents("mainstay", (Row(READ_AGAIN, f"{READ_AGAIN}/{now}", b"{}"),))

    def _core_waits(self) -> bool:
        """Does the core wait until we have read again what a backup could not know?"""
        return bool(self.state.counters().get(RESTORED))

    def _caught_up(self) -> bool:
        """After a restore: what the backup does not know was read again, and what may have been done was looked up. What somebody counted
        whole before that has parcels in it that come once more."""
        under_way = self._core_waits() or self._behind() or self._open or self.state.rows("intents_from", (self._taken, 1))
        return not under_way or self._clock() > self._began + CATCH_UP_US

    def _note_changes(self) -> None:
        for changes in self._changes:
            changes.note()

    def _fill(self, command: Command, entity: int) -> Command:
        """Put the recipient into a command that needs one, as the order that it is of brought them. Erased: it can never be sent as it
        stands."""
        subject = getattr(command, "subject", None)
        if not subject or not hasattr(command, "recipient"):
            return command
        found = self.state.load("load_buyer", [entity])
        if not found:
            raise Reject(f"the personal data of subject {subject} was erased", "personal_data_erased")
        return msgspec.structs.replace(command, recipient=msgspec.json.decode(unpack(found[0][1]), type=Person))

    def standings(self, now: int) -> dict[str, Standing]:
        """Which flows are late, at this moment in microseconds."""
        return standings(self.plan.promises, self.lanes, (*self.levels.values(), *self.prices.values()), self.polls, now)

    def backlogs(self, now: int) -> dict[str, Backlog]:
        """What waits for each system, at this moment in microseconds."""
        told = (*self.levels.values(), *self.prices.values())
        return {
            name: backlog(
                one, self.lanes[name], [of for of in told if of.connection is one], [of for of in self.polls if of.connection is one], now
            )
            for name, one in self.connections.items()
        }

    @property
    def waiting(self) -> int:
        """Intents that have not ended."""
        return len(self._open)

    @property
    def taken(self) -> dict[str, int]:
        """How far it has read what the core committed: the newest of what it took over, by what it is."""
        return {"intent": self._taken} | {changes.what: changes.taken for changes in self._changes}


def percentiles(values: Sequence[int], *which: float) -> list[float]:
    """Milliseconds at these percentiles of a list of microseconds; zeros where there is none."""
    ordered = sorted(values)
    if not ordered:
        return [0.0] * len(which)
    return [ordered[min(len(ordered) - 1, int(len(ordered) * one / 100))] / 1000 for one in which]
