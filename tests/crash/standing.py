"""SIGSTOP of one of the processes that `mainstay up` starts, or of itself, while a shop works; SIGCONT when all its neighbours have given
it up. What came of it outside is compared as after kills."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import aiohttp

from mainstay.app import build
from mainstay.app.alarms import Alarms
from mainstay.app.build import clock
from mainstay.app.snapshots import STALE_S
from mainstay.contract.talk import Reply
from mainstay.contract.twin import Request
from mainstay.edge.api import DECISION_S_MAX
from mainstay.model.times import SECOND
from mainstay.proof.town import DELIVERY_S_MAX
from tests.crash.killing import RATE, History, Killed, staged

ORDERS = 20  # they come as long as somebody stands still
STANDS_S = max(DELIVERY_S_MAX, DECISION_S_MAX, STALE_S) + 2.0  # who delivers, who asks, and who looks whether it lives wait for less
CALL_S = {"shop": 0.3, "amazon": 0.3}  # how long a call takes there
LOOK_S = 1.0
FIRST = 0.2  # part of the orders that come before
BUSY = 5  # deliveries that are acknowledged before it stops
BEGINS_S_MAX = 20.0
IMPATIENT_S = 5.0
IMPATIENT = f"""
import sys

if "up" in sys.orig_argv:
    from mainstay.delivery.http import Http

    right = Http.send

    async def send(self, method, url, query, headers, body, timeout_s):
        return await right(self, method, url, query, headers, body, min(timeout_s, {IMPATIENT_S}))

    Http.send = send
"""  # no bug: its calls are given up after seconds and not after half a minute, so that it need not stand still for longer
NEVER_LOOKS = f"""{IMPATIENT}
    from mainstay.connectors.shopify import effects

    effects._parcel = lambda order, command: None
"""  # what was asked for is not found again
ANOTHER = """
import sys

if "up" in sys.orig_argv:
    from mainstay.edge.record import Recorder

    right, heard = Recorder.record, set()

    def record(self, system, topic, key, body):
        again = topic == "api/reserve" and key in heard
        heard.add(key)
        return right(self, system, topic, key + "-again" if again else key, body)

    Recorder.record = record
"""  # who asks again is taken for another


class Stood(Killed):
    """One performance in which `role`, or "up", stands still for STANDS_S. `told`: what people are told meanwhile."""

    def __init__(self, folder: Path, role: str, bug: str = "") -> None:
        super().__init__(folder, ORDERS, 0, 1, bug=bug)
        self.role, self.still, self.stood_s = role, 0, 0.0
        self.told: set[str] = set()
        self.town.delays = CALL_S
        right = self.cast.shop.answer

        def answer(request: Request, now: int) -> Reply:
            reply = right(request, now)
            if role == "dispatch" and not self.still and b"mutation Fulfil" in request.body:
                self.stop_it()
            return reply

        self.cast.shop.answer = answer  # type: ignore[method-assign]

    def done(self) -> float:
        """Of the time that it stands still; some come before. Who asks while the core does must have waited in vain before it goes on."""
        within_s = STANDS_S - DECISION_S_MAX if self.role == "core" else STANDS_S
        return max(FIRST, min(1.0, self.stood_s / within_s))

    def stop_it(self) -> None:
        assert self.up is not None
        self.still = self.up.pid if self.role == "up" else self.alive()[self.role]
        os.kill(self.still, signal.SIGSTOP)

    async def trouble(self) -> None:
        """Dispatch stops when what it asked for is done, and before it has heard so; others while deliveries come in. While the
        supervisor stands still the core dies."""
        until = clock() + int(BEGINS_S_MAX * SECOND)
        while not self.still:
            assert clock() < until, "it never had anything to do"
            await asyncio.sleep(0.01)
            if self.role != "dispatch" and len(self.acknowledged) >= BUSY:
                self.stop_it()
        began = clock()
        if self.role == "up":  # and what dies meanwhile is not started again before it goes on
            os.kill(self.alive()["core"], signal.SIGKILL)
        try:
            while self.stood_s < STANDS_S:
                await asyncio.sleep(LOOK_S)
                self.told |= {await self.readiness(), *self.causes()}
                self.stood_s = (clock() - began) / SECOND
        finally:
            os.kill(self.still, signal.SIGCONT)

    async def readiness(self) -> str:
        """What the machine answers to whoever looks whether it can work."""
        assert self.play is not None
        try:
            async with self.play.client.get(f"{self.play.base}/ready", timeout=aiohttp.ClientTimeout(total=LOOK_S)) as answer:
                return f"{answer.status}: {(await answer.json())['detail']}" if answer.status != 200 else ""
        except TimeoutError:
            return "no answer"

    def causes(self) -> list[str]:
        """Processes that an alarm is raised about, as far as somebody is there to raise it."""
        house = build.look_into(self.config)
        found = Alarms(self.data, house.landscape, build.duties(house)).look(clock())
        return [one.cause for one in found if one.cause.startswith("process/")]


def stood(folder: Path, role: str, bug: str = "") -> tuple[History, set[str]]:
    """One performance in a new folder, and what people were told while the process stood still; nobody does where there is no role."""
    folder.mkdir()
    stage = Stood(folder, role, bug) if role else Killed(folder, ORDERS, 0, 1)
    stage.town.delays = CALL_S
    history = staged(stage, RATE if role else 10 * RATE)
    return history, stage.told if isinstance(stage, Stood) else set()
