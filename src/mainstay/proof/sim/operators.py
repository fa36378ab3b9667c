"""What breaks, and who repairs: crashes, outages, clocks that jump, and what operators do at Mainstay's API."""

from __future__ import annotations

import asyncio
import random

from mainstay.model.times import DAY, HOUR
from mainstay.proof.sim.scene import Performance, Scene
from mainstay.proof.sim.views import unlike_letters, unlike_pauses
from mainstay.proof.truth import placed

RETRIES_MAX = 4
OUTAGE_S_MAX = 400
CLOG_S_MAX = 60.0  # between one link and the next
CRASH_S_MAX = 400.0  # so long a crash waits for the call in which it is to come
CLOCK_S_MAX = 600
WRONG_BY = (DAY, -HOUR)  # a clock that is set


async def crash(scene: Scene, dice: random.Random) -> bool:
    machine = scene.machine()
    if machine.disk:  # where the power is cut, that is crash enough
        return False
    if dice.random() < 0.5:  # of two crashes one comes when it must not
        scene.wires.fired["crash in a call"] += await scene.wires.done(CRASH_S_MAX)
    if not machine.up:
        return False
    machine.crash()
    scene.wires.fired["crash"] += 1
    await asyncio.sleep(dice.random() * 20)
    machine.start()
    return True


async def clock_is_set(scene: Scene, dice: random.Random) -> None:
    """The machine's clock is suddenly a day ahead or an hour behind, and right again after some minutes."""
    by = dice.choice(WRONG_BY)
    scene.machine().set_clock(by)
    scene.wires.fired["clock ahead" if by > 0 else "clock behind"] += 1
    await asyncio.sleep(dice.random() * CLOCK_S_MAX)
    scene.machine().set_clock(0)


def system_is_connected(scene: Scene, _dice: random.Random) -> bool:
    """Somebody declares what is apart so far, the marketplace or the ERP, and starts Mainstay anew."""
    return scene.connect is not None and scene.connect()


async def outage(scene: Scene, dice: random.Random) -> None:
    name = dice.choice(sorted(scene.wires.twins))
    scene.wires.down.add(name)
    scene.wires.fired["outage"] += 1
    await asyncio.sleep(dice.random() * OUTAGE_S_MAX)
    scene.wires.down.discard(name)


async def links_clog(scene: Scene, dice: random.Random) -> bool:
    """The links to all systems stop, one by one, and come back one by one, in another order: for a while there is none."""
    wires = scene.wires
    if wires.down:
        return False
    stop, back = (dice.sample(sorted(wires.twins), len(wires.twins)) for _ in range(2))
    for name in stop:
        wires.down.add(name)
        await asyncio.sleep(dice.random() * CLOG_S_MAX)
    wires.fired["all links stopped"] += wires.down == set(wires.twins)
    wires.fired["back in another order"] += back != stop
    for name in back:
        await asyncio.sleep(dice.random() * CLOG_S_MAX)
        wires.down.discard(name)
    return True


async def operator_holds_back(scene: Scene, dice: random.Random) -> bool:
    """A system, a flow, a channel, a SKU or an order is held for some minutes, and goes on again."""
    fittings, orders = scene.machine().fittings, sorted(f"key:ord.shop.{number}" for number in scene.cast.shop.orders)
    targets = [f"system:{name}" for name in sorted(fittings.connectors)] + [f"channel:{name}" for name in sorted(fittings.policies)]
    targets += sorted(f"flow:{one.flow}" for one in fittings.plan.promises)
    target = dice.choice([*targets, *(f"sku:{sku}" for sku in scene.skus), *orders])
    told = {"target": target, "by": "sim", "reason": "a story"}
    status, _ = await scene.call("operator", "/v1/pauses", {**told, "mode": dice.choice(("paused", "draining"))})
    if status != 200:
        return False  # nobody has heard of that order
    scene.wires.fired["held back"] += 1
    scene.held[target] += 1
    if scene.held[target] == 1:
        await scene.look(unlike_pauses(scene.shown, told, held=True))
    await asyncio.sleep(dice.random() * OUTAGE_S_MAX)
    while (await scene.call("operator", "/v1/pauses", {**told, "mode": "running"}))[0] != 200:
        await asyncio.sleep(1)
    scene.held[target] -= 1
    if not scene.held[target]:
        await scene.look(unlike_pauses(scene.shown, told, held=False))
    return True


async def operator_replays(scene: Scene, dice: random.Random) -> bool:
    """All that ever was is replayed from a stage, with the same mapping, by systems that have lost nothing: nothing follows from it."""
    if scene.misreading:
        return False
    stage, topic = dice.choice((("receipt", ""), ("statement", ""), ("effect", ""), ("effect", "SetLevel"), ("effect", "SetPrice")))
    asked = {"span": {"since": "2020-01-01T00:00:00Z", "topic": topic}, "stage": stage, "by": "sim"}
    status, answer = await scene.call("operator", "/v1/replays", asked)
    if status == 202:
        scene.jobs[answer["job"]] = answer["action"]
    return status == 202


async def operator_repairs(scene: Scene, _dice: random.Random) -> bool:
    """What broke off at its sender is taken as it was meant: at its right place, however late."""
    status, letters = await scene.shown("/v1/deadletters")
    repaired = 0
    for letter in letters if status == 200 else ():
        twin = scene.wires.twins.get(letter["system"])
        status, whole = await scene.shown(f"/v1/deadletters/{letter['id']}")
        meant = twin.meant.get(whole["raw"].encode()) if twin and status == 200 else None
        if meant is not None:
            told = {"body": meant.decode(), "by": "sim", "reason": "it broke off"}
            status, _ = await scene.call("operator", f"/v1/deadletters/{letter['id']}/repair", told)
            repaired += status == 200
    return repaired > 0


async def operator_retries(scene: Scene, _dice: random.Random) -> bool:
    """Every open letter of an effect is tried again, a few times at the most; the ERP's shelf is counted where one asks for that."""
    status, letters = await scene.machine().ask("operator", "GET", "/v1/deadletters", {})
    if status != 200:
        return False
    before = scene.retried.total()
    await scene.look(unlike_letters(scene.shown, {one.uid: one.total for one in placed(scene.cast, scene.counters)}))
    for letter in letters:
        effect = str(letter.get("key", "")).split(".again.")[0] or str(letter["id"])
        if letter["topic"] == "mainstay/outcome" and scene.retried[effect] < RETRIES_MAX:
            scene.retried[effect] += 1
            if "correct the count" in letter["why"]:
                erp = scene.cast.erp
                for sku, place in ((sku, place) for sku in scene.opened for place in erp.warehouses):
                    erp.move(sku, max(0, 4 - erp.on_hand(sku, place)), "inventory", scene.clock(), place)
            await scene.call("operator", f"/v1/deadletters/{letter['id']}/retry", {"by": "sim"})
    return scene.retried.total() > before


ACTS: dict[str, Performance] = {
    "crash": crash, "outage": outage, "links clog": links_clog, "clock is set": clock_is_set, "operator holds back": operator_holds_back,
    "operator replays": operator_replays, "operator repairs": operator_repairs, "operator retries": operator_retries,
    "marketplace is connected": system_is_connected, "ERP is connected": system_is_connected,
}  # fmt: skip
