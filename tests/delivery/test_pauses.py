"""When to call, and when not: rate budgets, back-off, the breaker. Pure arithmetic over handed-in time."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.contract.connector import Budget, Measured
from mainstay.contract.talk import Call
from mainstay.delivery.budgets import Budgets
from mainstay.delivery.retry import BACKOFF_S_MAX, BACKOFF_S_MIN, BREAKER_FAILURES, BREAKER_S_MAX, BREAKER_S_MIN, Breaker, backoff_us
from mainstay.model.times import SECOND


def a_call(operation="orders", cost=1.0) -> Call:
    return Call(operation=operation, method="GET", path="/", cost=cost)


def spent(budgets, gaps, call=None) -> list[int]:
    """The moments of permitted calls: one is tried after each gap (microseconds), and waits as long as it is told to."""
    now, moments = 0, []
    for gap in gaps:
        now += gap
        while wait := budgets.wait(call or a_call(), now):
            now += wait
        moments.append(now)
    return moments


gaps = st.lists(st.integers(0, 3 * SECOND), min_size=1, max_size=60)
declared = st.builds(Budget, st.just("b"), st.sampled_from(["leaky", "token"]), st.integers(1, 20), st.sampled_from([0.1, 0.6667, 2, 50]))


def most_above(moments, budget) -> float:
    """How far the calls of any window exceed what flows back in it: at most the capacity may."""
    return max(j - i + 1 - (moments[j] - moments[i]) / SECOND * budget.per_s for i in range(len(moments)) for j in range(i, len(moments)))


# --- budgets -----------------------------------------------------------------------------------------------------------
@given(declared, gaps)
def test_no_window_ever_holds_more_calls_than_declared(budget, gaps):
    moments = spent(Budgets([budget], 0), gaps)
    assert most_above(moments, budget) <= budget.capacity + 1e-3


@given(declared, st.lists(gaps, min_size=2, max_size=4), st.sampled_from([1.0, 60.0]))
def test_a_crash_after_any_call_gives_nothing_back(budget, lives, scale):
    """Each life starts where the disk says that the last one ended (reference/reliability.md, E7)."""
    now, moments, disk = 0, [], {}
    for gaps_of_life in lives:
        budgets = Budgets([budget], now, scale, disk)
        for gap in gaps_of_life:
            now += gap
            while wait := budgets.wait(a_call(), now):
                now += wait
            if budgets.lowered(now):
                disk = dict(budgets.floors)
            moments.append(now)
    scaled = msgspec.structs.replace(budget, per_s=budget.per_s * scale)
    assert most_above(moments, scaled) <= budget.capacity + 1e-3


@pytest.mark.parametrize(("per_s", "left"), [(0.0056, 15), (2.0, 14)])
def test_a_restart_takes_away_no_more_than_a_second_of_flow(per_s, left):
    budget = Budget("orders", "token", 20, per_s)
    budgets, disk = Budgets([budget], 0), {}
    for _ in range(4):
        assert budgets.wait(a_call(), 0) == 0
        disk = dict(budgets.floors) if budgets.lowered(0) else disk
    again = Budgets([budget], 0, 1.0, disk)
    assert sum(again.wait(a_call(), 0) == 0 for _ in range(20)) == left, "four were spent, of twenty"


def test_a_busy_bucket_is_written_down_about_once_a_second():
    budgets, written = Budgets([Budget("b", "token", 100, 100)], 0), 0
    for n in range(4_000):
        now = n * SECOND // 400
        now += budgets.wait(a_call(), now)
        written += budgets.lowered(now)
    assert 1 <= written <= 12


@given(declared, gaps)
def test_it_never_waits_longer_than_the_call_needs(budget, gaps):
    """Held back for nothing would be a limit of ours, not the vendor's: a waiting call goes within a microsecond of its room."""
    budgets = Budgets([budget], 0)
    moments = spent(budgets, gaps)
    assert moments[-1] <= sum(gaps) + len(gaps) * (SECOND / budget.per_s + 2)


def test_a_cost_budget_is_spent_by_cost_and_others_by_call():
    budgets = Budgets([Budget("graphql", "cost", 1000, 100), Budget("calls", "token", 100, 1)], 0)
    budgets.learn([Measured("graphql", 500.0)], 0)
    assert budgets.wait(a_call(cost=480.0), 0) == 0
    assert budgets.wait(a_call(cost=120.0), 0) == SECOND + 1, "100 are missing, 100 flow back in a second"


def test_a_call_that_costs_more_than_the_bucket_holds_waits_for_a_full_one():
    budgets = Budgets([Budget("graphql", "cost", 1000, 100)], 0)
    assert budgets.wait(a_call(cost=500.0), 0) == 0
    assert budgets.wait(a_call(cost=5000.0), 0) == 5 * SECOND + 1
    assert budgets.wait(a_call(cost=5000.0), 10 * SECOND) == 0


def test_an_operation_has_its_own_bucket():
    budgets = Budgets([Budget("feeds", "token", 2, 0.01, ("createFeed",))], 0)
    assert [budgets.wait(a_call("createFeed"), 0) > 0 for _ in range(3)] == [False, False, True]
    assert budgets.wait(a_call("getOrder"), 0) == 0


def test_what_the_vendor_measured_is_believed_downwards_only():
    budgets = Budgets([Budget("b", "leaky", 40, 2)], 0)
    assert [budgets.wait(a_call(), 0) for _ in range(20)] == [0] * 20
    budgets.learn([Measured("b", 40.0), Measured("no such", 0.0)], 0)
    assert sum(budgets.wait(a_call(), 0) == 0 for _ in range(40)) == 20, "an answer that is late does not give back what was spent since"
    budgets = Budgets([Budget("b", "leaky", 40, 2)], 0)
    budgets.learn([Measured("b", 1.0, 4.0)], 0)
    assert [budgets.wait(a_call(), 0) for _ in range(2)] == [0, SECOND // 4 + 1], "the plan of this shop lets 4 flow back"


def test_a_measurement_counts_from_when_it_was_made():
    """The time before it must not flow back once more."""
    budgets = Budgets([Budget("b", "leaky", 40, 2)], 0)
    budgets.learn([Measured("b", 0.0)], 100 * SECOND)
    assert budgets.wait(a_call(), 100 * SECOND) == SECOND // 2 + 1
    budgets = Budgets([Budget("b", "leaky", 40, 2)], 0)
    budgets.empty(a_call(), 100 * SECOND)
    assert budgets.wait(a_call(), 100 * SECOND) == SECOND // 2 + 1, "nor after a refusal"


def test_twins_that_live_faster_give_back_faster():
    budgets = Budgets([Budget("b", "leaky", 2, 1)], 0, scale=60)
    assert [budgets.wait(a_call(), 0) for _ in range(3)] == [0, 0, SECOND // 60 + 1]


def test_concurrency_is_no_bucket():
    budgets = Budgets([Budget("c", "concurrency", 3), Budget("d", "concurrency", 2)], 0)
    assert budgets.concurrent == 2 and budgets.wait(a_call(), 0) == 0


# --- back-off ----------------------------------------------------------------------------------------------------------
@given(st.integers(0, 500), st.integers(0, 9), st.none() | st.floats(0, 86_400))
def test_a_pause_grows_within_bounds_and_is_never_shorter_than_asked(tries, seed, after_s):
    pause = backoff_us(tries, random.Random(seed), after_s) / SECOND
    assert pause >= min(BACKOFF_S_MAX, BACKOFF_S_MIN * 2**tries) / 2 - 1e-6
    assert pause >= (after_s or 0.0) - 1e-6
    assert pause <= max(BACKOFF_S_MAX, 1.1 * (after_s or 0.0)) + 1e-6


class Fixed:
    """No chance: the planted bug."""

    def random(self):
        return 0.5


@pytest.mark.parametrize(("dice", "moments"), [(random.Random(1), range(91, 101)), (Fixed(), [1])], ids=["chance", "a planted bug: none"])
def test_pauses_differ_so_that_nobody_comes_back_at_once(dice, moments):
    assert len({backoff_us(5, dice, 30.0) for _ in range(100)}) in moments


# --- breaker -----------------------------------------------------------------------------------------------------------
def failing(breaker, now=0, times=BREAKER_FAILURES):
    for _ in range(times):
        breaker.failed(now, "HTTP 503")


def test_it_opens_after_failures_in_a_row_only():
    breaker = Breaker()
    failing(breaker, times=BREAKER_FAILURES - 1)
    breaker.succeeded()
    failing(breaker, times=BREAKER_FAILURES - 1)
    assert breaker.wait(0) == 0
    failing(breaker, times=1)
    assert breaker.wait(0) == BREAKER_S_MIN * SECOND and breaker.reason == "HTTP 503"


def test_one_probe_goes_and_the_others_keep_waiting():
    breaker = Breaker()
    failing(breaker)
    later = int(BREAKER_S_MIN * SECOND)
    assert [breaker.wait(later) == 0 for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert [breaker.wait(later) for _ in range(3)] == [0, 0, 0]


def test_the_pause_grows_up_to_its_bound_and_begins_anew_after_success():
    breaker = Breaker()
    failing(breaker)
    pauses = []
    for _ in range(12):
        now = breaker.until
        assert breaker.wait(now) == 0
        breaker.failed(now, "HTTP 503")
        pauses.append((breaker.until - now) / SECOND)
    assert pauses == sorted(pauses) and pauses[-1] == BREAKER_S_MAX
    breaker.succeeded()
    failing(breaker)
    assert breaker.until == BREAKER_S_MIN * SECOND


@pytest.mark.parametrize("now", [0, 5 * SECOND])
def test_credentials_that_do_not_work_pause_at_once(now):
    breaker = Breaker()
    breaker.halt(now, "HTTP 401")
    assert breaker.wait(now) == BREAKER_S_MAX * SECOND
    assert breaker.wait(now + int(BREAKER_S_MAX * SECOND)) == 0
