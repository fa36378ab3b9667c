"""After a restore: orders wait until the lost time was read again, and what several want is dealt out anew."""

import pytest
from msgspec.structs import replace

from mainstay.flows.restored import ANSWER_US_MAX, Restored
from mainstay.model.restored import READ_AGAIN, RESTORED
from mainstay.model.seen import StockCounted, StockMoved
from tests.flows.conftest import Core, a_parcel, an_order


@pytest.fixture
def restored(tmp_path):
    """A shop with two units of A, of which a backup was restored a moment ago."""
    core = Core(tmp_path / "state.db")
    Restored(core.intake)
    core.count("A", 2)
    core.flush()
    core.world.counters[RESTORED] = core.now
    return core


def read_again(core):
    core.receive("mainstay", READ_AGAIN, READ_AGAIN, b"{}")
    core.flush()


def asked(core, command):
    return [one["release"] for one in core.intents() if one["command"] == command]


def test_nothing_is_released_before_the_lost_time_was_read(restored):
    restored.say("shop", an_order("1"))
    assert restored.order("1").status == "allocated" and restored.level("A")["allocated"] == 2
    assert not asked(restored, "ReleaseOrder")
    read_again(restored)
    assert restored.order("1").status == "released" and len(asked(restored, "ReleaseOrder")) == 1
    assert not asked(restored, "CancelRelease"), "nobody was left without"


def test_what_two_want_is_for_the_one_of_which_a_part_has_left(restored):
    """The other one was read first; its release, which the warehouse may have all the same, is called off."""
    restored.say("shop", an_order("1"))
    restored.say("shop", an_order("2"))
    assert restored.order("2").short
    restored.say("wms", a_parcel("p-1", "rel.shop.2.1", [("1", 1)]))
    read_again(restored)
    assert [restored.order(one).status for one in "12"] == ["backordered", "part_shipped"]
    assert not restored.order("2").short and restored.order("2").holds.keys() == {"shipped_beyond_allocation"}
    assert not asked(restored, "ReleaseOrder") and asked(restored, "CancelRelease") == ["rel.shop.1.1"]
    restored.answer("ord.shop.1:release.1.withdraw", restored.order("1").id, system="wms")
    read_again(restored)
    restored.say("erp", StockMoved(external="m-1", at=restored.now, item="i-A", sku="A", delta=5, reason="supplier"))
    assert asked(restored, "ReleaseOrder") == ["rel.shop.1.2"], "under a number that was not called off"


def test_what_two_want_is_for_the_older_one_else(restored):
    for external, placed_at in (("1", 2), ("2", 1)):
        said = an_order(external)
        restored.say("shop", replace(said, order=replace(said.order, placed_at=placed_at)))
    read_again(restored)
    assert [restored.order(one).status for one in "12"] == ["backordered", "allocated"], "the warehouse may have sent it to the other"
    restored.answer("ord.shop.1:release.1.withdraw", restored.order("1").id, system="wms")
    read_again(restored)
    assert [restored.order(one).status for one in "12"] == ["backordered", "released"]


def test_what_had_left_before_it_was_called_off_is_nobody_elses(restored):
    """The warehouse had the release of the younger order, and its parcel was on its way."""
    for external, placed_at in (("1", 2), ("2", 1)):
        said = an_order(external)
        restored.say("shop", replace(said, order=replace(said.order, placed_at=placed_at)))
    read_again(restored)
    restored.say("wms", a_parcel("p-1", "rel.shop.1.1", [("1", 2)]))
    restored.answer("ord.shop.1:release.1.withdraw", restored.order("1").id, "rejected", system="wms")
    read_again(restored)
    assert restored.order("2").short and not asked(restored, "ReleaseOrder")


def test_a_warehouse_that_does_not_answer_is_not_waited_for_for_ever(restored):
    for external in "12":
        restored.say("shop", an_order(external))
    read_again(restored)
    assert restored.order("1").status == "allocated"
    restored.now += ANSWER_US_MAX + 1
    read_again(restored)
    assert restored.order("1").status == "released"


def test_a_release_from_a_second_location_that_the_warehouse_may_have_is_called_off(restored):
    """All of it leaves from one location now; in the lost time it may have been released from two. The release that we know of stays."""
    restored.say("erp", StockCounted(external="count-south", at=restored.now, item="i-A", sku="A", quantity=5, location="south"))
    restored.say("shop", an_order("1"))
    restored.say("shop", an_order("2", lines=(("A", 1, 500),)))
    read_again(restored)
    assert asked(restored, "ReleaseOrder") == ["rel.shop.1.1", "rel.shop.2.1"]
    assert asked(restored, "CancelRelease") == ["rel.shop.1.2"], "one unit leaves from one location"
    restored.answer("ord.shop.1:release.2.withdraw", restored.order("1").id, system="wms")
    (share,) = restored.order("1").shares
    assert share.released == 2 and len(asked(restored, "ReleaseOrder")) == 2


def test_what_is_said_twice_changes_nothing(restored):
    restored.say("shop", an_order("1"))
    read_again(restored)
    read_again(restored)
    assert len(asked(restored, "ReleaseOrder")) == 1
