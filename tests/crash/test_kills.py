"""kill -9 of edge, core, dispatch and all of `mainstay up`, again and again while a shop works: nothing acknowledged is lost, and every
effect outside is the one that it would have been without."""

import asyncio
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.crash.killing import ROLES, TOLD_FIRST, Killed

ORDERS, KILLS, RATE = 140, 100, 600.0  # at the most so many orders a minute: they come as long as somebody is killed
HISTORIES = 2  # of the same orders
FEW = (120, 60)


def played(folder, orders, kills, luck=1, bug=""):
    """One performance in a new folder."""

    async def perform():
        folder.mkdir()
        stage = Killed(folder, orders, kills, 1, luck, bug)
        try:
            return await stage.history(RATE if kills else 10 * RATE)
        finally:
            await stage.strike()

    return asyncio.run(perform())


@pytest.fixture(scope="module")
def performances(tmp_path_factory):
    """Side by side, for each of them mostly waits: one in which nobody is killed, those with kills, and one with a broken door."""
    folder = tmp_path_factory.mktemp("kills")
    with ProcessPoolExecutor(HISTORIES + 2) as pool:
        broken = pool.submit(played, folder / "broken", *FEW, bug=TOLD_FIRST)
        calm = pool.submit(played, folder / "calm", ORDERS, 0)
        killed = [pool.submit(played, folder / f"killed-{luck}", ORDERS, KILLS, luck) for luck in range(HISTORIES)]
        yield calm, killed, broken


@pytest.mark.slow
def test_two_hundred_kills_change_nothing(performances, figure):
    """Each history is compared with the one in which nobody was killed."""
    calm, killed = performances[0].result(), [one.result() for one in performances[1]]
    assert calm.fine and calm.lost == []
    kills = sum((one.kills for one in killed), Counter())
    assert kills.total() >= HISTORIES * KILLS and all(kills[role] >= HISTORIES * KILLS / 20 for role in ("up", *ROLES))
    for one in killed:
        assert one.lost == []
        assert one.fine, one.report
        assert one.once == calm.once and one.last == calm.last
    acknowledged = sum(one.acknowledged for one in killed)
    told = f"{kills.total()} processes at {sum(one.moments for one in killed)} moments; {acknowledged:,} deliveries acknowledged, none lost"
    figure("kill -9", f"{told}; all {calm.once.total():,} effects as without", "pytest tests/crash/test_kills.py -m slow")


@pytest.mark.slow
def test_a_door_that_answers_before_it_commits_is_noticed(performances):
    assert performances[2].result().lost
