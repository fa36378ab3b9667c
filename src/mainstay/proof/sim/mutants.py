"""Planted bugs: each changes one thing in the running product, and the simulator must notice. A harness that cannot fail proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from mainstay.connectors.amazon import custody as amazon
from mainstay.connectors.amazon import listings
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
from mainstay.flows import apply, buyers, claims, journey, queue, rehearse, reread, reread_items, turns
from mainstay.flows.apply import Apply
from mainstay.flows.ask import Desk
from mainstay.flows.intake import Intake
from mainstay.flows.turns import Turns
from mainstay.flows.waiting import Waiting
from mainstay.landscape import Admission, Admitted
from mainstay.model.commands import PostSale, ReleaseOrder
from mainstay.model.events import Moved
from mainstay.model.failures import Reject
from mainstay.model.objects import Reference
from mainstay.model.seen import OrderSeen
from mainstay.money import post
from mainstay.orders import decide, parcels, payments, view
from mainstay.orders import fold as orders_fold
from mainstay.proof.sim import harm
from mainstay.proof.sim.acts import Swarm
from mainstay.proof.sim.machine import Fittings
from mainstay.proof.sim.run import one
from mainstay.stock import decide as stock
from mainstay.stock import fold as stock_fold
from mainstay.storage.inbox import Inbox
from mainstay.storage.state import State


class Mutant(Struct, frozen=True):
    """A planted bug: what is broken, where it is planted, by which rule it is noticed (one of them, where several are named with "or"), and
    on which seeds."""

    what: str
    where: Any
    name: str
    spoil: Callable[[Any], Any]
    by: str
    seeds: range = range(160)
    scenario: str = ""
    power: bool = False  # only where the power is cut is it noticed

    def is_named(self, why: str) -> bool:
        """Was it noticed by what it does, and not because its planting broke something else?"""
        return any(rule in why for rule in self.by.split(" or "))


UNREAD = range(1, 160, 2)  # seeds in which nobody rehearses at the end what came in, who would notice it, too

MUTANTS: dict[str, Mutant] = {
    "lose-acknowledged": Mutant("a receipt is acknowledged and not kept", Inbox, "add", harm.tenth_lost, "what is acknowledged"),
    "lose-polled": Mutant(
        "a page's cursor is kept and its rows are not",
        Outcomes,
        "documents",
        harm.cursor_first,
        "differ or lost or titles_wrong or what is shown is wrong: status: fees",
    ),
    "promise-one-more": Mutant("one unit more is promised than there is", stock, "free", harm.oversold, "nothing in us breaks"),
    "each-line-by-itself": Mutant(
        "two lines of one item are promised the same units", stock, "allocate", harm.line_by_line, "nothing in us breaks", scenario="goods"
    ),
    "release-twice": Mutant("a reservation's units come back twice", Apply, "to_reservation", harm.twice, "sum of the reservations"),
    "never-expire": Mutant("a reservation that nobody confirms stands for ever", Desk, "_expire", harm.never, "come to rest"),
    "ship-unpaid": Mutant("an order goes to the warehouse before it is paid", decide, "is_paid", harm.unpaid, "come to rest"),
    "forget-early": Mutant(
        "what came before its order is forgotten",
        Waiting,
        "come",
        lambda _right: lambda *_args: iter(()),
        "another order of arrival or differ or cancelled_though_paid",
        range(170, 300),
    ),
    "never-wake": Mutant(
        "orders in backlog are not looked at when units come free", Turns, "wake", harm.never, "nobody waits", scenario="the last one"
    ),
    "unknown-is-done": Mutant(
        "an answer that never came is taken for success", Lanes, "_settle", harm.taken_for_done, "differ", scenario="outages"
    ),
    "done-before": Mutant(
        "an effect is kept as done before it is asked for",
        Lanes,
        "_talk",
        harm.done_before,
        "come to rest",
        range(40),
        "crashes",
    ),
    "believe-at-once": Mutant(
        "what is looked up in vain is done again, although the call may still be carried out",
        Lanes,
        "_later",
        harm.taken_for_over,
        "differ",
        range(320),
        "outages",
    ),
    "forget-the-crash": Mutant(
        "after a crash an effect is made that may have been made, and nobody looks",
        Lanes,
        "add",
        harm.never_sent,
        "repeated_at_receiver",
        scenario="crashes",
    ),
    "post-once": Mutant(
        "the ledger is not corrected when an order changes",
        Apply,
        "close",
        harm.books_once,
        "money.",
        scenario="second thoughts",
    ),
    "never-poll": Mutant("feeds are not read", Poll, "once", lambda _right: harm.asleep, "the shelf is known"),
    "leave-the-silence": Mutant(
        "what was silent is not read",
        Hooks,
        "_read",
        lambda _right: harm.not_read,
        "orders.lost or cancelled_though_paid",
        scenario="silence",
    ),
    "read-too-soon": Mutant(
        "what was silent is read before its feed shows all of it",
        Hooks,
        "_shows",
        lambda _right: lambda *_of: True,
        "orders.lost",
        scenario="silence",
    ),
    "believe-it-is-there": Mutant(
        "Amazon's subscription is believed to be whole", amazon, "look", harm.always_whole, "orders.lost", scenario="silence"
    ),
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
        harm.all_on_the_shelf,
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
    "one-address": Mutant("orders of one buyer share an address", Dispatch, "_fill", harm.newest_address, "misaddressed", scenario="moves"),
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
        harm.without_payments,
        "what is shown is wrong: order",
    ),
    "hide-a-refund": Mutant(
        "an order is shown without the last of its refunds",
        journey,
        "order_shown",
        harm.shown_with(refunds=harm.not_the_last),
        "refunds of",
        range(0, 20, 4),
    ),
    "call-it-done": Mutant(
        "an effect that was refused is shown as done",
        journey,
        "order_shown",
        harm.shown_with(effects=harm.as_if_done),
        "is shown as done, and is not",
        range(24, 44, 4),
    ),
    "hide-an-effect": Mutant(
        "an order is shown without the last thing that was done for it",
        journey,
        "order_shown",
        harm.shown_with(effects=harm.not_the_last),
        "is not shown",
        range(0, 20, 4),
    ),
    "hide-a-hold": Mutant(
        "an order is shown without the last of what holds it",
        journey,
        "order_shown",
        harm.shown_with(holds=harm.not_the_last),
        "is not shown, and is so",
        range(20, 40, 4),
    ),
    "wait-for-nothing": Mutant(
        "nothing is said of what an order waits for",
        journey,
        "blocker",
        lambda _right: lambda _state: None,
        "the blocker is ''",
        range(20, 40, 4),
    ),
    "call-it-settled": Mutant(
        "what has not left is shown as settled",
        journey,
        "order_shown",
        harm.shown_with(status=lambda status: "settled" if status in ("placed", "held", "released", "backordered") else status),
        "settled, and",
        range(32, 52, 4),
    ),
    "keep-a-number-back": Mutant(
        "a journey does not tell of the last number that it has learnt",
        journey,
        "_names",
        lambda right: lambda *of: right(*of)[:-1],
        "does not tell of",
        range(24, 44, 4),
    ),
    "add-a-number": Mutant(
        "a journey tells of another order's refund",
        journey,
        "_names",
        lambda right: lambda *of: [*right(*of), Reference("refund", "re_1", "payments")],
        "which are not its own",
        range(0, 20, 4),
    ),
    "newest-first": Mutant(
        "the steps of a journey are told backwards",
        journey,
        "_journey",
        harm.shown_with(steps=lambda steps: steps[::-1]),
        "before it is asked",
        range(0, 20, 4),
    ),
    "leave-steps-out": Mutant(
        "a journey does not tell of what was given back",
        journey,
        "_journey",
        harm.shown_with(steps=lambda steps: [step for step in steps if "RefundSeen" not in step["what"]]),
        "no step tells of",
        range(0, 20, 4),
    ),
    "move-unseen": Mutant(
        "a journey does not tell of the last move",
        journey,
        "_journey",
        harm.shown_with(steps=harm.without_last_move),
        "its steps lead to",
        range(0, 20, 4),
    ),
    "too-early": Mutant(
        "a journey tells of things before they were",
        journey,
        "_journey",
        harm.shown_with(steps=harm.at_first),
        "is told of at",
        range(0, 20, 4),
    ),
    "another-now": Mutant(
        "a journey tells of an order otherwise than its own view",
        journey,
        "_journey",
        harm.shown_with(now=lambda now: now and {**now, "due": "0.01"}),
        "the order by itself is",
        range(0, 20, 4),
    ),
    "swap-accounts": Mutant(
        "the balance of the provider is shown as its fees",
        journey,
        "status",
        harm.shown_with(accounts=harm.swapped),
        "by the books at",
        range(0, 20, 4),
    ),
    "count-no-reservation": Mutant(
        "reservations that became orders are not counted",
        journey,
        "status",
        harm.shown_with(reservations=lambda some: {name: count for name, count in some.items() if name != "consumed"}),
        "became orders",
        range(16, 36, 4),
    ),
    "price-of-before": Mutant(
        "an item is shown with a price that it does not have",
        journey,
        "stock",
        harm.shown_with(prices=lambda prices: dict.fromkeys(prices, "0.01 BRL")),
        "minor units",
        range(0, 20, 4),
    ),
    "call-it-another": Mutant(
        "an item is shown by another's number",
        journey,
        "stock",
        harm.shown_with(known_as=lambda names: dict.fromkeys(names, "0")),
        "calls it",
        range(0, 20, 4),
    ),
    "title-of-another": Mutant(
        "an item is shown by another's title",
        journey,
        "stock",
        harm.shown_with(title=lambda title: f"not {title}"),
        "it is called",
        range(0, 20, 4),
    ),
    "proposal-of-another": Mutant(
        "what a system proposed is shown to be of something that it does not have",
        journey,
        "proposals",
        lambda right: lambda *of: [{**one, "external": "0"} for one in right(*of)],
        "which it does not have",
        range(0, 20, 4),
    ),
    "name-another-effect": Mutant(
        "a dead letter names another effect than that which failed",
        queue,
        "shown",
        harm.shown_with(key=lambda key: key and f"{key}.again.0"),
        "dead letters of",
        range(24, 44, 4),
    ),
    "repair-nothing": Mutant(
        "a repaired message closes its letter and is not taken",
        Intake,
        "again",
        harm.only_closed,
        "orders.lost",
        scenario="silence",
        seeds=range(300),
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
        "what is heard bears the time of its batch, not of its receipt",
        Intake,
        "take",
        harm.all_at_once,
        "other batches",
        range(0, 1_000, 50),
    ),
    "sync-seldom": Mutant(
        "the inbox is not synced at a commit", Inbox, "__init__", harm.synced("normal"), "what is acknowledged", power=True
    ),
    "sync-never": Mutant("the inbox is never synced", Inbox, "__init__", harm.synced("off"), "a power cut", power=True),
    "acknowledge-first": Mutant(
        "a receipt is acknowledged a moment before it is kept", Recorder, "flush", harm.told_first, "what is acknowledged", power=True
    ),
    "position-first": Mutant(
        "a position is kept before what was read up to it", Intake, "_take", harm.position_first, "ended once", power=True
    ),
    "commit-in-two": Mutant("intents are kept in a commit of their own", State, "write", harm.in_two, "nothing in us breaks", power=True),
    "forget-the-last-process": Mutant(
        "after a restart nobody thinks of older numbers that may be on their way",
        Levels,
        "changed",
        lambda right: lambda self, items, seq, at, **_restarted: right(self, items, seq, at),
        "levels_wrong",
        range(280, 300),  # of 310 histories 1 shows it
        power=True,
    ),
    "replay-blindly": Mutant(
        "a message that is read again is taken again, whether it says something else or not",
        reread,
        "_heard",
        lambda _right: lambda *_args: False,
        "a job does all of it",
        UNREAD,
        "held back",
    ),
    "recount-blindly": Mutant(
        "a count that is read again is added to what is there",
        reread_items,
        "_heard",
        harm.as_if_nothing_was_counted,
        "stock.on_hand_differs",
        UNREAD,
        "held back",
    ),
    "lost-or-not": Mutant(
        "what a system may have lost is sent again, although it is there",
        Lanes,
        "_look_up",
        harm.taken_for_lost,
        "effects.repeated_at_receiver",
        range(190, 440),
        scenario="held back",
    ),
    "held-for-ever": Mutant(
        "what was held back is not looked at again when it goes on", Lanes, "look_again", harm.never, "come to rest", scenario="held back"
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
        "parts_differ or cancelled_though_paid",
        scenario="money",
    ),
    "capture-the-gift": Mutant(
        "the provider is asked for the whole total, also for what a gift card paid",
        payments,
        "due",
        lambda right: lambda state: right(state) + (state.order.gift_cards if state.order and not state.cancel else 0),
        "cancelled_though_paid",
        scenario="money",
    ),
    "keep-the-gift": Mutant(
        "what goes back on a gift card is not booked as owed",
        shopify,
        "_by_gift_card",
        lambda right: lambda some, kinds, currency: 0 if "refund" in kinds else right(some, kinds, currency),
        "refunds_differ",
        scenario="money",
    ),
    "send-without-money": Mutant(
        "an order goes on when its authorisation has expired",
        decide,
        "lost_payment",
        lambda _right: lambda *_args: iter(()),
        "come to rest or cancelled_though_paid or the hold payment_lost is not shown",
        scenario="money",
    ),
    "let-others-keep-it": Mutant(
        "what somebody else took of a cancelled order is nobody's business",
        decide,
        "kept",
        lambda _right: lambda _state: "",
        "kept_unnamed",
        scenario="money",
    ),
    "forget-the-bank": Mutant(
        "what a card holder's bank has taken back of a cancelled order counts as kept",
        payments,
        "contested",
        lambda _right: lambda _state, _payment: 0,
        "the hold money_kept is shown, and is not so",
        range(40, 48, 4),
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
        "cancelled_though_paid",
        scenario="money",
    ),
    "pack-all-the-same": Mutant(
        "what is taken off after its release is not asked back from the warehouse",
        decide,
        "recall",
        lambda _right: lambda _state: iter(()),
        "on_hand_differs or the hold shipped_after_cancel is not shown",
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
        "a parcel that left for the address of before is not named",
        orders_fold,
        "_moved_house",
        harm.unnamed,
        "misaddressed",
        scenario="moves",
    ),
    "charge-the-whole": Mutant(
        "what was taken off is charged with the rest", payments, "due", harm.whole, "unexplained_minor_units", scenario="edits"
    ),
    "forget-old-orders": Mutant(
        "what leaves more than a fortnight after its order was placed is no news",
        decide,
        "newer",
        harm.within_a_fortnight,
        "come to rest",
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
        "a channel that is new is told of what changes, and not what there is",
        Changes,
        "begin",
        harm.never,
        "prices_wrong or levels_wrong",
        scenario="late",
    ),
    "add-what-moved-before": Mutant(
        "what moved in the ERP before it was connected is added to what the till has counted",
        claims,
        "is_in_the_opening_balance",
        lambda _right: lambda *_args: False,
        "on_hand_differs",
        scenario="late books",
    ),
    "leave-it-to-the-old-books": Mutant(
        "what comes back of an order that left before there was an ERP is not booked",
        parcels,
        "_booked_from",
        lambda right: lambda state, _connected: right(state, None),
        "missing_returns",
        scenario="late books",
    ),
    "believe-the-till": Mutant(
        "what another says of an item counts, though its first owner has spoken",
        Admission,
        "winner",
        lambda _right: lambda _self, _obj, _group, _known, said: said,
        "on_hand_differs",
        scenario="counts",
    ),
    "believe-everybody": Mutant(
        "what a system says counts, whether it is the owner or not",
        Admission,
        "admit",
        lambda _right: lambda *_args: Admitted(frozenset()),
        "titles_wrong",
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
        "the ERP is not told which store a sale left from",
        apply,
        "located",
        lambda right: lambda state, asked, made, name_of: made if type(made) is PostSale else right(state, asked, made, name_of),
        "on_hand_differs or booked_elsewhere",
        scenario="stores",
    ),
    "book-it-all-there": Mutant(
        "of a sale that left from two stores the ERP is told of one",
        view,
        "_elsewhere",
        lambda _right: lambda *_args: [],
        "booked_elsewhere or on_hand_differs",
        scenario="split orders",
    ),
    "send-from-anywhere": Mutant(
        "the warehouse is not told which store a release is to leave from",
        apply,
        "located",
        lambda right: lambda state, asked, made, name_of: made if type(made) is ReleaseOrder else right(state, asked, made, name_of),
        "left_elsewhere or booked_elsewhere",
        scenario="split orders",
    ),
    "wait-for-a-warehouse": Mutant(
        "an order of which nothing is to leave waits for a warehouse that the shop does not have",
        decide,
        "release",
        lambda right: lambda state, policy: right(state, policy) if state.system in policy.warehouses else iter(()),
        "come to rest",
        scenario="small shops",
    ),
    "wait-for-the-books": Mutant(
        "what has left waits for an ERP that the shop does not have",
        decide,
        "_after_shipping",
        lambda right: (
            lambda state, policy: (
                one for one in right(state, policy) if state.invoice or not isinstance(one, Moved) or one.move != "invoice"
            )
        ),
        "come to rest",
        scenario="small shops",
    ),
    "serve-from-anywhere": Mutant(
        "orders are served from stores that their channel is not sold from",
        turns,
        "serving",
        lambda _right: lambda levels, _locations: list(levels),
        "leaves from its stores",
        scenario="stores",
    ),
    "read-nothing-again": Mutant(
        "what was heard of an order with a wrong mapping stays as it was heard",
        reread,
        "_of_order",
        lambda _right: lambda *_args: "same",
        "cancelled_though_paid or differ or unexplained",
        scenario="mappings",
    ),
    "rehearse-what-came": Mutant(
        "a dry run of a replay reads what people have repaired as it came",
        rehearse,
        "as_repaired",
        lambda _right: lambda raw, _repaired: raw,
        "a dry run of a replay",
        scenario="mappings",
    ),
    "call-them-as-before": Mutant(
        "a customer's own record that was kept with a wrong mapping stays as it was kept",
        reread,
        "_of_customer",
        lambda _right: lambda *_args: "same",
        "owners_differ",
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
        harm.added_whole,
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
        harm.one_refund,
        "refunds_differ",
        scenario="refunds",
    ),
    "drop-what-is-early": Mutant(
        "a refund of an order that nobody has heard of yet is dropped",
        Waiting,
        "keep",
        harm.early_refunds_dropped,
        "refunds_differ",
        scenario="refunds",
    ),
    "keep-accounts-apart": Mutant(
        "that a shop has merged two customers is noted, and nothing follows from it",
        buyers,
        "_are_one",
        harm.never,
        "an erasure takes",
        scenario="accounts",
    ),
    "leave-it-with-the-first": Mutant(
        "what an order brought stays with its first buyer when it is another's",
        buyers,
        "_hand_over",
        harm.never,
        "owners_differ",
        scenario="accounts",
    ),
    "whoever-buys-it-now": Mutant(
        "an order's own subject stands for whoever it passes to, though it stands for its first buyer's other orders, too",
        buyers,
        "_named",
        lambda _right: lambda *_args: "",
        "an erasure takes",
        scenario="accounts",
    ),
    "an-error-ends-the-feed": Mutant(
        "a feed whose answer was an error, or none, is taken for one that was never handed in",
        listings,
        "_call",
        harm.over_at_once,
        "levels_wrong or prices_wrong",
        range(90, 320),
        "in bulk",
    ),
    "tell-half": Mutant("every other level that a channel is told is lost", Levels, "_pick", harm.half, "levels"),
}


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
