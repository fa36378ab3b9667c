"""The working set of the core: what a batch touches, loaded at once, changed in memory, written at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zlib import crc32

import msgspec

from mainstay.model.commands import AnyCommand
from mainstay.model.events import AnyEvent, Heard, ItemListed, Refused, Reserved, decode
from mainstay.model.identity import shown
from mainstay.model.seen import OrderSeen
from mainstay.model.state import LOCATIONS_MAX, ItemState, JobState, Level, OrderState, ReservationState
from mainstay.orders.moves import OPEN
from mainstay.stock.fold import level_id
from mainstay.storage.packing import damaged, pack, unpack
from mainstay.storage.state import Batch, Key, State

ORDERS_HELD_MAX = 4_000  # orders kept in memory between batches
LEVELS_HELD_MAX = 250_000

_orders = msgspec.json.Decoder(OrderState)
_reservations = msgspec.json.Decoder(ReservationState)
_items = msgspec.json.Decoder(ItemState)
_moves = msgspec.json.Decoder(tuple[tuple[int, int, bool], ...])
_stated = msgspec.json.Decoder(tuple[int, int, int])
_command = msgspec.json.Decoder(AnyCommand).decode
_encode = msgspec.json.Encoder().encode


def order_of(body: bytes, heard: bytes | None) -> OrderState:
    """An order of the store; what its source stated is taken from the log, where it stands once. Raises Damaged."""
    try:
        state = _orders.decode(unpack(body))
        if heard is not None:
            said = [event.said for event in decode(unpack(heard)) if isinstance(event, Heard) and isinstance(event.said, OrderSeen)]
            state.order = said[-1].order
    except (msgspec.MsgspecError, UnicodeDecodeError) as why:
        raise damaged(f"a row of an order: {why}") from None
    return state


def level_of(row: tuple[Any, ...]) -> Level:
    """A stock row of the store."""
    number, on_hand, allocated, reserved, in_transit, damaged, safety, deficit, unbooked, counted_at, stated, recent = row
    when, moves = _stated.decode(stated), _moves.decode(recent)
    return Level(number, on_hand, allocated, reserved, in_transit, damaged, safety, deficit, unbooked, counted_at, when, moves)


def events_of(store: State, number: int) -> list[AnyEvent]:
    """What the log says of an entity, in its order. Not of a reservation, whose rows it shares with others."""
    return [event for *_, body in store.rows("events_of", (number,)) for event in decode(unpack(body))]


class World:
    """State in memory over the store. The core is the only writer, so what it holds stays true between batches."""

    def __init__(self, store: State) -> None:
        self.store = store
        self.orders: dict[int, OrderState] = {}
        self.reservations: dict[int, ReservationState] = {}
        self.items: dict[int, ItemState] = {}
        self.item_of: dict[str, int] = {}
        self.levels: dict[int, Level] = {}
        self.shelves: dict[int, tuple[Level, ...]] = {}
        self.erased: set[int] = set()  # subjects, as far as batches spoke of them
        self.people: dict[int, list[Any]] = {}  # rows of the vault by subject, where the batch may say that one has moved
        self.reset()

    def reset(self) -> None:
        """Forget everything and begin from the store: at the start, and after a commit that failed."""
        for held in (self.orders, self.reservations, self.items, self.item_of, self.levels, self.shelves, self.erased):
            held.clear()
        self.counters = self.store.counters()
        self._counted = dict(self.counters)  # as the store has them
        self.words = self.store.words()
        self.accounts = self.store.accounts()
        self.backlog = self.store.rows("count_backlog")[0][0]
        self.early = self.store.rows("count_early")[0][0]
        self.begin()

    def begin(self) -> None:
        """Start a batch."""
        self.batch = Batch()
        self.links: dict[Key, int] = {}  # cross-references that this batch looked up or made
        self.changed_orders: dict[int, int] = {}  # order -> when
        self.changed_levels: set[int] = set()
        self.changed_items: set[int] = set()
        self.tell: set[int] = set()  # items of which more or fewer may be sold now, or that a channel has come to list
        self.tell_price: set[int] = set()  # items that cost more or less now, or that a system has come to list
        self.tell_all: list[tuple[str, str]] = []  # (SetLevel or SetPrice, system): all its numbers are told anew, though none changed
        self.changed_reservations: set[int] = set()
        self.changed_accounts: set[tuple[str, str]] = set()
        self.waiting: dict[Key, list[tuple[int, bytes]]] = {}  # early statements: (number, body)
        self.fresh: list[Key] = []  # linked since somebody asked who waited for it
        self.queued: dict[int, list[int]] = {}  # backlog of this batch: item -> orders
        self.answers: list[tuple[int, int, Any]] = []  # (receipt, status, answer) for the callers that wait
        self.reserved: list[tuple[int, Reserved | Refused]] = []  # reservations since the last row of the log

    # --- numbers and names -------------------------------------------------------------------------------------------
    def number(self, what: str) -> int:
        """The next number of its kind, in log order."""
        value = self.counters.get(what, 0) + 1
        self.counters[what] = value
        return value

    def word(self, text: str) -> int:
        """The number of a name: derived from it, so that it is the same whatever was read first."""
        found = self.words.get(text)
        return self.name(text, crc32(text.encode())) if found is None else found

    def name(self, text: str, number: int) -> int:
        """Give a name its number."""
        assert number not in self.words.values(), f"two names with the number {number}: rename {text!r}"
        self.words[text] = number
        self.batch.words.append((number, text))
        return number

    def key(self, system: str, kind: str, ext: str) -> Key:
        """The key of a cross-reference; an id that is a plain integer is kept as one."""
        space = self.word(f"{system}/{kind}")
        if ext.isdecimal() and ext.isascii() and len(ext) < 19 and (ext[0] != "0" or ext == "0"):
            return space, int(ext)
        return space, ext

    def link(self, key: Key, entity: int) -> None:
        """Make a cross-reference; the first entity keeps an id that two would claim."""
        if key not in self.links and self.store.recent(key) is None:
            self.links[key] = entity
            if self.early:
                self.fresh.append(key)
            self.batch.xrefs.append((*key, entity))

    def log(self, at: int, kind: str, entity: int, events: list[AnyEvent]) -> int:
        """One row of the log; returns its number."""
        if self.reserved:
            self._log_reserved()
        seq = self.number("event")
        self.batch.log(seq, at, kind, entity, pack(_encode(events)))
        return seq

    def log_reservation(self, number: int, event: Reserved | Refused) -> None:
        """A reservation's own event. Those that come one after the other share a row, which is numbered as its last one."""
        self.number("event")
        self.reserved.append((number, event))

    def _log_reserved(self) -> None:
        first, event = self.reserved[0]
        self.batch.log(self.counters["event"], event.at, "reservations", first, pack(_encode(self.reserved)))
        self.reserved = []

    def timer(self, due: int, kind: str, entity: int) -> None:
        """Something to look at when its time comes."""
        self.batch.timers[(due, kind, entity)] = None

    def intent(self, number: int) -> tuple[str, int, AnyCommand] | None:
        """(system, entity, command) of an intent, also of this batch; None where there is none."""
        rows = [row for row in self.batch.intents if row[0] == number] or self.store.load("load_intents", [number])
        if not rows:
            return None
        _, _, system, entity, body = rows[0]
        return system, entity, _command(unpack(body))

    # --- loading -----------------------------------------------------------------------------------------------------
    def look_up(self, keys: Iterable[Key]) -> None:
        """Learn which entities a batch speaks of, and which early statements waited for them."""
        wanted = [key for key in dict.fromkeys(keys) if key not in self.links]
        self.links |= self.store.find(wanted)
        self._load_early(wanted)

    def _load_early(self, keys: Iterable[Key]) -> None:
        ended = {n for (n,) in self.batch.early_done}
        for n, space, ext, body in self.store.load("find_early", [list(key) for key in keys]) if self.early else ():
            if n not in ended:
                self.waiting.setdefault((space, ext), []).append((n, body))

    def linked(self) -> list[Key]:
        """The cross-references that were made since this was asked last, with the early statements that waited for them."""
        keys, self.fresh = self.fresh, []
        self._load_early([key for key in keys if key not in self.waiting])
        return keys

    def load_orders(self, numbers: Iterable[int]) -> None:
        missing = [number for number in dict.fromkeys(numbers) if number not in self.orders]
        if missing:
            for number, body, heard in self.store.load("load_orders", missing):
                self.orders[number] = order_of(body, heard)

    def load_erased(self, subjects: Iterable[int]) -> None:
        """Learn which of these subjects were erased; costs nothing before the first erasure."""
        if self.counters.get("erased"):
            self.erased.update(subject for (subject,) in self.store.load("load_erased", subjects))

    def load_people(self, subjects: Iterable[int]) -> None:
        """What the vault holds of these subjects, for this batch alone."""
        self.people = {subject: [] for subject in subjects if subject}
        for row in self.store.load("load_people", sorted(self.people)) if self.people else ():
            self.people[row[0]].append(row)

    def load_reservations(self, numbers: Iterable[int]) -> None:
        missing = [number for number in dict.fromkeys(numbers) if number not in self.reservations]
        if missing:
            for number, body in self.store.load("load_reservations", missing):
                self.reservations[number] = _reservations.decode(body)

    def load_skus(self, skus: Iterable[str]) -> None:
        missing = [sku for sku in dict.fromkeys(skus) if sku not in self.item_of]
        if missing:
            self.item_of |= dict(self.store.load("find_items", missing))

    def load_items(self, numbers: Iterable[int]) -> None:
        missing = [number for number in dict.fromkeys(numbers) if number not in self.items]
        if missing:
            for number, body in self.store.load("load_items", missing):
                self.items[number] = _items.decode(body)

    def load_stock(self, items: Iterable[int]) -> None:
        missing = [item for item in dict.fromkeys(items) if item not in self.shelves]
        if not missing:
            return
        for item in missing:
            self.shelves[item] = ()
        for row in self.store.load("load_stock", missing):
            self._hold(level_of(row))

    def _hold(self, level: Level) -> None:
        self.levels[level.id] = level
        self.shelves[level.id // LOCATIONS_MAX] += (level,)

    def job(self, number: int) -> JobState:
        """A job as it stands, also within the batch that changes it. Raises KeyError where there is none."""
        rows = [row for row in self.batch.jobs if row[0] == number] or self.store.load("load_jobs", [number])
        if not rows:
            raise KeyError(number)
        return msgspec.json.decode(rows[-1][2], type=JobState)

    def letter(self, number: int) -> tuple[Any, ...] | None:
        """A dead letter's row (number, when, status, code, owner, about, body), also within the batch that changes it."""
        rows = [row for row in self.batch.letters if row[0] == number] or self.store.load("load_letters", [number])
        return rows[-1] if rows else None

    # --- what is not there yet is made -------------------------------------------------------------------------------
    def item(self, sku: str, at: int) -> int:
        """The number of a SKU; one that was never heard of is listed, with nothing in stock."""
        number = self.item_of.get(sku)
        if number is None:
            number = self.number("entity")
            self.list_item(number, sku)
            self.log(at, "item", number, [ItemListed(sku=sku)])
        return number

    def list_item(self, number: int, sku: str) -> None:
        self.item_of[sku] = number
        self.items[number] = ItemState(id=number, sku=sku)
        self.shelves[number] = ()
        self.changed_items.add(number)

    def level(self, item: int, location: int) -> Level:
        """A stock row, to be changed in place; made where there is none yet."""
        number = level_id(item, location)
        level = self.levels.get(number)
        if level is None:
            self.load_stock((item,))
            level = self.levels.get(number)
            if level is None:
                level = Level(number)
                self._hold(level)
                self.shelves[item] = tuple(sorted(self.shelves[item], key=lambda one: one.id))  # as they are loaded after a restart
        self.changed_levels.add(number)
        return level

    def order(self, number: int, system: str, external: str) -> OrderState:
        """An order, made where there is none yet."""
        state = self.orders.get(number)
        if state is None:
            uid = shown("order", system, external)
            state = self.orders[number] = OrderState(id=number, uid=uid, system=system, external=external)
        return state

    # --- writing -----------------------------------------------------------------------------------------------------
    def commit(self, at: int) -> None:
        """Write everything that changed, in one commit; memory and store agree afterwards, whatever happens."""
        batch = self.batch
        if self.reserved:
            self._log_reserved()
        if self.answers:
            batch.answers.append((self.answers[-1][0], pack(_encode(self.answers))))
        for number, when in self.changed_orders.items():
            state = self.orders[number]
            order, state.order = state.order, None  # it stands in the log already
            batch.orders.append((number, state.status, int(state.status in OPEN), when, state.heard, state.subject, pack(_encode(state))))
            state.order = order
        for number in self.changed_reservations:
            held = self.reservations[number]
            batch.reservations.append((number, held.status, held.expires, _encode(held)))
        for number in self.changed_items:
            item = self.items[number]
            batch.items.append((number, item.sku, _encode(item)))
        for number in sorted(self.changed_levels):
            level = self.levels[number]
            batch.stock.append((
                number, level.on_hand, level.allocated, level.reserved, level.in_transit, level.damaged, level.safety, level.deficit,
                level.unbooked, level.counted_at, _encode(level.stated), _encode(level.recent),
            ))  # fmt: skip
        for account in self.changed_accounts:
            number, balance = self.accounts[account]
            batch.accounts.append((number, *account, balance))
        if self.tell:
            batch.level_changes.append((self.number("level_change"), at, _encode(sorted(self.tell))))
        if self.tell_price:
            batch.price_changes.append((self.number("price_change"), at, _encode(sorted(self.tell_price))))
        for command, system in self.tell_all:
            what, rows = ("level_change", batch.level_changes) if command == "SetLevel" else ("price_change", batch.price_changes)
            rows.append((self.number(what), at, _encode(system)))
        batch.counters = dict(self.counters.items() - self._counted.items())
        try:
            self.store.write(batch)
        except BaseException:
            self.reset()
            raise
        self._counted |= batch.counters
        self._trim()
        self.begin()

    def _trim(self) -> None:
        if len(self.orders) > ORDERS_HELD_MAX:
            for number in list(self.orders)[: len(self.orders) - ORDERS_HELD_MAX // 2]:
                del self.orders[number]
        if len(self.levels) > LEVELS_HELD_MAX:
            self.levels.clear()
            self.shelves.clear()
        if len(self.reservations) > ORDERS_HELD_MAX:
            self.reservations.clear()
        if len(self.items) > LEVELS_HELD_MAX:
            self.items.clear()
