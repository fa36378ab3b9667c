"""Which flows are later than the business needs them: by what waits to be told, and by what is not read."""

import pytest

from mainstay.contract.connector import Feed
from mainstay.contract.talk import Reply
from mainstay.delivery.lateness import Promise, standings
from mainstay.delivery.levels import Levels
from mainstay.delivery.polls import Poll
from mainstay.model.commands import CancelOrder
from mainstay.model.times import SECOND


def a_promise(obj: str, source: str = "mainstay", target: str = "paper") -> Promise:
    return Promise(flow=f"{obj}-flow", object=obj, source=source, targets=(target,), within_s=120.0, owner="ops")


@pytest.fixture
def stands(desk):
    """(seconds behind, late) of a promise, so many seconds from now."""
    poll = Poll(desk.connection, Feed("orders", "", ("order",), objects=("order",)), desk.outcomes, desk.dice, pace=60.0)
    net = Poll(desk.connection, Feed("all", "", ("order",), objects=("order",)), desk.outcomes, desk.dice, pace=3600.0)
    levels = Levels("shop", desk.connection, desk.outcomes, lambda channel, changes: [], desk.dice)

    def stands(promise, in_s=0):
        found = standings([promise], {"paper": desk.lanes}, [levels], [poll, net], desk.clock() + in_s * SECOND)[promise.flow]
        return found.behind_s, found.late

    stands.levels, stands.poll = levels, poll
    return stands


def test_what_waits_to_be_told_is_late_after_its_time(desk, stands):
    assert stands(a_promise("order"), 500) == (0.0, False), "nothing waits"
    desk.add(1, CancelOrder(key="x1", order="1", reason="oops"))
    assert stands(a_promise("order"), 100) == (100.0, False) and stands(a_promise("order"), 121) == (121.0, True)
    assert stands(a_promise("payment"), 500) == (0.0, False), "another object's flow is not late"
    assert stands(a_promise("order", target="other"), 500) == (0.0, False), "nor is another system's"


def test_levels_that_are_not_told_make_their_flow_late(desk, stands):
    stands.levels.changed([7], 1, desk.clock())
    assert stands(a_promise("inventory"), 130) == (130.0, True)


def test_a_feed_that_cannot_be_read_makes_its_flow_late(desk, stands, run):
    inward = a_promise("order", source="paper", target="mainstay")
    assert stands(inward, 60) == (0.0, False), "it is not due yet"
    assert stands(inward, 200) == (140.0, True), "the faster of two feeds counts"
    desk.answer = lambda path, body: Reply(503)
    run(stands.poll.once())
    assert stands(inward, 200) == (140.0, True)
    run.loop._now += 200
    desk.answer = lambda path, body: b'["c1", false, []]'
    desk.connection.breaker.succeeded()
    run(stands.poll.once())
    assert stands(inward) == (0.0, False)
