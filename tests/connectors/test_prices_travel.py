"""A price that is changed in the ERP stands in the books of the shop and of the marketplace."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace
from test_amazon_calls import rig as amazon_rig
from test_shopify_calls import rig as shopify_rig
from test_tryton_calls import pair, read_all
from tests.flows.conftest import LANDSCAPE, Core

from mainstay.contract.connector import Done
from mainstay.flows.propagate import Propagate
from mainstay.flows.rebuild import verify
from mainstay.landscape import Admission, read
from mainstay.model.times import HOUR
from mainstay.storage.database import rows

OWNED = LANDSCAPE.replace('price.all = { create = ["shop", "erp"] }', 'price.all = { create = ["erp"], consume = ["shop", "market"] }')
SKUS = ("SKU-0", "SKU-1")


class Shop:
    """The three systems, a core that hears them, and what tells them prices."""

    def __init__(self, core: Core) -> None:
        self.core = core
        core.shop = replace(core.shop, admission=Admission(read(OWNED, "mainstay.toml")))
        core.state.close()
        core.open()
        self.erp, self.books = pair()
        self.shop, _, self.shelf = shopify_rig()
        self.market, _, self.listings = amazon_rig()
        for n, sku in enumerate(SKUS):
            self.books.add_product(sku, 10, 2000 + n, self.erp.now)
        self.propagate = Propagate(core.state, {}, by_sku=("market",), pricing=("erp",))
        self.cursor, self.told = "", 0

    def hear(self) -> None:
        """What the ERP says of products; what the shop calls them."""
        self.erp.now += HOUR
        seen, self.cursor = read_all(self.erp, "products", self.cursor)
        for event in seen:
            self.core.say("erp", event)
        for said in self.shop.run(self.shop.connector.pull("inventory", "")).rows:
            for one in self.shop.connector.translate(said.topic, said.body):
                self.core.say("shop", one.event)
        self.core.flush()

    def tell(self) -> dict[str, int]:
        """Tell both what has changed, as dispatch does; how many each was told of."""
        found = rows(self.core.state.connection, "SELECT seq, items FROM price_change WHERE seq > ? ORDER BY seq", (self.told,))
        self.told = max((seq for seq, _ in found), default=self.told)
        items = sorted({item for _, body in found for item in msgspec.json.decode(body)})
        sent = {}
        for name, wire in (("shop", self.shop), ("market", self.market)):
            commands = [one for one in self.propagate.prices(name, [(item, self.told) for item in items]) if one and one.sku in SKUS]
            sent[name] = len(commands)
            told = wire.run(wire.connector.push(commands)) if commands else []
            assert all(isinstance(one, Done) for one in told), told
        return sent

    def costs(self, sku: str) -> tuple[int, int]:
        return self.shelf.variants[sku].price_minor, self.listings.listings[sku].price_minor


@pytest.fixture
def shop(tmp_path):
    return Shop(Core(tmp_path / "state.db"))


def test_the_owners_price_reaches_its_consumers_and_only_what_changed_is_told(shop, tmp_path):
    shop.hear()
    shop.tell()
    assert [shop.costs(sku) for sku in SKUS] == [(2000, 2000), (2001, 2001)]
    for price in (1500, 1600, 1700):
        shop.books.reprice("SKU-1", price, shop.erp.now)
        shop.hear()
    assert shop.tell() == {"shop": 1, "market": 1}, "the last of three prices, of one SKU"
    assert [shop.costs(sku) for sku in SKUS] == [(2000, 2000), (1700, 1700)]
    shop.books.rename("SKU-1", "Another name", shop.erp.now)
    shop.hear()
    assert shop.tell() == {"shop": 0, "market": 0}, "a name is no price"
    assert verify(shop.core.path, tmp_path / "rebuilt.db", shop.core.shop).identical


def test_whose_price_it_is_is_not_told_its_own(shop):
    shop.hear()
    item = shop.core.world.item_of["SKU-0"]
    assert shop.propagate.prices("erp", [(item, 1)]) == [None]
    assert Propagate(shop.core.state, {}, pricing=("shop",)).prices("shop", [(item, 1)]) == [None], "the shop has not said any"
