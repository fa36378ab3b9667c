"""Plays a story through the town: shoppers, channels that ask first, the warehouse, stock that arrives in the ERP. Keeps no counts of
its own about Mainstay: what happened is in the books of the twins and of the counters."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import aiohttp
from msgspec import Struct, field

from mainstay.model.money import minor
from mainstay.model.times import SECOND
from mainstay.proof.history import CURRENCY, RETURNS, Story, Wish
from mainstay.proof.town import Town
from mainstay.twins.amazon import AmazonTwin
from mainstay.twins.shipstation import ShipStationTwin
from mainstay.twins.shopify import ShopifyTwin
from mainstay.twins.stripe import StripeTwin
from mainstay.twins.tryton import TrytonTwin

PACK_S = 0.4  # the warehouse looks for new work this often
SPLIT = 0.1  # part of the parcels with several units that leave in two
ABANDON = 0.05  # part of the reservations that are given back
ARRIVALS = 12  # deliveries of goods that the ERP books during the play
ASK_S_MAX = 20.0
RETRIES_MAX = 2  # of one dead letter


class Sale(Struct):
    """What a counter of ours (web shop, till) sold, in its own book."""

    id: str
    channel: str
    lines: list[tuple[str, int]]
    total: int
    intent: str
    handed_over: bool
    cancelled: bool = False


class Counters(Struct):
    """The books of the channels that ask first."""

    sales: dict[str, Sale] = field(default_factory=dict)
    refused: int = 0
    given_back: int = 0
    over: set[str] = field(default_factory=set)  # orders that were over at a marketplace before it was connected
    before: set[str] = field(default_factory=set)  # orders that had left as a whole before there was an ERP to book them, by our id
    connected_at: int = 0  # when it came, in microseconds
    lacks: frozenset[str] = frozenset()  # parts of the cast that this shop does not have
    failed: list[str] = field(default_factory=list)


class Cast(Struct):
    """The twins by their part."""

    shop: ShopifyTwin
    amazon: AmazonTwin
    payments: StripeTwin
    erp: TrytonTwin
    warehouse: ShipStationTwin


class Play:
    """One performance. `base` is Mainstay's URL; `tokens` are those of the channels that call its API."""

    tries_max = 40  # of one call

    def __init__(
        self, story: Story, cast: Cast, town: Town, base: str, tokens: dict[str, str], clock: Callable[[], int], seed: int
    ) -> None:
        self.story, self.cast, self.town, self.base, self.tokens, self.clock, self.seed = story, cast, town, base, tokens, clock, seed
        self.dice = random.Random(seed + 2)  # of the goods that arrive
        self.counters = Counters()
        self.played = 0
        self.turned_away: Counter[str] = Counter()  # by a marketplace's own listing, before it became an order
        self.wish_of: dict[str, str] = {}  # order -> the wish that it came from
        self._packed: dict[str, int] = {}  # release -> when it will be shipped
        self.retried: Counter[str] = Counter()  # dead letters that the operator tried again, by effect
        self._split: set[str] = set()
        self._returning: list[int] = []  # orders of the shop of which a unit will come back
        self._asking: set[asyncio.Task[None]] = set()
        self.client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64), timeout=aiohttp.ClientTimeout(total=ASK_S_MAX))

    def luck(self, what: str) -> random.Random:
        """The dice of one order, whatever happens to the others: two performances of a story differ in time alone."""
        return random.Random(f"{self.seed}/{what}")

    def set_the_stage(self) -> None:
        """Products and opening stock. Only the ERP knows what is on the shelf; the channels must learn it from Mainstay."""
        now = self.clock()
        for product in self.story.products:
            self.cast.erp.add_product(product.sku, product.stock, product.price)
            self.cast.shop.add_product(product.sku, product.title, product.price, 0, now)
            self.cast.amazon.add_listing(product.sku, product.price, 0)

    async def perform(self, rate_per_min: float) -> None:
        """Send every shopper at the moment that the rate gives, late or not; goods arrive in the ERP meanwhile."""
        started = self.clock()
        pause = 60 / rate_per_min * SECOND
        arrivals = {len(self.story.wishes) * n // (ARRIVALS + 1) for n in range(1, ARRIVALS + 1)}
        for number, wish in enumerate(self.story.wishes):
            due = started + int(number * pause)
            await self.turn(number, due)
            if number in arrivals:
                self._goods_arrive()
            self._send(wish)
            self.played += 1
        if self._asking:
            await asyncio.wait(self._asking)

    async def turn(self, number: int, due: int) -> None:
        """Wait until a shopper's turn has come, in microseconds."""
        if (early := due - self.clock()) > 0:
            await asyncio.sleep(early / SECOND)

    def _goods_arrive(self) -> None:
        product = self.story.products[self.dice.randrange(0, len(self.story.products))]
        self.cast.erp.move(product.sku, self.dice.randrange(1, 4), "supplier", self.clock())

    # --- shoppers ----------------------------------------------------------------------------------------------------
    def _send(self, wish: Wish) -> None:
        if wish.channel == "shop":
            self._at_the_shop(wish)
        elif wish.channel == "amazon":
            self._at_amazon(wish)
        else:
            asking = asyncio.create_task(self._ask_first(wish))
            self._asking.add(asking)
            asking.add_done_callback(self._asking.discard)

    def _at_the_shop(self, wish: Wish) -> None:
        now = self.clock()
        if any(self.cast.shop.available(sku) < units for sku, units in wish.lines):
            self.turned_away["shop"] += 1
            return
        intent = self.cast.payments.authorise(self._total(wish), CURRENCY, "", now)["id"]
        order = self.cast.shop.place_order(
            wish.lines, now=now, customer=wish.buyer, payment_intent=intent, shipping_minor=wish.shipping, currency=CURRENCY
        )
        assert order is not None
        self.wish_of[f"ord.shop.{order['id']}"] = wish.id
        luck = self.luck(wish.id)
        if luck.random() < RETURNS:
            self._returning.append(order["id"])
        if wish.cancelled:
            delay = 0.2 + luck.random() * 2
            asyncio.get_running_loop().call_later(delay, lambda: self.cast.shop.cancel_order(order["id"], now=self.clock()))

    def _at_amazon(self, wish: Wish) -> None:
        order = self.cast.amazon.place_order(
            wish.lines, now=self.clock(), buyer=wish.buyer, currency=CURRENCY, shipping_minor=wish.shipping,
            tax_minor=sum(wish.prices[sku] * units for sku, units in wish.lines) // 20,
        )  # fmt: skip
        if order is None:
            self.turned_away["amazon"] += 1
        else:
            self.wish_of[f"ord.amazon.{order['orderId']}"] = wish.id

    def _total(self, wish: Wish) -> int:
        return sum(wish.prices[sku] * units for sku, units in wish.lines) + wish.shipping

    # --- channels that ask first -------------------------------------------------------------------------------------
    async def _ask_first(self, wish: Wish) -> None:
        """Reserve, let the buyer pay, hand the order over. Every call is repeated under its key until it is answered."""
        body = {"lines": [{"sku": sku, "quantity": units} for sku, units in wish.lines], "expires_in_s": 300}
        status, answer = await self._call(wish, "/v1/reservations", body, key=wish.id)
        if status == 409:
            self.counters.refused += 1
            return
        if status not in (200, 201):
            self.counters.failed.append(f"{wish.id}: reserve answered {status} {answer}")
            return
        reservation = str(answer["reservation"])
        if self.luck(wish.id).random() < ABANDON:
            await self._call(wish, f"/v1/reservations/{reservation}/release", {})
            self.counters.given_back += 1
            return
        await self._confirm(wish, reservation)

    async def _confirm(self, wish: Wish, reservation: str) -> None:
        now, total, at_till = self.clock(), self._total(wish), wish.channel == "till"
        shipping = 0 if at_till else wish.shipping
        total = total - wish.shipping + shipping
        intent = "" if at_till else self.cast.payments.authorise(total, CURRENCY, "", now)["id"]
        lines = [{"id": str(n + 1), "sku": sku, "quantity": units, "price": wish.prices[sku]} for n, (sku, units) in enumerate(wish.lines)]
        order = {
            "number": wish.id.upper(), "currency": CURRENCY, "placed_at": now, "lines": lines, "total": total, "shipping": shipping,
            "payment": "captured" if at_till else "authorised",
            "payments": [{"kind": "payment", "id": intent, "system": "payments"}] if intent else [],
        }  # fmt: skip
        address = {field: wish.buyer[field] for field in ("name", "street", "city", "region", "postcode", "country")}
        person = {"name": wish.buyer["name"], "email": wish.buyer["email"], "shipping": address}
        body = {"external": wish.id, "version": now, "order": order, "person": person, "handed_over": at_till}
        status, answer = await self._call(wish, f"/v1/reservations/{reservation}/confirm", body)
        if status in (200, 201):
            self.counters.sales[wish.id] = Sale(wish.id, wish.channel, wish.lines, total, intent, at_till)
        elif status == 409:
            self.counters.refused += 1
        else:
            self.counters.failed.append(f"{wish.id}: confirm answered {status} {answer}")

    async def _call(self, wish: Wish, path: str, body: dict[str, object], key: str = "") -> tuple[int, dict[str, object]]:
        headers = {"authorization": f"Bearer {self.tokens[wish.channel]}", **({"idempotency-key": key} if key else {})}
        for attempt in range(self.tries_max):
            try:
                async with self.client.post(self.base + path, json=body, headers=headers) as answer:
                    if answer.status not in (500, 502, 503, 504):
                        return answer.status, await answer.json(content_type=None)
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(min(2.0, 0.05 * 2 ** min(attempt, 10)))
        return 0, {}

    # --- the warehouse -----------------------------------------------------------------------------------------------
    async def work_in_the_warehouse(self) -> None:
        """Pick, pack and hand over what was released, a little later; some orders leave in two parcels."""
        while True:
            self.pack()
            self.take_back()
            await asyncio.sleep(PACK_S)

    def pack(self) -> None:
        now, warehouse = self.clock(), self.cast.warehouse
        for release, order in warehouse.released.items():
            if release not in self._packed:
                self._packed[release] = now + int((0.3 + self.luck(self._named(release)).random() * 1.5) * SECOND)
            due = self._packed[release]
            if not due or due > now:
                continue
            if order["orderStatus"] != "awaiting_shipment":
                if order["orderStatus"] in ("shipped", "cancelled"):
                    self._packed[release] = 0
                continue
            units = {item["lineItemKey"]: item["quantity"] for item in order["items"]}
            parcel = self.luck(f"{self._named(release)}/{int(release in self._split)}")
            if sum(units.values()) > 1 and release not in self._split and parcel.random() < SPLIT:
                self._split.add(release)
                first = next(iter(units))
                warehouse.ship(release, now, lines={first: 1}, tracking=_tracking(parcel))
                self._packed[release] = now + int(0.8 * SECOND)
                continue
            warehouse.ship(release, now, tracking=_tracking(parcel))
            self._packed[release] = 0

    def take_back(self) -> None:
        """One unit comes back of each order that is to send one back, as soon as it has left and been paid: the shop gives the money
        back through the payment provider, and says whether the unit goes back on the shelf."""
        now, shop, payments = self.clock(), self.cast.shop, self.cast.payments
        for number in list(self._returning):
            order = shop.orders[number]
            intent = next(note["value"] for note in order["note_attributes"] if note["name"] == "payment_intent")
            if order["fulfillment_status"] != "fulfilled" or not payments.refundable(intent):
                continue
            self._returning.remove(number)
            line = order["line_items"][0]
            luck = self.luck(self.wish_of[f"ord.shop.{number}"] + "/return")
            freight = minor(order["shipping_lines"][0]["price"], CURRENCY) if luck.random() < 0.3 else 0
            amount, restock = minor(line["price"], CURRENCY) + freight, "return" if luck.random() < 0.5 else "no_restock"
            payments.refund(intent, amount, now)
            shop.refund(number, now=now, amount_minor=amount, lines=[(line["sku"], 1)], restock=restock)

    def _named(self, release: str) -> str:
        """A release by the wish that it is of: `rel.shop.5000017.1` is `demo-0000042.1`."""
        order, _, number = release.removeprefix("rel.").rpartition(".")
        return f"{self.wish_of.get(f'ord.{order}', order)}.{number}"

    @property
    def packing(self) -> int:
        """Releases that have not left yet."""
        done = sum(1 for due in self._packed.values() if due == 0)
        return len(self.cast.warehouse.released) - done

    # --- people ------------------------------------------------------------------------------------------------------
    async def repair(self, token: str) -> None:
        """An operator looks at the open dead letters and tries each effect again, twice at the most."""
        headers = {"authorization": f"Bearer {token}"}
        async with self.client.get(f"{self.base}/v1/deadletters", headers=headers) as answer:
            letters = await answer.json()
        for letter in letters:
            effect = str(letter.get("key", "")).split(".again.")[0] or str(letter["id"])
            if letter["topic"] == "mainstay/outcome" and self.retried[effect] < RETRIES_MAX:
                self.retried[effect] += 1
                url = f"{self.base}/v1/deadletters/{letter['id']}/retry"
                async with self.client.post(url, json={"by": "the demo's operator"}, headers=headers) as done:
                    await done.read()

    async def close(self) -> None:
        await self.client.close()


def _tracking(luck: random.Random) -> str:
    return f"BR{luck.randrange(10**9, 10**10)}"
