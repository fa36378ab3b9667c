"""Each order goes to the address that it was placed with, or that its own edit gave."""

from __future__ import annotations

import msgspec

from mainstay.model.objects import Address, Person
from mainstay.storage.packing import unpack
from tests.flows.conftest import an_order


def ada(street: str) -> Person:
    return Person(id="c1", name="Ada", email="ada@example.com", shipping=Address(street=street))


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
