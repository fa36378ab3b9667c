"""The power goes in the middle of writes and syncs: what was acknowledged is there, what was committed is there, and work goes on."""

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from mainstay.app.simulate import VARIANTS, fittings
from mainstay.connectors.tryton import booking
from mainstay.proof.disk import Disk
from mainstay.proof.sim import run
from mainstay.proof.sim.acts import Act, Swarm
from mainstay.proof.sim.mutants import MUTANTS, caught, planted
from mainstay.proof.sim.run import rule
from mainstay.proof.sim.story import play
from mainstay.proof.sim.trouble import CUTS_MAX, DARK_S_MAX, Blackouts, NoTrouble
from mainstay.storage import database
from mainstay.storage.database import STORE_FAILED
from mainstay.storage.inbox import Inbox
from mainstay.storage.state import Batch, State
from tests.crash.effects import effects, unlike

LANDSCAPES = tuple(VARIANTS)
SCENARIO = "power cuts"
START = 30  # operations of the disk in which Mainstay starts, at the least
DEEP = 4  # times in a row that the power goes again before it may start
CALM_ACTS = (  # whose choice of an order does not hang on what had left by then
    "shop buys", "amazon buys", "webshop buys", "shop buys", "till sells", "amazon buys", "gift card pays", "warehouse packs", "count",
    "price changes", "bundle", "shop buys", "warehouse packs", "buys abroad",
)  # fmt: skip
CALM = Swarm(  # nobody's calls fail, and there are units enough: what is done to others hangs on nothing but the acts
    1, "as in the demo", {twin: {} for twin in run.TWINS}, {"SKU-0": 40, "SKU-1": 40, "SKU-2": 30}, 16,
    tuple(Act(1 + 3 * number, kind, number) for number, kind in enumerate(CALM_ACTS)),
)  # fmt: skip
CREATION = 60  # operations of the disk in which both files are made, and some rows written


def swarms(seeds):
    return (run.swarm(seed, LANDSCAPES, SCENARIO) for seed in seeds)


def test_a_hundred_cuts_lose_nothing_and_the_books_agree_at_the_end():
    endings = [run.one(drawn, fittings, power=True) for drawn in swarms(range(9))]
    assert {one.seed: one.broken for one in endings if one.broken} == {}
    assert sum(one.cuts for one in endings) >= 100


@pytest.mark.slow
def test_a_thousand_cuts_lose_nothing(figure):
    """On two processes. At each: acknowledged receipts, committed positions, invariants, SQLite's own check;
    at the end of each history: everybody's books, and the state rebuilt from the log."""
    found = run.report(run.many(range(80), LANDSCAPES, fittings, SCENARIO, power=True), lambda _ending: None)
    assert found["failed"] == {} and found["power_cuts"] >= 1_000
    told = f"{found['power_cuts']:,} in {found['seeds']} histories; nothing acknowledged was lost, everybody's books agree"
    figure("power cuts", told, 'mainstay sim --seeds 80 --power --scenario "power cuts"')


class RightAfter(Blackouts):
    """The power goes in the first operation of the disk after the ERP did something, before that is kept: it knows no idempotency keys."""

    async def _run(self):
        made = self.machine.wires.twins["erp"].effects
        for _ in range(CUTS_MAX):
            self._gone.clear()
            known = len(made)
            while len(made) == known:
                await asyncio.sleep(0.01)
            self.disk.cut_at = self.disk.operations + 1
            await self._gone.wait()
            await self.light()


def done(luck, kind=Blackouts):
    """What was done to the outside systems in the calm history, in which the power went now and then; what broke, and how often it went."""
    made = []

    def trouble(machine, disk, _dice):
        made.append(machine)
        return kind(machine, disk, random.Random(luck))

    run.silence()
    with tempfile.TemporaryDirectory(dir=run.memory()) as folder, Disk(Path(folder), random.Random(luck)) as disk:
        ending = play(CALM, fittings(CALM.landscape), Path(folder), disk=disk, trouble=trouble)
    return effects(made[0].wires.twins), ending.broken, ending.cuts


@pytest.mark.proof
def test_what_is_done_to_others_is_what_would_have_been_done_without_cuts(figure):
    calm, broken, _ = done(0, NoTrouble)
    assert broken == "" and len(calm[0]) >= 40
    with ProcessPoolExecutor(2) as pool:
        played = list(pool.map(done, [*range(6), *range(6)], [Blackouts] * 6 + [RightAfter] * 6))
    assert [unlike(calm, effects) or broken for effects, broken, _ in played] == [""] * len(played)
    cuts = sum(cuts for *_, cuts in played)
    assert cuts >= 90
    told = f"{cuts} in {len(played)} histories of the same acts: all {calm[0].total()} effects as without"
    figure("power cuts, and effects", told, "pytest tests/crash/test_power.py -m proof")


def test_an_effect_that_is_not_made_is_noticed():
    """With a bug that ends no history early: each is played to its end, and what is missing was not made."""
    calm, *_ = done(0, NoTrouble)
    with planted("done-before"):
        played = [done(luck) for luck in range(6)]
    assert all("come to rest" in broken for _, broken, _ in played if broken)
    assert any("not made" in unlike(calm, effects) for effects, *_ in played)


def test_an_effect_that_is_made_once_more_is_noticed(monkeypatch):
    """The bug: a sale is booked without a look whether it is there already."""
    calm, *_ = done(0, NoTrouble)
    right = booking._found

    def found(rpc, names):
        return {} if isinstance(names, Mapping) else (yield from right(rpc, names))

    monkeypatch.setattr(booking, "_found", found)
    assert done(0, NoTrouble)[0] == calm, "nobody would notice it while all is well"
    assert any("once more" in unlike(calm, done(luck, RightAfter)[0]) for luck in range(6))


def noticed(name):
    return caught(name, swarms(MUTANTS[name].seeds), fittings)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, bug in MUTANTS.items() if bug.power])
def test_every_planted_bug_is_caught(name, request, beside, figure):
    (seeds, why), seconds = beside(request.node, noticed)
    assert seeds, f"{MUTANTS[name].what}: nobody noticed"
    assert MUTANTS[name].is_named(why), why
    figure(f"planted bug `{name}`", f"noticed in history {seeds}: {rule(why)}", f"pytest tests/crash -m slow -k {name}", seconds)


def test_a_failing_seed_is_the_same_when_it_is_played_again():
    with planted("sync-seldom"):
        drawn = next(drawn for drawn in swarms(range(40)) if run.one(drawn, fittings, power=True).broken)
        first, second = (run.one(drawn, fittings, power=True) for _ in range(2))
    assert first == second and first.broken and first.cuts


# --- again, while it starts --------------------------------------------------------------------------------------------
class Relapses(Blackouts):
    """Each cut is followed by up to DEEP others while Mainstay starts: in its first operation, then in its second, until it starts in
    fewer; then in its first again. `depths`: how often the power went so many times before a start; `points`: operations that it went
    in."""

    def __init__(self, *of):
        super().__init__(*of)
        self.depths, self.points = Counter(), Counter()
        self.point = self.dice.randrange(START)

    async def light(self):
        await asyncio.sleep(self.dice.random() * DARK_S_MAX)
        deep = 1 + self.dice.randrange(DEEP)
        for _ in range(deep):
            await self.relapse()
        self.disk.light()
        self.start()
        self.depths[deep] += 1

    async def relapse(self):
        self.disk.light()
        self.point += 1
        self.disk.cut_at = self.disk.operations + self.point
        try:
            self.machine.start()
            self.point = 0
            self.disk.cut()
        except STORE_FAILED:
            self.points[self.point] += 1
        self.machine.crash()
        await asyncio.sleep(0)


def relapsed(seeds):
    """What broke in these histories, by seed; and how deep the power went, and where."""
    run.silence()
    broken, depths, points = {}, Counter(), Counter()
    for drawn in swarms(seeds):
        made = []

        def relapsing(*of):
            made.append(Relapses(*of))  # noqa: B023
            return made[0]  # noqa: B023

        with tempfile.TemporaryDirectory(dir=run.memory()) as folder, Disk(Path(folder), random.Random(drawn.seed)) as disk:
            ending = play(drawn, fittings(drawn.landscape), Path(folder), prove=True, read=False, disk=disk, trouble=relapsing)
        broken |= {drawn.seed: ending.broken} if ending.broken else {}
        depths += made[0].depths
        points += made[0].points
    return broken, depths, points


def test_the_power_may_go_again_while_it_starts():
    broken, depths, points = relapsed(range(4))
    assert broken == {} and depths[DEEP] >= 5, depths
    assert set(points) >= set(range(START)), points


def test_a_start_that_empties_the_log_before_the_file_is_safe_is_noticed(monkeypatch):
    right = database._renew

    def carelessly(connection):
        connection.pragma("synchronous", "off")
        right(connection)
        connection.pragma("synchronous", "full")

    monkeypatch.setattr(database, "_renew", carelessly)
    assert any(relapsed([seed])[0] for seed in range(10))


def work(folder, batches):
    """Make both files, or open them, and write; says after each step what is safe now."""
    state, inbox = State(folder / "state.db"), None
    try:
        inbox = Inbox(folder / "inbox.db")
        for _ in range(batches):
            seq = inbox.add([(1, "shop", "orders", "e", b"x" * 700)] * 3)
            batch = Batch()
            batch.counters = {"position/inbox": seq}
            yield "inbox", seq
            state.write(batch)
            yield "state", seq
    finally:
        for store in (state, inbox):
            try:
                if store is not None:
                    store.close()
            except STORE_FAILED:
                pass


@pytest.mark.parametrize("dice", range(4))
def test_the_power_may_go_while_the_files_are_made(tmp_path, dice):
    """At every operation of the disk: the next start makes what is missing."""
    for cut_at in range(1, CREATION):
        folder = tmp_path / str(cut_at)
        folder.mkdir()
        safe = {"inbox": 0, "state": 0}
        with Disk(folder, random.Random(cut_at * 10 + dice)) as disk:
            disk.cut_at = cut_at
            with pytest.raises(STORE_FAILED):
                for name, seq in work(folder, 50):
                    safe[name] = seq
            disk.light()
            assert disk.cuts == 1
        assert list(work(folder, 2))[-1][1] >= safe["inbox"] + 6
        state = State(folder / "state.db")
        assert state.counters()["position/inbox"] >= safe["state"]
        state.close()
