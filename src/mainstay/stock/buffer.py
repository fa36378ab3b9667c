"""How many units a channel that sells on its own must keep back: what may be sold while its number is on its way.

A number that a channel is told is `delay` old when the next one takes its place. All that is sold meanwhile, at any channel, is still in
it. The units sold in that time are taken for Poisson with the measured rate, and the buffer is the base-stock level of the newsvendor's
rule: the fewest units that are enough but for one time in so many (the order-up-to level of a base-stock policy, with the delay as its
lead time: Zipkin, Foundations of Inventory Management, 2000, section 6.2; Porteus, Foundations of Stochastic Inventory Theory, 2002,
section 1.3). An item that hardly sells needs none. Units that every channel would keep back could be sold by nobody but who asks first:
without such a channel one alone shows these last units (docs/adr/0016).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, exp, sqrt
from statistics import NormalDist

from msgspec import Struct

from mainstay.model.times import SECOND

MEMORY_S = 60.0  # over how long a rate of sale is measured; what is older counts less and less
BURST_S_MIN = 5.0  # two sales in one moment are no rate: the shortest time that a rate is taken over
FORGOTTEN = 0.01  # units: of so few in memory nothing follows for any delay that a channel has
EXACT_MAX = 500.0  # units: where so many are expected, the normal distribution says the same, and is not summed up


class Selling(Struct, gc=False):
    """How an item sells: units since the first sale of its present run (at `since`), as far as they are not forgotten, at `at`. Times in
    microseconds. The first sale begins the run and is not counted in it: one sale is no rate."""

    since: int
    units: float
    at: int


class Kept(Struct, frozen=True, omit_defaults=True):
    """What was kept back from a channel, and why. `need` is what the law asks for; `units` is less than that where the channel shows the
    last units `alone`. `delay_s` is the channel's; one time in 1 / `chance` more is sold in it."""

    units: int
    need: int
    rate_per_s: float
    delay_s: float
    chance: float
    alone: bool = False


def sold(known: Selling | None, units: int, at: int) -> Selling:
    """So many units more were sold at this moment."""
    if known is None or ((now := _remembered(known, at)) < FORGOTTEN and at - known.since > MEMORY_S * SECOND):
        return Selling(at, 0.0, at)
    return Selling(known.since, now + units, at)


def rate_per_s(known: Selling | None, at: int) -> float:
    """Units a second at this moment."""
    if known is None or (units := _remembered(known, at)) < FORGOTTEN:
        return 0.0
    run_s = max(BURST_S_MIN, (at - known.since) / SECOND)
    return units / (MEMORY_S * (1 - exp(-run_s / MEMORY_S)))


def selling_at(rate: float, at: int) -> Selling:
    """What is known of an item of which only the rate was written down."""
    return Selling(at - int(10 * MEMORY_S * SECOND), rate * MEMORY_S, at)


def _remembered(known: Selling, at: int) -> float:
    return known.units * exp(-max(0, at - known.at) / SECOND / MEMORY_S)


def needed(rate: float, delay_s: float, chance: float) -> int:
    """The fewest units such that more are sold in `delay_s` with at most this chance: a quantile of the Poisson distribution."""
    mean = rate * delay_s
    if mean > EXACT_MAX:
        z = NormalDist().inv_cdf(1 - chance)
        return ceil(mean + z * sqrt(mean) + (z * z + 2) / 6)  # Cornish-Fisher, rounded up
    units, term = 0, exp(-mean)
    left = 1 - term
    while left > chance:
        units += 1
        term *= mean / units
        left -= term
        if term < chance * 1e-9 and units > mean:  # what is left is rounding
            break
    return units


def kept_back(available: int, needs: Mapping[str, int], channel: str, item: int, *, asked: bool) -> tuple[int, bool]:
    """(units to keep back from a channel, whether it shows the last ones alone). `needs` are those of all channels that sell this item on
    their own from the same shelves. The last units, which all would keep back, are left to who asks first (`asked`), where there is such a
    channel: it sells them without any risk. Else they go to the one that needs the fewest; where several need as few, another one for each
    item, so that none has them all."""
    least = min(needs.values())
    if asked or available > least or needs[channel] != least:
        return needs[channel], False
    equal = sorted(name for name, need in needs.items() if need == least)
    alone = equal[item % len(equal)] == channel
    return (0, len(needs) > 1 and least > 0) if alone else (least, False)
