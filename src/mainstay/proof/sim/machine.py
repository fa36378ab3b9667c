"""Mainstay itself, in one thread: the product's door, core and dispatch over its three files. A crash leaves only the files."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextvars import ContextVar, copy_context
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from mainstay.contract.connector import Connector
from mainstay.delivery.dispatch import ClockJumped, Dispatch, Plan
from mainstay.delivery.outcomes import Outcomes
from mainstay.edge.api import Api, Waiters
from mainstay.edge.receive import Door
from mainstay.edge.record import Recorder
from mainstay.flows.ask import Desk
from mainstay.flows.clerk import Clerk
from mainstay.flows.exposure import Exposure
from mainstay.flows.intake import Intake
from mainstay.flows.operate import Operators
from mainstay.flows.propagate import Propagate
from mainstay.flows.replay import Raw
from mainstay.flows.restored import Restored
from mainstay.flows.shop import Shop
from mainstay.flows.tell import Tell
from mainstay.flows.world import World
from mainstay.landscape import Duties
from mainstay.model.secrets import Secret
from mainstay.model.times import SECOND
from mainstay.proof.disk import Disk
from mainstay.proof.sim.again import Taken
from mainstay.proof.sim.clockwork import Clockwork
from mainstay.proof.sim.wires import Wires
from mainstay.stock.view import ChannelPolicy
from mainstay.storage.archive import raw_of, unclaimed
from mainstay.storage.database import STORE_FAILED
from mainstay.storage.inbox import Inbox, InboxReader, New
from mainstay.storage.state import State

BODY_BYTES_MAX = 2_000_000
TIMERS_MAX = 64
STEP_S_MAX = 0.02  # how long the core may take to notice
RESTART_S = 2.0
UPKEEP_S = 5.0


OWNER: ContextVar[list[asyncio.Task[Any]] | None] = ContextVar("OWNER", default=None)


def owned(loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
    """Makes tasks, and notes whose they are: a task factory for the loop."""
    task = asyncio.Task(work, loop=loop, **more)
    context = more.get("context")
    tasks = context.get(OWNER) if context is not None else OWNER.get()
    if tasks is not None:
        tasks.append(task)
    return task


@contextlib.contextmanager
def own_time() -> Iterator[Clockwork]:
    """A loop with a time of its own. At its end whatever still runs on it ends, too."""
    loop = Clockwork()
    loop.set_task_factory(owned)
    asyncio.set_event_loop(loop)
    try:
        yield loop
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        asyncio.set_event_loop(None)


class Fittings(Struct, frozen=True):
    """What the top floor builds from a landscape; the same for every seed that draws it."""

    shop: Shop
    plan: Plan
    policies: Mapping[str, ChannelPolicy]
    by_sku: frozenset[str]
    pricing: tuple[str, ...]
    tokens: Mapping[str, Secret]
    duties: Duties
    connectors: Mapping[str, Connector]


class Machine:
    """One installation. `watch` is told after each commit of the core. `batch_max` receipts make a batch. `disk`: one that may fail."""

    def __init__(
        self, place: Path, fittings: Fittings, wires: Wires, clock: Callable[[], int], dice: random.Random, batch_max: int,
        watch: Callable[[Machine], None], disk: Disk | None = None,
    ) -> None:  # fmt: skip
        self.place, self.fittings, self.wires, self.dice = place, fittings, wires, dice
        self.set_by = 0  # microseconds by which this machine's clock is wrong
        self._true = clock
        self.batch_max, self.watch = batch_max, watch
        self.commits = 0
        self.taken: list[Taken] = []  # all that the core has committed
        self.acknowledged = 0  # deliveries that were answered with 200
        self.disk = disk
        self.promised: dict[int, New] = {}  # receipts whose senders were told that they are kept
        self.committed: dict[str, int] = {}  # the counters of the core's last commit
        self.up = self._working = False
        self._stores: list[State | Inbox] = []  # that are open
        self._tasks: list[asyncio.Task[Any]] = []
        self._step: asyncio.TimerHandle | None = None
        self._alarm: asyncio.TimerHandle | None = None  # when the next timer of the store is due

    def start(self) -> None:
        """Open the files, whatever a crash has left in them, and begin to work."""
        fittings, place = self.fittings, self.place
        self._stores.append(state := State(place / "state.db"))
        self._stores.append(inbox := Inbox(place / "inbox.db"))
        outcomes = Outcomes(place / "outcomes.db", self.clock, self._ring)
        self._stores.append(outcomes.inbox)
        self.state, self.inbox, self.outcomes = state, inbox, outcomes
        for store in () if self.disk else self._stores:
            store.connection.pragma("synchronous", "off")  # without a disk that forgets, crashes are of the process
        self.readers = {"inbox": _reading(self.inbox), "outcomes": _reading(self.outcomes.inbox)}
        self.intake = self.core(self.state)
        self.world = self.intake.world
        self.recorder = Promising(self.inbox, self.clock, self._ring, self._promised)
        self.waiters = Waiters(self.state)
        hooks = {name: one for name, one in fittings.connectors.items() if one.manifest.topics}
        self.door = Door(hooks, self.recorder, self.clock, BODY_BYTES_MAX)
        self.api = Api(
            self.state,
            self.readers["outcomes"],
            self.recorder,
            self.waiters,
            fittings.tokens,
            fittings.policies,
            lambda: b"",
            lambda: "",
            fittings.duties,
        ).application()
        self.exposure = Exposure(fittings.policies, self.outcomes, self.clock)
        self.propagate = Propagate(self.state, fittings.policies, fittings.by_sku, fittings.pricing, self.exposure)
        # Who only looks has no part in what is measured: what dispatch works out counts as told.
        self.onlooker = Propagate(self.state, fittings.policies, fittings.by_sku, fittings.pricing)
        self.dispatch = Dispatch(self.state, self.outcomes, fittings.plan, self.wires, self.propagate, self.clock, self.dice, self.exposure)
        self._step = self._alarm = None
        self.up = self._working = True
        self._tasks = []
        self._context = copy_context()
        self._context.run(OWNER.set, self._tasks)
        self._start(self.dispatch.run(asyncio.Event())).add_done_callback(self._ended)
        if self.disk:
            self._start(self._upkeep())
        self._ring()

    def clock(self) -> int:
        return self._true() + self.set_by

    def core(self, state: State, raw: Raw | None = None, shop: Shop | None = None) -> Intake:
        """The core over a store. `raw`: where it finds the bytes of earlier receipts, if not in this machine's files. `shop`: as it was
        declared, if not as it is."""
        intake = Intake(World(state), shop or self.fittings.shop)
        Desk(intake)
        Tell(intake)
        Restored(intake)
        raw = raw or partial(raw_of, self.place, self.readers)
        Clerk(intake, raw)
        Operators(intake, raw, lambda: unclaimed(self.place))
        return intake

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """A task of this process: it, and all that it starts, dies with it."""
        return asyncio.get_running_loop().create_task(work, context=self._context)

    def crash(self) -> None:
        """The process dies: what it had not committed is gone."""
        working, self.up, self._working = self._working, False, False
        if working:
            for timer in (self._step, self._alarm, self.outcomes._flushing):
                if timer is not None:
                    timer.cancel()
            self.recorder._new = []
            for task in self._tasks:
                task.cancel()
        for store in self._stores:  # and not `outcomes`, which would flush first
            with contextlib.suppress(*STORE_FAILED):
                store.close()
        self._stores = []

    def _ended(self, work: asyncio.Task[Any]) -> None:
        """Dispatch works until it is cancelled, or its store fails; anything else is a bug of ours."""
        if work.cancelled():
            return
        failed = work.exception() or AssertionError("dispatch ended by itself")
        if not isinstance(failed, ClockJumped) and not (self.disk and isinstance(failed, STORE_FAILED)):
            raise failed
        self.wires.fired["begun anew"] += isinstance(failed, ClockJumped)
        self._died()

    def _died(self) -> None:
        """A process could not go on, and is started again by the supervisor: here it takes the others along."""
        if self.up:
            self.crash()
            asyncio.get_running_loop().call_later(RESTART_S, self._restart)

    def prune(self) -> None:
        """Drop the levels and prices that everybody knows who is told them, as the core does now and then."""
        for what in ("level", "price"):
            if told := [int(value) for _, value in self.readers["outcomes"].marks(f"{what}s/") if value]:
                self.state.run(f"drop_{what}_changes", (min(told),))

    def set_clock(self, by: int) -> None:
        """Somebody sets the clock of this machine, so that it is wrong by so many microseconds."""
        self.set_by = by
        self._ring()

    def _restart(self) -> None:
        try:
            self.start()
        except STORE_FAILED:
            self.crash()
            asyncio.get_running_loop().call_later(RESTART_S, self._restart)

    async def _upkeep(self) -> None:
        """What could not be written is tried again, as the dispatch process does."""
        while True:
            await asyncio.sleep(UPKEEP_S)
            with contextlib.suppress(*STORE_FAILED):
                self.outcomes.flush()

    # --- the core ----------------------------------------------------------------------------------------------------
    def _ring(self) -> None:
        if self._step is None and self.up:
            self._step = asyncio.get_running_loop().call_later(self.dice.random() * STEP_S_MAX, self._core)

    def _core(self) -> None:
        self._step = None
        try:
            done = self._take()
        except STORE_FAILED:
            if not self.disk:
                raise
            self._died()
            return
        self.dispatch.news.set()
        self.waiters.look()
        if done:
            self._ring()
            return
        if self._alarm is not None:
            self._alarm.cancel()
        if (due := self.state.rows("next_timer")[0][0]) is not None:
            pause = max(0.0, (due - self.clock()) / SECOND)
            self._alarm = asyncio.get_running_loop().call_later(pause + 0.001, self._ring)

    def _take(self) -> int:
        done, now = 0, self.clock()
        for source, reader in self.readers.items():
            receipts = reader.after(self.world.counters.get(f"position/{source}", 0), self.batch_max)
            if receipts:
                self.intake.take(source, receipts, now)
                done += len(receipts)
                self._committed(Taken(source, receipts, now, self.fittings.shop))
        timers = self.state.rows("due_timers", (now, TIMERS_MAX))
        if timers:
            self.intake.expire(timers, now)
            done += len(timers)
            self._committed(Taken("", timers, now, self.fittings.shop))
        return done

    def _committed(self, taken: Taken) -> None:
        self.commits += 1
        self.taken.append(taken)
        self.committed = dict(self.world.counters)
        self.watch(self)

    def _promised(self, number: int, receipt: New) -> None:
        if self.up:
            self.promised[number] = receipt

    def behind(self) -> int:
        """Receipts that the core has not taken."""
        return sum(reader.behind(self.world.counters.get(f"position/{source}", 0)) for source, reader in self.readers.items())

    # --- the doors ---------------------------------------------------------------------------------------------------
    async def hook(self, name: str, headers: Mapping[str, str], body: bytes) -> int:
        """A twin's delivery; its status, 0 where nobody answers."""
        path = f"/hooks/{name}" + ("/twin-path" if name == "warehouse" else "")
        status, _ = await self._asgi(self.door, "POST", path, headers, body)
        self.acknowledged += status == 200
        return status

    async def ask(self, who: str, method: str, path: str, body: object, key: str = "") -> tuple[int, Any]:
        """A call of the API by a channel or an operator; status 0 where nobody answers."""
        token = self.fittings.tokens[who].reveal()
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json", **({"idempotency-key": key} if key else {})}
        status, answer = await self._asgi(self.api, method, path, headers, msgspec.json.encode(body))
        return status, msgspec.json.decode(answer) if answer else None

    async def _asgi(self, app: Any, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        if not self.up:
            return 0, b""
        told: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            told.append(message)

        raw = [(name.lower().encode(), value.encode()) for name, value in {**headers, "content-length": str(len(body))}.items()]
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": raw,
            "server": ("mainstay.sim", 80), "client": ("sim", 1), "scheme": "http", "root_path": "", "http_version": "1.1",
        }  # fmt: skip
        try:
            await self._start(app(scope, receive, send))
        except asyncio.CancelledError:
            return 0, b""
        if self.disk and self.disk.is_dark:
            return 0, b""
        return told[0]["status"], b"".join(message.get("body", b"") for message in told[1:])


class Promising(Recorder):
    """The recorder, overheard: `promised` is told of each receipt whose sender may be answered."""

    def __init__(self, inbox: Inbox, clock: Callable[[], int], recorded: Callable[[], None], promised: Callable[[int, New], None]) -> None:
        super().__init__(inbox, clock, recorded)
        self.promised = promised

    def record(self, system: str, topic: str, key: str, body: bytes) -> asyncio.Future[int]:
        future, receipt = super().record(system, topic, key, body), (self.clock(), system, topic, key, body)

        def told(kept: asyncio.Future[int]) -> None:
            if not kept.cancelled() and kept.exception() is None:
                self.promised(kept.result(), receipt)

        future.add_done_callback(told)
        return future


def _reading(inbox: Inbox) -> InboxReader:
    """A reader over the writer's own connection: one thread, so it sees what is committed."""
    reader = InboxReader(inbox.path)
    reader.connection = inbox.connection
    return reader
