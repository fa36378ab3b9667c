"""The domain's hard cases, each as a short story: what came in, and what must be true at its end. The log gives each state back."""

import msgspec
import pytest
from msgspec.structs import replace

from mainstay.flows.journey import status, stock
from mainstay.flows.propagate import Propagate, places
from mainstay.flows.statements import statement
from mainstay.model.objects import Person, Reference, RefundLine, ReturnLine, Variant
from mainstay.model.seen import CustomerSeen, PaymentSeen, PriceSeen, ProductSeen, RefundSeen, ReturnSeen, StockCounted, StockMoved
from mainstay.model.times import DAY
from mainstay.orders.view import blocker
from mainstay.stock.view import ChannelPolicy
from mainstay.storage.inbox import Receipt
from mainstay.storage.packing import unpack
from tests.flows.conftest import POLICY, T0, Core, a_parcel, a_payment, an_order
from tests.flows.test_addresses import ada, addresses
from tests.flows.test_order_lifecycle import balances, intents, to_the_end


@pytest.fixture
def core(tmp_path):
    """A shop whose ERP books what comes back."""
    return Core(tmp_path / "state.db", replace(POLICY, can={**POLICY.can, "erp": frozenset({"PostSale", "PostReturn"})}))


ADA = Person(id="c1", name="Ada Lovelace", email="ada@example.com")


def counted(sku, units, location="", at=0):
    return StockCounted(external=f"c-{sku}-{location}", at=at, item=f"i-{sku}", sku=sku, quantity=units, location=location)


def refund(amount, external="re_1", version=1, lines=(), of=None, **more):
    return RefundSeen(
        external=external, version=version, at=T0, of=of or Reference("payment", "pi_1"), currency="EUR", amount=amount, lines=tuple(lines),
        **more,
    )  # fmt: skip


def paid(core, lines=(("A", 2, 500),), amount=1000, captured=False, **more):
    """An order that its provider vouches for."""
    core.say("shop", an_order(lines=lines, payments=("pi_1",), **more))
    core.say("psp", a_payment(status="captured" if captured else "authorised", amount=amount))
    return core.order()


# --- shipping ----------------------------------------------------------------------------------------------------------
def two_stores(core):
    """One unit stands in the north and two in the south, and an order wants all of them."""
    for location, units in (("north", 1), ("south", 2)):
        core.say("erp", counted("A", units, location, core.now))
    return paid(core, lines=(("A", 3, 500),), amount=1500)


def releases(core):
    """What each warehouse was asked for: its location and units, by release."""
    asked = [one for one in core.intents() if one["command"] == "ReleaseOrder"]
    return {one["release"]: (one["location"], [line["quantity"] for line in one["lines"]]) for one in asked}


def test_an_order_is_split_over_two_locations(proved):
    """Each is asked for what it holds, and the sale is booked as the units left: here by the parcel of the second one first."""
    order = two_stores(proved)
    assert order.status == "released"
    assert releases(proved) == {"rel.shop.1.1": ("north", [1]), "rel.shop.1.2": ("south", [2])}
    proved.say("wms", a_parcel("p2", "rel.shop.1.2"))
    assert proved.order().status == "part_shipped"
    assert proved.rows("SELECT on_hand, allocated FROM stock ORDER BY id") == [(1, 1), (0, 0)]
    proved.say("wms", a_parcel("p1", "rel.shop.1.1", (("1", 1),)))
    (sale,) = [one for one in proved.intents() if one["command"] == "PostSale"]
    assert (sale["location"], sale["elsewhere"]) == ("south", [{"line": "1", "location": "north", "quantity": 1}])
    assert proved.rows("SELECT on_hand, allocated, unbooked FROM stock ORDER BY id") == [(0, 0, 1), (0, 0, 2)]


def test_a_parcel_by_the_warehouses_own_number_is_of_its_location(proved):
    """As of an old account, which names no key of ours: the number came with the answer to the release."""
    two_stores(proved)
    proved.answer("ord.shop.1:release.2", proved.order().id, release="4711")
    proved.say("wms", replace(a_parcel("p2", ""), of=Reference("release", "4711")))
    assert proved.rows("SELECT on_hand, allocated FROM stock ORDER BY id") == [(1, 1), (0, 0)]


def test_a_parcel_that_names_no_lines_holds_its_own_release_alone(proved):
    """One unit is released when it is there, the other when it comes: as of an order that was sent outside the warehouse system."""
    proved.count("A", 1)
    paid(proved)
    proved.say("erp", StockMoved(external="m1", at=proved.now, item="i-A", sku="A", delta=1, reason="supplier"))
    assert [units for _, units in releases(proved).values()] == [[1], [1]]
    proved.say("wms", a_parcel("p2", "rel.shop.1.2"))
    assert proved.order().status == "part_shipped" and proved.level("A")["allocated"] == 1


def test_of_a_split_order_that_is_cancelled_what_has_not_left_is_asked_back(proved):
    """The first location's units are on their way; only the second one is asked, and its units are free again."""
    order = two_stores(proved)
    proved.say("wms", a_parcel("p1", "rel.shop.1.1"))
    proved.say(
        "shop", replace(an_order(lines=(("A", 3, 500),), payments=("pi_1",)), version=2, order=replace(order.order, cancelled_at=T0))
    )
    assert [one["release"] for one in proved.intents() if one["command"] == "CancelRelease"] == ["rel.shop.1.2"]
    proved.answer("ord.shop.1:release.2.withdraw", order.id)
    assert proved.rows("SELECT on_hand, allocated FROM stock ORDER BY id") == [(0, 0), (2, 0)]


def test_where_nothing_is_split_what_comes_later_elsewhere_is_not_added(proved):
    """One unit lies north and one is missing: it is taken from the north, too, when it comes, and not from the south."""
    proved.intake.shop = proved.shop = replace(proved.shop, split=False)
    proved.intake.turns.shop = proved.shop
    for location, units in (("north", 1), ("south", 0)):
        proved.say("erp", counted("A", units, location, proved.now))
    assert paid(proved).short
    proved.say("erp", StockMoved(external="m1", at=proved.now, item="i-A", sku="A", delta=1, location="south"))
    assert proved.order().short and len(proved.order().shares) == 1
    proved.say("erp", StockMoved(external="m2", at=proved.now, item="i-A", sku="A", delta=1, location="north"))
    assert not proved.order().short and [share.quantity for share in proved.order().shares] == [2]


def test_where_nothing_is_split_no_channel_is_promised_a_sum(proved):
    """Each store has one: two of them are refused, with what the caller could have."""
    proved.intake.shop = proved.shop = replace(proved.shop, split=False)
    proved.intake.turns.shop = proved.shop
    for location in ("north", "south"):
        proved.say("erp", counted("A", 1, location, proved.now))
    status, told = proved.ask("till", "api/reserve", "k1", {"lines": [{"sku": "A", "quantity": 2}]})
    assert (status, told["short"][0]["available"]) == (409, 1)
    assert proved.ask("till", "api/reserve", "k2", {"lines": [{"sku": "A", "quantity": 1}]})[0] == 201


@pytest.mark.parametrize("restarted", [False, True])
def test_the_store_that_serves_is_the_same_after_a_restart(proved, restarted):
    """North was heard of before south, but of this item south was: what is asked first does not hang on what is still in memory."""
    for sku, location in (("B", "north"), ("A", "south"), ("A", "north")):
        proved.say("erp", counted(sku, 1, location, proved.now))
    if restarted:
        proved.intake.world.reset()
    (share,) = paid(proved, lines=(("A", 1, 500),), amount=500).shares
    assert places(proved.state)[share.location] == "north"


def test_a_partial_shipment_then_a_late_one(proved):
    """One unit leaves, the other a month later: each parcel is confirmed once, and the order ends with the second."""
    proved.count("A", 5)
    paid(proved)
    proved.say("wms", a_parcel("p1", "rel.shop.1.1", [("1", 1)]))
    assert proved.order().status == "part_shipped" and proved.level("A")["on_hand"] == 4
    proved.wait(30 * DAY)
    proved.say("wms", a_parcel("p2", "rel.shop.1.1", [("1", 1)]))
    assert proved.order().status == "shipped" and proved.level("A") == {**proved.level("A"), "on_hand": 3, "allocated": 0}
    assert intents(proved).count("ConfirmFulfilment") == 2


def test_a_line_that_is_out_of_stock_waits_and_the_rest_is_not_sold_twice(proved):
    proved.count("A", 5)
    proved.count("B", 0)
    order = paid(proved, lines=(("A", 2, 300), ("B", 1, 400)))
    assert list(order.short.values()) == [1] and proved.level("A")["allocated"] == 2 and order.status == "released", "A may leave"
    proved.say("erp", StockMoved(external="m1", at=proved.now, item="i-B", sku="B", delta=1))
    assert proved.order().short == {} and proved.level("B")["allocated"] == 1
    assert [len(one["lines"]) for one in proved.intents() if one["command"] == "ReleaseOrder"] == [1, 1], "each line was released once"


def test_a_part_is_cancelled_and_only_the_rest_is_paid_and_shipped(proved):
    proved.count("A", 5)
    said = an_order(payments=("pi_1",))
    proved.say("shop", said)
    less = replace(said.order, lines=(replace(said.order.lines[0], cancelled=1),), total=500)
    proved.say("shop", replace(said, version=2, order=less))
    proved.say("psp", a_payment())
    assert [share.quantity for share in proved.order().shares] == [1] and proved.level("A")["allocated"] == 1
    proved.say("wms", a_parcel("p1", "rel.shop.1.1", [("1", 1)]))
    (capture,) = [one for one in proved.intents() if one["command"] == "CapturePayment"]
    assert capture["amount"] == 500


def test_units_taken_off_after_they_were_paid_are_named_until_their_money_went_back(proved):
    """All was captured with the order, then staff takes a unit off and gives nothing back: the buyer has paid for what they do not get."""
    proved.count("A", 5)
    paid(proved, captured=True)
    said = an_order(version=2, payments=("pi_1",))
    proved.say("shop", replace(said, order=replace(said.order, lines=(replace(said.order.lines[0], cancelled=1),))))
    order = proved.order()
    assert order.holds == {}, "it may still be given back, and the rest is to leave"
    proved.answer(f"{order.uid}:release.1.withdraw", order.id)
    proved.say("wms", a_parcel("p1", "rel.shop.1.2", [("1", 1)]))
    assert proved.order().holds == {"overpaid": "5.00 EUR was taken for units that were taken off again"}
    proved.say("psp", refund(500))
    assert proved.order().holds == {} and proved.order().status == "shipped"


@pytest.mark.parametrize("last", ["the cancellation", "the refund"])
def test_what_was_taken_is_named_in_the_words_of_now_when_the_order_is_called_off_too(proved, last):
    """All units are taken off, then the order is cancelled, and a part is given back: the hold says how much of it is missing."""
    proved.count("A", 5)
    order = paid(proved, captured=True)
    said = an_order(version=2, payments=("pi_1",))
    off = replace(said.order, lines=(replace(said.order.lines[0], cancelled=2),))
    proved.say("shop", replace(said, order=off))
    proved.answer(f"{order.uid}:release.1.withdraw", order.id)
    assert proved.order().holds == {"overpaid": "10.00 EUR was taken for units that were taken off again"}
    called_off = replace(said, version=3, order=replace(off, cancelled_at=T0))
    heard = [("shop", called_off), ("psp", refund(400))]
    for system, what in heard if last == "the refund" else reversed(heard):
        proved.say(system, what)
    assert proved.order().holds["overpaid"] == "6.00 EUR was taken for units that were taken off again"


# --- money -------------------------------------------------------------------------------------------------------------
def shipped(core):
    core.count("A", 5)
    order = paid(core)
    core.say("wms", a_parcel("p1", "rel.shop.1.1"))
    return order


CANCELLED = an_order(version=2, cancelled_at=T0)
TAKEN_OFF = replace(CANCELLED.order, cancelled_at=None, total=0, lines=(replace(CANCELLED.order.lines[0], cancelled=2),))


@pytest.mark.parametrize("units", [5, 0], ids=["there is enough", "nothing is there"])
@pytest.mark.parametrize("said", [CANCELLED, replace(CANCELLED, order=TAKEN_OFF)], ids=["cancelled", "its line taken off"])
@pytest.mark.parametrize("known", [False, True], ids=["heard of for the first time", "known"])
def test_a_channel_that_takes_a_sale_back_is_told_its_number(proved, units, said, known):
    """It counted for itself. Where we held nothing for the order nothing of ours changes: its number stays wrong if nobody says so."""
    proved.count("A", units)
    if known:
        proved.say("shop", an_order(payment="pending"))
    before = len(proved.rows("SELECT seq FROM level_change"))
    proved.say("shop", said)
    changes = proved.rows("SELECT items FROM level_change ORDER BY seq")[before:]
    assert (proved.level("A")["on_hand"], proved.level("A")["allocated"]) == (units, 0)
    assert [msgspec.json.decode(items) for (items,) in changes] == [[proved.rows("SELECT id FROM item WHERE sku = 'A'")[0][0]]]


def test_a_capture_that_fails_is_a_letter_and_is_asked_again_by_a_person(proved):
    order = shipped(proved)
    proved.answer(f"{order.uid}:capture.pi_1", order.id, "rejected", "psp")
    ((number,),) = proved.rows("SELECT id FROM letter WHERE status = 'open'")
    assert proved.order().status == "shipped"
    assert proved.ask("operator", "operator/retry", str(number), {"by": "ann"})[0] == 200
    captures = [one for one in proved.intents() if one["command"] == "CapturePayment"]
    assert [one["amount"] for one in captures] == [1000, 1000] and len({one["key"] for one in captures}) == 2


@pytest.mark.parametrize("words", [(1000,), (600, 1000), (1000, 1000)], ids=["whole", "in two parts", "twice"])
def test_a_capture_late_in_parts_or_twice_is_booked_once(proved, words):
    shipped(proved)
    proved.wait(20 * DAY)
    for version, captured in enumerate(words, 2):
        proved.say("psp", replace(a_payment(version=version), status="captured", captured=captured))
    assert balances(proved)["psp:psp"] == 1000


def test_an_authorisation_that_expires_before_the_goods_leave_holds_the_order(proved):
    """It waits for units while its payment ends: when they come it is not sent, until another payment stands for it."""
    proved.count("A", 0)
    paid(proved)
    proved.say("psp", a_payment(version=2, status="voided", amount=0))
    proved.say("erp", StockMoved(external="m1", at=proved.now, item="i-A", sku="A", delta=2))
    assert (proved.order().status, intents(proved)) == ("held", [])
    assert blocker(proved.order()).what == "payment_lost" and "10.00 EUR are due, 0.00 EUR" in blocker(proved.order()).detail
    proved.say("psp", replace(a_payment(), external="pi_2", order=Reference("order", "1", "shop")))
    assert proved.order().status == "released" and proved.order().holds == {}


def test_who_goes_on_without_the_money_lifts_the_hold(proved):
    proved.count("A", 5)
    proved.say("shop", an_order(lines=(("A", 9, 100),), payments=("pi_1",)))
    proved.say("psp", a_payment(amount=900))
    proved.say("psp", a_payment(version=2, status="voided", amount=0))
    order = proved.order()
    assert set(order.holds) == {"payment_lost"}
    assert proved.ask("operator", "operator/free", order.uid, {"reason": "payment_lost", "by": "ann"})[0] == 200
    assert proved.order().status not in ("held", "placed") and proved.order().holds == {}


def test_a_part_that_somebody_else_took_is_not_the_whole(proved):
    """Who captures a part lets the rest go: 400 of 1000 is all there will be."""
    shipped(proved)
    proved.say("psp", replace(a_payment(version=2), status="captured", captured=400))
    assert blocker(proved.order()).what == "payment_lost" and "4.00 EUR are held or taken" in blocker(proved.order()).detail


def test_money_that_somebody_took_of_a_cancelled_order_is_named_until_it_is_given_back(proved):
    """What we took we give back; what others took, others do."""
    proved.count("A", 5)
    paid(proved)
    proved.say("psp", a_payment(version=2, status="captured"))
    proved.say("shop", an_order(version=2, cancelled_at=T0, payments=("pi_1",)))
    order = proved.order()
    proved.answer(f"{order.uid}:release.1.withdraw", order.id)
    assert proved.order().status == "cancelled" and blocker(proved.order()).what == "money_kept"
    proved.say("psp", replace(a_payment(version=3, status="refunded"), captured=1000, refunded=1000))
    assert blocker(proved.order()) is None


def test_money_that_the_shop_itself_took_of_an_order_that_we_cancel_is_named_until_it_is_given_back(tmp_path):
    """Sold but not in stock: neither its own provider nor the gift card pays anything back by itself."""
    proved = Core(tmp_path / "state.db", replace(POLICY, shortage="cancel"))
    proved.say("shop", an_order(lines=[("A", 2, 500)], gift_cards=300))
    assert blocker(proved.order()).detail == "7.00 EUR by shop, 3.00 EUR of gift cards was taken and not given back"
    proved.say("shop", refund(700, of=Reference("order", "1"), version=5))
    assert blocker(proved.order()).detail == "3.00 EUR of gift cards was taken and not given back"
    proved.say("shop", refund(300, external="re_2", of=Reference("order", "1"), gift_cards=300, version=6))
    assert proved.order().status == "cancelled" and blocker(proved.order()) is None


def test_a_refund_that_comes_before_its_order_waits_for_it(proved):
    proved.say("psp", refund(1000, version=3))
    assert proved.tally()["early"] == 1
    proved.count("A", 5)
    paid(proved, captured=True)
    assert proved.order().refunds["re_1"].amount == 1000 and proved.rows("SELECT count(*) FROM early") == [(0,)]


def test_a_refund_told_twice_counts_once(proved):
    to_the_end(proved)
    for _ in range(2):
        proved.say("psp", refund(300, version=5))
    assert balances(proved) == {"sales:shop": -1000, "refunds:shop": 300, "psp:psp": 700}


def test_more_given_back_than_was_taken_is_never_silent(proved):
    """A provider that claims it is refused by name; two refunds that exceed the order stand in the books as they are told."""
    proved.count("A", 5)
    paid(proved)
    wrong = PaymentSeen(
        external="pi_1", version=9, currency="EUR", status="captured", authorised=1000, captured=1000, refunded=1001
    )  # fmt: skip
    proved.say("psp", wrong)
    assert proved.rows("SELECT code FROM letter") == [("refund_exceeds_capture",)]
    assert proved.order().payments["pi_1"].refunded == 0


def test_a_shop_that_gives_back_more_than_it_took_is_named_and_booked(proved):
    """Two people refund the same return, and the shop lets them. Who accepts it has accepted what they saw, and not the next."""
    proved.count("A", 5)
    proved.say("shop", an_order())
    assert blocker(proved.order()).what == "waiting", "the warehouse is asked"
    for number, amount in enumerate((700, 300), 1):
        proved.say("shop", refund(amount, f"r{number}", of=Reference("order", "1")))
    assert blocker(proved.order()).what == "waiting"
    proved.say("shop", refund(1, "r3", of=Reference("order", "1")))
    assert blocker(proved.order()).what == "over_refunded" and "10.01 EUR of 10.00" in blocker(proved.order()).detail
    assert balances(proved)["refunds:shop"] == 1001, "the money is gone"
    assert proved.ask("operator", "operator/free", "ord.shop.1", {"by": "ann"})[0] == 200 and not proved.order().holds
    proved.say("shop", refund(5, "r4", of=Reference("order", "1")))
    assert "10.06 EUR" in blocker(proved.order()).detail


def test_a_provider_that_gives_back_more_than_it_took_is_named_until_a_refund_has_failed(proved):
    to_the_end(proved)
    for number, amount in enumerate((700, 400), 1):
        proved.say("psp", refund(amount, f"re_{number}", version=5))
    assert blocker(proved.order()).what == "over_refunded"
    proved.say("psp", refund(400, "re_2", version=6, status="failed"))
    assert blocker(proved.order()) is None and balances(proved)["refunds:shop"] == 700


def test_a_refund_that_both_tell_of_is_not_too_much(proved):
    """The shop and its provider speak of the same money."""
    to_the_end(proved)
    proved.say("psp", refund(1000, version=5))
    proved.say("shop", refund(1000, "r1", of=Reference("order", "1")))
    assert blocker(proved.order()) is None


def test_a_line_that_becomes_another_item_after_its_release_is_asked_back(proved):
    """A mapping was wrong, or the source says so: the warehouse does not send both."""
    proved.count("A", 5)
    proved.count("B", 5)
    order = paid(proved)
    proved.answer(f"{order.uid}:release.1", order.id)
    proved.say("shop", an_order(lines=(("B", 2, 500),), payments=("pi_1",), version=2))
    assert intents(proved) == ["ReleaseOrder", "CancelRelease"]
    proved.answer(f"{order.uid}:release.1.withdraw", order.id)
    assert intents(proved) == ["ReleaseOrder", "CancelRelease", "ReleaseOrder"]
    assert proved.level("A")["allocated"] == 0 and proved.level("B")["allocated"] == 2


def test_units_that_left_are_the_lines_own_again_when_it_becomes_what_it_was(proved):
    """A SKU was read wrongly after its unit had left, and is put right: the sale that is booked then has the unit."""
    proved.count("A", 5)
    order = paid(proved)
    proved.answer(f"{order.uid}:release.1", order.id)
    proved.say("wms", a_parcel("p1", "rel.shop.1.1", [("1", 1)]))
    for version, sku in ((2, "A-OLD"), (3, "A")):
        proved.say("shop", an_order(lines=((sku, 2, 500),), payments=("pi_1",), version=version))
    assert [share.shipped for share in proved.order().shares if share.line == 0] == [1], "the other unit is asked back"
    assert sum(share.shipped for share in proved.order().shares) == 1 and proved.level("A")["on_hand"] == 4


# --- returns -----------------------------------------------------------------------------------------------------------
def back(units=1, restock="restock", amount=500):
    return RefundLine(line="1", quantity=units, amount=amount, restock=restock)


@pytest.mark.parametrize(("restock", "booked"), [("restock", 1), ("no_restock", 0)])
def test_goods_that_come_back_with_and_without_going_on_the_shelf(proved, restock, booked):
    """What is put back is told to the ERP once; its movement, not the refund, makes the unit sellable again."""
    to_the_end(proved)
    proved.say("shop", refund(500, of=Reference("order", "1"), lines=[back(1, restock)], version=5))
    assert intents(proved).count("PostReturn") == booked and proved.level("A")["on_hand"] == 3
    if booked:
        proved.say("erp", StockMoved(external="m9", at=proved.now + DAY, item="i-A", sku="A", delta=1))
        assert proved.level("A")["on_hand"] == 4


def test_an_exchange_is_goods_back_and_another_order(proved):
    proved.count("B", 1)
    to_the_end(proved)
    proved.say("shop", refund(500, of=Reference("order", "1"), lines=[back()], version=5))
    proved.say("psp", refund(500, "pyr_1", version=5))
    proved.say("shop", an_order("2", lines=(("B", 1, 500),)))
    assert proved.order("2").status == "released" and proved.order().status == "settled"
    assert balances(proved)["sales:shop"] == -1500 and balances(proved)["refunds:shop"] == 500


def test_a_return_that_a_buyer_only_announces_moves_nothing(proved):
    to_the_end(proved)
    said = ReturnSeen(external="ret1", version=1, at=T0, of=Reference("order", "1"), status="requested", lines=(ReturnLine("1", 1),))
    proved.say("shop", said)
    assert proved.level("A")["on_hand"] == 3 and intents(proved).count("PostReturn") == 0


def test_an_amount_that_is_given_back_without_goods_is_an_adjustment(proved):
    to_the_end(proved)
    proved.say("shop", refund(123, of=Reference("order", "1"), version=5))
    assert "refunds:shop" not in balances(proved), "the provider holds the money: its word counts"
    proved.say("psp", refund(123, "pyr_1", version=5))
    assert balances(proved)["refunds:shop"] == 123 and intents(proved).count("PostReturn") == 0


# --- people ------------------------------------------------------------------------------------------------------------
def test_two_accounts_of_one_buyer_are_erased_together_by_their_address(proved):
    """A shop's duplicate customers are two subjects; the person is found by the address, whichever account ordered."""
    for number in ("1", "2"):
        proved.say("shop", CustomerSeen(external=f"c{number}", version=1), replace(ADA, id=f"c{number}"))
    status, told = proved.ask("operator", "operator/erase", "", {"who": ADA.email, "by": "ann"})
    assert status == 200 and len(told["subjects"]) == 2
    assert proved.rows("SELECT count(*) FROM vault WHERE length(body) > 0") == [(0,)]


def merge(core, gone="c2", kept="c1"):
    core.say("shop", CustomerSeen(external=gone, deleted=True, merged_into=kept))


def vault(core):
    """Whose e-mail address the vault holds, and what brought it: the customer's own record, or an order."""
    orders = {core.order(number).id: number for number in ("1", "2", "3") if core.order(number)}
    kept = [
        (orders.get(brought, "own"), unpack(body)) for brought, body in core.rows("SELECT brought, body FROM vault WHERE length(body) > 0")
    ]
    return sorted((msgspec.json.decode(body, type=Person).email, of) for of, body in kept)


def erase(core, who):
    return core.ask("operator", "operator/erase", "", {"who": who, "by": "ann"})[0]


AT_WORK = replace(ADA, id="c2", email="ada@work.example")
BOB = Person(id="c3", name="Bob", email="bob@example.com")


@pytest.mark.parametrize("who", ["cus.shop.c1", "cus.shop.c2", "ord.shop.1", "ord.shop.2", ADA.email, AT_WORK.email])
@pytest.mark.parametrize("known", ["before", "after"])
def test_customers_that_their_shop_has_merged_are_erased_as_one(proved, who, known):
    """Whichever of the two is named, also where the orders have not passed on yet; and nobody else."""
    if known == "before":
        merge(proved)
    for number, person in (("1", ADA), ("2", AT_WORK), ("3", BOB)):
        proved.say("shop", CustomerSeen(external=person.id, version=1), person)
        proved.say("shop", an_order(number), person)
    if known == "after":
        merge(proved)
        merge(proved)
    assert erase(proved, who) == 200
    assert vault(proved) == [(BOB.email, "3"), (BOB.email, "own")]


def test_an_order_that_passes_to_another_customer_leaves_nothing_with_the_first(proved):
    """A merge passes it on, or staff had it on the wrong account: what an order brought of its buyer stands once, and is erased with
    them. The other customer keeps what is theirs."""
    proved.say("shop", an_order("1"), AT_WORK)
    proved.say("shop", an_order("2"), AT_WORK)
    first = proved.order("1").subject
    proved.say("shop", an_order("1", version=2), BOB)
    assert vault(proved) == [(AT_WORK.email, "2"), (BOB.email, "1")] and proved.order("1").subject != first
    assert erase(proved, "ord.shop.1") == 200
    assert vault(proved) == [(AT_WORK.email, "2")]


@pytest.mark.parametrize("batch", [1, 16])
def test_an_order_that_passes_on_and_back_stays_with_its_buyer(tmp_path, batch):
    core = Core(tmp_path / "state.db", batch=batch)
    for version, person in enumerate((ADA, BOB, ADA, BOB, ADA), 1):
        core.say("shop", an_order("1", version=version), person)
    assert vault(core) == [(ADA.email, "1")]


@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.parametrize("who", ["cus.shop.c1", "ord.shop.1", ADA.email])
def test_who_is_erased_twice_was_there_once_however_the_requests_come(tmp_path, who, batch):
    core = Core(tmp_path / "state.db", batch=batch)
    core.say("shop", an_order("1"), ADA)
    asked = [core.receive("operator", "operator/erase", str(n), msgspec.json.encode({"who": who})) for n in range(2)]
    core.flush()
    assert [core.told(one)[0] for one in asked] == [200, 404]


def test_an_order_whose_customer_was_deleted_is_still_its_buyers(proved):
    """The shop names no customer any more; the parcel goes where it was to go, and an erasure of the customer finds the order."""
    proved.count("A", 5)
    proved.say("shop", an_order(), ADA)
    proved.say("shop", CustomerSeen(external="c1", version=9, deleted=True))
    proved.say("shop", an_order(version=2), replace(ADA, id=""))
    assert proved.order().status == "released" and vault(proved) == [(ADA.email, "1")]
    assert erase(proved, "cus.shop.c1") == 200 and vault(proved) == []


@pytest.mark.parametrize("who", ["cus.shop.c1", "ord.shop.2", "ord.shop.3"])
def test_who_orders_again_after_an_erasure_can_be_erased_again(proved, who):
    """Each order is somebody new, so that it can be sent; the customer is known by the same id, and all of them are found by it."""
    proved.say("shop", an_order("1"), ADA)
    erase(proved, "ord.shop.1")
    proved.say("shop", an_order("2"), ADA)
    proved.say("shop", an_order("3"), ADA)
    assert vault(proved) == [(ADA.email, "2"), (ADA.email, "3")]
    assert erase(proved, who) == 200 and vault(proved) == []


def test_a_buyer_without_tax_pays_none_and_the_order_adds_up(proved):
    proved.count("A", 5)
    proved.say("shop", an_order(tax_exempt=True, tax=0, payments=("pi_1",), company="co-7", purchase_order="PO-1"))
    proved.say("psp", a_payment())
    assert proved.order().status == "released" and proved.order().order.tax_exempt


# --- what is sold ------------------------------------------------------------------------------------------------------
def test_a_product_with_a_name_in_another_script_is_the_same_sku_everywhere(proved):
    proved.say("shop", ProductSeen(external="p1", version=1, title="Tasse „Größe“ カップ", variants=(Variant(id="v1", sku="A"),)))
    proved.say("market", ProductSeen(external="m1", version=1, title="Mug", variants=(Variant(id="listing-1", sku="A"),)))
    proved.count("A", 2)
    paid(proved)
    assert proved.rows("SELECT count(*) FROM item WHERE sku = 'A'") == [(1,)] and proved.level("A")["allocated"] == 2


def test_an_order_in_a_second_currency_is_refunded_at_another_rate_and_each_currency_balances(proved):
    """What was paid in dollars is given back in dollars: no rate of ours is in between, so none can be wrong."""
    proved.count("A", 5)
    said = an_order(payments=("pi_1",))
    proved.say("shop", replace(said, order=replace(said.order, currency="USD", presentment_currency="CAD", presentment_total=1370)))
    proved.say("psp", replace(a_payment(status="captured"), currency="USD"))
    proved.say("psp", replace(refund(400, version=5), currency="USD"))
    by_currency = proved.rows("SELECT currency, sum(balance) FROM account GROUP BY currency")
    assert by_currency == [("USD", 0)] and proved.order().order.presentment_total == 1370


def test_a_payment_in_another_currency_is_named_and_never_added_up(proved):
    """1000 yen are not 10.00 EUR: the order waits for a person, also past the time in which it was to be paid, and goes on when told."""
    proved.count("A", 5)
    proved.say("shop", an_order(payments=("pi_1",)))
    proved.say("psp", replace(a_payment(), currency="JPY"))
    proved.wait(DAY)
    order, found = proved.order(), blocker(proved.order())
    assert (order.status, found.what) == ("held", "payment_currency") and "1000 JPY, the order is 10.00 EUR" in found.detail
    assert proved.ask("operator", "operator/free", order.uid, {"reason": "payment_currency", "by": "ann"})[0] == 200
    proved.say("wms", a_parcel("p1", "rel.shop.1.1"))
    proved.say("psp", replace(a_payment(version=2, status="captured"), currency="JPY"))
    by_currency = {}
    for name, currency, balance in proved.rows("SELECT name, currency, balance FROM account WHERE balance <> 0"):
        by_currency.setdefault(currency, {})[name] = balance
    assert by_currency["EUR"] == {"receivable:shop": 1000, "sales:shop": -1000}
    assert by_currency["JPY"] == {"receivable:shop": -1000, "psp:psp": 1000}
    assert "CapturePayment" not in intents(proved), "who lifted the hold takes it"


def test_tax_that_the_marketplace_remits_is_not_ours(proved):
    proved.count("A", 5)
    said = an_order()
    order = replace(said.order, facilitator_tax=190, total=1190, fulfilled_by="merchant")
    proved.say("market", replace(said, order=order))
    ((status, number),) = proved.rows("SELECT status, id FROM orders")
    assert status == "released" and proved.world.orders[number].holds == {}, "it adds up with the tax that is not ours"


def test_a_gift_card_pays_its_part_and_the_rest_is_captured(proved):
    proved.count("A", 5)
    order = paid(proved, amount=700, gift_cards=300)
    proved.say("wms", a_parcel("p1", "rel.shop.1.1"))
    assert [one["amount"] for one in proved.intents() if one["command"] == "CapturePayment"] == [700] and order.holds == {}


def test_what_goes_back_on_a_gift_card_is_owed_to_its_holder_again(proved):
    """1000, of which a card paid 300: 400 go back, 300 of them on the card. The provider speaks of its 100 only."""
    proved.count("A", 5)
    paid(proved, amount=700, gift_cards=300)
    proved.say("wms", a_parcel("p1", "rel.shop.1.1"))
    proved.say("psp", a_payment(version=2, status="captured", amount=700))
    proved.say("shop", refund(400, of=Reference("order", "1"), gift_cards=300, version=5))
    proved.say("psp", refund(100, "pyr_1", version=5))
    assert balances(proved) == {"sales:shop": -1000, "refunds:shop": 400, "psp:psp": 600}


def test_a_bundle_that_the_channel_resolves_and_a_line_of_the_same_item_share_the_shelf(proved):
    """Two lines of one item are wanted together: neither is promised what the other has."""
    proved.count("A", 3)
    order = paid(proved, lines=(("A", 2, 300), ("A", 2, 200)), amount=1000)
    assert sum(share.quantity for share in order.shares) == 3 and sum(order.short.values()) == 1


def test_a_one_off_is_sold_once(proved):
    proved.count("UNIQUE", 1)
    proved.say("shop", an_order("1", lines=(("UNIQUE", 1, 500),)))
    proved.say("market", an_order("2", lines=(("UNIQUE", 1, 500),)))
    assert sorted(status for (status,) in proved.rows("SELECT status FROM orders")) == ["backordered", "released"]
    assert proved.level("UNIQUE")["allocated"] == 1


# --- stock at the same moment ------------------------------------------------------------------------------------------
def test_the_till_sells_the_unit_that_a_channel_sells_at_the_same_moment(proved):
    """Who asks first gets it: the till is refused, nobody is promised what is not there."""
    proved.count("A", 1)
    proved.say("shop", an_order(lines=(("A", 1, 500),)))
    status, told = proved.ask("till", "api/reserve", "k1", {"lines": [{"sku": "A", "quantity": 1}]})
    assert status == 409 and told["short"][0]["available"] == 0
    assert proved.level("A") == {**proved.level("A"), "allocated": 1, "reserved": 0}


def test_a_count_that_was_taken_before_a_sale_left_and_comes_after_it(proved):
    """Five were counted at noon; two left at one; the count arrives at two. There are three."""
    proved.count("A", 5)
    noon = proved.now
    paid(proved)
    proved.say("wms", replace(a_parcel("p1", "rel.shop.1.1"), at=noon + 1_000))
    proved.say("erp", counted("A", 5, at=noon))
    assert proved.level("A")["on_hand"] == 3


def test_units_move_from_one_store_to_another_and_none_is_lost(proved):
    proved.say("erp", counted("A", 4, "north", proved.now))
    proved.say("erp", counted("A", 0, "south", proved.now))
    for move, location, delta in (("t1", "north", -3), ("t2", "south", 3)):
        proved.say("erp", StockMoved(external=move, at=proved.now, item="i-A", sku="A", delta=delta, location=location, reason="transfer"))
    assert proved.rows("SELECT on_hand FROM stock ORDER BY id") == [(1,), (3,)]


def test_what_leaves_from_a_store_is_booked_there(proved):
    """Both stores are shelves that we promise from; the ERP is told from which of them a sale's units left, so that its counts agree."""
    proved.say("erp", counted("A", 0, "north", proved.now))
    proved.say("erp", counted("A", 2, "south", proved.now))
    paid(proved)
    proved.say("wms", a_parcel("p1", "rel.shop.1.1"))
    (sale,) = [one for one in proved.intents() if one["command"] == "PostSale"]
    assert sale["location"] == "south"


def test_a_price_that_changes_during_the_checkout_does_not_change_the_order(proved):
    proved.count("A", 5)
    proved.say("shop", PriceSeen(external="A", version=2, at=T0, sku="A", currency="EUR", price=999))
    order = paid(proved)
    assert order.order.lines[0].price == 500 and order.holds == {}, "the order is what the buyer agreed to"


def test_an_address_that_changes_after_the_release_goes_to_that_order_alone(proved):
    """What goes to the warehouse is filled in from the vault as it is sent: the other order keeps its own address."""
    proved.count("A", 9)
    for number in ("1", "2"):
        proved.say("shop", an_order(number), ada("Old street 1"))
    assert proved.order("1").status == "released"
    proved.say("shop", replace(an_order("1"), version=2), ada("New street 2"))
    assert addresses(proved) == {"1": "New street 2", "2": "Old street 1"}


# --- late beginnings ---------------------------------------------------------------------------------------------------
def looked_after(core, since):
    """The shop's orders are ours since a moment."""
    core.intake.claims.since = {"shop": since}


def test_what_was_over_before_its_system_was_connected_is_not_taken(proved):
    """A shop's book begins with years of orders. One that had ended was charged, sent and booked without us; one that is open is ours."""
    proved.count("A", 5)
    looked_after(proved, T0)
    proved.say("shop", an_order("1", cancelled_at=T0))
    assert proved.order("1") is None and proved.tally()["noted"] == 1
    proved.say("shop", an_order("2"))
    assert proved.order("2").status == "released" and proved.level("A")["allocated"] == 2


def test_an_order_that_ends_later_is_taken_even_if_it_is_heard_of_for_the_first_time(proved):
    """Nothing of it is sent; but a buyer has cancelled in our time, and its journey says so."""
    looked_after(proved, T0)
    proved.say("shop", an_order("1", cancelled_at=T0 + 1))
    assert proved.order("1").status == "cancelled"


def test_of_several_orders_that_are_told_at_once_only_those_that_were_over_are_left_out(core):
    """With what is said of them: here a parcel of the one and of the other, that took all of it, or half."""
    looked_after(core, T0 + DAY)
    parcels = [replace(a_parcel(f"p{n}", "", [("1", units)]), at=T0, of=Reference("order", str(n))) for n, units in ((1, 2), (2, 1))]
    receipt = Receipt(1, core.now, "shop", "statement", "k", b"")
    said = [statement(core.world, receipt, one, None) for one in (an_order("1"), an_order("2"), *parcels)]
    assert [one.said.external for one in core.intake.claims.current(said)] == ["2", "p2"]


def test_a_system_that_is_connected_late_brings_its_opening_balance(proved):
    """Sales of before are in its count; those since are taken from it: the number is right from the first day."""
    order = paid(proved)
    assert order.status == "backordered", "nobody has counted yet"
    proved.say("erp", counted("A", 7, at=proved.now))
    assert proved.order().status == "released" and proved.level("A") == {**proved.level("A"), "on_hand": 7, "allocated": 2}


def test_what_nobody_has_counted_is_told_to_no_channel(proved):
    """A shop that is being connected lists its products before anybody has counted them: unknown is not none, and it goes on selling."""
    seller, shut = (ChannelPolicy(channel=name, system="shop", stop_sell=name == "shut") for name in ("shop", "shut"))
    elsewhere = ChannelPolicy(channel="elsewhere", system="shop", locations=("depot",))
    told = Propagate(proved.state, {one.channel: one for one in (seller, shut, elsewhere)})
    proved.say("erp", ProductSeen(external="p-A", version=1, variants=(Variant(id="i-A", sku="A"),)))
    proved.say("shop", ProductSeen(external="9", version=1, variants=(Variant(id="v9", sku="A"),)))
    assert told.shown("shop", "A") is None and status(proved.state)["uncounted"] == 1
    assert stock(proved.state, "A", told.policies, {}, {})["channels"]["shop"]["steps"] == []
    assert told.shown("shut", "A") == 0, "that nothing is sold is the shop's own word"
    paid(proved)
    assert proved.order().status == "backordered" and told.shown("shop", "A") is None, "an order says nothing of the shelf"
    before = len(proved.rows("SELECT seq FROM level_change"))
    proved.count("A", 0)
    assert len(proved.rows("SELECT seq FROM level_change")) == before + 1, "it is told, though nothing is there as before"
    assert (told.shown("shop", "A"), told.shown("elsewhere", "A"), status(proved.state)["uncounted"]) == (0, 0, 0)


def counted_in_the_warehouse(core, units):
    """The warehouse counts, and says what comes, until there is an ERP that does."""
    core.say("wms", counted("A", units, at=core.now))
    core.say("wms", StockMoved(external="came-1", at=core.now, item="i-A", sku="A", delta=2))


@pytest.fixture
def handed_over(tmp_path):
    """A shop whose warehouse counts until the ERP has spoken."""
    return Core(tmp_path / "state.db", ownership='inventory.on_hand = { create = ["erp", "wms"], conflict = "owner-wins" }')


def test_what_moved_in_an_erp_before_it_was_connected_is_not_added_to_what_another_has_counted(handed_over):
    """The ERP's book of movements begins years ago, and is read before its count: what came is there twice for so long, and for longer
    where the count is not believed yet."""
    core = handed_over
    counted_in_the_warehouse(core, 5)
    came = core.now
    core.intake.claims.since = {"erp": core.now}
    core.say("erp", StockMoved(external="m1", at=came, item="9", sku="A", delta=2))
    core.say("erp", StockMoved(external="m2", at=core.now, item="9", sku="A", delta=1))
    assert core.level("A")["on_hand"] == 8 and core.tally()["noted"] == 1
    core.say("erp", counted("A", 8, at=core.now))
    assert core.level("A")["on_hand"] == 8


def test_when_the_erp_has_counted_the_warehouses_word_is_a_proposal(handed_over):
    core = handed_over
    counted_in_the_warehouse(core, 5)
    core.say("erp", counted("A", 6, at=core.now))
    core.say("wms", StockMoved(external="came-2", at=core.now, item="i-A", sku="A", delta=3))
    core.say("wms", counted("A", 99, at=core.now))
    assert core.level("A")["on_hand"] == 6 and core.tally()["proposed"] == 2
