"""What people are told: once for each cause, again when it matters, and when it is over; at night only what cannot wait."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.alerts.causes import Alarm
from mainstay.alerts.decide import GROWN, OVERDUE_US, Pace, Terms, decide
from mainstay.alerts.quiet import Quiet
from mainstay.model.times import DAY, HOUR, MINUTE, SECOND, micros

NOON = micros("2026-11-21T12:00:00Z")
NIGHT = Quiet("22:00", "07:00", "Europe/Berlin")
ALWAYS = Terms()
PACE = Pace(wait_us=MINUTE, away_us=2 * MINUTE)


def alarm(cause="letters/a", owner="ops", count=1, **more):
    return Alarm(cause=cause, owner=owner, what=f"{count} of {cause}", count=count, **more)


class Shop:
    """The book of one shop, looked at again and again."""

    def __init__(self, now=NOON, terms=ALWAYS):
        self.now, self.terms, self.book, self.heard = now, terms, {}, []

    def look(self, *alarms, after=0):
        """What is told now, as (owner, [(why, cause)])."""
        self.now += after
        self.book, notices = decide(alarms, self.book, lambda owner: self.terms, PACE, self.now)
        assert decide(alarms, self.book, lambda owner: self.terms, PACE, self.now).notices == (), "the same question again tells nothing"
        found = [(one.owner, [(item.why, item.alarm.cause) for item in one.items]) for one in notices]
        self.heard += found
        return found


def test_new_causes_are_gathered_into_one_message_for_each_owner():
    shop = Shop()
    assert shop.look(alarm("letters/a")) == []
    fifty = [alarm(f"letters/{n}", owner="ops" if n % 2 else "ben") for n in range(50)]
    told = dict(shop.look(alarm("letters/a"), *fifty, after=MINUTE))
    assert set(told) == {"ops"} and len(told["ops"]) == 26, "what came a moment ago goes along"
    assert len(dict(shop.look(alarm("letters/a"), *fifty, after=MINUTE))["ben"]) == 25
    assert shop.look(alarm("letters/a"), *fifty, after=HOUR) == []


def test_however_many_events_it_is_told_again_when_there_are_ten_times_as_many():
    shop = Shop()
    shop.look(alarm(count=3))
    assert shop.look(alarm(count=7), after=MINUTE) == [("ops", [("new", "letters/a")])]
    assert shop.look(alarm(count=69), after=MINUTE) == []
    assert shop.look(alarm(count=70), after=MINUTE) == [("ops", [("grew", "letters/a")])]
    assert shop.look(alarm(count=699), after=MINUTE) == []


def test_a_deadline_that_passes_is_told_once_unless_the_message_had_just_named_it():
    shop, due = Shop(), NOON + 2 * MINUTE
    shop.look(alarm(deadline=due))
    shop.look(alarm(deadline=due), after=MINUTE)
    assert shop.look(alarm(deadline=due), after=OVERDUE_US - MINUTE) == []
    assert shop.look(alarm(deadline=due), after=MINUTE) == [("ops", [("overdue", "letters/a")])]
    assert shop.look(alarm(deadline=due), after=HOUR) == []


def test_a_reminder_takes_along_all_that_is_still_there():
    shop = Shop()
    shop.look(alarm("a"))
    shop.look(alarm("a"), after=MINUTE)
    shop.look(alarm("a"), alarm("b"), after=HOUR)
    shop.look(alarm("a"), alarm("b"), after=MINUTE)
    assert shop.look(alarm("a"), alarm("b"), after=3 * HOUR - MINUTE) == [("ops", [("reminder", "a"), ("reminder", "b")])]
    assert shop.look(alarm("a"), alarm("b"), after=4 * HOUR - MINUTE) == []


def test_it_is_over_when_it_stayed_away_and_is_said_once():
    shop = Shop()
    shop.look(alarm())
    shop.look(alarm(), after=MINUTE)
    for _ in range(30):  # it comes and goes each minute
        assert shop.look(after=MINUTE) == [] and shop.look(alarm(), after=MINUTE) == []
    assert shop.look(after=MINUTE) == []
    assert shop.look(after=2 * MINUTE) == [("ops", [("gone", "letters/a")])]
    assert shop.book == {} and shop.look(after=DAY) == []


def test_what_was_over_before_anybody_was_told_is_never_told():
    shop = Shop()
    shop.look(alarm())
    assert shop.look(after=30 * SECOND) == [] and shop.look(after=2 * MINUTE) == [] and shop.book == {}


def test_what_flaps_is_told_once():
    shop = Shop()
    for _ in range(60):
        shop.look(alarm(), after=20 * SECOND)
        shop.look(after=20 * SECOND)
    assert shop.heard == [("ops", [("new", "letters/a")])]


def test_of_what_follows_from_a_greater_cause_nothing_is_told_while_that_stands():
    shop = Shop()
    shop.look(alarm("late"), alarm("blocked", under="system"), alarm("system"))
    told = shop.look(alarm("late"), alarm("blocked", under="system"), alarm("system"), after=MINUTE)
    assert told == [("ops", [("new", "late"), ("new", "system")])]
    under = [alarm("late", under="system", count=999), alarm("blocked", under="system")]
    assert shop.look(*under, alarm("system"), after=HOUR) == [], "and it is not over"
    assert shop.look(*under, alarm("system"), after=3 * HOUR) == [("ops", [("reminder", "system")])]
    shop.look(alarm("blocked"))
    assert dict(shop.look(alarm("blocked"), after=2 * MINUTE))["ops"] == [("new", "blocked"), ("gone", "late"), ("gone", "system")]


def test_given_away_and_back_before_anybody_noticed_is_no_news():
    shop = Shop(terms=Terms(NIGHT))
    shop.look(alarm())
    shop.look(alarm(), after=MINUTE)
    shop.now = MIDNIGHT
    assert shop.look(alarm(owner="ben")) == []
    shop.now = MORNING
    assert dict(shop.look(alarm())) == {"ops": [("reminder", "letters/a")]}


def test_given_to_another_it_is_news_to_them():
    shop = Shop()
    shop.look(alarm())
    shop.look(alarm(), after=MINUTE)
    assert shop.look(alarm(owner="ben"), after=MINUTE) == [("ben", [("new", "letters/a")])]
    shop.look(after=MINUTE)
    assert shop.look(after=2 * MINUTE) == [("ben", [("gone", "letters/a")])]


MIDNIGHT = micros("2026-11-21T23:00:00Z")  # in Berlin
MORNING = micros("2026-11-22T06:00:00Z")  # 07:00 in Berlin


@pytest.mark.parametrize(
    ("told_at_night", "given"),
    [(False, {}), (False, {"deadline": MORNING + 1}), (True, {"deadline": MORNING}), (True, {"severity": "critical"})],
)
def test_at_night_only_what_cannot_wait_is_told(told_at_night, given):
    shop = Shop(MIDNIGHT, Terms(NIGHT))
    shop.look(alarm(**given))
    assert bool(shop.look(alarm(**given), after=MINUTE)) is told_at_night
    shop.now = MORNING - 1
    assert not shop.look(alarm(**given)) or given.get("severity") == "critical"
    assert bool(shop.look(alarm(**given), after=1)) is (not told_at_night or "deadline" in given)


def test_that_it_is_over_can_wait_for_the_morning():
    shop = Shop(MIDNIGHT - 4 * HOUR, Terms(NIGHT))
    shop.look(alarm())
    shop.look(alarm(), after=MINUTE)
    shop.now = MIDNIGHT
    assert shop.look() == [] and shop.look(after=5 * MINUTE) == []
    shop.now = MORNING
    assert shop.look() == [("ops", [("gone", "letters/a")])]


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-21T20:59:59Z", None), ("2026-11-21T21:00:00Z", "2026-11-22T06:00:00Z"), ("2026-11-22T05:59:59Z", "2026-11-22T06:00:00Z"),
        ("2026-11-22T06:00:00Z", None), ("2026-07-01T20:00:00Z", "2026-07-02T05:00:00Z"),
    ],
)  # fmt: skip
def test_quiet_hours_are_those_of_the_owners_clock(now, until):
    assert NIGHT.until(micros(now)) == (micros(until) if until else 0)


def test_quiet_hours_within_a_day():
    noon = Quiet("12:00", "14:00", "UTC")
    assert noon.until(micros("2026-11-21T13:00:00Z")) == micros("2026-11-21T14:00:00Z")
    assert noon.until(micros("2026-11-21T11:59:00Z")) == noon.until(micros("2026-11-21T14:00:00Z")) == 0


CAUSES = ("a", "b", "c")
_there = st.dictionaries(
    st.sampled_from(CAUSES),
    st.builds(
        alarm, cause=st.just("x"), owner=st.sampled_from(["ops", "ben"]), count=st.sampled_from([1, 2, 9, 10, 25, 100]),
        severity=st.sampled_from(["critical", "error"]), deadline=st.sampled_from([0, NOON + HOUR, NOON + DAY]),
    ),
)  # fmt: skip
_steps = st.lists(st.tuples(st.sampled_from([SECOND, 30 * SECOND, MINUTE, 3 * MINUTE, HOUR, 5 * HOUR]), _there), max_size=40)


@settings(max_examples=300, deadline=None)
@given(_steps, st.sampled_from([Terms(), Terms(NIGHT), Terms(NIGHT, HOUR)]))
def test_any_history(steps, terms):
    """Nobody is told twice without a reason, of what is over without having been told of it, or at night of what can wait; and whoever is
    told something is told that it is over."""
    now, book = NOON, {}
    last: dict[str, tuple[str, int, int]] = {}  # cause -> owner, when, how many
    for step, there in steps:
        now += step
        alarms = [alarm(name, one.owner, one.count, severity=one.severity, deadline=one.deadline) for name, one in there.items()]
        quiet = terms.quiet.until(now) if terms.quiet else 0
        book, notices = decide(alarms, book, lambda owner: terms, PACE, now)
        assert max(Counter(one.owner for one in notices).values(), default=0) <= 1
        for notice in notices:
            for why, of, _ in notice.items:
                if quiet and of.severity != "critical":
                    assert why not in ("gone", "reminder") and 0 < of.deadline <= quiet
                owner, _, count = last.get(of.cause, ("", 0, 0))
                if why == "gone":
                    assert owner == notice.owner and of.cause not in there
                    del last[of.cause]
                    continue
                assert of.owner == notice.owner and of.cause in there
                assert why == "new" or owner == notice.owner
                assert (why == "new") is (owner != notice.owner), "told anew only to another, or after it was over"
                assert why != "grew" or of.count >= GROWN * count
                assert why != "overdue" or of.deadline <= now
                last[of.cause] = (notice.owner, now, of.count)
        assert {name for name, one in book.items() if one.told_at} <= set(last)
    for _ in range(3):  # all is over, and it is day
        now = (now // DAY + 1) * DAY + 12 * HOUR
        book, notices = decide([], book, lambda owner: terms, PACE, now)
        for notice in notices:
            for item in notice.items:
                assert item.why == "gone"
                last.pop(item.alarm.cause)
    assert book == {} and last == {}
