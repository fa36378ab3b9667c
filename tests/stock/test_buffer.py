"""The law of buffers: enough for what is sold while a number is on its way, none where hardly anything is, and no last unit hidden."""

from math import exp, fsum, lgamma, log

from hypothesis import given
from hypothesis import strategies as st

from mainstay.model.state import Level
from mainstay.model.times import SECOND
from mainstay.stock.buffer import MEMORY_S, Kept, kept_back, needed, rate_per_s, selling_at, sold
from mainstay.stock.view import ChannelPolicy, explained, listed

chances = st.sampled_from([0.1, 0.01, 0.001, 0.0001])
means = st.floats(0.0, 400.0)


def more_than(units, mean):
    """The chance that more than so many are sold, term by term from its definition."""
    return fsum(exp(k * log(mean) - mean - lgamma(k + 1)) for k in range(units + 1, units + 400)) if mean else 0.0


@given(means, chances)
def test_more_are_sold_with_at_most_this_chance_and_no_unit_is_kept_back_in_vain(mean, chance):
    units = needed(mean, 1.0, chance)
    assert more_than(units, mean) <= chance * (1 + 1e-6)
    assert units == 0 or more_than(units - 1, mean) > chance * (1 - 1e-6)


@given(st.floats(0, 5), st.floats(0, 300), st.floats(0, 300), chances)
def test_who_waits_longer_keeps_back_no_less(rate, delay_s, more_s, chance):
    assert needed(rate, delay_s, chance) <= needed(rate, delay_s + more_s, chance)


def test_the_law_goes_on_where_it_is_no_longer_summed_up():
    assert abs(needed(499.0, 1.0, 0.001) - needed(501.0, 1.0, 0.001)) <= 4 and needed(50_000.0, 1.0, 0.001) > 50_600


def test_an_item_that_hardly_sells_needs_none():
    assert needed(1 / 3600, 2.0, 0.001) == 0, "one an hour, two seconds"
    assert needed(1.2, 1.4, 0.001) == 7, "1.2 a second, 1.4 seconds: Poisson with mean 1.68; P(X > 6) is 0.0018, P(X > 7) is 0.0004"


# --- rates ---------------------------------------------------------------------------------------------------------------
def run_of(moments, units=1):
    known = None
    for at in moments:
        known = sold(known, units, int(at * SECOND))
    return known


def test_one_sale_is_no_rate():
    known = run_of([100.0], units=5)
    assert rate_per_s(known, 100 * SECOND) == 0.0 and rate_per_s(None, 0) == 0.0


@given(st.floats(0.02, 20.0), st.floats(10.0, 900.0))
def test_an_even_rate_is_found_and_soon(per_s, seconds):
    count = int(per_s * seconds)
    found = rate_per_s(run_of([n / per_s for n in range(count + 1)]), int(count / per_s * SECOND))
    assert count < 5 or found <= per_s * 1.6
    assert count / per_s < 6 or count < 5 or found >= per_s * 0.6


@given(st.floats(0.1, 5.0), st.floats(0, 1_000), st.floats(1, 1_000))
def test_what_does_not_sell_any_more_is_forgotten(per_s, later_s, more_s):
    known = selling_at(per_s, 0)
    assert abs(rate_per_s(known, 0) - per_s) < per_s * 0.01
    assert rate_per_s(known, int((later_s + more_s) * SECOND)) <= rate_per_s(known, int(later_s * SECOND))
    assert rate_per_s(known, int(20 * MEMORY_S * SECOND)) == 0.0


def test_a_new_run_begins_when_the_last_is_forgotten():
    known = sold(run_of([0.0, 1.0, 2.0]), 1, 3_600 * SECOND)
    assert (known.since, known.units) == (3_600 * SECOND, 0.0)


# --- the last units ------------------------------------------------------------------------------------------------------
needs_of = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.integers(0, 20), min_size=1)


@given(st.integers(0, 60), needs_of, st.integers(1, 10_000))
def test_no_unit_is_kept_back_from_everybody(available, needs, item):
    shown = {name: max(0, available - kept_back(available, needs, name, item, asked=False)[0]) for name in needs}
    assert max(shown.values()) > 0 or available == 0
    assert all(units == available - needs[name] for name, units in shown.items() if available > max(needs.values()))
    if available <= min(needs.values()):
        assert sorted(shown.values()) == [0] * (len(needs) - 1) + [available], "one has the last units, all of them"


@given(st.integers(0, 60), needs_of, st.integers(1, 10_000))
def test_who_asks_first_is_left_the_last_units(available, needs, item):
    assert all(kept_back(available, needs, name, item, asked=True) == (needs[name], False) for name in needs)


def test_the_last_units_go_to_another_channel_with_each_item():
    needs = {"amazon": 3, "shop": 3}
    alone = [[name for name in needs if kept_back(3, needs, name, item, asked=False)[1]] for item in (1, 2, 3)]
    assert alone == [["shop"], ["amazon"], ["shop"]]
    assert kept_back(3, {"amazon": 9, "shop": 3}, "shop", 2, asked=False) == (0, True), (
        "to the one whose number is there first, where one is"
    )


def test_what_is_kept_back_is_a_step_of_the_explanation():
    shelf, policy = [Level(257, on_hand=31)], ChannelPolicy(channel="amazon", system="amazon", share=0.5, chance=0.001)
    kept = Kept(units=7, need=7, rate_per_s=1.2, delay_s=1.4, chance=0.001)
    assert listed(shelf, policy, kept) == 12
    assert [(step.what, step.units) for step in explained(shelf, policy, kept)] == [
        ("on hand", 31), ("available to promise", 31),
        ("less 7 kept back: 1.2/s sell, 1.4 s until the number is there, 1 in 1,000", 24), ("share of 50%", 12), ("shown at amazon", 12),
    ]  # fmt: skip
    alone = Kept(units=0, need=40, rate_per_s=1.2, delay_s=1.4, chance=0.001, alone=True)
    assert (
        explained(shelf, policy, alone)[2].what.startswith("the last units, shown here alone: 1.2/s sell")
        and listed(shelf, policy, alone) == 15
    )


@given(st.integers(0, 60), st.integers(0, 30), st.sampled_from([0.3, 1.0]), st.none() | st.integers(0, 20))
def test_the_explanation_ends_at_the_number_that_is_shown(on_hand, units, share, cap):
    shelf, policy = [Level(257, on_hand=on_hand)], ChannelPolicy(channel="c", system="s", share=share, cap=cap, chance=0.01)
    kept = Kept(units=units, need=units, rate_per_s=1.0, delay_s=1.0, chance=0.01)
    shown = listed(shelf, policy, kept)
    assert explained(shelf, policy, kept)[-1].units == shown and 0 <= shown <= max(0, on_hand - units)
