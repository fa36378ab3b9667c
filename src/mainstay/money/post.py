"""Double entry. A transfer moves an amount from one account (credit) to another (debit), so that it balances by construction.

What an order should have in the books is a pure function of its state; what is posted is the difference to what already stands
there. So postings converge in any order of arrival, nothing is posted twice, and a correction is a new transfer, never a change.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from mainstay.model.objects import Order
from mainstay.model.state import OrderState


class Transfer(NamedTuple):
    """`amount` > 0 minor units: debit account, credit account. `currency` is "" where it is the order's own."""

    what: str
    debit: str
    credit: str
    amount: int
    currency: str = ""


class Posting(NamedTuple):
    """Between which accounts a part of an order moves. `{channel}` is where it was sold, `{provider}` who moved the money."""

    debit: str
    credit: str
    meaning: str


# The chart of accounts, by the part of an order that is posted. Marketplace-facilitator tax passes through and nets to zero.
POSTINGS: dict[str, Posting] = {
    "goods": Posting("receivable:{channel}", "sales:{channel}", "units times prices"),
    "discount": Posting("discounts:{channel}", "receivable:{channel}", "what was let off, on lines and shipping"),
    "shipping": Posting("receivable:{channel}", "shipping:{channel}", "shipping charged to the buyer"),
    "tax": Posting("receivable:{channel}", "tax:{channel}", "tax that we owe, on top of the prices"),
    "tax_within": Posting("sales:{channel}", "tax:{channel}", "tax that we owe, held within the prices"),
    "facilitator_tax": Posting("receivable:{channel}", "facilitator_tax:{channel}", "tax that the marketplace collected"),
    "facilitator_paid": Posting("facilitator_tax:{channel}", "receivable:{channel}", "tax that the marketplace remits itself"),
    "duties": Posting("receivable:{channel}", "duties:{channel}", "import duties charged to the buyer"),
    "tip": Posting("receivable:{channel}", "tips:{channel}", "tips"),
    "adjustment": Posting("receivable:{channel}", "adjustments:{channel}", "rounding that the source states"),
    "gift_cards": Posting("gift_cards:{channel}", "receivable:{channel}", "paid by gift card: a liability shrinks"),
    "at_source": Posting("psp:{provider}", "receivable:{channel}", "taken by the channel itself, which is the provider here"),
    "cancelled": Posting(
        "cancellations:{channel}", "receivable:{channel}", "units taken off before they were paid, once the order has ended"
    ),
    "captured": Posting("psp:{provider}", "receivable:{channel}", "captured at a payment provider"),
    "refunded": Posting("refunds:{channel}", "psp:{provider}", "given back by whoever holds the payment, of a sale that stands"),
    "given_back": Posting(
        "receivable:{channel}", "psp:{provider}", "given back of a cancelled order: its sale is reversed, so it is no expense"
    ),
    "to_gift_card": Posting("refunds:{channel}", "gift_cards:{channel}", "given back on a gift card: a liability grows"),
    "disputed": Posting("disputes:{channel}", "psp:{provider}", "taken back by a card holder's bank"),
    "dispute_lost": Posting("losses:{channel}", "disputes:{channel}", "of that, what the bank gave to the card holder for good"),
    "dispute_given_back": Posting(
        "receivable:{channel}", "disputes:{channel}", "the same of a cancelled order, as far as it was owed to its buyer: no loss"
    ),
    "fee": Posting("fees:{provider}", "psp:{provider}", "what the provider kept"),
}


def targets(state: OrderState, captured: dict[str, int]) -> dict[str, int]:
    """What of each part should stand in the books now. `captured` is minor units by payment; keys are `part` or `part/payment`."""
    order = state.order
    want: dict[str, int] = {}
    if order is not None and state.status not in ("new", "cancelled"):
        want["goods"] = order.goods()
        want["discount"] = order.discount()
        want["shipping"] = order.shipping
        want["tax_within" if order.taxes_included else "tax"] = order.tax
        want["facilitator_tax"] = want["facilitator_paid"] = order.facilitator_tax
        want["duties"], want["tip"], want["adjustment"] = order.duties, order.tip, order.adjustment
        want["gift_cards"] = order.gift_cards
    if order is not None and _held_by_the_channel(state, order):
        want["at_source"] = order.total - order.gift_cards - order.facilitator_tax
    if order is not None and state.status == "settled" and (state.cancel or any(line.cancelled for line in order.lines)):
        taken = sum(amount for external, amount in captured.items() if not _currency(state, "captured", external))
        want["cancelled"] = _never_paid(state, want.get("at_source", 0) + taken)
    for external, amount in captured.items():
        want[f"captured/{external}"] = amount
    providers = _providers(state)
    back = "given_back" if state.status == "cancelled" else "refunded"
    for external, refund in state.refunds.items():
        if refund.status == "succeeded" and (not providers or refund.system in providers):
            want[f"{back}/{external}"] = refund.amount - refund.gift_cards
        if refund.status == "succeeded" and state.status != "cancelled":  # then all that the card paid is owed to the buyer again
            want[f"to_gift_card/{external}"] = refund.gift_cards
    for external, dispute in state.disputes.items():
        if dispute.has_the_money():
            lost = dispute.amount if dispute.status == "lost" else 0
            owed = min(lost, _owed_back(state, external, want))
            want[f"disputed/{external}"] = dispute.amount
            want[f"dispute_given_back/{external}"] = owed
            want[f"dispute_lost/{external}"] = lost - owed
    for external, fee in state.fees.items():
        want[f"fee/{external}"] = fee
    return want


def _held_by_the_channel(state: OrderState, order: Order) -> bool:
    """Did the channel take the money itself? A cancellation reverses the sale, and not this: it is owed to the buyer until it is given
    back. A channel may say that all of it was, and tell of no refund."""
    if state.status == "new" or not state.paid_at_source():
        return False
    return not (state.status == "cancelled" and order.payment == "refunded" and not state.refunds)


def _never_paid(state: OrderState, taken: int) -> int:
    """What is open of an order that has ended and of which units were cancelled: nobody will pay it."""
    order = state.order
    assert order is not None
    if order.difference():
        return 0  # nobody knows which part of such a total is whose
    return max(0, min(order.total - order.of(state.sold()).total, order.total - order.gift_cards - order.facilitator_tax - taken))


def _owed_back(state: OrderState, external: str, want: dict[str, int]) -> int:
    """Of a cancelled order, what was taken of the payment that this dispute is of and not given back, where it is in the same currency."""
    dispute = state.disputes[external]
    part, of = (f"captured/{dispute.payment}", "captured") if dispute.payment else ("at_source", "")
    same = part in want and _currency(state, of, dispute.payment) == _currency(state, "disputed", external)
    if state.status != "cancelled" or not same:
        return 0
    others = state.payments.keys() - {dispute.payment}
    refunds = (name for name, one in state.refunds.items() if one.system == dispute.system and one.payment not in others)
    back = sum(want.get(f"given_back/{name}", 0) for name in refunds)
    before = sum(want.get(f"dispute_given_back/{name}", 0) for name, one in state.disputes.items() if one.payment == dispute.payment)
    return max(0, want[part] - back - before)


def _providers(state: OrderState) -> set[str]:
    """Who holds the order's payments. Money goes back where it was taken: where there are any, a channel's refund tells of the same
    money that its provider states, and does not move it a second time."""
    named = state.order.payments if state.order is not None else ()
    return {payment.system for payment in state.payments.values()} | {payment.system or state.system for payment in named}


def _fee_taker(state: OrderState) -> str:
    """Who kept a fee: the provider, also where its settlement is read before the payment itself is heard of."""
    named = state.order.payments if state.order is not None else ()
    systems = [payment.system for payment in state.payments.values()] + [payment.system for payment in named]
    return next(filter(None, systems), state.system)


def post(state: OrderState, captured: dict[str, int]) -> list[Transfer]:
    """The transfers that bring the books to what the order's state says; notes in `state.booked` what then stands there."""
    want, have = targets(state, captured), state.booked
    wrong = [(part, want.get(part, 0) - have.get(part, 0)) for part in want.keys() | have.keys()] if have else want.items()
    transfers = [_transfer(state, part, difference) for part, difference in wrong if difference]
    if transfers:
        transfers.sort()
        state.booked = {part: amount for part, amount in want.items() if amount}
    return transfers


@cache
def accounts(what: str, channel: str, provider: str) -> tuple[str, str]:
    """The names of the accounts (debit, credit) between which a part moves."""
    debit, credit, _ = POSTINGS[what]
    debit, credit = (name.replace("{channel}", channel).replace("{provider}", provider) for name in (debit, credit))
    return debit, credit


def _transfer(state: OrderState, part: str, amount: int) -> Transfer:
    what, _, external = part.partition("/")
    provider, currency = (_provider(state, what, external), _currency(state, what, external)) if external else (state.system, "")
    debit, credit = accounts(what, state.system, provider)
    return Transfer(what, debit, credit, amount, currency) if amount > 0 else Transfer(what, credit, debit, -amount, currency)


def _provider(state: OrderState, what: str, external: str) -> str:
    """Who moved the money of a part."""
    if what == "captured":
        return state.payments[external].system
    if what in ("refunded", "given_back"):
        return state.refunds[external].system
    if what == "disputed":
        return state.disputes[external].system
    return _fee_taker(state) if what == "fee" else state.system


def _currency(state: OrderState, what: str, external: str) -> str:
    """The currency of a part that is not in its order's, and "" for one that is: amounts of two currencies are never added up."""
    stated = ""
    if what == "captured":
        stated = state.payments[external].currency
    elif what in ("refunded", "given_back", "to_gift_card"):
        stated = state.refunds[external].currency
    elif what in ("disputed", "dispute_lost", "dispute_given_back"):
        stated = state.disputes[external].currency
    elif what == "fee":
        stated = state.fees_in.get(external, "")
    return stated if state.order is not None and stated != state.order.currency else ""
