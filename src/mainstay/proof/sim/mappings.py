"""A mapping that is wrong for a while: an operator corrects it and reads the messages of that time again, or repairs what they became."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from mainstay.model.failures import Reject
from mainstay.model.objects import Line
from mainstay.model.seen import CustomerSeen, FulfilmentSeen, OrderSeen, Said, StockCounted, StockMoved
from mainstay.model.times import iso
from mainstay.proof.sim.scene import Performance, Scene

WRONG_S_MAX = 480  # shorter than an order waits for its payment
RESTART_S_MAX = 5
STRANGER = "Nobody"
Misread = Callable[[Said], Said]  # what a statement, with the person beside it, is taken for
Translate = Callable[[str, bytes], list[Said]]


def _said(misread: Callable[[Any], Any]) -> Misread:
    """Of a statement what it says is read wrongly, and the person beside it rightly."""
    return lambda said: replace(said, event=misread(said.event))


def _lines(wrong: Callable[[Line], Line]) -> Misread:
    """Each line of an order is taken for another one."""

    def misread(said: Any) -> Any:
        return replace(said, order=replace(said.order, lines=tuple(map(wrong, said.order.lines)))) if isinstance(said, OrderSeen) else said

    return _said(misread)


def _provider(said: Any) -> Any:
    """Payments are looked for at a provider that the shop does not have (the setting `payment_system`)."""
    if not isinstance(said, OrderSeen):
        return said
    payments = tuple(replace(one, system="stripe") for one in said.order.payments)
    return replace(said, order=replace(said.order, payments=payments), aliases=tuple(one for one in said.aliases if one.kind != "payment"))


def _halved(said: Any) -> Any:
    """Single units of the ERP are taken for halves of packs."""
    if isinstance(said, StockCounted):
        return replace(said, quantity=said.quantity // 2)
    return replace(said, delta=said.delta // 2) if isinstance(said, StockMoved) and said.delta > 0 else said


def _not_gone(said: Any) -> Any:
    """The warehouse's word for a parcel that has left is read as one that waits."""
    return replace(said, status="pending") if isinstance(said, FulfilmentSeen) and said.status == "shipped" else said


def _unread(said: Any) -> Any:
    """Orders bear a word that has no mapping: each becomes a dead letter."""
    if isinstance(said, OrderSeen):
        raise Reject("unknown status 'settled'", WORD)
    return said


def _stranger(said: Said) -> Said:
    """Customers are called by a field that says nobody's name."""
    if not isinstance(said.event, CustomerSeen) or said.person is None:
        return said
    return replace(said, person=replace(said.person, name=STRANGER))


WORD = "unknown_word"
MISREAD: Mapping[str, tuple[str, Misread]] = {  # a system, and what is wrong with how it is read
    "sku": ("shop", _lines(lambda line: replace(line, sku=f"{line.sku}-OLD"))),  # SKUs are joined under a name that nobody else has
    "packs": ("shop", _lines(lambda line: replace(line, quantity=2 * line.quantity))),  # single units are taken for packs of two
    "provider": ("shop", _said(_provider)), "halves": ("erp", _said(_halved)),
    "state": ("warehouse", _said(_not_gone)), "word": ("shop", _said(_unread)), "who": ("shop", _stranger),
}  # fmt: skip


async def mapping_is_wrong(scene: Scene, dice: random.Random) -> bool:
    """Somebody maps what a system says wrongly, notices after some minutes, puts it right, and has read again what came meanwhile. Where
    people read everything again just then, all of it would be wrong: that is another story."""
    status, jobs = await scene.shown("/v1/jobs")
    if scene.machine().disk or scene.misreading or status != 200 or any(one["status"] == "running" for one in jobs):
        return False
    name = dice.choice([name for name, (system, _) in MISREAD.items() if system not in scene.counters.lacks])
    system, misread = MISREAD[name]
    scene.misreading = name
    right, began = scene.machine().fittings.shop.translate[system], iso(scene.clock())
    await _deploy(scene, system, _misreading(right, misread), dice)
    await asyncio.sleep(dice.random() * WRONG_S_MAX)
    await _deploy(scene, system, right, dice)
    scene.wires.fired[f"misread {name}"] += 1
    because = {"by": "sim", "reason": "the mapping was wrong"}
    if name == "word":
        meant = {"action": "repair", "query": {"system": system, "code": WORD}, "set": {"settled": "true"}}
        return await _mend(scene, "/v1/jobs", {**meant, **because})
    return await _mend(scene, "/v1/replays", {"span": {"since": began, "system": system}, "stage": "receipt", **because})


async def _mend(scene: Scene, path: str, asked: dict[str, Any]) -> bool:
    """Begin the job that puts it right. One of which the answer was lost was begun, and may have left nothing to the next."""
    while True:
        status, answer = await scene.call("operator", path, asked)
        if status == 202:
            scene.jobs[answer["job"]] = answer["action"]
        listed, jobs = await scene.shown("/v1/jobs") if status else (0, [])
        if listed == 200:
            scene.mended |= {one["job"] for one in jobs if one["reason"] == asked["reason"]}
            scene.misreading = ""
            return status == 202


async def _deploy(scene: Scene, system: str, translate: Translate, dice: random.Random) -> None:
    """Start Mainstay anew with another mapping."""
    machine = scene.machine()
    while not machine.up:
        await asyncio.sleep(1)
    machine.crash()
    shop = machine.fittings.shop
    machine.fittings = replace(machine.fittings, shop=replace(shop, translate={**shop.translate, system: translate}))
    await asyncio.sleep(dice.random() * RESTART_S_MAX)
    machine.start()


def _misreading(right: Translate, misread: Misread) -> Translate:
    def translate(topic: str, body: bytes) -> list[Said]:
        return [misread(said) for said in right(topic, body)]

    return translate


ACTS: dict[str, Performance] = {"mapping is wrong": mapping_is_wrong}
