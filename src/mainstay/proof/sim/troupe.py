"""Performs acts on the twins and at Mainstay's doors. Keeps the books of the channels that ask first; the rest stands in the twins'."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

from mainstay.model.money import minor
from mainstay.model.times import DAY, HOUR
from mainstay.proof import bills
from mainstay.proof.books import placed
from mainstay.proof.history import CURRENCY
from mainstay.proof.play import Cast, Counters, Sale
from mainstay.proof.sim.acts import PRICES, Act
from mainstay.proof.sim.machine import Machine
from mainstay.proof.sim.views import unlike_letters, unlike_pauses
from mainstay.proof.sim.wires import Wires

BUYER = {
    "name": "Ada Lovelace", "email": "ada@buyers.example", "phone": "", "street": "Rua 1", "city": "sao paulo", "region": "SP",
    "postcode": "01000", "country": "BR",
}  # fmt: skip
RATES = {"EUR": Decimal("0.16"), "JPY": Decimal("27.3"), "KWD": Decimal("0.0551")}  # what one unit of the shop's currency is in them
TITLES = ("Tasse „Größe“", "カップ", "Чашка", "كوب", "马克杯", "Mug\u00a0№ 1 ☕")
TRIES_MAX = 12
RETRIES_MAX = 4
OUTAGE_S_MAX = 400
CRASH_S_MAX = 120.0  # so long a crash waits for the call in which it is to come
CLOCK_S_MAX = 600


class Troupe:
    """Who acts. `restart` ends the machine as a crash does and starts it again after some seconds."""

    def __init__(self, cast: Cast, wires: Wires, clock: Callable[[], int], skus: tuple[str, ...], machine: Callable[[], Machine]) -> None:
        self.cast, self.wires, self.clock, self.skus, self.machine = cast, wires, clock, skus, machine
        self.counters = Counters()
        self.played: Counter[str] = Counter()
        self.retried: Counter[str] = Counter()
        self.held: Counter[str] = Counter()  # targets that somebody holds back just now
        self.jobs: dict[int, str] = {}  # that were begun, by number: what they do
        self.misread: list[str] = []  # what operators were shown otherwise than it is
        self._numbers = 0
        self.price = dict(zip(skus, PRICES, strict=False))
        self.opened: dict[str, int] = {}  # what is sold, with what was there of it when it began

    async def perform(self, act: Act) -> None:
        """One act; what cannot happen now (nothing to cancel, nothing to pack) does not happen."""
        done = _ACTS[act.kind](self, act.dice())
        if asyncio.iscoroutine(done):
            done = await done
        if done is not False:
            self.played[act.kind] += 1
        for name in self.wires.twins:
            self.wires.pump(name)

    def open(self, stock: dict[str, int]) -> None:
        """Products; only the ERP knows what is on the shelf."""
        now = self.clock()
        for sku, units in stock.items():
            self.opened[sku] = units
            self.cast.erp.add_product(sku, units, self.price[sku])
            self.cast.shop.add_product(sku, sku, self.price[sku], 0, now)
            self.cast.amazon.add_listing(sku, self.price[sku], 0)

    # --- buyers ------------------------------------------------------------------------------------------------------
    def _lines(self, dice: random.Random) -> list[tuple[str, int]]:
        some = dice.sample(self.skus, min(len(self.skus), dice.choice((1, 1, 2))))
        return [(sku, dice.choice((1, 1, 1, 2))) for sku in some]

    def _total(self, lines: list[tuple[str, int]]) -> int:
        return sum(self.price[sku] * units for sku, units in lines)

    def buys_with_gift_card(self, dice: random.Random) -> bool:
        """A gift card pays a part of an order at the shop, or the whole; the provider holds the rest."""
        return self.shop_buys(dice, gift_card=dice.choice((0.3, 0.8, 1)))

    def buys_abroad(self, dice: random.Random) -> bool:
        """A buyer of the shop sees, and pays in, another currency: with no decimals, two, or three. The shop's own provider changes it;
        another one holds what it is."""
        return self.shop_buys(dice, abroad=dice.choice(tuple(RATES)))

    def shop_buys(
        self, dice: random.Random, lines: list[tuple[str, int]] | None = None, prices: list[int] | None = None, groups: Sequence[int] = (),
        gift_card: float = 0, abroad: str = "",
    ) -> bool:  # fmt: skip
        """`prices` are those of a cart that was filled before, or of a bundle's components, which `groups` name."""
        lines, shipping, buyer = lines or self._lines(dice), dice.choice((0, 500)), BUYER | {"street": f"Rua {dice.randrange(99)}"}
        prices = prices or [self.cast.shop.variants[sku].price_minor for sku, _ in lines]  # as the shop shows them
        if any(self.cast.shop.available(sku) < units for sku, units in _summed(lines).items()):
            return False
        if dice.random() < 0.1:  # a transfer that never comes
            self.cast.shop.place_order(lines, now=self.clock(), customer=buyer, currency=CURRENCY, paid=False, prices=prices, groups=groups)
            return True
        by_the_shop = dice.random() < 0.2 or (bool(abroad) and dice.random() < 0.6)  # its own provider takes the money at once
        bill: dict[str, Any] = {"seen_in": abroad, "rate": RATES.get(abroad, Decimal(1)), "prices": prices, "groups": groups}
        goods = sum(price * units for price, (_, units) in zip(prices, lines, strict=True))
        bill |= _bill(goods, dice) | {"shipping_minor": shipping}
        total = goods + shipping + bill["tax_minor"] - bill["discount_minor"]
        card = int(total * gift_card)
        due = self.cast.shop.abroad(total - card, abroad, bill["rate"]) if abroad else total - card
        intent = None if by_the_shop or card == total else self.cast.payments.authorise(due, abroad or CURRENCY, "", self.clock())["id"]
        self.cast.shop.place_order(
            lines, now=self.clock(), customer=buyer, payment_intent=intent, currency=CURRENCY, gift_card_minor=card, **bill
        )
        return True

    def amazon_buys(self, dice: random.Random, lines: list[tuple[str, int]] | None = None, prices: list[int] | None = None) -> bool:
        lines = lines or self._lines(dice)
        tax = self._total(lines) // 20 if dice.random() < 0.7 else 0
        order = self.cast.amazon.place_order(
            lines, now=self.clock(), buyer=BUYER, currency=CURRENCY, tax_minor=tax, prices=prices or ()
        )  # fmt: skip
        return order is not None

    async def webshop_buys(self, dice: random.Random) -> None:
        await self._ask_first("webshop", self._lines(dice), dice)

    async def till_sells(self, dice: random.Random) -> None:
        await self._ask_first("till", self._lines(dice)[:1], dice)

    async def all_want_one(self, dice: random.Random, lines: list[tuple[str, int]] | None = None) -> None:
        """At one moment a buyer of each channel wants a unit of the same item."""
        lines = lines or [(dice.choice(self.skus), 1)]
        self.shop_buys(dice, lines)
        self.amazon_buys(dice, lines)
        await asyncio.gather(*(self._ask_first(channel, lines, dice) for channel in ("till", "webshop")))

    async def one_item_in_two_lines(self, dice: random.Random) -> bool:
        """A cart holds one item twice, as a gift and for oneself: what is wanted of it is the sum."""
        sku, channel = dice.choice(self.skus), dice.choice(("shop", "amazon", "webshop"))
        lines = [(sku, 1), (sku, dice.choice((1, 1, 2)))]
        if dice.random() < 0.5:
            lines.insert(dice.randrange(3), (dice.choice(self.skus), 1))
        if channel == "webshop":
            await self._ask_first(channel, lines, dice)
            return True
        return self.shop_buys(dice, lines) if channel == "shop" else self.amazon_buys(dice, lines)

    def bundle_is_bought(self, dice: random.Random) -> bool:
        """The shop resolves a bundle into its components, each with its part of the price; the cart may hold one of them beside it."""
        skus, bundles = dice.sample(self.skus, min(2, len(self.skus))), dice.choice((1, 1, 2))
        parts = [(skus[0], bundles * dice.choice((1, 2))), (skus[-1], bundles)]
        price = {sku: self.cast.shop.variants[sku].price_minor for sku in skus}
        lines, prices = list(parts), [price[sku] * 9 // 10 for sku, _ in parts]
        if dice.random() < 0.5:
            lines.append((skus[0], 1))
            prices.append(price[skus[0]])
        return self.shop_buys(dice, lines, prices, groups=[1, 1])

    async def one_of_a_kind(self, dice: random.Random) -> None:
        """An item of which there is one, and never another, is offered; when the channels show it, a buyer of each wants it."""
        sku, price = f"ONE-{len(self.opened)}", dice.randrange(5_000, 90_000)
        self.price[sku], self.opened[sku] = price, 1
        self.cast.erp.add_product(sku, 1, price, self.clock())
        self.cast.shop.launch(sku, sku, price, self.clock())
        self.cast.amazon.add_listing(sku, price, 0)
        await asyncio.sleep(dice.choice((60, 300, 500)))
        await self.all_want_one(dice, [(sku, 1)])

    async def cart_of_before(self, dice: random.Random) -> bool:
        """A buyer fills a cart, a price of it changes while they pay, and they have agreed to the old one."""
        lines, at_amazon = self._lines(dice), dice.random() < 0.4
        prices = [(self.cast.amazon.listings if at_amazon else self.cast.shop.variants)[sku].price_minor for sku, _ in lines]
        self.price_changes(dice, lines[0][0])
        await asyncio.sleep(dice.choice((0, 5, 300)) * dice.random())
        return self.amazon_buys(dice, lines, prices) if at_amazon else self.shop_buys(dice, lines, prices)

    async def abandons(self, dice: random.Random) -> bool:
        """A cart is reserved and then given back, or just left to expire."""
        reservation = await self._reserve("webshop", self._lines(dice), self._name())
        if reservation and dice.random() < 0.5:
            await self._call("webshop", f"/v1/reservations/{reservation}/release", {})
            self.counters.given_back += 1
        return bool(reservation)

    async def _ask_first(self, channel: str, lines: list[tuple[str, int]], dice: random.Random) -> None:
        name, price = self._name(), dict(self.price)  # as the cart showed them
        reservation = await self._reserve(channel, lines, name)
        if not reservation:
            return
        if dice.random() < 0.2:
            await asyncio.sleep(dice.random() * 120)  # the buyer thinks; sometimes for too long
        total, at_till = sum(price[sku] * units for sku, units in lines), channel == "till"
        intent = "" if at_till else self.cast.payments.authorise(total, CURRENCY, "", self.clock())["id"]
        order = {
            "number": name.upper(), "currency": CURRENCY, "placed_at": self.clock(), "total": total,
            "lines": [{"id": str(n), "sku": sku, "quantity": units, "price": price[sku]} for n, (sku, units) in enumerate(lines, 1)],
            "payment": "captured" if at_till else "authorised",
            "payments": [{"kind": "payment", "id": intent, "system": "payments"}] if intent else [],
        }  # fmt: skip
        body = {"external": name, "version": self.clock(), "order": order, "person": {"name": "Ada", "shipping": {"street": "Rua 1"}}}
        status, answer = await self._call(channel, f"/v1/reservations/{reservation}/confirm", {**body, "handed_over": at_till})
        if status in (200, 201):
            self.counters.sales[name] = Sale(name, channel, lines, total, intent, at_till)
        elif status == 409:
            self.counters.refused += 1
        else:
            self.counters.failed.append(f"{name}: confirm answered {status} {answer}")

    async def _reserve(self, channel: str, lines: list[tuple[str, int]], key: str) -> str:
        body = {"lines": [{"sku": sku, "quantity": units} for sku, units in lines], "expires_in_s": 90}
        status, answer = await self._call(channel, "/v1/reservations", body, key)
        if status in (200, 201):
            return str(answer["reservation"])
        if status == 409:
            self.counters.refused += 1
        else:
            self.counters.failed.append(f"{key}: reserve answered {status} {answer}")
        return ""

    async def _call(self, who: str, path: str, body: object, key: str = "") -> tuple[int, Any]:
        """Repeated under its key until it is answered, as a till does."""
        for attempt in range(TRIES_MAX):
            status, answer = await self.machine().ask(who, "POST", path, body, key)
            if status not in (0, 500, 502, 503, 504):
                return status, answer
            await asyncio.sleep(min(60.0, 0.5 * 2**attempt))
        return 0, {}

    def _name(self) -> str:
        self._numbers += 1
        return f"sale-{self._numbers}"

    def buyer_cancels(self, dice: random.Random) -> bool:
        shop, amazon = self.cast.shop, self.cast.amazon
        open_ = [n for n, one in shop.orders.items() if one["cancelled_at"] is None and one["fulfillment_status"] is None]
        waiting = [n for n, one in amazon.orders.items() if one["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"]
        if open_ and (not waiting or dice.random() < 0.6):
            order = open_[-1] if dice.random() < 0.4 else dice.choice(open_)  # the newest, of which nobody may have heard yet
            shop.cancel_order(order, now=self.clock(), restock=dice.random() < 0.5)
        elif waiting:
            amazon.cancel_order(dice.choice(waiting), now=self.clock())
        return bool(open_ or waiting)

    def part_is_cancelled(self, dice: random.Random) -> bool:
        """Some of what has not left is not wanted any more: staff edits the order at the shop, or gives its money back there; or the buyer
        takes an item off at Amazon. The warehouse may have it by then, and even have sent it."""
        shop, amazon = self.cast.shop, self.cast.amazon
        open_ = [
            (order, line)
            for order in shop.orders.values() if order["cancelled_at"] is None
            for line in order["line_items"] if line["fulfillable_quantity"]
        ]  # fmt: skip
        items = [(name, item) for name, order in amazon.orders.items() for item in _may_be_taken_off(order)]
        if open_ and (not items or dice.random() < 0.75):
            order, line = open_[-1] if dice.random() < 0.4 else dice.choice(open_)
            self._take_off(order, line, dice)
        elif items:
            amazon.cancel_item(*dice.choice(items), now=self.clock())
        return bool(open_ or items)

    def _take_off(self, order: dict[str, Any], line: dict[str, Any], dice: random.Random) -> None:
        shop, payments, now = self.cast.shop, self.cast.payments, self.clock()
        units = dice.randrange(1, line["fulfillable_quantity"] + 1)
        abroad = order["presentment_currency"] != order["currency"]  # what that is at the provider, staff leaves to it
        if dice.random() < 0.6 or abroad:
            shop.edit_order(order["id"], {line["id"]: units}, now=now, restock=dice.random() < 0.5)
            return
        amount, intent = shop.paid_for(line, units), _intent(order)
        if intent:
            amount = min(amount, payments.refundable(intent))
        elif order["financial_status"] == "pending":
            amount = 0
        if intent and amount:
            payments.refund(intent, amount, now)
        shop.refund(order["id"], now=now, amount_minor=amount, lines=[(line["id"], units)], restock="cancel")

    def buyer_moves(self, dice: random.Random) -> bool:
        """The shipping address of an order changes at the shop: mostly before it has left as a whole, as far as the shop knows."""
        orders = self.cast.shop.orders
        open_ = [number for number, one in orders.items() if one["cancelled_at"] is None and one["fulfillment_status"] != "fulfilled"]
        some = open_ if dice.random() < 0.9 else list(orders)
        if some:
            self.cast.shop.redirect(dice.choice(some), f"Avenida {dice.randrange(99)}", self.clock())
        return bool(some)

    def money_back(self, dice: random.Random) -> bool:
        """A goodwill refund at the shop, of part of what its own provider took."""
        paid = [n for n, one in self.cast.shop.orders.items() if one["financial_status"] == "paid" and not one["refunds"]]
        if paid:
            number, amount = dice.choice(paid), dice.randrange(1, 300)
            rate = _todays_rate(self.cast.shop.orders[number], dice)
            self.cast.shop.refund(number, now=self.clock(), amount_minor=amount, restock="no_restock", rate=rate)
        return bool(paid)

    def goods_come_back(self, dice: random.Random) -> bool:
        """Units that had left come back: staff gives money back, through the provider that took it, and mostly shelves the units again."""
        shop, payments = self.cast.shop, self.cast.payments
        left = [(number, line, units) for number, order in shop.orders.items() for line, units in _with_the_buyer(order) if units]
        if not left:
            return False
        number, line, units = dice.choice(left)
        some = dice.randrange(1, units + 1)
        intent, order = _intent(shop.orders[number]), shop.orders[number]
        freight = minor(order["shipping_lines"][0]["price"], CURRENCY) if dice.random() < 0.3 and not _freight_given(order) else 0
        amount = max(0, shop.paid_for(line, some) + freight - dice.choice((0, 0, 1, 250)))  # some keep a fee for their trouble
        card = min(amount, bills.by_gift_card(self.cast, number) - sum(map(bills.to_gift_card, order["refunds"])))
        if intent:  # what the gift card paid goes back there first
            amount = card + min(amount - card, payments.refundable(intent))
            if not amount:
                return False
            if amount > card:
                payments.refund(intent, amount - card, self.clock())
        restock = dice.choice(("return", "return", "no_restock"))
        back = [(line["id"], some)]
        shop.refund(
            number, now=self.clock(), amount_minor=amount, lines=back, restock=restock, shipping_minor=min(freight, amount),
            gift_card_minor=card, rate=_todays_rate(order, dice),
        )  # fmt: skip
        return True

    def exchange(self, dice: random.Random) -> bool:
        """Units come back, and their buyer orders something else for them: to the shop it is another order."""
        return self.goods_come_back(dice) and self.shop_buys(dice)

    def goodwill(self, dice: random.Random) -> bool:
        """Somebody gives a part of a payment back in the provider's own dashboard; no channel hears of it."""
        payments = self.cast.payments
        taken = [intent for intent in payments.intents if payments.refundable(intent)]
        if taken:
            intent = dice.choice(taken)
            payments.refund(intent, min(payments.refundable(intent), dice.randrange(1, 300)), self.clock())
        return bool(taken)

    def _held(self) -> list[str]:
        """Authorisations of the shop's orders that nobody has taken or let go yet."""
        noted = (_intent(order) for order in self.cast.shop.orders.values())
        return [one for one in noted if one and self.cast.payments.intents[one]["status"] == "requires_capture"]

    def staff_captures(self, dice: random.Random) -> bool:
        """Somebody takes a payment in the provider's dashboard, before Mainstay does or late; mostly the whole of it."""
        held = self._held()
        if held:
            name = dice.choice(held)
            amount: int = self.cast.payments.intents[name]["amount"]
            self.cast.payments.capture(name, amount if dice.random() < 0.6 else max(1, amount // 2), self.clock())
        return bool(held)

    def authorisation_expires(self, dice: random.Random) -> bool:
        """A payment was held for longer than its card's bank allows."""
        held = self._held()
        if held:
            self.cast.payments.expire(dice.choice(held), self.clock())
        return bool(held)

    def card_holder_contests(self, dice: random.Random) -> bool:
        """A bank takes a payment of the shop back, or decides of one that it took."""
        payments = self.cast.payments
        open_ = [name for name, one in payments.disputes.items() if one["status"] == "needs_response"]
        noted = (_intent(order) for order in self.cast.shop.orders.values())
        taken = [one for one in noted if one and payments.refundable(one) and payments.refundable(one) == payments.intents[one]["amount"]]
        if open_ and (not taken or dice.random() < 0.6):
            payments.end_dispute(dice.choice(open_), dice.random() < 0.5, self.clock())
        elif taken:
            payments.dispute(dice.choice(taken), self.clock())
        return bool(open_ or taken)

    # --- warehouse and ERP -------------------------------------------------------------------------------------------
    def warehouse_packs(self, dice: random.Random) -> bool:
        """Everything that is open leaves, sometimes in two parcels."""
        warehouse, packed = self.cast.warehouse, False
        for release, order in list(warehouse.released.items()):
            units = warehouse.left(release)
            if order["orderStatus"] != "awaiting_shipment" or not any(units.values()):
                continue
            if sum(units.values()) > 1 and dice.random() < 0.4:
                warehouse.ship(release, self.clock(), lines={next(iter(units)): 1}, tracking=f"BR{dice.randrange(10**9)}")
            else:
                warehouse.ship(release, self.clock(), tracking=f"BR{dice.randrange(10**9)}")
            packed = True
        return packed

    def goods_arrive(self, dice: random.Random) -> None:
        self.cast.erp.move(dice.choice(self.skus), dice.randrange(1, 4), "supplier", self.clock())

    def price_changes(self, dice: random.Random, sku: str = "") -> None:
        """Somebody changes a list price in the ERP, and at the counters of the shop's own; the channels are told."""
        sku = sku or dice.choice(self.skus)
        self.price[sku] = dice.randrange(500, 6_000)
        self.cast.erp.reprice(sku, self.price[sku], self.clock())

    def product_is_renamed(self, dice: random.Random) -> None:
        """Somebody translates a product, at the shop or in the ERP: what it is called changes nothing of what it is."""
        sku, title = dice.choice(self.skus), dice.choice(TITLES)
        if dice.random() < 0.7:
            self.cast.shop.retitle(sku, title, self.clock())
        else:
            self.cast.erp.rename(sku, title, self.clock())

    def count(self, dice: random.Random) -> None:
        """Somebody finds one unit more or less on the shelf than the ERP says."""
        sku = dice.choice(self.skus)
        self.cast.erp.move(sku, 1 if not self.cast.erp.on_hand(sku) or dice.random() < 0.5 else -1, "inventory", self.clock())

    async def buyer_is_erased(self, dice: random.Random) -> bool:
        """The shop's one customer asks to be forgotten, when all that they ordered has ended: what is under way would be refused."""
        orders = [f"ord.shop.{number}" for number in self.cast.shop.orders]
        for one in orders:
            status, order = await self.machine().ask("operator", "GET", f"/v1/orders/{one}", {})
            if status != 200 or order["status"] not in ("settled", "cancelled"):
                return False
        status, _ = await self._call("operator", "/v1/erase", {"who": dice.choice(orders), "by": "sim"}) if orders else (0, {})
        return status == 200  # 404: they were forgotten before, and have not ordered since

    # --- what breaks, and who repairs --------------------------------------------------------------------------------
    async def crash(self, dice: random.Random) -> bool:
        machine = self.machine()
        if machine.disk:  # where the power is cut, that is crash enough
            return False
        if dice.random() < 0.5:  # of two crashes one comes when it must not
            self.wires.fired["crash in a call"] += await self.wires.done(CRASH_S_MAX)
        if not machine.up:
            return False
        machine.crash()
        self.wires.fired["crash"] += 1
        await asyncio.sleep(dice.random() * 20)
        machine.start()
        return True

    async def clock_is_set(self, dice: random.Random) -> None:
        """The machine's clock is suddenly a day ahead or an hour behind, and right again after some minutes."""
        by = dice.choice((DAY, -HOUR))
        self.machine().set_clock(by)
        self.wires.fired["clock ahead" if by > 0 else "clock behind"] += 1
        await asyncio.sleep(dice.random() * CLOCK_S_MAX)
        self.machine().set_clock(0)

    async def channels_look(self) -> None:
        """A channel that sold an order for which a clock's jump was too long finds it cancelled, with the reason, and cancels it too."""
        for sale in self.counters.sales.values():
            _, found = await self.machine().ask("operator", "GET", f"/v1/trace/ord.{sale.channel}.{sale.id}", {})
            sale.cancelled = any("not paid in time" in str(step) for one in found for step in one["steps"])

    async def outage(self, dice: random.Random) -> None:
        name = dice.choice(sorted(self.wires.twins))
        self.wires.down.add(name)
        self.wires.fired["outage"] += 1
        await asyncio.sleep(dice.random() * OUTAGE_S_MAX)
        self.wires.down.discard(name)

    async def operator_holds_back(self, dice: random.Random) -> bool:
        """A system, a channel, a SKU or an order is held for some minutes, and goes on again."""
        fittings, orders = self.machine().fittings, sorted(f"key:ord.shop.{number}" for number in self.cast.shop.orders)
        targets = [f"system:{name}" for name in sorted(fittings.connectors)] + [f"channel:{name}" for name in sorted(fittings.policies)]
        target = dice.choice([*targets, *(f"sku:{sku}" for sku in self.skus), *orders])
        told = {"target": target, "by": "sim", "reason": "a story"}
        status, _ = await self._call("operator", "/v1/pauses", {**told, "mode": dice.choice(("paused", "draining"))})
        if status != 200:
            return False  # nobody has heard of that order
        self.wires.fired["held back"] += 1
        self.held[target] += 1
        if self.held[target] == 1:
            await self._look(unlike_pauses(self._shown, told, held=True))
        await asyncio.sleep(dice.random() * OUTAGE_S_MAX)
        while (await self._call("operator", "/v1/pauses", {**told, "mode": "running"}))[0] != 200:
            await asyncio.sleep(1)
        self.held[target] -= 1
        if not self.held[target]:
            await self._look(unlike_pauses(self._shown, told, held=False))
        return True

    async def _look(self, looking: Awaitable[str]) -> None:
        """Note what is shown otherwise than it is."""
        if wrong := await looking:
            self.misread.append(wrong)

    async def _shown(self, path: str) -> tuple[int, Any]:
        return await self.machine().ask("operator", "GET", path, {})

    async def operator_replays(self, dice: random.Random) -> bool:
        """All that ever was is replayed from a stage, with the same mapping, by systems that have lost nothing: nothing follows from it."""
        stage, topic = dice.choice((("receipt", ""), ("statement", ""), ("effect", ""), ("effect", "SetLevel"), ("effect", "SetPrice")))
        asked = {"span": {"since": "2020-01-01T00:00:00Z", "topic": topic}, "stage": stage, "by": "sim"}
        status, answer = await self._call("operator", "/v1/replays", asked)
        if status == 202:
            self.jobs[answer["job"]] = answer["action"]
        return status == 202

    async def operator_repairs(self, _dice: random.Random) -> bool:
        """What broke off at its sender is taken as it was meant: at its right place, however late."""
        status, letters = await self._shown("/v1/deadletters")
        repaired = 0
        for letter in letters if status == 200 else ():
            twin = self.wires.twins.get(letter["system"])
            status, whole = await self._shown(f"/v1/deadletters/{letter['id']}")
            meant = twin.meant.get(whole["raw"].encode()) if twin and status == 200 else None
            if meant is not None:
                told = {"body": meant.decode(), "by": "sim", "reason": "it broke off"}
                status, _ = await self._call("operator", f"/v1/deadletters/{letter['id']}/repair", told)
                repaired += status == 200
        return repaired > 0

    async def operator_retries(self, _dice: random.Random) -> bool:
        """Every open letter of an effect is tried again, a few times at the most; the ERP's shelf is counted where one asks for that."""
        status, letters = await self.machine().ask("operator", "GET", "/v1/deadletters", {})
        if status != 200:
            return False
        before = self.retried.total()
        await self._look(unlike_letters(self._shown, {one.uid: one.total for one in placed(self.cast, self.counters)}))
        for letter in letters:
            effect = str(letter.get("key", "")).split(".again.")[0] or str(letter["id"])
            if letter["topic"] == "mainstay/outcome" and self.retried[effect] < RETRIES_MAX:
                self.retried[effect] += 1
                if "correct the count" in letter["why"]:
                    for sku in self.opened:
                        self.cast.erp.move(sku, max(0, 4 - self.cast.erp.on_hand(sku)), "inventory", self.clock())
                await self._call("operator", f"/v1/deadletters/{letter['id']}/retry", {"by": "sim"})
        return self.retried.total() > before


def _bill(goods: int, dice: random.Random) -> dict[str, Any]:
    """What is let off goods of so many minor units, and the tax on the rest; every other buyer pays none, some because they are exempt."""
    off = dice.randrange(1, goods // 3) if dice.random() < 0.4 else 0
    taxed = dice.random() < 0.5
    return {"discount_minor": off, "tax_minor": (goods - off) * 19 // 100 if taxed else 0, "tax_exempt": not taxed and dice.random() < 0.5}


def _todays_rate(order: dict[str, Any], dice: random.Random) -> Decimal | None:
    """Rates move between a sale and its refund."""
    rate = RATES.get(order["presentment_currency"])
    return rate and rate * dice.randrange(80, 120) / 100


def _freight_given(order: dict[str, Any]) -> bool:
    """Has the shop given the shipping of an order back already?"""
    return any(refund["refund_shipping_lines"] for refund in order["refunds"])


def _summed(lines: list[tuple[str, int]]) -> Counter[str]:
    """Units by SKU."""
    wanted: Counter[str] = Counter()
    for sku, units in lines:
        wanted[sku] += units
    return wanted


def _intent(order: dict[str, Any]) -> str:
    """The payment that a checkout noted on its order, or ""."""
    return next((str(note["value"]) for note in order["note_attributes"] if note["name"] == "payment_intent"), "")


def _may_be_taken_off(order: dict[str, Any]) -> list[str]:
    """Items of an order at Amazon that have not left, where something of it stays."""
    if order["fulfillment"]["fulfillmentStatus"] not in ("UNSHIPPED", "PARTIALLY_SHIPPED"):
        return []
    waiting = [item["orderItemId"] for item in order["orderItems"] if item["fulfillment"]["quantityUnfulfilled"]]
    stays = len(waiting) > 1 or any(item["fulfillment"]["quantityFulfilled"] for item in order["orderItems"])
    return waiting if stays else []


def _with_the_buyer(order: dict[str, Any]) -> list[tuple[dict[str, Any], int]]:
    """Units of each line that the shop says have left and not come back."""
    gone: Counter[int] = Counter()
    for parcel in order["fulfillments"]:
        gone.update({line["id"]: line["quantity"] for line in parcel["line_items"]})
    for refund in order["refunds"]:
        back = [line for line in refund["refund_line_items"] if line["restock_type"] != "cancel"]  # of which the others never left
        gone.subtract({line["line_item_id"]: line["quantity"] for line in back})
    return [(line, gone[line["id"]]) for line in order["line_items"]]


_ACTS: dict[str, Callable[[Troupe, random.Random], Any]] = {
    "shop buys": Troupe.shop_buys, "amazon buys": Troupe.amazon_buys, "webshop buys": Troupe.webshop_buys, "till sells": Troupe.till_sells,
    "buyer cancels": Troupe.buyer_cancels, "money back": Troupe.money_back, "goods arrive": Troupe.goods_arrive, "count": Troupe.count,
    "warehouse packs": Troupe.warehouse_packs, "operator retries": Troupe.operator_retries, "crash": Troupe.crash,
    "outage": Troupe.outage, "abandons": Troupe.abandons, "goods come back": Troupe.goods_come_back, "goodwill": Troupe.goodwill,
    "operator holds back": Troupe.operator_holds_back, "operator replays": Troupe.operator_replays,
    "operator repairs": Troupe.operator_repairs,
    "buys abroad": Troupe.buys_abroad,
    "product is renamed": Troupe.product_is_renamed,
    "gift card pays": Troupe.buys_with_gift_card, "staff captures": Troupe.staff_captures,
    "authorisation expires": Troupe.authorisation_expires, "card holder contests": Troupe.card_holder_contests,
    "all want one": Troupe.all_want_one, "exchange": Troupe.exchange,
    "one item in two lines": Troupe.one_item_in_two_lines, "one of a kind": Troupe.one_of_a_kind, "cart of before": Troupe.cart_of_before,
    "bundle": Troupe.bundle_is_bought, "part is cancelled": Troupe.part_is_cancelled, "buyer moves": Troupe.buyer_moves,
    "clock is set": Troupe.clock_is_set, "price changes": Troupe.price_changes, "buyer is erased": Troupe.buyer_is_erased,
}  # fmt: skip
