"""The core process: everything in one thread, over state.db."""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Callable
from functools import partial

import structlog

from mainstay.app import build
from mainstay.app.build import House, clock
from mainstay.app.memory import need_memory
from mainstay.app.snapshots import write_snapshot
from mainstay.flows.ask import Desk
from mainstay.flows.clerk import Clerk
from mainstay.flows.drift import Watch
from mainstay.flows.intake import Intake
from mainstay.flows.operate import Operators
from mainstay.flows.restored import Restored
from mainstay.flows.tell import Tell
from mainstay.flows.world import World
from mainstay.storage.archive import raw_of, unclaimed
from mainstay.storage.bell import POLL_S, Bell, Ringer
from mainstay.storage.database import scrub
from mainstay.storage.failing import Failing
from mainstay.storage.inbox import InboxReader
from mainstay.storage.state import State

BATCH_MAX = 64
TIMERS_MAX = 64
SNAPSHOT_S = 0.5
PRUNE_S = 5.0
ANSWERS_KEPT = 10_000  # receipts: whoever still waits for an older answer has long been told to ask again
IDLE_MERGE = 2_000  # unmerged cross-references that an idle moment is used for

log = structlog.get_logger("core")


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
        Restored(self.intake)
        raw = partial(raw_of, data, self.inboxes)
        Clerk(self.intake, raw)
        Operators(self.intake, raw, lambda: unclaimed(data))
        self.watch = Watch(self.intake, self.inboxes, partial(build.learned, house))
        self.batches = 0
        self._pruned = time.monotonic()
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
        self.watch.step()
        erased = self.world.counters.get("erased", 0)
        if erased > self._scrubbed and scrub(self.state.connection):
            self._scrubbed = erased
        now = time.monotonic()
        if now - self._pruned > PRUNE_S:
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


def run_core(house: House, stop: Callable[[], object], works: Callable[[], object]) -> None:
    """On stop it finishes what has arrived."""
    core = Core(house)
    bell, edge, dispatch = Bell(house.data, "core"), Ringer(house.data, "edge"), Ringer(house.data, "dispatch")
    snapped, failing, declared = 0.0, Failing("tell how it stands"), build.fingerprint(house)
    works()
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
            if time.monotonic() - snapped > SNAPSHOT_S:
                snapped = time.monotonic()
                need_memory()
                works()
                try:
                    rows = dict(core.state.rows_written)
                    write_snapshot(house.data, "core", {"declared": declared, "batches": core.batches, "rows": rows})
                    failing.worked()
                except OSError as failed:
                    failing.failed(failed)
    finally:
        core.close()
        bell.close()
