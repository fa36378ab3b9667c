"""What was said in the past, decided upon anew with the ownership, the policies and the landscape of today."""

from functools import partial

import pytest
from msgspec.structs import replace

from mainstay.flows.intake import Intake
from mainstay.flows.rebuild import verify
from mainstay.flows.replay import replay
from mainstay.flows.span import numbers
from mainstay.flows.world import World
from mainstay.landscape import Admission, read
from mainstay.model.objects import Reference
from mainstay.model.seen import PriceSeen, StockCounted
from mainstay.orders.policy import Policy
from mainstay.storage.inbox import Receipt
from mainstay.storage.rehearsed import Rehearsed
from tests.flows.conftest import LANDSCAPE, POLICY, Core, a_payment, an_order, replayed, span
from tests.flows.test_replay_items import details, item, sell, unchanged

decided_anew = partial(replayed, "statement")


def declared_anew(core, admission=None, **more):
    """The shop is declared otherwise from here on, and Mainstay is started again."""
    core.flush()
    if admission is not None:
        more["admission"] = Admission(read(admission, "mainstay.toml"))
    core.shop = replace(core.shop, **more)
    core.state.close()
    core.open()


OWNED_BY_BOTH = LANDSCAPE.replace('inventory.all = { create = ["erp", "wms"] }', 'inventory.all = { create = ["erp", "wms", "market"] }')
PAID_AT_THE_MARKET = LANDSCAPE.replace('payment.all = { create = ["shop", "psp"] }', 'payment.all = { create = ["market"] }')
BY_THE_MARKET = LANDSCAPE.replace('price.all = { create = ["shop", "erp"] }', 'price.all = { create = ["market"] }')


def from_the_market(core, price=700, version=1):
    return core.say("market", PriceSeen(external="price-A", version=version, sku="A", price=price, currency="EUR", at=core.now))


# --- whose word counts now -----------------------------------------------------------------------------------------------
def test_a_proposal_counts_when_its_speaker_has_become_the_owner(proved):
    proved.count("A", 50)
    from_the_market(proved)
    assert unchanged(decided_anew(proved)) and item(proved).prices == {}
    declared_anew(proved, BY_THE_MARKET)
    assert details(decided_anew(proved)) == ["taken: PriceSeen price-A of market"]
    assert item(proved).prices == {"market": (700, "EUR")}
    assert unchanged(decided_anew(proved)), "a second time changes nothing"


def test_of_two_proposals_the_newer_one_counts(proved):
    proved.count("A", 50)
    from_the_market(proved, 800, version=2)
    from_the_market(proved, 700, version=1)
    declared_anew(proved, BY_THE_MARKET)
    assert details(decided_anew(proved)) == ["taken: PriceSeen price-A of market"] and item(proved).prices["market"] == (800, "EUR")


def test_a_count_that_was_proposed_does_not_undo_a_later_one_nor_bring_back_what_left(proved):
    proved.say("market", StockCounted(external="c1", at=proved.now, item="m-A", sku="A", quantity=99))
    proved.count("A", 10)
    sell(proved)
    declared_anew(proved, OWNED_BY_BOTH)
    assert unchanged(decided_anew(proved, topic="StockCounted")) and proved.level("A")["on_hand"] == 8


def test_a_payment_of_whom_nobody_asked_counts_when_they_are_asked(proved):
    proved.count("A", 50)
    proved.say("shop", an_order(payment="pending"))
    proved.say("market", replace(a_payment("pi_9"), order=Reference("order", "1", "shop")))
    assert proved.order().payments == {}
    declared_anew(proved, PAID_AT_THE_MARKET)
    job = decided_anew(proved)
    assert "taken: PaymentSeen pi_9 of market" in details(job)
    assert proved.order().status == "released" and unchanged(decided_anew(proved))


def test_what_brings_a_buyer_is_replayed_from_its_receipt(proved):
    proved.say("psp", an_order())
    assert details(decided_anew(proved)) == ["refused: OrderSeen 1 of psp: its buyer is not kept with it: replay it from its receipt"]


def test_what_was_heard_stays_heard_when_its_speaker_may_not_say_it_any_more(proved):
    proved.count("A", 50)
    proved.say("shop", an_order())
    declared_anew(proved, LANDSCAPE.replace('inventory.all = { create = ["erp", "wms"] }', 'inventory.all = { create = ["wms"] }'))
    assert unchanged(decided_anew(proved)) and proved.level("A")["on_hand"] == 50


# --- what follows now ----------------------------------------------------------------------------------------------------
def without_a_warehouse() -> Policy:
    return replace(POLICY, warehouses={})


@pytest.fixture
def nobody_ships(tmp_path):
    core = Core(tmp_path / "state.db", policy=without_a_warehouse())
    core.count("A", 50)
    core.say("shop", an_order())
    core.say("shop", an_order("2"))
    yield core
    verdict = verify(core.path, tmp_path / "rebuilt.db", core.shop)
    assert verdict.identical, verdict.differences


def test_orders_of_before_a_warehouse_was_declared_are_released_once(nobody_ships):
    core = nobody_ships
    assert core.order().status == "allocated" and core.intents() == []
    declared_anew(core, policy=POLICY)
    job = decided_anew(core)
    assert details(job)[0] == "decided: ord.shop.1: ReleaseOrder is asked of wms, release" and job["done"] == 2
    assert [one["command"] for one in core.intents()] == ["ReleaseOrder", "ReleaseOrder"]
    assert unchanged(decided_anew(core)) and len(core.intents()) == 2


def test_only_the_orders_that_are_meant_are_decided_upon(nobody_ships):
    declared_anew(nobody_ships, policy=POLICY)
    assert nobody_ships.order("2") and decided_anew(nobody_ships, text='"number":"#2"')["letters"] == 1
    assert nobody_ships.order("1").status == "allocated" and nobody_ships.order("2").status == "released"


def test_a_rehearsal_tells_what_would_follow_and_changes_nothing(nobody_ships):
    core = nobody_ships
    declared_anew(core, policy=POLICY)
    core.flush()
    rows = core.rows("SELECT max(seq) FROM event")
    store = Rehearsed(core.path)
    intake = Intake(World(store), core.shop)
    asked = Receipt(0, core.now, "mainstay", "timer/job", "", b"")
    ended = [replay(intake, "statement", number, asked, lambda *_: None).how for number in numbers(store, span(), "statement")]
    intake.world.commit(core.now)
    assert ended == ["decided", "decided"] and sum(len(batch.intents) for batch in store.batches) == 2
    store.close()
    assert core.rows("SELECT max(seq) FROM event") == rows and core.intents() == []


def test_an_order_of_which_nothing_else_follows_leaves_no_trace_in_the_log(proved):
    proved.count("A", 50)
    proved.say("shop", an_order())
    rows = proved.rows("SELECT count(*) FROM event WHERE kind = 'order'")
    assert unchanged(decided_anew(proved)) and proved.rows("SELECT count(*) FROM event WHERE kind = 'order'") == rows
