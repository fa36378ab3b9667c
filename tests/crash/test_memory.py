"""A limit of memory that edge, core and dispatch reach, one after the other, while a shop works: each ends and is started again, nothing
acknowledged is lost, and every effect outside is the one that it would have been without."""

import asyncio
import resource
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest

from mainstay.app.build import clock
from mainstay.model.times import SECOND
from tests.crash.killing import RATE, ROLES, Killed, staged
from tests.crash.standing import CALL_S, ORDERS, stood

ENDS_S_MAX = 10.0  # so long after its limit is reached there is another
HELD_ON = """
import sys

if "up" in sys.orig_argv:
    from mainstay.app import upkeep

    upkeep.end = lambda: None
"""  # who has no memory left goes on without


class Starved(Killed):
    """One performance in which each of `roles` may not have a byte more than it has just then."""

    def __init__(self, folder, bug="", roles=ROLES):
        super().__init__(folder, ORDERS, len(roles), 1, bug=bug)
        self.roles = roles
        self.town.delays = CALL_S

    def done(self):
        return min(1.0, (1 + self.kills.total()) / len(self.roles))

    async def trouble(self):
        for role in self.roles:
            await self.moment()
            process = self.alive()[role]
            with open(f"/proc/{process}/statm") as told:
                pages = int(told.read().split()[0])
            resource.prlimit(process, resource.RLIMIT_AS, (pages * resource.getpagesize(), resource.RLIM_INFINITY))
            until = clock() + int(ENDS_S_MAX * SECOND)
            while self.alive().get(role, process) == process:
                assert clock() < until, f"{role} goes on without memory"
                await asyncio.sleep(0.05)
            self.kills[role] += 1


def starved(folder, *more):
    folder.mkdir()
    return staged(Starved(folder, *more), RATE)


@pytest.fixture(scope="module")
def performances(tmp_path_factory):
    """Side by side, for they mostly wait: one with memory enough, the one without, and one with a bug."""
    folder = tmp_path_factory.mktemp("memory")
    with ProcessPoolExecutor(3) as pool:
        calm, short = pool.submit(stood, folder / "calm", ""), pool.submit(starved, folder / "short")
        yield calm, short, pool.submit(starved, folder / "held-on", HELD_ON, ("edge",))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="sets the limit of another process")
def test_who_reaches_its_limit_of_memory_ends_and_nothing_is_lost(performances, figure):
    (calm, _), short = performances[0].result(), performances[1].result()
    assert short.kills == dict.fromkeys(ROLES, 1)
    assert short.lost == [] and short.fine, short.report
    assert short.once == calm.once and short.last == calm.last
    told = f"each of {', '.join(ROLES)} once: nothing lost, all {calm.once.total():,} effects as without"
    figure("no memory left", told, "pytest tests/crash/test_memory.py -m slow", short.seconds)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="sets the limit of another process")
def test_who_goes_on_without_memory_is_noticed(performances):
    """It would answer its senders with one failure after the other, for ever."""
    with pytest.raises(AssertionError, match="edge goes on without memory"):
        performances[2].result()
