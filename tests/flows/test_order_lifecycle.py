"""An order's way from placed to settled, and every way back."""

import msgspec
import pytest
from msgspec.structs import replace

from mainstay.flows.journey import trace
from mainstay.flows.rebuild import verify
from mainstay.model.objects import Person, Reference, UnitsOf
from mainstay.model.seen import DisputeSeen, InvoiceSeen, PaymentSeen, RefundSeen, SettlementLineSeen, StockCounted, StockMoved
from mainstay.orders.payments import owed
from mainstay.orders.view import blocker
from mainstay.storage.packing import unpack
from tests.flows.conftest import T0, a_parcel, a_payment, an_order


def test_two_lines_of_one_id_are_a_dead_letter(core):
    """Nobody could say which of them a parcel holds: units were booked on the wrong SKU."""
    said = an_order(lines=(("A", 1, 500), ("B", 1, 500)))
    same = replace(said.order, lines=tuple(replace(line, id="7") for line in said.order.lines))
    core.say("shop", replace(said, order=same))
    assert core.rows("SELECT code FROM letter") == [("schema",)] and core.rows("SELECT count(*) FROM orders") == [(0,)]


def intents(core) -> list[str]:
    return [msgspec.json.decode(unpack(body))["command"] for (body,) in core.rows("SELECT body FROM intent ORDER BY id")]


def balances(core) -> dict[str, int]:
    return dict(core.rows("SELECT name, balance FROM account WHERE balance <> 0"))


def to_the_end(core):
    core.count("A", 5)
    core.say("shop", an_order(payments=("pi_1",)))
    core.say("psp", a_payment())
    order = core.order()
    core.answer(f"{order.uid}:release.1", order.id, order="77")
    core.say("wms", a_parcel("p1", "rel.shop.1.1"))
    for what in ("confirm.p1", "capture.pi_1", "sale"):
        core.answer(f"{order.uid}:{what}", order.id, **({"sale": "12", "invoice": "INV7"} if what == "sale" else {}))
    return core.order()


def test_from_placed_to_settled(core):
    order = to_the_end(core)
    assert order.status == "settled" and order.invoice == "INV7"
    assert intents(core) == ["ReleaseOrder", "ConfirmFulfilment", "CapturePayment", "PostSale"]
    assert core.level("A") == {"on_hand": 3, "allocated": 0, "reserved": 0, "deficit": 0, "unbooked": 0}
    assert balances(core) == {"sales:shop": -1000, "psp:psp": 1000}


def test_it_waits_for_the_provider_and_not_for_the_shop(core):
    """The shop says authorised; only the payment provider's own word releases the goods."""
    core.count("A", 5)
    core.say("shop", an_order(payments=("pi_1",)))
    assert core.order().status == "placed" and intents(core) == []
    core.say("psp", a_payment(amount=999))
    assert core.order().status == "placed", "one cent is missing"
    core.say("psp", a_payment(amount=1000, version=2))
    assert core.order().status == "released"


def test_a_payment_that_comes_before_its_order_waits_for_it(core):
    core.count("A", 5)
    core.say("psp", a_payment())
    assert core.tally()["early"] == 1
    core.say("shop", an_order(payments=("pi_1",)))
    assert core.order().status == "released"
    assert core.rows("SELECT count(*) FROM early") == [(0,)]


def test_two_parcels(core):
    core.count("A", 5)
    core.count("B", 5)
    core.say("shop", an_order(lines=(("A", 2, 500), ("B", 1, 300))))
    core.say("wms", a_parcel("p1", "rel.shop.1.1", [("1", 2)]))
    assert core.order().status == "part_shipped"
    core.say("wms", a_parcel("p2", "rel.shop.1.1", [("2", 1)]))
    assert core.order().status == "shipped"
    assert intents(core) == ["ReleaseOrder", "ConfirmFulfilment", "ConfirmFulfilment", "PostSale"]


def test_units_that_nobody_set_aside_are_taken_from_where_they_are(proved):
    """The first location that was heard of never held A; the parcel of three took one more than was sold."""
    proved.count("B", 1)
    proved.say("erp", StockCounted(external="c", at=proved.now, item="i-A", sku="A", quantity=9, location="north"))
    proved.say("shop", an_order())
    proved.say("wms", a_parcel("p1", "rel.shop.1.1", [("1", 3)]))
    assert proved.level("A")["on_hand"] == 6 and "shipped_beyond_allocation" in proved.order().holds


def test_a_parcel_of_an_unknown_line_is_named(proved):
    proved.count("A", 5)
    proved.say("shop", an_order())
    proved.say("wms", a_parcel("p1", "rel.shop.1.1", [("77", 1)]))
    assert proved.order().status == "released" and proved.level("A")["on_hand"] == 5
    assert "line 77" in blocker(proved.order()).detail


def test_a_parcel_that_is_told_twice_leaves_once(core):
    core.count("A", 5)
    core.say("shop", an_order())
    for version in (1, 1, 2):
        core.say("wms", a_parcel("p1", "rel.shop.1.1", version=version))
    assert core.level("A")["on_hand"] == 3


def test_the_channels_echo_of_our_fulfilment_is_a_proposal(core):
    core.count("A", 5)
    core.say("shop", an_order())
    core.say("wms", a_parcel("p1", "rel.shop.1.1"))
    core.say("shop", a_parcel("987", "rel.shop.1.1"))
    assert core.level("A")["on_hand"] == 3 and core.tally()["proposed"] == 1


def test_cancelled_before_release_frees_stock_and_lets_the_money_go(core):
    core.count("A", 5)
    core.say("shop", an_order(payments=("pi_1",), total=1001))  # held: the total is a cent off
    core.say("psp", a_payment(amount=1001))
    assert core.order().status == "held"
    core.say("shop", an_order(version=2, payments=("pi_1",), cancelled_at=T0))
    assert core.order().status == "cancelled"
    assert core.level("A")["allocated"] == 0 and intents(core) == ["VoidPayment"]
    assert balances(core) == {}, "what was posted is posted back"


def test_cancelled_after_release_asks_the_warehouse_first(core):
    core.count("A", 5)
    core.say("shop", an_order(payments=("pi_1",)))
    core.say("psp", a_payment())
    core.say("shop", an_order(version=2, payments=("pi_1",), cancelled_at=T0))
    order = core.order()
    assert order.status == "cancelling" and core.level("A")["allocated"] == 2
    core.answer(f"{order.uid}:release.1.withdraw", order.id)
    assert core.order().status == "cancelled" and core.level("A")["allocated"] == 0
    assert intents(core) == ["ReleaseOrder", "CancelRelease", "VoidPayment"]


def fewer(units: int, version: int = 2, external: str = "1"):
    """The order of two A, of which so many were taken off again."""
    said = an_order(external, version)
    return replace(said, order=replace(said.order, lines=(replace(said.order.lines[0], cancelled=units),)))


def test_one_of_two_taken_off_after_release_is_free_when_the_warehouse_has_answered(proved):
    proved.count("A", 5)
    proved.say("shop", an_order())
    proved.say("shop", fewer(1))
    order = proved.order()
    assert intents(proved) == ["ReleaseOrder", "CancelRelease"] and proved.level("A")["allocated"] == 2
    proved.answer(f"{order.uid}:release.1.withdraw", order.id)
    assert intents(proved)[-1] == "ReleaseOrder" and proved.level("A")["allocated"] == 1
    proved.say("wms", a_parcel("p1", "rel.shop.1.2", [("1", 1)]))
    assert proved.order().status == "shipped" and proved.level("A")["on_hand"] == 4 and not proved.order().holds


def test_what_has_not_left_of_a_cancelled_order_is_free_again(proved):
    proved.count("A", 5)
    proved.say("shop", an_order())
    proved.say("wms", a_parcel("p1", "rel.shop.1.1", [("1", 1)]))
    proved.say("shop", an_order(version=2, cancelled_at=T0))
    order = proved.order()
    assert order.status == "cancelling" and proved.level("A")["allocated"] == 1
    proved.answer(f"{order.uid}:release.1.withdraw", order.id)
    assert proved.level("A") == {"on_hand": 4, "allocated": 0, "reserved": 0, "deficit": 0, "unbooked": 1}
    assert blocker(proved.order()).what == "cancelled_after_shipment" and "PostSale" not in intents(proved)


def test_a_shortage_that_was_taken_off_is_none(proved):
    proved.count("A", 1)
    proved.say("shop", an_order())
    assert proved.order().short
    proved.say("shop", fewer(1))
    assert not proved.order().short and proved.rows("SELECT count(*) FROM backlog") == [(0,)]


def test_a_parcel_that_leaves_while_we_cancel_wins(core):
    core.count("A", 5)
    core.say("shop", an_order())
    core.say("shop", an_order(version=2, cancelled_at=T0))
    core.say("wms", a_parcel("p1", "rel.shop.1.1"))
    order = core.order()
    assert order.status == "shipped" and "cancelled_after_shipment" in order.holds


def test_cancelled_after_our_capture_refunds_only_what_we_took(core):
    core.count("A", 5)
    core.say("shop", an_order(payments=("pi_1",)))
    core.say("psp", a_payment())
    core.say("psp", a_payment(status="captured", version=2))  # taken by somebody else
    core.say("shop", an_order(version=2, payments=("pi_1",), cancelled_at=T0))
    order = core.order()
    core.answer(f"{order.uid}:release.1.withdraw", order.id)
    assert "RefundPayment" not in intents(core), "what others captured, others refund"


def test_sold_but_not_there_is_named_and_goes_on_when_goods_come(core):
    core.count("A", 1)
    core.say("market", an_order("9"))
    order = core.world.orders[next(iter(core.world.orders))]
    assert order.short == {order.items[0]: 1} and blocker(order).what == "oversold"
    assert order.effects[f"{order.uid}:release.1"].lines == (UnitsOf("1", 1),), "what is there goes ahead"
    core.say("erp", StockMoved(external="m1", at=core.now, item="i-A", sku="A", delta=3))
    assert not order.short and order.effects[f"{order.uid}:release.2"].lines == (UnitsOf("1", 1),)
    assert core.rows("SELECT count(*) FROM backlog") == [(0,)]


def test_totals_that_do_not_add_up_hold_the_order_and_say_the_difference(core):
    core.count("A", 5)
    core.say("shop", an_order(total=1234))
    order = core.order()
    assert order.status == "held" and "12.34" in order.holds["totals_mismatch"] and "10.00" in order.holds["totals_mismatch"]
    core.say("shop", an_order(version=2))
    assert core.order().status == "released"


def test_a_refund_is_posted_once(core):
    to_the_end(core)
    for _ in range(2):
        core.say("psp", RefundSeen(external="re_1", version=5, of=Reference("payment", "pi_1"), currency="EUR", amount=400))
    assert balances(core) == {"sales:shop": -1000, "psp:psp": 600, "refunds:shop": 400}


def test_a_letter_that_is_suppressed_lets_its_order_go_on(proved):
    """The warehouse refuses to give the release back; meanwhile the order says so, and a person settles it."""
    proved.count("A", 5)
    proved.say("shop", an_order())
    order = proved.order()
    proved.answer(f"{order.uid}:release.1", order.id)
    proved.say("shop", an_order(version=2, cancelled_at=T0, payment="refunded"))
    proved.answer(f"{order.uid}:release.1.withdraw", order.id, "rejected", "wms")
    assert proved.order().status == "cancelling" and blocker(proved.order()).what == "rejected"
    ((letter,),) = proved.rows("SELECT id FROM letter WHERE status = 'open'")
    proved.receive("operator", "operator/suppress", str(letter), b'{"by":"ann","reason":"told them on the phone"}')
    assert proved.order().status == "cancelled" and blocker(proved.order()) is None
    assert proved.level("A")["allocated"] == 0


def taken_by_us(core):
    """An order of 10.00, captured when it was placed."""
    core.intake.turns.shop = replace(core.shop, policy=replace(core.shop.policy, capture="order"))
    core.count("A", 5)
    core.say("shop", an_order(payments=("pi_1",)))
    core.say("psp", a_payment())
    core.answer(f"{core.order().uid}:capture.pi_1", core.order().id)


def called_off(core):
    core.say("shop", an_order(version=2, payments=("pi_1",), cancelled_at=T0))
    core.answer(f"{core.order().uid}:release.1.withdraw", core.order().id)


def refused(core):
    core.answer(f"{core.order().uid}:refund.pi_1", core.order().id, "rejected", "psp")


def retried(core):
    ((letter,),) = core.rows("SELECT id FROM letter WHERE status = 'open'")
    core.receive("operator", "operator/retry", str(letter), b"{}")


def test_what_was_given_back_meanwhile_is_not_given_back_again(proved):
    """Somebody refunds 3.00 of a captured payment in the provider's dashboard, of which we hear after we have asked for all of it."""
    totals = {"authorised": 1000, "captured": 1000, "refunded": 300}
    taken_by_us(proved)
    called_off(proved)
    refused(proved)
    proved.say("psp", PaymentSeen(external="pi_1", version=3, currency="EUR", status="part_refunded", **totals))
    retried(proved)
    assert [one["amount"] for one in proved.intents() if one["command"] == "RefundPayment"] == [1000, 700]


def test_what_is_cancelled_before_it_is_paid_is_neither_taken_nor_left_open(proved):
    """Two lines at 10.00 and 9.00; the second is taken off while the warehouse has both."""
    proved.count("A", 5)
    proved.count("B", 5)
    said = an_order(lines=(("A", 2, 500), ("B", 1, 900)), payments=("pi_1",))
    proved.say("shop", said)
    proved.say("psp", a_payment(amount=1900))
    number, uid = proved.order().id, proved.order().uid
    proved.answer(f"{uid}:release.1", number)
    lines = (said.order.lines[0], replace(said.order.lines[1], cancelled=1))
    proved.say("shop", replace(said, version=2, order=replace(said.order, lines=lines)))
    proved.answer(f"{uid}:release.1.withdraw", number)
    proved.answer(f"{uid}:release.2", number)
    proved.say("wms", a_parcel("p1", "rel.shop.1.2", [("1", 2)]))
    for effect in ("sale", "capture.pi_1", "confirm.p1"):
        proved.answer(f"{uid}:{effect}", number)
    assert proved.order().status == "settled"
    assert balances(proved) == {"sales:shop": -1900, "cancellations:shop": 900, "psp:psp": 1000}


def test_an_unpaid_order_is_cancelled_when_its_time_is_up(core):
    core.count("A", 5)
    core.say("shop", an_order(payments=("pi_1",)))
    due = core.rows("SELECT due, kind, entity FROM timer WHERE kind = 'payment'")
    core.intake.expire(due, due[0][0])
    assert core.order().status == "cancelled" and core.level("A")["allocated"] == 0
    assert intents(core) == ["CancelOrder"], "the shop is told"
    assert core.rows("SELECT count(*) FROM timer") == [(0,)]


def test_a_rejected_effect_becomes_a_letter_and_can_be_asked_again(core):
    core.count("A", 5)
    core.say("shop", an_order())
    order = core.order()
    core.answer(f"{order.uid}:release.1", order.id, "rejected", system="wms")
    ((letter, code),) = core.rows("SELECT id, code FROM letter WHERE status = 'open'")
    assert code == "rejected"
    core.receive("operator", "operator/retry", str(letter), b'{"by":"ann"}')
    assert core.rows("SELECT status FROM letter") == [("retried",)]
    assert intents(core) == ["ReleaseOrder", "ReleaseOrder"]
    assert core.order().effects[f"{order.uid}:release.1"].outcome == "replaced"


def test_personal_data_stands_only_in_the_vault(core, tmp_path):
    core.count("A", 5)
    core.say("shop", an_order(), Person(id="c1", name="Ada Lovelace", email="ada@example.com"))
    assert core.rows("SELECT count(*) FROM vault") == [(1,)]
    for table in ("event", "orders", "intent", "letter"):
        for row in core.rows(f"SELECT body FROM {table}"):
            assert b"Ada" not in unpack(row[0]) and b"ada@" not in unpack(row[0])


def test_a_dispute_is_named_and_stands_in_the_books_until_it_is_decided(core, tmp_path):
    def contested(status, version):
        core.say("psp", a_dispute(status, version))
        core.flush()
        return {name: balance for (name, _), (_, balance) in core.state.accounts().items() if name in ("disputes:shop", "losses:shop")}

    core.count("A", 5)
    core.say("shop", an_order(payments=("pi_1",)))
    core.say("psp", a_payment())
    assert contested("needs_response", 1) == {"disputes:shop": 1000}
    assert blocker(core.order()).detail == "dp_1 needs a response: fraudulent"
    assert contested("lost", 3) == {"disputes:shop": 0, "losses:shop": 1000}
    assert contested("under_review", 2) == {"disputes:shop": 0, "losses:shop": 1000}, "what is old stays old"
    line = SettlementLineSeen(
        external="txn_9", kind="dispute", currency="EUR", gross=-1000, fee=1500, net=-2500, of=Reference("dispute", "dp_1")
    )
    core.say("psp", line)
    core.flush()
    assert core.state.accounts()[("fees:psp", "EUR")][1] == 1500
    assert contested("won", 4) == {"disputes:shop": 0, "losses:shop": 0}
    assert verify(core.path, tmp_path / "rebuilt.db", core.shop).identical


# --- what changes after the order has left -----------------------------------------------------------------------------
def more(version, units=3, **fields):
    return an_order(version=version, lines=(("A", units, 500),), payments=("pi_1",), **fields)


@pytest.mark.parametrize("status", ["shipped", "settled"])
def test_units_added_after_the_order_has_left_are_named_until_they_are_taken_back(proved, status):
    if status == "settled":
        to_the_end(proved)
    else:
        proved.count("A", 5)
        proved.say("shop", an_order(payments=("pi_1",)))
        proved.say("psp", a_payment())
        proved.say("wms", a_parcel("p1", "rel.shop.1.1"))
    before = intents(proved)
    proved.say("shop", more(2))
    found = blocker(proved.order())
    assert proved.order().status == status and (found.what, found.whose) == ("changed_after_shipment", "operations")
    assert found.detail == (
        "1 units of line 1 (A) are wanted that have not left; the total was 10.00 EUR when the order left, it is 15.00 now"
    )
    assert intents(proved) == before and proved.level("A")["allocated"] == 0, "nothing more is sent, booked or taken for it by itself"
    proved.say("shop", more(3, units=2))
    assert proved.order().holds == {}


def test_a_price_that_changes_after_the_invoice_is_named_and_a_person_may_accept_it(proved):
    """What is accepted is what was stated: another change is named again."""
    order = to_the_end(proved)
    proved.say("shop", an_order(version=2, lines=(("A", 2, 600),), payments=("pi_1",)))
    assert blocker(proved.order()).detail == "the total was 10.00 EUR when the order left, it is 12.00 now"
    body = b'{"by":"ann","reason":"paid by bank transfer"}'
    proved.receive("operator", "operator/free", order.uid, body)
    assert blocker(proved.order()) is None
    proved.say("shop", an_order(version=3, lines=(("A", 2, 600),), payments=("pi_1",), ship_method="express"))
    assert blocker(proved.order()) is None
    proved.say("shop", an_order(version=4, lines=(("A", 2, 700),), payments=("pi_1",)))
    assert "14.00 now" in blocker(proved.order()).detail


def test_a_change_before_everything_was_taken_does_not_keep_the_order_from_its_end(proved):
    """The capture of 10.00 is under way when the source states 15.00: the rest is named, and nobody waits for it."""
    proved.count("A", 5)
    proved.say("shop", an_order(payments=("pi_1",)))
    proved.say("psp", a_payment())
    proved.say("wms", a_parcel("p1", "rel.shop.1.1"))
    proved.say("shop", more(2))
    order = proved.order()
    for what in ("release.1", "confirm.p1", "sale", "capture.pi_1"):
        proved.answer(f"{order.uid}:{what}", order.id)
    assert proved.order().status == "settled" and "changed_after_shipment" in proved.order().holds
    assert owed(proved.order()) == 500


@pytest.mark.parametrize("ended", [False, True], ids=["released", "settled"])
def test_a_total_that_stops_adding_up_is_named_whenever_it_does(proved, ended):
    """Each version is named in its own words; the books keep the parts, which nobody has contradicted."""
    if ended:
        to_the_end(proved)
    else:
        proved.count("A", 5)
        proved.say("shop", an_order(payments=("pi_1",)))
        proved.say("psp", a_payment())
    before = balances(proved)
    for version, total in ((2, 1234), (3, 777)):
        proved.say("shop", an_order(version=version, payments=("pi_1",), total=total))
        assert proved.order().holds["totals_mismatch"] == f"the source states {total / 100:.2f} EUR, its parts sum to 10.00"
    assert balances(proved) == before
    proved.say("shop", an_order(version=4, payments=("pi_1",)))
    assert proved.order().holds == {}


def test_a_total_of_an_order_that_is_cancelled_holds_nothing(proved):
    proved.count("A", 5)
    proved.say("shop", an_order(total=1234))
    assert "totals_mismatch" in proved.order().holds
    proved.say("shop", an_order(version=2, total=777, cancelled_at=T0))
    assert (
        proved.order().status == "cancelled"
        and proved.order().holds == {"money_kept": "7.77 EUR by shop was taken and not given back"}
        and balances(proved) == {"psp:shop": 777, "receivable:shop": -777}
    )


# --- cancelled and given back ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("early", [False, True], ids=["cancelled first", "given back first"])
@pytest.mark.parametrize("holder", ["shop", "psp"])
def test_cancelled_and_given_back_leaves_nothing_in_the_books(proved, holder, early):
    """Ten euros, taken by the channel itself or at a provider by others."""
    paid = ("pi_1",) if holder == "psp" else ()
    about = Reference("payment", "pi_1") if holder == "psp" else Reference("order", "1")
    back = RefundSeen(external="re_1", version=5, of=about, currency="EUR", amount=1000)
    cancelled = an_order(version=2, payments=paid, cancelled_at=T0)
    proved.count("A", 5)
    proved.say("shop", an_order(payments=paid))
    if holder == "psp":
        proved.say("psp", a_payment(status="captured"))
    for said, system in ((back, holder), (cancelled, "shop")) if early else ((cancelled, "shop"), (back, holder), (back, holder)):
        proved.say(system, said)
    order = proved.order()
    proved.answer(f"{order.uid}:release.1.withdraw", order.id)
    assert proved.order().status == "cancelled" and balances(proved) == {}


PI_1 = Reference("payment", "pi_1")


def a_dispute(status, version, of=PI_1):
    return DisputeSeen(external="dp_1", version=version, at=version, of=of, currency="EUR", amount=1000, status=status, reason="fraudulent")


@pytest.mark.parametrize("early", [False, True], ids=["cancelled first", "contested first"])
@pytest.mark.parametrize("holder", ["shop", "psp"])
def test_what_a_bank_gave_back_of_a_cancelled_order_is_no_loss_and_not_kept(proved, holder, early):
    paid = ("pi_1",) if holder == "psp" else ()
    contested = a_dispute("needs_response", 5, PI_1 if paid else Reference("order", "1"))
    proved.count("A", 5)
    proved.say("shop", an_order(payments=paid))
    if paid:
        proved.say("psp", a_payment(status="captured"))
    if early:
        proved.say(holder, contested)
    proved.say("shop", an_order(version=2, payments=paid, cancelled_at=T0))
    proved.answer(f"{proved.order().uid}:release.1.withdraw", proved.order().id)
    assert ("money_kept" in proved.order().holds) is not early
    proved.say(holder, contested)
    assert "money_kept" not in proved.order().holds and blocker(proved.order()).what == "dispute"
    proved.say(holder, replace(contested, version=6, status="lost"))
    assert balances(proved) == {} and blocker(proved.order()) is None
    proved.say(holder, replace(contested, version=7, status="won"))
    assert "money_kept" in proved.order().holds, "who took it has it again"


@pytest.mark.parametrize(("currency", "end", "asked"), [("EUR", "lost", []), ("EUR", "won", [1000]), ("USD", "lost", [1000])])
def test_what_a_bank_has_taken_back_is_not_given_back_once_more(proved, currency, end, asked):
    """We took it; its card holder contests it before the order is cancelled. What the shop has won is its buyer's, who has no goods.
    Amounts of two currencies are not compared."""
    taken_by_us(proved)
    proved.say("psp", replace(a_dispute("needs_response", 5), currency=currency))
    called_off(proved)
    assert proved.order().status == "cancelled" and ("RefundPayment" in intents(proved)) is (currency != "EUR")
    proved.say("psp", replace(a_dispute(end, 6), currency=currency))
    assert [one["amount"] for one in proved.intents() if one["command"] == "RefundPayment"] == asked


def test_what_the_shop_wins_of_a_contested_part_is_given_back_too(proved):
    """4.00 of 10.00 are contested when the order is cancelled; 6.00 are given back at once, and the rest when the shop has won it."""
    taken_by_us(proved)
    part = replace(a_dispute("needs_response", 5), amount=400)
    proved.say("psp", part)
    called_off(proved)
    proved.say("psp", replace(part, version=6, status="won"))
    asked = [one["amount"] for one in proved.intents() if one["command"] == "RefundPayment"]
    assert asked == [600], "not before the first one is done"
    proved.answer(f"{proved.order().uid}:refund.pi_1", proved.order().id)
    assert [one["amount"] for one in proved.intents() if one["command"] == "RefundPayment"] == [600, 400]
    proved.answer(f"{proved.order().uid}:refund.pi_1.2", proved.order().id)
    for number, (amount, before) in enumerate([(600, 600), (400, 1000)], 7):
        proved.say("psp", replace(a_payment(status="part_refunded", version=number), captured=1000, refunded=before))
        refund = RefundSeen(external=f"re_{number}", version=1, of=PI_1, payment=PI_1, currency="EUR", amount=amount)
        proved.say("psp", refund)
    assert [one["amount"] for one in proved.intents() if one["command"] == "RefundPayment"] == [600, 400]
    assert balances(proved) == {} and blocker(proved.order()) is None


def test_a_refund_of_one_payment_is_not_taken_for_one_of_the_other(proved):
    """Two payments of 5.00; the order is cancelled, one is refunded, the other was lost to its card holder's bank: nobody lost anything."""
    proved.count("A", 5)
    proved.say("shop", an_order(payments=("pi_1", "pi_2")))
    for name in ("pi_1", "pi_2"):
        proved.say("psp", a_payment(name, status="captured", amount=500))
    called = an_order(version=2, payments=("pi_1", "pi_2"), cancelled_at=T0)
    proved.say("shop", called)
    proved.answer(f"{proved.order().uid}:release.1.withdraw", proved.order().id)
    refund = RefundSeen(external="re_1", version=1, of=PI_1, payment=PI_1, currency="EUR", amount=500)
    proved.say("psp", replace(a_payment("pi_1", status="refunded", amount=500, version=2), captured=500, refunded=500))
    proved.say("psp", refund)
    proved.say("psp", replace(a_dispute("lost", 5, Reference("payment", "pi_2")), amount=500))
    assert balances(proved) == {} and blocker(proved.order()) is None


def test_what_a_bank_has_taken_back_is_not_named_as_taken_too_much(proved):
    """A unit of 5.00 is taken off after both were paid; the rest leaves, and the card holder contests all of it."""
    proved.count("A", 5)
    proved.say("shop", an_order(payments=("pi_1",)))
    proved.say("psp", a_payment(status="captured"))
    said = an_order(version=2, payments=("pi_1",))
    proved.say("shop", replace(said, order=replace(said.order, lines=(replace(said.order.lines[0], cancelled=1),))))
    proved.answer(f"{proved.order().uid}:release.1.withdraw", proved.order().id)
    proved.say("wms", a_parcel("p1", "rel.shop.1.2", [("1", 1)]))
    assert "overpaid" in proved.order().holds
    proved.say("psp", a_dispute("needs_response", 5))
    assert "overpaid" not in proved.order().holds and blocker(proved.order()).what == "dispute"
    proved.say("psp", a_dispute("won", 6))
    assert "overpaid" in proved.order().holds


def test_a_refund_that_was_refused_for_a_dispute_is_not_asked_again(proved):
    taken_by_us(proved)
    called_off(proved)
    refused(proved)
    proved.say("psp", a_dispute("needs_response", 5))
    retried(proved)
    assert intents(proved).count("RefundPayment") == 1


def test_what_is_still_owed(proved):
    """Nothing of an order that is paid, nor of one of which nothing left: 4.90 of shipping are not owed for it."""
    proved.count("A", 5)
    proved.say("shop", an_order(payments=("pi_1",), shipping=490))
    assert owed(proved.order()) == 1490
    proved.say("shop", an_order(version=2, payments=("pi_1",), shipping=490, cancelled_at=T0))
    assert proved.order().status == "cancelled" and owed(proved.order()) == 0


def test_an_order_is_not_owed_when_it_is_settled(proved):
    assert owed(to_the_end(proved)) == 0
    proved.say("shop", an_order("2"))
    assert owed(proved.order("2")) == 0, "the channel has it"


def test_units_wait_for_a_booking_only_where_somebody_books(core):
    core.state.close()
    core.shop = replace(core.shop, policy=replace(core.shop.policy, books={}), behind=frozenset())
    core.open()
    core.count("A", 5)
    core.say("shop", an_order())
    core.say("wms", a_parcel("p1", "rel.shop.1.1"))
    assert core.level("A") == {"on_hand": 3, "allocated": 0, "reserved": 0, "deficit": 0, "unbooked": 0}


@pytest.mark.parametrize("first", ["parcel", "invoice"])
def test_what_the_erp_says_it_has_booked_is_booked_whoever_asked_for_it(proved, first):
    """After a restore the ERP has a sale that we do not know to have asked for: its counts hold the units, and are believed."""
    proved.count("A", 5)
    proved.say("shop", an_order())
    invoice = InvoiceSeen(
        external="7", version=1, of=Reference("order", "ord.shop.1", "mainstay"), state="posted", number="INV7",
        aliases=(Reference("sale", "S-17"), Reference("invoice", "INV7")),
    )  # fmt: skip
    said = [("wms", a_parcel("p1", "rel.shop.1.1")), ("erp", invoice)]
    for system, what in said if first == "parcel" else reversed(said):
        proved.say(system, what)
    assert proved.level("A") == {"on_hand": 3, "allocated": 0, "reserved": 0, "deficit": 0, "unbooked": 0}
    assert all(trace(proved.state, None, number)[0]["now"]["order"] == "ord.shop.1" for number in ("S-17", "INV7"))
