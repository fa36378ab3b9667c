"""The power goes in the middle of writes and syncs: what was acknowledged is there, what was committed is there, and work goes on."""

import random

import pytest

from mainstay.app.simulate import VARIANTS, fittings
from mainstay.proof.disk import Disk
from mainstay.proof.sim import run
from mainstay.proof.sim.mutants import MUTANTS, caught, planted
from mainstay.proof.sim.run import rule
from mainstay.storage.database import STORE_FAILED
from mainstay.storage.inbox import Inbox
from mainstay.storage.state import Batch, State

LANDSCAPES = tuple(VARIANTS)
SCENARIO = "power cuts"
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


def noticed(name):
    return caught(name, swarms(MUTANTS[name].seeds), fittings)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, bug in MUTANTS.items() if bug.power])
def test_every_planted_bug_is_caught(name, request, beside, figure):
    (seeds, why), seconds = beside(request.node, noticed)
    assert seeds, f"{MUTANTS[name].what}: nobody noticed"
    assert MUTANTS[name].by in why
    figure(f"planted bug `{name}`", f"noticed after {seeds} histories: {rule(why)}", f"pytest tests/crash -m slow -k {name}", seconds)


def test_a_failing_seed_is_the_same_when_it_is_played_again():
    with planted("sync-seldom"):
        drawn = next(drawn for drawn in swarms(range(40)) if run.one(drawn, fittings, power=True).broken)
        first, second = (run.one(drawn, fittings, power=True) for _ in range(2))
    assert first == second and first.broken and first.cuts


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
