"""What all twins share: faults drawn by dice, vendor limits scaled by a time factor, deliveries that repeat, delay and reorder.

A twin subclasses Imitation and writes `handle` (the vendor's API over its own books), `throttled`, `broken`, and its delivery headers.
Everything that goes wrong is counted in `fired`, so that a run can prove that each fault really happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

import msgspec
from msgspec import Struct

from mainstay.contract.connector import Budget
from mainstay.contract.talk import Reply
from mainstay.contract.twin import Cut, Post, Request
from mainstay.model.times import SECOND

REQUEST_FAULTS = ("throttled", "error_before", "error_after", "cut_before", "cut_after", "lingering", "partial")
DELIVERY_FAULTS = ("duplicate", "late", "reordered", "lost", "unsubscribed", "garbled")
FAULTS = REQUEST_FAULTS + DELIVERY_FAULTS
LATE_S_MAX = 20.0
LINGERS_S_MAX = 50.0  # a request whose caller has given up is carried out within this time


class Dice(Protocol):
    """Chance, handed in: random.Random fits."""

    def random(self) -> float: ...
    def randrange(self, start: int, stop: int, /) -> int: ...


class Weather(Struct, frozen=True):
    """How often each fault happens: probability per request or per delivery. `partial` is per item of a bulk call."""

    rates: Mapping[str, float] = {}

    def __post_init__(self) -> None:
        unknown = sorted(set(self.rates) - set(FAULTS))
        assert not unknown, f"no such fault: {unknown}; known: {FAULTS}"


class _Waiting(Struct):
    due: int
    order: int
    post: Post
    tries: int = 0


class Imitation:
    """Base of the twins. `time_factor` 60 means that a vendor's minute passes in a second: limits scale, nothing else."""

    name: ClassVar[str] = ""
    budgets: ClassVar[tuple[Budget, ...]] = ()
    RETRIES_S: ClassVar[Sequence[float]] = (1, 5, 30)  # pauses before each further try of a delivery; afterwards it is given up

    def __init__(self, dice: Dice, weather: Weather | None = None, time_factor: float = 1.0) -> None:
        self.dice, self.weather, self.time_factor = dice, weather or Weather(), time_factor
        self.fired: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.subscribed = True
        self.given_up: list[Post] = []
        self.meant: dict[bytes, bytes] = {}  # what broke off -> the whole of it
        self._levels: dict[str, tuple[float, int]] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._lingering: list[tuple[int, Request]] = []  # (when it will be carried out, what nobody waits for any more)
        self._posts = 0

    # --- requests ----------------------------------------------------------------------------------------------------
    def answer(self, request: Request, now: int) -> Reply:
        self._catch_up(now)
        if self._strikes("throttled"):
            return self.throttled(request, 1.0 / self.time_factor)
        if self._strikes("error_before"):
            return self.broken(request)
        if self._strikes("cut_before"):
            raise Cut
        if request.method != "GET" and self._strikes("lingering"):
            self._lingering.append((now + int(self.dice.random() * LINGERS_S_MAX / self.time_factor * SECOND), request))
            raise Cut
        reply = self.handle(request, now)
        if reply.status < 400 and request.method != "GET":
            if self._strikes("error_after"):
                return self.broken(request)
            if self._strikes("cut_after"):
                raise Cut
        return reply

    def _catch_up(self, now: int) -> None:
        """Carry out what its caller has given up on, and tell nobody."""
        due = sorted((one for one in self._lingering if one[0] <= now), key=lambda one: one[0])
        self._lingering = [one for one in self._lingering if one[0] > now]
        for _, request in due:
            self.handle(request, now)

    def handle(self, request: Request, now: int) -> Reply:
        """Answer from the books. Calls `limit` with the operation first."""
        raise NotImplementedError

    def throttled(self, request: Request, after_s: float) -> Reply:
        """The vendor's answer to a caller over its limit."""
        raise NotImplementedError

    def broken(self, request: Request) -> Reply:
        """The vendor's answer when it fails."""
        return Reply(503, {}, b"Service Unavailable")

    def limit(self, request: Request, operation: str, now: int, cost: float = 1.0) -> Reply | None:
        """Take `cost` from every budget that covers the operation; the vendor's refusal where one is empty."""
        self.calls[operation] += 1
        for budget in self.budgets:
            if budget.kind == "concurrency" or not ({"*", operation} & set(budget.operations)):
                continue
            flow = budget.per_s * self.time_factor
            level, then = self._levels.get(budget.name, (budget.capacity, now))
            level = min(budget.capacity, level + max(0, now - then) / SECOND * flow)
            if level < cost:
                self._levels[budget.name] = (level, now)
                self.fired["limit"] += 1
                return self.throttled(request, (cost - level) / flow if flow else 1.0)
            self._levels[budget.name] = (level - cost, now)
        return None

    def available(self, budget: str) -> float:
        """Units left in a budget after the last call."""
        return self._levels.get(budget, (next(one.capacity for one in self.budgets if one.name == budget), 0))[0]

    # --- deliveries --------------------------------------------------------------------------------------------------
    def told(self, body: bytes) -> bytes:
        """What the vendor's own program makes of a message before it is signed: chance may break it off in the middle."""
        if not self._strikes("garbled"):
            return body
        half = len(body) // 2
        broken = next(one for end in range(half, len(body)) if self.meant.get(one := body[:end], body) == body)  # unlike any other
        self.meant[broken] = body
        return broken

    def post(self, headers: Mapping[str, str], body: bytes, now: int) -> None:
        """Queue one delivery; chance may drop, double, delay or reorder it."""
        if not self.subscribed or self._strikes("lost"):
            return
        if self._strikes("unsubscribed"):
            self.subscribed = False
            return
        copies = 2 if self._strikes("duplicate") else 1
        for _ in range(copies):
            self._posts += 1
            due = now
            if self._strikes("late"):
                due += int(self.dice.random() * LATE_S_MAX / self.time_factor * SECOND)
            elif self._strikes("reordered"):
                due += int(self.dice.random() * 2 / self.time_factor * SECOND)
            post = Post(f"{self.name}-{self._posts}", headers, body)
            self._waiting[post.id] = _Waiting(due, self._posts, post)

    def due(self, now: int) -> list[Post]:
        self._catch_up(now)
        ready = sorted((one for one in self._waiting.values() if one.due <= now), key=lambda one: (one.due, one.order))
        for one in ready:  # not offered again until its answer is in or it times out
            one.due = now + 3600 * SECOND
        return [one.post for one in ready]

    def delivered(self, post: str, status: int, now: int) -> None:
        waiting = self._waiting.get(post)
        if waiting is None:
            return
        if 200 <= status < 300:
            del self._waiting[post]
        elif waiting.tries >= len(self.RETRIES_S):
            self.given_up.append(self._waiting.pop(post).post)
        else:
            waiting.due = now + int(self.RETRIES_S[waiting.tries] / self.time_factor * SECOND)
            waiting.tries += 1

    @property
    def undelivered(self) -> int:
        return len(self._waiting) + len(self._lingering)

    @property
    def next_due(self) -> int | None:
        """When the next delivery is to leave, or something is carried out late, in UTC microseconds; None where nothing waits."""
        return min((*(one.due for one in self._waiting.values()), *(due for due, _ in self._lingering)), default=None)

    # --- chance ------------------------------------------------------------------------------------------------------
    def _strikes(self, fault: str) -> bool:
        rate = self.weather.rates.get(fault, 0.0)
        if rate and self.dice.random() < rate:
            self.fired[fault] += 1
            return True
        return False

    def fails_partly(self) -> bool:
        """Should this item of a bulk call fail?"""
        return self._strikes("partial")


def json_reply(status: int, value: object, headers: Mapping[str, str] | None = None) -> Reply:
    """A JSON answer."""
    return Reply(status, {"content-type": "application/json", **(headers or {})}, msgspec.json.encode(value))
