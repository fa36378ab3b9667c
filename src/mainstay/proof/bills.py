"""What a bill is made of: goods, what was let off, shipping, tax, by the channel's own book, in our ledger, and in the ERP's lines.

Totals may agree where a part stands in the wrong place: tax that is booked as goods is owed to nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Set
from decimal import Decimal
from typing import Any

from mainstay.model.money import minor
from mainstay.model.state import OrderState
from mainstay.proof.play import Cast
from mainstay.storage.database import rows
from mainstay.storage.state import State

ACCOUNTS = {"sales": "goods", "discounts": "discount", "shipping": "shipping", "tax": "tax", "gift_cards": "gift_cards"}
EXTRAS = {"shipping": "SHIPPING", "tax": "TAX", "facilitator_tax": "FACILITATOR-TAX"}  # what of them is a line of its own in the ERP
AT_THE_SHOP = frozenset({"shopify_payments", "gift_card"})  # the gateways of money that no other provider of ours holds
Add = Callable[[str, int, str], None]
Bill = Counter[str]


def bills(cast: Cast) -> dict[str, Bill]:
    """The parts of every order that a channel keeps books of, in minor units, by the order's id."""
    found = {f"ord.shop.{number}": _at_shop(order, by_gift_card(cast, number)) for number, order in cast.shop.orders.items()}
    return found | {f"ord.amazon.{name}": _at_amazon(order) for name, order in cast.amazon.orders.items()}


def _at_shop(order: Mapping[str, Any], gift_cards: int) -> Bill:
    currency = order["currency"]
    stated = {
        "goods": order["total_line_items_price"], "discount": order["total_discounts"], "tax": order["total_tax"],
        "shipping": order["shipping_lines"][0]["price"],
    }  # fmt: skip
    bill = Counter({part: minor(amount, currency) for part, amount in stated.items()})
    bill["gift_cards"] = gift_cards - sum(to_gift_card(refund) for refund in order["refunds"])
    return bill


def cost(line: Mapping[str, Any], units: int) -> int:
    """What so many units of a line at the shop cost: their part of what is let off and of tax, each rounded down."""
    currency, whole = line["price_set"]["shop_money"]["currency_code"], int(line["quantity"])
    off = sum(minor(one["amount"], currency) for one in line["discount_allocations"])
    tax = sum(minor(one["price"], currency) for one in line["tax_lines"])
    price = minor(line["price"], currency)
    return price * units - off * units // whole + tax * units // whole


def by_gift_card(cast: Cast, number: int) -> int:
    """What gift cards paid of an order of the shop, in minor units."""
    return _paid(cast, number, {"gift_card"})


def held_at_the_shop(cast: Cast, number: int) -> int:
    """What the shop itself took of an order, by its own provider or of gift cards, and has not given back."""
    back = sum(cast.shop.given_back(refund, AT_THE_SHOP) for refund in cast.shop.orders[number]["refunds"])
    return _paid(cast, number, AT_THE_SHOP) - back


def to_gift_card(refund: Mapping[str, Any]) -> int:
    """What of a refund at the shop went back on the gift card, which bears the shop's currency."""
    return sum(minor(one["amount"], one["currency"]) for one in refund["transactions"] if one["gateway"] == "gift_card")


def _paid(cast: Cast, number: int, gateways: Set[str]) -> int:
    some = [one["amountSet"]["shopMoney"] for one in cast.shop.transactions[number] if one["gateway"] in gateways]
    return sum(minor(one["amount"], one["currencyCode"]) for one in some)


def _at_amazon(order: Mapping[str, Any]) -> Bill:
    found: Bill = Counter()
    for line in order["orderItems"]:
        for part in line["proceeds"]["breakdowns"]:
            name = {"ITEM": "goods", "TAX": "facilitator_tax", "SHIPPING": "shipping", "DISCOUNT": "discount"}[part["type"]]
            found[name] += minor(part["subtotal"]["amount"], part["subtotal"]["currencyCode"])
    return found


def in_the_ledger(state: State) -> dict[int, Bill]:
    """What each order moved on the accounts of its bill, by part."""
    sql = """
    SELECT entity, account.name, sum(CASE WHEN account.id = debit THEN -amount ELSE amount END)
    FROM transfer JOIN account ON account.id IN (debit, credit) WHERE what NOT IN ('refunded', 'cancelled') GROUP BY entity, account.name"""
    found: dict[int, Bill] = {}
    for entity, account, amount in rows(state.connection, sql):
        part = ACCOUNTS.get(account.partition(":")[0])
        if part:
            found.setdefault(entity, Counter())[part] += -amount if part in ("discount", "gift_cards") else amount
    return found


def differ(add: Add, cast: Cast, belief: Mapping[str, OrderState], state: State, booked: Iterable[str]) -> None:
    """Name what of a bill stands elsewhere than at its channel. `booked` are the orders that the ERP has as they were placed."""
    posted, in_the_erp, whole = in_the_ledger(state), cast.erp.parts(), set(booked)
    for uid, bill in bills(cast).items():
        known = belief.get(uid)
        if known is None:
            continue
        have = posted.get(known.id, Counter())
        for part in ACCOUNTS.values():
            want = 0 if known.status == "cancelled" else bill[part]
            if have[part] != want:
                add("parts_differ", abs(have[part] - want), f"{uid}: {want} of {part} at {known.system}, {have[part]} in the ledger")
        for part, code in EXTRAS.items() if uid in whole else ():
            line = _minor(in_the_erp.get(uid, {}).get(code))
            if line != bill[part]:
                add("parts_differ", abs(line - bill[part]), f"{uid}: {bill[part]} of {part} at {known.system}, {line} in the ERP")
    for name, (shipping, tax) in given_back(cast).items():
        for part, wanted, code in (("shipping", shipping, "SHIPPING"), ("tax", tax, "TAX")):
            line = -_minor(in_the_erp[name].get(code)) if name in in_the_erp else wanted  # whether it is booked is asked elsewhere
            if line != wanted:
                add("parts_differ", abs(line - wanted), f"{name}: {wanted} of {part} given back at the shop, {line} in the ERP")


def given_back(cast: Cast) -> dict[str, tuple[int, int]]:
    """(shipping with its tax, tax of the units that went back on the shelf) of each refund at the shop that put units back, by its return's
    name in the ERP."""
    found = {}
    for number, order in cast.shop.orders.items():
        for refund in order["refunds"]:
            shipping = -sum(
                minor(one["amount"], order["currency"]) + minor(one["tax_amount"], order["currency"])
                for one in refund["order_adjustments"]
                if one["kind"] == "shipping_refund"
            )
            back = [one for one in refund["refund_line_items"] if one["restock_type"] == "return"]
            tax = sum(minor(one["total_tax_set"]["shop_money"]["amount"], order["currency"]) for one in back)
            if back:
                found[f"ord.shop.{number}.return.{refund['id']}"] = (shipping, tax)
    return found


def balances_differ(add: Add, cast: Cast, state: State) -> None:
    """What the provider holds for us before its fees, by currency: by its own books, and in the ledger."""
    held = Counter[str]()
    for charge in cast.payments.charges.values():
        held[charge["currency"].upper()] += charge["amount_captured"]
    for back in (*cast.payments.refunds.values(), *(one for one in cast.payments.disputes.values() if one["status"] != "won")):
        held[back["currency"].upper()] -= back["amount"]
    sql = """
    SELECT currency, sum(CASE WHEN account.id = debit THEN amount ELSE -amount END)
    FROM transfer JOIN account ON account.id IN (debit, credit) WHERE account.name = 'psp:payments' AND what <> 'fee' GROUP BY currency"""
    for currency, amount in rows(state.connection, sql):
        held[currency] -= amount
    for currency, amount in held.items():
        if amount:
            add("parts_differ", abs(amount), f"{amount} minor units of {currency} are at the provider and not in the ledger")


def _minor(amount: Decimal | None) -> int:
    """The ERP's amounts have two decimals here, whatever the currency."""
    return int((amount or Decimal(0)).scaleb(2))
