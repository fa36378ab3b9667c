"""Money that is given back at the shop: again, too much, and before anybody has heard of the order."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from mainstay.model.money import minor
from mainstay.proof.history import CURRENCY
from mainstay.proof.sim.buyers import shop_buys
from mainstay.proof.sim.scene import Performance, Scene
from mainstay.proof.sim.staff import intent_of, todays_rate

AWAY_S_MAX = 60


def money_back(scene: Scene, dice: random.Random) -> bool:
    """A goodwill refund at the shop, of part of what its own provider took; often not the first of its order."""
    paid = [n for n, one in scene.cast.shop.orders.items() if _by_the_shop(one) and _left(scene, one) > 1]
    if paid:
        number = dice.choice(paid)
        return _give_back(scene, number, min(dice.randrange(1, 300), _left(scene, scene.cast.shop.orders[number])), dice)
    return False


def too_much_back(scene: Scene, dice: random.Random) -> bool:
    """Two people refund the same order, and the shop lets them (`allowOverRefunding`)."""
    paid = [n for n, one in scene.cast.shop.orders.items() if _by_the_shop(one)]
    if paid:
        number = dice.choice(paid)
        return _give_back(scene, number, max(0, _left(scene, scene.cast.shop.orders[number])) + dice.randrange(1, 900), dice)
    return False


async def refunded_at_once(scene: Scene, dice: random.Random) -> bool:
    """A buyer regrets an order as soon as it is placed, and staff gives a part back, once or more: it may not be heard of yet."""
    away = dice.random() < 0.5  # the shop is: what it has to tell comes late
    if away:
        scene.wires.down.add("shop")
    bought = _and_regretted(scene, dice)
    scene.wires.pump("payments")
    await asyncio.sleep(dice.random() * AWAY_S_MAX if away else 0)
    if away:
        scene.wires.down.discard("shop")
    return bought


def _and_regretted(scene: Scene, dice: random.Random) -> bool:
    if not shop_buys(scene, dice):
        return False
    number, order = next(reversed(scene.cast.shop.orders.items()))
    payments, intent = scene.cast.payments, intent_of(order)
    if intent:
        payments.capture(intent, payments.intents[intent]["amount"], scene.clock())
    for _ in range(dice.choice((1, 1, 2, 3))):
        amount = dice.randrange(1, 250)
        if intent:
            payments.refund(intent, min(amount, payments.refundable(intent)), scene.clock())
        elif _by_the_shop(order):
            _give_back(scene, number, amount, dice)
    return True


def _by_the_shop(order: dict[str, Any]) -> bool:
    """Did the shop's own provider, or a gift card, take the money of an order that stands?"""
    return order["financial_status"] in ("paid", "partially_refunded", "refunded") and not intent_of(order) and not order["cancelled_at"]


def _left(scene: Scene, order: dict[str, Any]) -> int:
    """Minor units of an order at the shop that nobody has given back."""
    return minor(order["total_price"], CURRENCY) - sum(map(scene.cast.shop.given_back, order["refunds"]))


def _give_back(scene: Scene, number: int, amount: int, dice: random.Random) -> bool:
    """Not where it is less than the smallest coin of the buyer's currency."""
    shop, order = scene.cast.shop, scene.cast.shop.orders[number]
    rate = todays_rate(order, dice)
    if rate is not None and not shop.abroad(amount, order["presentment_currency"], rate):
        return False
    shop.refund(number, now=scene.clock(), amount_minor=amount, restock="no_restock", rate=rate)
    return True


ACTS: dict[str, Performance] = {"money back": money_back, "too much back": too_much_back, "refunded at once": refunded_at_once}
