"""Each order goes to the address that it was placed with, or that its own edit gave; a warehouse that has it is told of another one."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from mainstay.model.objects import Address, Person
from mainstay.orders.view import blocker
from mainstay.storage.packing import unpack
from tests.flows.conftest import POLICY, Core, a_parcel, an_order


def ada(street: str) -> Person:
    return Person(id="c1", name="Ada", email="ada@example.com", shipping=Address(street=street, city="Porto", country="PT"))


def addresses(core) -> dict[str, str]:
    """Street by order, as a release finds it."""
    numbers = {core.order(external).id: external for external in ("1", "2")}
    people = core.state.load("load_people", {core.order(external).subject for external in ("1", "2")})
    return {numbers[brought]: msgspec.json.decode(unpack(body), type=Person).shipping.street for _, brought, body in people if brought}


def test_a_later_order_of_the_same_buyer_does_not_move_an_earlier_one(proved):
    proved.say("shop", an_order("1"), ada("Rua 1"))
    proved.say("shop", an_order("2"), ada("Rua 2"))
    assert proved.order("1").subject == proved.order("2").subject
    assert addresses(proved) == {"1": "Rua 1", "2": "Rua 2"}


def test_an_edit_of_an_order_moves_that_order_alone(proved):
    proved.say("shop", an_order("1"), ada("Rua 1"))
    proved.say("shop", an_order("2"), ada("Rua 2"))
    proved.say("shop", an_order("1", version=2), ada("Rua 3"))
    assert addresses(proved) == {"1": "Rua 3", "2": "Rua 2"}


def test_who_was_erased_stays_erased_in_every_order(proved):
    proved.say("shop", an_order("1"), ada("Rua 1"))
    proved.say("shop", an_order("2"), ada("Rua 2"))
    proved.receive("operator", "operator/erase", "ord.shop.1", b'{"who":"ord.shop.1"}')
    proved.say("shop", an_order("2", version=2), ada("Rua 4"))
    assert addresses(proved) == {} and proved.rows("SELECT count(*) FROM vault WHERE length(body) > 0") == [(0,)]


# --- after the release -------------------------------------------------------------------------------------------------
@pytest.fixture
def core(request, tmp_path):
    """A shop whose warehouse gives back what it has not sent, unless a test says otherwise."""
    can = {"ReleaseOrder", *getattr(request, "param", {"CancelRelease"})}
    return Core(tmp_path / "state.db", replace(POLICY, can={**POLICY.can, "wms": frozenset(can)}))


def released(core):
    """An order of three units that the warehouse has."""
    core.count("A", 9)
    core.say("shop", an_order(lines=(("A", 3, 500),)), ada("Rua 1"))
    assert core.order().status == "released"


def moves(core, street, version=2):
    core.say("shop", an_order(version=version, lines=(("A", 3, 500),)), ada(street))


def asked(core):
    """What the warehouse was asked, by the order's releases."""
    return [one["key"].removeprefix("ord.shop.1:") for one in core.intents() if one["command"] in ("ReleaseOrder", "CancelRelease")]


def test_an_order_whose_buyer_moves_is_asked_back_and_released_anew_once_for_each_move(proved):
    released(proved)
    moves(proved, "RUA  1")
    assert asked(proved) == ["release.1"], "spelt otherwise is not elsewhere"
    moves(proved, "Rua 2", 3)
    moves(proved, "Rua 2", 4)
    assert asked(proved) == ["release.1", "release.1.withdraw"], "not before the warehouse has answered"
    proved.answer("ord.shop.1:release.1.withdraw", proved.order().id)
    moves(proved, "Rua 3", 5)
    proved.answer("ord.shop.1:release.2.withdraw", proved.order().id)
    assert asked(proved)[2:] == ["release.2", "release.2.withdraw", "release.3"] and proved.level("A")["allocated"] == 3
    proved.say("wms", a_parcel("p1", "rel.shop.1.3"))
    assert proved.order().status == "shipped" and proved.order().holds == {}


def test_a_parcel_that_left_for_the_address_of_before_is_named_and_the_rest_goes_to_the_new_one(proved):
    released(proved)
    proved.say("wms", a_parcel("p1", "rel.shop.1.1", [("1", 1)]))
    moves(proved, "Rua 2")
    proved.say("wms", a_parcel("p2", "rel.shop.1.1", [("1", 1)]))
    proved.answer("ord.shop.1:release.1.withdraw", proved.order().id)
    assert asked(proved)[-1] == "release.2", "what is held does not hold up what can still go right"
    proved.say("wms", a_parcel("p3", "rel.shop.1.2", [("1", 1)]))
    found = blocker(proved.order())
    assert (found.what, found.whose) == ("address_changed_late", "operations")
    assert found.detail == "parcel p1 left for the address of before; parcel p2 left for the address of before"
    assert proved.order().status == "shipped"


def test_what_was_asked_back_in_vain_is_over_when_all_that_is_wanted_has_left(proved):
    """A wrong mapping doubled what the buyer wants and broke the sum; meanwhile they moved, and the parcel left."""
    proved.count("A", 9)
    proved.say("shop", an_order(), ada("Rua 1"))
    proved.say("shop", an_order(version=2, lines=(("A", 4, 500),), total=1000), ada("Rua 2"))
    proved.say("wms", a_parcel("p1", "rel.shop.1.1", [("1", 2)]))
    proved.answer("ord.shop.1:release.1.withdraw", proved.order().id, "rejected", "wms")
    assert proved.order().status == "part_shipped" and "totals_mismatch" in proved.order().holds
    proved.say("shop", an_order(version=3), ada("Rua 2"))
    assert proved.order().status == "shipped" and set(proved.order().holds) == {"address_changed_late"}


def test_a_move_after_everything_has_left_is_named_until_a_person_has_looked(proved):
    released(proved)
    proved.say("wms", a_parcel("p1", "rel.shop.1.1"))
    moves(proved, "Rua 2")
    assert asked(proved) == ["release.1"] and "address_changed_late" in proved.order().holds
    proved.receive("operator", "operator/free", "ord.shop.1", b'{"by":"ann","reason":"the carrier was told"}')
    assert proved.order().holds == {}
    moves(proved, "Rua 3", 3)
    assert "address_changed_late" in proved.order().holds, "another move is another matter"


@pytest.mark.parametrize("core", [set()], indirect=True)
def test_a_warehouse_that_gives_nothing_back_is_named_at_once(proved):
    released(proved)
    moves(proved, "Rua 2")
    assert proved.order().holds == {"address_changed_late": "wms cannot be told where to send release 1 now"}


def test_a_move_before_the_release_needs_no_word(proved):
    proved.say("shop", an_order(), ada("Rua 1"))
    proved.say("shop", an_order(version=2), ada("Rua 2"))
    proved.count("A", 9)
    assert asked(proved) == ["release.1"] and proved.order().holds == {}
