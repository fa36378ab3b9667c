"""One seed, played to its end: acts and faults, every invariant checked at every commit; then calm, and everything must agree."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from hashlib import blake2b
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from mainstay.flows import queue
from mainstay.flows.propagate import places, served, shelves_of
from mainstay.flows.rebuild import CONSERVED, verify
from mainstay.model.outcome import TOPIC
from mainstay.model.state import LOCATIONS_MAX
from mainstay.model.times import DAY, SECOND
from mainstay.proof.books import MUST_BE_ZERO, compare
from mainstay.proof.disk import Disk
from mainstay.proof.history import CURRENCY, Product, Story
from mainstay.proof.people import erased
from mainstay.proof.play import Cast
from mainstay.proof.sim.accounts import everybody_is_erased, heard_merges
from mainstay.proof.sim.acts import APART, IN_BULK, STORIES_S, STORY_S, WEEKS, Act, Swarm
from mainstay.proof.sim.again import differs
from mainstay.proof.sim.arrival import Arrivals, rearranged
from mainstay.proof.sim.clockwork import Clockwork
from mainstay.proof.sim.late import begin_without, book_what_left, connected_at_last
from mainstay.proof.sim.looks import LOOKED_AT, SELDOM_S
from mainstay.proof.sim.machine import Fittings, Machine, own_time
from mainstay.proof.sim.operators import operator_repairs, operator_retries
from mainstay.proof.sim.packing import warehouse_packs
from mainstay.proof.sim.reads import misread
from mainstay.proof.sim.scene import Scene
from mainstay.proof.sim.staff import people_count
from mainstay.proof.sim.trouble import Blackouts, Lost, Make
from mainstay.proof.sim.troupe import channels_look, open_shop, perform
from mainstay.proof.sim.views import unlike_jobs, unlike_receipts, unlike_replay
from mainstay.proof.sim.wires import Wires, url
from mainstay.proof.truth import believed, is_named
from mainstay.stock.fold import free
from mainstay.storage.database import SQL, STORE_FAILED, rows
from mainstay.storage.state import State
from mainstay.twins.amazon import AmazonTwin
from mainstay.twins.imitation import Weather
from mainstay.twins.shipstation import ShipStationTwin
from mainstay.twins.shopify import ShopifyTwin
from mainstay.twins.stripe import StripeTwin
from mainstay.twins.tryton import HOME, TrytonTwin

T0 = 1_772_442_000_000_000  # 2026-03-02T09:00:00Z
TRIES = 15  # of an act that cannot happen yet, from the opening to the closing of the doors
CALM_S = 130.0  # between two looks at whether everything has come to rest
CALM_S_MAX = 6 * 3600.0
FEED_S = 240  # how long the marketplace works on a feed, where numbers go in bulk
EXCUSES = {"cancelled_though_paid": "clock is set"}  # what an act makes right: a day's jump makes a payment late that was on its way
INVARIANTS: dict[str, str] = {  # at every commit: a query that must find nothing
    "no stock row promises more than there is": """
        SELECT id FROM stock WHERE on_hand < 0 OR allocated < 0 OR reserved < 0 OR allocated + reserved > on_hand + deficit""",
    "what is reserved is the sum of the reservations that stand": """
        SELECT (SELECT coalesce(sum(reserved), 0) FROM stock) AS held, (
          SELECT coalesce(sum(share.value ->> 3), 0) FROM reservation, json_each(CAST(reservation.body AS TEXT), '$.shares') AS share
          WHERE status = 'reserved') AS promised WHERE held <> promised""",
    "nothing in us breaks on a message": "SELECT id, body FROM letter WHERE code = 'bug'",
    **{rule: SQL[name] for rule, name in CONSERVED.items()},
}


class Broken(AssertionError):
    """An invariant does not hold. The message names it."""


class Ending(Struct):
    """How a seed ended: `broken` is empty where everything held."""

    seed: int
    broken: str = ""
    commits: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    played: Counter[str] = field(default_factory=Counter)
    figures: dict[str, Any] = field(default_factory=dict)
    cuts: int = 0  # of the power
    arrivals: Arrivals = field(default_factory=Arrivals)  # what came of another order of arrival
    log: str = ""  # a digest of every event, in order: the same seed gives the same one
    waited: dict[int, float | None] = field(default_factory=dict)  # seconds, by the number of an act; None: it found nothing to do


def play(
    swarm: Swarm,
    fittings: Fittings,
    place: Path,
    *,
    prove: bool = False,
    read: bool = False,
    disk: Disk | None = None,
    trouble: Make = Blackouts,
) -> Ending:
    """Play a seed in an empty folder. `prove` also rebuilds the state from the log, `read` compares what people are shown. On a `disk`
    there is trouble while people act."""
    ending = Ending(swarm.seed)
    with own_time() as loop:
        stage = Stage(swarm, fittings, place, loop, disk, trouble)
        try:
            loop.run_until_complete(stage.main(prove, read))
        except (Broken, Lost) as broken:
            ending.broken = str(broken)
        finally:
            if disk:
                disk.cut_at = disk.fault = None
            if stage.machine.up:
                stage.machine.crash()
    ending.commits, ending.played = stage.machine.commits, stage.scene.played
    ending.fired = sum((twin.fired for twin in stage.wires.twins.values()), stage.wires.fired)
    ending.figures, ending.log, ending.arrivals, ending.cuts = stage.figures, stage.log, stage.arrivals, disk.cuts if disk else 0
    ending.waited = stage.waited
    return ending


class Stage:
    """The twins, the wires, the machine and the scene of one seed."""

    def __init__(self, swarm: Swarm, fittings: Fittings, place: Path, loop: Clockwork, disk: Disk | None, trouble: Make) -> None:
        self.swarm, self.place, self.loop = swarm, place, loop
        self.fittings = fittings = LOOKED_AT[swarm.scenario](fittings) if swarm.scenario in LOOKED_AT else fittings
        self.cast = cast(swarm.seed)
        if "payments" in fittings.plan.hooks:
            self.cast.payments.endpoint["url"] = fittings.plan.hooks["payments"].url  # which a person made
        twins = {name: getattr(self.cast, name) for name in Cast.__struct_fields__}
        self.wires = Wires(twins, self.clock, random.Random(swarm.seed + 1))
        self.machine = Machine(place, fittings, self.wires, self.clock, random.Random(swarm.seed + 2), swarm.batch_max, check, disk)
        self.trouble = trouble(self.machine, disk, random.Random(swarm.seed + 4)) if disk else None
        self.scene = Scene(self.cast, self.wires, self.clock, tuple(swarm.stock), lambda: self.machine)
        self.scene.counters.lacks = frozenset(twins) - fittings.connectors.keys()
        self.figures: dict[str, Any] = {}
        self.arrivals = Arrivals()
        self.log = ""
        self.waited: dict[int, float | None] = {}
        self.wrong: BaseException | None = None
        self.wires.deliver = self.machine.hook
        if swarm.scenario == IN_BULK:
            self.cast.amazon.feed_s = FEED_S
        if system := APART.get(swarm.scenario):
            self.machine.fittings = begin_without(self.scene, fittings, system)

    def clock(self) -> int:
        return T0 + int(self.loop.time() * 1e6)

    async def main(self, prove: bool, read: bool) -> None:
        """All of it; what breaks in a callback or a task of the machine ends it too."""
        running = asyncio.current_task()
        assert running is not None

        def wrong(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            if (disk := self.machine.disk) and (disk.is_dark or isinstance(context.get("exception"), STORE_FAILED)):
                return  # a machine without power cannot fail; and a loop logs what failed on the disk, and goes on
            self.wrong = self.wrong or context.get("exception") or Broken(context["message"])
            running.cancel()

        self.loop.set_exception_handler(wrong)
        try:
            await self.run(prove, read)
        except asyncio.CancelledError:
            if not isinstance(self.wrong, Broken | Lost):
                raise Broken(f"{type(self.wrong).__name__}: {self.wrong}") from self.wrong
            raise self.wrong from None

    async def run(self, prove: bool, read: bool) -> None:
        open_shop(self.scene, self.swarm.stock, _stores(self.fittings))
        self.machine.start()
        await people_count(self.scene, self.swarm.stock)
        await asyncio.sleep(30)  # the channels learn their opening levels in good weather
        self._shelves_are_known()
        for name, twin in self.wires.twins.items():
            twin.weather = Weather(self.swarm.weather[name])
        if self.trouble:
            self.trouble.begin()
        started, acting = self.loop.time(), []
        for number, act in enumerate(self.swarm.acts):
            await asyncio.sleep(max(0.0, started + act.at - self.loop.time()))
            acting.append(self.loop.create_task(self._perform(number, act)))
        await asyncio.gather(*acting)
        if self.scene.connect:
            self.scene.connect()
        if self.trouble:
            await self.trouble.over()
        for twin in self.wires.twins.values():
            twin.weather = Weather()
        if not await connected_at_last(self.scene, random.Random(self.swarm.seed + 7)):
            raise Broken(f"it is connected at last: {self.scene.apart} is not, {self.under_way()}")
        await self._come_to_rest()
        if self.scene.played["clock is set"]:
            await channels_look(self.scene)
        if "erp" in self.scene.counters.lacks:
            book_what_left(self.scene)
        self._agree(prove)
        if read:
            await self._read()
        await everybody_is_erased(self.scene, heard_merges(self.scene), random.Random(self.swarm.seed + 6))
        if self.scene.wronged:
            raise Broken(f"an erasure takes what is theirs, and nothing else: {self.scene.wronged[0]}")

    async def _perform(self, number: int, act: Act) -> None:
        lasts = STORIES_S.get(self.swarm.scenario, STORY_S)
        self.waited[number] = await perform(self.scene, act, int(TRIES * (1 - act.at / lasts)), lasts / TRIES)

    async def _read(self) -> None:
        """What people are shown agrees with the outside systems, too."""

        async def ask(path: str) -> tuple[int, Any]:
            return await self.machine.ask("operator", "GET", path, {})

        belief = believed(self.machine.state)
        gone = erased(belief, self.machine.state)
        forgotten = {uid for uid, one in belief.items() if one.subject in gone}
        if wrong := await misread(ask, self.cast, self.scene.counters, list(self.fittings.policies.values()), forgotten):
            raise Broken(f"what is shown is wrong: {wrong}")
        taken = sum(len(one.what) for one in self.machine.taken if one.source)
        looks = [unlike_jobs(ask, self.scene.jobs)]
        looks += [] if self.machine.disk else [unlike_receipts(ask, taken)]  # where it fails, nobody can say which batches were kept
        for look in looks:
            if wrong := await look:
                raise Broken(f"what is shown is wrong: {wrong}")
        if wrong := "" if self.machine.disk else unlike_replay(self.place, self.machine.fittings.shop, self.clock()):
            raise Broken(f"what is shown is wrong: {wrong}")

    async def _come_to_rest(self) -> None:
        """Faults have stopped. People do their work until nothing moves any more, or it never will."""
        ends, quiet, dice = self.loop.time() + CALM_S_MAX, 0, random.Random(self.swarm.seed + 3)
        ends += DAY / SECOND if self.scene.played["clock is set"] else 0  # what was to happen later is due by the clock of then
        pause = CALM_S
        if self.swarm.scenario == WEEKS:
            ends, pause = ends + 10 * DAY / SECOND, 1.1 * SELDOM_S
        while quiet < 5:
            if self.loop.time() > ends:
                raise Broken(f"it does not come to rest: {self.under_way()}")
            packed = await warehouse_packs(self.scene, dice)
            for name in self.wires.twins:
                self.wires.pump(name)
            retried, repaired = await operator_retries(self.scene, dice), await operator_repairs(self.scene, dice)
            await asyncio.sleep(pause)
            quiet = 0 if packed or retried or repaired or any(self.under_way().values()) else quiet + 1

    def under_way(self) -> dict[str, int]:
        """What still moves, by where."""
        dispatch = self.machine.dispatch
        orders = believed(self.machine.state).values()
        return {
            "effects": dispatch.waiting,
            "levels": sum(len(one.dirty) + len(one.busy) for one in dispatch.levels.values()),
            "prices": sum(len(one.dirty) + len(one.busy) for one in dispatch.prices.values()),
            "kept back": self.machine.exposure.holding,
            "receipts": self.machine.behind(),
            "deliveries": sum(twin.undelivered for twin in self.wires.twins.values()),
            "reservations past their time": self._overdue(),
            "items that no channel shows": sum(1 for sku in self.scene.opened if self.cast.erp.on_hand(sku) and self._hidden(sku)),
            "orders without a name": sum(1 for one in orders if one.status not in ("settled", "cancelled") and not is_named(one)),
        }

    def _hidden(self, sku: str) -> bool:
        """Does a channel not list an item yet? What it has called it is learned from its word, or when its whole book is read."""
        return any(self.machine.onlooker.shown(channel, sku) is None for channel in {"shop", "amazon"} - self.scene.counters.lacks)

    def _shelves_are_known(self) -> None:
        for sku, units in self.swarm.stock.items():
            known = rows(self.machine.state.connection, "SELECT 1 FROM item WHERE sku = ?", (sku,))
            if not known or (units and self.machine.propagate.shown("shop", sku) is None):
                raise Broken(f"the shelf is known before the doors open: nothing is known of {sku}")

    def _nobody_waits(self) -> None:
        """No order waits for units that are there."""
        state = self.machine.state
        items = dict(rows(state.connection, "SELECT sku, id FROM item"))
        shelves = shelves_of(state, list(items.values()))
        for one in believed(state).values():
            if one.status in ("backordered", "part_shipped") and not one.holds:
                here = served(state, self.fittings.policies[one.system], shelves)
                only = {share.location for share in one.shares} if not self.fittings.shop.split else set()
                idle = [item for item in one.short if any(free(at) and (not only or at.id % LOCATIONS_MAX in only) for at in here[item])]
                if idle:
                    raise Broken(f"nobody waits for units that are there: {one.uid} waits for {idle}")

    def _leaves_from_its_stores(self) -> None:
        """Each order is served from stores that its channel is sold from, and from one of them where nothing is split."""
        names = places(self.machine.state)
        for one in believed(self.machine.state).values():
            here, policy = {names[share.location] for share in one.shares}, self.fittings.policies[one.system]
            apart = len(here) > 1 and not self.fittings.shop.split and "shipped_beyond_allocation" not in one.holds
            if apart or (policy.locations and here - set(policy.locations)):
                raise Broken(f"an order leaves from its stores: {one.uid} is served from {sorted(here)}, {policy.locations} are its own")

    def _overdue(self) -> int:
        sql = "SELECT count(*) FROM reservation WHERE status = 'reserved' AND expires < ?"
        return int(rows(self.machine.state.connection, sql, (self.clock() - 2 * SECOND,))[0][0])

    def _agree(self, prove: bool) -> None:
        """Belief against truth: the twins' own books, and what the channels show."""
        told = blake2b(digest_size=32)
        for row in self.machine.state.connection.execute("SELECT seq, at, kind, entity, body FROM event ORDER BY seq"):
            told.update(repr(row).encode())
        self.log = told.hexdigest()
        products = [Product(sku, sku, self.scene.price[sku], units) for sku, units in self.scene.opened.items()]
        story = Story([], products, "sim", Counter(), [])
        self.figures, cases = compare(
            self.cast, self.scene.counters, story, self.machine.state, self.machine.propagate.shown,
            priced_by=self.fittings.pricing[0], described_by=self.fittings.shop.admission.owners("product", "details")[0],
        )  # fmt: skip
        for room, name in ((room, name) for room, names in MUST_BE_ZERO.items() for name in names):
            if self.figures[room][name] and not self.scene.played[EXCUSES.get(name, "")]:
                raise Broken(f"{room}.{name} is {self.figures[room][name]}: {cases.get(name, [])[:3]}")
        self._nobody_waits()
        self._leaves_from_its_stores()
        self._jobs_are_done()
        self._letters_are_of_effects()
        if self.scene.misread:
            raise Broken(f"what is shown is wrong: {self.scene.misread[0]}")
        if self.scene.counters.failed:
            raise Broken(f"a call was not answered: {self.scene.counters.failed[0]}")
        if prove:
            verdict = verify(self.place / "state.db", self.place / "rebuilt.db", self.fittings.shop)
            if not verdict.identical:
                raise Broken(f"the log does not give the state: {verdict.differences[:3]}")
            if not self.machine.disk and not self.scene.mended:  # nobody can say which batches were kept; or they were read in two ways
                self._batches_do_not_matter()
                if not self.scene.counters.connected_at:  # what came before there was an ERP stays before it
                    self._order_of_arrival_does_not_matter()

    def _jobs_are_done(self) -> None:
        """What people asked for at once was done to its end; and messages that are read again with the same mapping say the same."""
        state = self.machine.state
        for held in queue.jobs(state):
            told = queue.job(state, held["job"])
            assert told is not None
            other = [one for one in told["results"] if one["detail"].startswith("corrected") and held["job"] not in self.scene.mended]
            if held["status"] != "done" or (held["action"] == "replay" and other):
                raise Broken(
                    f"a job does all of it: {held['status']}, {held['done'] + held['unchanged']} of {held['letters']}, {other[:3]}"
                )

    def _letters_are_of_effects(self) -> None:
        """Whatever broke off at its sender has been repaired by now: such a letter stays open for nobody."""
        for letter in queue.wanted(self.machine.state, queue.Wanted()):
            if letter.state.topic != TOPIC:
                raise Broken(f"a repaired letter is closed: {letter.id} is open, {letter.state.code}: {letter.state.why}")

    def _batches_do_not_matter(self) -> None:
        other = State(self.place / "other.db")
        other.connection.pragma("synchronous", "off")
        machine, dice = self.machine, random.Random(self.swarm.seed + 4)
        difference = differs(machine.state, other, machine.taken, lambda state, shop: machine.core(state, None, shop), dice)
        other.close()
        if difference:
            raise Broken(f"other batches give another state: {difference}")

    def _order_of_arrival_does_not_matter(self) -> None:
        stores = State(self.place / "came.db"), State(self.place / "otherwise.db")
        for store in stores:
            store.connection.pragma("synchronous", "off")
        self.arrivals = rearranged(self.machine.taken, self.machine.core, stores, random.Random(self.swarm.seed + 5))
        wrong = [rule for rule, sql in INVARIANTS.items() if rows(stores[1].connection, sql)]
        for store in stores:
            store.close()
        if wrong or self.arrivals.difference:
            raise Broken(f"another order of arrival is not the same: {wrong[0] if wrong else self.arrivals.difference}")


def _stores(fittings: Fittings) -> list[str]:
    """The stores beside the first one that channels are served from."""
    return sorted({name for policy in fittings.policies.values() for name in policy.locations} - {HOME})


def check(machine: Machine) -> None:
    """Every invariant of the store, at every commit."""
    for rule, sql in INVARIANTS.items():
        found = rows(machine.state.connection, sql)
        if found:
            raise Broken(f"{rule}: {found[:3]}")
    if machine.acknowledged > machine.inbox.last:
        raise Broken(f"what is acknowledged is kept: {machine.acknowledged} acknowledged, {machine.inbox.last} kept")


def cast(seed: int) -> Cast:
    """Five twins, each with dice of its own."""

    def dice(part: int) -> random.Random:
        return random.Random(seed * 1_000 + part)

    amazon = AmazonTwin(dice(2), currency=CURRENCY)
    amazon.url = url("amazon")  # its pre-signed addresses lead back to itself
    return Cast(
        shop=ShopifyTwin(dice(1), currency=CURRENCY), amazon=amazon, payments=StripeTwin(dice(3)),
        erp=TrytonTwin(dice(4), currency=CURRENCY), warehouse=ShipStationTwin(dice(5)),
    )  # fmt: skip
