"""What `init` writes for our real connectors is clean, whichever of them a shop has."""

from itertools import combinations

import pytest

from mainstay.app import build
from mainstay.landscape import Answers, check, demo, places, read, write

VENDORS = {"shop": "shopify", "amazon": "amazon", "payments": "stripe", "erp": "tryton", "warehouse": "shipstation"}
SHOPS = [dict(some) for size in range(1, 6) for some in combinations(VENDORS.items(), size)]


def found(text: str) -> list[str]:
    return [str(one) for one in check(read(text, "mainstay.toml"), build.offers(), lambda reference: True, places(text))]


def test_the_demo_shop_is_clean():
    assert found(demo(build.offers(), {}, {})) == []


@pytest.mark.parametrize("url", ["", "https://mainstay.acme.example"])
@pytest.mark.parametrize("systems", SHOPS, ids="+".join)
def test_any_combination_of_connectors_starts_without_errors(systems, url):
    answers = Answers(shop="Acme", currency="EUR", contact="ops@acme.example", systems=systems, url=url)
    assert [one for one in found(write(answers, build.offers())) if " error " in one] == []
