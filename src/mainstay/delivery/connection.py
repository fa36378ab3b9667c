"""One system's connection: holds conversations for it, within its budgets, with its session, behind its breaker."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeVar

import msgspec
from msgspec import Struct, field

from mainstay.contract.address import target
from mainstay.contract.connector import Connector, Session
from mainstay.contract.talk import LINGERS_S, Call, Reply, Talk, lost
from mainstay.delivery.budgets import Budgets, Floor
from mainstay.delivery.outcomes import Outcomes
from mainstay.delivery.retry import BREAKER_FAILURES, Breaker
from mainstay.model.failures import Failure, Halt, Retry, Unknown
from mainstay.model.times import SECOND
from mainstay.storage.database import STORE_FAILED

T = TypeVar("T")
CONCURRENT = 8  # calls in flight to one system, unless its budgets say less
SESSION_MARGIN = 0.9
EFFORTS_MAX = 100  # conversations of a kind of which the mean is taken
_floors = msgspec.json.Decoder(dict[str, Floor])


class Lost(Exception):
    """No answer came: time-out, or the connection broke after the request left."""


class Unsent(Exception):
    """The request surely did not reach the other side: no connection could be made."""

    theirs = True  # it says something of the other side


class Unable(Unsent):
    """Nor can anybody else be reached: it is this machine that cannot make connections."""

    theirs = False


class Transport(Protocol):
    """Sends one request over the wire; raises Lost, Unsent or Unable."""

    async def send(
        self, method: str, url: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply: ...


class Effort(Struct):
    """What conversations of one kind took: units of each budget, and seconds on the wire."""

    conversations: float = 0
    units: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def take(self, units: Mapping[str, float], seconds: float) -> None:
        for name, some in units.items():
            self.units[name] = self.units.get(name, 0.0) + some
        self.seconds += seconds

    def times(self, factor: float) -> Effort:
        return Effort(self.conversations * factor, {name: units * factor for name, units in self.units.items()}, self.seconds * factor)

    def and_one(self, other: Effort) -> Effort:
        """With one more. Of many the older ones count less."""
        both = self.times(0.5 if self.conversations >= EFFORTS_MAX else 1)
        both.conversations += 1
        both.take(other.units, other.seconds)
        return both


class Connection:
    """Performs the calls of one system. `outcomes` remembers what its budgets hold; `clock` gives UTC microseconds."""

    def __init__(
        self, name: str, connector: Connector, transport: Transport, outcomes: Outcomes, clock: Callable[[], int], scale: float = 1.0
    ) -> None:
        self.name, self.connector, self.transport, self.outcomes, self.clock = name, connector, transport, outcomes, clock
        self.budgets = Budgets(connector.manifest.budgets, clock(), scale, _floors.decode(outcomes.mark(f"budgets/{name}") or "{}"))
        self.breaker = Breaker()
        self.calls: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.efforts: dict[str, Effort] = {}  # kind of conversation -> what those took that went well
        self._starved_us = 0  # time in which at least one call waited for the vendor's rate budget
        self._starving = 0
        self._starved_at = 0
        self._room = asyncio.Semaphore(self.budgets.concurrent or CONCURRENT)
        self._session: Session | None = None
        self._session_ends = 0
        self._login = asyncio.Lock()

    async def hold(self, talk: Talk[T], *, on_first: Callable[[], None] | None = None, kind: str = "") -> T:
        """Hold a conversation to its end. `on_first` is told when its first call is permitted; what it takes is noted under its kind."""
        tell, effort = on_first, Effort()

        async def perform(call: Call) -> Reply:
            nonlocal tell
            reply = await self._perform(call, tell, effort)
            tell = None
            return reply

        try:
            result = await _converse(talk, perform)
        except MemoryError:  # the machine's fault, not the message's; and nobody knows how far it came
            unknown = Unknown(f"{kind or 'a conversation'} with {self.name} broke off: no memory is left")
            unknown.lingers_s = LINGERS_S
            raise unknown from None
        self.efforts[kind] = self.efforts.get(kind, Effort()).and_one(effort)
        return result

    async def _perform(self, call: Call, on_first: Callable[[], None] | None, effort: Effort) -> Reply:
        if pause := self.breaker.wait(self.clock()):
            raise Retry(f"{self.name} pauses after {self.breaker.failures} failures: {self.breaker.reason}", pause / SECOND, "breaker_open")
        if call.after_s:
            await asyncio.sleep(call.after_s / self.budgets.scale)
        await self._within_budget(call)  # before taking a place: an operation that has to wait does not keep others out
        async with self._room:
            session = await self._session_for(call)
            if on_first is not None:
                on_first()
            began = self.clock()
            try:
                reply = await self._send(call, session)
                effort.take(self.budgets.takes(call), (self.clock() - began) / SECOND)
                return reply
            except Halt:
                if session is None:
                    raise
                self._session = None  # it may have ended early: log in once more before a person is called
        await self._within_budget(call)
        async with self._room:
            return await self._send(call, await self._session_for(call))

    async def _send(self, call: Call, session: Session | None) -> Reply:
        now = self.clock()
        url, ours = target(call, self.connector, self.name)
        headers = {**call.headers, **(self.connector.headers(call, url, session, now) if ours else {})}
        self.calls[call.operation] += 1
        try:
            reply = await self.transport.send(call.method, url, call.query, headers, call.body, call.timeout_s)
        except Unsent as unsent:
            if unsent.theirs:
                self._failed(f"{call.operation}: {unsent}")
            raise Retry(f"{call.operation}: {unsent}") from None
        except Lost as gone:
            self._failed(f"{call.operation}: {gone}")
            raise lost(call, str(gone)) from None
        self.budgets.learn(self.connector.measured(call, reply), self.clock())
        try:
            judged = self.connector.judge(call, reply)
        except Failure as failure:
            self._judge_failure(call, failure)
            raise
        self.breaker.succeeded()
        return judged

    def _judge_failure(self, call: Call, failure: Failure) -> None:
        self.failures[failure.code] += 1
        if failure.code == "rate_limited":
            self.budgets.empty(call, self.clock())
        elif isinstance(failure, Halt):
            self.breaker.halt(self.clock(), failure.why)
        elif isinstance(failure, Retry):
            self._failed(failure.why)
        else:
            self.breaker.succeeded()  # it answered: the system is up

    def _failed(self, why: str) -> None:
        self.failures["try_again"] += 1
        self.breaker.failed(self.clock(), why)

    async def _within_budget(self, call: Call) -> None:
        wait = self.budgets.wait(call, self.clock())
        if wait:
            await self._starve(call, wait)
        if self.budgets.lowered(self.clock()):
            try:
                self.outcomes.remember(f"budgets/{self.name}", msgspec.json.encode(self.budgets.floors).decode())
                self.outcomes.flush()
            except STORE_FAILED as failed:
                raise Retry(f"{call.operation}: what it spends cannot be written down: {failed}") from None

    async def _starve(self, call: Call, wait: int) -> None:
        """Wait for the vendor's rate budget, `wait` microseconds at first."""
        if not self._starving:
            self._starved_at = self.clock()
        self._starving += 1
        try:
            while wait:
                await asyncio.sleep(wait / SECOND)
                wait = self.budgets.wait(call, self.clock())
        finally:
            self._starving -= 1
            if not self._starving:
                self._starved_us += self.clock() - self._starved_at

    @property
    def starved_us(self) -> int:
        """Microseconds so far in which calls were held back by the vendor's rate budget, not by us."""
        return self._starved_us + (self.clock() - self._starved_at if self._starving else 0)

    def after(self, seconds: float) -> int:
        """The moment after so many of the vendor's seconds, in UTC microseconds."""
        return self.clock() + int(seconds / self.budgets.scale * SECOND)

    async def _session_for(self, call: Call) -> Session | None:
        if self._session is not None and self.clock() < self._session_ends:
            return self._session
        async with self._login:
            if self._session is not None and self.clock() < self._session_ends:
                return self._session
            talk = self.connector.login()
            if talk is None:
                return None
            self._session = await _converse(talk, lambda call: self._send(call, None))
            self._session_ends = self.clock() + int(self._session.expires_in_s * SESSION_MARGIN * SECOND)
            return self._session

    @property
    def healthy(self) -> bool:
        return self.breaker.failures < BREAKER_FAILURES


async def _converse(talk: Talk[T], perform: Callable[[Call], Awaitable[Reply]]) -> T:
    """The shell of a conversation: what it asks is performed, and what comes of it, a reply or a failure, is handed back."""
    try:
        call = next(talk)
        while True:
            try:
                reply = await perform(call)
            except Failure as failure:
                call = talk.throw(failure)
            else:
                call = talk.send(reply)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    finally:
        talk.close()
