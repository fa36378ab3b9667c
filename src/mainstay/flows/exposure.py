"""What channels' numbers are exposed to: how fast items sell, how long numbers take, and so what is kept back. Measured in dispatch.

Nothing here is in the log: it follows from levels, which are a cursor over stock (docs/adr/0001). What was used last is a mark in
outcomes.db: people are shown it, and a new process begins with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from mainstay.delivery.outcomes import Outcomes
from mainstay.model.state import Level
from mainstay.model.times import SECOND
from mainstay.stock.buffer import Kept, Selling, kept_back, needed, rate_per_s, selling_at, sold
from mainstay.stock.fold import free
from mainstay.stock.view import ChannelPolicy
from mainstay.storage.inbox import InboxReader

DELAY_S_FIRST = 1.0  # of a channel that was never told anything
DELAY_QUANTILE = 0.99
DELAYS_HELD = 500  # calls of each channel
DELAYS_S_MAX = 600.0  # older ones say nothing of now
WORST_S = 10.0  # so long the oldest number that was just told counts by itself: a stall is felt at once
LOOK_S = 5.0  # between two looks at whether less need be kept back
ITEMS_HELD_MAX = 100_000  # items of which it is remembered how they sell
CHANGED = 0.1  # a delay that moves by less is not written down again

_kept = msgspec.json.Decoder(Kept)


class Exposure:
    """`policies` of all channels: those with a target chance are measured. `clock` gives UTC microseconds."""

    def __init__(self, policies: Mapping[str, ChannelPolicy], outcomes: Outcomes, clock: Callable[[], int]) -> None:
        self.policies = {name: one for name, one in policies.items() if one.chance is not None and not one.stop_sell}
        asking = [one for one in policies.values() if one.asks_first and not one.stop_sell]
        self._asked = {name: any(_share(one, other) for other in asking) for name, one in self.policies.items()}
        self.outcomes, self.clock = outcomes, clock
        self._selling: dict[int, Selling] = {}
        self._seen: dict[int, tuple[int, int]] = {}  # item -> (units free, when it was counted last)
        self._delays: dict[str, deque[tuple[int, int]]] = {name: deque(maxlen=DELAYS_HELD) for name in self.policies}
        self._worst: dict[str, tuple[int, int]] = {}
        self._delay_s = {name: float(outcomes.mark(f"delay/{name}") or DELAY_S_FIRST) for name in self.policies}
        self._written = dict(self._delay_s)
        self._used: dict[str, dict[int, int]] = {name: {} for name in self.policies}  # channel -> item -> what was needed when it was told
        self._look_at = dict.fromkeys(self.policies, 0)
        self._begun = clock()
        for item, channel, kept in _written(outcomes.marks("kept/")):
            if channel not in self._used:
                outcomes.forget(_mark(item, channel))  # it is declared otherwise now
                continue
            self._used[channel][item] = kept.need
            self._selling[item] = selling_at(kept.rate_per_s, self._begun)

    # --- what is measured ----------------------------------------------------------------------------------------------
    def seen(self, item: int, levels: Iterable[Level]) -> None:
        """The newest rows of an item, at all its locations: what is free no more was sold, unless somebody counted."""
        if not self.policies:
            return
        units = counted = 0
        for level in levels:
            units += free(level)
            counted = max(counted, level.counted_at)
        before = self._seen.pop(item, None)
        self._seen[item] = (units, counted)
        if len(self._seen) > ITEMS_HELD_MAX:
            oldest = next(iter(self._seen))
            del self._seen[oldest]
            self._selling.pop(oldest, None)
        if before is not None and before[1] == counted and units < before[0]:
            self._selling[item] = sold(self._selling.get(item), before[0] - units, self.clock())

    def told(self, channel: str, changed_at: Sequence[int], *, done: bool) -> None:
        """A call is about to tell of changes that were committed at these moments; or it has told of them, and was answered."""
        if channel not in self.policies or not changed_at:
            return
        now = self.clock()
        age = max(0, now - max(self._begun, min(changed_at)))  # below 0 the clock was set back
        at, worst = self._worst.get(channel, (0, 0))
        if age >= worst or now - at > WORST_S * SECOND:
            self._worst[channel] = (now, age)
        if not done:
            return
        delays = self._delays[channel]
        delays.append((now, age))
        while now - delays[0][0] > DELAYS_S_MAX * SECOND:
            delays.popleft()
        ordered = sorted(one for _, one in delays)
        self._delay_s[channel] = ordered[min(len(ordered) - 1, int(len(ordered) * DELAY_QUANTILE))] / SECOND
        if abs(self._delay_s[channel] - self._written[channel]) > CHANGED * self._written[channel]:
            self._written[channel] = self._delay_s[channel]
            self.outcomes.remember(f"delay/{channel}", f"{self._delay_s[channel]:.3g}")

    def delay_s(self, channel: str) -> float:
        """How old a number of this channel is when the next takes its place."""
        at, worst = self._worst.get(channel, (0, 0))
        recent = worst / SECOND if self.clock() - at <= WORST_S * SECOND else 0.0
        return max(self._delay_s[channel], recent)

    # --- what follows --------------------------------------------------------------------------------------------------
    def kept(self, channel: str, item: int, available: int, sellers: Iterable[str]) -> Kept | None:
        """What is kept back from a channel that may show so many units otherwise, noted as used. `sellers` are the channels that list the
        item. None: nothing is, and nothing is needed."""
        policy = self.policies.get(channel)
        if policy is None or policy.chance is None:
            return None
        rate = rate_per_s(self._selling.get(item), self.clock())
        need = self._need(channel, rate)
        if not need:
            self.drop(channel, item)
            return None
        beside = {name for name in sellers if (one := self.policies.get(name)) and one.locations == policy.locations}
        needs = {name: self._need(name, rate) for name in beside | {channel}}
        units, alone = kept_back(available, needs, channel, item, asked=self._asked[channel])
        kept = Kept(units, need, round(rate, 3), round(self.delay_s(channel), 3), policy.chance, alone)
        self._used[channel][item] = need
        self.outcomes.keep(_mark(item, channel), msgspec.json.encode(kept).decode())
        return kept

    def drop(self, channel: str, item: int) -> None:
        """Nothing is kept back of an item here, or it is not listed any more."""
        if channel in self._used and self._used[channel].pop(item, None) is not None:
            self.outcomes.forget(_mark(item, channel))

    def _need(self, channel: str, rate: float) -> int:
        chance = self.policies[channel].chance
        assert chance is not None
        return needed(rate, self.delay_s(channel), chance) if rate else 0

    def released(self, channel: str) -> list[int]:
        """Items of which less need be kept back by now than when the channel was told, every few seconds."""
        now = self.clock()
        if channel not in self._used or now < self._look_at[channel]:
            return []
        self._look_at[channel] = now + int(LOOK_S * SECOND)
        return [item for item, used in self._used[channel].items() if self._need(channel, rate_per_s(self._selling.get(item), now)) < used]

    @property
    def holding(self) -> int:
        """Of how many numbers, over all channels and items, something may be kept back."""
        return sum(map(len, self._used.values()))

    def look_in_s(self, channel: str) -> float | None:
        """After how many seconds to ask again what is released; None where nothing is kept back."""
        return max(0.0, (self._look_at[channel] - self.clock()) / SECOND) if self._used.get(channel) else None


def told_of(outcomes: InboxReader, item: int | None) -> tuple[dict[str, int], dict[str, Kept]]:
    """(what each channel was last told of an item, what was kept back from it by measure), by channel."""
    return outcomes.told(item), {channel: kept for _, channel, kept in _written(outcomes.marks(f"kept/{item or 0}/"))}


def _share(one: ChannelPolicy, other: ChannelPolicy) -> bool:
    """Does a shelf serve both?"""
    return not one.locations or not other.locations or not set(one.locations).isdisjoint(other.locations)


def _mark(item: int, channel: str) -> str:
    return f"kept/{item}/{channel}/"


def _written(marks: Iterable[tuple[str, str]]) -> list[tuple[int, str, Kept]]:
    found = []
    for name, value in marks:
        _, item, channel, _ = name.split("/")
        found.append((int(item), channel, _kept.decode(value)))
    return found
