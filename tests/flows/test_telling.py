"""Systems of the shop's own, and people, tell in canonical statements; what they own counts, and they are told what became of each."""

from __future__ import annotations

import msgspec
import pytest

from mainstay.flows.rebuild import verify
from mainstay.flows.tell import Tell, statements_of
from mainstay.landscape import MAINSTAY
from mainstay.model.objects import Person, Variant
from mainstay.model.seen import CustomerSeen, Hint, ProductSeen, Said, StockCounted, StockMoved
from tests.flows.conftest import Core, an_order

PEOPLE_COUNT = '[ownership.inventory.on_hand]\ncreate = ["mainstay"]\n'


@pytest.fixture
def core(tmp_path):
    return Core(tmp_path / "state.db", ownership=PEOPLE_COUNT)


def tell(core, who, *events, person=None):
    """The answer's status, and how each statement ended."""
    body = {"statements": msgspec.to_builtins([Said(event, person) for event in events])}
    status, answer = core.ask(who, Tell.topic, "", body)
    return status, [one["ended"] for one in answer.get("statements", [])] or answer


def count(core, units, sku="A", **more):
    return StockCounted(**{"external": "c", "item": sku, "sku": sku, "quantity": units, "at": core.now, **more})


def test_people_count_where_mainstay_owns_the_stock_and_the_till_can_sell_it(core):
    assert tell(core, MAINSTAY, count(core, 5, " A ")) == (200, ["applied"])
    assert core.level("A")["on_hand"] == 5
    assert core.ask("till", "api/reserve", "k", {"lines": [{"sku": "A", "quantity": 5}]})[0] == 201


def test_what_the_speaker_does_not_own_is_proposed_and_says_why(core):
    status, answer = core.ask("till", Tell.topic, "", {"statements": msgspec.to_builtins([Said(count(core, 5))])})
    assert status == 200 and answer["statements"][0]["ended"] == "proposed"
    assert '"till" may not create or update inventory.on_hand' in answer["statements"][0]["reason"]
    assert core.rows("SELECT * FROM stock") == []


def test_a_repeat_changes_nothing(core):
    moved = StockMoved(external="m1", item="A", sku="A", delta=3, at=core.now)
    assert tell(core, MAINSTAY, count(core, 5, at=core.now - 10), moved) == (200, ["applied", "applied"])
    assert tell(core, MAINSTAY, moved) == (200, ["duplicate"])
    assert tell(core, MAINSTAY, count(core, 9, at=core.now - 1_000_000)) == (200, ["stale"])
    assert core.level("A")["on_hand"] == 8


def test_a_count_leaves_what_is_promised_promised(core):
    before = core.now
    tell(core, MAINSTAY, count(core, 5))
    core.say("shop", an_order("1", lines=(("A", 2, 500),)))
    tell(core, MAINSTAY, count(core, 5, at=before + 1))
    assert core.level("A") == {"on_hand": 5, "allocated": 2, "reserved": 0, "deficit": 0, "unbooked": 0}


def test_what_lies_ahead_is_refused(core):
    status, answer = tell(core, MAINSTAY, count(core, 5, at=core.now + 3_600_000_000))
    assert status == 422 and answer["code"] == "out_of_range" and "still to come" in answer["detail"]


def test_who_asks_first_hands_orders_over_at_the_other_door(core):
    status, answer = tell(core, "till", an_order("1"))
    assert status == 422 and "POST /v1/orders" in answer["detail"]


def test_an_order_of_a_system_that_may_not_make_orders_is_refused(core):
    order = msgspec.to_builtins(an_order("1").order)
    assert core.ask("psp", "api/order", "1:1", {"external": "1", "order": order})[0] == 403


def test_a_hint_is_no_statement(core):
    status, answer = tell(core, MAINSTAY, Hint(external="1", feed="orders"))
    assert status == 422 and "Hint" in answer["detail"]


def test_products_customers_and_orders_of_an_own_system(core):
    product = ProductSeen(external="p", at=core.now, title="Shirt", variants=(Variant(id="v", sku=" B ", title="Blue"),))
    customer = CustomerSeen(external="81", at=core.now)
    assert tell(core, "shop", product, customer, an_order("7"), person=Person(name="Ada"))[1] == ["applied", "applied", "noted"]
    assert core.order("7").status == "backordered"
    assert core.rows("SELECT sku FROM item WHERE sku = 'B'") == [("B",)]


def test_the_same_statements_can_be_translated_without_a_core(core):
    said = Said(count(core, 5, "\u00c4"))
    (told,) = statements_of(Tell.topic, msgspec.json.encode({"statements": [said]}))
    assert told.event.sku == "Ä"


@pytest.mark.parametrize(("measure", "left"), [("damaged", 3), ("safety", 3), ("in_transit", 5)])
def test_what_is_broken_or_kept_back_cannot_be_sold_and_each_measure_has_its_own_clock(core, measure, left):
    at = core.now
    assert tell(core, MAINSTAY, count(core, 5, at=at)) == (200, ["applied"])
    assert tell(core, MAINSTAY, count(core, 2, at=at - 5, measure=measure)) == (200, ["applied"]), "an older moment than the count's"
    assert tell(core, MAINSTAY, count(core, 9, at=at - 6, measure=measure)) == (200, ["stale"])
    assert core.ask("till", "api/reserve", "k1", {"lines": [{"sku": "A", "quantity": left + 1}]})[0] == 409
    assert core.ask("till", "api/reserve", "k2", {"lines": [{"sku": "A", "quantity": left}]})[0] == 201
    assert verify(core.path, core.path.with_name("rebuilt.db"), core.shop).identical
