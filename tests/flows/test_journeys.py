"""What `trace` tells: the whole way of one entity, nothing of another, in words, and without looking through a table."""

import msgspec
import pytest

from mainstay.flows import journey
from mainstay.flows.ask import AskedLine, ReserveRequest
from mainstay.model.objects import Person
from mainstay.model.seen import CustomerSeen, Hint
from mainstay.model.times import iso
from tests.flows.conftest import a_parcel, a_payment, an_order


def trace(core, text):
    core.flush()
    return journey.trace(core.state, None, text)


def reserve(core, key):
    return core.ask("till", "api/reserve", key, ReserveRequest(lines=(AskedLine("A", 1),)))


def test_an_order_is_found_by_every_number_of_its_way(proved):
    proved.count("A", 9)
    proved.say("shop", an_order("1", payments=("pi_1",)), Person(id="c7", email="ada@example.com"))
    proved.say("psp", a_payment())
    order = proved.order()
    proved.answer(f"{order.uid}:release.1", order.id, order="77", shipment="8801")
    proved.say("wms", a_parcel("p1", "rel.shop.1.1"))
    for merged in (False, True):
        for name in ("1", "ord.shop.1", "rel.shop.1.1", "pi_1", "77", "8801", "p1", "1Zp1", "ada@example.com"):
            (found,) = trace(proved, name)
            assert (found["kind"], found["now"]["order"]) == ("order", "ord.shop.1"), (name, merged)
        proved.state.merge_xrefs()
    assert {(one["as"], one["id"]) for one in found["known_as"]} == {
        ("shop/order", "1"), ("psp/payment", "pi_1"), ("shop/customer", "c7"), ("wms/order", "77"), ("wms/shipment", "8801"),
        ("wms/fulfilment", "p1"), ("wms/tracking", "1Zp1"),
    }  # fmt: skip


def test_numbers_that_are_given_out_apart_do_not_mix(proved):
    """Hints are numbered by their receipt, early statements by themselves: an order of the same number knows nothing of them."""
    for n in range(1, 8):
        proved.say("wms", Hint(external=f"ship-{n}", feed="shipments"))
        proved.say("psp", a_payment(f"pi_{90 + n}"))
    proved.count("A", 9)
    proved.say("shop", an_order("1"))
    said = [step["what"] for step in trace(proved, "ord.shop.1")[0]["steps"]]
    assert said[0] == "shop said OrderSeen" and not any("Hint" in what or "Early" in what for what in said)


def test_shares_are_told_as_a_person_would(proved):
    proved.count("A", 9)
    proved.say("shop", an_order("1"))
    (allocated,) = [step for step in trace(proved, "1")[0]["steps"] if step["what"] == "Allocated"]
    assert allocated["shares"] == ["2 A at main"]
    proved.say("shop", an_order("2", lines=(("A", 9, 500),)))
    (short,) = [step for step in trace(proved, "2")[0]["steps"] if step["what"] == "Short"]
    assert short["missing"] == ["2 A"]


def test_an_order_that_waits_for_units_says_of_what_and_which_sku_is_spelt_otherwise(proved):
    proved.count("tee-1", 9)
    proved.say("shop", an_order("1", lines=(("TEE-1", 2, 500), ("CUP", 1, 100))))
    (found,) = trace(proved, "1")
    told = "sold but not there: 2 × TEE-1, 1 × CUP; tee-1 is another SKU than TEE-1: is it the same item, spelt otherwise?"
    assert found["now"]["blocker"] == {"what": "oversold", "detail": told, "whose": "operations"}
    proved.count("TEE-1", 9)
    assert trace(proved, "1")[0]["now"]["blocker"]["detail"] == "sold but not there: 1 × CUP"


def test_a_step_has_the_time_of_its_receipt(proved):
    proved.count("A", 9)
    reserve(proved, "c1")
    assert trace(proved, "rsv.till.c1")[0]["steps"][0]["at"] == iso(proved.now)


@pytest.mark.parametrize("batch", [1, 64])
def test_a_reservation_is_its_own(proved, batch):
    """Also where several share a row of the log."""
    proved.count("A", 2)
    proved.flush()
    proved.batch = batch
    for n in range(4):
        proved.receive("till", "api/reserve", f"c{n}", msgspec.json.encode(ReserveRequest(lines=(AskedLine("A", 1),))))
    proved.flush()
    for n in range(4):
        (found,) = trace(proved, f"rsv.till.c{n}")
        assert found["kind"] == "reservation" and found["known_as"] == [{"as": "till/reservation", "id": f"c{n}"}]
        (step,) = found["steps"]
        assert step["what"] == ("Reserved" if n < 2 else "Refused")
        assert step.get("shares") == (["1 A at main"] if n < 2 else None)
        assert step.get("short") == (["1 A, 0 available"] if n >= 2 else None)


def test_an_item_and_a_customer(proved):
    proved.count("A", 9)
    proved.say("shop", CustomerSeen(external="c7"))
    assert trace(proved, "i-A")[0]["known_as"] == [{"as": "erp/item", "id": "i-A"}]
    assert trace(proved, "cus.shop.c7")[0]["known_as"] == [{"as": "shop/customer", "id": "c7"}]


def test_no_table_is_looked_through_for_a_journey(proved):
    """The edge asks, and acknowledges webhooks beside it: with a million orders a scan takes seconds."""
    proved.count("A", 9)
    proved.say("shop", an_order("1"))
    asked = []
    proved.state.connection.exec_trace = lambda _cursor, sql, bindings: asked.append((sql, bindings)) or True
    assert trace(proved, "ord.shop.1") and reserve(proved, "c1") and trace(proved, "rsv.till.c1")
    proved.state.connection.exec_trace = None
    questions = [(sql, bindings) for sql, bindings in asked if sql.startswith("SELECT")]
    plans = [
        plan for question in questions for *_, plan in proved.state.connection.execute(f"EXPLAIN QUERY PLAN {question[0]}", question[1])
    ]
    big = ("event", "xref", "intent", "orders", "reservation", "item")
    assert questions and not [plan for plan in plans if plan in {f"SCAN {table}" for table in big}], plans
