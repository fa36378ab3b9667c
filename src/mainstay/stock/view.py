"""What a channel may show of an item, and how that number came about."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct

from mainstay.model.state import LOCATIONS_MAX, Level
from mainstay.stock.buffer import Kept
from mainstay.stock.fold import free


class ChannelPolicy(Struct, frozen=True, kw_only=True):
    """How much of what is available to promise a channel may show."""

    channel: str
    system: str
    share: float = 1.0
    cap: int | None = None
    buffer: int = 0
    chance: float | None = None  # the buffer is measured: how often it may turn out too small
    stop_sell: bool = False
    asks_first: bool = False
    locations: tuple[str, ...] = ()  # names of those that serve it; empty: all
    location: str = ""  # the channel's own id of the location


class Step(Struct, frozen=True):
    """One line of the explanation: what was applied, and the units after it."""

    what: str
    units: int


def serving(levels: Iterable[Level], locations: Collection[int | None]) -> list[Level]:
    """The levels at these locations, by number; None stands for a location that nothing was heard of."""
    return [level for level in levels if level.id % LOCATIONS_MAX in locations]


def unknown(levels: Sequence[Level], policy: ChannelPolicy) -> bool:
    """Has nobody said yet what there is of an item, wherever? Unknown is not none: the channel keeps the number that it shows, and none of
    ours is told. That nothing may be sold is told nevertheless."""
    return not levels and not policy.stop_sell


def listed(levels: Sequence[Level], policy: ChannelPolicy, kept: Kept | None = None) -> int:
    """Units that the channel may show now. `levels` are those that serve it; `kept` is what is kept back by measure."""
    if policy.stop_sell:
        return 0
    units = max(0, sum(free(level) for level in levels) - (kept.units if kept else 0))
    units = max(0, int(units * policy.share) - policy.buffer)
    return units if policy.cap is None else min(units, policy.cap)


def explained(levels: Sequence[Level], policy: ChannelPolicy, kept: Kept | None = None) -> list[Step]:
    """How `listed` came about, step by step; its last step is that number."""
    steps = [Step("on hand", sum(level.on_hand for level in levels))]
    for what, units in (
        ("less allocated to orders", sum(level.allocated for level in levels)),
        ("less reserved by channels that ask first", sum(level.reserved for level in levels)),
        ("less damaged", sum(level.damaged for level in levels)),
        ("less safety stock", sum(level.safety for level in levels)),
    ):
        if units:
            steps.append(Step(what, steps[-1].units - units))
    steps.append(Step("available to promise", sum(free(level) for level in levels)))
    if kept:
        steps.append(Step(_why(kept), max(0, steps[-1].units - kept.units)))
    shared = int(steps[-1].units * policy.share)
    if policy.share != 1.0:
        steps.append(Step(f"share of {policy.share:.0%}", shared))
    if policy.buffer:
        steps.append(Step(f"less buffer of {policy.buffer}", max(0, shared - policy.buffer)))
    if policy.cap is not None and steps[-1].units > policy.cap:
        steps.append(Step(f"capped at {policy.cap}", policy.cap))
    if policy.stop_sell:
        steps.append(Step("stop-sell is on", 0))
    steps.append(Step(f"shown at {policy.channel}", listed(levels, policy, kept)))
    return steps


def _why(kept: Kept) -> str:
    """less 3 kept back: 1.2/s sell, 1.4 s until the number is there, 1 in 1,000"""
    why = f"{kept.rate_per_s:.2g}/s sell, {kept.delay_s:.2g} s until the number is there, 1 in {round(1 / kept.chance):,}"
    return f"the last units, shown here alone: {why}" if kept.alone else f"less {kept.units} kept back: {why}"
