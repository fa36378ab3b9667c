"""What a system may not say, or what no flow brings, changes nothing; nothing of it is lost."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from mainstay.flows import journey
from mainstay.flows.propagate import Propagate
from mainstay.flows.rebuild import verify
from mainstay.landscape import Admission, read
from mainstay.model.objects import Variant
from mainstay.model.seen import PriceSeen, ProductSeen, StockCounted
from mainstay.stock.view import ChannelPolicy
from mainstay.storage.inbox import OUTCOMES_FROM
from tests.flows.conftest import LANDSCAPE, Core, an_order


def test_a_delivery_that_no_flow_brings_is_noted_and_what_is_polled_counts(tmp_path):
    core = Core(tmp_path / "state.db")
    core.shop = replace(core.shop, deaf=frozenset({("shop", "statement")}))
    core.state.close()
    core.open()
    core.say("shop", an_order("1"))
    assert core.order("1") is None and core.tally() == {"noted": 1} and core.rows("SELECT * FROM letter") == []
    core.seq = OUTCOMES_FROM
    core.say("shop", an_order("1"))
    assert core.order("1").status == "backordered"


# --- locations ---------------------------------------------------------------------------------------------------------
@pytest.fixture
def two_depots(tmp_path):
    """Six units in the north, one in the south; the till is served from the south only."""
    core = Core(tmp_path / "state.db")
    core.shop = replace(core.shop, locations={"till": frozenset({"south", "never heard of"}), "shop": frozenset({"north"})})
    core.state.close()
    core.open()
    for place, units in (("north", 6), ("south", 1)):
        core.say("erp", StockCounted(external=place, at=core.now, item="i-A", sku="A", quantity=units, location=place))
    return core


def test_a_channel_is_served_from_its_own_locations(two_depots, tmp_path):
    status, told = two_depots.ask("till", "api/reserve", "k1", {"lines": [{"sku": "A", "quantity": 2}]})
    assert status == 409 and told["short"] == [{"sku": "A", "wanted": 2, "available": 1}]
    two_depots.say("shop", an_order("1", lines=(("A", 7, 500),)))
    state = two_depots.order("1")
    assert [(share.quantity, two_depots.world.words["location/north"] == share.location) for share in state.shares] == [(6, True)]
    assert sum(state.short.values()) == 1, "the unit in the south is not for the shop"
    assert two_depots.ask("till", "api/reserve", "k2", {"lines": [{"sku": "A", "quantity": 1}]})[0] == 201
    assert verify(two_depots.path, tmp_path / "rebuilt.db", two_depots.shop).identical


def test_units_that_come_free_elsewhere_wake_nobody(two_depots):
    two_depots.say("shop", an_order("1", lines=(("A", 7, 500),)))
    rows = len(two_depots.rows("SELECT seq FROM event WHERE kind = 'order'"))
    two_depots.say("erp", StockCounted(external="south2", at=two_depots.now, item="i-A", sku="A", quantity=9, location="south"))
    assert len(two_depots.rows("SELECT seq FROM event WHERE kind = 'order'")) == rows
    two_depots.say("erp", StockCounted(external="north2", at=two_depots.now, item="i-A", sku="A", quantity=9, location="north"))
    assert two_depots.order("1").status == "released"


def test_a_listing_counts_only_the_locations_that_serve_it(two_depots):
    two_depots.flush()
    item = two_depots.world.item_of["A"]
    policies = {
        name: ChannelPolicy(channel=name, system="shop", locations=places)
        for name, places in {"all": (), "south": ("south",), "nowhere": ("east",)}.items()
    }
    propagate = Propagate(two_depots.state, policies, by_sku=("shop",))
    shown = {name: command.quantity for name in policies for command in propagate.levels(name, [(item, 1)]) if command}
    assert shown == {"all": 7, "south": 1, "nowhere": 0}
    steps = journey.stock(two_depots.state, "A", policies, {}, {})["channels"]
    assert {name: one["steps"][-1]["units"] for name, one in steps.items()} == shown


# --- field groups ------------------------------------------------------------------------------------------------------
def proposals(core):
    found = [msgspec.json.decode(body) for (body,) in core.rows("SELECT body FROM proposal ORDER BY id")]
    return [(one["system"], one["reason"].partition(";")[0]) for one in found]


def a_product(system="shop", version=1, title="Mug", price=500):
    variant = Variant(id=f"{system}-A", sku="A", title=title, price=price)
    return ProductSeen(external=f"{system}-p", version=version, at=version, title=title, variants=(variant,), currency="EUR")


def the_item(core):
    core.flush()
    core.world.load_skus(["A"])
    core.world.load_items([core.world.item_of["A"]])
    return core.world.items[core.world.item_of["A"]]


def owned(core, rules):
    """These rules in place of those of the shop for the same objects."""
    objects = tuple(rule.partition(".")[0] + "." for rule in rules.splitlines())
    kept = [line for line in LANDSCAPE.splitlines() if not line.startswith(objects)]
    core.flush()
    core.shop = replace(core.shop, admission=Admission(read("\n".join([*kept, rules]), "mainstay.toml")))
    core.state.close()
    core.open()


def test_a_new_version_counts_only_for_the_groups_that_its_speaker_may_change(core, tmp_path):
    owned(core, 'order.all = { create = ["shop"], update = ["erp"] }\norder.status = { create = ["shop"] }')
    core.count("A", 50)
    core.say("shop", an_order("1", lines=(("A", 2, 500),), payment="pending"))
    core.say("shop", an_order("1", version=2, lines=(("A", 9, 500),), payment="captured"))
    state = core.order("1")
    assert [line.quantity for line in state.order.lines] == [2] and state.order.total == 1000
    assert state.order.payment == "captured" and state.status == "released"
    assert proposals(core) == [("shop", '"shop" may not update order.header, order.lines')]
    core.say("shop", an_order("1", version=1, payment="voided"))
    assert core.order("1").order.payment == "captured", "what is old stays old"
    assert verify(core.path, tmp_path / "rebuilt.db", core.shop).identical


def test_half_an_order_is_none(core):
    owned(core, 'order.all = { create = ["erp"] }\norder.status = { create = ["shop"] }')
    core.say("shop", an_order("1"))
    assert core.order("1") is None and proposals(core) == [("shop", '"shop" may not create order.header, order.lines')]


def test_who_owns_the_price_and_not_the_details_changes_only_the_price(core, tmp_path):
    owned(core, 'product.all = { create = ["erp"] }')
    core.say("erp", a_product("erp", title="Mug, blue", price=None))
    core.say("shop", a_product("shop", title="Cup", price=700))
    item = the_item(core)
    assert (item.title, item.prices) == ("Mug, blue", {"shop": (700, "EUR")})
    assert item.ids == {"erp": "erp-A", "shop": "shop-A"}, "what it calls the SKU is no claim"
    assert proposals(core) == [("shop", '"shop" may not update product.details, product.variants')]
    assert verify(core.path, tmp_path / "rebuilt.db", core.shop).identical


# --- two owners of one field -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("first", ["erp", "shop"])
def test_the_first_owner_wins_however_they_arrive(core, tmp_path, first):
    owned(core, 'price.all = { update = ["erp", "shop"], conflict = "owner-wins" }\nproduct.all = { create = ["erp", "shop"] }')
    for system in (first, {"erp": "shop", "shop": "erp"}[first]):
        core.say(system, a_product(system, version=9 if system == "shop" else 3, price={"erp": 400, "shop": 900}[system]))
    assert the_item(core).claims["price"] == ("erp", 3, 3)
    core.say("shop", a_product("shop", version=10, price=950))
    assert the_item(core).prices == {"erp": (400, "EUR")} | ({"shop": (900, "EUR")} if first == "shop" else {})
    assert proposals(core)[-1] == ("shop", 'product.details: what "erp" said counts')
    assert verify(core.path, tmp_path / "rebuilt.db", core.shop).identical


def test_the_newest_count_wins_where_that_is_declared_and_else_the_first_owner(core, tmp_path):
    def counted(system, at, units):
        core.say(system, StockCounted(external=f"{system}{at}", version=at, at=at, item=f"{system}-A", sku="A", quantity=units))
        return core.level("A")["on_hand"]

    owned(core, 'inventory.all = { update = ["wms", "erp"], conflict = "newest-wins" }')
    assert [counted("wms", 10, 5), counted("erp", 20, 7), counted("wms", 15, 9), counted("wms", 30, 6)] == [5, 7, 7, 6]
    owned(core, 'inventory.all = { update = ["wms", "erp"], conflict = "owner-wins" }')
    assert [counted("erp", 40, 99), counted("wms", 41, 8)] == [6, 8]
    assert proposals(core) == [("erp", 'inventory.on_hand: what "wms" said counts')]
    assert verify(core.path, tmp_path / "rebuilt.db", core.shop).identical


def test_who_alone_may_speak_leaves_no_claim(core):
    owned(core, 'product.all = { create = ["shop"] }\nprice.all = { create = ["shop"] }')
    core.say("shop", a_product())
    assert the_item(core).claims == {}


def test_a_price_alone_has_a_clock_of_its_own(core, tmp_path):
    owned(core, 'product.all = { create = ["shop"] }\nprice.all = { create = ["erp"] }')
    core.say("shop", a_product(version=50))
    said = PriceSeen(external="A", version=3, at=3, sku="A", currency="EUR", price=444)
    core.say("erp", said)
    core.say("erp", replace(said, version=2, price=999))
    core.say("market", replace(said, version=9, price=111))
    assert the_item(core).prices == {"erp": (444, "EUR")} and core.tally()["stale"] == 1
    assert proposals(core)[-1] == ("market", '"market" may not create or update price.all')
    assert len(core.rows("SELECT seq FROM price_change")) == 2, "when the shop came to list it, and with its one price"
    assert verify(core.path, tmp_path / "rebuilt.db", core.shop).identical
