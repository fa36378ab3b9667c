"""What `init` writes for our real connectors is clean, whichever of them a shop has."""

from itertools import combinations

import pytest

from mainstay.app import build
from mainstay.landscape import Answers, check, demo, places, read, write

VENDORS = {"shop": "shopify", "amazon": "amazon", "payments": "stripe", "erp": "tryton", "warehouse": "shipstation"}
SHOPS = [dict(some) for size in range(1, 6) for some in combinations(VENDORS.items(), size)]


def found(text: str) -> list[str]:
    return [str(one) for one in check(read(text, "mainstay.toml"), build.offers(), lambda reference: True, places(text))]


def filled_in(text: str) -> str:
    """What a user does after `init`: write what only the shop knows."""
    return text.replace("…", "17")


def test_the_demo_shop_is_clean():
    assert found(filled_in(demo(build.offers(), {}, {}))) == []


def test_what_init_leaves_open_is_named_line_by_line():
    text = demo(build.offers(), {}, {})
    left = [number for number, line in enumerate(text.splitlines(), 1) if "…" in line]
    assert left and [one.split(": ")[0] for one in found(text) if " placeholder: " in one] == [f"mainstay.toml:{number}" for number in left]


@pytest.mark.parametrize("url", ["", "https://mainstay.acme.example"])
@pytest.mark.parametrize("systems", SHOPS, ids="+".join)
def test_any_combination_of_connectors_starts_without_errors(systems, url):
    answers = Answers(shop="Acme", currency="EUR", contact="ops@acme.example", systems=systems, url=url)
    assert [one for one in found(filled_in(write(answers, build.offers()))) if " error " in one] == []
