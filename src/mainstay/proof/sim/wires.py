"""The network between Mainstay and the twins: calls and deliveries take a while, and are lost while a line is down."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from urllib.parse import parse_qsl, unquote, urlsplit

from mainstay.contract.talk import Reply
from mainstay.contract.twin import Cut, Post, Request
from mainstay.delivery.connection import Lost, Unsent
from mainstay.model.times import SECOND
from mainstay.twins.imitation import Imitation

LATENCY_S_MAX = 0.2
DOING = (b"mutation Fulfil", b"mutation Cancel", b"shipmentConfirmation", b"/capture", b".create")  # in calls that must not be done twice
Deliver = Callable[[str, Mapping[str, str], bytes], Awaitable[int]]  # (twin, headers, body) -> status; 0 where nobody answers


def url(name: str) -> str:
    """Where a twin answers."""
    return f"http://{name}.sim"


class Wires:
    """Carries calls to the twins, as a `Transport`, and their deliveries to Mainstay. `clock` gives UTC microseconds."""

    def __init__(self, twins: Mapping[str, Imitation], clock: Callable[[], int], dice: random.Random) -> None:
        self.twins, self.clock, self.dice = twins, clock, dice
        self.deliver: Deliver | None = None  # set when Mainstay's door is open
        self.down: set[str] = set()  # twins that cannot be reached
        self.fired: Counter[str] = Counter()
        self._done: asyncio.Future[None] | None = None  # of whoever waits for a call to be done
        self._pumps: dict[str, asyncio.TimerHandle] = {}
        self._posting: set[asyncio.Task[None]] = set()
        self._outside = copy_context()  # a delivery that one of our calls sets off is not ours: it does not die with us

    async def send(
        self, method: str, url: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        target = urlsplit(url)
        name = (target.hostname or "").removesuffix(".sim")
        await self._latency()
        if name in self.down:
            self.fired["unreachable"] += 1
            raise Unsent(f"no connection to {name}")
        asked = {**dict(parse_qsl(target.query, keep_blank_values=True)), **query}
        low = {field.lower(): value for field, value in headers.items()}
        try:
            reply = self.twins[name].answer(Request(method, unquote(target.path), asked, low, body), self.clock())
        except Cut:
            raise Lost(f"no answer from {name}") from None
        finally:
            self.pump(name)
        if self._done is not None and not self._done.done() and any(word in target.path.encode() + body for word in DOING):
            self._done.set_result(None)
        await self._latency()
        if name in self.down:
            self.fired["cut_by_outage"] += 1
            raise Lost(f"no answer from {name}")
        return Reply(reply.status, {field.lower(): value for field, value in reply.headers.items()}, reply.body)

    async def done(self, seconds: float) -> bool:
        """Wait until a call that must not be done twice has been done, and its answer is on its way; False where none comes so soon."""
        self._done = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._done
        except TimeoutError:
            return False
        return True

    async def _latency(self) -> None:
        await asyncio.sleep(self.dice.random() ** 3 * LATENCY_S_MAX)

    def pump(self, name: str) -> None:
        """Make the deliveries of a twin that are due, and come back when the next one is."""
        twin, now = self.twins[name], self.clock()
        if self.deliver is None:
            return
        for post in twin.due(now):
            posting = asyncio.get_running_loop().create_task(self._post(name, post), context=self._outside)
            self._posting.add(posting)
            posting.add_done_callback(self._posting.discard)
        waiting = self._pumps.pop(name, None)
        if waiting is not None:
            waiting.cancel()
        if (due := twin.next_due) is not None:
            self._pumps[name] = asyncio.get_running_loop().call_later(
                max(0.001, (due - now) / SECOND), self.pump, name, context=self._outside
            )

    async def _post(self, name: str, post: Post) -> None:
        await self._latency()
        status = 0
        if name not in self.down and self.deliver is not None:
            status = await self.deliver(name, post.headers, post.body)
        self.twins[name].delivered(post.id, status, self.clock())
        self.pump(name)
