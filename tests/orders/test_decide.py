"""What follows for an order, branch by branch."""

import pytest
from msgspec.structs import replace

from mainstay.model.events import CancelAsked, Deallocated, Freed, Heard, Held, Moved, Share, Shipped
from mainstay.model.objects import Reference, UnitsOf
from mainstay.model.seen import FulfilmentSeen, InvoiceSeen, RefundSeen, SettlementLineSeen
from mainstay.orders import decide
from mainstay.orders.fold import MARKS_MAX, fold
from mainstay.orders.payments import DEAD_PAYMENTS
from mainstay.orders.view import blocker, command
from tests.orders.conftest import ITEMS, T0, Case, a_payment, an_order


def a_parcel(external="p1", lines=(), tracking=("1Z1",), status="shipped", version=1, at=T0 + 5) -> FulfilmentSeen:
    return FulfilmentSeen(
        external=external, version=version, at=at, of=Reference("order", "1"), status=status, carrier="ups",
        lines=tuple(UnitsOf(line, units) for line, units in lines), tracking=tracking,
    )  # fmt: skip


def moves(events):
    return [event.move for event in events if isinstance(event, Moved)]


# --- the straight way --------------------------------------------------------------------------------------------------
def test_an_order_that_is_paid_and_there_is_released_at_once(case):
    assert moves(case.hear(an_order())) == ["place", "pay", "allocate", "release"]
    assert case.asked == ["ReleaseOrder"] and case.state.effects["ord.shop.1:release.1"].lines == (UnitsOf("l1", 2),)


def test_two_lines_of_one_sku_are_released_line_by_line(case):
    case.hear(an_order(lines=(("A", 2, 500), ("A", 1, 400))))
    assert case.state.effects["ord.shop.1:release.1"].lines == (UnitsOf("l1", 2), UnitsOf("l2", 1))


def test_what_others_ship_and_what_is_not_shipped_is_not_released(case):
    assert moves(case.hear(an_order(fulfilled_by="marketplace"))) == ["place", "pay", "allocate", "ship"]
    assert case.state.shares == [] and "ReleaseOrder" not in case.asked


def test_cancelled_units_are_not_wanted(case):
    said = an_order(lines=(("A", 3, 500),))
    (line,) = said.order.lines
    case.hear(replace(said, order=replace(said.order, lines=(replace(line, cancelled=1),))))
    assert case.state.effects["ord.shop.1:release.1"].lines == (UnitsOf("l1", 2),)


def test_the_end_needs_shipment_booking_money_and_every_answer(case):
    case.hear(an_order(payments=("pi_1",)))
    case.hear(a_payment())
    case.answer("release.1")
    case.hear(a_parcel())
    assert case.state.status == "shipped" and case.asked == ["ReleaseOrder", "ConfirmFulfilment", "CapturePayment", "PostSale"]
    case.answer("sale", invoice="INV7")
    assert (case.state.status, case.state.invoice) == ("invoiced", "INV7")
    case.answer("confirm.p1")
    assert case.state.status == "invoiced", "the capture is not known to have happened"
    case.answer("capture.pi_1")
    assert case.state.status == "settled"


def test_a_shop_without_warehouse_and_books_settles_all_the_same():
    case = Case(warehouses={}, books={})
    case.hear(an_order())
    assert case.state.status == "allocated" and case.asked == []
    assert blocker(case.state).detail == "nobody is asked to ship: declare a warehouse, or ship and let the channel tell"
    case.hear(a_parcel(lines=[("l1", 2)]), "shop")
    assert case.state.status == "settled"


def test_without_a_warehouse_an_order_of_which_nothing_is_to_leave_is_over():
    case = Case(warehouses={}, books={})
    said = an_order()
    case.hear(said)
    off = tuple(replace(line, cancelled=line.quantity) for line in said.order.lines)
    case.hear(replace(said, version=said.version + 1, order=replace(said.order, lines=off)))
    assert case.state.status == "settled" and case.asked == []
    downloads = Case(warehouses={}, books={})
    lines = tuple(replace(line, ships=False) for line in said.order.lines)
    downloads.hear(replace(said, order=replace(said.order, lines=lines)))
    assert downloads.state.status == "settled" and downloads.asked == []


# --- payment -----------------------------------------------------------------------------------------------------------
def test_two_payments_are_captured_up_to_what_is_due(case):
    case.hear(an_order(payments=("pi_1", "pi_2")))
    case.hear(a_payment("pi_1", 700))
    assert case.state.status == "placed", "only 7.00 of 10.00 are authorised"
    case.hear(a_payment("pi_2", 500))
    case.hear(a_parcel())
    assert case.effects("CapturePayment") == [("pi_1", 700), ("pi_2", 300)]


def test_what_was_captured_already_is_not_captured_again(case):
    case.hear(an_order(payments=("pi_1", "pi_2")))
    case.hear(a_payment("pi_1", 700, "captured"))
    case.hear(a_payment("pi_2", 500))
    case.hear(a_parcel())
    assert case.effects("CapturePayment") == [("pi_2", 300)]


def test_a_capture_under_way_counts_when_another_payment_appears(case):
    case.hear(an_order(payments=("pi_1",)))
    case.hear(a_payment("pi_1", 1000))
    case.hear(a_parcel())
    case.hear(a_payment("pi_2", 1000))
    assert case.effects("CapturePayment") == [("pi_1", 1000)], "everything that is due is being taken already"


def test_gift_cards_are_not_captured(case):
    case.hear(an_order(payments=("pi_1",), gift_cards=400))
    case.hear(a_payment("pi_1", 600))
    case.hear(a_parcel())
    assert case.effects("CapturePayment") == [("pi_1", 600)]


def test_capture_at_the_order_where_the_shop_wants_it():
    case = Case(capture="order")
    case.hear(an_order(payments=("pi_1",)))
    case.hear(a_payment())
    assert case.asked == ["ReleaseOrder", "CapturePayment"]


@pytest.mark.parametrize("status", sorted(DEAD_PAYMENTS))
def test_a_dead_authorisation_pays_nothing(case, status):
    case.hear(an_order(payments=("pi_1",)))
    case.hear(a_payment(status=status))
    assert case.state.status == "placed" and blocker(case.state).what == "payment"


def test_the_shops_word_counts_only_where_no_provider_is_named(case):
    case.hear(an_order(payment="pending"))
    assert case.state.status == "placed"
    case.hear(an_order(payment="authorised", version=2))
    assert case.state.status == "released"


def test_nothing_is_due_so_nothing_is_waited_for(case):
    case.hear(an_order(payment="pending", gift_cards=1000))
    assert case.state.status == "released"


# --- parcels -----------------------------------------------------------------------------------------------------------
def released(stock=None, lines=(("A", 2, 500), ("B", 1, 300)), **policy) -> Case:
    case = Case(stock, **policy)
    case.hear(an_order(lines=lines))
    assert case.state.status == "released"
    return case


def test_a_parcel_without_lines_takes_all_that_was_released():
    case = released()
    case.hear(a_parcel())
    assert case.state.status == "shipped" and case.state.parcels["p1"].units == [UnitsOf("l1", 2), UnitsOf("l2", 1)]


def test_a_part_leaves_and_the_channel_is_told_of_that_part():
    case = released()
    case.hear(a_parcel(lines=[("l1", 1)]))
    assert case.state.status == "part_shipped"
    assert case.state.effects["ord.shop.1:confirm.p1"].lines == (UnitsOf("l1", 1),)
    case.hear(a_parcel("p2", [("l1", 1), ("l2", 1)], ("1Z2",)))
    assert case.state.status == "shipped" and case.asked.count("ConfirmFulfilment") == 2


def test_a_parcel_that_is_told_twice_leaves_once():
    case = released()
    case.hear(a_parcel(lines=[("l1", 2)]))
    case.hear(a_parcel(lines=[("l1", 2)], status="delivered", version=2))
    assert [share.shipped for share in case.state.shares] == [2, 0]
    assert sum(isinstance(event, Shipped) for event in case.events) == 1


@pytest.mark.parametrize("status", ["pending", "failed", "cancelled"])
def test_a_parcel_that_did_not_leave_takes_nothing(status):
    case = released()
    case.hear(a_parcel(status=status))
    assert case.state.status == "released" and not case.state.parcels["p1"].counted


def test_units_beyond_the_allocation_are_named_and_held():
    case = released(lines=(("A", 2, 500),))
    events = case.hear(a_parcel(lines=[("l1", 5)]))
    (shipped,) = [event for event in events if isinstance(event, Shipped)]
    assert [share.quantity for share in shipped.shares] == [2] and [share.quantity for share in shipped.beyond] == [3]
    assert case.state.status == "shipped" and "3 units" in case.state.holds["shipped_beyond_allocation"]


def test_a_line_that_nobody_knows_is_named_and_the_others_leave():
    case = released(lines=(("A", 2, 500),))
    case.hear(a_parcel(lines=[("no such line", 1), ("l1", 2)]))
    assert case.state.status == "shipped"
    assert case.state.holds == {"unknown_parcel_line": "parcel p1 held 1 units of line no such line, which the order does not have"}
    assert blocker(case.state).what == "unknown_parcel_line"


def test_a_parcel_of_nothing_that_is_known_ships_nothing():
    case = released(lines=(("A", 2, 500),))
    case.hear(a_parcel(lines=[("9", 1)]))
    assert case.state.status == "released" and "line 9" in case.state.holds["unknown_parcel_line"]
    case.tell(Freed(reason="unknown_parcel_line", by="ann", waived=True))
    assert not case.state.holds, "a person has looked"


def test_a_line_that_comes_after_its_parcel_has_left_already():
    """The edit that brings l2 is told after the parcel with its unit: it is not sent a second time."""
    case = released(lines=(("A", 2, 500),))
    case.hear(a_parcel(lines=[("l1", 2), ("l2", 1)]))
    case.hear(a_parcel(lines=[("l1", 2), ("l2", 1)], status="delivered", version=2))
    assert "unknown_parcel_line" in case.state.holds
    case.hear(an_order(lines=(("A", 2, 500), ("B", 1, 300)), version=2))
    assert "unknown_parcel_line" not in case.state.holds and case.asked.count("ReleaseOrder") == 1
    assert sum(share.shipped for share in case.state.shares if share.item == ITEMS["B"]) == 1


def test_the_channels_echo_of_our_parcel_ships_nothing_again():
    """We told the shop of p1; it now tells us of "its" fulfilment 987 with the same tracking number."""
    case = released()
    case.hear(a_parcel(lines=[("l1", 1)]))
    events = case.hear(a_parcel("987", [("l1", 1)]), "shop")
    assert [event for event in events if isinstance(event, Shipped)] == [Shipped(parcel="987", shares=())]
    assert case.state.status == "part_shipped" and [share.shipped for share in case.state.shares] == [1, 0]
    assert case.asked.count("ConfirmFulfilment") == 1, "and it is not told of its own echo"


def test_of_parcels_that_are_told_at_once_each_takes_its_own_units_though_none_is_wanted_any_more():
    """Both had left when all was taken off; the order is complete only when both are counted."""
    case = released()
    taken_off = tuple(replace(line, cancelled=line.quantity) for line in case.state.order.lines)
    for parcel in (a_parcel("p1", [("l1", 1)]), a_parcel("p2", [("l1", 1), ("l2", 1)], ("1Z2",))):
        fold(case.state, Heard(system="wms", said=parcel), ITEMS.__getitem__)
    case.hear(replace(an_order(), version=2, order=replace(case.state.order, lines=taken_off, total=0)), "shop")
    assert "shipped_beyond_allocation" not in case.state.holds
    assert [(share.quantity, share.shipped) for share in case.state.shares] == [(2, 2), (1, 1)]


def test_a_parcel_that_its_channel_tells_of_first_ships_nothing_again():
    """After a restore the shop may say what we had told it before the warehouse is read again."""
    case = released()
    case.hear(a_parcel("987", [("l1", 1)]), "shop")
    events = case.hear(a_parcel(lines=[("l1", 1)]))
    assert [event for event in events if isinstance(event, Shipped)] == [Shipped(parcel="p1", shares=())]
    assert case.state.status == "part_shipped" and [share.shipped for share in case.state.shares] == [1, 0]


def test_an_echo_without_tracking_is_known_because_nothing_is_left():
    case = released()
    case.hear(a_parcel())
    case.hear(a_parcel("987", [("l1", 2), ("l2", 1)], ()), "shop")
    assert case.state.status == "shipped" and not case.state.holds


def test_a_parcel_that_the_channel_shipped_itself_counts():
    case = released()
    case.hear(a_parcel(lines=[("l1", 2)]))
    case.hear(a_parcel("988", [("l2", 1)], ("DHL7",)), "shop")
    assert case.state.status == "shipped" and case.asked.count("ConfirmFulfilment") == 1


# --- shortage ----------------------------------------------------------------------------------------------------------
def test_what_is_there_goes_first_and_the_rest_follows():
    case = Case({"A": 1})
    case.hear(an_order())
    assert case.state.status == "released" and case.state.short == {1: 1}
    case.hear(a_parcel(lines=[("l1", 1)]))
    assert case.state.status == "part_shipped"
    case.stock[1] = 5
    case.tell()
    assert case.state.effects["ord.shop.1:release.2"].lines == (UnitsOf("l1", 1),) and not case.state.short
    case.hear(a_parcel("p2", [("l1", 1)], ("1Z2",)))
    assert case.state.status == "shipped"


def test_a_shop_that_does_not_split_waits_for_all_of_it():
    case = Case({"A": 1}, partial_shipment=False)
    case.hear(an_order())
    assert case.state.status == "backordered" and case.asked == []
    case.stock[1] = 1
    case.tell()
    assert case.state.status == "released" and case.state.effects["ord.shop.1:release.1"].lines == (UnitsOf("l1", 2),)


def test_a_shop_that_cancels_what_is_not_there():
    case = Case({"A": 1}, shortage="cancel")
    events = case.hear(an_order(payments=("pi_1",)))
    assert case.state.status == "placed"
    events = case.hear(a_payment())
    assert CancelAsked(by="mainstay", reason="sold but not in stock") in events
    assert case.state.status == "cancelled" and case.asked == ["VoidPayment", "CancelOrder"] and not case.state.short


# --- holds -------------------------------------------------------------------------------------------------------------
def test_a_held_order_goes_on_when_the_hold_is_freed(case):
    case.hear(an_order(total=1234))
    assert case.state.status == "held" and case.state.holds["totals_mismatch"] == "the source states 12.34 EUR, its parts sum to 10.00"
    assert blocker(case.state).what == "totals_mismatch"
    case.tell(Freed(reason="totals_mismatch", by="ann"), Held(reason="address"))
    assert case.state.status == "held"


def test_a_hold_stops_an_order_that_is_not_released_yet():
    case = Case({"A": 0})
    case.hear(an_order())
    assert case.state.status == "backordered"
    case.tell(Held(reason="fraud"))
    case.stock[1] = 5
    case.tell()
    assert case.state.status == "held" and case.asked == []
    case.tell(Freed(reason="fraud"))
    assert case.state.status == "released"


def test_totals_are_not_looked_at_where_the_shop_does_not_want_it():
    case = Case(hold_totals=False)
    case.hear(an_order(total=1234))
    assert case.state.status == "released"


def test_what_is_to_be_shipped_nowhere_is_held_where_the_shop_wants_it():
    case = Case(hold_address=True)
    case.hear(an_order())
    assert case.state.status == "held" and list(case.state.holds) == ["address_incomplete"] and case.asked == []
    case.tell(Heard(system="shop", said=an_order(version=2), addressed=True))
    assert case.state.status == "released" and case.state.holds == {}
    case.tell(Heard(system="shop", said=an_order(version=3)))
    assert case.state.holds == {}, "an edit that says nothing of the address takes none away"


def test_a_person_may_ship_to_an_address_that_is_not_whole():
    case = Case(hold_address=True)
    case.hear(an_order())
    case.tell(Freed(reason="address_incomplete", by="ann", waived=True))
    assert case.state.status == "released"


@pytest.mark.parametrize("said", [{}, {"hold_address": True}])
def test_goods_over_the_counter_need_no_address(said):
    case = Case(**said)
    case.tell(Heard(system="shop", said=an_order()), Heard(system="shop", said=a_parcel("p1", status="delivered")))
    assert case.state.holds == {}


# --- undoing -----------------------------------------------------------------------------------------------------------
def test_before_release_everything_is_undone_at_once():
    case = Case({"A": 1}, partial_shipment=False)
    case.hear(an_order(payments=("pi_1",)))
    case.hear(a_payment())
    events = case.hear(an_order(payments=("pi_1",), version=2, cancelled_at=T0))
    assert Deallocated(shares=(Share(0, 1, 1, 1),), reason="cancelled at its source") in events
    assert case.state.status == "cancelled" and case.asked == ["VoidPayment"], "its source knows: it is not told"


def test_after_release_the_warehouse_answers_first(case):
    case.hear(an_order())
    case.tell(CancelAsked(by="ann", reason="wrong address"))
    assert case.state.status == "cancelling" and case.asked == ["ReleaseOrder", "CancelRelease"]
    assert sum(share.quantity for share in case.state.shares) == 2, "the goods are still spoken for"
    case.answer("release.1.withdraw", "rejected")
    assert case.state.status == "cancelling" and blocker(case.state).what == "rejected"


def test_after_shipping_a_person_decides():
    case = released()
    case.hear(a_parcel())
    case.tell(CancelAsked(by="shop", reason="changed their mind"))
    assert case.state.status == "shipped" and case.state.holds == {"cancelled_after_shipment": "changed their mind"}
    assert "CancelRelease" not in case.asked


def test_what_its_source_cancels_when_it_had_left_is_to_be_paid_though_nothing_more_is_heard(case):
    """A marketplace that gives its buyer the money back, and counts the units as cancelled."""
    case.hear(an_order())
    case.hear(a_parcel())
    undone = an_order(version=2, payment="voided", cancelled_at=T0 + 9)
    lines = tuple(replace(line, cancelled=line.quantity) for line in undone.order.lines)
    case.hear(replace(undone, order=replace(undone.order, lines=lines)))
    assert set(case.state.holds) == {"cancelled_after_shipment", "payment_lost"}


def test_what_has_not_left_yet_of_a_cancelled_order_is_withdrawn_and_freed():
    case = released()
    case.hear(a_parcel(lines=[("l1", 1)]))
    case.tell(CancelAsked(by="shop", reason="changed their mind"))
    assert case.state.status == "cancelling" and case.state.holds == {"cancelled_after_shipment": "changed their mind"}
    assert case.asked.count("CancelRelease") == 1 and sum(share.quantity for share in case.state.shares) == 3, "still spoken for"
    case.answer("release.1.withdraw")
    assert case.state.status == "part_shipped" and [(one.quantity, one.shipped) for one in case.state.shares] == [(1, 1)]
    assert "PostSale" not in case.asked and blocker(case.state).what == "cancelled_after_shipment"
    case.tell()
    assert case.state.status == "part_shipped" and case.asked.count("ReleaseOrder") == 1


def test_a_part_that_leaves_while_the_order_is_cancelled_is_named_and_the_rest_is_freed(case):
    case.hear(an_order())
    case.tell(CancelAsked(by="ann", reason="oops"))
    case.hear(a_parcel(lines=[("l1", 1)]))
    assert case.state.status == "cancelling" and "cancelled_after_shipment" in case.state.holds
    case.answer("release.1.withdraw")
    assert case.state.status == "part_shipped" and [(one.quantity, one.shipped) for one in case.state.shares] == [(1, 1)]


def less(units: int, version: int = 2) -> object:
    """The order of two A, of which so many were taken off again."""
    said = an_order(version=version)
    (line,) = said.order.lines
    return replace(said, order=replace(said.order, lines=(replace(line, cancelled=units),)))


def test_units_that_are_taken_off_after_release_are_withdrawn_and_the_rest_is_released_anew(case):
    case.hear(an_order())
    case.hear(less(1))
    assert case.asked == ["ReleaseOrder", "CancelRelease"] and case.state.status == "released"
    case.tell()
    assert case.asked == ["ReleaseOrder", "CancelRelease"], "nothing is released before the warehouse has answered"
    case.answer("release.1.withdraw")
    assert case.state.effects["ord.shop.1:release.2"].lines == (UnitsOf("l1", 1),)
    assert Deallocated(shares=(Share(0, 1, 1, 1),), reason="no longer wanted") in case.events
    case.hear(a_parcel())
    assert case.state.status == "shipped" and not case.state.holds and sum(share.shipped for share in case.state.shares) == 1


@pytest.mark.parametrize("first", ["cancelled", "left"])
def test_units_that_were_taken_off_and_left_all_the_same_are_named(case, first):
    case.hear(an_order())
    for said in (less(1), a_parcel(lines=[("l1", 2)])) if first == "cancelled" else (a_parcel(lines=[("l1", 2)]), less(1)):
        case.hear(said)
    assert case.state.status == "shipped" and case.state.holds == {"shipped_after_cancel": "1 units left although they were cancelled"}
    assert sum(share.shipped for share in case.state.shares) == 2


def test_what_had_left_before_the_withdrawal_is_not_sent_again(case):
    """The answer brings the parcel that had left: one of two, and one was taken off."""
    case.hear(an_order())
    case.hear(less(1))
    case.hear(a_parcel(lines=[("l1", 1)]))
    case.answer("release.1.withdraw")
    assert case.state.status == "shipped" and case.asked.count("ReleaseOrder") == 1 and not case.state.holds


def test_the_last_units_are_taken_off_when_the_others_have_left(case):
    case.hear(an_order())
    case.hear(a_parcel(lines=[("l1", 1)]))
    case.hear(less(1))
    assert case.state.status == "part_shipped" and case.asked[-1] == "CancelRelease"
    case.answer("release.1.withdraw")
    assert case.state.status == "shipped" and [(one.quantity, one.shipped) for one in case.state.shares] == [(1, 1)]


def test_a_release_that_has_left_is_not_asked_back():
    case = Case({"A": 1})
    case.hear(an_order(lines=(("A", 3, 500),)))
    case.hear(a_parcel(lines=[("l1", 1)]))
    case.stock[1] = 2
    case.tell()
    case.tell(CancelAsked(by="ann", reason="oops"))
    assert case.effects("CancelRelease") == [("2", 0)]


def test_our_own_capture_is_refunded_and_nobody_elses():
    case = Case(capture="order")
    case.hear(an_order(payments=("pi_1",)))
    case.hear(a_payment())
    case.answer("capture.pi_1")
    case.tell(CancelAsked(by="ann", reason="oops"))
    case.answer("release.1.withdraw")
    assert case.effects("RefundPayment") == [("pi_1", 1000)] and case.effects("VoidPayment") == []


def test_what_its_provider_gave_back_already_is_not_refunded_again():
    case = Case(capture="order")
    case.hear(an_order(payments=("pi_1",)))
    case.hear(a_payment())
    case.answer("capture.pi_1")
    case.hear(replace(a_payment(status="captured", version=2), refunded=300))
    case.tell(CancelAsked(by="ann", reason="oops"))
    case.answer("release.1.withdraw")
    assert case.effects("RefundPayment") == [("pi_1", 700)]


def test_a_parcel_after_the_cancellation_is_named():
    case = Case({"A": 1}, partial_shipment=False)
    case.hear(an_order())
    case.hear(an_order(version=2, cancelled_at=T0))
    assert case.state.status == "cancelled"
    case.hear(a_parcel(lines=[("l1", 1)]))
    assert case.state.status == "cancelled" and "p1 left although" in case.state.holds["shipped_after_cancel"]


def test_lines_that_an_edit_took_off_are_freed():
    case = Case({"A": 5, "B": 0}, partial_shipment=False)
    case.hear(an_order(lines=(("A", 4, 500), ("B", 1, 300))))
    events = case.hear(an_order(lines=(("A", 1, 500), ("B", 1, 300)), version=2))
    assert Deallocated(shares=(Share(0, 1, 1, 3),), reason="no longer wanted") in events
    case.hear(an_order(lines=(("B", 1, 300),), ids=("l2",), version=3))
    assert case.state.shares == []


def test_a_line_that_becomes_another_sku_gives_its_units_back():
    case = Case({"A": 5, "B": 0}, partial_shipment=False)
    case.hear(an_order(lines=(("A", 2, 500), ("B", 1, 300))))
    events = case.hear(an_order(lines=(("B", 2, 500), ("B", 1, 300)), version=2))
    assert [event.shares[0].item for event in events if isinstance(event, Deallocated)] == [1]
    assert case.state.short == {2: 3}


def test_lines_that_come_and_go_after_release_stop_nothing():
    case = released()
    case.hear(an_order(lines=(("A", 2, 500),), version=2))
    case.hear(an_order(lines=(("A", 2, 500), ("C", 1, 900)), ids=("l1", "l3"), version=3))
    assert case.asked == ["ReleaseOrder", "CancelRelease"]
    case.answer("release.1.withdraw")
    assert case.state.effects["ord.shop.1:release.2"].lines == (UnitsOf("l1", 2), UnitsOf("l3", 1))
    case.hear(a_parcel())
    assert case.state.status == "shipped" and case.state.parcels["p1"].units == [UnitsOf("l1", 2), UnitsOf("l3", 1)]


def test_two_lines_of_one_sku_that_vanish_together_give_back_both():
    case = Case({"A": 5, "B": 0}, partial_shipment=False)
    case.hear(an_order(lines=(("A", 2, 500), ("A", 1, 500), ("B", 1, 300))))
    case.hear(an_order(lines=(("B", 1, 300),), ids=("l3",), version=2))
    assert case.state.shares == [] and case.state.short == {2: 1}


def taken_off_after_release():
    """One unit of three is still wanted, and has left; whether the others have is not known."""
    case = released(lines=(("A", 3, 500),))
    case.hear(an_order(lines=(("A", 1, 500),), version=2))
    case.hear(a_parcel(lines=[("l1", 1)]))
    assert case.state.status == "part_shipped" and "PostSale" not in case.asked
    return case


@pytest.mark.parametrize("outcome", ["done", "waived"])
def test_units_that_were_taken_off_after_release_are_free_when_the_warehouse_has_given_them_back(outcome):
    case = taken_off_after_release()
    events = case.answer("release.1.withdraw", outcome)
    assert Deallocated(shares=(Share(0, 1, 1, 2),), reason="no longer wanted") in events
    assert case.state.status == "shipped" and [(one.quantity, one.shipped) for one in case.state.shares] == [(1, 1)]


def test_units_that_were_taken_off_after_release_and_left_all_the_same_are_named_and_off_the_shelf():
    """Their parcel is heard of after the others': their sale is not booked before, as the ERP would keep them."""
    case = taken_off_after_release()
    case.answer("release.1.withdraw", "rejected")
    case.hear(a_parcel("p2", lines=[("l1", 2)]))
    assert case.state.status == "shipped" and "shipped_after_cancel" in case.state.holds
    assert [(one.quantity, one.shipped) for one in case.state.shares] == [(3, 3)]


def test_units_that_are_wanted_after_all_hold_nothing_any_more():
    """They left when they were not wanted, as a mapping was wrong; read again, the order wants them."""
    case = taken_off_after_release()
    case.hear(a_parcel("p2", lines=[("l1", 2)]))
    assert case.state.holds == {"shipped_after_cancel": "2 units left although they were cancelled"}
    case.hear(an_order(lines=(("A", 3, 500),), version=3))
    assert "shipped_after_cancel" not in case.state.holds


def test_an_order_of_which_nothing_was_left_to_send_is_cancelled_without_a_word():
    case = released(lines=(("A", 1, 500),))
    nothing = an_order(lines=(("A", 1, 500),), version=2)
    nothing = replace(nothing, order=replace(nothing.order, lines=(replace(nothing.order.lines[0], cancelled=1),)))
    case.hear(nothing)
    case.answer("release.1.withdraw")
    assert case.state.status == "shipped" and not any(case.state.left())
    case.hear(replace(nothing, version=3, order=replace(nothing.order, cancelled_at=T0 + 9)))
    assert "cancelled_after_shipment" not in case.state.holds


# --- what is news ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "said",
    [
        an_order(version=3),
        a_payment(version=3),
        a_parcel(version=3),
        RefundSeen(external="re_1", version=3, of=Reference("order", "1"), currency="EUR", amount=100),
    ],
    ids=lambda said: type(said).__name__,
)
def test_only_a_later_version_is_news(case, said):
    assert decide.newer(case.state, said)
    fold(case.state, Heard(system="shop", said=said), ITEMS.__getitem__)
    assert not decide.newer(case.state, said)
    assert not decide.newer(case.state, replace(said, version=2))
    assert decide.newer(case.state, replace(said, version=4))


def test_a_fee_and_an_invoice_are_news_once(case):
    fee = SettlementLineSeen(external="txn_1", kind="charge", currency="EUR", gross=1000, net=970, fee=30)
    invoice = InvoiceSeen(external="7", of=Reference("order", "1"), state="posted", number="INV7")
    for said in (fee, invoice):
        assert decide.newer(case.state, said)
        fold(case.state, Heard(system="psp", said=said), ITEMS.__getitem__)
        assert not decide.newer(case.state, said)


# --- the fold's own guards ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Deallocated(shares=(Share(0, 1, 1, 3),), reason=""), "freed more than is held"),
        (Deallocated(shares=(Share(0, 1, 9, 1),), reason=""), "freed more than is held"),
        (Shipped(parcel="p9", shares=(Share(0, 1, 1, 3),)), "shipped more than is held"),
    ],
)
def test_a_decision_that_cannot_be_is_a_bug(case, event, text):
    case.hear(an_order())
    with pytest.raises(AssertionError, match=text):
        fold(case.state, event, ITEMS.__getitem__)


def test_an_effect_is_asked_once(case):
    case.hear(an_order())
    with pytest.raises(AssertionError, match=r"release\.1 was asked twice"):
        case.fold(next(event for event in case.events if type(event).__name__ == "Asked"))


def test_a_move_that_is_not_allowed_stops_the_fold(case):
    with pytest.raises(ValueError, match="cannot settle"):
        case.fold(Moved(move="settle"))


def test_marks_are_kept_within_bounds(case):
    for mark in range(1, 3 * MARKS_MAX):
        fold(case.state, Heard(system="shop", said=an_order(version=mark), mark=mark), ITEMS.__getitem__)
    assert len(case.state.marks) == MARKS_MAX and case.state.marks[-1] == 3 * MARKS_MAX - 1


# --- commands ----------------------------------------------------------------------------------------------------------
def test_what_is_asked_can_be_said(case):
    """Every effect has its command, and it carries the order's own words."""
    case.hear(an_order(payments=("pi_1",)))
    case.hear(a_payment())
    case.answer("release.1", release="ss-55")
    case.hear(a_parcel())
    case.tell(CancelAsked(by="ann", reason="oops"))
    said = {event.command: command(case.state, event, T0) for event in case.events if type(event).__name__ == "Asked"}
    assert said["ReleaseOrder"].release == "rel.shop.1.1" and said["ReleaseOrder"].total == 1000
    assert (said["CapturePayment"].payment, said["CapturePayment"].amount) == ("pi_1", 1000)
    assert said["ConfirmFulfilment"].order == "1" and said["ConfirmFulfilment"].shipped_at == T0 + 5
    assert said["PostSale"].reference == "ord.shop.1" and said["PostSale"].lines[0].quantity == 2
