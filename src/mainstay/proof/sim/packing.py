"""Those who pack: a warehouse that is asked to, or people who see in Mainstay what is to leave, send it, and tell its channel."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Collection, Mapping

from msgspec.structs import replace

from mainstay.flows.propagate import places
from mainstay.model import identity
from mainstay.model.events import Share
from mainstay.model.state import OrderState
from mainstay.model.times import DAY, SECOND
from mainstay.proof.access import WAREHOUSES
from mainstay.proof.sim.scene import Performance, Scene
from mainstay.proof.truth import believed
from mainstay.twins.tryton import HOME


async def warehouse_packs(scene: Scene, dice: random.Random) -> bool:
    """Everything that is open leaves, sometimes in two parcels. Where no warehouse is asked, people see in Mainstay what is to leave."""
    if "warehouse" in scene.counters.lacks:
        return await _sent_from_the_shelf(scene)
    return _packs(scene, dice, WAREHOUSES.values())


def one_store_packs(scene: Scene, dice: random.Random) -> bool:
    """Everything that is open in one of the stores leaves."""
    return _packs(scene, dice, [dice.choice(list(WAREHOUSES.values()))])


def _packs(scene: Scene, dice: random.Random, stores: Collection[int]) -> bool:
    warehouse, packed = scene.cast.warehouse, False
    for release, order in list(warehouse.released.items()):
        units = warehouse.left(release)
        if order["orderStatus"] != "awaiting_shipment" or not any(units.values()) or release in scene.put_off:
            continue
        if order["advancedOptions"].get("warehouseId", WAREHOUSES[HOME]) not in stores:
            continue
        if sum(units.values()) > 1 and dice.random() < 0.4:
            warehouse.ship(release, scene.clock(), lines={next(iter(units)): 1}, tracking=f"BR{dice.randrange(10**9)}")
        else:
            warehouse.ship(release, scene.clock(), tracking=f"BR{dice.randrange(10**9)}")
        packed = True
    return packed


def sent_by_hand(scene: Scene, dice: random.Random) -> bool:
    """The marketplace is not connected yet: staff takes what an order there wants off the shelf, writes that into the ERP, and tells it."""
    amazon, erp = scene.cast.amazon, scene.cast.erp
    waiting = [name for name, order in amazon.orders.items() if order["fulfillment"]["fulfillmentStatus"] == "UNSHIPPED"]
    if scene.connect is None or not waiting:
        return False
    name, wanted = dice.choice(waiting), Counter[str]()
    items = amazon.orders[name]["orderItems"]
    for item in items:
        wanted[item["product"]["sellerSku"]] += item["fulfillment"]["quantityUnfulfilled"]
    if any(erp.free(sku, HOME) < units for sku, units in wanted.items()):
        return False
    for sku, units in wanted.items():
        erp.move(sku, -units, "customer", scene.clock())
    amazon.sent_by_hand(name, {item["orderItemId"]: item["fulfillment"]["quantityUnfulfilled"] for item in items}, scene.clock())
    return True


async def rest_leaves_late(scene: Scene, dice: random.Random) -> bool:
    """A buyer wants several units, of which the warehouse sends one, and the rest a month later or so."""
    warehouse = scene.cast.warehouse
    there = [
        release for release, order in warehouse.released.items()
        if order["orderStatus"] == "awaiting_shipment" and sum(warehouse.left(release).values()) > 1 and release not in scene.put_off
    ]  # fmt: skip
    if not there:
        return False
    release = dice.choice(there)
    first = dice.choice(list(warehouse.left(release)))
    scene.put_off.add(release)
    warehouse.ship(release, scene.clock(), lines={first: 1}, tracking=f"BR{dice.randrange(10**9)}")
    await asyncio.sleep(dice.uniform(20, 40) * DAY / SECOND)
    scene.put_off.discard(release)
    if warehouse.released[release]["orderStatus"] == "awaiting_shipment":  # and nobody has called it off meanwhile
        warehouse.ship(release, scene.clock(), tracking=f"BR{dice.randrange(10**9)}")
    return True


async def _sent_from_the_shelf(scene: Scene) -> bool:
    """Of each order of which something is set aside, that is taken off the shelf and sent, and its channel told."""
    machine, sent = scene.machine(), False
    if not machine.up:
        return False
    names, waiting = places(machine.state), {"allocated", "part_shipped"}
    waiting |= {"backordered"} if machine.fittings.shop.policy.partial_shipment else set()
    for order in believed(machine.state).values():
        if order.status not in waiting or order.holds:
            continue
        shares = [replace(share, quantity=share.quantity - share.shipped) for share in order.shares if share.quantity > share.shipped]
        if shares and await _told(scene, order, shares):
            sent = True
            for place in {share.location for share in shares}:
                _noted(scene, order, [share for share in shares if share.location == place], names[place])
    return sent


async def _told(scene: Scene, order: OrderState, shares: Collection[Share]) -> bool:
    """Tell its channel of a parcel; False where the order looks otherwise there by now."""
    assert order.order is not None
    units: Counter[str] = Counter()
    for share in shares:
        units[order.order.lines[share.line].id] += share.quantity
    if order.system == "shop":
        return scene.cast.shop.sent_by_hand(int(order.external), units, scene.clock())
    if order.system == "amazon":
        return scene.cast.amazon.sent_by_hand(order.external, units, scene.clock())
    return await _stated(scene, order, units)


async def _stated(scene: Scene, order: OrderState, units: Mapping[str, int]) -> bool:
    """A channel of the shop's own says itself what it has sent."""
    name = scene.name()
    parcel = {
        "event": "FulfilmentSeen", "external": name, "of": {"kind": "order", "id": order.external}, "at": scene.clock(),
        "lines": [{"line": line, "quantity": count} for line, count in units.items()],
    }  # fmt: skip
    status, answer = await scene.call(order.system, "/v1/statements", {"statements": [{"event": parcel}]}, name)
    if status != 200:
        scene.counters.failed.append(f"{order.system} told {parcel}: {status} {answer}")
    return status == 200


def _noted(scene: Scene, order: OrderState, shares: Collection[Share], place: str) -> None:
    """What left stands in the warehouse's book, for whoever compares, also where no Mainstay knows of one."""
    assert order.order is not None
    lines = [(order.order.lines[share.line], share.quantity) for share in shares]
    scene.cast.warehouse.shipments.append({
        "orderKey": identity.release(order.uid, 0), "voided": False, "warehouseId": WAREHOUSES[place],
        "shipmentItems": [{"sku": line.sku, "lineItemKey": line.id, "quantity": units} for line, units in lines],
    })  # fmt: skip


ACTS: dict[str, Performance] = {
    "warehouse packs": warehouse_packs, "one store packs": one_store_packs, "rest leaves late": rest_leaves_late,
    "sent by hand": sent_by_hand,
}  # fmt: skip
