"""Core and dispatch, one after the other, can open no file and no connection more while a shop works: they go on as far as they can, people
are told, nothing acknowledged is lost, no system is taken to be down, and the effects outside are those that there would have been."""

import asyncio
import resource
import sys
from concurrent.futures import ProcessPoolExecutor

import aiohttp
import pytest
from msgspec.structs import replace

from mainstay.app.build import clock
from mainstay.app.snapshots import STALE_S
from mainstay.model.times import SECOND
from tests.crash.killing import RATE, Killed, staged
from tests.crash.standing import CALL_S, FIRST, ORDERS, stood

ROLES = ("core", "dispatch")  # the edge: test_overload.py
STANDARD = 3  # handles that each process has anyhow: with so many it keeps those that are open, and gets no other
WAIT_S_MAX = STALE_S + 20.0
LOOK_S = 0.5
ENDS = """
import sys

if "up" in sys.orig_argv:
    from mainstay.storage.failing import Failing

    def failed(self, why):
        raise why

    Failing.failed = failed
"""  # who cannot tell how it stands does not try again


class Short(Killed):
    """One performance in which each of ROLES has no handle left, until people have been told and something was delivered meanwhile."""

    def __init__(self, folder, bug=""):
        super().__init__(folder, ORDERS, 0, 1, bug=bug)
        self.looks, self.over = 0, False
        self.town.delays = CALL_S
        for twin in self.town.twins.values():
            twin.answer = self.closing(twin.answer)

    def closing(self, right):
        """Each call is a connection of its own."""

        def answer(request, now):
            reply = right(request, now)
            return replace(reply, headers={**reply.headers, "connection": "close"})

        return answer

    def done(self):
        """Orders come as long as somebody has no handles."""
        return 1.0 if self.over else max(FIRST, min(1.0, self.looks * LOOK_S / (len(ROLES) * STALE_S)))

    async def trouble(self):
        for role in ROLES:
            await self.moment()
            process, known = self.alive()[role], len(self.acknowledged)
            limits = resource.prlimit(process, resource.RLIMIT_NOFILE)
            resource.prlimit(process, resource.RLIMIT_NOFILE, (STANDARD, limits[1]))
            await self.hears(f"503: {role} has not been heard of for {STALE_S:.0f} s", role, process)
            assert len(self.acknowledged) > known
            resource.prlimit(process, resource.RLIMIT_NOFILE, limits)
            await self.hears("200: ", role, process)
        self.over = True

    async def hears(self, told, role, process):
        """Wait until whoever looks whether it can work is told so."""
        ends = clock() + int(WAIT_S_MAX * SECOND)
        while await self.readiness() != told:
            assert self.alive().get(role) == process, f"{role} was started again"
            assert clock() < ends, f"nobody hears {told!r}:\n{self.said()}"
            await asyncio.sleep(LOOK_S)
            self.looks += 1

    async def readiness(self):
        async with self.play.client.get(f"{self.play.base}/ready", timeout=aiohttp.ClientTimeout(total=WAIT_S_MAX)) as answer:
            return f"{answer.status}: {(await answer.json()).get('detail', '')}"


def short(folder, bug=""):
    folder.mkdir()
    return staged(Short(folder, bug), RATE), (folder / "mainstay.log").read_text()


@pytest.fixture(scope="module")
def performances(tmp_path_factory):
    """Side by side, for they mostly wait: one with handles enough, the one without, and one with a bug."""
    folder = tmp_path_factory.mktemp("handles")
    with ProcessPoolExecutor(3) as pool:
        calm, without = pool.submit(stood, folder / "calm", ""), pool.submit(short, folder / "short")
        yield calm, without, pool.submit(short, folder / "ends", ENDS)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="sets the limit of another process")
def test_who_has_no_handles_left_goes_on_and_nothing_is_lost(performances, figure):
    (calm, _), (history, log) = performances[0].result(), performances[1].result()
    assert history.lost == [] and history.fine, history.report
    assert history.once == calm.once and history.last == calm.last
    for doing in ("tell how it stands", "the upkeep of dispatch"):
        assert f'"doing": "{doing}", "why": "OSError: [Errno 24] Too many open files' in log
        assert f'"doing": "{doing}", "event": "store_works_again"' in log
    assert "cannot be worked with" not in log and "Traceback" not in log
    told = f"core, then dispatch: both went on; all {calm.once.total():,} effects as without"
    figure("no file handles left", told, "pytest tests/crash/test_handles.py -m slow", history.seconds)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="sets the limit of another process")
def test_who_ends_for_want_of_a_handle_is_noticed(performances):
    with pytest.raises(AssertionError, match="core was started again"):
        performances[2].result()
