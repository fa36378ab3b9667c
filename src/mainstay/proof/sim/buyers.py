"""Buyers: what they order at four channels, and what they change of it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from mainstay.proof.history import CURRENCY
from mainstay.proof.play import Sale
from mainstay.proof.sim import accounts, staff
from mainstay.proof.sim.scene import RATES, Performance, Scene


def _lines(scene: Scene, dice: random.Random) -> list[tuple[str, int]]:
    some = dice.sample(scene.skus, min(len(scene.skus), dice.choice((1, 1, 2))))
    return [(sku, dice.choice((1, 1, 1, 2))) for sku in some]


def _total(scene: Scene, lines: list[tuple[str, int]]) -> int:
    return sum(scene.price[sku] * units for sku, units in lines)


def buys_with_gift_card(scene: Scene, dice: random.Random) -> bool:
    """A gift card pays a part of an order at the shop, or the whole; the provider holds the rest."""
    return shop_buys(scene, dice, gift_card=dice.choice((0.3, 0.8, 1)))


def buys_abroad(scene: Scene, dice: random.Random) -> bool:
    """A buyer of the shop sees, and pays in, another currency: with no decimals, two, or three. The shop's own provider changes it;
    another one holds what it is."""
    return shop_buys(scene, dice, abroad=dice.choice(tuple(RATES)))


def shop_buys(
    scene: Scene, dice: random.Random, lines: list[tuple[str, int]] | None = None, prices: list[int] | None = None,
    groups: Sequence[int] = (), gift_card: float = 0, abroad: str = "",
) -> bool:  # fmt: skip
    """`prices` are those of a cart that was filled before, or of a bundle's components, which `groups` name."""
    lines, shipping, buyer = lines or _lines(scene, dice), dice.choice((0, 500)), accounts.buyer(dice)
    prices = prices or [scene.cast.shop.variants[sku].price_minor for sku, _ in lines]  # as the shop shows them
    if any(scene.cast.shop.available(sku) < units for sku, units in _summed(lines).items()):
        return False
    if dice.random() < 0.1:  # a transfer that never comes
        scene.cast.shop.place_order(lines, now=scene.clock(), customer=buyer, currency=CURRENCY, paid=False, prices=prices, groups=groups)
        return True
    by_the_shop = dice.random() < 0.2 or (bool(abroad) and dice.random() < 0.6)  # its own provider takes the money at once
    by_the_shop = by_the_shop or "payments" in scene.counters.lacks
    bill: dict[str, Any] = {"seen_in": abroad, "rate": RATES.get(abroad, Decimal(1)), "prices": prices, "groups": groups}
    goods = sum(price * units for price, (_, units) in zip(prices, lines, strict=True))
    bill |= _bill(goods, dice) | {"shipping_minor": shipping}
    total = goods + shipping + bill["tax_minor"] - bill["discount_minor"]
    card = int(total * gift_card)
    due = scene.cast.shop.abroad(total - card, abroad, bill["rate"]) if abroad else total - card
    intent = None if by_the_shop or card == total else scene.cast.payments.authorise(due, abroad or CURRENCY, "", scene.clock())["id"]
    scene.cast.shop.place_order(
        lines, now=scene.clock(), customer=buyer, payment_intent=intent, currency=CURRENCY, gift_card_minor=card, **bill
    )
    return True


def amazon_buys(scene: Scene, dice: random.Random, lines: list[tuple[str, int]] | None = None, prices: list[int] | None = None) -> bool:
    if "amazon" in scene.counters.lacks:
        return False
    lines = lines or _lines(scene, dice)
    tax = _total(scene, lines) // 20 if dice.random() < 0.7 else 0
    order = scene.cast.amazon.place_order(
        lines, now=scene.clock(), buyer=accounts.BUYER, currency=CURRENCY, tax_minor=tax, prices=prices or ()
    )  # fmt: skip
    return order is not None


async def webshop_buys(scene: Scene, dice: random.Random) -> None:
    await _ask_first(scene, "webshop", _lines(scene, dice), dice)


async def till_sells(scene: Scene, dice: random.Random) -> None:
    await _ask_first(scene, "till", _lines(scene, dice)[:1], dice)


async def all_want_one(scene: Scene, dice: random.Random, lines: list[tuple[str, int]] | None = None) -> None:
    """At one moment a buyer of each channel wants a unit of the same item."""
    lines = lines or [(dice.choice(scene.skus), 1)]
    shop_buys(scene, dice, lines)
    amazon_buys(scene, dice, lines)
    await asyncio.gather(*(_ask_first(scene, channel, lines, dice) for channel in ("till", "webshop")))


async def one_item_in_two_lines(scene: Scene, dice: random.Random) -> bool:
    """A cart holds one item twice, as a gift and for oneself: what is wanted of it is the sum."""
    sku, channel = dice.choice(scene.skus), dice.choice(("shop", "amazon", "webshop"))
    lines = [(sku, 1), (sku, dice.choice((1, 1, 2)))]
    if dice.random() < 0.5:
        lines.insert(dice.randrange(3), (dice.choice(scene.skus), 1))
    if channel == "webshop":
        await _ask_first(scene, channel, lines, dice)
        return True
    return shop_buys(scene, dice, lines) if channel == "shop" else amazon_buys(scene, dice, lines)


def bundle_is_bought(scene: Scene, dice: random.Random) -> bool:
    """The shop resolves a bundle into its components, each with its part of the price; the cart may hold one of them beside it."""
    skus, bundles = dice.sample(scene.skus, min(2, len(scene.skus))), dice.choice((1, 1, 2))
    parts = [(skus[0], bundles * dice.choice((1, 2))), (skus[-1], bundles)]
    price = {sku: scene.cast.shop.variants[sku].price_minor for sku in skus}
    lines, prices = list(parts), [price[sku] * 9 // 10 for sku, _ in parts]
    if dice.random() < 0.5:
        lines.append((skus[0], 1))
        prices.append(price[skus[0]])
    return shop_buys(scene, dice, lines, prices, groups=[1, 1])


async def one_of_a_kind(scene: Scene, dice: random.Random) -> None:
    """An item of which there is one, and never another, is offered; when the channels show it, a buyer of each wants it."""
    sku, price = f"ONE-{len(scene.opened)}", dice.randrange(5_000, 90_000)
    scene.price[sku], scene.opened[sku] = price, 1
    scene.cast.erp.add_product(sku, 1, price, scene.clock())
    scene.cast.shop.launch(sku, sku, price, scene.clock())
    if "amazon" not in scene.counters.lacks:
        scene.cast.amazon.add_listing(sku, price, 0)
    await staff.people_count(scene, [sku])
    await asyncio.sleep(dice.choice((60, 300, 500)))
    await all_want_one(scene, dice, [(sku, 1)])


async def cart_of_before(scene: Scene, dice: random.Random) -> bool:
    """A buyer fills a cart, a price of it changes while they pay, and they have agreed to the old one."""
    lines, at_amazon = _lines(scene, dice), dice.random() < 0.4 and "amazon" not in scene.counters.lacks
    prices = [(scene.cast.amazon.listings if at_amazon else scene.cast.shop.variants)[sku].price_minor for sku, _ in lines]
    staff.price_changes(scene, dice, lines[0][0])
    await asyncio.sleep(dice.choice((0, 5, 300)) * dice.random())
    return amazon_buys(scene, dice, lines, prices) if at_amazon else shop_buys(scene, dice, lines, prices)


async def abandons(scene: Scene, dice: random.Random) -> bool:
    """A cart is reserved and then given back, or just left to expire."""
    reservation = await _reserve(scene, "webshop", _lines(scene, dice), scene.name())
    if reservation and dice.random() < 0.5:
        await scene.call("webshop", f"/v1/reservations/{reservation}/release", {})
        scene.counters.given_back += 1
    return bool(reservation)


async def _ask_first(scene: Scene, channel: str, lines: list[tuple[str, int]], dice: random.Random) -> None:
    name, price = scene.name(), dict(scene.price)  # as the cart showed them
    reservation = await _reserve(scene, channel, lines, name)
    if not reservation:
        return
    if dice.random() < 0.2:
        await asyncio.sleep(dice.random() * 120)  # the buyer thinks; sometimes for too long
    total, at_till = sum(price[sku] * units for sku, units in lines), channel == "till"
    by_itself = at_till or "payments" in scene.counters.lacks  # it takes the money
    intent = "" if by_itself else scene.cast.payments.authorise(total, CURRENCY, "", scene.clock())["id"]
    order = {
        "number": name.upper(), "currency": CURRENCY, "placed_at": scene.clock(), "total": total,
        "lines": [{"id": str(n), "sku": sku, "quantity": units, "price": price[sku]} for n, (sku, units) in enumerate(lines, 1)],
        "payment": "captured" if by_itself else "authorised",
        "payments": [{"kind": "payment", "id": intent, "system": "payments"}] if intent else [],
    }  # fmt: skip
    body = {"external": name, "version": scene.clock(), "order": order, "person": {"name": "Ada", "shipping": {"street": "Rua 1"}}}
    status, answer = await scene.call(channel, f"/v1/reservations/{reservation}/confirm", {**body, "handed_over": at_till})
    if status in (200, 201):
        scene.counters.sales[name] = Sale(name, channel, lines, total, intent, at_till)
    elif status == 409:
        scene.counters.refused += 1
    else:
        scene.counters.failed.append(f"{name}: confirm answered {status} {answer}")


async def _reserve(scene: Scene, channel: str, lines: list[tuple[str, int]], key: str) -> str:
    body = {"lines": [{"sku": sku, "quantity": units} for sku, units in lines], "expires_in_s": 90}
    status, answer = await scene.call(channel, "/v1/reservations", body, key)
    if status in (200, 201):
        return str(answer["reservation"])
    if status == 409:
        scene.counters.refused += 1
    else:
        scene.counters.failed.append(f"{key}: reserve answered {status} {answer}")
    return ""


def buyer_cancels(scene: Scene, dice: random.Random) -> bool:
    shop, amazon = scene.cast.shop, scene.cast.amazon
    open_ = [n for n, one in shop.orders.items() if one["cancelled_at"] is None and one["fulfillment_status"] is None]
    waiting = [n for n, one in amazon.orders.items() if one["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"]
    if open_ and (not waiting or dice.random() < 0.6):
        order = open_[-1] if dice.random() < 0.4 else dice.choice(open_)  # the newest, of which nobody may have heard yet
        shop.cancel_order(order, now=scene.clock(), restock=dice.random() < 0.5)
    elif waiting:
        amazon.cancel_order(dice.choice(waiting), now=scene.clock())
    return bool(open_ or waiting)


def buyer_moves(scene: Scene, dice: random.Random) -> bool:
    """The shipping address of an order changes at the shop: mostly before it has left as a whole, as far as the shop knows."""
    orders = scene.cast.shop.orders
    open_ = [number for number, one in orders.items() if one["cancelled_at"] is None and one["fulfillment_status"] != "fulfilled"]
    some = open_ if dice.random() < 0.9 else list(orders)
    if some:
        scene.cast.shop.redirect(dice.choice(some), f"Avenida {dice.randrange(99)}", scene.clock())
    return bool(some)


async def exchange(scene: Scene, dice: random.Random) -> bool:
    """Units come back, and their buyer orders something else for them: to the shop it is another order."""
    return await staff.goods_come_back(scene, dice) and shop_buys(scene, dice)


def _bill(goods: int, dice: random.Random) -> dict[str, Any]:
    """What is let off goods of so many minor units, and the tax on the rest; every other buyer pays none, some because they are exempt."""
    off = dice.randrange(1, goods // 3) if dice.random() < 0.4 else 0
    taxed = dice.random() < 0.5
    return {"discount_minor": off, "tax_minor": (goods - off) * 19 // 100 if taxed else 0, "tax_exempt": not taxed and dice.random() < 0.5}


def _summed(lines: list[tuple[str, int]]) -> Counter[str]:
    """Units by SKU."""
    wanted: Counter[str] = Counter()
    for sku, units in lines:
        wanted[sku] += units
    return wanted


ACTS: dict[str, Performance] = {
    "shop buys": shop_buys, "amazon buys": amazon_buys, "webshop buys": webshop_buys, "till sells": till_sells, "abandons": abandons,
    "all want one": all_want_one, "one of a kind": one_of_a_kind, "one item in two lines": one_item_in_two_lines,
    "bundle": bundle_is_bought, "cart of before": cart_of_before, "gift card pays": buys_with_gift_card, "buys abroad": buys_abroad,
    "buyer cancels": buyer_cancels, "buyer moves": buyer_moves, "exchange": exchange,
}  # fmt: skip
