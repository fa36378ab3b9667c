"""kill -9 of whatever `mainstay up` starts, at random instants while a shop works; and what came of it outside, to be compared.

The play is one whose effects do not hang on time: there is enough of everything, and what befalls an order is drawn from its own name.
So two performances must have the same effects, whoever is killed meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mainstay.app.build import clock
from mainstay.app.demo import TIME_FACTOR, Demo, Stage, good
from mainstay.app.snapshots import read_snapshot
from mainstay.model.times import SECOND
from mainstay.proof.history import Story, tell
from mainstay.proof.play import Cast, Play
from mainstay.storage.archive import archived
from mainstay.storage.inbox import InboxReader
from mainstay.twins.imitation import Imitation

ROLES = ("edge", "core", "dispatch")
ORDERS, KILLS, RATE = 140, 100, 600.0  # at the most so many orders a minute: they come as long as somebody is killed
HISTORIES = 2  # of the same orders
FEW = (120, 60)  # orders and kills with a planted bug
ALL = 0.2  # part of the moments in which the supervisor is killed, with its group; else some of its processes are
MANY = 0.7  # of those that live, part that dies in the others
STARTING = 0.3  # part of the moments in which those die who have only begun to start; in the others somebody has worked
WORK_S_MAX = 5.0  # so long is waited for that: the next shoppers come only as the kills go on
PAUSE_S = 0.15  # then it is so long to the kill, on average
PLENTY = 100  # units of each product beyond what will be wanted
RETRIES_S = (30.0,) * 10_000  # of a delivery, half a second here: nobody gives up
CALL_S = 0.15  # how long a call takes that is under way when somebody is killed
REGRETTED = 12  # of so many orders of the shop one is taken back
TOLD_FIRST = """
import asyncio, sys

if "up" in sys.orig_argv:
    from mainstay.edge.record import Recorder

    right = Recorder.flush

    def flush(self):
        for number, future in enumerate(self._told, self.inbox.last + 1):
            if not future.done():
                future.set_result(number)
        asyncio.get_running_loop().call_later(0.2, right, self)

    Recorder.flush = flush
"""  # senders are told at once, and what they sent is kept in a moment


class Steady(Play):
    """Who takes an order back does so when the warehouse has it, which never packs it."""

    regretted: frozenset[str] = frozenset()
    tries_max = 10_000  # nobody gives up
    done: Callable[[], float]  # the part of the trouble that is over

    async def turn(self, number: int, due: int) -> None:
        """Shoppers come as long as there is trouble."""
        await super().turn(number, due)
        while self.done() < number / len(self.story.wishes):
            await asyncio.sleep(0.02)

    def pack(self) -> None:
        for release in self.cast.warehouse.released:
            _, channel, rest = release.split(".", 2)
            number = rest.rpartition(".")[0]
            if release not in self._packed and channel == "shop" and self.wish_of[f"ord.shop.{number}"] in self.regretted:
                self._packed[release] = 0
                self.cast.shop.cancel_order(int(number), now=self.clock())
        super().pack()

    async def repair(self, token: str) -> None:
        """Nobody repairs anything: what a kill leaves behind must mend itself."""


class History(Struct):
    """What came of one performance."""

    kills: Counter[str]  # processes
    moments: int  # in which they were killed
    acknowledged: int
    lost: list[str]  # acknowledged, and not in the inbox
    once: Counter[Hashable]  # effects that were made, and how often
    last: dict[Hashable, Any]  # what was set to a value: the last one
    report: dict[str, Any]
    seconds: float

    @property
    def fine(self) -> bool:
        return good(self.report) and not self.report["dead_letters"]["open"]


class Killed(Stage):
    """One performance of `orders` orders while `kills` processes are killed. `luck`: of who dies. `bug`: the text of a planted one."""

    def __init__(self, folder: Path, orders: int, kills: int, seed: int, luck: int = 1, bug: str = "") -> None:
        self.wanted, self.bug = kills, bug
        story = tell(None, orders, seed)
        self.regretted = frozenset(one.id for one in [one for one in story.wishes if one.channel == "shop"][::REGRETTED])
        wishes = [replace(one, cancelled=False) for one in story.wishes]
        products = [replace(one, stock=one.stock + PLENTY) for one in story.products]
        super().__init__(Demo(orders, seed=seed), Story(wishes, products, story.source, story.skipped, story.rules), folder)
        self.dice = random.Random(luck)
        self.town.delays = dict.fromkeys(("shop", "amazon", "erp"), CALL_S)
        self.kills: Counter[str] = Counter()
        self.moments = 0
        self.acknowledged: list[tuple[str, bytes]] = []
        for name, twin in self.town.twins.items():
            twin.RETRIES_S = RETRIES_S  # type: ignore[misc]
            self.overhear(name, twin)

    def overhear(self, name: str, twin: Imitation) -> None:
        """Note each delivery of a twin that is answered with 200."""
        said: dict[str, bytes] = {}
        due, delivered = twin.due, twin.delivered

        def heard_due(now: int) -> Any:
            found = due(now)
            said.update((post.id, post.body) for post in found)
            return found

        def heard_delivered(post: str, status: int, now: int) -> None:
            if status == 200:
                self.acknowledged.append((name, said[post]))
            delivered(post, status, now)

        twin.due, twin.delivered = heard_due, heard_delivered  # type: ignore[method-assign]

    def start(self) -> None:
        """In a group of its own, so that all of it can be killed at once."""
        command = [sys.executable, "-m", "mainstay.app.cli", "up", "--config", str(self.config)]
        environment = {**os.environ, "MAINSTAY_TIME_FACTOR": str(TIME_FACTOR)}
        if self.bug:
            environment["PYTHONPATH"] = os.pathsep.join([str(self.planted()), os.environ.get("PYTHONPATH", "")])
        with (self.folder / "mainstay.log").open("ab") as output:
            self.up = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, start_new_session=True
            )

    def planted(self) -> Path:
        """A folder from which Python takes a bug into the edge (https://docs.python.org/3/library/site.html)."""
        folder = self.folder / "bug"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(self.bug)
        return folder

    async def history(self, rate_per_min: float) -> History:
        """Play, kill, settle, compare. The rate is that of the orders."""
        began = clock()
        await self.town.start()
        self.cast.amazon.url = self.town.urls["amazon"]
        self.write_config()
        base = f"http://127.0.0.1:{self.port}"
        self.play = Steady(self.story, self.cast, self.town, base, self.tokens, clock, self.demo.seed)
        self.play.regretted, self.play.done = self.regretted, self.done
        self.play.set_the_stage()
        self.start()
        working = asyncio.create_task(self.play.work_in_the_warehouse())
        try:
            await self.open_doors(base)
            await asyncio.gather(self.trouble(), self.play.perform(rate_per_min))
            settled = await self.settle()
            assert not working.done(), working.exception()
        finally:
            working.cancel()
        self.finished = clock()
        dispatch = read_snapshot(self.data, "dispatch")
        self.stop()
        report = self.report(dispatch, (self.finished - began) / SECOND, settled)
        once, last = effects(self.cast, self.play)
        return History(self.kills, self.moments, len(self.acknowledged), self.lost(), once, last, report, (clock() - began) / SECOND)

    # --- the killer --------------------------------------------------------------------------------------------------
    def done(self) -> float:
        """The part of the trouble that is over."""
        return self.kills.total() / self.wanted if self.wanted else 1.0

    async def trouble(self) -> None:
        """One process, some at once, or all; whoever lives just now, also who has only begun to start."""
        while self.kills.total() < self.wanted:
            await self.moment()
            assert self.up is not None and self.up.poll() is None, f"it ended by itself:\n{self.said()}"
            alive = self.alive()
            if self.dice.random() < ALL:
                os.killpg(self.up.pid, signal.SIGKILL)
                self.up.wait()
                died = ["up", *alive]
                self.start()
            else:
                died = [role for role in alive if self.dice.random() < MANY]
                for role in died:
                    os.kill(alive[role], signal.SIGKILL)
            self.kills.update(died)
            self.moments += bool(died)

    async def moment(self) -> None:
        """Wait for one: some die while they start, the others while deliveries come in."""
        known, until = len(self.acknowledged), clock() + int(WORK_S_MAX * SECOND)
        works = self.dice.random() >= STARTING
        while works and len(self.acknowledged) == known and clock() < until:
            await asyncio.sleep(0.005)
        await asyncio.sleep(self.dice.expovariate(1 / PAUSE_S))

    def alive(self) -> dict[str, int]:
        """The process ids of the roles that run just now."""
        assert self.up is not None
        found = subprocess.run(["pgrep", "-a", "-P", str(self.up.pid)], capture_output=True, text=True, check=False).stdout
        words = [line.split() for line in found.splitlines()]
        return {role: int(line[0]) for line in words for role in ROLES if line[1:3] == ["mainstay", role]}

    def said(self) -> str:
        return (self.folder / "mainstay.log").read_text(errors="replace")[-3_000:]

    # --- what was promised -------------------------------------------------------------------------------------------
    def lost(self) -> list[str]:
        """What was acknowledged and is not kept, byte for byte."""
        inbox = InboxReader(self.data / "inbox.db")
        receipts = inbox.after(0, 1 << 40)
        first = receipts[0].seq if receipts else 1 << 40
        old = (archived(self.data, "inbox", seq) for seq in range(1, first))
        kept = Counter((one.system, one.body) for one in (*receipts, *old) if one is not None)
        inbox.close()
        return [f"{system}: {body[:80]!r}" for system, body in (Counter(self.acknowledged) - kept).elements()]


def effects(cast: Cast, play: Play) -> tuple[Counter[Hashable], dict[Hashable, Any]]:
    """What Mainstay and the people in the town did to the outside systems, by names that are the same in each performance: effects with
    how often they were made, and what was set to a value with its last one."""
    names = _names(cast, play)

    def named(text: str) -> str:
        return re.sub(r"\.return\.\d+", ".return", re.sub(r"[\w-]+", lambda found: names.get(found[0], found[0]), text))

    once: Counter[Hashable] = Counter()
    last: dict[Hashable, Any] = {}
    for channel, twin in (("shop", cast.shop), ("amazon", cast.amazon)):
        for effect, times in twin.effects.items():
            if not effect.startswith(("key:", "feed:")):  # those set levels and prices
                parts = named(effect).split(":")
                once[(channel, *(parts[:2] if parts[0] == "package" else parts))] += times  # a package has a number of the parcel's
        for sku, listed in (cast.shop.variants if channel == "shop" else cast.amazon.listings).items():
            last[(channel, sku)] = (twin.available(sku), listed.price_minor)
    for what, name, amount in cast.payments.effects:
        refund = cast.payments.refunds.get(name)
        once[("payments", what, named(refund["payment_intent"] if refund else name), amount)] += 1
    for what, name, how in cast.erp.effects:
        once[("erp", what, named(name), how)] += 1
    lines = {f"{release}/{item['lineItemKey']}": item["sku"] for release, one in cast.warehouse.released.items() for item in one["items"]}
    for what, key, how in cast.warehouse.effects:
        if how != "updated":  # an upsert under its key
            once[("warehouse", what, named(key.partition("/")[0]), lines.get(key, ""), how)] += 1
    for release, order in cast.warehouse.released.items():
        units = sorted((item["sku"], item["quantity"]) for item in order["items"])
        last[("warehouse", named(release))] = (order["orderStatus"], order["shipTo"], units)
    last |= {("erp", sku): cast.erp.on_hand(sku) for sku in cast.shop.variants}
    last |= {("erp", named(reference)): total for reference, total in cast.erp.totals().items()}
    return once, last


def _names(cast: Cast, play: Play) -> dict[str, str]:
    """The ids that the outside systems gave, in the order in which things happened, by the wishes that they are of."""
    names = {uid.split(".", 2)[2]: wish for uid, wish in play.wish_of.items()}
    for number, order in cast.shop.orders.items():
        notes = {note["name"]: note["value"] for note in order["note_attributes"]}
        names[notes["payment_intent"]] = f"payment of {names[str(number)]}"
    names |= {sale.intent: f"payment of {sale.id}" for sale in play.counters.sales.values() if sale.intent}
    return names


def played(folder: Path, orders: int, kills: int, luck: int = 1, bug: str = "") -> History:
    """One performance in a new folder."""
    folder.mkdir()
    return staged(Killed(folder, orders, kills, 1, luck, bug), RATE if kills else 10 * RATE)


def staged(stage: Killed, rate_per_min: float) -> History:
    """Its performance, of which nothing is left running."""

    async def perform() -> History:
        try:
            return await stage.history(rate_per_min)
        finally:
            await stage.strike()

    return asyncio.run(perform())
