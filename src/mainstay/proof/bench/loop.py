"""bench loop: the full loop over real HTTP at 10,000 orders a minute: two Shopify and two Amazon accounts, warehouse, ERP in bulk.

Measured is a stock commit to the first permitted call to a channel; what a vendor's rate budget takes is a figure of its own. Then one
channel stalls, and the others must not notice; the last value of every item must arrive everywhere.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from pathlib import Path
from typing import Any

from mainstay.flows.propagate import shelves_of
from mainstay.proof.access import SECRETS
from mainstay.proof.bench import folder
from mainstay.proof.bench.faults import FAULTY
from mainstay.proof.bench.running import Running, domain, landscape
from mainstay.proof.town import Town, free_port
from mainstay.stock.fold import free
from mainstay.storage.state import State
from mainstay.twins.amazon import AmazonTwin
from mainstay.twins.imitation import Imitation, Weather
from mainstay.twins.shipstation import ShipStationTwin
from mainstay.twins.shopify import ShopifyTwin
from mainstay.twins.tryton import TrytonTwin

RATE_PER_MIN = 10_000
TIME_FACTOR = 60.0
SKUS = 400
STALL_S = 20.0
SELLING_S = 15.0  # long enough that the newest latencies, which are held, are none of the opening levels
FAULTS = {"throttled": 0.01, "error_before": 0.01, "error_after": 0.01, "cut_before": 0.01, "cut_after": 0.01, "partial": 0.01,
          "duplicate": 0.05, "late": 0.02}  # fmt: skip
SHOPS, MARKETS = ("shop_a", "shop_b"), ("market_a", "market_b")


def run(quick: bool) -> dict[str, Any]:
    """Propagation in ms for each channel, calm and with one channel stalled; orders that came through; last values."""
    reps = 1 if quick else 5
    runs: dict[str, list[dict[str, Any]]] = {"": [], "shop_b": [], FAULTY: []}
    for _ in range(reps):
        for how, found in runs.items():
            found.append(asyncio.run(_perform(how)))
    healthy = [name for name in (*SHOPS, *MARKETS) if name != "shop_b"]
    worst, with_stall, with_faults = (statistics.median(_worst(one, healthy) for one in found) for found in runs.values())
    calm, stalled = runs[""][-1], runs["shop_b"][-1]
    rates = [one["orders_per_min"] for found in runs.values() for one in found]
    wrong = [f"{how or 'calm'}: {one}" for how, found in runs.items() for each in found for one in each.pop("wrong")]
    return {
        "rate": round(statistics.median(rates)), "spread": [round(min(rates)), round(max(rates))],
        "ratio": None, "ratios": {}, "propagation_p99_ms": round(worst, 1), "propagation_p99_ms_one_channel_stalled": round(with_stall, 1),
        "moved_by_the_stall": _moved(runs[""], runs["shop_b"], healthy, "p99"),
        "typically_moved_by_the_stall": _moved(runs[""], runs["shop_b"], healthy, "p50"), "calm": calm, "stalled": stalled,
        "time_factor": TIME_FACTOR,
        "with_faults": {
            "faults": "of 100 calls 1 is throttled, 2 fail, 2 answers are lost; of 100 items of a bulk call 1 fails; of 100 deliveries 5 "
            "come again, 2 late",
            "propagation_p99_ms": round(with_faults, 1), "orders_per_min": round(runs[FAULTY][-1]["orders_per_min"]),
            "faults_that_fired": sum(one["fired"] for one in runs[FAULTY]),
        },
        "correct": not wrong, "wrong": wrong,
        "reps": reps,
    }  # fmt: skip


def _worst(run_: dict[str, Any], channels: list[str]) -> float:
    """The slowest channel's p99, in ms."""
    return float(max(run_["channels"][name]["propagation_ms"]["p99"] for name in channels))


def _moved(calm: list[dict[str, Any]], stalled: list[dict[str, Any]], channels: list[str], part: str) -> float:
    """By how much of a figure a stall moves it for the channel that it moves most: the median over repetitions, each against the calm run
    right before it. The p99 of one run of a quarter of a minute hangs on a handful of moments."""

    def ms(one: dict[str, Any], name: str) -> float:
        return float(one["channels"][name]["propagation_ms"][part])

    def ratio(name: str) -> float:
        return statistics.median(ms(after, name) / (ms(before, name) or 1.0) for before, after in zip(calm, stalled, strict=True))

    return round(max(map(ratio, channels)) - 1, 3)


async def _perform(how: str) -> dict[str, Any]:
    with folder() as place:
        return await _in(place, how)


async def _in(place: Path, how: str) -> dict[str, Any]:
    """`how` is empty, FAULTY, or the channel that stalls."""
    twins = _twins()
    town = Town(twins, lambda: time.time_ns() // 1_000)
    town.delays = {how: STALL_S} if how in twins else {}
    await town.start()
    for name in MARKETS:
        twins[name].url = town.urls[name]  # type: ignore[attr-defined]
    port = free_port()
    back = {"erp": town.urls["erp"], "warehouse": town.urls["warehouse"]}
    shops, markets = ({name: town.urls[name] for name in group} for group in (SHOPS, MARKETS))
    running = Running(place, landscape(shops, markets, back, port), port, TIME_FACTOR)
    running.start()
    try:
        await asyncio.to_thread(running.ready)
        delays, town.delays = town.delays, {}
        await _until(lambda: _told(twins), 60)
        town.hooks = {name: f"http://127.0.0.1:{port}/hooks/{name}" for name in SHOPS}
        town.hooks["warehouse"] = f"http://127.0.0.1:{port}/hooks/warehouse/{SECRETS['warehouse-hook']}"
        town.delays = delays
        _set_weather(twins, Weather(FAULTS if how == FAULTY else {}))
        placed, took = await _sell(twins, SELLING_S)
        channels = running.snapshot()["channels"]
        town.delays = {}
        _set_weather(twins, Weather())
        settled = await _until(lambda: _quiet(running, town), 90)
        wrong = [] if settled else [f"not quiet after 90 s: {_unfinished(running, town)}"]
        wrong += _wrong_levels(place, twins)
        fired = sum(twin.fired[fault] for twin in twins.values() for fault in FAULTS)
        pace = placed / took * 60
        return {"orders": placed, "orders_per_min": pace, "channels": channels, "wrong": wrong[:5], "fired": fired}
    finally:
        await asyncio.to_thread(running.stop)
        await town.stop()


def _twins() -> dict[str, Imitation]:
    dice = random.Random
    found: dict[str, Imitation] = {
        name: ShopifyTwin(dice(n), time_factor=TIME_FACTOR, shop=domain(name), first_id=5_000_001 + n * 10_000_000)
        for n, name in enumerate(SHOPS, 1)
    }
    found |= {name: AmazonTwin(dice(n), time_factor=TIME_FACTOR) for n, name in enumerate(MARKETS, 3)}
    erp = TrytonTwin(dice(5), time_factor=TIME_FACTOR)
    for n in range(SKUS):
        erp.add_product(f"SKU-{n:04d}", 100_000, 1_000)
        for name in SHOPS:
            found[name].add_product(f"SKU-{n:04d}", f"Thing {n}", 1_000, 0)  # type: ignore[attr-defined]
        for name in MARKETS:
            found[name].add_listing(f"SKU-{n:04d}", 1_000, 0)  # type: ignore[attr-defined]
    return found | {"erp": erp, "warehouse": ShipStationTwin(dice(6), time_factor=TIME_FACTOR)}


def _set_weather(twins: dict[str, Imitation], weather: Weather) -> None:
    for twin in twins.values():
        twin.weather = weather


async def _sell(twins: dict[str, Imitation], seconds: float) -> tuple[int, float]:
    """Orders at an even pace, to each channel in turn."""
    dice = random.Random(9)
    started, number = time.perf_counter(), 0
    buyer = {"name": "Ada", "email": "ada@buyers.example", "street": "1 Road", "city": "Town", "postcode": "1", "country": "DE"}
    pause = 60 / RATE_PER_MIN
    while (at := time.perf_counter() - started) < seconds:
        if number * pause > at:
            await asyncio.sleep(number * pause - at)
            continue
        lines, now = [(f"SKU-{dice.randrange(SKUS):04d}", 1)], time.time_ns() // 1_000
        name = (*SHOPS, *MARKETS)[number % 4]
        who = {"customer": buyer} if name in SHOPS else {"buyer": buyer}
        twins[name].place_order(lines, now=now, **who)  # type: ignore[attr-defined]
        number += 1
        if number % 20 == 0:
            await asyncio.sleep(0)
    return number, time.perf_counter() - started


def _told(twins: dict[str, Imitation]) -> bool:
    return all(twins[name].available(f"SKU-{n:04d}") == 100_000 for name in (*SHOPS, *MARKETS) for n in range(SKUS))


def _quiet(running: Running, town: Town) -> bool:
    return not any(_unfinished(running, town).values())


def _unfinished(running: Running, town: Town) -> dict[str, int]:
    now = running.snapshot()
    levels = sum(one["waiting"] for one in now["channels"].values())
    return {"receipts": running.behind(), "calls": now["waiting"], "levels": levels, "deliveries": town.undelivered}


async def _until(so: Any, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    calm = 0
    while calm < 4:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.25)
        calm = calm + 1 if so() else 0
    return True


def _wrong_levels(place: Path, twins: dict[str, Imitation]) -> list[str]:
    """Where a channel does not show what may be promised now."""
    state = State(place / "data" / "state.db", write=False)
    skus = [f"SKU-{n:04d}" for n in range(SKUS)]
    items = dict(state.load("find_items", skus))
    shelves = shelves_of(state, list(items.values()))
    state.close()
    wanted = {sku: sum(free(level) for level in shelves[item]) for sku, item in items.items()}
    shown = {(name, sku): twins[name].available(sku) for name in (*SHOPS, *MARKETS) for sku in skus}
    return [f"{name} shows {units} of {sku}, not {wanted[sku]}" for (name, sku), units in shown.items() if units != wanted[sku]]
