"""How fast a sale at one channel reached the others is read from the channels' own books."""

import random

from mainstay.proof.pace import reached
from mainstay.twins.amazon import AmazonTwin
from mainstay.twins.shopify import ShopifyTwin

BUYER = {
    "name": "Ada",
    "email": "ada@buyers.example",
    "phone": "",
    "street": "1",
    "city": "x",
    "region": "",
    "postcode": "1",
    "country": "DE",
}


def test_a_number_tells_of_all_sales_before_it_and_a_channel_s_own_sales_are_not_waited_for():
    shop, amazon = ShopifyTwin(random.Random(1)), AmazonTwin(random.Random(2))
    for sku in ("A", "B"):
        shop.add_product(sku, sku, 100, 9)
        amazon.add_listing(sku, 100, 9)
    for at, sku in ((1_000, "A"), (4_000, "A"), (5_000, "B")):
        assert shop.place_order([(sku, 1)], now=at, customer=BUYER)
    assert amazon.place_order([("A", 1)], now=2_000, buyer=BUYER)
    amazon.level_history += [("A", 9, 500), ("A", 7, 9_000), ("A", 6, 9_500)]
    shop.level_history += [("A", 7, 2_000)]
    assert reached({"shop": shop, "amazon": amazon}) == {"shop": [0], "amazon": [5_000, 8_000]}
