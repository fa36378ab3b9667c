"""Goods that come back: told by the shop, booked by the ERP, in stock again by the ERP's own movement; the books hold it once."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from mainstay.model.objects import Reference, RefundLine
from mainstay.model.seen import RefundSeen, StockMoved
from mainstay.model.times import DAY
from tests.flows.conftest import POLICY, T0, Core, a_parcel, a_payment, an_order


@pytest.fixture
def core(tmp_path):
    return Core(tmp_path / "state.db", replace(POLICY, can={**POLICY.can, "erp": frozenset({"PostSale", "PostReturn"})}))


def a_refund(external="r1", restock="restock", units=1, amount=500, of=None) -> RefundSeen:
    lines = (RefundLine(line="1", quantity=units, amount=amount, restock=restock),) if units else ()
    return RefundSeen(external=external, version=1, at=T0, of=of or Reference("order", "1"), currency="EUR", amount=amount, lines=lines)


def sold(core, **more) -> int:
    """An order of two units that has left and stands in the ERP; its number."""
    core.count("A", 10)
    core.say("shop", an_order(**more))
    for payment in more.get("payments", ()):
        core.say("psp", a_payment(payment))
    number = core.order().id
    core.answer("ord.shop.1:release.1", number)
    core.say("wms", a_parcel("p1", "rel.shop.1.1", lines=[("1", 2)]))
    for key in [key for key, effect in core.order().effects.items() if effect.outcome == "asked"]:
        core.answer(key, number)
    assert core.order().status == "settled"
    return number


def accounts(core) -> dict[str, int]:
    return {name: balance for name, balance in core.rows("SELECT name, balance FROM account") if balance}


def test_a_unit_comes_back_to_the_shelf_by_the_movement_of_the_erp_and_only_by_it(proved):
    number = sold(proved)
    proved.say("shop", a_refund())
    (command,) = [one for one in proved.intents() if one["command"] == "PostReturn"]
    assert (command["reference"], command["total"], command["lines"][0]["quantity"]) == ("ord.shop.1.return.r1", 500, 1)
    assert proved.level("A")["on_hand"] == 8
    proved.answer("ord.shop.1:return.r1", number, sale="7")
    assert proved.level("A")["on_hand"] == 8, "the ERP owns the shelf: its own word counts"
    for _ in range(2):
        proved.say("erp", StockMoved(external="44/WH", version=1, at=proved.now, item="i-A", sku="A", delta=1, reason="customer"))
    assert proved.level("A") == {"on_hand": 9, "allocated": 0, "reserved": 0, "deficit": 0, "unbooked": 0}
    assert proved.order().status == "settled" and proved.order().refunds["r1"].restocked


def declared(core, policy):
    core.shop = replace(core.shop, policy=policy)
    core.intake.shop = core.intake.turns.shop = core.shop


@pytest.mark.parametrize(("later", "booked"), [(1, True), (-1, False)])
def test_what_comes_back_of_an_order_that_left_before_there_was_an_erp_is_booked_if_it_came_back_since(proved, later, booked):
    """The sale is in no ERP, and its units are not in the opening balance; those that had come back by then are."""
    whole, connected = proved.shop.policy, T0 + DAY
    declared(proved, replace(whole, books={}))
    number = sold(proved)
    assert "PostSale" not in [one["command"] for one in proved.intents()]
    declared(proved, replace(whole, since={"erp": connected}))
    proved.say("shop", replace(a_refund(), at=connected + later))
    back = [one for one in proved.intents() if one["command"] in ("PostReturn", "PostSale")]
    assert [one["reference"] for one in back] == (["ord.shop.1.return.r1"] if booked else [])
    if booked:
        proved.answer("ord.shop.1:return.r1", number, sale="7")
        assert proved.order().refunds["r1"].restocked and proved.order().status == "settled"


def test_a_channel_that_shelves_units_is_told_at_once_what_it_may_show(proved):
    sold(proved)
    before = proved.rows("SELECT max(seq) FROM level_change")[0][0]
    proved.say("shop", a_refund("r1", "no_restock"))
    assert proved.rows("SELECT max(seq) FROM level_change")[0][0] == before
    proved.say("shop", a_refund("r2"))
    assert proved.rows("SELECT max(seq) FROM level_change")[0][0] > before, "it has counted the unit for itself"


def test_a_refund_that_shop_and_provider_tell_of_is_one(proved):
    sold(proved, payments=("pi_1",))
    proved.say("shop", a_refund())
    proved.say("psp", a_refund("re_1", units=0, of=Reference("payment", "pi_1", "psp")))
    assert accounts(proved) == {"psp:psp": 500, "refunds:shop": 500, "sales:shop": -1000}
    assert [one["command"] for one in proved.intents()].count("PostReturn") == 1


def test_units_that_are_not_shelved_change_no_stock_and_are_not_booked(proved):
    sold(proved)
    proved.say("shop", a_refund(restock="no_restock"))
    assert proved.level("A")["on_hand"] == 8 and "PostReturn" not in [one["command"] for one in proved.intents()]
    assert accounts(proved)["refunds:shop"] == 500
