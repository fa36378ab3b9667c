"""`mainstay demo`: five outside systems over real HTTP, Mainstay between them, real order history at peak speed, faults, and a report
that is computed from the outside systems' own books."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
from msgspec import Struct

from mainstay.app import build, imitated
from mainstay.app.build import clock
from mainstay.app.declaration import begin
from mainstay.app.snapshots import backlog, read_snapshot
from mainstay.delivery.dispatch import percentiles
from mainstay.flows import journey
from mainstay.flows.propagate import Propagate
from mainstay.flows.rebuild import verify
from mainstay.model.failures import Halt
from mainstay.model.times import SECOND
from mainstay.proof import plants
from mainstay.proof.access import keep
from mainstay.proof.books import MUST_BE_ZERO, compare
from mainstay.proof.history import CURRENCY, Story, tell
from mainstay.proof.pace import reached
from mainstay.proof.play import Cast, Play
from mainstay.proof.town import Town, free_port
from mainstay.proof.truth import believed, is_named, itemised
from mainstay.storage.state import State
from mainstay.twins.amazon import AmazonTwin
from mainstay.twins.imitation import Weather
from mainstay.twins.shipstation import ShipStationTwin
from mainstay.twins.shopify import ShopifyTwin
from mainstay.twins.stripe import StripeTwin
from mainstay.twins.tryton import TrytonTwin

OLIST = Path(__file__).resolve().parents[4] / "shared" / "data" / "olist"
TIME_FACTOR = 60.0  # a vendor's minute passes in a second: their rate limits, and our polls, run that much faster
SETTLE_S_MAX = 90.0
READY_S_MAX = 60.0
FEED_S_MAX = 15.0  # what comes round more seldom is a comparison of books, not what makes up for a lost message
UNREAD = {"intent": "intents_from", "level": "level_changes_from", "price": "price_changes_from"}  # what dispatch reads of the store
WEATHERS: dict[str, dict[str, float]] = {
    "none": {},
    "normal": {
        "throttled": 0.01, "error_before": 0.01, "error_after": 0.01, "cut_before": 0.005, "cut_after": 0.005, "lingering": 0.005,
        "partial": 0.005, "duplicate": 0.05, "late": 0.03, "reordered": 0.1, "lost": 0.01, "unsubscribed": 0.0002,
    },
    "storm": {
        "throttled": 0.05, "error_before": 0.05, "error_after": 0.05, "cut_before": 0.03, "cut_after": 0.03, "lingering": 0.02,
        "partial": 0.03, "duplicate": 0.2, "late": 0.1, "reordered": 0.3, "lost": 0.05, "unsubscribed": 0.0005,
    },
}  # fmt: skip
Tell = Callable[[dict[str, Any]], None]


class Demo(Struct, frozen=True):
    """What is to be played."""

    orders: int = 2_000
    rate: float = 6_000.0  # orders per minute
    faults: str = "normal"
    seed: int = 7
    history: Path | None = None
    keep: Path | None = None
    plant: str = ""


def history_of(demo: Demo) -> Path | None:
    """The folder that is played: the one that was named, or the real one where it stands beside the repo."""
    if demo.history is not None:
        if not (demo.history / "orders.csv").exists():
            raise Halt(f"{demo.history} holds no orders.csv; a history has the files of Olist's dataset")
        return demo.history
    return OLIST if OLIST.is_dir() else None


async def run(demo: Demo, tell_: Tell) -> dict[str, Any]:
    """Play it and report. `tell_` is called with what happens, several times a second."""
    story = tell(history_of(demo), demo.orders, demo.seed)
    folder = demo.keep or Path(tempfile.mkdtemp(prefix="mainstay-demo-"))
    if demo.keep and demo.keep.is_dir() and any(demo.keep.iterdir()):
        raise Halt(f"{demo.keep} is not empty, and a demo would mix with what is there; --keep takes a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    stage = Stage(demo, story, folder)
    try:
        return await stage.run(tell_)
    finally:
        await stage.strike()
        if demo.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


class Stage:
    """The town, Mainstay in it, and the play. What is started here is stopped by `strike`."""

    def __init__(self, demo: Demo, story: Story, folder: Path) -> None:
        self.demo, self.story, self.folder = demo, story, folder
        self.config = folder / "mainstay.toml"
        self.port = free_port()
        self.tokens = {name: secrets.token_urlsafe(18) for name in imitated.ASK_FIRST}
        self.cast = cast(demo)
        names = {name: getattr(self.cast, name) for name in Cast.__struct_fields__}
        self.town = Town(names, clock)
        self.play: Play | None = None
        self.up: subprocess.Popen[bytes] | None = None
        self.phase = "building the town"
        self.started = self.calm_since = clock()
        self.finished = 0
        self.left: dict[str, int] = {}

    async def run(self, tell_: Tell) -> dict[str, Any]:
        await self.town.start()
        self.cast.amazon.url = self.town.urls["amazon"]  # its pre-signed addresses lead back to itself
        self.cast.payments.endpoint["url"] = f"http://127.0.0.1:{self.port}/hooks/payments"  # which a person made
        self.write_config()
        base = f"http://127.0.0.1:{self.port}"
        self.play = Play(self.story, self.cast, self.town, base, self.tokens, clock, self.demo.seed)
        self.play.set_the_stage()
        self.start()
        watching = asyncio.create_task(self.watch(tell_))
        working = asyncio.create_task(self.play.work_in_the_warehouse())
        try:
            await self.open_doors(base)
            self.set_weather(WEATHERS[self.demo.faults])
            plants.plant(self.demo.plant, self.cast)
            self.phase = "playing"
            self.started = clock()
            await self.play.perform(self.demo.rate)
            played_s = (clock() - self.started) / SECOND
            self.phase = "settling"
            self.set_weather({})
            self.calm_since = clock()
            settled = await self.settle()
            self.finished = clock()
        finally:
            working.cancel()
            watching.cancel()
        self.phase = "comparing the books"
        dispatch = read_snapshot(self.data, "dispatch")
        self.stop()
        plants.spoil(self.demo.plant, self.data / "state.db")
        return self.report(dispatch, played_s, settled)

    # --- Mainstay between them ---------------------------------------------------------------------------------------
    @property
    def data(self) -> Path:
        return self.folder / "mainstay-data"

    def write_config(self) -> None:
        """The landscape of the demo, as a user would write it, with secrets in files beside it."""
        text = imitated.declared(self.town.urls).replace("http://127.0.0.1:8700", f"http://127.0.0.1:{self.port}")
        begin(self.config, text.replace("[server]", f"[server]\nport = {self.port}", 1))
        keep(self.folder, {"api": secrets.token_urlsafe(18), **self.tokens})

    def start(self) -> None:
        command = [sys.executable, "-m", "mainstay.app.cli", "up", "--config", str(self.config)]
        environment = {**os.environ, "MAINSTAY_TIME_FACTOR": str(TIME_FACTOR)}
        with (self.folder / "mainstay.log").open("ab") as output:
            self.up = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)

    def stop(self) -> None:
        if self.up is not None:
            self.up.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.up.wait(40)
            if self.up.poll() is None:
                self.up.kill()
            self.up = None

    async def open_doors(self, base: str) -> None:
        """Wait until Mainstay is up and every channel shows what is on the shelf; then let the twins tell it what happens."""
        self.phase = "starting Mainstay"
        await self.until(lambda: self.answers(f"{base}/ready"), READY_S_MAX, "Mainstay did not get ready")
        self.phase = "telling the channels what is on the shelf"
        wanted = {product.sku: product.stock for product in self.story.products}
        both = (self.cast.shop.available, self.cast.amazon.available)

        async def told() -> bool:
            return all(available(sku) == units for sku, units in wanted.items() for available in both)

        await self.until(told, READY_S_MAX, "the channels were not told their opening levels")
        hooks = {"shop": "", "payments": "", "warehouse": "/twin-path"}
        self.town.hooks = {name: f"{base}/hooks/{name}{rest}" for name, rest in hooks.items()}

    async def until(self, so: Callable[[], Any], seconds: float, otherwise: str) -> None:
        deadline = clock() + int(seconds * SECOND)
        while not await so():
            if clock() > deadline:
                log = (self.folder / "mainstay.log").read_text()[-2_000:]
                raise Halt(f"{otherwise} within {seconds:.0f} s\n{log}")
            await asyncio.sleep(0.1)

    async def answers(self, url: str) -> bool:
        assert self.play is not None
        try:
            async with self.play.client.get(url) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    def set_weather(self, rates: dict[str, float]) -> None:
        for twin in self.town.twins.values():
            twin.weather = Weather(rates)

    async def settle(self) -> bool:
        """Faults have stopped: an operator repairs what can be repaired, until nothing is under way any more. False when something is."""
        assert self.play is not None
        deadline = clock() + int(SETTLE_S_MAX * SECOND)
        quiet = 0
        while quiet < 5:
            if clock() > deadline:
                self.left = {what: count for what, count in self.under_way().items() if count}
                return False
            await asyncio.sleep(0.3)
            quiet = quiet + 1 if self.is_quiet() else 0
            if quiet == 1:
                before = sum(self.play.retried.values())
                await self.play.repair((self.folder / "api-token").read_text())
                quiet = quiet if sum(self.play.retried.values()) == before else 0
        return True

    def is_quiet(self) -> bool:
        return not any(self.under_way().values())

    def under_way(self) -> dict[str, int]:
        """What still moves, by where. Looked at from its sources to its ends: what moves on meanwhile is seen where it arrives."""
        assert self.play is not None
        moves = {
            **{f"deliveries of {name}": twin.undelivered for name, twin in self.town.twins.items()},
            "releases to pack": self.play.packing,
            **{f"receipts in {inbox}": behind for inbox, behind in backlog(self.data).items()},
        }
        state, now = State(self.data / "state.db", write=False), read_snapshot(self.data, "dispatch")
        try:
            moves["orders without a name"] = sum(
                1 for one in believed(state).values() if one.status not in ("settled", "cancelled") and not is_named(one)
            )
            for what, taken in now.get("taken", {}).items():
                moves[f"unread {what}s"] = len(state.rows(UNREAD[what], (taken, 1)))
        finally:
            state.close()
        polls = now.get("polls", {}).values()
        return moves | {
            "feeds not read since faults stopped": sum(1 for one in polls if one["every_s"] < FEED_S_MAX and one["read"] < self.calm_since),
            "effects waiting": now.get("waiting", 1),
            "levels waiting": sum(one["waiting"] for one in now.get("channels", {}).values()),
            "prices waiting": sum(one["waiting"] for one in now.get("prices", {}).values()),
        }

    # --- what is shown -----------------------------------------------------------------------------------------------
    async def watch(self, tell_: Tell) -> None:
        while True:
            tell_(self.now())
            await asyncio.sleep(0.25)

    def now(self) -> dict[str, Any]:
        """How it stands, for the live view."""
        dispatch = read_snapshot(self.data, "dispatch")
        found: dict[str, Any] = {}
        with contextlib.suppress(Exception):
            state = State(self.data / "state.db", write=False)
            found = journey.status(state)
            state.close()
        return {
            "phase": self.phase,
            "played": self.play.played if self.play else 0,
            "of": len(self.story.wishes),
            "seconds": (clock() - self.started) / SECOND,
            "orders": found.get("orders", {}),
            "receipts": found.get("receipts", []),
            "letters": found.get("dead_letters", {}),
            "lag": backlog(self.data),
            "faults": self.fired(),
            "dispatch": dispatch,
        }

    def fired(self) -> dict[str, int]:
        total: Counter[str] = Counter()
        for twin in self.town.twins.values():
            total.update(twin.fired)
        return dict(sorted(total.items()))

    # --- the report --------------------------------------------------------------------------------------------------
    def report(self, dispatch: dict[str, Any], played_s: float, settled: bool) -> dict[str, Any]:
        assert self.play is not None
        state = State(self.data / "state.db", write=False)
        house = build.open_house(self.config)
        propagate = Propagate(state, build.channel_policies(house), build.by_sku(house))
        figures, cases = compare(self.cast, self.play.counters, self.story, state, propagate.shown, priced_by="shop", described_by="shop")
        now, letters = journey.status(state), journey.letters(state)
        state.close()
        with tempfile.TemporaryDirectory() as scratch:
            verdict = verify(self.data / "state.db", Path(scratch) / "rebuilt.db", build.shop(house))
        waits = reached({"shop": self.cast.shop, "amazon": self.cast.amazon})
        figures["stock"]["propagation_ms"] = _spread([wait for some in waits.values() for wait in some])
        meters = dispatch.get("channels", {})
        figures["stock"]["by_channel"] = {
            name: {"propagation_ms": _spread(some), "of_which_ours_ms": meters.get(name, {}).get("propagation_ms", {})}
            for name, some in waits.items()
        }
        systems = dispatch.get("systems", {})
        unknown = now["orders"].get("unknown", 0) + sum(one["waiting"] for one in systems.values())
        figures["effects"] |= {"calls": sum(sum(one["calls"].values()) for one in systems.values()), "unknown_open": unknown}
        placed = figures["orders"]["placed"]
        return {
            **figures,
            "shoppers": self.shoppers(placed),
            "faults": self.fired(),
            "dead_letters": {
                "open": sum(now["dead_letters"].values()), "by_cause": now["dead_letters"],
                "cases": itemised([f"{one['code']} at {one['system']}: {one['why']}; owner {one['owner']}" for one in letters]),
            },
            "orders_per_min": round(placed / played_s * 60),
            "duration_s": round((self.finished - self.started) / SECOND, 1),
            "settled": settled,
            "under_way": {} if settled else self.left,
            "turned_away": dict(self.play.turned_away),
            "repaired": sum(self.play.retried.values()),
            "failed_calls": itemised(self.play.counters.failed),
            "verify": {"identical": verdict.identical, "events": verdict.events, "differences": verdict.differences},
            "cases": cases,
            "story": {"source": self.story.source, "rules": self.story.rules, "skipped": dict(self.story.skipped)},
            "settings": {"orders": self.demo.orders, "rate_per_min": self.demo.rate, "faults": self.demo.faults, "seed": self.demo.seed,
                         "time_factor": TIME_FACTOR, "plant": self.demo.plant},
        }  # fmt: skip

    def shoppers(self, placed: int) -> dict[str, int]:
        """How each shopper of the story ended; nobody may be left over."""
        assert self.play is not None
        counters = self.play.counters
        ended = {
            "placed": placed, "refused": counters.refused, "turned_away": sum(self.play.turned_away.values()),
            "given_back": counters.given_back, "failed": len(counters.failed),
        }  # fmt: skip
        return {**ended, "unaccounted": self.play.played - sum(ended.values())}

    async def strike(self) -> None:
        self.stop()
        if self.play is not None:
            await self.play.close()
        await self.town.stop()


def cast(demo: Demo) -> Cast:
    """Five twins, each with dice of its own, so that one's luck does not move another's."""

    def dice(part: int) -> random.Random:
        return random.Random(demo.seed * 1_000 + part)

    return Cast(
        shop=ShopifyTwin(dice(1), time_factor=TIME_FACTOR, currency=CURRENCY),
        amazon=AmazonTwin(dice(2), time_factor=TIME_FACTOR, currency=CURRENCY),
        payments=StripeTwin(dice(3), time_factor=TIME_FACTOR),
        erp=TrytonTwin(dice(4), time_factor=TIME_FACTOR, currency=CURRENCY),
        warehouse=ShipStationTwin(dice(5), time_factor=TIME_FACTOR),
    )


def good(report: dict[str, Any]) -> bool:
    """Is everything zero that must be, at every fault level?"""
    must = [report[room][name] for room, names in MUST_BE_ZERO.items() for name in names]
    must.append(report["shoppers"]["unaccounted"])
    return not any(must) and report["verify"]["identical"] and report["settled"] and not report["failed_calls"]


def _spread(waits: Sequence[int]) -> dict[str, float]:
    """Milliseconds, of microseconds."""
    return dict(zip(("p50", "p99", "max"), percentiles(waits, 50, 99, 100), strict=True))
