"""What is booked, and owed, of an order of which not everything left."""

from msgspec.structs import replace

from mainstay.model.events import Asked, CancelAsked, Freed
from mainstay.model.objects import Line, Order
from mainstay.orders.view import command
from tests.orders.conftest import T0, Case, a_payment, an_order
from tests.orders.test_decide import a_parcel, moves


def an_order_of(*lines: Line, **more) -> Order:
    order = Order(number="#1", currency="EUR", placed_at=T0, lines=lines, total=0, **more)
    return replace(order, total=-order.difference())


def sale(case: Case):
    asked = next(event for event in case.events if isinstance(event, Asked) and event.command == "PostSale")
    return command(case.state, asked, T0)


def test_units_that_are_left_out_take_their_part_of_discount_and_tax_with_them():
    order = an_order_of(
        Line(id="1", sku="A", quantity=3, price=1000, discount=300, tax=513), Line(id="2", sku="B", quantity=1, price=500, tax=95),
        shipping=490, tax=701,
    )  # fmt: skip
    part = order.of([2, 0])
    assert [(line.quantity, line.discount, line.tax) for line in part.lines] == [(2, 200, 342), (0, 0, 0)]
    assert (part.total, part.tax, part.difference()) == (2 * 1000 - 200 + 490 + 701 - 171 - 95, 435, 0)
    assert order.of([3, 1]) is order


def test_tax_within_the_prices_goes_with_the_units_and_what_did_not_add_up_still_does_not():
    held = an_order_of(Line(id="1", sku="A", quantity=2, price=1190, tax=380), tax=380, taxes_included=True)
    assert (held.of([1]).total, held.of([1]).tax) == (1190, 190)
    wrong = replace(held, total=held.total + 7)
    assert (wrong.of([1]).total, wrong.of([1]).difference()) == (1197, 7)


def test_more_units_than_were_ordered_cost_nothing_more():
    order = an_order_of(Line(id="1", sku="A", quantity=1, price=1000, discount=100))
    assert order.of([3]).total == order.total and order.of([3]).difference() == 0


def test_the_booking_states_what_was_shipped(case):
    said = an_order(lines=(("A", 3, 500), ("B", 1, 900)), shipping=100, total=2500)
    case.hear(said)
    case.answer("release.1")
    case.hear(a_parcel("p1", [("l1", 2)]))
    lines = (replace(said.order.lines[0], cancelled=1), replace(said.order.lines[1], cancelled=1))
    case.hear(replace(said, version=2, order=replace(said.order, lines=lines)))
    case.answer("release.1.withdraw")
    booked = sale(case)
    assert [(line.sku, line.quantity) for line in booked.lines] == [("A", 2)]
    assert (booked.total, booked.shipping) == (1100, 100)


def test_units_that_are_cancelled_before_the_capture_are_not_captured(case):
    said = an_order(lines=(("A", 3, 500), ("B", 1, 900)), payments=("pi_1",))
    case.hear(said)
    case.hear(a_payment(amount=2400))
    case.answer("release.1")
    lines = (said.order.lines[0], replace(said.order.lines[1], cancelled=1))
    case.hear(replace(said, version=2, order=replace(said.order, lines=lines)))
    case.answer("release.1.withdraw")
    case.hear(a_parcel("p1", [("l1", 3)]))
    assert case.effects("CapturePayment") == [("pi_1", 1500)] and sale(case).total == 1500


def test_a_total_that_does_not_add_up_is_taken_as_it_is_stated(case):
    """Of three units one is cancelled, and the source states 1.00 for all of it: a person has accepted that."""
    said = an_order(lines=(("A", 3, 500),), payments=("pi_1",), total=100)
    line = replace(said.order.lines[0], cancelled=1)
    case.hear(replace(said, order=replace(said.order, lines=(line,))))
    case.tell(Freed(reason="totals_mismatch", by="ann", waived=True))
    assert case.state.status == "placed", "nothing is authorised yet"
    case.hear(a_payment(amount=100))
    case.hear(a_parcel())
    assert case.effects("CapturePayment") == [("pi_1", 100)]


def test_a_lifted_hold_ends_an_order_of_which_a_part_had_left(case):
    """Cancelled after the first of two parcels: what left is booked and taken once a person has accepted it."""
    case.hear(an_order(lines=(("A", 2, 500), ("B", 1, 900)), payments=("pi_1",)))
    case.hear(a_payment(amount=1900))
    case.answer("release.1")
    case.hear(a_parcel("p1", [("l1", 1)]))
    case.tell(CancelAsked(by="shop", reason="the buyer changed their mind"))
    case.answer("release.1.withdraw")
    assert case.state.status == "part_shipped" and "cancelled_after_shipment" in case.state.holds and "PostSale" not in case.asked
    assert moves(case.tell(Freed(reason="cancelled_after_shipment", by="ada", waived=True))) == ["ship"]
    assert [(line.sku, line.quantity) for line in sale(case).lines] == [("A", 1)] and sale(case).total == 500
    assert case.effects("CapturePayment") == [("pi_1", 500)], "what did not leave is not taken"
    for effect in ("sale", "capture.pi_1", "confirm.p1"):
        case.answer(effect)
    assert case.state.status == "settled" and not case.state.holds


def test_an_effect_that_a_person_has_settled_otherwise_is_waited_for_no_longer(case):
    """The warehouse refuses to give a release back; the operator suppresses the letter."""
    case.hear(an_order())
    case.answer("release.1")
    case.tell(CancelAsked(by="shop", reason="the buyer changed their mind"))
    case.answer("release.1.withdraw", "rejected")
    assert case.state.status == "cancelling"
    case.answer("release.1.withdraw", "waived")
    assert case.state.status == "cancelled" and case.state.shares == []
    assert "CancelOrder" in case.asked


def test_a_booking_and_a_capture_that_were_settled_by_hand_let_the_order_end(case):
    case.hear(an_order(payments=("pi_1",)))
    case.hear(a_payment())
    case.answer("release.1")
    case.hear(a_parcel())
    case.answer("confirm.p1")
    for effect in ("sale", "capture.pi_1"):
        case.answer(effect, "rejected")
        assert case.state.status in ("shipped", "invoiced")
        case.answer(effect, "waived")
    assert (case.state.status, case.state.invoice) == ("settled", "by hand")
