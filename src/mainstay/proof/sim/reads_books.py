"""The balances that people are shown, against sums over the outside systems' own books: by account and currency, in minor units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from mainstay.model.money import minor
from mainstay.proof import bills
from mainstay.proof.history import CURRENCY
from mainstay.proof.payments import disputes_of
from mainstay.proof.play import Cast
from mainstay.proof.truth import Placed

Balances = Counter[tuple[str, str]]  # (account, currency) -> minor units, debits less credits
BILLED = {"goods": "sales", "shipping": "shipping", "tax": "tax", "discount": "discounts", "gift_cards": "gift_cards"}
DEBITS = ("discount", "gift_cards")  # parts of a bill that are let off, or were owed before
# What an order that has ended still lacks is nobody's any more once we decide so: of the two, only the sum follows from the others.
DECIDED_HERE = ("receivable", "cancellations")


def unlike_books(shown: Mapping[str, str], orders: Iterable[Placed], reversed_: Collection[str], cast: Cast) -> Iterator[str]:
    """Accounts whose balance is not what the books give. `reversed_`: orders that are shown as cancelled, of which the sale is undone; that
    they are is compared one by one."""
    have: Balances = Counter()
    for name, balance in shown.items():
        account, _, currency = name.rpartition(" ")
        have[account, currency] = minor(balance, currency)
    want = balances(orders, reversed_, cast)
    for one in sorted(have.keys() | want.keys()):
        if not one[0].startswith(DECIDED_HERE) and have[one] != want[one]:
            yield f"{one[0]} stands at {have[one]} {one[1]}, by the books at {want[one]}"
    for currency in {currency for _, currency in have}:
        if off := sum(amount for (_, its), amount in have.items() if its == currency):
            yield f"the accounts in {currency} sum to {off}"


def balances(orders: Iterable[Placed], reversed_: Collection[str], cast: Cast) -> Balances:
    """Every account that somebody outside knows exactly."""
    found: Balances = Counter()
    stated = bills.bills(cast)
    for one in orders:
        found.update(_took(one, cast))
        if one.uid not in reversed_:
            for part, account in BILLED.items():
                amount = stated.get(one.uid, Counter(goods=one.total))[part]
                found[f"{account}:{one.channel}", CURRENCY] += amount if part in DEBITS else -amount
            found.update(_given_back(one, cast))
        found.update(_contested(one, cast, _to_give_back(one, cast) if one.uid in reversed_ else 0))
    for row in cast.payments.balance:
        if row["type"] != "payout":
            found["psp:payments", row["currency"].upper()] += row["net"]
            found["fees:payments", row["currency"].upper()] += row["fee"]
    return found


def _took(one: Placed, cast: Cast) -> Balances:
    """What a channel that is its own provider took of an order, less what it gave back; gift cards apart. A marketplace gives all of a
    cancelled order back, and tells of no refund."""
    if one.intent:
        return Counter()
    if one.channel == "shop":
        refunds = cast.shop.orders[int(one.external)]["refunds"]
        back = sum(cast.shop.given_back(refund) - bills.to_gift_card(refund) for refund in refunds)
        return Counter({("psp:shop", CURRENCY): 0 if one.unpaid else one.total - one.gift_cards - back})
    held = 0 if one.cancelled and one.channel == "amazon" else one.total - one.remitted
    return Counter({(f"psp:{one.channel}", CURRENCY): held})


def _given_back(one: Placed, cast: Cast) -> Balances:
    """What was given back of a sale that stands: by who holds the payment, and on gift cards."""
    found: Balances = Counter()
    for refund in cast.payments.refunds.values():
        if one.intent and refund["payment_intent"] == one.intent:
            found[f"refunds:{one.channel}", refund["currency"].upper()] += refund["amount"]
    for refund in cast.shop.orders[int(one.external)]["refunds"] if one.channel == "shop" else ():
        card = bills.to_gift_card(refund)
        found["refunds:shop", CURRENCY] += card if one.intent else cast.shop.given_back(refund)
    return found


def _to_give_back(one: Placed, cast: Cast) -> int:
    """What the provider took of an order that was called off, and has not given back."""
    back = sum(refund["amount"] for refund in cast.payments.refunds.values() if refund["payment_intent"] == one.intent)
    return cast.payments.intents[one.intent]["amount_received"] - back if one.intent else 0


def _contested(one: Placed, cast: Cast, owed: int) -> Balances:
    """What banks took back of its payment: in dispute, or lost for good; what was owed to its buyer anyway is no loss."""
    found: Balances = Counter()
    for dispute in disputes_of(one.intent, cast) if one.intent else ():
        lost = dispute["status"] == "lost"
        amount = dispute["amount"] - (owed if lost else 0)
        if dispute["status"] != "won" and amount > 0:
            found[f"{'losses' if lost else 'disputes'}:{one.channel}", dispute["currency"].upper()] += amount
    return found
