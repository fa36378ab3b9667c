"""The three processes of one machine, each the only writer of its file: edge, core, dispatch."""

from __future__ import annotations

import asyncio
import contextlib
import random
import select
import signal
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from mainstay.app import build
from mainstay.app.alerting import Alerting, ways
from mainstay.app.build import House, clock
from mainstay.app.meters import Meters, snapshot, standing, write_snapshot
from mainstay.contract.connector import Connector
from mainstay.delivery.dispatch import Dispatch
from mainstay.delivery.http import Http
from mainstay.delivery.outcomes import Outcomes
from mainstay.delivery.post import Post
from mainstay.edge.api import Api, Waiters
from mainstay.edge.receive import Door, Receive, Scope, Send
from mainstay.edge.record import Recorder
from mainstay.flows import journey
from mainstay.flows.ask import Desk
from mainstay.flows.clerk import Clerk
from mainstay.flows.heap import look_seldom
from mainstay.flows.intake import Intake
from mainstay.flows.operate import Operators
from mainstay.flows.propagate import Propagate
from mainstay.flows.tell import Tell
from mainstay.flows.world import World
from mainstay.model.failures import Halt
from mainstay.model.times import SECOND
from mainstay.storage.archive import Archive, raw_of, unclaimed
from mainstay.storage.bell import POLL_S, Bell, Ringer
from mainstay.storage.database import scrub
from mainstay.storage.inbox import Inbox, InboxReader
from mainstay.storage.state import State

BATCH_MAX = 64
TIMERS_MAX = 64
SNAPSHOT_S = 0.5
PRUNE_S = 5.0
ANSWERS_KEPT = 10_000  # receipts: whoever still waits for an older answer has long been told to ask again
BACKLOG = 2_048  # connections that wait to be accepted
IDLE_MERGE = 2_000  # unmerged cross-references that an idle moment is used for

log = structlog.get_logger("roles")


class Core:
    """The core: takes receipts from both inboxes, in batches, and timers; everything in one thread, one writer."""

    def __init__(self, house: House) -> None:
        data = house.data
        self.state = State(data / "state.db")
        self.world = World(self.state)
        self.inboxes = {"inbox": InboxReader(data / "inbox.db"), "outcomes": InboxReader(data / "outcomes.db")}
        self.intake = Intake(self.world, build.shop(house))
        Desk(self.intake)
        Tell(self.intake)
        raw = partial(raw_of, data, self.inboxes)
        Clerk(self.intake, raw)
        Operators(self.intake, raw, lambda: unclaimed(data))
        self.batches = 0
        self._pruned = clock()
        self._scrubbed = 0

    def step(self, now: int) -> int:
        """Take one batch of each inbox and the timers that are due; returns how many there were."""
        done = 0
        for source, inbox in self.inboxes.items():
            receipts = inbox.after(self.world.counters.get(f"position/{source}", 0), BATCH_MAX)
            if receipts:
                self.intake.take(source, receipts, now)
                done += len(receipts)
                self.batches += 1
        timers = self.state.rows("due_timers", (now, TIMERS_MAX))
        if timers:
            self.intake.expire(timers, now)
            done += len(timers)
        return done

    def idle(self) -> None:
        """Upkeep in a quiet moment."""
        if self.state.unmerged >= IDLE_MERGE:
            self.state.merge_xrefs()
        if self.state.claims:
            self.tell_claims()
        erased = self.world.counters.get("erased", 0)
        if erased > self._scrubbed and scrub(self.state.connection):
            self._scrubbed = erased
        now = clock()
        if now - self._pruned > PRUNE_S * SECOND:
            self._pruned = now
            self.prune()

    def tell_claims(self) -> None:
        """Say which ids two entities claim: the first keeps it, and `mainstay trace` of the id leads to the first alone."""
        words = {number: text for text, number in self.state.words().items()}
        for claim in self.state.claims:
            space = words[claim.space]
            known = "" if space.endswith("/customer") else claim.ext  # what a system calls a person may be their address
            log.warning("an id is claimed twice", space=space, id=known, kept_by=claim.kept, claimed_by=claim.refused)
        self.state.claims.clear()

    def prune(self) -> None:
        """Drop what the other processes have taken over: archived batches, levels that every channel knows, answers long given."""
        for source, inbox in self.inboxes.items():
            if archived := int(inbox.mark("archived") or 0):
                self.state.run("drop_handled", (archived, source))
        for what in ("level", "price"):
            if told := [int(value) for _, value in self.inboxes["outcomes"].marks(f"{what}s/") if value]:
                self.state.run(f"drop_{what}_changes", (min(told),))
        self.state.run("drop_answers", (self.world.counters.get("position/inbox", 0) - ANSWERS_KEPT,))

    def close(self) -> None:
        self.state.close()
        for inbox in self.inboxes.values():
            inbox.close()


def run_core(house: House, stop: Callable[[], bool], ready: Callable[[], None]) -> None:
    """The core process. On stop it finishes what has arrived."""
    core = Core(house)
    bell, edge, dispatch = Bell(house.data, "core"), Ringer(house.data, "edge"), Ringer(house.data, "dispatch")
    snapped = 0
    ready()
    try:
        while True:
            bell.drain()
            done = core.step(clock())
            if done:
                edge.ring()
                dispatch.ring()
            elif stop():
                break
            else:
                core.idle()
                with contextlib.suppress(InterruptedError):
                    select.select([bell], [], [], POLL_S)
            if clock() - snapped > SNAPSHOT_S * 1e6:
                snapped = clock()
                write_snapshot(house.data, "core", {"batches": core.batches, "rows": dict(core.state.rows_written)})
    finally:
        core.close()
        bell.close()


async def run_dispatch(house: House, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """The dispatch process."""
    core = Ringer(house.data, "core")
    transport = Http()
    outcomes = Outcomes(house.data / "outcomes.db", clock, core.ring)
    bell = Bell(house.data, "dispatch")  # once the store is ours: a second process would take the bell of the first
    state = await _wait_for_state(house.data, stop)
    propagate = Propagate(state, build.channel_policies(house), build.by_sku(house), build.pricing(house))
    plan = build.plan(house, build.scales(house))
    dispatch = Dispatch(state, outcomes, plan, transport, propagate, clock, random.Random())
    archive = Archive(house.data, outcomes.inbox, "outcomes")
    loop = asyncio.get_running_loop()

    def rung() -> None:
        bell.drain()
        dispatch.news.set()

    loop.add_reader(bell.fileno(), rung)
    alerting = Alerting(house, Post(outcomes.inbox, ways(house), transport, clock, random.Random()))
    upkeep = asyncio.create_task(_dispatch_upkeep(house, dispatch, alerting, archive, state, outcomes))
    ready()
    try:
        await dispatch.run(stop, alerting.run())
    finally:
        upkeep.cancel()
        write_snapshot(house.data, "dispatch", snapshot(dispatch) | alerting.standing())
        await transport.close()
        loop.remove_reader(bell.fileno())
        bell.close()
        state.close()


async def _dispatch_upkeep(
    house: House, dispatch: Dispatch, alerting: Alerting, archive: Archive, state: State, outcomes: Outcomes
) -> None:
    while True:
        await asyncio.sleep(SNAPSHOT_S)
        try:
            write_snapshot(house.data, "dispatch", snapshot(dispatch) | alerting.standing())
            outcomes.flush()
            archive.step(state)
        except Exception:  # calls go on; it is tried again in a moment
            log.exception("upkeep_failed", process="dispatch")


async def _wait_for_state(data: Path, stop: asyncio.Event) -> State:
    """The core makes state.db; until it has, there is nothing to read."""
    import apsw

    while not stop.is_set():
        try:
            state = State(data / "state.db", write=False)
            state.counters()
            return state
        except (apsw.CantOpenError, apsw.SQLError):
            await asyncio.sleep(0.02)
    raise asyncio.CancelledError


class Front:
    """The edge's ASGI application: webhooks first, as raw ASGI; everything else goes to the API."""

    def __init__(self, door: Door, api: Any) -> None:
        self.door, self.api = door, api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/hooks/"):
            await self.door(scope, receive, send)
        else:
            await self.api(scope, receive, send)


async def run_edge(house: House, stop: asyncio.Event, ready: Callable[[], None]) -> None:
    """The edge process."""
    core = Ringer(house.data, "core")
    inbox = Inbox(house.data / "inbox.db")
    bell = Bell(house.data, "edge")
    state = await _wait_for_state(house.data, stop)
    recorder = Recorder(inbox, clock, core.ring)
    waiters = Waiters(state)
    hooks: dict[str, Connector] = {name: one for name, one in house.connectors.items() if one.manifest.topics}
    server = house.landscape.server
    door = Door(hooks, recorder, clock, server.max_body_bytes)
    meters = Meters(house.data, door, recorder, lambda: journey.open_letters(state))
    outcomes = InboxReader(house.data / "outcomes.db")
    api = Api(
        state,
        outcomes,
        recorder,
        waiters,
        build.tokens(house),
        build.channel_policies(house),
        meters.text,
        meters.not_ready,
        build.duties(house),
        lambda: standing(house.data),
    )
    config = uvicorn.Config(
        Front(door, api.application()), loop="none", http="httptools", access_log=False, log_level="warning", lifespan="off",
        server_header=False, date_header=False, proxy_headers=False, timeout_graceful_shutdown=5, limit_concurrency=4_000, backlog=BACKLOG,
    )  # fmt: skip
    listener = listening(server.listen, server.port)
    web = uvicorn.Server(config)
    web.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    loop = asyncio.get_running_loop()

    def rung() -> None:
        bell.drain()
        waiters.look()

    loop.add_reader(bell.fileno(), rung)
    archive = Archive(house.data, inbox, "inbox")
    upkeep = asyncio.create_task(_edge_upkeep(archive, state))
    serving = asyncio.create_task(web._serve([listener]))
    ready()
    await asyncio.wait([serving, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    web.should_exit = True
    await serving
    upkeep.cancel()
    recorder.flush()
    loop.remove_reader(bell.fileno())
    bell.close()
    inbox.close()
    state.close()


async def _edge_upkeep(archive: Archive, state: State) -> None:
    while True:
        await asyncio.sleep(SNAPSHOT_S)
        try:
            archive.step(state)
        except Exception:  # the doors stay open; what is not archived now is archived later
            log.exception("upkeep_failed", process="edge")


def listening(host: str, port: int) -> socket.socket:
    """A listening socket. Raises Halt where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Halt(
            f"Mainstay cannot listen on {host}:{port} ({error.strerror}); stop what listens there, or set `listen` or `port` in [server]",
            "not_ready",
        ) from None
    listener.setblocking(False)
    return listener


def run(role: str, house: House, ready: Callable[[], None]) -> None:
    """Run one role until SIGTERM or SIGINT, then drain."""
    look_seldom()
    if role == "core":
        stopped: list[int] = []
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: stopped.append(1))
        run_core(house, lambda: bool(stopped), ready)
        return
    import uvloop

    uvloop.run(_until_signal(run_edge if role == "edge" else run_dispatch, house, ready))


async def _until_signal(role: Any, house: House, ready: Callable[[], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    with contextlib.suppress(asyncio.CancelledError):
        await role(house, stop, ready)
