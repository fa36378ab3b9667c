"""Rate budgets: a vendor's limits as buckets that all calls of an account share. Pure arithmetic over handed-in time."""

from __future__ import annotations

from collections.abc import Sequence

from mainstay.contract.connector import Budget, Measured
from mainstay.contract.talk import Call
from mainstay.model.times import SECOND

START_LEVEL = 0.5  # of the capacity: after a restart nobody knows what was spent just before


class Budgets:
    """The buckets of one account. `scale` is 1 in real life; twins that live faster say how much."""

    def __init__(self, declared: Sequence[Budget], now: int, scale: float = 1.0) -> None:
        self._declared = [budget for budget in declared if budget.kind != "concurrency"]
        self._levels = {budget.name: budget.capacity * START_LEVEL for budget in self._declared}
        self._flows = {budget.name: budget.per_s * scale for budget in self._declared}
        self._at = dict.fromkeys(self._levels, now)
        self.concurrent = int(min((b.capacity for b in declared if b.kind == "concurrency"), default=0))
        self.scale = scale

    def wait(self, call: Call, now: int) -> int:
        """Microseconds until the call is permitted; 0 takes its cost from every bucket that covers it."""
        mine = [budget for budget in self._declared if "*" in budget.operations or call.operation in budget.operations]
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
        for budget in self._declared:
            if "*" in budget.operations or call.operation in budget.operations:
                self._levels[budget.name] = min(self._refill(budget, now), 0.0)

    def _refill(self, budget: Budget, now: int) -> float:
        level = self._levels[budget.name] + max(0, now - self._at[budget.name]) / SECOND * self._flows[budget.name]
        self._levels[budget.name] = level = min(budget.capacity, level)
        self._at[budget.name] = now
        return level

    @staticmethod
    def _cost(budget: Budget, call: Call) -> float:
        return call.cost if budget.kind == "cost" else 1.0
