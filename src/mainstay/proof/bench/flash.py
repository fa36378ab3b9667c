"""One flash sale in simulated time: the product's own door, core, delivery and connectors between imitations; only the way in which numbers
reach the channels differs. The buyers, and what they want when, are the same each time.

The channels that sell on their own are Shopify shops with the limits of life. Amazon's usage plan lets an application read one order in two
seconds: its part of 10,000 orders a minute would be heard of hours later.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from mainstay.connectors.shopify import Shopify
from mainstay.contract.connector import settings_of
from mainstay.contract.talk import Reply
from mainstay.delivery.connection import Lost
from mainstay.delivery.dispatch import Plan
from mainstay.flows.shop import Shop
from mainstay.flows.tell import statements_of
from mainstay.landscape import OPERATOR, Admission, Duties, read
from mainstay.model.commands import SetLevel
from mainstay.model.failures import Failure
from mainstay.model.secrets import Secret
from mainstay.model.times import SECOND
from mainstay.orders.policy import Policy
from mainstay.proof.access import LOCATION, PAYMENTS, SECRETS
from mainstay.proof.bench.running import domain
from mainstay.proof.history import CURRENCY
from mainstay.proof.sim.clockwork import Clockwork
from mainstay.proof.sim.machine import Fittings, Machine, own_time
from mainstay.proof.sim.story import T0
from mainstay.proof.sim.wires import Wires, url
from mainstay.proof.truth import believed
from mainstay.stock.view import ChannelPolicy
from mainstay.storage.database import rows
from mainstay.twins.imitation import Imitation, Weather
from mainstay.twins.shopify import ShopifyTwin

ASKS = "webshop"
SHOPS = ("shop_a", "shop_b", "shop_c")  # sell on their own: one is well, one stalls for a while, one has little rate budget
STALLS, SLOW = "shop_b", "shop_c"
PARTS = {ASKS: 0.2, "shop_a": 0.35, "shop_b": 0.25, "shop_c": 0.2}  # of the buyers
SLOW_FACTOR = 0.02  # its bucket fills at 2 points a second, as other apps take the rest; a call takes 10
STALL_S = 45.0
WEATHER = {"cut_after": 0.02, "error_before": 0.01, "duplicate": 0.01}
PER_SKU_PER_MIN = 20  # 10,000 orders a minute over 500 SKUs
UNITS = range(10, 71)
PRICES = range(900, 9_000)
BUYER = {"name": "Ada", "email": "ada@buyers.example", "street": "1 Road", "city": "Town", "postcode": "1", "country": "DE"}
BULK = 250
AGAIN_S = 5.0
REST_S_MAX = 900.0
OWNERSHIP = """
shop = { name = "Bench", currency = "EUR" }
systems.shop_a = { connector = "shopify", owner = "operations" }
systems.shop_b = { connector = "shopify", owner = "operations" }
systems.shop_c = { connector = "shopify", owner = "operations" }
systems.webshop = { connector = "api", owner = "operations" }
ownership.inventory.on_hand = { create = ["mainstay"] }
ownership.order.all = { create = ["shop_a", "shop_b", "shop_c", "webshop"] }
"""


class Wish(Struct, frozen=True):
    """A buyer who wants units of a SKU at a channel, `at` seconds after the opening."""

    at: float
    channel: str
    sku: str
    units: int


class Assortment(Struct, frozen=True):
    """What is for sale, and who wants it. All of it follows from the seed."""

    stock: Mapping[str, int]
    prices: Mapping[str, int]  # minor units
    wishes: Sequence[Wish]
    seconds: float


class Numbers(Struct, frozen=True):
    """How numbers reach the channels: told by dispatch, with a measured buffer or without; or computed and sent at fixed times."""

    chance: float | None = None
    every_s: float | None = None
    first_s: float = 0.0  # when the first of them goes, after the opening


class Sold(Struct):
    """How it ended, from the twins' books, the answers that the channel got that asks first, and what the core holds."""

    sold: dict[str, Counter[str]]  # channel -> units by SKU
    refused: Counter[str]  # units by SKU that a buyer wanted and no channel showed, while they were there
    short: Counter[str]  # channel -> units that were sold and cannot be delivered
    balanced: str  # empty: what the core holds agrees with the books
    calls: int
    delays_s: dict[str, float]


def assortment(skus: int, seconds: float, seed: int) -> Assortment:
    """Some SKUs are wanted more than others, and the shop does not know which."""
    dice = random.Random(seed)
    names = [f"SKU-{n:03d}" for n in range(skus)]
    wanted = [dice.lognormvariate(0, 0.5) for _ in names]
    count = int(skus * PER_SKU_PER_MIN * seconds / 60)
    chosen = dice.choices(names, wanted, k=count)
    where = dice.choices(list(PARTS), list(PARTS.values()), k=count)
    wishes = [
        Wish(n * seconds / count, channel, sku, 2 if dice.random() < 0.05 else 1)
        for n, (channel, sku) in enumerate(zip(where, chosen, strict=True))
    ]
    return Assortment({sku: dice.choice(UNITS) for sku in names}, {sku: dice.choice(PRICES) for sku in names}, wishes, seconds)


def fittings(numbers: Numbers) -> Fittings:
    """What the top floor would build of a landscape with these four channels."""
    connectors = {
        name: Shopify(
            settings_of(
                Shopify,
                {
                    "shop": domain(name),
                    "token": Secret(SECRETS["shop-token"]),
                    "webhook_secret": Secret(SECRETS["shop-secret"]),
                    "location": LOCATION,
                    "currency": CURRENCY,
                    "payment_system": PAYMENTS,
                    "url": url(name),
                },
            )  # fmt: skip
        )
        for name in SHOPS
    }
    own = {ASKS: statements_of, OPERATOR: statements_of, "mainstay": statements_of}
    shop = Shop(
        translate={**{name: one.translate for name, one in connectors.items()}, **own},
        policy=Policy(can={name: frozenset({"SetLevel"}) for name in SHOPS}, asks_first=frozenset({ASKS})),
        admission=Admission(read(OWNERSHIP, "mainstay.toml")),
        owner=lambda *_: "operations",
    )
    plan = Plan(
        connectors=connectors,
        channels={} if numbers.every_s else {name: name for name in SHOPS},
        polls={(name, feed): every_s for name in SHOPS for feed, every_s in (("orders", 300.0), ("inventory", 3600.0))},
        listen_s=60.0,
    )
    policies = {name: ChannelPolicy(channel=name, system=name, chance=numbers.chance) for name in SHOPS}
    policies[ASKS] = ChannelPolicy(channel=ASKS, system=ASKS, asks_first=True)
    tokens = {name: Secret(f"t-{name}") for name in (ASKS, OPERATOR)}
    return Fittings(shop, plan, policies, frozenset(), (), tokens, Duties(), connectors)


class Lines(Wires):
    """Wires on which a system may stall: it takes requests, and answers when it is well again, to whoever still waits."""

    stalled = ""
    well: asyncio.Event

    async def send(
        self, method: str, url: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        if self.stalled and f"//{self.stalled}." in url:
            try:
                await asyncio.wait_for(self.well.wait(), timeout_s)
            except TimeoutError:
                raise Lost(f"no answer from {self.stalled}") from None
        return await super().send(method, url, query, headers, body, timeout_s)


def hold(offered: Assortment, numbers: Numbers, place: Path, *, faults: bool = True) -> Sold:
    """The sale from its opening to its end, in an empty folder."""
    with own_time() as loop:
        sale = _Sale(offered, numbers, place, loop, faults)
        try:
            return loop.run_until_complete(sale.run())
        finally:
            sale.machine.crash()


class _Sale:
    def __init__(self, offered: Assortment, numbers: Numbers, place: Path, loop: Clockwork, faults: bool) -> None:
        self.offered, self.numbers, self.loop, self.faults = offered, numbers, loop, faults
        self.twins: dict[str, ShopifyTwin] = {}
        for n, name in enumerate(SHOPS, 1):
            self.twins[name] = ShopifyTwin(random.Random(n), shop=domain(name), first_id=n * 100_000_001)
            for sku, price in offered.prices.items():
                self.twins[name].add_product(sku, sku, price, 0, T0)
        named: dict[str, Imitation] = dict(self.twins)
        self.wires = Lines(named, self.clock, random.Random(11))
        self.machine = Machine(place, fittings(numbers), self.wires, self.clock, random.Random(12), 64, lambda _machine: None)
        self.wires.deliver = self.machine.hook
        self.sold: dict[str, Counter[str]] = {name: Counter() for name in PARTS}
        self.refused: Counter[str] = Counter()
        self._asking: set[asyncio.Task[None]] = set()
        self._number = 0

    def clock(self) -> int:
        return T0 + int(self.loop.time() * SECOND)

    async def run(self) -> Sold:
        self.machine.start()
        await self._count()
        await self._open()
        background = []
        if self.faults:
            for twin in self.twins.values():
                twin.weather = Weather(WEATHER)
            self.twins[SLOW].time_factor = SLOW_FACTOR
            background.append(asyncio.ensure_future(self._stall()))
        if self.numbers.every_s:
            background.append(asyncio.ensure_future(self._send_at_times(self.numbers.every_s)))
        opened = self.loop.time()
        for wish in self.offered.wishes:
            if (pause := opened + wish.at - self.loop.time()) > 0:
                await asyncio.sleep(pause)
            self._buys(wish)
        await asyncio.sleep(max(0.0, opened + self.offered.seconds - self.loop.time()))
        for one in background:
            one.cancel()
        delays = {name: self.machine.exposure.delay_s(name) for name in SHOPS if self.numbers.chance}
        await self._rest()
        return self._ended(delays)

    # --- before -------------------------------------------------------------------------------------------------------
    async def _count(self) -> None:
        counted = [
            {"event": {"event": "StockCounted", "external": f"count.{sku}", "item": sku, "sku": sku, "quantity": units, "at": self.clock()}}
            for sku, units in self.offered.stock.items()
        ]
        status, answer = await self.machine.ask(OPERATOR, "POST", "/v1/statements", {"statements": counted})
        assert status == 200 and all(one["ended"] == "applied" for one in answer["statements"]), answer

    async def _open(self) -> None:
        """All channels show what is there: every policy begins with the same numbers."""
        if self.numbers.every_s:
            while not all(self._commands(name) for name in SHOPS):
                await asyncio.sleep(1)
            await asyncio.gather(*(self._send(name) for name in SHOPS))
        for _ in range(600):
            if all(twin.available(sku) == units for twin in self.twins.values() for sku, units in self.offered.stock.items()):
                return
            await asyncio.sleep(1)
        raise AssertionError("the channels were not told their opening numbers")

    # --- what goes on -------------------------------------------------------------------------------------------------
    async def _stall(self) -> None:
        await asyncio.sleep(self.offered.seconds / 4)
        self.wires.stalled, self.wires.well = STALLS, asyncio.Event()
        await asyncio.sleep(STALL_S)
        self.wires.stalled = ""
        self.wires.well.set()

    async def _send_at_times(self, every_s: float) -> None:
        await asyncio.sleep(self.numbers.first_s)
        while True:
            sending = [asyncio.ensure_future(self._send(name)) for name in SHOPS]
            await asyncio.sleep(every_s)
            for one in sending:
                one.cancel()

    async def _send(self, name: str) -> None:
        """All numbers of a channel, computed now, until they are there."""
        commands, connection = self._commands(name), self.machine.dispatch.connections[name]
        for start in range(0, len(commands), BULK):
            while True:
                try:
                    await connection.hold(connection.connector.push(commands[start : start + BULK]))
                    break
                except Failure:
                    await asyncio.sleep(AGAIN_S)

    def _commands(self, name: str) -> list[SetLevel]:
        """A channel's numbers as they are now; none while it is not known what it calls the items."""
        self._number += 1
        items = [(number, self._number) for (number,) in rows(self.machine.state.connection, "SELECT id FROM item ORDER BY id")]
        found = self.machine.propagate.levels(name, items)
        return [one for one in found if one] if all(found) else []

    def _buys(self, wish: Wish) -> None:
        if wish.channel == ASKS:
            asking = asyncio.ensure_future(self._asks(wish))
            self._asking.add(asking)
            asking.add_done_callback(self._asking.discard)
            return
        lines = [(wish.sku, wish.units)]
        if self.twins[wish.channel].place_order(lines, now=self.clock(), customer=BUYER, currency=CURRENCY) is None:
            self._turned_away(wish)
        else:
            self.sold[wish.channel][wish.sku] += wish.units
        self.wires.pump(wish.channel)

    async def _asks(self, wish: Wish) -> None:
        self._number += 1
        name = f"sale-{self._number}"
        body = {"lines": [{"sku": wish.sku, "quantity": wish.units}], "expires_in_s": 90}
        status, answer = await self.machine.ask(ASKS, "POST", "/v1/reservations", body, name)
        if status == 409:
            self._turned_away(wish)
            return
        assert status == 201, answer
        price = self.offered.prices[wish.sku]
        order = {
            "number": name, "currency": CURRENCY, "placed_at": self.clock(), "total": price * wish.units, "payment": "captured",
            "lines": [{"id": "1", "sku": wish.sku, "quantity": wish.units, "price": price}],
        }  # fmt: skip
        path = f"/v1/reservations/{answer['reservation']}/confirm"
        status, answer = await self.machine.ask(ASKS, "POST", path, {"external": name, "order": order})
        assert status == 201, answer
        self.sold[ASKS][wish.sku] += wish.units

    def _turned_away(self, wish: Wish) -> None:
        there = self.offered.stock[wish.sku] - sum(one[wish.sku] for one in self.sold.values())
        self.refused[wish.sku] += max(0, min(there, wish.units))

    # --- after --------------------------------------------------------------------------------------------------------
    async def _rest(self) -> None:
        """Until the core has heard of every order."""
        for twin in self.twins.values():
            twin.weather, twin.time_factor = Weather(), 1.0
        ends = self.loop.time() + REST_S_MAX
        while self._asking or self.machine.behind() or any(twin.undelivered for twin in self.twins.values()):
            assert self.loop.time() < ends, "it does not come to rest"
            await asyncio.sleep(5)

    def _ended(self, delays: dict[str, float]) -> Sold:
        orders = believed(self.machine.state)
        short: Counter[str] = Counter()
        for one in orders.values():
            short[one.system] += sum(one.short.values())
        return Sold(self.sold, self.refused, short, "; ".join(self._unbalanced(len(orders))), self._calls(), delays)

    def _calls(self) -> int:
        return sum(twin.calls["inventorySetQuantities"] for twin in self.twins.values())

    def _unbalanced(self, orders: int) -> Iterator[str]:
        """What does not add up between the books of the channels and the core's ledger."""
        state = self.machine.state
        placed = sum(len(twin.orders) for twin in self.twins.values())
        asked = rows(state.connection, "SELECT count(*) FROM reservation WHERE status = 'consumed'")[0][0]
        if orders != placed + asked:
            yield f"{placed} orders in the shops and {asked} confirmed, {orders} in the core"
        skus = dict(rows(state.connection, "SELECT id, sku FROM item"))
        missing: Counter[str] = Counter()
        for one in believed(state).values():
            missing.update({skus[item]: units for item, units in one.short.items()})
        for number, on_hand, allocated in rows(state.connection, "SELECT id / 256, on_hand, allocated FROM stock"):
            sku = skus[number]
            sold = sum(one[sku] for one in self.sold.values())
            if on_hand != self.offered.stock[sku] or allocated != min(sold, on_hand) or missing[sku] != max(0, sold - on_hand):
                yield f"{sku}: {on_hand} there, {sold} sold, {allocated} allocated, {missing[sku]} missing"
