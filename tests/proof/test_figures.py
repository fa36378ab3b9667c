"""The page of figures says which budgets are met and which are missed."""

import re
from pathlib import Path

import pytest

from mainstay.proof.bench import BENCHES
from mainstay.proof.bench.faults import comes_again, is_forged, is_garbled, is_wrong, mixed
from mainstay.proof.bench.payloads import order
from mainstay.proof.figures import BUDGETS, WHY, page

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"

MACHINE = {"cpu": "a small one", "cores": 2, "system": "Linux", "python": "3.11", "sqlite": "3.54.1"}


def result(bench: str, **more: object) -> dict:
    """What a benchmark hands in, as far as the page reads it."""
    return {"bench": bench, "work": "some work", "rate": 1, "spread": [1, 2], "ratios": {}, "correct": True, "machine": MACHINE, **more}


def test_every_benchmark_has_budgets():
    assert set(BUDGETS) == set(BENCHES) and all(BUDGETS.values())


def test_what_is_missed_is_named_first_and_in_its_row():
    rows = {"row_writes_per_order": {"orders": 1.0, "all": 17.1}, "bytes_per_order": 3585}
    text = page([result("orders", rate=4_496, **rows)], "2026-11-21")
    assert "**Missed:**\n\n- orders: 17.1, and ≤ 10 rows written for an order is due. Why: five lines are five rows of stock" in text
    assert "| ≤ 10 rows written for an order | 17.1 | **missed** |" in text
    assert "| ≤ 4,096 bytes stored for an order | 3,585 | met |" in text
    assert "| ≥ 3,000 orders a second | 4,496 | met |" in text
    assert "| ≥ 1.2 times pydantic + one SQLite commit per order, intake alone | — | not measured |" in text


def test_each_budget_that_the_page_misses_says_why():
    known = {(bench, one.words) for bench, budgets in BUDGETS.items() for one in budgets}
    assert set(WHY) <= known
    missed = re.search(r"\*\*Missed:\*\*\n\n((?:- .*\n)*)", PAGE.read_text())
    assert all(". Why: " in line for line in missed[1].splitlines()) if missed else "is met" in PAGE.read_text()


def test_a_ratio_below_its_budget_is_missed():
    text = page([result("saga", ratios={"DBOS, 64 started at once": 43.93, "one at a time / DBOS one at a time": 5.05})], "2026-11-21")
    assert "| ≥ 100 times DBOS, 64 started at once | 43.93 | **missed** |" in text
    assert "| ≥ 5 times one at a time / DBOS one at a time | 5.05 | met |" in text


def test_a_run_that_was_not_correct_keeps_nothing():
    text = page([result("restart", correct=False, first_acknowledgement_s=1.5, backlog_gone_s=2.0)], "2026-11-21")
    assert "| ≤ 3 s to the first acknowledgement | — | not measured |" in text and "correct: NO" in text


def test_the_figures_with_faults_stand_beside_those_without():
    figures = {"faults": "of 100 orders 10 come again", "rate": 3_900.5, "times the rate without": 0.95}
    text = page([result("orders", with_faults=figures)], "2026-11-21")
    assert "\n**With faults** (of 100 orders 10 come again): rate 3,900.5; times the rate without 0.95.\n" in text


@pytest.mark.parametrize("kind", [comes_again, is_garbled, is_forged, is_wrong])
def test_every_fault_of_a_run_with_faults_happens(kind):
    assert 10 <= sum(map(kind, range(500))) <= 50


def test_of_mixed_receipts_what_comes_again_is_what_came():
    new = [(n, "shop", "orders/create", f"e{n}", order(n)) for n in range(100)]
    faulty = list(mixed(new))
    assert [at for at, *_ in faulty] == list(range(100)), "they come when they came"
    assert len({key for *_, key, _ in faulty}) == 90 and sum(one == other for one, other in zip(new, faulty, strict=True)) == 86


def test_where_nothing_is_missed_it_says_so():
    told = page([result("restart", first_acknowledgement_s=1.5, backlog_gone_s=2.0)], "2026-11-21")
    assert "Every budget that was measured is met." in told


def test_a_sale_is_shown_by_how_channels_got_their_numbers():
    units = {"asked_first": 0, "autonomous": 11_164}
    batch = {"oversold_units": units, "unsold_units": 284, "unsold_because_of_buffers": 0, "lost_revenue": 55_365_427}
    ratios = {"event without buffer": 0.0463, "mainstay": 0.0047}
    more = {"unsold_because_of_buffers": 0.00134, "oversold_units_asked_first": 0, "policies": {"batch every 15 minutes": batch}}
    text = page([result("oversell", rate=None, spread=None, ratios=ratios, **more)], "2026-11-21")
    assert "\nCorrect: yes.\n" in text and "| event without buffer | 0.0463 × |" in text
    assert "| batch every 15 minutes | 0 | 11,164 | 284 | 0 | 55,365,427 |" in text
    assert "| ≤ 0 units oversold where we are asked first | 0 | met |" in text
