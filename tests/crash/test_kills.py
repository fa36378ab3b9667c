"""kill -9 of edge, core, dispatch and all of `mainstay up`, again and again while a shop works: nothing acknowledged is lost, and every
effect outside is the one that it would have been without."""

from collections import Counter

import pytest

from tests.crash.killing import HISTORIES, KILLS, ROLES


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
    took = max(one.seconds for one in killed)
    figure("kill -9", f"{told}; all {calm.once.total():,} effects as without", "pytest tests/crash/test_kills.py -m slow", took)


@pytest.mark.slow
def test_a_door_that_answers_before_it_commits_is_noticed(performances):
    assert performances[2].result().lost
