"""Performs acts on the twins and at Mainstay's doors. Keeps the books of the channels that ask first; the rest stands in the twins'."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from mainstay.proof.sim import accounts, buyers, mappings, operators, packing, refunds, staff
from mainstay.proof.sim.acts import Act
from mainstay.proof.sim.scene import Performance, Scene
from mainstay.twins.tryton import HOME

ROOMS = (buyers, accounts, staff, packing, refunds, operators, mappings)
ACTS: Mapping[str, Performance] = {kind: act for room in ROOMS for kind, act in room.ACTS.items()}


async def perform(scene: Scene, act: Act, patience: int, wait_s: float) -> float | None:
    """One act. What cannot happen yet (nothing to cancel, nothing to pack) is tried again, so often and so much later. How many seconds it
    waited; None where it did not happen."""
    for tried in range(patience + 1):
        if await _happens(scene, act):
            return tried * wait_s
        if tried < patience:
            await asyncio.sleep(wait_s)
    return None


async def _happens(scene: Scene, act: Act) -> bool:
    done = ACTS[act.kind](scene, act.dice())
    if asyncio.iscoroutine(done):
        done = await done
    for name in scene.wires.twins:
        scene.wires.pump(name)
    if done is not False:
        scene.played[act.kind] += 1
    return done is not False


def open_shop(scene: Scene, stock: dict[str, int], stores: Collection[str]) -> None:
    """Products; only the ERP knows what is on the shelf. Other `stores` have half of it."""
    now = scene.clock()
    for store in stores:
        scene.cast.erp.open_warehouse(store)
    for sku, units in stock.items():
        scene.opened[sku] = units
        scene.cast.erp.add_product(sku, units, scene.price[sku])
        scene.cast.shop.add_product(sku, sku, scene.price[sku], 0, now)
        by_itself = scene.apart == "amazon"  # with a number and a price of its own
        if "amazon" not in scene.counters.lacks:
            scene.cast.amazon.add_listing(sku, scene.price[sku] + 100 * by_itself, units if by_itself else 0)
        for store in stores if units > 1 else ():
            scene.cast.erp.arrive(scene.cast.erp.send(sku, units // 2, HOME, store, now), units // 2, now)


async def channels_look(scene: Scene) -> None:
    """A channel that sold an order for which a clock's jump was too long finds it cancelled, with the reason, and cancels it too."""
    for sale in scene.counters.sales.values():
        _, found = await scene.shown(f"/v1/trace/ord.{sale.channel}.{sale.id}")
        sale.cancelled = any("not paid in time" in str(step) for one in found for step in one["steps"])
