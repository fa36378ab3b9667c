"""Planted bugs: each changes one thing in the running product, and the simulator must notice. A harness that cannot fail proves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mainstay.connectors.shopify import orders as shopify
from mainstay.connectors.tryton import feeds as tryton
from mainstay.delivery.changes import Changes
from mainstay.delivery.dispatch import Dispatch
from mainstay.delivery.hooks import Hooks
from mainstay.delivery.lanes import Lanes
from mainstay.delivery.levels import Levels
from mainstay.delivery.outcomes import Outcomes
from mainstay.delivery.polls import Poll
from mainstay.edge.record import Recorder
from mainstay.flows import apply, buyers, claims, journey, queue, reread, reread_items, turns
from mainstay.flows.apply import Apply
from mainstay.flows.ask import Desk
from mainstay.flows.intake import Again, Intake
from mainstay.flows.turns import Turns
from mainstay.flows.waiting import Waiting
from mainstay.model.failures import Reject
from mainstay.model.objects import Person
from mainstay.model.seen import FulfilmentSeen, OrderSeen, RefundSeen, StockCounted
from mainstay.model.times import DAY
from mainstay.money import post
from mainstay.orders import decide, payments
from mainstay.orders import fold as orders_fold
from mainstay.proof.sim.acts import Swarm
from mainstay.proof.sim.machine import Fittings
from mainstay.proof.sim.run import one
from mainstay.stock import decide as stock
from mainstay.stock import fold as stock_fold
from mainstay.storage.database import SQL
from mainstay.storage.inbox import Inbox
from mainstay.storage.packing import unpack
from mainstay.storage.state import Batch, State

MOMENT_S = 0.05


def _never(_right: Any) -> Any:
    return lambda *_args, **_more: None


def _oversold(right: Any) -> Any:
    return lambda level: right(level) + 1


def _tenth_lost(right: Any) -> Any:
    """Every tenth group at the door is acknowledged and not kept."""
    groups = [0]

    def add(self: Inbox, new: Any, *more: Any) -> int:
        if self.path.name != "inbox.db":
            return int(right(self, new, *more))
        groups[0] += 1
        return self.last + len(new) if groups[0] % 10 == 0 else int(right(self, new, *more))

    return add


def _twice(right: Any) -> Any:
    """Units come back twice when a reservation ends."""

    def end(self: Apply, number: int, event: Any, at: int) -> None:
        right(self, number, event, at)
        if type(event).__name__ == "ReservationEnded":
            for share in event.shares:
                self.world.level(share.item, share.location).reserved -= min(
                    share.quantity, self.world.level(share.item, share.location).reserved
                )

    return end


def _half(right: Any) -> Any:
    """Every other level is taken for told, and is not."""
    told = [0]

    def pick(self: Levels, now: int) -> list[int]:
        batch: list[int] = right(self, now)
        told[0] += 1
        if batch and told[0] % 2:
            for item in batch:
                del self.busy[item]
            return []
        return batch

    return pick


def _unpaid(right: Any) -> Any:
    return lambda _state: True


def _cursor_first(right: Any) -> Any:
    """The cursor of a page is kept, its rows are not."""
    pages = [0]

    def documents(self: Outcomes, system: str, found: Any, cursor: Any = None) -> None:
        pages[0] += 1
        right(self, system, () if pages[0] % 7 == 0 else found, cursor)

    return documents


def _one_refund(right: Any) -> Any:
    return lambda state, said: not (isinstance(said, RefundSeen) and state.refunds) and right(state, said)


def _early_refunds_dropped(right: Any) -> Any:
    return lambda self, one: None if isinstance(one.said, RefundSeen) else right(self, one)


def _added_whole(right: Any) -> Any:
    def corrected(said: Any, was: Any, level: Any) -> None:
        right(said, replace(was, quantity=0) if isinstance(was, StockCounted) else was, level)

    return corrected


def _taken_for_done(right: Any) -> Any:
    """An answer that never came is taken for success."""
    from mainstay.contract.connector import Done
    from mainstay.model.failures import Unknown

    def settle(self: Lanes, task: Any, outcome: Any) -> None:
        right(self, task, Done() if isinstance(outcome, Unknown) else outcome)

    return settle


def _taken_for_over(right: Any) -> Any:
    """A call that was given up is taken for one that is not carried out any more."""

    def later(self: Lanes, task: Any, failure: Any) -> None:
        failure.lingers_s = 0.0
        right(self, task, failure)

    return later


def _unnamed(right: Any) -> Any:
    def move(state: Any) -> None:
        right(state)
        state.strayed = []

    return move


def _whole(_right: Any) -> Any:
    return lambda state: state.order.total - state.order.gift_cards if state.order is not None and not state.cancel else 0


def _never_sent(right: Any) -> Any:
    """What an earlier process may have sent is taken for never sent."""

    def add(self: Lanes, *intent: Any, restarted: bool) -> None:
        right(self, *intent, restarted=False)

    return add


def _as_if_nothing_was_counted(right: Any) -> Any:
    """What was heard of a count then is taken for a count of nothing."""

    def heard(intake: Intake, item: int, one: Any) -> Any:
        then = right(intake, item, one)
        return then._replace(ours=[replace(one.said, quantity=0)], later=[]) if isinstance(one.said, StockCounted) else then

    return heard


def _taken_for_lost(right: Any) -> Any:
    """What a system was asked for before is sent again, and nobody looks whether it is there."""

    async def look_up(self: Lanes, task: Any) -> None:
        if task.command.again:
            self._not_there(task)
        else:
            await right(self, task)

    return look_up


def _books_once(right: Any) -> Any:
    """What changes after the first posting is not posted."""

    def close(self: Apply, state: Any, events: Any, seq: int) -> None:
        if not state.booked:
            right(self, state, events, seq)

    return close


def _all_on_the_shelf(right: Any) -> Any:
    """Units that are not fit for sale are taken for such that are."""
    return {**right, "no_restock": "restock"}


def _within_a_fortnight(right: Any) -> Any:
    """An order that is old is over."""

    def newer(state: Any, said: Any) -> bool:
        over = isinstance(said, FulfilmentSeen) and state.order is not None and said.at > state.order.placed_at + 14 * DAY
        return not over and bool(right(state, said))

    return newer


def _newest_address(_right: Any) -> Any:
    """A buyer has one address: the one that came last."""

    def fill(self: Dispatch, command: Any, _entity: int) -> Any:
        if not getattr(command, "subject", None):
            return command
        body = self.state.load("load_people", [command.subject])[-1][-1]
        return replace(command, recipient=msgspec.json.decode(unpack(body), type=Person))

    return fill


def _without_payments(right: Any) -> Any:
    """The answer to a person lacks what the store has."""

    def order(*asked: Any) -> Any:
        found = right(*asked)
        return found and {**found, "payments": {}}

    return order


def _all_at_once(right: Any) -> Any:
    """A batch has one time."""

    def take(self: Intake, source: str, receipts: Any, now: int) -> None:
        right(self, source, [replace(one, at=receipts[-1].at) for one in receipts], now)

    return take


def _synced(how: str) -> Callable[[Any], Any]:
    """The inbox of the door is opened with less care."""

    def spoil(right: Any) -> Any:
        def begin(self: Inbox, path: Any) -> None:
            right(self, path)
            if path.name == "inbox.db":
                self.connection.pragma("synchronous", how)

        return begin

    return spoil


def _told_first(right: Any) -> Any:
    """Senders are told at once, and what they sent is kept in a moment."""

    def flush(self: Recorder) -> None:
        for number, future in enumerate(self._told, self.inbox.last + 1):
            if not future.done():
                future.set_result(number)
        asyncio.get_running_loop().call_later(MOMENT_S, right, self)

    return flush


def _position_first(right: Any) -> Any:
    """The position in the inbox is kept, and then, in a commit of its own, what the receipts said."""

    def take(self: Intake, source: str, receipts: Any, now: int) -> None:
        self.world.store.run("set_counter", (f"position/{source}", receipts[-1].seq))
        right(self, source, receipts, now)

    return take


def _in_two(right: Any) -> Any:
    """A batch's intents are kept, and then, in a commit of its own, the rest."""

    def write(self: State, batch: Batch) -> None:
        intents, batch.intents = batch.intents, []
        with self.connection:
            self.connection.executemany(SQL["add_intent"], intents)
        right(self, batch)

    return write


def _only_closed(right: Any) -> Any:
    return lambda self, receipt, *, park=True: right(self, receipt) if park else Again("taken")


class Mutant(Struct, frozen=True):
    """A planted bug: what is broken, where it is planted, by which rule it is noticed, and on which seeds."""

    what: str
    where: Any
    name: str
    spoil: Callable[[Any], Any]
    by: str
    seeds: range = range(160)
    scenario: str = ""
    power: bool = False  # only where the power is cut is it noticed


MUTANTS: dict[str, Mutant] = {
    "lose-acknowledged": Mutant("a receipt is acknowledged and not kept", Inbox, "add", _tenth_lost, ""),
    "lose-polled": Mutant("a page's cursor is kept and its rows are not", Outcomes, "documents", _cursor_first, ""),
    "promise-one-more": Mutant("one unit more is promised than there is", stock, "free", _oversold, "nothing in us breaks"),
    "release-twice": Mutant("a reservation's units come back twice", Apply, "to_reservation", _twice, "sum of the reservations"),
    "never-expire": Mutant("a reservation that nobody confirms stands for ever", Desk, "_expire", _never, "come to rest"),
    "ship-unpaid": Mutant("an order goes to the warehouse before it is paid", decide, "is_paid", _unpaid, ""),
    "forget-early": Mutant("what came before its order is forgotten", Waiting, "come", lambda _right: lambda *_args: iter(()), ""),
    "never-wake": Mutant(
        "orders in backlog are not looked at when units come free", Turns, "wake", _never, "nobody waits", scenario="the last one"
    ),
    "unknown-is-done": Mutant("an answer that never came is taken for success", Lanes, "_settle", _taken_for_done, ""),
    "believe-at-once": Mutant(
        "what is looked up in vain is done again, although the call may still be carried out",
        Lanes,
        "_later",
        _taken_for_over,
        "",
    ),
    "forget-the-crash": Mutant(
        "after a crash an effect is made that may have been made, and nobody looks",
        Lanes,
        "add",
        _never_sent,
        "",
        scenario="crashes",
    ),
    "post-once": Mutant(
        "the ledger is not corrected when an order changes",
        Apply,
        "close",
        _books_once,
        "money.",
        scenario="second thoughts",
    ),
    "never-poll": Mutant("feeds are not read", Poll, "once", lambda _right: _asleep, ""),
    "leave-the-silence": Mutant("what was silent is not read", Hooks, "_read", lambda _right: _not_read, "", scenario="silence"),
    "keep-the-money": Mutant(
        "a late authorisation of a cancelled order is not let go",
        decide,
        "give_back",
        lambda _right: lambda *_args: iter(()),
        "authorisations_left",
        scenario="second thoughts",
    ),
    "forget-returns": Mutant(
        "goods that came back are not booked",
        decide,
        "returns",
        lambda _right: lambda *_args: iter(()),
        "missing_returns",
        scenario="returns",
    ),
    "shelve-all": Mutant(
        "units that came back broken are booked as fit for sale",
        shopify,
        "RESTOCK",
        _all_on_the_shelf,
        "return_mismatches",
        scenario="returns",
    ),
    "refund-twice": Mutant(
        "a refund that shop and provider tell of is posted twice",
        post,
        "_providers",
        lambda _right: lambda _state: set(),
        "refunds_differ",
        scenario="returns",
    ),
    "one-address": Mutant("orders of one buyer share an address", Dispatch, "_fill", _newest_address, "misaddressed", scenario="moves"),
    "find-no-parcel": Mutant(
        "an order is not found by its tracking number",
        journey,
        "find",
        lambda right: lambda state, text: [] if text.startswith("BR") else right(state, text),
        "what is shown is wrong: trace",
    ),
    "explain-wrongly": Mutant(
        "the explanation of a level leaves a step out",
        journey,
        "explained",
        lambda right: lambda levels, policy, kept: right(levels, replace(policy, buffer=0), kept),
        "what is shown is wrong: stock",
    ),
    "hide-a-capture": Mutant(
        "an order is shown without what was captured",
        journey,
        "order",
        _without_payments,
        "what is shown is wrong: order",
    ),
    "repair-nothing": Mutant(
        "a repaired message closes its letter and is not taken", Intake, "again", _only_closed, "", scenario="silence", seeds=range(300)
    ),
    "forget-a-cause": Mutant(
        "the cause of the fewest letters is not listed",
        queue,
        "causes",
        lambda right: lambda letters: right(letters)[:-1],
        "what is shown is wrong: causes",
    ),
    "say-it-goes-on": Mutant(
        "what somebody holds back is not listed",
        journey,
        "pauses",
        lambda _right: lambda _state: [],
        "what is shown is wrong: pauses",
        scenario="held back",
    ),
    "time-of-the-batch": Mutant(
        "what is heard bears the time of its batch, not of its receipt", Intake, "take", _all_at_once, "other batches", range(0, 1_000, 50)
    ),
    "sync-seldom": Mutant("the inbox is not synced at a commit", Inbox, "__init__", _synced("normal"), "what is acknowledged", power=True),
    "sync-never": Mutant("the inbox is never synced", Inbox, "__init__", _synced("off"), "a power cut", power=True),
    "acknowledge-first": Mutant(
        "a receipt is acknowledged a moment before it is kept", Recorder, "flush", _told_first, "what is acknowledged", power=True
    ),
    "position-first": Mutant(
        "a position is kept before what was read up to it", Intake, "_take", _position_first, "ended once", power=True
    ),
    "commit-in-two": Mutant("intents are kept in a commit of their own", State, "write", _in_two, "nothing in us breaks", power=True),
    "forget-the-last-process": Mutant(
        "after a restart nobody thinks of older numbers that may be on their way",
        Levels,
        "changed",
        lambda right: lambda self, items, seq, at, **_restarted: right(self, items, seq, at),
        "levels_wrong",
        power=True,
    ),
    "replay-blindly": Mutant(
        "a message that is read again is taken again, whether it says something else or not",
        reread,
        "_heard",
        lambda _right: lambda *_args: False,
        "a job is",
    ),
    "recount-blindly": Mutant(
        "a count that is read again is added to what is there",
        reread_items,
        "_heard",
        _as_if_nothing_was_counted,
        "stock.on_hand_differs",
        scenario="held back",
    ),
    "lost-or-not": Mutant(
        "what a system may have lost is sent again, although it is there",
        Lanes,
        "_look_up",
        _taken_for_lost,
        "effects.repeated_at_receiver",
        range(100, 160),
        scenario="held back",
    ),
    "held-for-ever": Mutant(
        "what was held back is not looked at again when it goes on", Lanes, "look_again", _never, "come to rest", scenario="held back"
    ),
    "forget-what-is-undone": Mutant(
        "a channel is not told its number when an order comes that is cancelled already",
        Apply,
        "_taken_back",
        lambda right: lambda self, state, said: () if isinstance(said, OrderSeen) else right(self, state, said),
        "levels_wrong",
        scenario="second thoughts",
    ),
    "tax-as-goods": Mutant(
        "tax on top of the prices is booked as revenue",
        post,
        "accounts",
        lambda right: lambda what, *of: right("goods" if what == "tax" else what, *of),
        "parts_differ",
    ),
    "keep-the-shipping": Mutant(
        "shipping that is given back is booked as something else",
        shopify,
        "_shipping_back",
        lambda _right: lambda *_args: 0,
        "parts_differ",
        scenario="returns",
    ),
    "forget-gift-cards": Mutant(
        "what a gift card paid of an order is not read",
        shopify,
        "_by_gift_card",
        lambda right: lambda some, kinds, currency: 0 if "sale" in kinds else right(some, kinds, currency),
        "",
        scenario="money",
    ),
    "capture-the-gift": Mutant(
        "the provider is asked for the whole total, also for what a gift card paid",
        payments,
        "due",
        lambda right: lambda state: right(state) + (state.order.gift_cards if state.order and not state.cancel else 0),
        "",
        scenario="money",
    ),
    "keep-the-gift": Mutant(
        "what goes back on a gift card is not booked as owed",
        shopify,
        "_by_gift_card",
        lambda right: lambda some, kinds, currency: 0 if "refund" in kinds else right(some, kinds, currency),
        "",
        scenario="money",
    ),
    "send-without-money": Mutant(
        "an order goes on when its authorisation has expired",
        decide,
        "lost_payment",
        lambda _right: lambda *_args: iter(()),
        "",
        scenario="money",
    ),
    "let-others-keep-it": Mutant(
        "what somebody else took of a cancelled order is nobody's business",
        decide,
        "kept",
        lambda _right: lambda _state: "",
        "unexplained_minor_units",
        scenario="money",
    ),
    "one-currency": Mutant(
        "what was paid in another currency is posted in the order's",
        post,
        "_currency",
        lambda _right: lambda *_args: "",
        "parts_differ",
        scenario="money",
    ),
    "add-up-currencies": Mutant(
        "minor units of two currencies are added up",
        payments,
        "_in_its_currency",
        lambda _right: lambda state: state.payments,
        "",
        scenario="money",
    ),
    "pack-all-the-same": Mutant(
        "what is taken off after its release is not asked back from the warehouse",
        decide,
        "recall",
        lambda _right: lambda _state: iter(()),
        "on_hand_differs",
        scenario="edits",
    ),
    "keep-the-old-address": Mutant(
        "the warehouse is not told that a buyer has moved",
        decide,
        "redirect",
        lambda _right: lambda *_args: iter(()),
        "misaddressed",
        scenario="moves",
    ),
    "forget-what-strayed": Mutant(
        "a parcel that left for the address of before is not named", orders_fold, "_moved_house", _unnamed, "misaddressed", scenario="moves"
    ),
    "charge-the-whole": Mutant(
        "what was taken off is charged with the rest", payments, "due", _whole, "unexplained_minor_units", scenario="edits"
    ),
    "forget-old-orders": Mutant(
        "what leaves more than a fortnight after its order was placed is no news",
        decide,
        "newer",
        _within_a_fortnight,
        "",
        scenario="weeks",
    ),
    "send-history-again": Mutant(
        "what was over before its system was connected is taken like any other order",
        claims,
        "ended",
        lambda _right: lambda *_args: None,
        "orders.phantom",
        scenario="late",
    ),
    "leave-what-was-open": Mutant(
        "an order that was placed before its system was connected is left alone, though nobody has sent it",
        claims,
        "ended",
        lambda _right: lambda order, _told: order.placed_at,
        "orders.lost",
        scenario="late",
    ),
    "tell-changes-only": Mutant(
        "a channel that is new is told of what changes, and not what there is", Changes, "begin", _never, "", scenario="late"
    ),
    "know-one-warehouse": Mutant(
        "whatever comes to a warehouse, or leaves one, is taken for the first one's",
        tryton,
        "_warehouse",
        lambda right: lambda *of: right(*of) and "WH",
        "on_hand_differs",
        scenario="stores",
    ),
    "overlook-transfers": Mutant(
        "what moves between stores is no news, since the shop has as much as before",
        stock_fold,
        "moved",
        lambda right: lambda said, level: None if said.reason == "transfer" else right(said, level),
        "on_hand_differs",
        scenario="stores",
    ),
    "book-at-home": Mutant(
        "the ERP is not told which store a sale left from", apply, "left_from", lambda _right: lambda _state: 0, "", scenario="stores"
    ),
    "serve-from-anywhere": Mutant(
        "orders are served from stores that their channel is not sold from",
        turns,
        "serving",
        lambda _right: lambda levels, _locations: list(levels),
        "",
        scenario="stores",
    ),
    "read-nothing-again": Mutant(
        "what was heard of an order with a wrong mapping stays as it was heard",
        reread,
        "_of_order",
        lambda _right: lambda *_args: "same",
        "",
        scenario="mappings",
    ),
    "count-nothing-again": Mutant(
        "what was counted with a wrong mapping stays as it was counted",
        reread,
        "reread_item",
        lambda _right: lambda *_args: iter(()),
        "on_hand_differs",
        scenario="mappings",
    ),
    "add-the-right-count": Mutant(
        "a count that was read wrongly is put right by its whole, and not by the difference",
        stock_fold,
        "corrected",
        _added_whole,
        "on_hand_differs",
        scenario="mappings",
    ),
    "give-back-without-end": Mutant(
        "that more was given back than was taken is booked, and nobody is told",
        decide,
        "excess",
        lambda _right: lambda *_args: "",
        "refunds_differ",
        scenario="refunds",
    ),
    "one-refund": Mutant(
        "a second refund of an order is taken for the first, told again",
        decide,
        "newer",
        _one_refund,
        "refunds_differ",
        scenario="refunds",
    ),
    "drop-what-is-early": Mutant(
        "a refund of an order that nobody has heard of yet is dropped",
        Waiting,
        "keep",
        _early_refunds_dropped,
        "",
        scenario="refunds",
    ),
    "keep-accounts-apart": Mutant(
        "that a shop has merged two customers is noted, and nothing follows from it",
        buyers,
        "_are_one",
        _never,
        "an erasure takes",
        scenario="accounts",
    ),
    "leave-it-with-the-first": Mutant(
        "what an order brought stays with its first buyer when it is another's",
        buyers,
        "_hand_over",
        _never,
        "owners_differ",
        scenario="accounts",
    ),
    "whoever-buys-it-now": Mutant(
        "an order's own subject stands for whoever it passes to, though it stands for its first buyer's other orders, too",
        buyers,
        "_named",
        lambda _right: lambda *_args: "",
        "",
        scenario="accounts",
    ),
    "tell-half": Mutant("every other level that a channel is told is lost", Levels, "_pick", _half, "levels"),
}


async def _not_read(_hooks: Hooks, _feed: str) -> bool:
    return True


async def _asleep(_poll: Poll) -> float:
    return 3600.0


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The product with a bug in it."""
    if name not in MUTANTS:
        raise Reject(f"no bug is called {name!r}; there are: {', '.join(MUTANTS)}", "not_found")
    bug = MUTANTS[name]
    right = getattr(bug.where, bug.name)
    setattr(bug.where, bug.name, bug.spoil(right))
    try:
        yield
    finally:
        setattr(bug.where, bug.name, right)


def caught(name: str, swarms: Iterator[Swarm], furnish: Callable[[str], Fittings]) -> tuple[int, str]:
    """How many seeds it took to notice a bug, and what was noticed; (0, "") where nothing was."""
    with planted(name):
        for number, drawn in enumerate(swarms, 1):
            if broken := one(drawn, furnish, power=MUTANTS[name].power).broken:
                return number, broken
    return 0, ""
