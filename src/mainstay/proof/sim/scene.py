"""What those who act share: the twins, the books of the channels that ask first, and Mainstay's doors."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from mainstay.proof.play import Cast, Counters
from mainstay.proof.sim.acts import PRICES
from mainstay.proof.sim.machine import Machine
from mainstay.proof.sim.wires import Wires

RATES = {"EUR": Decimal("0.16"), "JPY": Decimal("27.3"), "KWD": Decimal("0.0551")}  # what one unit of the shop's currency is in them
TRIES_MAX = 12


class Scene:
    """The twins, the wires and the machine of one history; what is noted of what was played on them."""

    def __init__(self, cast: Cast, wires: Wires, clock: Callable[[], int], skus: tuple[str, ...], machine: Callable[[], Machine]) -> None:
        self.cast, self.wires, self.clock, self.skus, self.machine = cast, wires, clock, skus, machine
        self.counters = Counters()
        self.played: Counter[str] = Counter()
        self.retried: Counter[str] = Counter()
        self.held: Counter[str] = Counter()  # targets that somebody holds back just now
        self.apart = ""  # the system that is not connected yet
        self.connect: Callable[[], bool] | None = None  # connects it; False where that must wait
        self.telling = 0  # what the till tells of the shelf just now
        self.put_off: set[str] = set()  # releases of which the warehouse sends no more for now
        self.jobs: dict[int, str] = {}  # that were begun, by number: what they do
        self.misreading = ""  # how Mainstay reads something wrongly just now
        self.mended: set[int] = set()  # jobs that read again what was read wrongly
        self.misread: list[str] = []  # what operators were shown otherwise than it is
        self.wronged: list[str] = []  # people who lost, or kept, what they should not have
        self._numbers = 0
        self.price = dict(zip(skus, PRICES, strict=False))
        self.opened: dict[str, int] = {}  # what is sold, with what was there of it when it began

    @property
    def booking(self) -> bool:
        """Is there an ERP, in which people book what comes to the shelf and goes?"""
        return self.apart != "erp" and "erp" not in self.counters.lacks

    async def call(self, who: str, path: str, body: object, key: str = "") -> tuple[int, Any]:
        """Repeated under its key until it is answered, as a till does."""
        for attempt in range(TRIES_MAX):
            status, answer = await self.machine().ask(who, "POST", path, body, key)
            if status not in (0, 500, 502, 503, 504):
                return status, answer
            await asyncio.sleep(min(60.0, 0.5 * 2**attempt))
        return 0, {}

    async def shown(self, path: str) -> tuple[int, Any]:
        return await self.machine().ask("operator", "GET", path, {})

    async def look(self, looking: Awaitable[str]) -> None:
        """Note what is shown otherwise than it is."""
        if wrong := await looking:
            self.misread.append(wrong)

    def name(self) -> str:
        """Of a sale, never given before."""
        self._numbers += 1
        return f"sale-{self._numbers}"


Performance = Callable[[Scene, random.Random], Any]  # of an act; False, or an awaitable of it, where it could not happen
