"""What the demo's report shows: every count above zero with its cause, on screen and on the page."""

import io

import pytest
from rich.console import Console

from mainstay.app.page import page
from mainstay.app.show_demo import ZEROS, summary
from mainstay.proof.books import MUST_BE_ZERO
from mainstay.proof.truth import Findings, itemised


@pytest.fixture
def report():
    """A play of 30 shoppers that went badly."""
    found = {part: {} for part, _, _ in ZEROS}
    for part, name, _ in ZEROS:
        found[part][name] = 0
    found["orders"] |= {"lost": 1, "placed": 21}
    found["stock"] |= {
        "propagation_ms": {"p50": 1.0, "p99": 2.0, "max": 3.0},
        "by_channel": {},
        "oversold_units_autonomous": 2,
        "waiting_units": 1,
    }
    found["erp"]["returned_units"] = 6
    found["effects"] |= {"sent": 407, "unknown_open": 3}
    found["shoppers"] |= {"placed": 21, "refused": 4, "turned_away": 3, "given_back": 2, "failed": 0}
    letters = ["rejected at shop: the location <7001> is closed; owner operations"]
    return {
        **found,
        "verify": {"identical": True, "differences": []}, "under_way": {}, "failed_calls": [], "statuses": {"settled": 20}, "faults": {},
        "cases": {"lost": ["ord.shop.17: in the channel's book, unknown to Mainstay"]}, "repaired": 5,
        "dead_letters": {"open": 1, "by_cause": {"rejected": 1}, "cases": letters}, "orders_per_min": 600, "duration_s": 3.0,
        "story": {"source": "a generator", "rules": ["all is invented"]}, "settings": {"faults": "storm"},
    }  # fmt: skip


@pytest.fixture
def told(report):
    screen = io.StringIO()
    summary(report, Console(file=screen, width=200))
    return screen.getvalue()


def test_all_that_must_be_zero_is_shown():
    judged = {(part, name) for part, names in MUST_BE_ZERO.items() for name in names}
    assert judged < {(part, name) for part, name, _ in ZEROS}


def test_the_screen_says_how_every_visit_ended(told):
    assert "Played from a generator: 30 shoppers." in told
    for line in ("21 ordered", "4 refused before the sale: too little was there", "3 turned away", "2 gave their reservation back"):
        assert f" {line}" in told


def test_the_screen_itemises_what_is_not_zero(told):
    assert "BAD  orders lost " in told and "ord.shop.17: in the channel's book, unknown to Mainstay" in told
    assert "rejected at shop: the location <7001> is closed; owner operations" in told
    assert "6 units came back" in told
    assert "407 effects stand in the receivers' books, 3 have an unknown outcome" in told


def test_the_page_shows_the_same(report):
    html = page(report, [])
    for words in (
        "gave their reservation back",
        "in the receivers&#x27; books",
        "repaired by the demo&#x27;s operator",
        "ord.shop.17: in the channel",
        "30",
    ):
        assert words in html
    assert "the location &lt;7001&gt; is closed" in html and "refused before the sale" in html


def test_a_long_list_says_how_many_more_there_are():
    found = Findings()
    for number in range(23):
        found.add("lost", 1, f"ord.shop.{number}: gone")
    assert found.figures["lost"] == 23
    assert itemised(found.cases["lost"])[-2:] == ["ord.shop.19: gone", "… and 3 more"]
    assert itemised(["one"]) == ["one"]
