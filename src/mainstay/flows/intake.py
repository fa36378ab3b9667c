"""Receipts to state: translate, admit, fold, decide, in one commit for each batch. Each receipt is taken whole before the next.

The order of steps for an order is fixed: what was heard -> orders.begin -> stock.allocate -> orders.settle, and money is posted by
every event that moves it (flows.apply). Batching only groups loads and writes: it changes no state, no id and no intent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from mainstay.catalog.fold import names_in, newer
from mainstay.customers.decide import subject_of
from mainstay.flows.apply import Apply, references
from mainstay.flows.world import World
from mainstay.model.events import (
    Allocated,
    Answered,
    AnyEvent,
    Asked,
    CancelAsked,
    Deallocated,
    Early,
    EarlyEnded,
    Heard,
    Parked,
    Proposed,
    Short,
)
from mainstay.model.failures import Reject
from mainstay.model.identity import fingerprint, named
from mainstay.model.objects import Person, Reference
from mainstay.model.outcome import TOPIC, Outcome
from mainstay.model.seen import (
    CustomerSeen,
    DisputeSeen,
    FulfilmentSeen,
    Hint,
    InvoiceSeen,
    OrderSeen,
    PaymentSeen,
    ProductSeen,
    RefundSeen,
    ReturnSeen,
    Said,
    SettlementLineSeen,
    StockCounted,
    StockMoved,
)
from mainstay.model.state import OrderState
from mainstay.orders import decide as orders
from mainstay.stock import decide as stock
from mainstay.stock.fold import free
from mainstay.storage.database import STORE_FAILED, rows
from mainstay.storage.inbox import OUTCOMES_FROM, Receipt
from mainstay.storage.packing import pack
from mainstay.storage.state import Key

ON_ORDERS = frozenset({
    OrderSeen, PaymentSeen, RefundSeen, FulfilmentSeen, ReturnSeen, DisputeSeen, InvoiceSeen, SettlementLineSeen,
})  # fmt: skip
log = structlog.get_logger("core")
_encode = msgspec.json.Encoder().encode
_early = msgspec.json.Decoder(Early)

Translate = Callable[[str, bytes], list[Said]]


class Shop(Struct, frozen=True, kw_only=True):
    """What intake must know of the landscape. `admit` says why a system may not make a statement, or nothing where it may."""

    translate: Mapping[str, Translate]
    policy: orders.Policy
    admit: Callable[[str, Any], str]
    owner: Callable[[str], str]  # who answers for a system
    split: bool = True
    payment_us: int = 86_400_000_000
    early_us: int = 86_400_000_000
    reservation_us: int = 900_000_000
    main: str = "main"
    behind: frozenset[str] = frozenset()  # counters that learn of shipments from us


class Heap(Struct):
    """A statement on its way through a batch."""

    receipt: Receipt
    said: Any
    person: Person | None
    keys: list[Key]


class Turn(Struct):
    """An order whose row of the log is being written: what one receipt says of it, and what follows."""

    state: OrderState
    at: int
    seq: int
    log: list[AnyEvent]


Handler = Callable[[Receipt, Any], None]
Reader = Callable[[Receipt], Any]  # gives what the handler gets; has `keys` and `skus` to load


class Intake:
    """The core's work on receipts. `handlers` take the receipts of further topics (reservations, operators)."""

    def __init__(self, world: World, shop: Shop) -> None:
        self.world, self.shop = world, shop
        self.apply = Apply(world, payment_us=shop.payment_us, main=shop.main, behind=shop.behind)
        self.readers: dict[str, Reader] = {}
        self.handlers: dict[str, Handler] = {}
        self.consume: Callable[[str, int, int], None] = lambda _reservation, _order, _at: None  # set by flows.ask
        self.subjects: list[tuple[int, int]] = []  # (receipt, subject) of the batch, for the archive
        self.woken: set[int] = set()  # items that have come free
        self.turn: Turn | None = None

    # --- a batch -----------------------------------------------------------------------------------------------------
    def take(self, source: str, receipts: Sequence[Receipt], now: int) -> None:
        """Handle receipts of one inbox, in order, and commit. `now` is only the time of the commit.

        A message that breaks us stops only itself: the batch is taken again one by one, and what breaks alone becomes a dead letter
        that says `bug`. A store that cannot be written is not the message's fault, and is raised.
        """
        try:
            self._take(source, receipts, now)
        except STORE_FAILED:
            self._forget()
            raise
        except Exception as bug:
            self._forget()
            if len(receipts) == 1:
                self._condemn(source, receipts[0], bug, now)
            for one in receipts if len(receipts) > 1 else ():
                self.take(source, [one], now)

    def _forget(self) -> None:
        """Nothing of a batch that failed stays in memory."""
        self.world.reset()
        self.turn = None
        self.woken.clear()
        self.subjects = []

    def _condemn(self, source: str, receipt: Receipt, bug: Exception, now: int) -> None:
        log.exception("bug", system=receipt.system, topic=receipt.topic, receipt=receipt.seq)
        world = self.world
        self._refuse(receipt, Reject(f"{type(bug).__name__}: {bug}", "bug"))
        world.counters[f"position/{source}"] = receipt.seq
        self._hand_over(source, [receipt])
        world.commit(now)

    def _take(self, source: str, receipts: Sequence[Receipt], now: int) -> None:
        world = self.world
        self.subjects = []
        heaps = [(receipt, self._translate(receipt)) for receipt in receipts]
        self._load(heaps)
        for receipt, found in heaps:
            if isinstance(found, Reject):
                self._refuse(receipt, found)
            elif isinstance(found, Outcome):
                self._outcome(receipt, found)
            elif isinstance(found, list):
                self.count(receipt, self._statements(receipt, found))
            else:
                self.handlers[receipt.topic](receipt, found)
            self.finish()
            if self.woken:
                self._wake(receipt)
        if receipts:
            world.counters[f"position/{source}"] = receipts[-1].seq
            self._hand_over(source, receipts)
        world.commit(now)

    def _hand_over(self, source: str, receipts: Sequence[Receipt]) -> None:
        """Tell the archives whose receipts these were, and whose earlier ones turned out to be."""
        world, subjects = self.world, dict(self.subjects)
        handled = {source: [(receipt.seq, subjects.pop(receipt.seq, 0)) for receipt in receipts]}
        for seq, subject in subjects.items():
            handled.setdefault("outcomes" if seq >= OUTCOMES_FROM else "inbox", []).append((seq, subject))
        for name, pairs in handled.items():
            world.batch.handled.append((world.number("handled"), name, _encode(pairs)))

    def _translate(self, receipt: Receipt) -> Any:
        try:
            if receipt.topic == TOPIC:
                return msgspec.json.decode(receipt.body, type=Outcome)
            if receipt.topic in self.readers:
                return self.readers[receipt.topic](receipt)
            translate = self.shop.translate.get(receipt.system)
            if translate is None:
                return Reject(f"no system is called {receipt.system!r}", "unknown_topic")
            return [
                Heap(receipt, said.event, said.person, self.keys_of(receipt.system, said.event))
                for said in translate(receipt.topic, receipt.body)
            ]
        except Reject as rejected:
            return rejected
        except Exception as bug:  # one message that we cannot read stops only itself, and says so
            return Reject(f"{type(bug).__name__}: {bug}", "bug")

    def keys_of(self, system: str, said: Any) -> list[Key]:
        world = self.world
        if type(said) in (StockCounted, StockMoved):
            return [world.key(system, "item", said.item)] + (
                [world.key(system, "stock-move", said.external)] if type(said) is StockMoved else []
            )
        keys = [self._key(reference) for reference in references(system, said)]
        if type(said) is OrderSeen:
            reserved = named(said.order.reservation) if said.order.reservation else None
            if reserved is not None:
                keys.append(world.key(reserved[1], reserved[0], reserved[2]))
            keys += [world.key(alias.system or system, alias.kind, alias.id) for alias in said.aliases]
            keys += [world.key(paid.system or system, paid.kind, paid.id) for paid in said.order.payments]
        return keys

    def _key(self, reference: Reference) -> Key:
        if reference.system == "mainstay":
            ours = named(reference.id)
            if ours is not None:
                return self.world.key(ours[1], ours[0], ours[2])
        return self.world.key(reference.system, reference.kind, reference.id)

    def _load(self, heaps: list[tuple[Receipt, Any]]) -> None:
        world = self.world
        keys: list[Key] = []
        skus: list[str] = []
        numbers: list[int] = []
        for receipt, found in heaps:
            if isinstance(found, Outcome):
                numbers.append(found.entity)
            elif receipt.topic in self.readers and not isinstance(found, Reject):
                keys += found.keys
                skus += found.skus
            elif isinstance(found, list):
                for heap in found:
                    keys += heap.keys
                    said = heap.said
                    if type(said) is OrderSeen:
                        skus += [line.sku for line in said.order.lines]
                    elif type(said) is ProductSeen:
                        skus += [variant.sku for variant in said.variants]
                    elif type(said) in (StockCounted, StockMoved) and said.sku:
                        skus.append(said.sku)
                    if heap.person is not None and heap.person.id:
                        keys.append(world.key(receipt.system, "customer", heap.person.id))
        world.look_up(keys)
        world.load_skus(skus)
        numbers += world.links.values()
        world.load_orders(numbers)
        world.load_reservations(numbers)
        items = [world.item_of[sku] for sku in skus if sku in world.item_of]
        items += [item for number in numbers if (state := world.orders.get(number)) is not None for item in state.items]
        world.load_stock(items)

    def again(self, receipt: Receipt) -> str:
        """Take one receipt once more, with today's mapping; says how it went."""
        found = self._translate(receipt)
        if isinstance(found, Reject):
            self._park(receipt, found)
            return f"parked again: {found.why}"
        self._load([(receipt, found)])
        self._statements(receipt, found)
        self.finish()
        return "taken"

    def ask_again(self, state: OrderState, key: str, receipt: Receipt) -> None:
        """Ask a rejected effect once more: the same command under a new key that names the old one."""
        old = state.effects[key]
        number = 2 + sum(one.startswith(f"{key}.again.") for one in state.effects)
        asked = Asked(
            key=f"{key}.again.{number}", command=old.command, system=old.system, amount=old.amount, lines=old.lines, about=old.about
        )
        self.advance(state, receipt, [Answered(key=key, outcome="replaced", at=receipt.at, why=asked.key), asked])

    # --- one receipt -------------------------------------------------------------------------------------------------
    def _statements(self, receipt: Receipt, heaps: list[Heap]) -> str:
        """Take what a receipt says; how it ended."""
        outcomes = []
        subject = 0
        for heap in heaps:
            refused = self.shop.admit(receipt.system, heap.said)
            if refused:
                self.finish()
                self._propose(receipt, heap.said, refused)
                outcomes.append("proposed")
                continue
            result, number = self.one(heap)
            outcomes.append(result)
            subject = subject or number
        self.subjects.append((receipt.seq, subject))
        return "applied" if "applied" in outcomes else outcomes[0] if outcomes else "noted"

    def one(self, heap: Heap) -> tuple[str, int]:
        """Take one statement; (how it ended, the subject that it is about)."""
        said, receipt = heap.said, heap.receipt
        kind = type(said)
        if kind in ON_ORDERS:
            return self._order(heap)
        self.finish()
        if kind is StockCounted or kind is StockMoved or kind is ProductSeen:
            return self._item(receipt, said, heap.keys), 0
        if kind is Hint:
            heard = Heard(system=receipt.system, said=said, receipt=receipt.seq)
            self.apply.to_hint(receipt.seq, heard, receipt.at)
            self.world.log(receipt.at, "hint", receipt.seq, [heard])
            return "applied", 0
        return "noted", self._person(receipt, heap.person, 0) if kind is CustomerSeen else 0

    def _order(self, heap: Heap) -> tuple[str, int]:
        world, said, receipt = self.world, heap.said, heap.receipt
        number = next((world.links[key] for key in heap.keys if key in world.links), None)
        if type(said) is OrderSeen:
            number = world.links.get(heap.keys[0])
            if number is None:
                number = world.number("entity")
                state = world.order(number, receipt.system, said.external)
            else:
                state = world.orders[number]
        elif number is None or number not in world.orders:  # nothing, or something else, is known by that id
            self.finish()
            self._too_early(heap)
            return "early", 0
        else:
            state = world.orders[number]
        mark = fingerprint(receipt.system, receipt.topic, receipt.key) if receipt.key else 0
        if not orders.newer(state, said):
            return ("duplicate" if mark in state.marks else "stale"), state.subject
        subject, customer = state.subject, ""
        if heap.person is not None:
            subject = self._person(receipt, heap.person, state.id) or subject
            customer = heap.person.id
        heard = Heard(system=receipt.system, said=said, mark=mark, subject=subject, customer=customer, receipt=receipt.seq)
        awaited = heap.keys if state.order is None and world.waiting else []
        self.hear(state, receipt, heard)
        if awaited:
            self.finish()
            self._late(awaited)
        return "applied", subject

    # --- an order's turn ---------------------------------------------------------------------------------------------
    def hear(self, state: OrderState, receipt: Receipt, event: AnyEvent) -> None:
        """Fold what was heard. What follows is decided when all that one receipt says of the order has been heard."""
        statement = isinstance(event, Heard) and type(event.said) is OrderSeen
        if self.turn is not None and (self.turn.state is not state or statement):
            self.finish()
        if statement:
            self._prepare(state, event.said, receipt.at)  # type: ignore[union-attr,arg-type]
        if self.turn is None:
            self.turn = Turn(state, receipt.at, self.world.counters.get("event", 0) + 1, [])
        self._fold(self.turn, event)

    def finish(self) -> None:
        """Decide what follows for the order whose turn it is, and write its one row of the log."""
        turn, self.turn = self.turn, None
        if turn is None:
            return
        world, state, policy = self.world, turn.state, self.shop.policy
        for event in orders.begin(state, policy):
            self._fold(turn, event)
        self._allocate(turn)
        for event in orders.settle(state, policy):
            self._fold(turn, event)
        state.updated_at = world.changed_orders[state.id] = turn.at
        written = world.log(turn.at, "order", state.id, turn.log)
        assert written == turn.seq, "the postings of a row carry its number"

    def advance(self, state: OrderState, receipt: Receipt, events: Sequence[AnyEvent]) -> None:
        """Give an order its turn with these events, or only with what has changed around it."""
        self.finish()
        for event in events:
            self.hear(state, receipt, event)
        if self.turn is None:
            self.turn = Turn(state, receipt.at, self.world.counters.get("event", 0) + 1, [])
        self.finish()

    def _prepare(self, state: OrderState, said: OrderSeen, at: int) -> None:
        """What must stand in the log before the order's own row: new items, and the end of the reservation that it uses."""
        for line in said.order.lines:
            self.world.item(line.sku, at)
        if said.order.reservation and state.order is None:
            self.consume(said.order.reservation, state.id, at)

    def _fold(self, turn: Turn, event: AnyEvent) -> None:
        self.apply.to_order(turn.state, event, turn.at, turn.seq)
        turn.log.append(event)
        if isinstance(event, Deallocated):
            self.woken.update(share.item for share in event.shares)

    def _allocate(self, turn: Turn) -> None:
        state = turn.state
        wants = orders.wants(state)
        if not wants:
            return
        shares, missing = stock.allocate(wants, self.world.shelves, self.shop.split)
        if shares:
            self._fold(turn, Allocated(shares=tuple(shares)))
        if dict(missing) != state.short:
            asked = state.system in self.shop.policy.asks_first
            self._fold(turn, Short(missing=tuple(missing), asked_first=asked))

    # --- buyers ------------------------------------------------------------------------------------------------------
    def _person(self, receipt: Receipt, person: Person | None, order: int) -> int:
        """Put personal data into the vault; returns the subject that stands for it."""
        if person is None:
            return 0
        world, system = self.world, receipt.system
        subject = subject_of(
            person, lambda customer: world.links.get(world.key(system, "customer", customer), 0), order, lambda: world.number("entity")
        )
        world.batch.people.append((subject, pack(_encode(person))))
        return subject

    # --- what has not arrived yet ------------------------------------------------------------------------------------
    def _too_early(self, heap: Heap) -> None:
        """Keep a statement until its order arrives; it is escalated when it waits too long."""
        world, receipt = self.world, heap.receipt
        n = world.number("early")
        space, ext = heap.keys[-1] if len(heap.keys) > 1 and type(heap.said) is not PaymentSeen else heap.keys[0]
        early = Early(
            system=receipt.system, topic=receipt.topic, key=receipt.key, receipt=receipt.seq, space=space, ext=ext,
            due=receipt.at + self.shop.early_us, said=heap.said,
        )  # fmt: skip
        self.apply.to_early(n, early, receipt.at)
        world.log(receipt.at, "early", n, [early])
        world.waiting.setdefault((space, ext), []).append((n, _encode(early)))

    def _late(self, keys: list[Key]) -> None:
        """The order is here: take the statements that came before it, in their order."""
        world = self.world
        for n, body in sorted({one for key in keys for one in world.waiting.pop(key, ())}):
            early = _early.decode(body)
            receipt = Receipt(early.receipt, early.due - self.shop.early_us, early.system, early.topic, early.key, b"")
            self.apply.to_early(n, EarlyEnded(), receipt.at)
            world.log(receipt.at, "early", n, [EarlyEnded()])
            _, subject = self.one(Heap(receipt, early.said, None, self.keys_of(early.system, early.said)))
            self.subjects.append((receipt.seq, subject))
            self.finish()

    # --- stock and products ------------------------------------------------------------------------------------------
    def _item(self, receipt: Receipt, said: Any, keys: list[Key]) -> str:
        world = self.world
        if type(said) is ProductSeen:
            return self._product(receipt, said)
        if type(said) is StockMoved and keys[1] in world.links:
            return "duplicate"
        item = world.links.get(keys[0])
        if item is None and said.sku:
            item = world.item(said.sku, receipt.at)
        if item is None:
            self._park(receipt, Reject(f"item {said.item!r} of {receipt.system} belongs to no SKU that is known", "unknown_sku"))
            return "parked"
        world.load_items((item,))
        world.load_stock((item,))
        location = self.apply.location(said.location)
        if type(said) is StockCounted and said.at < world.level(item, location).counted_at:
            return "stale"
        event = Heard(system=receipt.system, said=said, receipt=receipt.seq)
        self.apply.to_item(item, event, receipt.at)
        world.log(receipt.at, "item", item, [event])
        self.woken.add(item)
        return "applied"

    def _product(self, receipt: Receipt, said: ProductSeen) -> str:
        world = self.world
        result = "stale"
        for variant in said.variants:
            item = world.item(variant.sku, receipt.at)
            world.load_items((item,))
            if not newer(world.items[item], receipt.system, said):
                continue
            world.load_stock((item,))
            event = Heard(system=receipt.system, said=said, receipt=receipt.seq)
            self.apply.to_item(item, event, receipt.at)
            world.log(receipt.at, "item", item, [event])
            result = "applied"
        return result

    def _wake(self, receipt: Receipt) -> None:
        """Orders that wait for units that have come free get them, oldest first."""
        world = self.world
        items, self.woken = sorted(self.woken), set()
        if not world.backlog:
            return
        waiting = {number for item in items for number in world.queued.get(item, ())}
        waiting.update(number for _, number in world.store.rows("find_backlog", (_encode(items).decode(), 1_000)))
        world.load_orders(sorted(waiting))
        for number in sorted(waiting):
            state = world.orders[number]
            if state.status not in ("cancelled", "settled") and state.short:
                world.load_stock(state.items)
                wants = orders.wants(state)
                if any(free(level) for _, item, _ in wants for level in world.shelves.get(item, ())):
                    self.advance(state, receipt, [])

    # --- answers of other systems, time-outs -------------------------------------------------------------------------
    def _outcome(self, receipt: Receipt, outcome: Outcome) -> None:
        state = self.world.orders.get(outcome.entity)
        self.subjects.append((receipt.seq, state.subject if state else 0))
        effect = state.effects.get(outcome.key) if state is not None else None
        if state is None or effect is None:
            if outcome.outcome == "rejected":
                self._letter(receipt, outcome, 0)
            self.count(receipt, "applied")
            return
        if effect.outcome in ("done", outcome.outcome):
            self.count(receipt, "duplicate")
            return
        answered = Answered(
            key=outcome.key, outcome=outcome.outcome, at=receipt.at, code=outcome.code, why=outcome.why, references=outcome.references
        )
        self.advance(state, receipt, [answered])
        if outcome.outcome == "rejected":
            self._letter(receipt, outcome, state.id)
        self.count(receipt, "applied")

    def expire(self, timers: Sequence[tuple[int, str, int]], now: int) -> None:
        """Look at what time-outs concern, and commit. One that breaks us stops only itself, like a message."""
        try:
            self._expire(timers, now)
        except STORE_FAILED:
            self._forget()
            raise
        except Exception as bug:
            self._forget()
            if len(timers) == 1:
                due, kind, entity = timers[0]
                log.exception("bug", timer=kind, entity=entity)
                self._park(Receipt(0, due, "mainstay", f"timer/{kind}", str(entity), b""), Reject(f"{type(bug).__name__}: {bug}", "bug"))
                self.world.batch.timers_done.append((due, kind, entity))
                self.world.commit(now)
            for one in timers if len(timers) > 1 else ():
                self.expire([one], now)

    def _expire(self, timers: Sequence[tuple[int, str, int]], now: int) -> None:
        world = self.world
        world.load_orders(entity for _, kind, entity in timers if kind == "payment")
        for due, kind, entity in timers:
            receipt = Receipt(0, due, "mainstay", f"timer/{kind}", "", b"")
            if kind == "payment":
                state = world.orders[entity]
                if state.status in ("placed", "held") and not orders.is_paid(state) and not state.cancel:
                    self.advance(state, receipt, [CancelAsked(by="mainstay", reason="not paid in time")])
            elif kind == "early":
                self._overdue(receipt, entity)
            else:
                self.handlers[receipt.topic](Receipt(entity, due, "mainstay", receipt.topic, "", b""), None)
            world.batch.timers_done.append((due, kind, entity))
            if self.woken:
                self._wake(receipt)
        world.counters["clock"] = max(world.counters.get("clock", 0), timers[-1][0])
        world.commit(now)

    def _overdue(self, receipt: Receipt, n: int) -> None:
        found = rows(self.world.store.connection, "SELECT body FROM early WHERE n = ?", (n,))
        if not found:
            return
        early = _early.decode(found[0][0])
        overdue = Reject("what it speaks of has not arrived within the time that such statements wait", "early")
        self._park(Receipt(early.receipt, receipt.at, early.system, early.topic, early.key, b""), overdue)

    # --- what could not be handled -----------------------------------------------------------------------------------
    def _refuse(self, receipt: Receipt, why: Reject) -> None:
        if receipt.topic in self.readers:  # somebody waits for the answer
            status = {"not_found": 404, "bug": 500}.get(why.code, 422)
            self.world.batch.answers.append((receipt.seq, status, _encode({"code": why.code, "detail": why.why})))
        if why.code == "not_business":
            self.count(receipt, "noted")
        elif receipt.topic in self.readers and why.code != "bug":
            self.count(receipt, "refused")
        else:
            self._park(receipt, why)
            self.count(receipt, "parked")

    def _park(self, receipt: Receipt, why: Reject) -> None:
        number = self.world.number("entity")
        parked = Parked(
            system=receipt.system, topic=receipt.topic, code=why.code, why=why.why, owner=self.shop.owner(receipt.system),
            receipt=receipt.seq, key=receipt.key,
        )  # fmt: skip
        self.apply.to_letter(number, parked, receipt.at)
        self.world.log(receipt.at, "letter", number, [parked])

    def _letter(self, receipt: Receipt, outcome: Outcome, about: int) -> None:
        number = self.world.number("entity")
        parked = Parked(
            system=outcome.system, topic=TOPIC, code=outcome.code or "rejected", why=outcome.why,
            owner=self.shop.owner(outcome.system), receipt=receipt.seq, key=outcome.key, about=about,
        )  # fmt: skip
        self.apply.to_letter(number, parked, receipt.at)
        self.world.log(receipt.at, "letter", number, [parked])

    def _propose(self, receipt: Receipt, said: Any, reason: str) -> None:
        """Keep what a non-owner said, visibly and without effect; what it calls a SKU is no claim, and is learnt."""
        world = self.world
        number = world.number("entity")
        event = Proposed(system=receipt.system, said=said, reason=reason)
        self.apply.to_proposal(number, event, receipt.at)
        world.log(receipt.at, "proposal", number, [event])
        for sku, name in names_in(said):
            item = world.item(sku, receipt.at)
            world.load_items((item,))
            world.load_stock((item,))
            if world.items[item].ids.get(receipt.system) != name:
                self.apply.to_item(item, event, receipt.at)
                world.log(receipt.at, "item", item, [event])

    def count(self, receipt: Receipt, outcome: str) -> None:
        """Conservation: every receipt ends as exactly one outcome."""
        self.world.batch.tally[(receipt.system, receipt.topic, outcome)] += 1
