"""What people and machines do in a history, drawn from a seed as data: a list of acts that can be shortened and read."""

from __future__ import annotations

import random
from collections.abc import Mapping

from msgspec import Struct

PRICES = (990, 1450, 2399, 3100, 4999, 899)
SILENCE = "silence"  # the scenario in which subscriptions are lost and feeds are hardly read
EVENTS: Mapping[str, str] = {
    "shop": "orders",
    "amazon": "orders",
    "payments": "events",
    "warehouse": "shipments",
}  # the feed that events hasten
STORY_S = 900  # acts happen within a quarter of an hour
FAULTS = (
    "throttled", "error_before", "error_after", "cut_before", "cut_after", "lingering", "partial", "duplicate", "late", "reordered", "lost",
    "unsubscribed", "garbled",
)  # fmt: skip
BEFALLS = ("crash", "crash in a call", "outage", "unreachable", "cut_by_outage")  # us, and the lines; acts bring them
KINDS: Mapping[str, float] = {  # how often each act is drawn, relative to the others
    "shop buys": 6, "amazon buys": 5, "webshop buys": 4, "till sells": 4, "buyer cancels": 2, "money back": 2, "goods arrive": 2,
    "count": 2, "warehouse packs": 6, "operator retries": 1, "crash": 1, "outage": 1, "abandons": 1, "operator repairs": 1,
    "goods come back": 5, "goodwill": 3, "price changes": 2, "buyer is erased": 2, "operator holds back": 1, "operator replays": 1,
    "gift card pays": 2, "staff captures": 1, "authorisation expires": 1, "card holder contests": 1, "buys abroad": 2,
    "product is renamed": 1, "units are moved": 2, "account is edited": 1, "accounts are merged": 2, "order changes hands": 1,
    "too much back": 1, "refunded at once": 2, "mapping is wrong": 1,
    "one item in two lines": 2, "one of a kind": 1, "cart of before": 1, "part is cancelled": 2, "buyer moves": 2, "bundle": 1,
}  # fmt: skip

TAKING = ("count", "units are moved")  # what takes away what was promised
SCENARIOS: dict[str, Mapping[str, float]] = {  # name -> the acts that it is made of; the nameless one is made of all
    "": KINDS,
    "flash sale": {"shop buys": 6, "amazon buys": 6, "webshop buys": 6, "till sells": 6, "abandons": 2},
    "crashes": {"shop buys": 4, "amazon buys": 3, "webshop buys": 3, "till sells": 2, "warehouse packs": 4, "crash": 6},
    "outages": {"shop buys": 4, "amazon buys": 3, "webshop buys": 3, "warehouse packs": 4, "outage": 6},
    "clogs": {
        "shop buys": 5, "amazon buys": 4, "webshop buys": 4, "till sells": 2, "warehouse packs": 5, "buyer cancels": 2, "goods arrive": 2,
        "price changes": 1, "crash": 1, "links clog": 5,
    },
    "second thoughts": {
        "shop buys": 4, "amazon buys": 3, "webshop buys": 2, "warehouse packs": 3, "buyer cancels": 5, "money back": 3, "goodwill": 2,
    },
    "returns": {"shop buys": 6, "warehouse packs": 5, "goods come back": 6, "goodwill": 2, "money back": 1, "count": 1},
    "the last one": {
        "shop buys": 2, "all want one": 6, "warehouse packs": 4, "buyer cancels": 3, "exchange": 3, "goods arrive": 2, "crash": 1,
    },
    "forgotten": {"shop buys": 6, "warehouse packs": 6, "buyer is erased": 5, "goods come back": 3, "crash": 1},
    "prices": {"shop buys": 5, "amazon buys": 4, "webshop buys": 3, "warehouse packs": 3, "price changes": 6, "outage": 1},
    "power cuts": {kind: often for kind, often in KINDS.items() if kind not in ("crash", *TAKING)},
    "silence": {"shop buys": 6, "amazon buys": 5, "webshop buys": 2, "warehouse packs": 6, "buyer cancels": 3, "money back": 2},
    "clocks": {
        "shop buys": 5, "amazon buys": 4, "webshop buys": 5, "till sells": 3, "warehouse packs": 5, "abandons": 3, "outage": 1,
        "crash": 1, "clock is set": 6,
    },
    "held back": {
        "shop buys": 5, "amazon buys": 4, "webshop buys": 3, "till sells": 2, "warehouse packs": 4, "buyer cancels": 1, "crash": 1,
        "operator holds back": 6, "operator replays": 3, "operator retries": 2,
    },
    "money": {
        "shop buys": 3, "gift card pays": 6, "warehouse packs": 5, "goods come back": 4, "buyer cancels": 2, "goodwill": 1, "crash": 1,
        "staff captures": 3, "authorisation expires": 2, "card holder contests": 3, "buys abroad": 4, "money back": 3,
    },
    "refunds": {
        "shop buys": 3, "gift card pays": 2, "buys abroad": 2, "warehouse packs": 4, "money back": 4, "too much back": 3,
        "refunded at once": 12, "goods come back": 3, "goodwill": 2, "part is cancelled": 1, "buyer cancels": 1, "goods arrive": 5,
        "crash": 1,
    },
    "goods": {
        "shop buys": 3, "amazon buys": 2, "webshop buys": 2, "warehouse packs": 4, "goods come back": 2, "goods arrive": 2, "count": 1,
        "crash": 1, "one item in two lines": 4, "one of a kind": 2, "cart of before": 3, "part is cancelled": 4, "bundle": 4,
    },
    "edits": {
        "shop buys": 5, "amazon buys": 3, "one item in two lines": 3, "warehouse packs": 3, "part is cancelled": 8, "buyer cancels": 1,
        "goods come back": 1, "goods arrive": 1, "crash": 1,
    },
    "mappings": {
        "shop buys": 8, "amazon buys": 2, "webshop buys": 2, "till sells": 1, "warehouse packs": 4, "goods arrive": 6, "count": 4,
        "buyer cancels": 1, "crash": 1, "mapping is wrong": 6, "account is edited": 4,
    },
    "moves": {
        "shop buys": 6, "warehouse packs": 4, "buyer moves": 8, "part is cancelled": 2, "buyer cancels": 1, "goods arrive": 2, "crash": 1,
    },
    "late": {
        "shop buys": 3, "amazon buys": 8, "webshop buys": 2, "warehouse packs": 3, "sent by hand": 6, "marketplace is connected": 2,
        "buyer cancels": 3, "part is cancelled": 1, "price changes": 1, "goods arrive": 2, "operator replays": 1, "outage": 1, "crash": 1,
    },
    "late books": {
        "shop buys": 8, "amazon buys": 3, "webshop buys": 4, "till sells": 2, "warehouse packs": 7, "ERP is connected": 5,
        "buyer cancels": 1, "price changes": 1, "goods come back": 5, "goods arrive": 5, "count": 2, "outage": 1, "crash": 1,
    },
    "weeks": {
        "shop buys": 6, "amazon buys": 3, "webshop buys": 3, "warehouse packs": 3, "rest leaves late": 8, "part is cancelled": 1,
        "goods come back": 2, "goods arrive": 2, "price changes": 1, "buyer cancels": 1, "authorisation expires": 1, "crash": 1,
    },
    "stores": {
        "shop buys": 4, "amazon buys": 2, "webshop buys": 3, "till sells": 4, "units are moved": 8, "warehouse packs": 4,
        "goods come back": 2, "buyer cancels": 1, "goods arrive": 2, "count": 1, "outage": 1, "crash": 1,
    },
    "split orders": {
        "shop buys": 8, "amazon buys": 4, "webshop buys": 3, "till sells": 2, "one store packs": 8, "part is cancelled": 8,
        "buyer cancels": 2, "buyer moves": 2, "goods come back": 2, "units are moved": 3, "goods arrive": 3, "count": 1, "outage": 1,
        "crash": 1,
    },
    "accounts": {
        "shop buys": 8, "warehouse packs": 5, "goods arrive": 4, "account is edited": 1, "accounts are merged": 3, "order changes hands": 3,
        "buyer is erased": 5, "buyer cancels": 3, "buyer moves": 1, "goods come back": 1, "crash": 1,
    },
    "in bulk": {
        "shop buys": 6, "amazon buys": 6, "webshop buys": 6, "warehouse packs": 3, "buyer cancels": 2, "a lorry arrives": 8,
        "price changes": 2, "count": 1, "outage": 1, "crash": 1,
    },
    "counts": {"shop buys": 4, "webshop buys": 4, "till sells": 3, "warehouse packs": 3, "goods arrive": 3, "count": 6},
    "small shops": {**KINDS, "part is cancelled": 6, "goods arrive": 4},
}  # fmt: skip
WEEKS = "weeks"  # the scenario that lasts for weeks, in which what can be told is hardly asked for
STORIES_S = {WEEKS: 10 * 86_400}  # how long a history lasts, where it is not STORY_S
APART = {"late": "amazon", "late books": "erp"}  # scenarios in the middle of which a system is connected
BOTH = " + "  # between the names of variants
IN_BULK = "in bulk"  # the scenario in which what is told to the marketplace goes as feeds
LACKING: Mapping[str, str] = {  # variants of the landscape that lack one of its systems
    "no marketplace": "amazon", "no payment provider": "payments", "no ERP": "erp", "no warehouse": "warehouse",
}  # fmt: skip
HOMES = {  # scenarios that need a landscape of their own
    "small shops": (*LACKING, BOTH.join(("no ERP", "no warehouse")), BOTH.join(LACKING)),
    "stores": ("two stores",), "split orders": ("orders leave from two stores",), "late books": ("the till counts, too",),
}  # fmt: skip


class Act(Struct, frozen=True):
    """Something that happens at `at` seconds. `luck` decides what of it is left open, so that other acts do not move it."""

    at: float
    kind: str
    luck: int

    def dice(self) -> random.Random:
        return random.Random(self.luck)

    def __str__(self) -> str:
        return f"{self.at:6.1f} s  {self.kind} ({self.luck})"


class Swarm(Struct, frozen=True):
    """What one seed runs on."""

    seed: int
    landscape: str  # the name of a variant
    weather: dict[str, dict[str, float]]  # twin -> fault -> probability
    stock: dict[str, int]  # opening stock by SKU
    batch_max: int
    acts: tuple[Act, ...]
    scenario: str = ""


def draw(seed: int, landscapes: tuple[str, ...], twins: tuple[str, ...], kinds: Mapping[str, float], scenario: str = "") -> Swarm:
    """The swarm of a seed: which faults there are at all differs, and how often. In silence subscriptions go, often, and nothing else is
    lost on the way, for nobody would read it, nor breaks off where a payment is told: its order would be cancelled before it is repaired.
    In bulk, answers are lost more often."""
    dice, silent = random.Random(seed), scenario == SILENCE
    weather: dict[str, dict[str, float]] = {}
    calm = dice.random() < 0.15
    for twin in twins:
        some = [fault for fault in FAULTS if not calm and dice.random() < 0.4]
        weather[twin] = {fault: dice.choice((0.02, 0.1, 0.3)) for fault in some}
        if "unsubscribed" in weather[twin]:
            weather[twin]["unsubscribed"] = 0.02
        if silent:
            weather[twin].pop("lost", None)
        if silent and twin == "payments":
            weather[twin].pop("garbled", None)
        if silent and twin in EVENTS:
            weather[twin]["unsubscribed"] = dice.choice((0.1, 0.3))
    if scenario == IN_BULK:
        weather["amazon"] |= {fault: dice.choice((0.1, 0.3)) for fault in ("error_after", "cut_after")}
    plenty = dice.choice((1, 1, 4))
    stock = {f"SKU-{n}": plenty * dice.choice((0, 1, 1, 2, 3, 5, 9)) for n in range(dice.randrange(2, 5))}
    weights = {kind: weight * dice.choice((0, 0.5, 1, 1, 3)) for kind, weight in kinds.items()}
    weights["shop buys"] = weights["shop buys"] or 1
    drawn = dice.choices(list(weights), list(weights.values()), k=dice.randrange(4, 20))
    lasts = STORIES_S.get(scenario, STORY_S)
    acts = tuple(sorted((Act(round(dice.random() * lasts, 1), kind, dice.randrange(2**31)) for kind in drawn), key=lambda act: act.at))
    landscape = dice.choice(landscapes)
    if not scenario:
        landscape = _with_others(landscape, landscapes, random.Random(f"landscape {seed}"))
        landscape = _lacking(landscape, random.Random(f"lacking {seed}"))
    return Swarm(seed, landscape, weather, stock, dice.choice((1, 3, 16, 64)), acts, scenario)


def _lacking(landscape: str, dice: random.Random) -> str:
    """One shop in four lacks some of the systems."""
    lacks = dice.choices(list(LACKING), k=dice.choice((1, 1, 2))) if dice.random() < 0.25 else []
    return BOTH.join([landscape, *sorted(set(lacks))])


def _with_others(landscape: str, landscapes: tuple[str, ...], dice: random.Random) -> str:
    """What one to three variants declare otherwise, in the order in which they are listed."""
    drawn = {landscape, *dice.choices(landscapes, k=dice.randrange(3))}
    return BOTH.join(name for name in landscapes if name in drawn)
