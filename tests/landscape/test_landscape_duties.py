"""Who answers for what fails, and by which page."""

import pytest
from tests.landscape.conftest import CLEAN

from mainstay.landscape import Duties, read

DESK = '\n[owners.desk]\ncontact = "desk@acme.example"\n'
OPS, SHOP, ORDERS, STOCK = "ops@acme.example", "https://wiki.acme.example/shop", "runbooks.md#orders", "runbooks.md#stock"
NAMED = CLEAN.replace('source = "shop"', 'source = "shop"\nfailures = { unknown_word = "desk", rejected = "desk" }') + DESK


def duties(text=NAMED):
    shop = read(text, "mainstay.toml")
    return Duties(shop.owners, shop.systems, shop.flows, {("shop", "orders/create"): ("order",), ("shop", "levels"): ("inventory",)})


@pytest.mark.parametrize(
    ("system", "topic", "code", "told"),
    [
        ("shop", "orders/create", "unknown_word", ("desk", "desk@acme.example", (ORDERS,))),  # as the flow of these messages says
        ("shop", "orders/create", "schema", ("ops", OPS, (SHOP,))),  # the system's own, which names a page
        ("shop", "levels", "unknown_word", ("ops", OPS, (SHOP,))),  # this speaks of stock: the flow of orders has no say in it
        ("shop", "", "rejected", ("desk", "desk@acme.example", (ORDERS,))),  # of an effect nothing but the system is known
        ("depot", "", "rejected", ("desk", "desk@acme.example", (ORDERS,))),  # a target of that flow
        ("till", "", "rejected", ("ops", OPS, (ORDERS, STOCK))),  # no page of its own: those of its flows
        ("market", "", "expired", ("ops", OPS, (ORDERS, STOCK))),
        ("gone", "", "rejected", ("operations", "", ())),  # a system that is not declared any more
    ],
)
def test_the_flow_s_failure_mode_then_the_system(system, topic, code, told):
    assert tuple(duties().of(system, topic, code)) == told
