"""Systems that are connected in the middle of a history: the marketplace, which has sold by itself until then; or the ERP, while the till
has counted what is on the shelf."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from mainstay.flows.propagate import places
from mainstay.model.state import OrderState
from mainstay.proof.sim.looks import apart
from mainstay.proof.sim.machine import Fittings
from mainstay.proof.sim.packing import warehouse_packs
from mainstay.proof.sim.scene import Scene
from mainstay.proof.sim.staff import goods_come_back, it_came
from mainstay.proof.truth import believed, left_by_store, left_of, placed, shipped
from mainstay.storage.database import rows
from mainstay.twins.tryton import HOME

PAUSE_S = 60.0
LOOKS_MAX = 60  # at whether it can be connected, after the doors have closed


def begin_without(scene: Scene, fittings: Fittings, system: str) -> Fittings:
    """The shop before a system is connected; `scene.connect` does that."""

    def connect() -> bool:
        machine = scene.machine()
        if not PREPARE[system](scene):
            return False
        since = {system: scene.clock()}
        shop = replace(fittings.shop, since=since, policy=replace(fittings.shop.policy, since=since))
        scene.apart, scene.connect, machine.fittings = "", None, replace(fittings, shop=shop)
        if machine.up:
            machine.prune()
            machine.crash()
            machine.start()
        return True

    scene.apart, scene.connect = system, connect
    return apart(fittings, system)


async def connected_at_last(scene: Scene, dice: random.Random) -> bool:
    """When the doors have closed: what has left in part is sent to its end, with goods that are ordered for it, until nothing hinders
    that it is connected. What had left by then may still come back."""
    for _ in range(LOOKS_MAX):
        if scene.connect is None or scene.connect():
            if scene.counters.before:
                await goods_come_back(scene, dice)
            return True
        await warehouse_packs(scene, dice)
        for sku, units in _lacking(scene).items():
            await it_came(scene, sku, units, HOME)
        for name in scene.wires.twins:
            scene.wires.pump(name)
        await asyncio.sleep(PAUSE_S)
    return False


def _marketplace(scene: Scene) -> bool:
    """What was over there by now is nothing of ours."""
    over = {"SHIPPED", "CANCELLED"}
    there = scene.cast.amazon.orders.items()
    scene.counters.over = {name for name, one in there if one["fulfillment"]["fulfillmentStatus"] in over}
    return True


def _erp(scene: Scene) -> bool:
    """Mainstay is stopped, and its numbers are typed into the ERP as its opening balance, when no order has left in part: it would be
    booked as a whole. What has left as a whole is in the balance, and is not booked any more."""
    machine, erp = scene.machine(), scene.cast.erp
    belief = believed(machine.state) if machine.up else {}
    if not machine.up or scene.telling or any(map(half_sent, belief.values())):
        return False
    ours, gone = _on_our_shelf(scene), sum(_left(scene).values(), Counter[str]())
    for sku in scene.opened:
        there = erp.on_hand(sku)
        if not there - gone[sku] <= ours[sku] <= there:
            scene.misread.append(f"{ours[sku]} of {sku} as the opening balance, {there} came and {gone[sku]} left")
        if ours[sku] != there:
            erp.move(sku, ours[sku] - there, "inventory", scene.clock())
    scene.counters.connected_at = scene.clock()
    scene.counters.before = {uid for uid, one in belief.items() if one.status in ("invoiced", "settled")}
    if never := scene.counters.before - {uid for uid, units in _left(scene).items() if units}:
        scene.misread.append(f"{sorted(never)} to have left before the ERP came")
    return True


def book_what_left(scene: Scene) -> None:
    """Where there is no ERP nobody has written down what left. That is done when all is over, so that its book says what is on the shelf,
    as if it were connected then."""
    cast, machine = scene.cast, scene.machine()
    for units in left_by_store(cast).values():
        for (sku, store), sent in units.items():
            cast.erp.move(sku, -sent, "customer", scene.clock(), store)
    names, stores = dict(rows(machine.state.connection, "SELECT id, sku FROM item")), places(machine.state)
    belief = believed(machine.state)
    for one in placed(cast, scene.counters):
        for share in belief[one.uid].shares if one.handed_over and one.uid in belief else ():
            cast.erp.move(names[share.item], -share.shipped, "customer", scene.clock(), stores[share.location])
    scene.counters.before = {uid for uid, one in belief.items() if one.status != "cancelled"}


def half_sent(one: OrderState) -> bool:
    """Has a part of an order left, and the rest is to follow? Of one that is held and not at the warehouse any more a person decides."""
    left = any(share.shipped for share in one.shares) and one.status not in ("invoiced", "settled", "cancelled")
    return left and (not one.holds or any(share.released > share.shipped for share in one.shares))


def _lacking(scene: Scene) -> Counter[str]:
    """Units that orders lack of which a part has left, by SKU."""
    machine, lacking = scene.machine(), Counter[str]()
    if machine.up and not scene.telling:
        names = dict(rows(machine.state.connection, "SELECT id, sku FROM item"))
        for one in filter(half_sent, believed(machine.state).values()):
            lacking.update({names[item]: units for item, units in one.short.items()})
    return lacking


def _on_our_shelf(scene: Scene) -> Counter[str]:
    """What `mainstay stock` says is on hand, by SKU; below zero where more left than had come."""
    standing = "CASE WHEN on_hand > 0 THEN on_hand ELSE allocated + reserved - deficit END"
    sql = f"SELECT sku, {standing} FROM stock JOIN item ON item.id = stock.id / 256"
    return Counter(dict(rows(scene.machine().state.connection, sql)))


def _left(scene: Scene) -> dict[str, Counter[str]]:
    """Units that left the warehouse or were handed over at the till, by order and SKU, heard of or not."""
    parcels = shipped(scene.cast)
    return {one.uid: left_of(one, parcels) for one in placed(scene.cast, scene.counters)}


PREPARE: Mapping[str, Callable[[Scene], bool]] = {"amazon": _marketplace, "erp": _erp}  # False: it cannot be connected yet
