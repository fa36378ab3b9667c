"""The books: whatever an order goes through, what stands in them is what its state says, to the minor unit, and debit equals credit."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mainstay.model.objects import Line, Order, Reference
from mainstay.model.state import DisputeState, OrderState, PaymentState, RefundState
from mainstay.money.post import POSTINGS, accounts, post, targets

cents = st.integers(-500, 5000)
amounts = st.integers(0, 5000)


@st.composite
def orders(draw):
    """An order that adds up, as its source would state it."""
    lines = tuple(
        Line(id=str(n), sku="A", quantity=draw(st.integers(0, 5)), price=draw(amounts), discount=draw(amounts))
        for n in range(draw(st.integers(1, 3)))
    )
    order = Order(
        number="#1", currency="EUR", placed_at=0, lines=lines, total=0, shipping=draw(amounts), shipping_discount=draw(amounts),
        tax=draw(amounts), facilitator_tax=draw(amounts), taxes_included=draw(st.booleans()), duties=draw(amounts), tip=draw(amounts),
        gift_cards=draw(amounts), adjustment=draw(cents), payment=draw(st.sampled_from(["pending", "authorised", "captured", "refunded"])),
    )  # fmt: skip
    return replace(order, total=-order.difference())


class Books:
    """Posts one order and adds up what was posted."""

    def __init__(self) -> None:
        self.state = OrderState(id=1, uid="ord.shop.1", system="shop", external="1")
        self.balances: Counter[str] = Counter()
        self.posted = 0

    def post(self, captured=None) -> None:
        for transfer in post(self.state, captured or {}):
            assert transfer.amount > 0 and transfer.debit != transfer.credit
            self.balances[transfer.debit] += transfer.amount
            self.balances[transfer.credit] -= transfer.amount
            self.posted += 1

    def standing(self) -> dict[str, int]:
        return {name: balance for name, balance in self.balances.items() if balance}


def by_account(state, captured) -> dict[str, int]:
    """The balances that the targets mean, worked out apart from how they were reached."""
    found: Counter[str] = Counter()
    for part, amount in targets(state, captured).items():
        what = part.partition("/")[0]
        provider = "psp" if what in ("captured", "refunded", "given_back", "disputed", "fee") else "shop"
        debit, credit = accounts(what, "shop", provider)
        found[debit] += amount
        found[credit] -= amount
    return {name: balance for name, balance in found.items() if balance}


disputes = st.tuples(st.sampled_from(["dp_1", "dp_2"]), amounts, st.sampled_from(["needs_response", "lost", "won"]), st.booleans())
refunds = st.tuples(st.sampled_from(["re_1", "re_2"]), amounts, st.sampled_from(["pending", "succeeded", "failed"]))
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("order"), orders()),
        st.tuples(st.just("status"), st.sampled_from(["new", "placed", "released", "shipped", "cancelled"])),
        st.tuples(st.just("capture"), st.tuples(st.sampled_from(["pi_1", "pi_2"]), amounts)),
        st.tuples(st.just("fee"), st.tuples(st.sampled_from(["txn_1", "txn_2"]), amounts)),
        st.tuples(st.just("refund"), refunds),
        st.tuples(st.just("dispute"), disputes),
    ),
    max_size=12,
)


@given(happenings)
def test_whatever_happens_the_books_stand_where_the_state_says(steps):
    books, captured = Books(), {}
    books.state.payments["pi_0"] = PaymentState("psp")
    for what, value in steps:
        if what == "order":
            books.state.order = value
        elif what == "status":
            books.state.status = value
        elif what == "capture":
            books.state.payments[value[0]] = PaymentState("psp", captured=value[1])
            captured[value[0]] = value[1]
        elif what == "fee":
            books.state.fees[value[0]] = value[1]
        elif what == "dispute":
            books.state.disputes[value[0]] = DisputeState("psp", value[2], value[1], inquiry=value[3])
        else:
            books.state.refunds[value[0]] = RefundState("psp", value[2], value[1])
        books.post(captured)
        assert books.standing() == by_account(books.state, captured)
        assert sum(books.balances.values()) == 0
        before = books.posted
        books.post(captured)
        assert books.posted == before, "what stands there already is not posted again"


@pytest.mark.parametrize(
    ("status", "inquiry", "standing"),
    [
        ("needs_response", False, {"disputes:shop": 900, "psp:psp": -900}),
        ("under_review", False, {"disputes:shop": 900, "psp:psp": -900}),
        ("lost", False, {"losses:shop": 900, "psp:psp": -900}),
        ("won", False, {}),
        ("closed", False, {}),
        ("needs_response", True, {}),
    ],
)
def test_a_dispute_is_held_then_lost_or_given_back(status, inquiry, standing):
    books = Books()
    for now in ("needs_response", status):
        books.state.disputes["dp_1"] = DisputeState("psp", now, 900, inquiry=inquiry)
        books.post()
    assert books.standing() == standing


SHOPS = ("51", RefundState("shop", "succeeded", 400))
PROVIDERS = ("re_1", RefundState("psp", "succeeded", 400))


@pytest.mark.parametrize(
    "told", [[SHOPS, PROVIDERS], [PROVIDERS, SHOPS], [PROVIDERS]], ids=["shop first", "provider first", "provider only"]
)
@pytest.mark.parametrize("named", ["by the order", "by the provider"])
def test_money_that_a_provider_gave_back_counts_once(told, named):
    """The shop tells of a refund, and the provider of the same four euros."""
    books = Books()
    if named == "by the order":
        paid = (Reference("payment", "pi_1", "psp"),)
        books.state.order = Order(number="#1", currency="EUR", placed_at=0, lines=(), total=0, payments=paid)
    else:
        books.state.payments["pi_1"] = PaymentState("psp")
    for external, refund in told:
        books.state.refunds[external] = refund
        books.post()
    assert books.standing() == {"refunds:shop": 400, "psp:psp": -400}


def test_a_provider_that_gave_nothing_back_yet_has_moved_nothing():
    books = Books()
    books.state.payments["pi_1"] = PaymentState("psp")
    books.state.refunds.update([SHOPS])
    books.post()
    assert books.standing() == {}


def test_a_refund_that_counted_before_the_payment_was_known_is_taken_back():
    books = Books()
    books.state.refunds.update([SHOPS])
    books.post()
    assert books.standing() == {"refunds:shop": 400, "psp:shop": -400}, "paid at the channel, given back by it"
    books.state.payments["pi_1"] = PaymentState("psp")
    books.state.refunds.update([PROVIDERS])
    books.post()
    assert books.standing() == {"refunds:shop": 400, "psp:psp": -400}


@given(orders())
def test_a_cancelled_order_nets_to_nothing_but_what_is_held_of_the_buyers(order):
    """Money that the channel took stands there, and is owed, until it is given back; what was paid elsewhere or never is no part of it."""
    books = Books()
    books.state.order, books.state.status = order, "placed"
    books.post()
    books.state.status = "cancelled"
    books.post()
    taken = order.total - order.gift_cards - order.facilitator_tax if order.payment == "captured" else 0
    assert books.standing() == ({"psp:shop": taken, "receivable:shop": -taken} if taken else {})
    books.state.order = replace(order, payment="refunded")
    books.post()
    assert books.standing() == {} and books.state.booked == {}


TEN = Order(number="#1", currency="EUR", placed_at=0, lines=(Line(id="1", sku="A", quantity=1, price=1000),), total=1000)
BACK = {"r1": 300, "r2": 700}  # what is given back, in two parts


@pytest.mark.parametrize("steps", [
    ["cancel", "r1", "r2"], ["r1", "cancel", "r2"], ["r1", "r2", "cancel"], ["cancel", "r1", "r1", "r2", "r2"],
    ["r1", "r1", "cancel", "r2"],
], ids=" ".join)  # fmt: skip
@pytest.mark.parametrize("holder", ["shop", "psp"])
def test_the_books_of_a_cancelled_order_are_empty_when_all_is_given_back(holder, steps):
    """Paid at the channel or at a provider; given back before, after, or on both sides of the cancellation; told twice. At each step the
    account of whoever holds the money has what is left of it; after the cancellation the rest is owed, and no refund is an expense."""
    books, left = Books(), 1000
    books.state.order, books.state.status = replace(TEN, payment="captured" if holder == "shop" else "authorised"), "placed"
    if holder == "psp":
        books.state.payments["pi_1"] = PaymentState("psp", captured=1000)
    captured = {"pi_1": 1000} if holder == "psp" else {}
    for step in steps:
        if step == "cancel":
            books.state.status = "cancelled"
        else:
            left -= 0 if step in books.state.refunds else BACK[step]
            books.state.refunds[step] = RefundState(holder, "succeeded", BACK[step])
        books.post(captured)
        if books.state.status == "cancelled":
            want = {f"psp:{holder}": left, "receivable:shop": -left}
        else:
            want = {"sales:shop": -1000, f"psp:{holder}": left, "refunds:shop": 1000 - left}
        assert books.standing() == {name: balance for name, balance in want.items() if balance}
    assert books.standing() == {}


@given(orders())
def test_what_was_paid_at_the_channel_leaves_nothing_to_receive(order):
    """Total less gift cards and less what the marketplace remits is held by the channel; the receivable is even."""
    books = Books()
    books.state.order, books.state.status = replace(order, payment="captured"), "placed"
    books.post()
    assert books.balances["receivable:shop"] == 0
    assert books.balances["psp:shop"] == order.total - order.gift_cards - order.facilitator_tax


def test_what_a_channel_took_and_what_it_gave_back_stand_on_one_account():
    books = Books()
    line = Line(id="1", sku="A", quantity=1, price=1000)
    order = Order(number="#1", currency="EUR", placed_at=0, lines=(line,), total=1000, payment="captured")
    books.state.order, books.state.status = order, "placed"
    books.state.refunds["r1"] = RefundState("shop", "succeeded", 400)
    books.state.disputes["d1"] = DisputeState("shop", "lost", 100)
    books.post()
    assert books.standing() == {"sales:shop": -1000, "refunds:shop": 400, "losses:shop": 100, "psp:shop": 500}


def test_two_disputes_of_a_cancelled_order_clear_no_more_than_was_owed():
    """10.00 were taken and are owed to the buyer; the bank gives 7.00 back, and 7.00 once more: 4.00 are a loss."""
    books = Books()
    line = Line(id="1", sku="A", quantity=1, price=1000)
    books.state.order = Order(number="#1", currency="EUR", placed_at=0, lines=(line,), total=1000, payment="captured")
    books.state.status = "cancelled"
    books.state.disputes = {name: DisputeState("shop", "lost", 700) for name in ("d1", "d2")}
    books.post()
    assert books.standing() == {"losses:shop": 400, "psp:shop": -400}


@given(orders(), amounts)
def test_tax_that_the_marketplace_remits_passes_through(order, more):
    """It is in no account of ours, however it changes."""
    books = Books()
    books.state.status = "placed"
    for amount in (order.facilitator_tax, more, 0):
        extra = amount - order.facilitator_tax
        books.state.order = replace(order, facilitator_tax=amount, total=order.total + extra)
        books.post()
        assert books.balances["facilitator_tax:shop"] == 0


def test_an_order_in_its_books_by_hand():
    """2 x 10.00 less 1.00, 4.90 shipping, 3.80 tax on top; 27.70 authorised, captured, a fee of 0.80, 5.00 given back."""
    books = Books()
    line = Line(id="1", sku="A", quantity=2, price=1000, discount=100)
    books.state.order = Order(
        number="#1",
        currency="EUR",
        placed_at=0,
        lines=(line,),
        total=2770,
        shipping=490,
        tax=380,
        payments=(Reference("payment", "pi_1", "psp"),),
    )
    books.state.status = "placed"
    books.post()
    assert books.standing() == {
        "receivable:shop": 2770, "sales:shop": -2000, "discounts:shop": 100, "shipping:shop": -490, "tax:shop": -380,
    }  # fmt: skip
    books.state.payments["pi_1"] = PaymentState("psp")
    books.state.fees["txn_1"] = 80
    books.state.refunds["re_1"] = RefundState("psp", "succeeded", 500)
    books.post({"pi_1": 2770})
    assert books.standing() == {
        "sales:shop": -2000, "discounts:shop": 100, "shipping:shop": -490, "tax:shop": -380,
        "psp:psp": 2770 - 80 - 500, "fees:psp": 80, "refunds:shop": 500,
    }  # fmt: skip


@pytest.mark.parametrize("known", [False, True], ids=["before the payment is heard of", "after it"])
def test_a_fee_is_its_provider_s_whenever_the_settlement_is_read(known):
    """The order names its payment; the provider's settlement may be read before the payment's own message comes."""
    books = Books()
    books.state.order = Order(
        number="#1", currency="EUR", placed_at=0, lines=(), total=0, payments=(Reference("payment", "pi_1", "psp"),)
    )  # fmt: skip
    if known:
        books.state.payments["pi_1"] = PaymentState("psp")
    books.state.fees["txn_1"] = 80
    books.post()
    books.state.payments["pi_1"] = PaymentState("psp")
    books.post()
    assert books.standing() == {"fees:psp": 80, "psp:psp": -80}


@pytest.mark.parametrize("included", [False, True])
def test_tax_within_the_prices_is_taken_out_of_sales(included):
    books = Books()
    total = 1190 if included else 1380
    line = Line(id="1", sku="A", quantity=1, price=1190)
    books.state.order = Order(number="#1", currency="EUR", placed_at=0, lines=(line,), total=total, tax=190, taxes_included=included)
    books.state.status = "placed"
    books.post()
    assert books.balances["tax:shop"] == -190
    assert books.balances["sales:shop"] == (-1000 if included else -1190)
    assert books.balances["receivable:shop"] == total


def test_the_chart_of_accounts_says_what_each_posting_means():
    for part, posting in POSTINGS.items():
        assert posting.meaning and posting.debit != posting.credit, part
        assert accounts(part, "shop", "psp") == tuple(
            name.replace("{channel}", "shop").replace("{provider}", "psp") for name in (posting.debit, posting.credit)
        )
