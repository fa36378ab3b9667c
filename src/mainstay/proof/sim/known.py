"""What is known in the end, by key; and what of it hangs together: whoever wants units that another got is linked by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct, field

from mainstay.flows.propagate import places
from mainstay.flows.world import World
from mainstay.model.events import Allocated, Deallocated, Shipped, Short, decode
from mainstay.model.identity import shown
from mainstay.model.state import OrderState, ReservationState
from mainstay.storage.database import rows
from mainstay.storage.packing import unpack
from mainstay.storage.state import State

HOW_IT_CAME = ("marks", "heard", "updated_at", "id", "items", "subject")  # of an order: what it is by when and in which words we were told
_SHELVES = "SELECT sku, stock.id % 256, on_hand, allocated, reserved, deficit FROM stock JOIN item ON item.id = stock.id / 256"
_POSTED = """
    SELECT transfer.entity, account.name, account.currency, sum(CASE WHEN account.id = debit THEN amount ELSE -amount END) AS stands
    FROM transfer JOIN account ON account.id IN (debit, credit) GROUP BY 1, 2, 3 HAVING stands <> 0"""
_reservation = msgspec.json.Decoder(ReservationState).decode


class Known(Struct):
    """What one store knows in the end. Things are orders and reservations by their ids, and SKUs."""

    by_key: dict[str, Any] = field(default_factory=dict)
    of: dict[str, str] = field(default_factory=dict)  # key -> the thing that it is of, for all that are of one
    links: list[set[str]] = field(default_factory=list)  # an order or a reservation, with the SKUs of which it wanted or had units
    short: set[str] = field(default_factory=set)  # SKUs of which somebody wanted units that were not there
    places: dict[str, set[str]] = field(default_factory=dict)  # SKU -> the stores that it lies in
    wanted: dict[str, set[str]] = field(default_factory=dict)  # SKU -> the systems whose buyers wanted or had units of it

    def put(self, key: str, thing: str, what: Any) -> None:
        self.by_key[key], self.of[key] = what, thing

    def link(self, things: set[str], skus: set[str], system: str) -> None:
        self.links.append(things | skus)
        for sku in skus:
            self.wanted.setdefault(sku, set()).add(system)


def known(state: State) -> Known:
    """Read a store: orders, shelves, what each order has in the ledger, effects as a multiset."""
    world, found = World(state), Known()
    world.load_orders(number for (number,) in rows(state.connection, "SELECT id FROM orders"))
    skus, names = dict(rows(state.connection, "SELECT id, sku FROM item")), places(state)
    for order in world.orders.values():
        found.put(order.uid, order.uid, _plain(order, skus, names))
    for sku, place, *units in rows(state.connection, _SHELVES):
        found.put(f"shelf of {sku} at {names[place]}", sku, units)
        found.places.setdefault(sku, set()).add(names[place])
    for number, name, currency, balance in rows(state.connection, _POSTED):
        uid = world.orders[number].uid
        found.put(f"account {name} in {currency} of {uid}", uid, balance)
    _effects(state, world, found)
    _wishes(state, world, skus, found)
    return found


def essence(state: State) -> dict[str, Any]:
    """What is known in the end, by key, without when and in which words we were told."""
    return known(state).by_key


def _effects(state: State, world: World, found: Known) -> None:
    effects: Counter[str] = Counter()
    for _, _, system, number, body in state.each("intents_from", (0, 1 << 40)):
        command = msgspec.json.decode(unpack(body))
        if command["command"] == "CancelOrder":
            continue  # it is asked of a channel that has not said so itself yet
        key = command["key"].rpartition(":")[0] if command["command"] == "Fetch" else command["key"]  # it ends in the number of a message
        name = f"{command['command']} {key} to {system}"
        effects[name] += 1
        if number in world.orders:
            found.of[name] = world.orders[number].uid
    found.by_key |= effects


def _wishes(state: State, world: World, skus: Mapping[int, str], found: Known) -> None:
    """Who wanted units of what, and who did not get them: orders by the log, reservations, and what askers were refused."""
    for number, body in rows(state.connection, "SELECT entity, body FROM event WHERE kind = 'order'"):
        wanted, short = _wanted(unpack(body))
        order = world.orders[number]
        found.link({order.uid}, {skus[item] for item in wanted | short}, order.system)
        found.short.update(skus[item] for item in short)
    for (body,) in rows(state.connection, "SELECT body FROM reservation"):
        held = _reservation(body)
        wanted = {share.item for share in held.shares} | {item for item, _, _ in held.short}
        by = {world.orders[held.order].uid} if held.order in world.orders else set()
        found.link({shown("reservation", held.channel, held.key), *by}, {skus[item] for item in wanted}, held.channel)
    for (body,) in rows(state.connection, "SELECT body FROM answer"):
        answers = (answer for _, _, answer in msgspec.json.decode(unpack(body)))
        found.short.update(one["sku"] for answer in answers for one in answer.get("short", ()))


def _wanted(body: bytes) -> tuple[set[int], set[int]]:
    """The items of which an order had units, and those that were short, by a row of the log."""
    wanted: set[int] = set()
    short: set[int] = set()
    for event in decode(body):
        if isinstance(event, Allocated | Deallocated | Shipped):
            wanted |= {share.item for share in event.shares}
        if isinstance(event, Shipped):
            wanted |= {share.item for share in event.beyond}
        if isinstance(event, Short):
            short |= {item for item, _ in event.missing}
    return wanted, short


def hanging(begun: Iterable[str], links: Collection[set[str]]) -> set[str]:
    """These things, and all that hang on them by whatever links they have."""
    found = set(begun)
    while any(not one.isdisjoint(found) and not one <= found for one in links):
        found.update(*(one for one in links if not one.isdisjoint(found)))
    return found


def _plain(order: OrderState, skus: Mapping[int, str], names: Mapping[int, str]) -> dict[str, Any]:
    """An order in words: numbers of items and stores are given out as they are first heard of."""
    plain: dict[str, Any] = {name: value for name, value in msgspec.to_builtins(order).items() if name not in HOW_IT_CAME}
    plain["cancel"] = bool(plain.get("cancel"))  # who was the first to say so is in no book
    plain["effects"] = {
        key: {**one, "location": names.get(one.get("location", 0), ""), "letter": bool(one.get("letter"))}
        for key, one in plain.get("effects", {}).items() if one["command"] != "CancelOrder"
    }  # fmt: skip
    plain["shares"] = sorted([line, skus[item], names[place], *rest] for line, item, place, *rest in plain.get("shares", ()))
    plain["short"] = {skus[int(item)]: units for item, units in plain.get("short", {}).items()}
    return plain
