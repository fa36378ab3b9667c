"""The system's clock is set while Mainstay works: dispatch begins anew, and no wait that was written down before outlasts it."""

from collections import Counter

import msgspec
import pytest

from mainstay.app.simulate import VARIANTS, fittings
from mainstay.contract.connector import Budget, Feed
from mainstay.contract.talk import Call
from mainstay.delivery import dispatch
from mainstay.delivery.budgets import Budgets, Floor
from mainstay.delivery.outcomes import Attempt
from mainstay.delivery.polls import Poll
from mainstay.delivery.retry import PAUSE_US_MAX
from mainstay.model.commands import CancelOrder, CapturePayment, SetPrice
from mainstay.model.times import DAY, END, HOUR, SECOND
from mainstay.model.timetable import Timetable
from mainstay.proof.sim import operators, reads_trace
from mainstay.proof.sim import run as simulated
from mainstay.proof.sim.machine import Machine
from mainstay.proof.sim.story import T0 as T0_OF_HISTORIES
from tests.delivery.conftest import T0

CANCEL = CancelOrder(key="x1", order="1", reason="oops")


def put(desk, command, at, attempt=None):
    """An intent of an earlier process, which had the time `at`."""
    desk.lanes.add(1, at, 7, msgspec.json.encode(command), attempt, restarted=True)


def test_a_pause_of_another_clock_is_no_longer_than_any_pause(desk, run):
    """It was written down a week ahead."""
    put(desk, CANCEL, desk.clock() + 7 * DAY, Attempt("waiting", 3, desk.clock() + 7 * DAY))
    run(desk.until_over(1))
    assert desk.loop.time() <= PAUSE_US_MAX / SECOND + 1 and desk.said() == [["x1"]]


@pytest.mark.parametrize("by", [DAY, -HOUR])
def test_a_pause_ends_when_it_would_have_ended(desk, run, by):
    put(desk, CANCEL, desk.clock(), Attempt("waiting", 3, desk.clock() + 100 * SECOND))

    async def is_set():
        desk.lanes.clock_was_set(by)
        desk.outcomes.flush()

    run(is_set())
    assert desk.outcomes.attempts()[1].next_at == desk.clock() + by + 100 * SECOND


def test_what_gathers_company_does_not_wait_until_the_clock_has_caught_up(desk, run):
    put(desk, SetPrice(key="p1", sku="A", item="A", currency="EUR", price=1, revision=1), desk.clock() + DAY)
    run(desk.until_over(1))
    assert desk.loop.time() < 60


def test_a_key_whose_age_nobody_knows_is_looked_up_first(desk, run):
    desk.answer = lambda path, body: b"found" if path.startswith("/look_up") else b""
    put(desk, CapturePayment(key="c1", payment="pi_1", amount=100, currency="EUR"), desk.clock() + HOUR)
    run(desk.until_over(1))
    assert desk.paths() == ["/look_up/c1"]


def test_a_bucket_fills_again_though_it_was_written_down_in_the_future():
    limit = Budget("account", "leaky", 10, 1)
    budgets = Budgets((limit,), T0, floors={"account": Floor(0.0, 1.0, T0 + DAY)})
    call = Call(operation="orders", method="GET", path="/")
    assert budgets.wait(call, T0) <= SECOND + 1 and budgets.wait(call, T0 + 2 * SECOND) == 0


def test_a_time_of_day_that_was_read_in_the_future_is_read_again(desk):
    desk.outcomes.inbox.add([], [("read/paper/orders", str(desk.clock() + 10 * DAY))])
    poll = Poll(desk.connection, Feed("orders", "", ("order",)), desk.outcomes, desk.dice, Timetable(frozenset({("02:30", "UTC")})))
    assert poll.due <= desk.clock() + DAY


@pytest.mark.parametrize("seeds", [range(80, 86), pytest.param(range(100), marks=pytest.mark.slow)], ids=["six", "a hundred"])
def test_histories_in_which_the_clock_is_set(seeds):
    """A day ahead or an hour behind, and right again: in the whole product, with crashes and outages beside it."""
    simulated.silence()
    endings = [simulated.one(simulated.swarm(seed, tuple(VARIANTS), "clocks"), fittings) for seed in seeds]
    assert {one.seed: one.broken for one in endings if one.broken} == {}
    fired = sum((one.fired for one in endings), Counter())
    assert fired["begun anew"] >= len(seeds) / 2, "dispatch notices it"
    assert fired["clock ahead"] >= len(seeds) / 4 <= fired["clock behind"]


# --- decades off -------------------------------------------------------------------------------------------------------
YEARS = {  # what the clock says then
    "1970": HOUR,
    "2038": (1 << 31) * SECOND,  # seconds no longer fit into 31 bits
    "9999": END - DAY,
}


def begins_wrong(monkeypatch, by):
    """The machine starts with a clock that is wrong by so much."""
    right, begun = Machine.start, []

    def start(self):
        if self not in begun:
            begun.append(self)
            self.set_by = by
        right(self)

    monkeypatch.setattr(Machine, "start", start)


def decades_off(monkeypatch, year, how, seeds):
    simulated.silence()
    by = YEARS[year] - T0_OF_HISTORIES
    monkeypatch.setattr(operators, "WRONG_BY", (by,))
    monkeypatch.setattr(reads_trace, "WRONG_BY_MAX", abs(by))
    if how != "it jumps":
        begins_wrong(monkeypatch, by)
    if how == "it stays so":
        monkeypatch.setattr(Machine, "set_clock", lambda self, by: None)
    return [simulated.one(simulated.swarm(seed, tuple(VARIANTS), "clocks"), fittings) for seed in seeds]


@pytest.mark.parametrize("how", ["it jumps", "it is so at the start", "it stays so"])
@pytest.mark.parametrize("year", YEARS)
def test_histories_in_which_the_clock_is_decades_off(monkeypatch, year, how):
    endings = decades_off(monkeypatch, year, how, range(2))
    assert {one.seed: one.broken for one in endings if one.broken} == {}
    fired = sum((one.fired for one in endings), Counter())
    assert bool(fired["begun anew"]) == (how != "it stays so"), "dispatch notices it"


@pytest.mark.slow
def test_a_dispatch_that_does_not_notice_it_would_wait_for_decades(monkeypatch):
    monkeypatch.setattr(dispatch, "JUMP_US", 1 << 62)
    (ending,) = decades_off(monkeypatch, "2038", "it jumps", (2,))
    assert "come to rest" in ending.broken
