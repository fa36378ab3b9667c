"""The flash sale in small: what is promised of buffers holds, and would not without them."""

import pytest

from mainstay.proof.bench import flash, oversell
from mainstay.proof.bench.oversell import BATCH, EVENT, OURS, POLL
from mainstay.proof.figures import BUDGETS


def test_everybody_plays_the_same_sale():
    first, again = flash.assortment(40, 60.0, 3), flash.assortment(40, 60.0, 3)
    assert first == again and first != flash.assortment(40, 60.0, 4)
    assert len(first.wishes) == 40 * 20, "10,000 a minute over 500 SKUs is 20 of each"
    assert {wish.channel for wish in first.wishes} == set(flash.PARTS) and max(wish.at for wish in first.wishes) < 60


@pytest.mark.slow
def test_a_sale_keeps_its_budgets_with_buffers_and_misses_them_without():
    told = oversell.run(quick=True)
    assert told["correct"], told
    assert all(one.met(one.value(told)) for one in BUDGETS["oversell"]), told
    assert told["ratios"][EVENT] > 0.02, "the buffers are what keeps it: numbers told as fast, without them, oversell too much"
    policies = told["policies"]
    lost = [policies[name]["lost_revenue"] for name in (BATCH, POLL, EVENT, OURS)]
    assert lost == sorted(lost, reverse=True)
    assert policies[EVENT]["delays_s"] == {} and policies[OURS]["delays_s"][flash.SLOW] > 5 * policies[OURS]["delays_s"]["shop_a"]
