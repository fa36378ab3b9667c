"""What is read at times of day: when its time has come, once, and what passed while nothing ran is made up for once."""

import asyncio

import pytest

from mainstay.contract.connector import Feed
from mainstay.contract.talk import Reply
from mainstay.delivery.lateness import Promise, standings
from mainstay.delivery.polls import Poll
from mainstay.model.times import SECOND, iso
from mainstay.model.timetable import Timetable

TIMES = Timetable(frozenset({("02:30", "UTC"), ("15:00", "UTC")}))  # a desk's clock begins at 2026-09-21T14:13:20Z


def a_poll(desk):
    return Poll(desk.connection, Feed("stock", "", ("count",), objects=("inventory",)), desk.outcomes, desk.dice, TIMES)


@pytest.fixture
def work(desk, run):
    """Let a poll run for so many hours; when it asked, as text."""

    def work(poll, hours):
        async def for_a_while():
            running = asyncio.ensure_future(poll.run())
            await asyncio.sleep(hours * 3600)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

        before = len(desk.calls)
        run(for_a_while())
        return [iso(1_790_000_000 * SECOND + int(at) * SECOND)[5:16] for at, _, _ in desk.calls[before:]]

    return work


def again(desk):
    """Stop, as a crash would, and start with what is in the file."""
    desk.outcomes.inbox.close()
    desk.open()
    return a_poll(desk)


def test_it_is_read_when_its_time_has_come_and_not_before(desk, work):
    desk.answer = lambda path, body: b'["c1", false, []]'
    poll = a_poll(desk)
    assert iso(poll.due) == "2026-09-21T15:00:00Z"
    assert work(poll, 40) == ["09-21T15:00", "09-22T02:30", "09-22T15:00", "09-23T02:30"]
    assert iso(poll.due) == "2026-09-23T15:00:00Z"


def test_all_its_pages_are_one_reading(desk, work):
    pages = {"": b'["c1", true, [["s1", "a"]]]', "c1": b'["c2", true, []]', "c2": b'["c3", false, []]', "c3": b'["c3", false, []]'}
    desk.answer = lambda path, body: pages[path.removeprefix("/pull/")]
    assert work(a_poll(desk), 13) == ["09-21T15:00"] * 3 + ["09-22T02:30"]


def test_what_passed_while_nothing_ran_is_made_up_for_once(desk, run, work):
    desk.answer = lambda path, body: b'["c1", false, []]'
    assert work(a_poll(desk), 1) == ["09-21T15:00"]
    run.loop._now += 60 * 3600  # down for four of its times
    assert work(again(desk), 3) == ["09-24T03:13"], "at once, and one time for all of them"
    assert work(again(desk), 3) == [], "a restart alone reads nothing"


def test_the_first_start_waits_for_the_first_time_and_remembers_that_it_waits(desk, run, work):
    desk.answer = lambda path, body: b'["c1", false, []]'
    assert work(a_poll(desk), 0.5) == []
    run.loop._now += 3600
    assert work(again(desk), 1) == ["09-21T15:43"], "the time that passed between two starts counts, though nothing had been read yet"


def test_a_reading_that_was_cut_short_goes_on_where_it_stood(desk, run, work):
    answers = iter([b'["c1", true, [["s1", "a"]]]', asyncio.Event().wait(), b'["c2", false, []]'])
    desk.answer = lambda path, body: next(answers)
    work(a_poll(desk), 2)
    assert work(again(desk), 1) == ["09-21T16:13"] and desk.paths()[-1] == "/pull/c1"


def test_one_that_fails_is_tried_again_until_it_is_read_and_is_late_meanwhile(desk, run, work):
    desk.answer = lambda path, body: Reply(404)
    poll = a_poll(desk)
    assert len(work(poll, 14)) > 20 and "404" in poll.failure
    promise = Promise(flow="stock", object="inventory", source="paper", targets=("mainstay",), within_s=10 * 3600, owner="ops")
    behind = standings([promise], {}, [], [poll], desk.clock())["stock"]
    assert behind.late and behind.behind_s == pytest.approx(13.2 * 3600, abs=200), "since the time that it was due"
    desk.answer = lambda path, body: b'["c1", false, []]'
    assert len(work(poll, 10)) == 1, "read once, for both times that passed"
    assert not poll.failure and iso(poll.due) == "2026-09-22T15:00:00Z"
