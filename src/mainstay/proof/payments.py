"""Money: what was taken, kept, given back and disputed, by the books of who holds it, against the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from mainstay.flows.rebuild import CONSERVED
from mainstay.model.state import OrderState
from mainstay.proof import bills
from mainstay.proof.play import Cast
from mainstay.proof.truth import Findings, Placed, cause_of, is_named, waits_for
from mainstay.storage.database import rows
from mainstay.storage.state import State


def differ(
    found: Findings, orders: Iterable[Placed], belief: Mapping[str, OrderState], left: Mapping[str, Counter[str]], cast: Cast, state: State
) -> None:
    """Captures by the provider's books; postings by the channels' totals. Every order's receivable must be what its channel says."""
    _captured_twice(found, cast)
    _charged(found, orders, belief, state)
    _kept_at_the_provider(found, orders, belief, left, cast)
    _uncovered(found, orders, belief, cast)
    _kept_at_the_shop(found, orders, belief, cast)
    _disputes(found, orders, belief, cast, state)
    for rule, name in CONSERVED.items():
        for row in state.rows(name):
            found.add("unbalanced_entries", 1, f"not so: {rule}: {row}")


def _captured_twice(found: Findings, cast: Cast) -> None:
    taken = Counter(intent for what, intent, _ in cast.payments.effects if what == "capture")
    for intent, times in taken.items():
        if times > 1:
            found.add("captured_twice", times - 1, f"{intent}: captured {times} times")


def _charged(found: Findings, orders: Iterable[Placed], belief: Mapping[str, OrderState], state: State) -> None:
    """What an order was charged is what its channel states, and nothing for one that was called off."""
    owed = receivables(state)
    for one in orders:
        known = belief.get(one.uid)
        if known is None:
            continue
        want, have = 0 if known.status == "cancelled" else one.total - one.remitted, owed.get(known.id, 0)
        if have != want:
            found.add("unexplained_minor_units", abs(have - want), f"{one.uid}: the channel states {want}, the ledger holds {have}")


def _kept_at_the_provider(
    found: Findings, orders: Iterable[Placed], belief: Mapping[str, OrderState], left: Mapping[str, Counter[str]], cast: Cast
) -> None:
    """What a payment provider keeps of an order is what is due for it; anything else has a name."""
    for one in orders:
        known = belief.get(one.uid)
        if known is None or not one.intent:
            continue
        captured = sum(amount for what, intent, amount in cast.payments.effects if what == "capture" and intent == one.intent)
        returned = sum(refund["amount"] for refund in cast.payments.refunds.values() if refund["payment_intent"] == one.intent)
        kept = captured - (returned + taken_back(one.intent, cast) if known.status == "cancelled" else one.repaid)
        rest = 0 if one.cancelled and not left[one.uid] else max(0, one.due - one.gift_cards)  # shipping is not owed for nothing
        due = rest if known.status == "settled" else 0 if known.status == "cancelled" else captured and rest
        if waits_for(known, "payment_lost", "payment_currency", "money_kept", "rejected"):
            due = kept  # somebody else took it, or a part of it: that must have a name
        held = min(kept, captured - returned - taken_back(one.intent, cast))  # nor is what went back for any other reason
        over = held - due if known.status in ("shipped", "invoiced", "settled", "cancelled") else max(0, kept - one.total + one.gift_cards)
        unnamed = (over > 0) != ("overpaid" in known.holds) and not waits_for(known, "cancelled_after_shipment")
        if kept < due or unnamed:
            found.add("unexplained_minor_units", abs(kept - due), f"{one.uid}: {known.status}, {kept} of {due} kept at the provider")
        if known.status == "cancelled" and cast.payments.intents[one.intent]["status"] == "requires_capture":
            found.add("authorisations_left", 1, f"{one.uid}: cancelled, and {one.intent} still holds the buyer's money")


def _uncovered(found: Findings, orders: Iterable[Placed], belief: Mapping[str, OrderState], cast: Cast) -> None:
    """An order whose payment has gone before all of it was taken is not sent as if nothing were: it has a name."""
    for one in orders:
        known = belief.get(one.uid)
        if known is None or not one.intent or known.status in ("cancelled", "settled") or known.cancel:
            continue
        intent = cast.payments.intents[one.intent]
        gone = intent["status"] == "canceled" or (intent["status"] == "succeeded" and intent["amount_received"] < one.due - one.gift_cards)
        if gone and not is_named(known):
            found.add("uncovered_unnamed", 1, f"{one.uid}: {cause_of(known)}; and {one.intent} is {intent['status']}")


def _kept_at_the_shop(found: Findings, orders: Iterable[Placed], belief: Mapping[str, OrderState], cast: Cast) -> None:
    """What the shop's own provider or gift cards paid of a cancelled order is its buyer's: it has a name until it is given back."""
    for one in orders:
        known = belief.get(one.uid)
        if one.channel != "shop" or known is None or known.status != "cancelled":
            continue
        kept, named = bills.held_at_the_shop(cast, int(one.external)), "money_kept" in known.holds
        if (kept > 0) != named and not (named and one.intent):  # a provider may hold some, too
            found.add("kept_unnamed", 1, f"{one.uid}: cancelled, {kept} are kept at the shop; {known.holds}")


def _disputes(found: Findings, orders: Iterable[Placed], belief: Mapping[str, OrderState], cast: Cast, state: State) -> None:
    """What a bank has taken back stands in the ledger until the shop has won it; who is to answer is named."""
    sql = """
    SELECT entity, sum(CASE WHEN credit.name LIKE 'psp:%' THEN amount ELSE -amount END)
    FROM transfer JOIN account AS credit ON credit.id = transfer.credit WHERE what = 'disputed' GROUP BY entity"""
    taken: dict[int, int] = dict(rows(state.connection, sql))
    for one in orders:
        known = belief.get(one.uid)
        of = disputes_of(one.intent, cast)
        if known is None or not of:
            continue
        back = taken_back(one.intent, cast)
        if taken.get(known.id, 0) != back:
            found.add("disputes_differ", 1, f"{one.uid}: {back} taken by its bank, {taken.get(known.id, 0)} in the ledger")
        if any(dispute["status"] == "needs_response" for dispute in of) and not waits_for(known, "dispute"):
            found.add("disputes_differ", 1, f"{one.uid}: its bank waits for an answer, and nobody is told")


def taken_back(intent: str, cast: Cast) -> int:
    """Minor units of a payment that its card holder's bank has, for now or for good."""
    return sum(dispute["amount"] for dispute in disputes_of(intent, cast) if dispute["status"] != "won")


def disputes_of(intent: str, cast: Cast) -> list[dict[str, Any]]:
    """The disputes of a payment, by its provider's book."""
    return [dispute for dispute in cast.payments.disputes.values() if dispute["payment_intent"] == intent]


def receivables(state: State) -> dict[int, int]:
    """What each order was charged, in minor units: what stands against its channel's receivable, but for payments."""
    sql = """
    SELECT transfer.entity, sum(CASE WHEN debit.name LIKE 'receivable:%' THEN amount ELSE -amount END)
    FROM transfer JOIN account AS debit ON debit.id = transfer.debit JOIN account AS credit ON credit.id = transfer.credit
    WHERE what NOT IN ('gift_cards', 'captured', 'refunded', 'given_back', 'fee', 'at_source', 'cancelled', 'dispute_given_back')
    AND (debit.name LIKE 'receivable:%' OR credit.name LIKE 'receivable:%')
    GROUP BY transfer.entity"""
    return dict(rows(state.connection, sql))


def refunds_differ(found: Findings, orders: Iterable[Placed], belief: Mapping[str, OrderState], cast: Cast, state: State) -> None:
    """What was given back, by the book of whoever holds the payment; told by two systems or by one, it stands in the ledger once."""
    posted = refunded(state)
    for one in orders:
        known = belief.get(one.uid)
        if known is None:
            continue
        back = sum(refund["amount"] for refund in cast.payments.refunds.values() if refund["payment_intent"] == one.intent)
        if one.channel == "shop" and not one.intent:
            back = sum(
                cast.shop.given_back(refund) - bills.to_gift_card(refund) for refund in cast.shop.orders[int(one.external)]["refunds"]
            )
            given = sum(cast.shop.given_back(refund) for refund in cast.shop.orders[int(one.external)]["refunds"])
            if (given > one.total) != ("over_refunded" in known.holds):
                found.add("refunds_differ", given, f"{one.uid}: {given} given back of {one.total}, its holds are {list(known.holds)}")
        have = posted.get(known.id, 0)
        if have != back:
            found.add("refunds_differ", abs(have - back), f"{one.uid}: {back} given back, {have} in the ledger")


def refunded(state: State) -> dict[int, int]:
    """What was given back for each order, in minor units, as the ledger has it."""
    sql = """
    SELECT transfer.entity, sum(CASE WHEN credit.name LIKE 'psp:%' THEN amount ELSE -amount END)
    FROM transfer JOIN account AS credit ON credit.id = transfer.credit WHERE what IN ('refunded', 'given_back') GROUP BY transfer.entity"""
    return dict(rows(state.connection, sql))
