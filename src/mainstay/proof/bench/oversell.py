"""bench oversell: one flash sale, 10,000 orders a minute over 500 SKUs at four channels, played under four ways of telling numbers.

One channel asks first; of the three that sell on their own one stalls, one has little rate budget, and all lose answers. The orders come in
by events each time, at once, also where the numbers go out by batch: real batches are slower than these.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from mainstay.proof.bench import flash
from mainstay.proof.bench.flash import ASKS, Assortment, Numbers, Sold
from mainstay.proof.sim.run import memory, silence

CHANCE = 0.001
BATCH, POLL, EVENT, OURS = "batch every 15 minutes", "poll every minute", "event without buffer", "mainstay"
CALM = "mainstay, without faults"
SEED = 7


def run(quick: bool) -> dict[str, Any]:
    """Units oversold and unsold and the revenue lost, for each; `ratios`: oversold at channels that sell on their own, as parts of the
    batch's. `correct`: none is oversold where we are asked first, and the books of channels and core balance."""
    silence()
    offered = flash.assortment(60, 240.0, SEED) if quick else flash.assortment(500, 360.0, SEED)
    ways = {
        BATCH: Numbers(every_s=900.0, first_s=offered.seconds / 2),  # one comes in the middle of the sale, which favours it
        POLL: Numbers(every_s=60.0, first_s=30.0),
        EVENT: Numbers(),
        OURS: Numbers(chance=CHANCE),
        CALM: Numbers(chance=CHANCE),
    }
    told, started = {}, time.monotonic()
    for name, numbers in ways.items():
        with tempfile.TemporaryDirectory(prefix="mainstay-bench-", dir=memory()) as place:
            told[name] = _figures(offered, flash.hold(offered, numbers, Path(place), faults=name != CALM))
    batch = told[BATCH]["oversold_units"]["autonomous"]
    ratios = {name: round(told[name]["oversold_units"]["autonomous"] / batch, 4) if batch else None for name in (POLL, EVENT, OURS)}
    ours = told[OURS]
    return {
        "rate": None, "spread": None, "ratio": ratios[OURS], "ratios": ratios,
        "oversold_units_asked_first": ours["oversold_units"]["asked_first"],
        "unsold_because_of_buffers": round(ours["unsold_because_of_buffers"] / ours["units"], 5),
        "policies": told, "target": CHANCE, "wishes": len(offered.wishes), "seconds_simulated": offered.seconds,
        "seconds": round(time.monotonic() - started, 1),
        "correct": bool(batch) and all(not one["unbalanced"] and not one["oversold_units"]["asked_first"] for one in told.values()),
    }  # fmt: skip


def _figures(offered: Assortment, ended: Sold) -> dict[str, Any]:
    """`unsold_because_of_buffers`: units that are left, and that buyers were refused while they were there. `lost_revenue`, in minor
    units: these units' price, and the price of those that were sold, are not there, and must be cancelled."""
    oversold = unsold = wanted = lost = 0
    for sku, units in offered.stock.items():
        sold = sum(one[sku] for one in ended.sold.values())
        left, over = max(0, units - sold), max(0, sold - units)
        missed = min(left, ended.refused[sku])
        oversold, unsold, wanted = oversold + over, unsold + left, wanted + missed
        lost += offered.prices[sku] * (over + missed)
    asked = ended.short[ASKS]
    return {
        "oversold_units": {"asked_first": asked, "autonomous": oversold - asked},
        "unsold_units": unsold,
        "unsold_because_of_buffers": wanted,
        "lost_revenue": lost,
        "units": sum(offered.stock.values()),
        "sold": {name: one.total() for name, one in ended.sold.items()},
        "level_calls": ended.calls,
        "delays_s": {name: round(one, 2) for name, one in ended.delays_s.items()},
        "unbalanced": ended.balanced,
    }
