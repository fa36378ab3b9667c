"""`verify`: rebuild the domain state from the event log, by the same code that made it, and compare every row."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec
from msgspec import Struct

from mainstay.flows.apply import Apply
from mainstay.flows.letters import bug_of
from mainstay.flows.shop import Shop
from mainstay.flows.world import World
from mainstay.model.events import AnyEvent, Erased, Heard, Refused, ReservationEnded, Reserved, decode
from mainstay.model.seen import OrderSeen
from mainstay.storage.database import DAMAGED, in_words, wrong_with
from mainstay.storage.packing import Damaged, head_of, unpack
from mainstay.storage.state import State

ROWS_MAX = 500
_reserved = msgspec.json.Decoder(list[tuple[int, Reserved | Refused]]).decode
DIFFERENCES_MAX = 20

# The tables that are compared, each by the statement compare_<table>.
COMPARED = (
    "orders", "reservation", "item", "stock", "xref", "word", "account", "transfer", "intent", "timer", "backlog", "early", "letter",
    "job", "pause", "proposal", "counter",
)  # fmt: skip
CONSERVED: dict[str, str] = {  # what must find nothing in the store as it is
    "every account's balance is the sum of its transfers": "accounts_off",
    "all balances of a currency sum to zero": "currencies_off",
}
COUNTED: dict[str, str] = {  # the same, of the counters that the log does not make
    "every receipt up to a position ended once (receipts, ended)": "positions_off",
    "a number that was given out is the last row's (counter, value, last row)": "numbers_off",
}
APART = ("hint", "early", "settings", "pause")  # kinds whose rows are not numbered as entities


class Verdict(Struct):
    """What verify found: `identical`, and the first differences in words."""

    identical: bool
    events: int
    rows: dict[str, int]
    differences: list[str]


class Unreadable(Exception):
    """A row of the log that cannot be read or folded. The text names it."""


def verify(path: Path, scratch: Path, shop: Shop) -> Verdict:
    """Rebuild `path` into a new file `scratch` and compare. A file whose pages cannot be read is named, as a row is."""
    try:
        return _verify(path, scratch, shop)
    except DAMAGED as why:
        return Verdict(False, 0, {}, [f"{path.name}: it is damaged: {in_words(why)}"])


def _verify(path: Path, scratch: Path, shop: Shop) -> Verdict:
    live = State(path, write=False)
    connection = live.connection
    if said := wrong_with(connection):
        live.close()
        return Verdict(False, 0, {}, [f"{path.name}: its pages are damaged: {said}"])
    connection.execute("BEGIN")  # one consistent point, whatever the core commits meanwhile
    rebuilt = State(scratch)
    rebuilt.connection.pragma("synchronous", "off")  # a scratch file: it is thrown away
    try:
        events = replay(live, rebuilt, shop)
        verdict = compare(live, rebuilt)
        verdict.events = events
        return verdict
    except Unreadable as broken:
        return Verdict(False, 0, {}, [str(broken)])
    finally:
        connection.execute("ROLLBACK")
        live.close()
        rebuilt.close()


def replay(live: State, rebuilt: State, shop: Shop) -> int:
    """Fold the whole log into an empty store. Raises Unreadable at the first row that cannot be."""
    world = World(rebuilt)
    apply = Apply(world, shop.settings())  # they hold only for a log that began before settings stood in it
    after = 0
    while page := live.rows("events_from", (after, ROWS_MAX)):
        for seq, at, kind, entity, body, head in page:
            if head and head != head_of(seq, at, kind, entity):
                raise Unreadable(f"event {seq} ({kind} {entity}): its row says something else than was written")
            try:
                text = unpack(body)
                _replay_row(apply, seq, at, kind, entity, text)
                _count(world.counters, seq, kind, entity, text)
            except (Damaged, msgspec.MsgspecError, UnicodeDecodeError) as why:
                raise Unreadable(f"event {seq} ({kind} {entity}): its bytes cannot be read: {why or type(why).__name__}") from why
            except Exception as why:  # bytes that can be read and make no sense, or a bug: the row tells which
                raise Unreadable(f"event {seq} ({kind} {entity}): it cannot be folded: {bug_of(why).why}") from why
            world.batch.log(seq, at, kind, entity, body)
            after = seq
        world.commit(page[-1][1])
    clock = live.counters().get("clock", 0)
    rebuilt.run("set_counter", ("clock", clock))
    return after


def _count(counters: dict[str, int], seq: int, kind: str, entity: int, body: bytes) -> None:
    """The numbers that a row of the log shows to be given out; folding counts intents, transfers and locations itself."""
    counters["event"] = seq
    if kind == "settings":
        counters["settings"] = crc32(body[1:-1])  # of the one event, as it stands there
    elif kind == "early":
        counters["early"] = max(counters.get("early", 0), entity)
    elif kind == "subject" and any(isinstance(event, Erased) for event in decode(body)):
        counters["erased"] = seq
    if kind not in APART:
        last = max(number for number, _ in _reserved(body)) if kind == "reservations" else entity
        counters["entity"] = max(counters.get("entity", 0), last)


def _replay_row(apply: Apply, seq: int, at: int, kind: str, entity: int, body: bytes) -> None:
    world = apply.world
    if kind == "order":
        _replay_order(apply, seq, at, entity, decode(body))
        return
    if kind == "reservations":
        for number, reservation in _reserved(body):
            world.load_stock(share.item for share in getattr(reservation, "shares", ()))
            apply.to_reservation(number, reservation, reservation.at)
        return
    for event in decode(body):
        if kind == "item":
            world.load_items((entity,))
            if isinstance(event, Heard):
                world.load_skus(variant.sku for variant in getattr(event.said, "variants", ()))
            world.load_stock((entity,))
            apply.to_item(entity, event, at)
        elif kind == "reservation":
            assert isinstance(event, ReservationEnded)
            world.load_reservations((entity,))
            world.load_stock(share.item for share in event.shares)
            assert entity in world.reservations, f"reservation {entity} ended before it began"
            apply.to_reservation(entity, event, at)
        elif kind in _OTHERS:
            getattr(apply, _OTHERS[kind])(entity, event, at)


def _replay_order(apply: Apply, seq: int, at: int, number: int, events: list[AnyEvent]) -> None:
    world = apply.world
    world.load_orders((number,))
    for event in events:
        said = event.said if isinstance(event, Heard) else None
        if isinstance(said, OrderSeen):
            world.load_skus(line.sku for line in said.order.lines)
            world.order(number, event.system, said.external)  # type: ignore[union-attr]
        world.load_stock(world.orders[number].items)
        apply.to_order(world.orders[number], event, at, seq)
    state = world.orders[number]
    apply.close(state, events, seq)
    state.updated_at = world.changed_orders[number] = at


_OTHERS = {
    "letter": "to_letter",
    "job": "to_job",
    "pause": "to_pause",
    "early": "to_early",
    "proposal": "to_proposal",
    "hint": "to_hint",
    "customer": "to_customer",
    "settings": "to_settings",
}


def compare(live: State, rebuilt: State) -> Verdict:
    """Every row of the domain state on both sides, the books' own sums, and the counters that are checked by themselves."""
    differences: list[str] = []
    counts: dict[str, int] = {}
    for table in COMPARED:
        ours, theirs = (store.each(f"compare_{table}") for store in (live, rebuilt))
        counts[table] = _compare(table, ours, theirs, differences)
    for rule, name in (CONSERVED | COUNTED).items():
        for row in live.rows(name)[:DIFFERENCES_MAX]:
            differences.append(f"not so: {rule}: {row}")
    return Verdict(not differences, 0, counts, differences[:DIFFERENCES_MAX])


def _compare(table: str, ours: Any, theirs: Any, differences: list[str]) -> int:
    count = 0
    while True:
        one, other = next(ours, None), next(theirs, None)
        if one is None and other is None:
            return count
        count += 1
        if one != other and len(differences) < DIFFERENCES_MAX:
            one, other = _opened(one), _opened(other)
            if one is None:
                differences.append(f"{table}: the log makes a row that is missing: {_short(other)}")
            elif other is None:
                differences.append(f"{table}: a row that the log does not make: {_short(one)}")
            elif one != other:  # another release of the packer may pack the same bytes differently
                differences.append(f"{table} {one[0]}: {_where(one, other)}")


def _opened(row: Any) -> Any:
    """A row with its packed columns unpacked, as far as they can be."""
    return row and tuple(_readable(column) if isinstance(column, bytes) and column else column for column in row)


def _readable(body: bytes) -> bytes:
    try:
        return unpack(body)
    except Damaged:
        return body


def _short(row: Any) -> str:
    return str(row)[:160]


def _where(one: tuple[Any, ...], other: tuple[Any, ...]) -> str:
    """The first column that differs, and around where."""
    for number, (ours, theirs) in enumerate(zip(one, other, strict=True)):
        if ours != theirs:
            if isinstance(ours, bytes) and isinstance(theirs, bytes):
                at = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
                start = max(0, at - 30)
                stored, made = (text[start : at + 50].decode(errors="replace") for text in (ours, theirs))
                return f"stored …{stored}…, the log gives …{made}…"
            return f"column {number}: stored {ours!r}, the log gives {theirs!r}"
    return "differs"
