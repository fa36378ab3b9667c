"""Receipts to state: translate, admit, fold, decide, in one commit for each batch. Each receipt is taken whole before the next.

Batching only groups loads and writes: it changes no state, no id and no intent. What a receipt says of an order is taken in the
order's turn (flows.turns), what it says of a SKU by flows.items; what comes too early waits (flows.waiting), and what cannot be
taken over is written down (flows.letters).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple
from zlib import crc32

import msgspec
import structlog

from mainstay.customers.words import cleaned
from mainstay.flows import buyers
from mainstay.flows.apply import Apply
from mainstay.flows.claims import Claims
from mainstay.flows.items import ON_ITEMS, Items
from mainstay.flows.letters import NOTED, Letters, bug_of
from mainstay.flows.shop import Shop
from mainstay.flows.statements import Statement, skus_of, statement
from mainstay.flows.turns import Turns
from mainstay.flows.waiting import Waiting
from mainstay.flows.world import World
from mainstay.model.events import Answered, CancelAsked, Heard
from mainstay.model.failures import Reject
from mainstay.model.identity import fingerprint
from mainstay.model.outcome import TOPIC, Outcome
from mainstay.model.seen import (
    CustomerSeen,
    DisputeSeen,
    FulfilmentSeen,
    Hint,
    InvoiceSeen,
    OrderSeen,
    PaymentSeen,
    RefundSeen,
    ReturnSeen,
    SettlementLineSeen,
)
from mainstay.model.state import EffectState, OrderState
from mainstay.orders import decide as orders
from mainstay.orders import payments
from mainstay.storage.database import STORE_FAILED
from mainstay.storage.inbox import OUTCOMES_FROM, UNCLAIMED, Receipt
from mainstay.storage.packing import Damaged
from mainstay.storage.state import Key

IMPERSONAL = ON_ITEMS | {Hint}  # a receipt that says nothing else is nobody's
TIMER = "timer/"  # the topic of a time-out is this and its kind
ON_ORDERS = frozenset({
    OrderSeen, PaymentSeen, RefundSeen, FulfilmentSeen, ReturnSeen, DisputeSeen, InvoiceSeen, SettlementLineSeen,
})  # fmt: skip
log = structlog.get_logger("core")
_outcome = msgspec.json.Decoder(Outcome).decode
_encode = msgspec.json.Encoder().encode

Handler = Callable[[Receipt, Any], None]
Stumbled = Callable[[int, int, Reject], bool]  # (entity, when, which bug) -> is the time-out done with? Else it is looked at again
Reader = Callable[[Receipt], Any]  # gives what the handler gets; has `keys` and `skus` to load


class Again(NamedTuple):
    """What came of trying something once more; `nothing`: it stands as it stood."""

    detail: str
    nothing: bool = False


class Intake:
    """The core's work on receipts. `handlers` take the receipts of further topics (reservations, operators)."""

    def __init__(self, world: World, shop: Shop) -> None:
        self.world, self.shop = world, shop
        self.settings = shop.settings()
        self._settled = crc32(_encode(self.settings))
        self.apply = Apply(world, self.settings)
        self.readers: dict[str, Reader] = {}
        self.handlers: dict[str, Handler] = {}
        self.stumbled: dict[str, Stumbled] = {}  # what is done when looking at a time-out of this kind breaks us; else it is a letter's
        self.turns = Turns(self.apply, shop)
        self.letters = Letters(self.apply, shop)
        self.claims = Claims(world, shop.admission, shop.since)
        self.items = Items(self.turns, self.letters, self.claims)
        self.waiting = Waiting(self.apply, shop, self.letters)
        self.batch: Sequence[Receipt] = ()  # that is being taken
        self.subjects: list[tuple[int, int]] = []  # (receipt, subject) of the batch, for the archive

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
        self.turns.forget()
        self.subjects = []

    def _condemn(self, source: str, receipt: Receipt, bug: Exception, now: int) -> None:
        log.exception("bug", system=receipt.system, topic=receipt.topic, receipt=receipt.seq)
        world = self.world
        self._refuse(receipt, bug if isinstance(bug, Damaged) else bug_of(bug))
        world.counters[f"position/{source}"] = receipt.seq
        self._hand_over(source, [receipt])
        world.commit(now)

    def _take(self, source: str, receipts: Sequence[Receipt], now: int) -> None:
        world = self.world
        self.batch, self.subjects = receipts, []
        if receipts:
            self._settle(receipts[0].at)
        batch = [(receipt, self.translate(receipt)) for receipt in receipts]
        self.load(batch)
        for receipt, found in batch:
            if isinstance(found, Reject):
                self._refuse(receipt, found)
            elif isinstance(found, Outcome):
                self._outcome(receipt, found)
            elif isinstance(found, list):
                self.count(receipt, self._statements(receipt, found))
            else:
                self.handlers[receipt.topic](receipt, found)
            self.end()
            if self.turns.woken:
                self.turns.wake(receipt)
        if receipts:
            world.counters[f"position/{source}"] = receipts[-1].seq
            self._hand_over(source, receipts)
        world.commit(now)

    def _settle(self, at: int) -> None:
        """Write the settings that folding needs into the log, where they are not those that it had last."""
        if self.world.counters.get("settings") != self._settled:
            self.world.counters["settings"] = self._settled
            self.world.log(at, "settings", 0, [self.settings])

    def _hand_over(self, source: str, receipts: Sequence[Receipt]) -> None:
        """Tell the archives whose receipts these were, and whose earlier ones turned out to be."""
        world, subjects = self.world, dict(self.subjects)
        handled = {source: [(receipt.seq, subjects.pop(receipt.seq, 0)) for receipt in receipts]}
        for seq, subject in subjects.items():
            handled.setdefault("outcomes" if seq >= OUTCOMES_FROM else "inbox", []).append((seq, subject))
        for name, pairs in handled.items():
            world.batch.handled.append((world.number("handled"), name, _encode(pairs)))

    def translate(self, receipt: Receipt) -> Any:
        """What a receipt says: statements, an outcome, a request; or the Reject that says why nobody can tell."""
        try:
            if receipt.topic == TOPIC:
                return _outcome(receipt.body)
            if receipt.topic in self.readers:
                return self.readers[receipt.topic](receipt)
            if (receipt.system, receipt.topic) in self.shop.deaf and receipt.seq < OUTCOMES_FROM:
                return Reject(f"no flow brings {receipt.topic} of {receipt.system} by event", "not_declared")
            translate = self.shop.translate.get(receipt.system)
            if translate is None:
                return Reject(f"no system is called {receipt.system!r}", "unknown_topic")
            return [statement(self.world, receipt, said.event, said.person) for said in translate(receipt.topic, receipt.body)]
        except Reject as rejected:
            return rejected
        except MemoryError:  # the machine's fault, not the message's
            raise
        except Exception as bug:  # one message that we cannot read stops only itself, and says so
            log.exception("bug", system=receipt.system, topic=receipt.topic, receipt=receipt.seq)
            return bug_of(bug)

    def load(self, batch: list[tuple[Receipt, Any]]) -> None:
        """Learn all that these receipts may be about."""
        world = self.world
        keys: list[Key] = []
        skus: list[str] = []
        numbers: list[int] = []
        for receipt, found in batch:
            if isinstance(found, Outcome):
                numbers.append(found.entity)
            elif receipt.topic in self.readers and not isinstance(found, Reject):
                keys += found.keys
                skus += found.skus
            elif isinstance(found, list):
                for one in found:
                    keys += one.keys
                    skus += skus_of(one.said)
                    keys += buyers.keys_of(world, receipt.system, one.said, one.person)
        world.look_up(keys)
        world.load_skus(skus)
        numbers += world.links.values()
        world.load_orders(numbers)
        world.load_erased(chain(numbers, (world.orders[number].subject for number in numbers if number in world.orders)))
        world.load_people(self._may_move(batch, numbers))
        world.load_reservations(numbers)
        items = [world.item_of[sku] for sku in skus if sku in world.item_of]
        items += [item for number in numbers if (state := world.orders.get(number)) is not None for item in state.items]
        world.load_stock(items)

    def _may_move(self, batch: list[tuple[Receipt, Any]], numbers: Iterable[int]) -> set[int]:
        """The buyers of orders that a warehouse has, where the batch says anything of a buyer's address."""
        if not any(one.person is not None for _, found in batch if isinstance(found, list) for one in found):
            return set()
        known = (self.world.orders[number] for number in set(numbers) if number in self.world.orders)
        return {state.subject for state in known if any(effect.command == "ReleaseOrder" for effect in state.effects.values())}

    def again(self, receipt: Receipt, *, asked: int = 0) -> Again:
        """Take one receipt once more, with today's mapping. Raises Reject where it still cannot be read.

        `asked`: the receipt in which a person has said what this one should have been. What is heard, is heard from there: a replay
        compares with it, and never with the bytes that came.
        """
        found = self.translate(receipt)
        if isinstance(found, Reject):
            if found.code in NOTED:
                return Again(cleaned(found.why))
            raise found
        self.load([(receipt, found)])
        heard = msgspec.structs.replace(receipt, seq=asked) if asked else receipt
        ended = self._statements(receipt, [msgspec.structs.replace(one, receipt=heard, again=True) for one in found])
        self.end()
        if ended == "late":
            return Again("units have left since that it may still hold: the next count says what is there")
        if ended == "early":
            return Again("what it speaks of has still not arrived, and it is taken by itself when it does", nothing=True)
        return Again("taken")

    # --- one receipt -------------------------------------------------------------------------------------------------
    def _statements(self, receipt: Receipt, said: list[Statement]) -> str:
        """Take what a receipt says. How it ended."""
        outcomes = [ended for _, ended, _ in self.hear(receipt, said)]
        return "applied" if "applied" in outcomes else outcomes[0] if outcomes else "noted"

    def hear(self, receipt: Receipt, said: list[Statement]) -> list[tuple[Statement, str, str]]:
        """Take what a receipt says, first all that it says of an order: nothing is decided in between. How each statement ended, and
        why what does not count of it does not."""
        current = self.claims.current(said)
        heard = [(one, "noted", "") for one in said if one not in current] if len(current) < len(said) else []
        about = 0
        for one in sorted(current, key=lambda one: type(one.said) not in ON_ORDERS):
            sifted, reason = self.claims.sift(one)
            ended, number = self.take_one(sifted) if sifted is not None else ("proposed", 0)
            heard.append((one, ended, reason))
            about = about or number
        if any(reason for _, _, reason in heard):
            self.end()
            for one, _, reason in heard:
                if reason:
                    self.letters.propose(receipt, one.said, reason)
        if not about and any(one.person is not None or type(one.said) not in IMPERSONAL for one in said):
            about = UNCLAIMED
        self.subjects.append((receipt.seq, about))
        return heard

    def take_one(self, one: Statement, *, corrects: bool = False) -> tuple[str, int]:
        """Take one statement; (how it ended, the subject that it is about). `corrects`: it is another reading of what was heard."""
        said, receipt = one.said, one.receipt
        kind = type(said)
        if kind in ON_ORDERS:
            return self._order(one, corrects)
        self.turns.finish()
        if kind in ON_ITEMS:
            return self.items.take(one), 0
        if kind is Hint:
            heard = Heard(system=receipt.system, said=said, receipt=receipt.seq)
            self.apply.to_hint(receipt.seq, heard, receipt.at)
            self.world.log(receipt.at, "hint", receipt.seq, [heard])
            return "applied", 0
        return "noted", buyers.meet(self.apply, receipt, said, one.person) if kind is CustomerSeen else 0

    def _order(self, one: Statement, corrects: bool) -> tuple[str, int]:
        world, said, receipt = self.world, one.said, one.receipt
        number = next((world.links[key] for key in one.keys if key in world.links), None)
        if type(said) is OrderSeen:
            number = world.links.get(one.keys[0])
            if number is None:
                number = world.number("entity")
                state = world.order(number, receipt.system, said.external)
            else:
                state = world.orders[number]
        elif number is None or number not in world.orders:  # nothing, or something else, is known by that id
            self.turns.finish()
            self.waiting.keep(one)
            return "early", 0
        else:
            state = world.orders[number]
        mark = fingerprint(receipt.system, receipt.topic, receipt.key) if receipt.key else 0
        if not (corrects or orders.newer(state, said)):
            return ("duplicate" if mark in state.marks else "stale"), state.subject
        moved = type(said) is OrderSeen and buyers.moved(world, one.person, state)
        buyer = buyers.keep(self.apply, receipt, one.person, state)
        customer = one.person.id if one.person is not None else ""
        addressed = one.person is not None and one.person.addressed
        heard = Heard(
            system=receipt.system, said=said, mark=mark, subject=buyer, customer=customer, addressed=addressed, receipt=receipt.seq,
            moved=moved,
        )  # fmt: skip
        self.turns.hear(state, receipt, heard)
        return "applied", buyer

    def end(self) -> None:
        """A receipt has said all: decide what follows, then take the statements that came before what it brought: an order, or another
        id of one."""
        self.turns.finish()
        while self.world.fresh:
            for early in self.waiting.come(self.world.linked()):
                _, about = self.take_one(early)
                self.subjects.append((early.receipt.seq, about))
                self.turns.finish()

    # --- answers of other systems, time-outs -------------------------------------------------------------------------
    def _outcome(self, receipt: Receipt, outcome: Outcome) -> None:
        state = self.world.orders.get(outcome.entity)
        subject = state.subject if state else 0
        self.subjects.append((receipt.seq, subject))
        outcome = msgspec.structs.replace(outcome, why=buyers.discreet(self.world, outcome.why, subject))
        effect = state.effects.get(outcome.key) if state is not None else None
        if state is not None and effect is not None and outcome.again:
            self._made_again(receipt, state, effect, outcome)
            return
        if state is None or effect is None:
            if outcome.outcome == "rejected":
                self.letters.rejected(receipt, outcome, 0)
            self.count(receipt, "applied")
            return
        if effect.outcome in ("done", outcome.outcome):
            self.count(receipt, "duplicate")
            return
        answered = Answered(
            key=outcome.key, outcome=outcome.outcome, at=receipt.at, code=outcome.code, why=outcome.why, references=outcome.references
        )
        self.turns.advance(state, receipt, [answered])
        if outcome.outcome == "rejected":
            self.letters.rejected(receipt, outcome, state.id)
        self.count(receipt, "applied")

    def _made_again(self, receipt: Receipt, state: OrderState, effect: EffectState, outcome: Outcome) -> None:
        """What became of an effect that was looked for after it had been done. It stays done: what was refused is a letter's."""
        if not effect.again or effect.again == outcome.outcome:
            self.count(receipt, "duplicate")
            return
        answered = Answered(
            key=outcome.key, outcome=outcome.outcome, at=receipt.at, code=outcome.code, why=outcome.why, references=outcome.references,
            again=True, found=outcome.found,
        )  # fmt: skip
        self.turns.advance(state, receipt, [answered])
        if outcome.outcome == "rejected":
            self.letters.rejected(receipt, outcome, state.id)
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
                if self.stumbled.get(kind, partial(self._lost, kind))(entity, due, bug_of(bug)):
                    self._rung(timers)
                self.world.commit(now)
            for one in timers if len(timers) > 1 else ():
                self.expire([one], now)

    def _lost(self, kind: str, entity: int, due: int, bug: Reject) -> bool:
        self.letters.park(Receipt(0, due, "mainstay", TIMER + kind, str(entity), b""), bug)
        return True

    def _expire(self, timers: Sequence[tuple[int, str, int]], now: int) -> None:
        world = self.world
        self.batch, self.subjects = (), []
        self._settle(timers[0][0])
        world.load_orders(entity for _, kind, entity in timers if kind == "payment")
        for due, kind, entity in timers:
            self._ring(kind, entity, due)
        self._rung(timers)
        if self.subjects:  # of letters that a job has taken
            self._hand_over("inbox", [])
        world.commit(now)

    def _rung(self, timers: Sequence[tuple[int, str, int]]) -> None:
        """These are done with, and a rebuild knows how far time has come."""
        self.world.batch.timers_done += timers
        self.world.counters["clock"] = max(self.world.counters.get("clock", 0), timers[-1][0])

    def _ring(self, kind: str, entity: int, at: int) -> None:
        """The time has come to look at something."""
        receipt = Receipt(0, at, "mainstay", TIMER + kind, "", b"")
        if kind == "payment":
            state = self.world.orders[entity]
            unsure = state.cancel or "payment_currency" in state.holds  # a payment stands there: whether it is enough, a person says
            if state.status in ("placed", "held") and not payments.is_paid(state) and not unsure:
                self.turns.advance(state, receipt, [CancelAsked(by="mainstay", reason="not paid in time")])
        elif kind == "early":
            self.waiting.overdue(receipt, entity)
        else:
            self.handlers[receipt.topic](Receipt(entity, at, "mainstay", receipt.topic, "", b""), None)
        if self.turns.woken:
            self.turns.wake(receipt)

    def ring_again(self, kind: str, entity: int, at: int) -> Again:
        """Look once more at what a time-out concerned, after a bug."""
        self.world.load_orders([entity] if kind == "payment" else [])
        self._ring(kind, entity, at)
        return Again("looked at again")

    def _refuse(self, receipt: Receipt, why: Reject) -> None:
        self.subjects.append((receipt.seq, UNCLAIMED))
        self.count(receipt, self.letters.refuse(receipt, why, asked=receipt.topic in self.readers))

    def answer(self, receipt: Receipt, status: int, body: Any) -> None:
        """What a person who asked is told; it is committed with what was decided."""
        self.world.answers.append((receipt.seq, status, body))
        self.count(receipt, "applied" if status < 400 else "refused")

    def count(self, receipt: Receipt, outcome: str) -> None:
        """Conservation: every receipt ends as exactly one outcome."""
        self.world.batch.tally[(receipt.system, receipt.topic, outcome)] += 1
