"""The answers to people's questions: where is it, what blocks it, whose is it, how did that number come about. Reads only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import apsw
import msgspec
from msgspec.structs import replace

from mainstay.catalog.view import item as item_view
from mainstay.flows import queue
from mainstay.flows.apply import names_of
from mainstay.flows.buyers import with_address
from mainstay.flows.clerk import values_in
from mainstay.flows.propagate import places, served, shelves_of
from mainstay.flows.queue import Wanted
from mainstay.flows.replay import Raw
from mainstay.flows.world import order_of
from mainstay.model.events import (
    Answered,
    AnyEvent,
    Asked,
    CustomerListed,
    Doubted,
    Heard,
    LetterClosed,
    LetterPassed,
    LetterTried,
    Moved,
    Parked,
    PauseSet,
    Refused,
    Reserved,
    Share,
    decode,
)
from mainstay.model.identity import named
from mainstay.model.money import major
from mainstay.model.objects import Reference
from mainstay.model.restored import RESTORED
from mainstay.model.seen import StockCounted, StockMoved
from mainstay.model.state import LOCATIONS_MAX, ItemState, OrderState, ReservationState
from mainstay.model.times import iso
from mainstay.orders.payments import owed
from mainstay.orders.view import blocker, missing
from mainstay.stock.buffer import Kept
from mainstay.stock.view import ChannelPolicy, explained, unknown
from mainstay.storage.archive import raw_of
from mainstay.storage.database import ask
from mainstay.storage.inbox import InboxReader, Receipt
from mainstay.storage.packing import unpack
from mainstay.storage.state import State

_items = msgspec.json.Decoder(ItemState)
_reserved = msgspec.json.Decoder(list[tuple[int, Reserved | Refused]]).decode
FOUND_MAX = 20
SPELT_MAX = 3  # SKUs of which is looked up which others are nearly the same
OPEN_LETTERS = Wanted()


def find(state: State, text: str) -> list[int]:
    """Entities that any system knows by this number, id or e-mail address."""
    ours = named(text)
    if ours is not None:
        hit = _by_key(state, [f"{ours[1]}/{ours[0]}"], ours[2])
        if hit:
            return hit
    spaces = [space for space in state.words() if not space.startswith("location/")]
    found = dict.fromkeys(_by_key(state, spaces, text))
    if not found and "@" in text:
        found.update(dict.fromkeys(_by_email(state, text)))
    return list(found)[:FOUND_MAX]


def _by_key(state: State, spaces: Sequence[str], text: str) -> list[int]:
    numbers = state.words()
    ext: int | str = int(text) if text.isdecimal() and text.isascii() and len(text) < 19 and (text[0] != "0" or text == "0") else text
    return list(state.find([(numbers[space], ext) for space in spaces if space in numbers]).values())


def _by_email(state: State, email: str) -> list[int]:
    """Orders of the people who have this address: a scan, as it is asked seldom."""
    subjects = with_address(state, email)
    found = state.rows("orders_of_subjects", (msgspec.json.encode(sorted(subjects)).decode(), FOUND_MAX))
    return [number for (number,) in found]


def order(state: State, number: int) -> dict[str, Any] | None:
    """One order as people read it: amounts as decimal text, times in UTC; and of what is missing, which SKU is nearly the same."""
    held = _held(state, number)
    return order_shown(held, _spelt_otherwise(state, held)) if held else None


def order_before(state: State, number: int) -> dict[str, Any] | None:
    """One order as it stands in the store, without what is looked for all over it: to be compared with what may become of it."""
    held = _held(state, number)
    return order_shown(held) if held else None


def _held(state: State, number: int) -> OrderState | None:
    found = state.load("load_orders", [number])
    return order_of(found[0][1], found[0][2]) if found else None


def order_shown(held: OrderState, of_missing: Iterable[str] = ()) -> dict[str, Any]:
    """An order as people read it. `of_missing`: what else there is to say of units that are missing, looked up if it waits for them."""
    what = blocker(held)
    if what is not None and what.what == "oversold":
        what = replace(what, detail=what.detail + "".join(of_missing))
    said = held.order
    return {
        "order": held.uid,
        "system": held.system,
        "external": held.external,
        "number": said.number if said else "",
        "status": held.status,
        "blocker": msgspec.to_builtins(what) if what else None,
        "total": f"{major(said.total, said.currency)} {said.currency}" if said else "",
        "due": major(owed(held), said.currency) if said else "",
        "lines": [
            {"sku": line.sku, "quantity": line.quantity, "cancelled": line.cancelled, "price": major(line.price, said.currency)}
            for line in said.lines
        ]
        if said
        else [],
        "holds": held.holds,
        "payments": {key: msgspec.to_builtins(one) for key, one in held.payments.items()},
        "parcels": {key: msgspec.to_builtins(one) for key, one in held.parcels.items()},
        "refunds": {key: msgspec.to_builtins(one) for key, one in held.refunds.items()},
        "disputes": {key: msgspec.to_builtins(one) for key, one in held.disputes.items()},
        "effects": {key: msgspec.to_builtins(one) for key, one in held.effects.items()},
        "invoice": held.invoice,
    }


def _spelt_otherwise(state: State, held: OrderState) -> Iterator[str]:
    """Other SKUs that differ from a missing one in small and large letters alone: mostly one system's spelling of the same item. All SKUs
    are read through for each, a fifth of a second for a million: of an order with many missing the first few are looked for."""
    for sku in islice(missing(held), SPELT_MAX):
        if alike := [other for (other,) in state.rows("spelt_otherwise", (sku, sku))]:
            yield f"; {' and '.join(alike)} is another SKU than {sku}: is it the same item, spelt otherwise?"


def trace(state: State, outcomes: apsw.Connection | None, text: str) -> list[dict[str, Any]]:
    """The whole journey of whatever this number means, across systems, with times and the present blocker."""
    return [_journey(state, outcomes, number) for number in find(state, text)]


def _journey(state: State, outcomes: apsw.Connection | None, number: int) -> dict[str, Any]:
    """What the log says of one entity: its steps, and every id that they name. No table is scanned for it."""
    log = _log_of(state, number)
    kinds = {kind for _, kind, _ in log}
    kind = "order" if "order" in kinds else next(iter(sorted(kinds)), "")
    units = Units(state, [event for _, _, event in log])
    return {
        "entity": number,
        "kind": kind,
        "known_as": [{"as": f"{name.system}/{name.kind}", "id": name.id} for name in _names(state, number, log)],
        "now": order(state, number),
        "steps": [{**told(event, units), "at": iso(at)} for at, _, event in log],
        "waiting": _waiting(state, outcomes, number) if outcomes is not None and kind == "order" else [],
    }


def _log_of(state: State, number: int) -> list[tuple[int, str, AnyEvent]]:
    """(when, kind, event) of one entity, in the order of the log."""
    found: list[tuple[int, str, AnyEvent]] = []
    for at, body in state.rows("reserved_with", (number, number)):
        found += [(at, "reservation", event) for entity, event in _reserved(unpack(body)) if entity == number]
    for _, at, kind, _, body in state.rows("events_of", (number,)):
        if kind != "reservations":
            found += [(at, kind, event) for event in decode(unpack(body))]
    return found


def _names(state: State, number: int, log: list[tuple[int, str, AnyEvent]]) -> list[Reference]:
    """Every id by which others know an entity, once, in the order in which they were learnt."""
    found: list[Reference] = []
    asked: dict[str, str] = {}
    for _, kind, event in log:
        if isinstance(event, Heard) and kind == "order":
            found += names_of(event)
            found += [Reference("customer", event.customer, event.system)] if event.customer else []
        elif isinstance(event, Asked):
            asked[event.key] = event.system
        elif isinstance(event, Answered):
            found += [Reference(what, name, asked[event.key]) for what, name in event.references.items() if event.key in asked]
        elif isinstance(event, Reserved | Refused):
            found.append(Reference("reservation", event.key, event.channel))
        elif isinstance(event, CustomerListed):
            found.append(Reference("customer", event.customer, event.system))
    for _, body in state.load("load_items", [number]):
        found += [Reference("item", name, system) for system, name in _items.decode(body).ids.items()]
    return list(dict.fromkeys(found))


def _waiting(state: State, outcomes: apsw.Connection, number: int) -> list[dict[str, Any]]:
    """The effects of an order that are under way, with what keeps them. Only what has not ended is looked through."""
    attempts = {intent: rest for intent, *rest in ask(outcomes, "attempts_under_way")}
    found = []
    for intent, _, system, entity, body in state.load("load_intents", sorted(attempts)):
        if entity == number:
            status, tries, next_at, code, why = attempts[intent]
            what = {"command": msgspec.json.decode(unpack(body))["command"], "system": system, "status": status}
            found.append({**what, "tries": tries, "next_at": iso(next_at), "code": code, "why": why})
    return found


class Units:
    """Says units as people do: how many of which SKU, and where."""

    def __init__(self, state: State, events: Sequence[AnyEvent]) -> None:
        items = {share.item for event in events for name in _SHARES for share in getattr(event, name, ())}
        items |= {row[0] for event in events for name in _MISSING for row in getattr(event, name, ())}
        self._skus = {number: _items.decode(body).sku for number, body in state.load("load_items", sorted(items))}
        self._places = places(state)

    def shares(self, shares: Sequence[Share]) -> list[str]:
        return [f"{share.quantity} {self._skus.get(share.item)} at {self._places.get(share.location)}" for share in shares]

    def missing(self, rows: Sequence[tuple[int, ...]]) -> list[str]:
        """(item, units), or (item, wanted, available)."""
        return [f"{units} {self._skus.get(item)}" + "".join(f", {there} available" for there in rest) for item, units, *rest in rows]


_SHARES = ("shares", "beyond")
_MISSING = ("missing", "short")
_TIMES = ("due", "expires")


def told(event: AnyEvent, units: Units) -> dict[str, Any]:
    """One event in a few words."""
    if isinstance(event, Heard):
        said = msgspec.to_builtins(event.said)
        names = ("external", "status", "captured", "authorised", "amount", "tracking", "quantity", "delta")
        return {"what": f"{event.system} said {said['event']}", **{name: said[name] for name in names if name in said}}
    if isinstance(event, Asked):
        amount = {"amount": event.amount} if event.amount else {}
        return {"what": f"{event.system} was asked to {event.command}", "key": event.key, **amount}
    if isinstance(event, Answered):
        how = "found: it is there" if event.found and event.again else event.outcome
        return {"what": f"answered {how}", "key": event.key, **({"why": event.why} if event.why else {}), **event.references}
    if isinstance(event, Doubted):
        return {"what": "looked for again, and made again where it is not there", "key": event.key}
    if isinstance(event, Moved):
        return {"what": f"moved: {event.move}"}
    plain = msgspec.to_builtins(event)
    plain |= {name: units.shares(getattr(event, name)) for name in _SHARES if name in plain}
    plain |= {name: units.missing(getattr(event, name)) for name in _MISSING if name in plain}
    plain |= {name: iso(plain[name]) for name in _TIMES if name in plain}
    return {"what": plain.pop("event"), **plain}


def stock(
    state: State, sku: str, policies: Mapping[str, ChannelPolicy], told_now: Mapping[str, int], kept_now: Mapping[str, Kept]
) -> dict[str, Any] | None:
    """What there is of a SKU, how each channel's number came about, and what moved it last. `told_now`: channel -> last level told;
    `kept_now`: channel -> what was kept back from it then, where that is measured. Without steps there is no number to tell."""
    kept_now = {channel: kept for channel, kept in kept_now.items() if channel in policies and policies[channel].chance is not None}
    found = state.load("find_items", [sku])
    if not found:
        return None
    item = found[0][1]
    shelves, named_places = shelves_of(state, [item]), places(state)
    body = state.load("load_items", [item])
    names = _items.decode(body[0][1])
    moves, units = [], Units(state, ())
    for _, at, _, _, events in state.rows("events_of", (item,))[-10:]:
        for event in decode(unpack(events)):
            if isinstance(event, Heard) and isinstance(event.said, StockCounted | StockMoved):
                moves.append({**told(event, units), "at": iso(at)})
    return {
        "sku": sku,
        **item_view(names),
        "levels": [
            {"location": named_places.get(level.id % LOCATIONS_MAX, "")}
            | {
                name: getattr(level, name)
                for name in ("on_hand", "allocated", "reserved", "damaged", "safety", "in_transit", "deficit", "unbooked")
            }
            for level in shelves[item]
        ],
        "channels": {
            channel: {
                "shows": told_now.get(channel),
                "kept": msgspec.to_builtins(kept_now[channel]) if channel in kept_now else None,
                "steps": []
                if unknown(shelves[item], policy)
                else msgspec.to_builtins(explained(served(state, policy, shelves)[item], policy, kept_now.get(channel))),
            }
            for channel, policy in policies.items()
        },
        "moves": moves,
    }


def item_of(state: State, sku: str) -> int | None:
    """The number of a SKU."""
    found = state.load("find_items", [sku])
    return found[0][1] if found else None


def status(state: State) -> dict[str, Any]:
    """How things stand: orders by status, what is open, how receipts ended, the books."""
    counters = state.counters()
    return {
        "orders": dict(state.rows("orders_by_status")),
        "reservations": dict(state.rows("reservations_by_status")),
        "dead_letters": dict(state.rows("open_letters_by_code")),
        "proposals": state.rows("count_proposals")[0][0],
        "uncounted": state.rows("count_uncounted")[0][0],
        "early": state.rows("count_early")[0][0],
        "drift": state.rows("count_drifts")[0][0],
        "pauses": pauses(state),
        "restored": iso(counters[RESTORED]) if counters.get(RESTORED) else "",
        "receipts": [{"system": system, "topic": topic, "outcome": outcome, "n": n} for system, topic, outcome, n in state.rows("tally")],
        "accounts": {f"{name} {currency}": major(balance, currency) for _, name, currency, balance in state.rows("accounts")},
        "positions": {name.partition("/")[2]: value for name, value in counters.items() if name.startswith("position/")},
        "events": counters.get("event", 0),
    }


def pauses(state: State) -> list[dict[str, Any]]:
    """What people hold back now, by whom and why."""
    found = []
    for target, mode, at, body in state.rows("pauses"):
        told = msgspec.json.decode(body, type=PauseSet)
        found.append({"target": target, "mode": mode, "at": iso(at), "by": told.by, "reason": told.reason})
    return found


def open_letters(state: State) -> dict[tuple[str, str], tuple[int, int]]:
    """How many open dead letters there are by (code, owner), and since when the oldest waits, in microseconds."""
    return {(code, owner): (count, since) for code, owner, count, since in state.rows("open_letters_by_owner")}


def letters(state: State, meant: Wanted = OPEN_LETTERS, most: int = 200) -> list[dict[str, Any]]:
    """Dead letters, newest first: cause, owner, next action, what is at risk."""
    return [queue.shown(one) for one in islice(queue.wanted(state, meant), most)]


def letter(state: State, number: int) -> dict[str, Any] | None:
    """One dead letter with what people did about it, and the raw message that it is about, as long as its bytes are kept."""
    found = queue.one(state, number)
    if found is None:
        return None
    raw = raw_message(state, found.state)
    return {**queue.shown(found), "history": acts_on(state, number), "raw": raw.body.decode(errors="replace") if raw else None}


def raw_message(state: State, parked: Parked) -> Receipt | None:
    """The message that a dead letter is about, as long as its bytes are kept."""
    with raws(state) as raw:
        return raw(parked.system, parked.receipt) if parked.receipt else None


@contextlib.contextmanager
def raws(state: State) -> Iterator[Raw]:
    """Finds the bytes of receipts, as long as they are kept."""
    data = state.path.parent
    inboxes = {name: InboxReader(data / f"{name}.db") for name in ("inbox", "outcomes")}
    try:
        yield partial(raw_of, data, inboxes)
    finally:
        for inbox in inboxes.values():
            inbox.close()


def job(state: State, number: int) -> dict[str, Any] | None:
    """How far a job is, what became of each of its letters, and what it sets, as long as the receipt is kept that says so."""
    found = queue.job(state, number)
    if found is None or found["action"] != "repair":
        return found
    with raws(state) as raw:
        asked = raw("operator", found["receipt"])
    return {**found, "set": dict(values_in(asked)) if asked is not None else None}


def acts_on(state: State, number: int) -> list[dict[str, Any]]:
    """What people did about a dead letter, from the log."""
    acts = [(at, event) for at, _, event in _log_of(state, number) if isinstance(event, LetterPassed | LetterTried | LetterClosed)]
    return [{"at": iso(at), "what": _what(act), "to": getattr(act, "to", ""), "by": act.by, "reason": act.reason} for at, act in acts]


def _what(act: LetterPassed | LetterTried | LetterClosed) -> str:
    if type(act) is LetterTried:
        return f"{'refused again' if act.key else 'retry in vain'}: {act.code}: {act.why}"
    return act.how  # type: ignore[union-attr]


def proposals(state: State, most: int = 200) -> list[dict[str, Any]]:
    """What systems said of what others own, newest first: kept and shown, it changed nothing."""
    found = []
    for number, at, body in state.rows("newest_proposals", (most,)):
        proposed = msgspec.json.decode(body)
        fields = proposed["said"]
        what = {"said": fields.pop("event"), "external": fields.pop("external", ""), "fields": fields}
        found.append({"id": number, "at": iso(at), "system": proposed["system"], **what, "reason": proposed["reason"]})
    return found


def reservation(state: State, number: int) -> ReservationState | None:
    """One reservation."""
    found = state.load("load_reservations", [number])
    return msgspec.json.decode(found[0][1], type=ReservationState) if found else None
