"""What an event does to everything we know. The one path for new events and for a rebuild from the log: both end in the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from mainstay.catalog import fold as catalog
from mainstay.flows.world import World
from mainstay.model.commands import AnyCommand, Fetch, PostSale
from mainstay.model.events import (
    Allocated,
    Answered,
    AnyEvent,
    Asked,
    CustomerListed,
    Deallocated,
    Doubted,
    Early,
    Heard,
    ItemListed,
    JobBegan,
    JobEnded,
    JobStepped,
    LetterClosed,
    LetterPassed,
    LetterTried,
    Moved,
    Parked,
    PauseSet,
    Proposed,
    Refused,
    ReservationEnded,
    Reserved,
    SettingsChanged,
    Shipped,
    Short,
)
from mainstay.model.objects import Reference
from mainstay.model.seen import (
    DisputeSeen,
    FulfilmentSeen,
    Hint,
    InvoiceSeen,
    OrderSeen,
    PaymentSeen,
    PriceSeen,
    ProductSeen,
    RefundSeen,
    SeenEvent,
    SettlementLineSeen,
    StockCounted,
    StockMoved,
)
from mainstay.model.state import LOCATIONS_MAX, JobState, LetterState, OrderState, ReservationState
from mainstay.model.times import SECOND
from mainstay.money.post import post
from mainstay.orders.fold import fold as fold_order
from mainstay.orders.payments import captured, is_paid
from mainstay.orders.view import command, located
from mainstay.stock import fold as stock
from mainstay.storage.packing import pack

STOCK_EVENTS = frozenset({Allocated, Deallocated, Shipped})
TOGETHER = 256  # reservations with neighbouring numbers that end in the same second share a timer
MONEY_SAID = (OrderSeen, PaymentSeen, RefundSeen, DisputeSeen, SettlementLineSeen)
_encode = msgspec.json.Encoder().encode


class Apply:
    """Applies events to a World. `settings` hold until the log says otherwise."""

    def __init__(self, world: World, settings: SettingsChanged) -> None:
        self.world, self.settings = world, settings

    def to_settings(self, _number: int, event: AnyEvent, _at: int) -> None:
        """The shop is declared differently from here on."""
        assert isinstance(event, SettingsChanged)
        self.settings = event

    # --- orders ------------------------------------------------------------------------------------------------------
    def to_order(self, state: OrderState, event: AnyEvent, at: int, seq: int) -> None:
        """Fold one event into an order, and into everything that follows from it."""
        world, kind = self.world, type(event)
        if kind is Heard:
            self._link_heard(state, event)  # type: ignore[arg-type]
            if type(event.said) is OrderSeen:  # type: ignore[union-attr]
                state.heard = seq
            world.tell.update(self._taken_back(state, event.said))  # type: ignore[union-attr]
        elif kind is Doubted:
            self._doubted(state, event, at)  # type: ignore[arg-type]
        short_before = state.short if kind in (Short, Allocated, Moved) and state.short else None
        short_before = dict(short_before) if short_before else None
        invoice = state.invoice
        fold_order(state, event, world.item_of.__getitem__)
        if (state.invoice and not invoice) or (kind is Answered and _found_again(state, event)):  # type: ignore[arg-type]
            stock.booked(state.shares, world.level)
        if kind in STOCK_EVENTS:
            stock.fold(event, world.level, at, books=bool(self.settings.behind) and not state.invoice)
            world.tell.update(stock.freed_or_taken(event))
        elif kind is Asked:
            self._intend(state, event, at)  # type: ignore[arg-type]
        elif kind is Answered:
            self._answered(state, event)  # type: ignore[arg-type]
        if kind is Moved and event.move == "place" and not is_paid(state):  # type: ignore[union-attr]
            world.timer(at + self.settings.payment_us, "payment", state.id)
        if short_before is not None or state.short:
            self._queue(state, short_before or {})

    def close(self, state: OrderState, events: Sequence[AnyEvent], seq: int) -> None:
        """After the events of a row: bring the books to what the order's state says now, where one of them moves money."""
        if any(_moves_money(state, event) for event in events):
            self._post(state, seq)

    def _taken_back(self, state: OrderState, said: SeenEvent) -> Iterator[int]:
        """Items that a channel counts for itself at once, as it does what it sells: tell it what it may show, also where we held nothing
        for them, as of an order that we first hear of when it is cancelled."""
        if type(said) is RefundSeen:
            back = {line.line for line in said.lines if line.restock != "no_restock"}
            lines = state.order.lines if state.order is not None else ()
            yield from (item for line, item in zip(lines, state.items, strict=False) if line.id in back)
        elif type(said) is OrderSeen:
            before, after = state.order, said.order
            off = {line.id: line.cancelled for line in before.lines} if before is not None else {}
            undone = after.cancelled_at is not None and (before is None or before.cancelled_at is None)
            yield from (self.world.item_of[line.sku] for line in after.lines if undone or line.cancelled != off.get(line.id, 0))

    def _link_heard(self, state: OrderState, event: Heard) -> None:
        world = self.world
        for name in names_of(event):
            world.link(world.key(name.system, name.kind, name.id), state.id)
        if event.subject and event.customer:
            world.link(world.key(event.system, "customer", event.customer), event.subject)

    def _intend(self, state: OrderState, event: Asked, at: int) -> None:
        self.intend(event.system, state.id, located(state, event, command(state, event, at), self.place), at)

    def intend(self, system: str, entity: int, what: AnyCommand, at: int) -> None:
        """Put a command into the outbox."""
        world = self.world
        world.batch.intents.append((world.number("intent"), at, system, entity, pack(_encode(what))))

    def _answered(self, state: OrderState, event: Answered) -> None:
        world = self.world
        effect = state.effects[event.key]
        for kind, reference in event.references.items():
            world.link(world.key(effect.system, kind, reference), state.id)

    def _doubted(self, state: OrderState, event: Doubted, at: int) -> None:
        """The same document goes out once more. Where the ERP may have lost a sale, its counts may have lost what left for it, too."""
        found = self.world.intent(event.intent)
        assert found is not None, f"there is no intent {event.intent}"
        system, _, made = found
        self.intend(system, state.id, replace(made, again=True), at)
        if type(made) is PostSale and self.settings.behind and not state.effects[event.key].again:
            stock.doubted(state.shares, self.world.level)

    def _post(self, state: OrderState, seq: int) -> None:
        world = self.world
        payments = {external: captured(state, external) for external in state.payments}
        transfers = post(state, payments)
        if not transfers or state.order is None:
            return
        for what, debit, credit, amount, stated in transfers:
            currency = stated or state.order.currency
            from_, to = self._account(credit, currency, -amount), self._account(debit, currency, amount)
            world.batch.transfers.append((world.number("transfer"), seq, state.id, what, to, from_, amount))

    def _account(self, name: str, currency: str, change: int) -> int:
        world, key = self.world, (name, currency)
        held = world.accounts.get(key)
        number, balance = held if held is not None else (len(world.accounts) + 1, 0)
        world.accounts[key] = (number, balance + change)
        world.changed_accounts.add(key)
        return number

    def _queue(self, state: OrderState, before: dict[int, int]) -> None:
        world = self.world
        for item in state.short.keys() - before.keys():
            world.batch.backlog.append((item, state.id))
            world.queued.setdefault(item, []).append(state.id)
            world.backlog += 1
        for item in before.keys() - state.short.keys():
            world.batch.backlog_done.append((item, state.id))
            world.backlog -= 1
            if state.id in world.queued.get(item, ()):
                world.queued[item].remove(state.id)
                world.batch.backlog.remove((item, state.id))

    # --- stock and products ------------------------------------------------------------------------------------------
    def to_item(self, item: int, event: AnyEvent, at: int) -> None:
        """Fold one event into an item: its listing, its product data, its counts and movements."""
        world = self.world
        if type(event) is ItemListed:
            if item not in world.items:
                world.list_item(item, event.sku)
            return
        assert isinstance(event, Heard | Proposed)
        said = event.said
        for claimed in event.contested if isinstance(event, Heard) else ():
            world.items[item].claims[claimed] = (event.system, said.version, said.at)
            world.changed_items.add(item)
        if isinstance(event, Proposed):
            self._named(item, event.system, said)
        elif isinstance(said, StockCounted | StockMoved) and event.corrects is not None:
            world.tell.add(item)
            stock.corrected(said, event.corrects, world.level(item, self.location(said.location)))  # type: ignore[arg-type]
        elif type(said) is StockCounted:
            level = world.level(item, self.location(said.location))
            world.tell.add(item)
            stock.counted(said, level, behind=event.system in self.settings.behind)
            self._named(item, event.system, said)
        elif type(said) is StockMoved:
            world.tell.add(item)
            stock.moved(said, world.level(item, self.location(said.location)))
            world.link(world.key(event.system, "stock-move", said.external), item)
        elif isinstance(said, ProductSeen | PriceSeen):
            if catalog.describe(world.items[item], event.system, said):
                world.tell_price.add(item)
            world.changed_items.add(item)
            self._named(item, event.system, said)

    def _named(self, item: int, system: str, said: Any) -> None:
        """Learn what a system calls a SKU; from now on it is told the SKU's level."""
        world = self.world
        called = catalog.name(world.items[item], system, said)
        if called:
            world.link(world.key(system, "item", called), item)
            world.changed_items.add(item)
            world.tell.add(item)
            world.tell_price.add(item)

    def place(self, number: int) -> str:
        """The name of a location; "" for one that nobody has spoken of."""
        return next((text for text, known in self.world.words.items() if known == number), "").removeprefix("location/")

    def location(self, name: str) -> int:
        """The number of a location, below 256; a shop that names none has one, called main."""
        text = f"location/{name or self.settings.main}"
        found = self.world.words.get(text)
        if found is not None:
            return found
        number = self.world.number("location")
        assert number < LOCATIONS_MAX, f"at most {LOCATIONS_MAX - 1} stock locations"
        return self.world.name(text, number)

    # --- reservations ------------------------------------------------------------------------------------------------
    def to_reservation(self, number: int, event: AnyEvent, at: int) -> None:
        """Fold one event into a reservation."""
        world = self.world
        if type(event) is Reserved:
            state = ReservationState(id=number, channel=event.channel, key=event.key, shares=event.shares, expires=event.expires)
            world.timer(-(-event.expires // SECOND) * SECOND, "reservations", number // TOGETHER)
        elif type(event) is Refused:
            state = ReservationState(
                id=number, channel=event.channel, key=event.key, shares=(), expires=0, status="refused", short=event.short
            )
        else:
            assert type(event) is ReservationEnded
            state = world.reservations[number]
            assert state.status == "reserved", f"reservation {number} ended twice"
            state.status, state.order = event.how, event.order
        world.reservations[number] = state
        world.changed_reservations.add(number)
        if type(event) is not ReservationEnded:
            world.link(world.key(state.channel, "reservation", state.key), number)
        stock.fold(event, world.level, at, books=bool(self.settings.behind))
        world.tell.update(stock.freed_or_taken(event))

    # --- customers ---------------------------------------------------------------------------------------------------
    def to_customer(self, subject: int, event: AnyEvent, at: int) -> None:
        """A customer has a subject from now on. That two are one person is asked of the log, when somebody is erased."""
        if isinstance(event, CustomerListed):
            self.world.link(self.world.key(event.system, "customer", event.customer), subject)

    # --- what waits or is only kept ----------------------------------------------------------------------------------
    def to_early(self, number: int, event: AnyEvent, at: int) -> None:
        """Fold one event into a statement that waits."""
        world = self.world
        if isinstance(event, Early):
            world.batch.early.append((number, event.space, event.ext, event.due, _encode(event)))
            world.timer(event.due, "early", number)
            world.early += 1
        else:
            world.batch.early = [row for row in world.batch.early if row[0] != number]
            world.batch.early_done.append((number,))
            world.early -= 1

    def to_hint(self, number: int, event: AnyEvent, at: int) -> None:
        """A thin notification: what it speaks of is fetched."""
        assert isinstance(event, Heard) and isinstance(event.said, Hint)
        said = event.said
        key = f"{event.system}:{said.feed}:{said.external}:{number}"
        self.intend(event.system, 0, Fetch(key=key, feed=said.feed, reference=said.external), at)

    def to_proposal(self, number: int, event: AnyEvent, at: int) -> None:
        """Keep a proposal."""
        self.world.batch.proposals.append((number, at, _encode(event)))

    # --- dead letters ------------------------------------------------------------------------------------------------
    def to_letter(self, number: int, event: AnyEvent, at: int) -> None:
        """Fold one event into a dead letter."""
        world = self.world
        if type(event) is Parked:
            world.batch.letters.append((number, at, "open", event.code, event.owner, event.about, _encode(event)))
            return
        held = world.letter(number)
        assert held is not None, f"there is no dead letter {number}"
        _, since, status, code, owner, about, body = held
        if type(event) is LetterClosed:
            status = {"suppress": "suppressed", "retry": "retried"}.get(event.how, "resolved")
            if event.receipt:
                body = _encode(replace(msgspec.json.decode(body, type=LetterState), repaired=event.receipt))
        elif type(event) is LetterTried:
            tried = msgspec.json.decode(body, type=LetterState)
            status, code, owner = "open", event.code, event.owner
            asked = {"key": event.key, "receipt": event.receipt, "amount": event.amount} if event.key else {}
            body = _encode(replace(tried, code=code, why=event.why, owner=owner, **asked))
        else:
            assert type(event) is LetterPassed
            given = msgspec.json.decode(body, type=LetterState)
            body = _encode(replace(given, given_to=event.to, escalated=given.escalated or event.how == "escalate"))
        world.batch.letters.append((number, since, status, code, owner, about, body))

    def to_pause(self, _number: int, event: AnyEvent, at: int) -> None:
        """Something is held back, or goes on."""
        assert type(event) is PauseSet
        self.world.batch.pauses.append((event.target, event.mode, at, _encode(event)))

    def to_job(self, number: int, event: AnyEvent, at: int) -> None:
        """Fold one event into a job. While it runs, a timer makes its next step; between two steps other work is done."""
        world = self.world
        if type(event) is JobBegan:
            job = JobState(number, at, event.action, len(event.letters), query=event.query, to=event.to, by=event.by, reason=event.reason)
        else:
            job = world.job(number)
            if type(event) is JobStepped:
                job.done += sum(1 for _, done, _ in event.results if done)
                job.failed += sum(1 for _, done, _ in event.results if not done)
                job.unchanged += event.unchanged
            else:
                assert type(event) is JobEnded
                job.status, job.ended_by = event.how, event.by
        if job.status == "running" and job.taken < job.total:
            world.timer(at + 1, "job", number)
        world.batch.jobs.append((number, job.status, _encode(job)))


def names_of(event: Heard) -> list[Reference]:
    """The ids by which others know an order, as far as a statement says them. Each names its system."""
    said, system = event.said, event.system
    found = [Reference(_KINDS.get(type(said).__name__, "document"), said.external, system)]
    if isinstance(said, OrderSeen | PaymentSeen | InvoiceSeen):
        found += [Reference(alias.kind, alias.id, alias.system or system) for alias in said.aliases]
    if type(said) is OrderSeen:
        found += [Reference(paid.kind, paid.id, paid.system or system) for paid in said.order.payments]
    if type(said) is FulfilmentSeen:
        found += [Reference("tracking", number, system) for number in said.tracking]
    return found


def _found_again(state: OrderState, event: Answered) -> bool:
    """Is a sale that the ERP may have lost there, or made again?"""
    if not event.again:
        return False
    effect = state.effects[event.key]
    return effect.command == "PostSale" and not effect.again


def _moves_money(state: OrderState, event: AnyEvent) -> bool:
    if isinstance(event, Heard):
        return isinstance(event.said, MONEY_SAID)
    if isinstance(event, Answered):
        return state.effects[event.key].command == "CapturePayment" and not event.again
    return isinstance(event, Moved) and event.move in ("place", "cancel", "settle")


_KINDS = {
    "OrderSeen": "order", "PaymentSeen": "payment",
    "RefundSeen": "refund", "FulfilmentSeen": "fulfilment", "ReturnSeen": "return", "DisputeSeen": "dispute",
    "SettlementLineSeen": "settlement-line",
}  # fmt: skip
