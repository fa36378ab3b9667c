"""The same messages in another legal order of arrival: the same is known in the end by every key whose end does not hang on the order,
and nothing that must hold breaks.

Legal: nothing comes before what caused it. A message can have been caused by whatever the core had asked of anybody before it came; so
those between two such moments are put in any order, and what people, askers and our own calls said stays where it is. What they name by a
number has another one in another order, and is named by that.

Left out are three kinds of things, and all that hangs on them: whoever wanted or had units of such a SKU, all other SKUs of which that one
wanted or had units, and so on. They are told apart by what either order says:

- SKUs of which somebody wanted units that were not there: who got them hangs on who came first.
- SKUs that lie in several stores which may serve somebody who wanted them, where stores were heard of in another order (the one serves
  that was heard of first), or where several wanted them: who comes first has the pick of the stores.
- Orders of which something was asked in one order alone, as what others had done was not heard yet.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mainstay.flows.intake import Intake
from mainstay.flows.propagate import places
from mainstay.flows.replay import Raw
from mainstay.flows.shop import Shop
from mainstay.landscape import MAINSTAY
from mainstay.model.outcome import TOPIC
from mainstay.proof.sim.again import Taken
from mainstay.proof.sim.known import Known, hanging, known
from mainstay.proof.sim.numbers import Numbers
from mainstay.storage.inbox import Receipt
from mainstay.storage.state import State

ASKED = ("api/", "operator/")
DOUBLED = ("ReleaseOrder", "CancelRelease", "CapturePayment", "VoidPayment")  # what others may have made needless, or done themselves
TIMERS = 64


class Arrivals(Struct):
    """What came of it. `difference` is empty where all that is compared is the same."""

    difference: str = ""
    moved: int = 0  # messages that came elsewhere
    compared: int = 0  # keys
    left_out: int = 0  # keys whose end may well hang on the order


class Core(Struct):
    """A core, and the messages that it took, by the numbers that they had there."""

    intake: Intake
    taken: dict[int, Receipt]


def rearranged(taken: Sequence[Taken], begin: Callable[[State, Raw], Intake], stores: tuple[State, State], dice: random.Random) -> Arrivals:
    """Take all of it over two empty stores, one by one: as it came, and in another order."""
    first, other = (_core(begin, store) for store in stores)
    numbers, found = Numbers(first.intake.world, other.intake.world, {}), Arrivals()
    for run in _runs(first, taken):
        order = dice.sample(run, len(run))
        found.moved += sum(1 for one, there in zip(run, order, strict=True) if one is not there)
        for one in _placed(run, order, numbers.receipts):
            _feed(other, one, numbers)
    here, there = (known(store) for store in stores)
    doubtful = here.short | there.short | _crossed_orders(here, there)
    for sku in _in_several_stores(here, there, first.intake.shop):
        if places(stores[0]) != places(stores[1]) or sum(sku in things for things in here.links + there.links) > 2:
            doubtful.add(sku)
    compare(found, here, there, doubtful)
    return found


def compare(found: Arrivals, one: Known, other: Known, doubtful: set[str]) -> None:
    """Compare key by key, but for these things and all that hangs on them."""
    out = hanging(doubtful, one.links + other.links)
    keys = one.by_key.keys() | other.by_key.keys()
    left = {key for key in keys if out & {one.of.get(key), other.of.get(key)}}
    found.compared, found.left_out = len(keys - left), len(left)
    differ = [key for key in sorted(keys - left) if one.by_key.get(key) != other.by_key.get(key)]
    found.difference = f"{differ[0]}: {one.by_key.get(differ[0])} and {other.by_key.get(differ[0])}" if differ else ""


def _core(begin: Callable[[State, Raw], Intake], store: State) -> Core:
    taken: dict[int, Receipt] = {}
    return Core(begin(store, lambda _, number: taken.get(number)), taken)


def _in_several_stores(one: Known, other: Known, shop: Shop) -> set[str]:
    """SKUs of which somebody wanted units, and of whose stores more than one may serve them."""
    found = set()
    for sku in one.wanted.keys() | other.wanted.keys():
        lies = one.places.get(sku, set()) | other.places.get(sku, set())
        wanted = one.wanted.get(sku, set()) | other.wanted.get(sku, set())
        if any(len(lies.intersection(shop.locations.get(system, lies))) > 1 for system in wanted):
            found.add(sku)
    return found


def _crossed_orders(one: Known, other: Known) -> set[str]:
    """Orders of which we asked for something in one order of arrival alone, as what others had done was not heard yet. Here nobody answers
    such a call: the release of an order that was called off, the capture or the void of a payment that somebody took."""
    orders = {key for key in one.by_key.keys() & other.by_key.keys() if one.of.get(key) == key}
    return {uid for uid in orders if _crossed(one.by_key[uid], other.by_key[uid])}


def _crossed(one: dict[str, Any], other: dict[str, Any]) -> bool:
    called_off = one["cancel"] and other["cancel"]
    taken = any(paid.get("captured") for order in (one, other) for paid in order.get("payments", {}).values())
    differ = _asked(one) ^ _asked(other)
    return "CancelRelease" in {what for what, _ in differ} or bool(differ and (called_off or taken))


def _asked(order: dict[str, Any]) -> set[tuple[str, str]]:
    """(command, key) of what others may have made needless."""
    return {(effect["command"], key) for key, effect in order["effects"].items() if effect["command"] in DOUBLED}


def _runs(core: Core, taken: Sequence[Taken]) -> Iterator[list[Taken]]:
    """Messages that may change places: those between two moments at which something was asked of anybody."""
    run: list[Taken] = []
    for one in _singles(taken):
        asked = core.intake.world.counters.get("intent", 0)
        _feed(core, one)
        if not _moves(one):
            yield from ([run] if run else [])
            yield [one]
            run = []
            continue
        run.append(one)
        if core.intake.world.counters.get("intent", 0) > asked:
            yield run
            run = []
    if run:
        yield run


def _singles(taken: Sequence[Taken]) -> Iterator[Taken]:
    for part in taken:
        yield from (Taken(part.source, [one], part.now, part.shop) for one in part.what)


def _moves(one: Taken) -> bool:
    """Is it what an outside system said of itself?"""
    if not one.source:
        return False
    receipt: Receipt = one.what[0]
    return receipt.system != MAINSTAY and receipt.topic != TOPIC and not receipt.topic.startswith(ASKED)


def _placed(run: Sequence[Taken], order: Sequence[Taken], receipts: dict[int, int]) -> Iterator[Taken]:
    """A run in another order. Places in the inboxes and times of arrival stay where they are: they belong to the order. `receipts` learns
    which number a message has now."""
    if not _moves(run[0]):
        yield from run
        return
    places = {source: iter([one.what[0].seq for one in run if one.source == source]) for source in {one.source for one in run}}
    for place, one in zip(run, order, strict=True):
        receipt = replace(one.what[0], seq=next(places[one.source]), at=place.what[0].at)
        receipts[one.what[0].seq] = receipt.seq
        yield Taken(one.source, [receipt], place.now, one.shop)


def _feed(core: Core, one: Taken, numbers: Numbers | None = None) -> None:
    """Take one message, or look at the timers that are due. `numbers`: it was taken by another core, and names things as they are there."""
    if one.source:
        receipt: Receipt = one.what[0]
        receipt = numbers.named(receipt) if numbers else receipt
        core.taken[receipt.seq] = receipt
        core.intake.take(one.source, [receipt], one.now)
        return
    while due := core.intake.world.store.rows("due_timers", (one.now, TIMERS)):
        core.intake.expire(due, one.now)
