"""What a system may not say, or what no flow brings, changes nothing; nothing of it is lost."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from mainstay.flows import journey
from mainstay.flows.propagate import Propagate
from mainstay.flows.rebuild import verify
from mainstay.model.seen import StockCounted
from mainstay.stock.view import ChannelPolicy
from mainstay.storage.inbox import OUTCOMES_FROM
from tests.flows.conftest import Core, an_order


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
    shown = {name: command.quantity for name in policies for command in propagate.commands(name, [(item, 1)]) if command}
    assert shown == {"all": 7, "south": 1, "nowhere": 0}
    steps = journey.stock(two_depots.state, "A", policies, {})["channels"]
    assert {name: one["steps"][-1]["units"] for name, one in steps.items()} == shown
