"""A shop as `init` writes it for a storefront and a till: nobody is asked to ship, and whoever sold it tells what left."""

import json
from importlib.resources import files

import msgspec
import pytest

from mainstay.app import build
from mainstay.flows.tell import Tell
from mainstay.landscape import MAINSTAY, Answers, write
from mainstay.model.seen import Said, StockCounted
from mainstay.orders.view import blocker
from tests.flows.conftest import Core, an_order


@pytest.fixture
def core(tmp_path, monkeypatch):
    systems = {"shop": "shopify", "till": "api"}
    answers = Answers(
        shop="Acme", currency="EUR", contact="ops@acme.example", systems=systems, asks_first=("till",), url="https://acme.example"
    )
    (tmp_path / "mainstay.toml").write_text(write(answers, build.offers()).replace("…", "7001"))
    for name in ("SHOP_TOKEN", "SHOP_WEBHOOK_SECRET", "TILL_TOKEN"):
        monkeypatch.setenv(name, "x")
    made = Core(tmp_path / "state.db")
    made.state.close()
    made.shop = build.shop(build.open_house(tmp_path / "mainstay.toml"))
    made.open()
    return made


def count(core, sku, units):
    said = Said(StockCounted(external=sku, at=core.now, item=sku, sku=sku, quantity=units))
    assert core.ask(MAINSTAY, Tell.topic, "", {"statements": msgspec.to_builtins([said])})[0] == 200


def test_the_shops_own_fulfilment_moves_its_order_on(core):
    """Shopify's order waits under the truth, and ends when Shopify tells of its parcels."""
    sample = json.loads((files("mainstay.connectors.shopify") / "samples" / "order.json").read_text())
    order = sample | {"note_attributes": [], "refunds": []}
    count(core, "MUG-BLUE", 5)
    core.receive("shop", "orders/create", "w1", json.dumps(order | {"fulfillments": []}).encode())
    waits = blocker(core.order(str(sample["id"])))
    assert waits.detail == "nobody is asked to ship: declare a warehouse, or ship and let the channel tell"
    assert (waits.what, waits.whose) == ("shipping", "operations")
    core.receive("shop", "orders/updated", "w2", json.dumps(order | {"updated_at": "2026-03-03T10:00:00+01:00"}).encode())
    order = core.order(str(sample["id"]))
    assert order.status == "settled" and blocker(order) is None
    assert core.level("MUG-BLUE") == {"on_hand": 3, "allocated": 0, "reserved": 0, "deficit": 0, "unbooked": 0}


def test_what_the_till_handed_over_has_left(core):
    count(core, "A", 5)
    sale = {"external": "t1", "version": 1, "order": msgspec.to_builtins(an_order().order), "handed_over": True}
    assert core.ask("till", "api/order", "t1:1", sale) == (201, {"order": "ord.till.t1", "status": "settled"})
    assert core.level("A") == {"on_hand": 3, "allocated": 0, "reserved": 0, "deficit": 0, "unbooked": 0}
