"""Rate budgets: a vendor's limits as buckets that all calls of an account share. Pure arithmetic over handed-in time.

A restart begins at the floors: what each bucket holds at the very least. Before a call takes a bucket below its floor, the floor is
lowered and made durable, by some flow in advance, so that a busy bucket is written once a second and a slow one with each call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from mainstay.contract.connector import Budget, Measured
from mainstay.contract.talk import Call
from mainstay.model.times import SECOND

FLOOR_S = 1.0  # how much flow a floor lies below the level when it is set


class Floor(Struct, frozen=True, array_like=True):
    """The least that a bucket held `at` a moment, and what flows back each second. Below zero: what it would hold if it could owe."""

    level: float
    per_s: float
    at: int

    def risen(self, capacity: float, now: int) -> float:
        """The least that it holds now."""
        return min(capacity, self.level + max(0, now - self.at) / SECOND * self.per_s)


class Budgets:
    """The buckets of one account. `floors` are those of an earlier process; a bucket without one was never used, and is full.

    `scale` is 1 in real life; twins that live faster say how much.
    """

    def __init__(self, declared: Sequence[Budget], now: int, scale: float = 1.0, floors: Mapping[str, Floor] = {}) -> None:
        self._declared = [budget for budget in declared if budget.kind != "concurrency"]
        self.floors = {one.name: floors.get(one.name) or Floor(one.capacity, one.per_s * scale, now) for one in self._declared}
        self.floors = {name: Floor(one.level, one.per_s, min(one.at, now)) for name, one in self.floors.items()}  # of a clock set back
        self._levels = {one.name: max(0.0, self.floors[one.name].risen(one.capacity, now)) for one in self._declared}
        self._flows = {budget.name: budget.per_s * scale for budget in self._declared}
        self._at = dict.fromkeys(self._levels, now)
        self.concurrent = int(min((b.capacity for b in declared if b.kind == "concurrency"), default=0))
        self.scale = scale

    def wait(self, call: Call, now: int) -> int:
        """Microseconds until the call is permitted; 0 takes its cost from every bucket that covers it."""
        mine = self.covering(call.operation)
        longest = 0
        for budget in mine:
            level = self._refill(budget, now)
            need = min(self._cost(budget, call), budget.capacity)
            if level < need:
                flow = self._flows[budget.name]
                longest = max(longest, int((need - level) / flow * SECOND) + 1 if flow else SECOND)
        if not longest:
            for budget in mine:
                self._levels[budget.name] -= min(self._cost(budget, call), budget.capacity)
        return longest

    def covering(self, operation: str) -> list[Budget]:
        """The budgets that a call of this operation takes from."""
        return [budget for budget in self._declared if "*" in budget.operations or operation in budget.operations]

    def takes(self, call: Call) -> dict[str, float]:
        """What a call takes, by budget."""
        return {budget.name: min(self._cost(budget, call), budget.capacity) for budget in self.covering(call.operation)}

    def seconds(self, wanted: Mapping[str, float], besides: Mapping[str, float], now: int) -> float | None:
        """How long it takes until so many units have flowed, where others take units `besides` each second; None: for ever."""
        longest = 0.0
        for budget in self._declared:
            short = wanted.get(budget.name, 0.0) - self._refill(budget, now)
            flow = self._flows[budget.name] - besides.get(budget.name, 0.0)
            if short > 0 and flow <= 0:
                return None
            if short > 0:
                longest = max(longest, short / flow)
        return longest

    def lowered(self, now: int) -> bool:
        """Whether the last call took a bucket below its floor: then the floors have changed, and must be durable before it is made."""
        sunk = [one for one in self._declared if self._refill(one, now) < self.floors[one.name].risen(one.capacity, now)]
        for one in sunk:
            flow = self._flows[one.name]
            self.floors[one.name] = Floor(self._levels[one.name] - FLOOR_S * flow, flow, now)
        return bool(sunk)

    def learn(self, measured: Sequence[Measured], now: int) -> None:
        """Correct a bucket by what an answer said: others spend from the same account."""
        told = {one.budget: one for one in measured}
        for budget in self._declared:
            one = told.get(budget.name)
            if one is None:
                continue
            if one.available is not None:
                self._levels[budget.name] = min(self._refill(budget, now), one.available)
            if one.per_s is not None:
                self._flows[budget.name] = one.per_s * self.scale

    def empty(self, call: Call, now: int) -> None:
        """The vendor refused although we thought there was room: believe the vendor."""
        for budget in self.covering(call.operation):
            self._levels[budget.name] = min(self._refill(budget, now), 0.0)

    def _refill(self, budget: Budget, now: int) -> float:
        level = self._levels[budget.name] + max(0, now - self._at[budget.name]) / SECOND * self._flows[budget.name]
        self._levels[budget.name] = level = min(budget.capacity, level)
        self._at[budget.name] = now
        return level

    @staticmethod
    def _cost(budget: Budget, call: Call) -> float:
        return call.cost if budget.kind == "cost" else 1.0
