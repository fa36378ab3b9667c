"""The same messages in another legal order of arrival: the same is known in the end of every key, and nothing that must hold breaks.

Legal: nothing comes before what caused it. A message can have been caused by whatever the core had asked of anybody before it came; so
those between two such moments are put in any order, and what people, askers and our own calls said stays where it is.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mainstay.flows.intake import Intake
from mainstay.flows.propagate import places
from mainstay.flows.world import World
from mainstay.landscape import MAINSTAY
from mainstay.model.outcome import TOPIC, Outcome
from mainstay.model.state import OrderState
from mainstay.proof.sim.again import Taken
from mainstay.storage.database import rows
from mainstay.storage.inbox import Receipt
from mainstay.storage.packing import unpack
from mainstay.storage.state import State

ASKED = ("api/", "operator/")
NUMBERED = frozenset(f"operator/{action}" for action in ("retry", "suppress", "assign", "escalate", "repair", "job", "cancel", "replay"))
HOW_IT_CAME = ("marks", "heard", "updated_at", "id", "items", "subject")  # of an order: what it is by when and in which words we were told
DOUBLED = ("ReleaseOrder", "CapturePayment")  # what others may have made needless, or done themselves
TIMERS = 64
_SHELVES = "SELECT sku, stock.id % 256, on_hand, allocated, reserved, deficit FROM stock JOIN item ON item.id = stock.id / 256"
_BALANCES = "SELECT name, currency, balance FROM account WHERE balance <> 0"
_outcome = msgspec.json.Decoder(Outcome).decode


class Arrivals(Struct):
    """What came of it. `difference` is empty where there is none, or where what is known may well hang on the order."""

    difference: str = ""
    moved: int = 0  # messages that came elsewhere
    compared: bool = False


def rearranged(taken: Sequence[Taken], begin: Callable[[State], Intake], stores: tuple[State, State], dice: random.Random) -> Arrivals:
    """Take all of it over two empty stores, one by one: as it came, and in another order."""
    intake, other = (begin(store) for store in stores)
    found = Arrivals(compared=not any(_names_numbers(one) for one in _singles(taken)))
    for run in _runs(intake, taken):
        order = dice.sample(run, len(run))
        found.moved += sum(1 for one, there in zip(run, order, strict=True) if one is not there)
        for one in _placed(run, order):
            _feed(other, one, intake)
    found.compared = found.compared and not any(_contended(store) for store in stores) and not _undecided(stores)
    if found.compared:
        first, second = (essence(store) for store in stores)
        found.compared = not any(_crossed(first[uid], second[uid]) for uid in first.keys() & second.keys())
    if found.compared:
        differ = [what for what in first | second if first.get(what) != second.get(what)]
        found.difference = f"{differ[0]}: {first.get(differ[0])} and {second.get(differ[0])}" if differ else ""
    return found


def essence(state: State) -> dict[str, Any]:
    """What is known in the end, by key, without when and in which words we were told; effects as a multiset."""
    world = World(state)
    skus = dict(rows(state.connection, "SELECT id, sku FROM item"))
    world.load_orders(number for (number,) in rows(state.connection, "SELECT id FROM orders"))
    found: dict[str, Any] = {order.uid: _plain(order, skus) for order in world.orders.values()}
    names = places(state)
    found |= {f"shelf of {sku} at {names[place]}": units for sku, place, *units in rows(state.connection, _SHELVES)}
    found |= {f"account {name} in {currency}": units for name, currency, units in rows(state.connection, _BALANCES)}
    effects: Counter[str] = Counter()
    for _, _, system, _, body in state.each("intents_from", (0, 1 << 40)):
        command = msgspec.json.decode(unpack(body))
        if command["command"] == "CancelOrder":
            continue  # it is asked of a channel that has not said so itself yet
        key = command["key"].rpartition(":")[0] if command["command"] == "Fetch" else command["key"]  # it ends in the number of a message
        effects[f"{command['command']} {key} to {system}"] += 1
    return found | effects


def _crossed(one: Any, other: Any) -> bool:
    """Did we ask for something in one order of arrival alone, as what others had done was not heard yet? Here nobody answers such a call:
    the release of an order that was called off, the capture of a payment that somebody took."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    asked = [{key for key, effect in known["effects"].items() if effect["command"] in DOUBLED} for known in (one, other)]
    called_off = one["cancel"] and other["cancel"]
    taken = any(paid.get("captured") for known in (one, other) for paid in known.get("payments", {}).values())
    return asked[0] != asked[1] and bool(called_off or taken)


def _plain(order: OrderState, skus: Mapping[int, str]) -> dict[str, Any]:
    """An order in words: numbers of items are given out as they are first heard of."""
    plain: dict[str, Any] = {name: value for name, value in msgspec.to_builtins(order).items() if name not in HOW_IT_CAME}
    plain["cancel"] = bool(plain.get("cancel"))  # who was the first to say so is in no book
    plain["effects"] = {key: one for key, one in plain.get("effects", {}).items() if one["command"] != "CancelOrder"}
    plain["shares"] = sorted([line, skus[item], *rest] for line, item, *rest in plain.get("shares", ()))
    plain["short"] = {skus[int(item)]: units for item, units in plain.get("short", {}).items()}
    return plain


def _names_numbers(one: Taken) -> bool:
    """Did a person name a dead letter or a job by its number? Those are given out as things come."""
    return bool(one.source) and one.what[0].topic in NUMBERED


def _undecided(stores: tuple[State, State]) -> bool:
    """Were stores heard of in another order, and somebody wanted units? Of two stores that can serve an order the one does that was heard
    of first."""
    return places(stores[0]) != places(stores[1]) and bool(rows(stores[0].connection, "SELECT 1 FROM orders LIMIT 1"))


def _contended(state: State) -> bool:
    """Did somebody want units that were not there? Then who got them hangs on who came first."""
    bodies = (unpack(body) for (body,) in rows(state.connection, "SELECT body FROM event"))
    return any(b'"Short"' in body or b'"Refused"' in body for body in bodies)


def _runs(intake: Intake, taken: Sequence[Taken]) -> Iterator[list[Taken]]:
    """Messages that may change places: those between two moments at which something was asked of anybody."""
    run: list[Taken] = []
    for one in _singles(taken):
        asked = intake.world.counters.get("intent", 0)
        _feed(intake, one)
        if not _moves(one):
            yield from ([run] if run else [])
            yield [one]
            run = []
            continue
        run.append(one)
        if intake.world.counters.get("intent", 0) > asked:
            yield run
            run = []
    if run:
        yield run


def _singles(taken: Sequence[Taken]) -> Iterator[Taken]:
    for part in taken:
        yield from (Taken(part.source, [one], part.now) for one in part.what)


def _moves(one: Taken) -> bool:
    """Is it what an outside system said of itself?"""
    if not one.source:
        return False
    receipt: Receipt = one.what[0]
    return receipt.system != MAINSTAY and receipt.topic != TOPIC and not receipt.topic.startswith(ASKED)


def _placed(run: Sequence[Taken], order: Sequence[Taken]) -> Iterator[Taken]:
    """A run in another order. Places in the inboxes and times of arrival stay where they are: they belong to the order."""
    if not _moves(run[0]):
        yield from run
        return
    places = {source: iter([one.what[0].seq for one in run if one.source == source]) for source in {one.source for one in run}}
    for place, one in zip(run, order, strict=True):
        receipt = replace(one.what[0], seq=next(places[one.source]), at=place.what[0].at)
        yield Taken(one.source, [receipt], place.now)


def _feed(intake: Intake, one: Taken, like: Intake | None = None) -> None:
    """Take one message, or look at the timers that are due. `like`: the core that numbered the things that an outcome is of."""
    if one.source:
        receipt: Receipt = one.what[0]
        if like is not None and receipt.topic == TOPIC:
            receipt = replace(receipt, body=_renumbered(receipt.body, like, intake))
        intake.take(one.source, [receipt], one.now)
        return
    while due := intake.world.store.rows("due_timers", (one.now, TIMERS)):
        intake.expire(due, one.now)


def _renumbered(body: bytes, like: Intake, intake: Intake) -> bytes:
    """An outcome under the number that its order has here."""
    outcome = _outcome(body)
    like.world.load_orders([outcome.entity])
    order = like.world.orders.get(outcome.entity)
    if order is None:
        return body
    key = intake.world.key(order.system, "order", order.external)
    return msgspec.json.encode(replace(outcome, entity=intake.world.store.find([key]).get(key, 0)))
