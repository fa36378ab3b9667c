"""Intents become calls. One lane for each (system, entity) keeps order; lanes go side by side; like commands share a bulk call."""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import structlog
from msgspec import Struct

from mainstay.contract.connector import Connector, Done, Outcome, Sink
from mainstay.contract.talk import Repeat
from mainstay.delivery.connection import Connection
from mainstay.delivery.outcomes import Attempt, Outcomes
from mainstay.delivery.pauses import NOTHING_HELD, Pauses
from mainstay.delivery.retry import BREAKER_S_MAX, PAUSE_US_MAX, TRIES_MAX, Dice, age_us_max, backoff_us
from mainstay.landscape import TELLS
from mainstay.model.commands import AnyCommand, Command, Fetch
from mainstay.model.failures import Failure, Halt, Reject, Retry, Unknown
from mainstay.model.outcome import Outcome as Ended
from mainstay.model.times import SECOND
from mainstay.storage.database import STORE_FAILED
from mainstay.storage.packing import unpack

CONVERSATIONS = 12  # held at once with one system
BLOCKED_S = 60.0  # of the vendor's time: a head that holds others up for longer is named
BLOCKED_TRIES = 3
BLOCKED_MAX = 20
KEY_MARGIN = 0.9  # of the time that a vendor keeps an idempotency key

log = structlog.get_logger("delivery")
_commands = msgspec.json.Decoder(AnyCommand)


class Blocked(NamedTuple):
    """An effect at the head of its lane that does not get through: its key, since when (microseconds), how it fares, how many wait behind
    it, and what people said that holds it (empty: nothing)."""

    key: str
    command: str
    since: int
    tries: int
    code: str
    why: str
    behind: int
    held: str


class Task(Struct):
    """An intent on its way."""

    id: int
    at: int
    entity: int
    command: Command
    attempt: Attempt
    keyed_at: int  # since when its idempotency key may be in use
    restarted: bool  # an earlier process may have sent it
    lingers: int = 0  # until then a call of it, of which nobody heard again, may still take effect
    looks: int = 0  # look-ups that found nothing
    found: bool = False  # it was there when it was looked up

    @property
    def lane(self) -> int:
        return self.entity or -self.id  # fetches are in nobody's way


Filled = Callable[[Command, int], Command]  # (command, the entity that it is of)


class Lanes:
    """All lanes of one system. `fill` puts personal data from the vault into a command just before it is sent."""

    def __init__(
        self, connection: Connection, outcomes: Outcomes, dice: Dice, fill: Filled, ended: Callable[[int], None],
        urgent: Mapping[str, float] = {}, pauses: Pauses = NOTHING_HELD,
    ) -> None:  # fmt: skip
        self.connection, self.outcomes, self.dice, self.fill, self.ended = connection, outcomes, dice, fill, ended
        self.pauses = pauses
        self._paused: list[tuple[int, int, Task]] = []  # heads that people hold back
        self.urgent = urgent  # command -> seconds within which the business needs it
        self.connector: Connector = connection.connector
        self._lanes: dict[int, deque[Task]] = {}
        self._heads: list[tuple[int, int, Task]] = []  # (when, id): the first task of each lane that is not being talked about
        self._talking: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Intents that have not ended."""
        return sum(len(lane) for lane in self._lanes.values())

    def kinds(self) -> Counter[str]:
        """Intents that have not ended, by command."""
        return Counter(type(task.command).__name__ for lane in self._lanes.values() for task in lane)

    def oldest(self) -> dict[str, int]:
        """Since when the oldest intent waits that tells of each object, in microseconds."""
        found: dict[str, int] = {}
        for lane in self._lanes.values():
            for task in lane:
                obj, _ = TELLS.get(type(task.command).__name__, ("", ""))
                found[obj] = min(task.at, found.get(obj, task.at))
        return found

    def blocked(self, now: int) -> list[Blocked]:
        """Heads of lanes that hold others up, or that wait longer than they should, those first that hold up most."""
        found = []
        for lane in self._lanes.values():
            head, held = lane[0], self.held(lane[0])
            waited = (now - max(head.at, self.pauses.resumed_at)) / SECOND * self.connection.budgets.scale
            if held or (waited > BLOCKED_S and (len(lane) > 1 or head.attempt.tries >= BLOCKED_TRIES)):
                told = type(head.command).__name__
                attempt = head.attempt
                found.append(Blocked(head.command.key, told, head.at, attempt.tries, attempt.code, attempt.why, len(lane) - 1, held))
        found.sort(key=lambda one: (-one.behind, one.since))
        return found[:BLOCKED_MAX]

    def held(self, task: Task) -> str:
        """What people said that holds a task back; empty where nothing does."""
        told = type(task.command).__name__
        return self.pauses.of_command(self.connection.name, told, task.entity, task.at)

    def look_again(self) -> None:
        """People hold back something else now."""
        for head in self._paused:
            heapq.heappush(self._heads, head)
        self._paused = []
        self._wake.set()

    def add(
        self, intent: int, at: int, entity: int, body: bytes, attempt: Attempt | None, *, restarted: bool, restored: bool = False
    ) -> None:
        """Take over an intent. After a restart nobody knows whether it was sent: what a repeat would double is looked up first. After a
        restore nobody knows either in which words: so is what a repeat would replace."""
        now = self.connection.clock()
        task = Task(intent, min(at, now), entity, _commands.decode(unpack(body)), attempt or Attempt(), at, restarted or restored)
        sink = self._sink(task)
        if task.command.again and (not self._safe(task) or type(self.connector).look_up is not Connector.look_up):
            task.attempt.status = "unknown"
        if task.restarted and sink is not None and sink.repeat is not Repeat.KEYED:
            task.lingers = self.connection.after(sink.lingers_s)
            if sink.repeat is Repeat.LOOKUP or (restored and sink.replaces):
                task.attempt.status = "unknown"
        lane = self._lanes.setdefault(task.lane, deque())
        lane.append(task)
        task.attempt.next_at = min(task.attempt.next_at, now + PAUSE_US_MAX)  # a later time is of another clock
        if len(lane) == 1:
            heapq.heappush(self._heads, (task.attempt.next_at, task.id, task))
            self._wake.set()

    def clock_was_set(self, by: int) -> None:
        """Pauses end when they would have ended: so many microseconds later by the clock that counts now."""
        for task in (task for lane in self._lanes.values() for task in lane if task.attempt.tries):
            task.attempt.next_at += by
            self.outcomes.attempt(task.id, task.attempt)

    def _sink(self, task: Task) -> Sink | None:
        return self.connector.manifest.sink(type(task.command).__name__)

    def _safe(self, task: Task) -> bool:
        sink = self._sink(task)
        return sink is not None and sink.repeat is Repeat.SAFE

    async def run(self) -> None:
        """Talk until cancelled."""
        try:
            while True:
                pause = self._start(self.connection.clock())
                self._wake.clear()
                try:
                    async with asyncio.timeout(pause):  # not wait_for: it can swallow the cancellation that stops us
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            for talking in self._talking:
                talking.cancel()
            await asyncio.gather(*self._talking, return_exceptions=True)

    # --- what to talk about ------------------------------------------------------------------------------------------
    def _start(self, now: int) -> float | None:
        """Start every conversation that may start; returns seconds until the next one might, None when only news can tell."""
        held: list[tuple[int, int, Task]] = []
        gathering: dict[str, list[Task]] = {}
        soonest: int | None = None
        if pause := self.connection.breaker.pause(now):  # thousands may wait: none of them needs to hear it
            return pause / SECOND
        while self._heads and len(self._talking) < CONVERSATIONS and self._heads[0][0] <= now:
            head = heapq.heappop(self._heads)
            task = head[2]
            if self.held(task):
                self._paused.append(head)
                continue
            sink = self._sink(task)
            if sink is None or task.attempt.status == "unknown" or (sink.batch_max == 1):
                self._converse([task])
            else:
                group = gathering.setdefault(sink.command, [])
                group.append(task)
                if len(group) == sink.batch_max:
                    self._converse(gathering.pop(sink.command))
        for command, group in gathering.items():
            sink = self.connector.manifest.sink(command)
            assert sink is not None
            ripe = min(task.at for task in group) + int(sink.gather_s / self.connection.budgets.scale * SECOND)
            if ripe <= now or any(task.attempt.tries for task in group):
                self._converse(group)
            else:
                held += [(ripe, task.id, task) for task in group]
        for head in held:
            heapq.heappush(self._heads, head)
        if self._heads and len(self._talking) < CONVERSATIONS:
            soonest = self._heads[0][0]
        return None if soonest is None else max(0.0, (soonest - now) / SECOND)

    def _converse(self, tasks: Sequence[Task]) -> None:
        talking = asyncio.create_task(self._talk(tasks))
        self._talking.add(talking)
        talking.add_done_callback(self._talked)

    def _talked(self, talking: asyncio.Task[None]) -> None:
        self._talking.discard(talking)
        self._wake.set()
        if not talking.cancelled() and (error := talking.exception()) is not None:
            log.error("conversation_died", system=self.connection.name, error=repr(error))

    async def _talk(self, tasks: Sequence[Task]) -> None:
        if tasks[0].attempt.status == "unknown":
            await self._look_up(tasks[0])
            return
        ready: list[tuple[Task, Command]] = []
        for task in tasks:
            if self._key_is_old(task):
                task.attempt.status = "unknown"
                self._again(task, 0)
                continue
            try:
                ready.append((task, self.fill(task.command, task.entity)))
            except Reject as refused:
                self._settle(task, refused)
            except STORE_FAILED as failed:
                self._later(task, Retry(f"the vault cannot be read: {failed}"))
            except Exception as bug:  # its letter says so, and its lane goes on
                log.exception("bug", system=self.connection.name, command=type(task.command).__name__)
                self._settle(task, Reject(f"{type(bug).__name__}: {bug}", "bug"))
        for task, _ in ready:
            if not (task.attempt.tries or task.restarted):  # the first call under its key, however long it waited
                task.keyed_at = self.connection.clock()
        if ready:
            outcomes = await self._push([command for _, command in ready])
            for (task, _), outcome in zip(ready, outcomes, strict=True):
                self._settle(task, outcome)

    def _key_is_old(self, task: Task) -> bool:
        """The vendor may have forgotten the key of a call that may have been made: a repeat could happen a second time."""
        sink = self._sink(task)
        ttl = sink.key_ttl_s if sink else None
        age = self.connection.clock() - task.keyed_at
        old = bool(ttl) and not 0 <= age <= int(ttl or 0) * KEY_MARGIN * SECOND  # below 0 the clock was set back: nobody knows
        return old and bool(task.attempt.tries or task.restarted)

    async def _push(self, commands: Sequence[Command]) -> list[Outcome]:
        try:
            if isinstance(commands[0], Fetch):
                rows = await self.connection.hold(self.connector.fetch(commands[0].feed, commands[0].reference), kind="Fetch")
                return [Done(rows=rows)]
            outcomes = await self.connection.hold(self.connector.push(commands), kind=type(commands[0]).__name__)
            assert len(outcomes) == len(commands), f"{self.connection.name} gave {len(outcomes)} outcomes for {len(commands)} commands"
            return outcomes
        except Failure as failure:
            return [failure] * len(commands)
        except Exception as bug:
            log.exception("bug", system=self.connection.name, command=type(commands[0]).__name__)
            return [Reject(f"{type(bug).__name__}: {bug}", "bug")] * len(commands)

    async def _look_up(self, task: Task) -> None:
        try:
            found = await self.connection.hold(self.connector.look_up(task.command))
        except Failure as failure:
            if isinstance(failure, Reject) and failure.code == "not_capable" and self._safe(task):
                self._not_there(task)
            elif isinstance(failure, Reject) and failure.code != "not_found":
                self._settle(task, failure)
            else:
                self._later(task, failure)
            return
        except Exception as bug:  # nobody knows more than before: it stays unknown, and is looked up again
            log.exception("bug", system=self.connection.name, command=type(task.command).__name__)
            self._later(task, Unknown(f"{type(bug).__name__}: {bug}", "bug"))
            return
        now = self.connection.clock()
        if found is not None:
            task.lingers, task.found = 0, True
            self._settle(task, found)
        elif now < task.lingers:  # not there yet: only when it can no longer come is that the last word
            self._again(task, min(task.lingers - now, backoff_us(task.looks, self.dice)))
            task.looks += 1
        else:
            self._not_there(task)

    def _not_there(self, task: Task) -> None:
        """The next call is the first under this key."""
        task.attempt.status = "waiting"
        task.keyed_at = self.connection.clock()
        self._again(task, 0)

    # --- how it ended ------------------------------------------------------------------------------------------------
    def _settle(self, task: Task, outcome: Outcome) -> None:
        if isinstance(outcome, Done):
            self.outcomes.documents(self.connection.name, outcome.rows)
            self._end(task, "done", references=dict(outcome.references))
        elif isinstance(outcome, Reject):
            self._end(task, "rejected", outcome)
        elif isinstance(outcome, Unknown):
            if task.attempt.status != "unknown":
                self._tell(task, "unknown", outcome)
            task.attempt.status = "unknown"
            self._later(task, outcome)
        else:
            self._later(task, outcome)

    def _later(self, task: Task, failure: Failure) -> None:
        """It may be tried again: keep the reason, pause, and give up only when a person must decide."""
        now, attempt = self.connection.clock(), task.attempt
        attempt.code, attempt.why = failure.code, failure.why
        after = failure.after_s if isinstance(failure, Retry) else None
        if failure.code == "breaker_open":
            self._again(task, int((after or 0.0) * SECOND))
            return
        if isinstance(failure, Halt):
            self._again(task, int(BREAKER_S_MAX * SECOND))
            return
        attempt.tries += 1
        task.lingers = max(task.lingers, self.connection.after(failure.lingers_s))
        if attempt.tries > TRIES_MAX or now - max(task.at, self.pauses.resumed_at) > age_us_max(
            self.urgent.get(type(task.command).__name__)
        ):
            self._end(task, "rejected", Reject(f"given up after {attempt.tries} tries: {failure.why}", "expired"))
            return
        self._again(task, backoff_us(attempt.tries, self.dice, after))

    def _again(self, task: Task, pause_us: int) -> None:
        task.attempt.next_at = self.connection.clock() + pause_us
        if task.attempt.tries:
            self.outcomes.attempt(task.id, task.attempt)
        heapq.heappush(self._heads, (task.attempt.next_at, task.id, task))
        self._wake.set()

    def _end(self, task: Task, how: str, failure: Failure | None = None, references: dict[str, str] | None = None) -> None:
        attempt = task.attempt
        attempt.status = "done" if how == "done" else "rejected"
        attempt.why = ""  # it may tell of a person: it goes into the outcome only, which is sealed with what is theirs
        if failure is not None:
            attempt.code = failure.code
        self.outcomes.attempt(task.id, attempt)
        if not isinstance(task.command, Fetch) or how != "done":
            self._tell(task, how, failure, references)
        lane = self._lanes[task.lane]
        assert lane[0] is task, "lanes keep their order"
        lane.popleft()
        if lane:  # what comes after it must not be overtaken by a call of it that lingers
            lane[0].attempt.next_at = max(lane[0].attempt.next_at, task.lingers)
            heapq.heappush(self._heads, (lane[0].attempt.next_at, lane[0].id, lane[0]))
        else:
            del self._lanes[task.lane]
        self.ended(task.id)
        self._wake.set()

    def _tell(self, task: Task, how: str, failure: Failure | None = None, references: dict[str, str] | None = None) -> None:
        self.outcomes.outcome(
            Ended(
                key=task.command.key,
                entity=task.entity,
                outcome=how,
                system=self.connection.name,
                code=failure.code if failure else "",
                why=failure.why[:500] if failure else "",
                references=references or {},
                again=task.command.again,
                found=task.found,
            )  # fmt: skip
        )
