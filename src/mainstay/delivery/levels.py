"""Stock levels and prices to systems: a cursor over what changed, the newest value wins, bulk where the vendor has it.

Nothing is queued for each change: a channel that was stalled is told only the last value of each item, and always that one.
Equal to what was told last is no reason to be silent: the channel has sold meanwhile, and shows less than it was told.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import structlog
from msgspec import Struct

from mainstay.contract.connector import Done
from mainstay.delivery.connection import Connection
from mainstay.delivery.outcomes import Outcomes
from mainstay.delivery.pauses import NOTHING_HELD, Pauses
from mainstay.delivery.retry import Dice, backoff_us
from mainstay.landscape import TELLS
from mainstay.model.commands import SetLevel, SetPrice
from mainstay.model.failures import Failure, Reject, Retry, Unknown
from mainstay.model.times import SECOND
from mainstay.storage.database import STORE_FAILED

LATENCIES_HELD = 2_000  # the newest of each channel
TRIES_OF_ALL = 3  # an item that failed so often while its channel is well fails by itself
LOOK_S_MIN = 0.05  # between two looks at what is free again
CONVERSATIONS = 8  # a slow call does not hold up the next ones; no item is in two at once

log = structlog.get_logger("delivery")
_items = msgspec.json.Decoder(list[int])


class Dirty(Struct):
    """An item whose level must be told."""

    seq: int  # the change that it came from: its revision
    at: int  # when that was committed
    starved: int  # the connection's budget wait so far
    due: int = 0  # not before this, after a failure
    tries: int = 0
    lingers: int = 0  # until then an earlier call, of which nobody heard again, may still bring an older value


Told = SetLevel | SetPrice
Commands = Callable[[str, Sequence[tuple[int, int]]], Sequence[Told | None]]  # channel, (item, revision) -> what to tell


class Exposes(Protocol):
    """Keeps units back for what is sold while a number is on its way: it is told how long that takes, and says when they are free."""

    def told(self, channel: str, changed_at: Sequence[int], *, done: bool) -> None: ...

    def released(self, channel: str) -> list[int]: ...

    def look_in_s(self, channel: str) -> float | None: ...


class Levels:
    """One channel's levels. `commands` computes what it may show now; None for an item that it does not list. `exposure`: what it keeps
    back is measured."""

    command, what = "SetLevel", "level"

    def __init__(
        self, channel: str, connection: Connection, outcomes: Outcomes, commands: Commands, dice: Dice, pauses: Pauses = NOTHING_HELD,
        exposure: Exposes | None = None,
    ) -> None:  # fmt: skip
        self.exposure = exposure
        self._mark, self._anew_mark = f"{self.what}s/{channel}", f"{self.what}s anew/{channel}"
        known = outcomes.mark(self._mark)
        self._told_before = bool(known)  # by an earlier process
        self.told_up_to = self._newest = int(known or 0)  # by that one; the newest change that it heard of
        self._anew: set[int] = set()  # told without a change of their own
        self.channel, self.connection, self.outcomes, self.commands, self.dice = channel, connection, outcomes, commands, dice
        sink = connection.connector.manifest.sink(self.command)
        assert sink is not None, f"{connection.name} is never asked to {self.command}"
        self.sink, self.pauses = sink, pauses
        self.dirty: dict[int, Dirty] = {}
        self.busy: dict[int, Dirty] = {}
        self.latencies_us: deque[int] = deque(maxlen=LATENCIES_HELD)  # commit -> first call, less what the vendor's budget took
        self.waits_us: deque[int] = deque(maxlen=LATENCIES_HELD)  # what the vendor's budget took
        self.sent = 0
        self._wake = asyncio.Event()
        self._talking: set[asyncio.Task[None]] = set()
        self._asking: asyncio.Task[None] | None = None  # its first call is not permitted yet

    def changed(self, items: Sequence[int], seq: int, at: int, *, restarted: bool = False) -> None:
        """These are to be told. After a restart nobody knows whether an older call for them is under way."""
        starved, self._newest = self.connection.starved_us, max(self._newest, seq)
        lingers = self.connection.after(self.sink.lingers_s) if restarted and self._told_before else 0
        for item in items:
            known = self.dirty.get(item)
            if known is None:
                self.dirty[item] = Dirty(seq, at, starved, lingers=lingers)
            elif known.due and not known.tries:  # it waits for an older call to linger out: there is news now
                known.seq, known.at, known.starved, known.due = seq, at, starved, 0
            else:
                known.seq = seq  # the newest value covers the older change, which keeps its age
        self._wake.set()

    def anew(self, items: Sequence[int], *, restarted: bool = False) -> None:
        """These are to be told though nothing of them changed: kept by name, as no change brings them again after a restart."""
        self._anew.update(items)
        self.outcomes.remember(self._anew_mark, msgspec.json.encode(sorted(self._anew)).decode())
        self.changed(items, self._newest, self.connection.clock(), restarted=restarted)

    def resume(self) -> None:
        """A new process: what the last one had to tell anew may not have been told."""
        if known := self.outcomes.mark(self._anew_mark):
            self._anew.update(_items.decode(known))
            self.changed(sorted(self._anew), self._newest, self.connection.clock(), restarted=True)

    def note(self, taken: int) -> None:
        """Remember how far it has been told of what was taken over."""
        passed = self.passed
        self.outcomes.remember(self._mark, str(taken if passed is None else passed))
        if passed is None and self._anew:
            self._anew.clear()
            self.outcomes.remember(self._anew_mark, "[]")

    def held(self, item: int, at: int) -> str:
        """What people said that holds an item's number back; empty where nothing does."""
        obj, _ = TELLS[self.command]
        return self.pauses.of_number(self.connection.name, obj, self.channel, item, at)

    def look_again(self) -> None:
        """People hold back something else now."""
        self._wake.set()

    @property
    def passed(self) -> int | None:
        """All changes up to this one have been told; None when nothing waits."""
        open_ = [one.seq for one in self.dirty.values()] + [one.seq for one in self.busy.values()]
        return min(open_) - 1 if open_ else None

    @property
    def oldest(self) -> int | None:
        """Since when the oldest untold change waits, in microseconds; None when nothing waits."""
        return min((one.at for changes in (self.dirty, self.busy) for one in changes.values()), default=None)

    async def run(self) -> None:
        try:
            while True:
                self._release()
                now = self.connection.clock()
                # While one waits for the vendor's budget, what changes gathers, and is computed for the next: a number never queues.
                while self._asking is None and len(self._talking) < CONVERSATIONS and (batch := self._pick(now)):
                    self._asking = talking = asyncio.create_task(self._talk(batch))
                    self._talking.add(talking)
                    talking.add_done_callback(self._talked)
                self._wake.clear()
                pauses = [(one.due - now) / SECOND for one in self.dirty.values() if one.due > now]
                if self.exposure and (look := self.exposure.look_in_s(self.channel)) is not None:
                    pauses.append(max(look, LOOK_S_MIN))
                try:
                    async with asyncio.timeout(min(pauses, default=None)):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            for talking in self._talking:
                talking.cancel()

    def _release(self) -> None:
        """Of what less need be kept back than when it was told, is told anew."""
        if self.exposure and (items := self.exposure.released(self.channel)):
            self.anew(items)

    def _talked(self, talking: asyncio.Task[None]) -> None:
        self._talking.discard(talking)
        self._permit(talking)
        if not talking.cancelled() and (error := talking.exception()) is not None:
            raise error

    def _pick(self, now: int) -> list[int]:
        """What to tell next: one item, or many at once where that is worth a bulk call."""
        free = [item for item, change in self.dirty.items() if change.due <= now and item not in self.busy]
        if self.pauses.holding:
            free = [item for item in free if not self.held(item, self.dirty[item].at)]
        batch = free[: self.sink.batch_max if len(free) >= self.sink.bulk_from else 1]
        for item in batch:
            self.busy[item] = self.dirty.pop(item)
        return batch

    async def _talk(self, batch: list[int]) -> None:
        """Compute what to tell as late as possible, tell it, note what was confirmed."""
        # An item that fails again and again where others do not says nothing of how long numbers take.
        ages = [one.at for item in batch if (one := self.busy[item]).tries < TRIES_OF_ALL or not self.connection.healthy]
        if self.exposure:
            self.exposure.told(self.channel, ages, done=False)
        try:
            wanted = self.commands(self.channel, [(item, self.busy[item].seq) for item in batch])
        except STORE_FAILED as failed:
            for item in batch:
                self._again(item, Retry(f"what to tell cannot be read: {failed}"))
            return
        pairs = []
        for item, command in zip(batch, wanted, strict=True):
            if command is None:
                self._passed(item)
            else:
                pairs.append((item, command))
        if not pairs:
            return
        try:
            outcomes: list[Done | Failure] = await self.connection.hold(
                self.connection.connector.push([command for _, command in pairs]),
                on_first=lambda: self._permitted(pairs),
                kind=self.command,
            )
        except Failure as failure:
            outcomes = [failure] * len(pairs)
        except Exception as bug:  # these items become letters; the others go on
            log.exception("bug", system=self.connection.name, channel=self.channel)
            outcomes = [Reject(f"{type(bug).__name__}: {bug}", "bug")] * len(pairs)
        if self.exposure and any(isinstance(outcome, Done) for outcome in outcomes):
            self.exposure.told(self.channel, ages, done=True)
        for (item, command), outcome in zip(pairs, outcomes, strict=True):
            self._settle(item, command, outcome)

    def _permit(self, talking: asyncio.Task[None] | None) -> None:
        if self._asking is talking:
            self._asking = None
        self._wake.set()

    def _permitted(self, pairs: list[tuple[int, Told]]) -> None:
        self._permit(asyncio.current_task())
        now, starved = self.connection.clock(), self.connection.starved_us
        for item, _ in pairs:
            change = self.busy[item]
            waited = min(starved - change.starved, now - change.at)
            self.waits_us.append(waited)
            self.latencies_us.append(max(0, now - change.at - waited))

    def _settle(self, item: int, command: Told, outcome: Done | Failure) -> None:
        if isinstance(outcome, Done):
            self.sent += 1
            self._confirmed(item, command)
            self._told(item)
        elif isinstance(outcome, Unknown):
            self._again(item, outcome)
        elif isinstance(outcome, Reject) and outcome.code == "not_found":
            self._passed(item)  # the channel does not list it: it will not sell it either
        elif isinstance(outcome, Reject):
            self._passed(item)
            self.outcomes.refused(self.connection.name, self.channel, command, outcome)
        else:
            self._again(item, outcome)

    def _confirmed(self, item: int, command: Told) -> None:
        assert isinstance(command, SetLevel)
        self.outcomes.listed(self.channel, item, command.quantity)

    def _again(self, item: int, failure: Failure) -> None:
        """Tell it again after a pause of its own: one item's failure does not hold up the others."""
        after = failure.after_s if isinstance(failure, Retry) else None
        back = self.busy.pop(item)
        newer = self.dirty.get(item)
        pause = backoff_us(min(back.tries, 8), self.dice, after)
        now = self.connection.clock()
        lingers = max(back.lingers, self.connection.after(failure.lingers_s))
        self.dirty[item] = Dirty(newer.seq if newer else back.seq, back.at, back.starved, now + pause, min(back.tries + 1, 20), lingers)
        self._wake.set()

    def _told(self, item: int) -> None:
        """The channel has it. Where an older call may still come through, it is told once more when that has surely ended."""
        done = self.busy.pop(item)
        if done.lingers <= self.connection.clock():
            return
        newer = self.dirty.get(item)
        if newer is not None:
            newer.lingers = done.lingers
        else:
            self.dirty[item] = Dirty(done.seq, done.lingers, self.connection.starved_us, due=done.lingers, lingers=done.lingers)
            self._wake.set()

    def _passed(self, item: int) -> None:
        self.busy.pop(item, None)


class Prices(Levels):
    """One system's prices, told as levels are. `channel` is the system."""

    command, what = "SetPrice", "price"

    def _confirmed(self, item: int, command: Told) -> None:
        """What it costs there is no step of any other number: nothing is kept."""
