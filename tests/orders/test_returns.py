"""What follows when goods come back: one booking for each refund that shelves units, of units that had left."""

from mainstay.model.events import Asked
from mainstay.model.objects import Reference, RefundLine, UnitsOf
from mainstay.model.seen import RefundSeen
from mainstay.orders.decide import newer
from mainstay.orders.view import blocker, command
from tests.orders.conftest import CAN, T0, Case, an_order
from tests.orders.test_decide import a_parcel


def a_refund(external="r1", lines=(("l1", 1, 500, "restock"),), amount=500, version=1, status="succeeded", **more) -> RefundSeen:
    return RefundSeen(
        external=external, version=version, at=T0 + 9, of=Reference("order", "1"), currency="EUR", amount=amount, status=status,
        lines=tuple(RefundLine(line=line, quantity=units, amount=part, restock=restock) for line, units, part, restock in lines), **more,
    )  # fmt: skip


def a_case(**policy) -> Case:
    return Case(can={**CAN, "erp": frozenset({"PostSale", "PostReturn"})}, **policy)


def booked(lines=(("A", 2, 500),), **more) -> Case:
    """An order that has left as a whole and stands in the ERP."""
    case = a_case()
    case.hear(an_order(lines=lines, **more))
    case.answer("release.1")
    case.hear(a_parcel())
    case.answer("sale", invoice="INV7")
    case.answer("confirm.p1")
    assert case.state.status == "settled"
    return case


def returns(case: Case) -> list[tuple[str, tuple[UnitsOf, ...]]]:
    return [(event.about, event.lines) for event in case.events if isinstance(event, Asked) and event.command == "PostReturn"]


def test_units_that_go_back_on_the_shelf_are_booked_once():
    case = booked()
    case.hear(a_refund(), "shop")
    assert returns(case) == [("r1", (UnitsOf("l1", 1),))] and case.state.status == "settled"
    case.hear(a_refund(version=2), "shop")
    case.answer("return.r1", invoice="CN1")
    case.hear(a_refund(version=3), "shop")
    assert len(returns(case)) == 1 and case.state.refunds["r1"].restocked and case.state.invoice == "INV7"


def test_the_booking_states_what_was_given_back_for_the_units():
    case = booked(lines=(("A", 3, 500), ("B", 1, 900)))
    case.hear(
        a_refund(lines=(("l1", 1, 500, "restock"), ("l2", 1, 900, "no_restock"), ("l1", 1, 400, "restock")), amount=1700, shipping=50),
        "shop",
    )
    asked = next(event for event in case.events if isinstance(event, Asked) and event.command == "PostReturn")
    said = command(case.state, asked, T0)
    assert (said.reference, said.total, said.shipping, said.returned_at) == ("ord.shop.1.return.r1", 1700, 50, T0 + 9)
    assert [(line.sku, line.quantity, line.amount) for line in said.lines] == [("A", 2, 900)]


def test_what_never_left_or_is_not_shelved_is_not_booked():
    case = booked()
    case.hear(a_refund("r1", (("l1", 1, 500, "cancel"),)), "shop")
    case.hear(a_refund("r2", (("l1", 1, 500, "no_restock"),)), "shop")
    case.hear(a_refund("r3", (("no such line", 1, 500, "restock"),)), "shop")
    case.hear(a_refund("r4", ()), "psp")
    case.hear(a_refund("r5", status="failed"), "shop")
    assert returns(case) == []


def test_the_end_of_a_pending_refund_is_news_although_its_version_stays():
    case = booked()
    case.hear(a_refund(status="pending", amount=500), "shop")
    assert newer(case.state, a_refund()) and newer(case.state, a_refund(status="failed"))
    assert not newer(case.state, a_refund(status="pending"))
    case.hear(a_refund(), "shop")
    assert not newer(case.state, a_refund(status="pending")) and not newer(case.state, a_refund(status="failed"))


def test_no_more_comes_back_than_had_left():
    case = booked()
    case.hear(a_refund("r1", (("l1", 1, 500, "restock"),)), "shop")
    case.hear(a_refund("r2", (("l1", 2, 1000, "restock"),)), "shop")
    case.hear(a_refund("r3", (("l1", 1, 500, "restock"),)), "shop")
    assert returns(case) == [("r1", (UnitsOf("l1", 1),)), ("r2", (UnitsOf("l1", 1),))]


def test_a_return_waits_for_the_sale_that_it_undoes():
    case = a_case()
    case.hear(an_order())
    case.hear(a_refund(), "shop")
    assert returns(case) == [] and case.state.status == "released"
    case.hear(a_parcel())
    assert returns(case) == [] and case.asked[-1] == "PostSale"
    case.answer("sale", invoice="INV7")
    assert returns(case) == [("r1", (UnitsOf("l1", 1),))]
    case.answer("release.1")
    case.answer("confirm.p1")
    assert case.state.status == "invoiced", "the return is under way"
    case.answer("return.r1")
    assert case.state.status == "settled"


def test_an_erp_that_cannot_book_returns_is_not_asked(case):
    case.hear(an_order())
    case.hear(a_parcel())
    case.answer("sale")
    case.hear(a_refund(), "shop")
    assert "PostReturn" not in case.asked


def test_a_return_that_the_erp_refuses_is_named_although_the_order_has_ended():
    case = booked()
    case.hear(a_refund(), "shop")
    case.answer("return.r1", "rejected")
    assert case.state.status == "settled" and blocker(case.state).what == "rejected"
