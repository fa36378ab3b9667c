"""Those who work for the shop: at its admin, in the provider's dashboard and in the ERP."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Collection
from decimal import Decimal
from typing import Any

from mainstay.landscape import MAINSTAY, OPERATOR
from mainstay.model.money import minor
from mainstay.proof import bills
from mainstay.proof.history import CURRENCY
from mainstay.proof.sim.scene import RATES, Performance, Scene
from mainstay.twins.tryton import HOME

TRANSIT_S_MAX = 400  # so long units are on their way from one store to another
TITLES = ("Tasse „Größe“", "カップ", "Чашка", "كوب", "马克杯", "Mug\u00a0№ 1 ☕")


def part_is_cancelled(scene: Scene, dice: random.Random) -> bool:
    """Some of what has not left is not wanted any more: staff edits the order at the shop, or gives its money back there; or the buyer
    takes an item off at Amazon. The warehouse may have it by then, and even have sent it."""
    shop, amazon = scene.cast.shop, scene.cast.amazon
    open_ = [
        (order, line)
        for order in shop.orders.values() if order["cancelled_at"] is None
        for line in order["line_items"] if line["fulfillable_quantity"]
    ]  # fmt: skip
    items = [(name, item) for name, order in amazon.orders.items() for item in _may_be_taken_off(order)]
    if open_ and (not items or dice.random() < 0.75):
        order, line = open_[-1] if dice.random() < 0.4 else dice.choice(open_)
        _take_off(scene, order, line, dice)
    elif items:
        amazon.cancel_item(*dice.choice(items), now=scene.clock())
    return bool(open_ or items)


def _take_off(scene: Scene, order: dict[str, Any], line: dict[str, Any], dice: random.Random) -> None:
    shop, payments, now = scene.cast.shop, scene.cast.payments, scene.clock()
    units = dice.randrange(1, line["fulfillable_quantity"] + 1)
    abroad = order["presentment_currency"] != order["currency"]  # what that is at the provider, staff leaves to it
    if dice.random() < 0.6 or abroad:
        shop.edit_order(order["id"], {line["id"]: units}, now=now, restock=dice.random() < 0.5)
        return
    amount, intent = shop.paid_for(line, units), intent_of(order)
    if intent:
        amount = min(amount, payments.refundable(intent))
    elif order["financial_status"] == "pending":
        amount = 0
    if intent and amount:
        payments.refund(intent, amount, now)
    shop.refund(order["id"], now=now, amount_minor=amount, lines=[(line["id"], units)], restock="cancel")


async def goods_come_back(scene: Scene, dice: random.Random) -> bool:
    """Units that had left come back: staff gives money back, through the provider that took it, and mostly shelves the units again. While
    there is no ERP to book that, the till says so."""
    shop, payments = scene.cast.shop, scene.cast.payments
    left = [(number, line, units) for number, order in shop.orders.items() for line, units in _with_the_buyer(order) if units]
    if not left:
        return False
    number, line, units = dice.choice(left)
    some = dice.randrange(1, units + 1)
    intent, order = intent_of(shop.orders[number]), shop.orders[number]
    freight = minor(order["shipping_lines"][0]["price"], CURRENCY) if dice.random() < 0.3 and not _freight_given(order) else 0
    amount = max(0, shop.paid_for(line, some) + freight - dice.choice((0, 0, 1, 250)))  # some keep a fee for their trouble
    card = min(amount, bills.by_gift_card(scene.cast, number) - sum(map(bills.to_gift_card, order["refunds"])))
    if intent:  # what the gift card paid goes back there first
        amount = card + min(amount - card, payments.refundable(intent))
        if not amount:
            return False
        if amount > card:
            payments.refund(intent, amount - card, scene.clock())
    restock = dice.choice(("return", "return", "no_restock"))
    back = [(line["id"], some)]
    shop.refund(
        number, now=scene.clock(), amount_minor=amount, lines=back, restock=restock, shipping_minor=min(freight, amount),
        gift_card_minor=card, rate=todays_rate(order, dice),
    )  # fmt: skip
    if restock == "return" and not scene.booking:
        await it_came(scene, line["sku"], some, HOME)
    return True


def goodwill(scene: Scene, dice: random.Random) -> bool:
    """Somebody gives a part of a payment back in the provider's own dashboard; no channel hears of it."""
    payments = scene.cast.payments
    taken = [intent for intent in payments.intents if payments.refundable(intent)]
    if taken:
        intent = dice.choice(taken)
        payments.refund(intent, min(payments.refundable(intent), dice.randrange(1, 300)), scene.clock())
    return bool(taken)


def _held(scene: Scene) -> list[str]:
    """Authorisations of the shop's orders that nobody has taken or let go yet."""
    noted = (intent_of(order) for order in scene.cast.shop.orders.values())
    return [one for one in noted if one and scene.cast.payments.intents[one]["status"] == "requires_capture"]


def staff_captures(scene: Scene, dice: random.Random) -> bool:
    """Somebody takes a payment in the provider's dashboard, before Mainstay does or late; mostly the whole of it."""
    held = _held(scene)
    if held:
        name = dice.choice(held)
        amount: int = scene.cast.payments.intents[name]["amount"]
        scene.cast.payments.capture(name, amount if dice.random() < 0.6 else max(1, amount // 2), scene.clock())
    return bool(held)


def authorisation_expires(scene: Scene, dice: random.Random) -> bool:
    """A payment was held for longer than its card's bank allows."""
    held = _held(scene)
    if held:
        scene.cast.payments.expire(dice.choice(held), scene.clock())
    return bool(held)


def card_holder_contests(scene: Scene, dice: random.Random) -> bool:
    """A bank takes a payment of the shop back, or decides of one that it took. Who waits for the goods may call the order off, too."""
    payments, orders = scene.cast.payments, scene.cast.shop.orders
    open_ = [name for name, one in payments.disputes.items() if one["status"] == "needs_response"]
    noted = {intent: number for number, order in orders.items() if (intent := intent_of(order))}
    taken = [one for one in noted if payments.refundable(one) and payments.refundable(one) == payments.intents[one]["amount"]]
    if open_ and (not taken or dice.random() < 0.6):
        payments.end_dispute(dice.choice(open_), dice.random() < 0.5, scene.clock())
    elif taken:
        contested = dice.choice(taken)
        payments.dispute(contested, scene.clock())
        order = orders[noted[contested]]
        if order["cancelled_at"] is None and order["fulfillment_status"] is None and dice.random() < 0.5:
            scene.cast.shop.cancel_order(noted[contested], now=scene.clock(), restock=True)
    return bool(open_ or taken)


async def goods_arrive(scene: Scene, dice: random.Random) -> None:
    await it_came(scene, dice.choice(scene.skus), dice.randrange(1, 4), _somewhere(scene, dice))


async def it_came(scene: Scene, sku: str, units: int, place: str) -> None:
    """Goods arrive: the ERP's people book them, and others tell of them where they may."""
    scene.cast.erp.move(sku, units, "supplier", scene.clock(), place)
    await _noted(scene, sku, units, place)


async def people_count(scene: Scene, skus: Collection[str]) -> None:
    """Where there is no ERP, or none yet, people say what is on the shelf."""
    if not scene.booking:
        erp = scene.cast.erp
        await _tell(scene, [
            {"event": "StockCounted", "external": f"count-{sku}-{place}", "item": sku, "sku": sku, "quantity": erp.on_hand(sku, place),
             "location": place}
            for sku in skus for place in erp.warehouses
        ])  # fmt: skip


async def _noted(scene: Scene, sku: str, delta: int, place: str) -> None:
    """Where the till or people count, too, they say what came to the shelf or is missing there. As the ERP has spoken of every item, that
    is no more than a proposal: taken as well, it would be there twice. Where it came later, they leave that to it from then on."""
    if _counting(scene) and not scene.counters.connected_at:
        name = scene.name()
        moved = {"event": "StockMoved", "external": name, "item": sku, "sku": sku, "delta": delta, "location": place}
        await _tell(scene, [moved], name)


def _counting(scene: Scene) -> str:
    """Who of those that ask us may say what is on the shelf: the till, or an operator; empty where that is the ERP's alone."""
    owners = scene.machine().fittings.shop.admission.owners("inventory", "on_hand")
    return "till" if "till" in owners else OPERATOR if MAINSTAY in owners else ""


async def _tell(scene: Scene, said: list[dict[str, Any]], key: str = "") -> None:
    """Until it is answered."""
    scene.telling += 1
    who, body = _counting(scene), {"statements": [{"event": {**one, "at": scene.clock()}} for one in said]}
    status, answer = await scene.call(who, "/v1/statements", body, key)
    scene.telling -= 1
    if status != 200:
        scene.counters.failed.append(f"{who} told {said}: {status} {answer}")


async def lorry_arrives(scene: Scene, dice: random.Random) -> None:
    """Goods of nearly every item arrive at once."""
    place = _somewhere(scene, dice)
    for sku in dice.sample(scene.skus, max(2, len(scene.skus) - 1)):
        await it_came(scene, sku, dice.randrange(1, 4), place)


async def units_are_moved(scene: Scene, dice: random.Random) -> bool:
    """A store sends units to another one. They stand on no shelf until they arrive there, all of them or not quite; what is missing is
    written off at times."""
    erp = scene.cast.erp
    there = [(sku, place, units) for sku in scene.skus for place in erp.warehouses if (units := erp.free(sku, place)) > 0]
    if len(erp.warehouses) == 1 or not there:
        return False
    sku, source, units = dice.choice(there)
    some, target = dice.randrange(1, units + 1), dice.choice([place for place in erp.warehouses if place != source])
    missing = dice.choice((0, 0, 1)) if some > 1 else 0
    sent = erp.send(sku, some, source, target, scene.clock())
    await _noted(scene, sku, -some, source)
    await asyncio.sleep(dice.random() * TRANSIT_S_MAX)
    erp.arrive(sent, some - missing, scene.clock())
    await _noted(scene, sku, some - missing, target)
    if missing and dice.random() < 0.5:
        await asyncio.sleep(dice.random() * TRANSIT_S_MAX)
        erp.write_off(sku, missing, scene.clock())
    return True


def price_changes(scene: Scene, dice: random.Random, sku: str = "") -> None:
    """Somebody changes a price where it is set, in the ERP or at the shop, and at the counters of the shop's own; the others are told."""
    sku = sku or dice.choice(scene.skus)
    scene.price[sku] = dice.randrange(500, 6_000)
    setting = scene.cast.shop if scene.machine().fittings.pricing[0] == "shop" else scene.cast.erp
    setting.reprice(sku, scene.price[sku], scene.clock())


def product_is_renamed(scene: Scene, dice: random.Random) -> None:
    """Somebody translates a product, at the shop or in the ERP: what it is called changes nothing of what it is."""
    sku, title = dice.choice(scene.skus), dice.choice(TITLES)
    if dice.random() < 0.7:
        scene.cast.shop.retitle(sku, title, scene.clock())
    else:
        scene.cast.erp.rename(sku, title, scene.clock())


async def count(scene: Scene, dice: random.Random) -> None:
    """Somebody finds one unit more or less on the shelf than the ERP says."""
    sku, erp, place = dice.choice(scene.skus), scene.cast.erp, _somewhere(scene, dice)
    delta = 1 if not erp.on_hand(sku, place) or dice.random() < 0.5 else -1
    erp.move(sku, delta, "inventory", scene.clock(), place)
    await _noted(scene, sku, delta, place)


def _somewhere(scene: Scene, dice: random.Random) -> str:
    """One of the shop's stores."""
    places = list(scene.cast.erp.warehouses)
    return dice.choice(places) if len(places) > 1 else places[0]


def todays_rate(order: dict[str, Any], dice: random.Random) -> Decimal | None:
    """Rates move between a sale and its refund."""
    rate = RATES.get(order["presentment_currency"])
    return rate and rate * dice.randrange(80, 120) / 100


def _freight_given(order: dict[str, Any]) -> bool:
    """Has the shop given the shipping of an order back already?"""
    return any(refund["refund_shipping_lines"] for refund in order["refunds"])


def intent_of(order: dict[str, Any]) -> str:
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


ACTS: dict[str, Performance] = {
    "part is cancelled": part_is_cancelled, "goods come back": goods_come_back, "goodwill": goodwill,
    "staff captures": staff_captures, "authorisation expires": authorisation_expires, "card holder contests": card_holder_contests,
    "goods arrive": goods_arrive, "count": count, "price changes": price_changes, "product is renamed": product_is_renamed,
    "units are moved": units_are_moved, "a lorry arrives": lorry_arrives,
}  # fmt: skip
