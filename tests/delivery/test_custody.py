"""Subscriptions that are wrong are noticed and made again, and exactly what was silent is read: at once, whatever dies in between."""

import asyncio

import msgspec
import pytest

from mainstay.contract.connector import Feed, Subscription, Topic
from mainstay.contract.talk import Call, Reply
from mainstay.delivery.hooks import AGAIN_S, EVERY_S, Hooks
from mainstay.delivery.polls import Poll
from mainstay.model.times import DAY, SECOND
from mainstay.storage.database import rows

from .conftest import MANIFEST, T0, Desk, Paper

TOPICS = (Topic("order.changed", "", ("order",)), Topic("order.paid", "", ("order",)), Topic("product.changed", "", ("product",)))
FEEDS = (Feed("orders", "", ("order",), objects=("order",)), Feed("levels", "", ("order",), objects=("inventory",)))


class Subscribed(Paper):
    """Its other side answers what is wrong with which topic; its feed counts seconds."""

    begins = True

    def since(self, feed, at):
        return f"at-{at // SECOND}" if self.begins else None

    def subscriptions(self, url):
        reply = yield Call(operation="hooks", method="GET", path="/hooks")
        wrong = msgspec.json.decode(reply.body, type=dict[str, tuple[str, str]])
        return tuple(Subscription(one.name, *_named(wrong.get(one.name, ("", "")))) for one in TOPICS)

    def subscribe(self, url, wrong):
        yield Call(operation="subscribe", method="POST", path="/subscribe/" + "+".join(one.topic for one in wrong))


def _named(wrong):
    return wrong[0], "", wrong[1]


class Office:
    """A desk whose other side holds subscriptions and orders. `wrong`: topic -> what is wrong with it, and a hint."""

    def __init__(self, folder, loop):
        self.wrong, self.orders, self.broken, self.deaf = {}, [], "", False
        self.desk = Desk(folder, loop, self.answer)
        self.desk.connector = Subscribed(None)
        self.desk.connector.manifest = msgspec.structs.replace(MANIFEST, topics=TOPICS, feeds=FEEDS)
        self.desk.outcomes.inbox.close()
        self.open()

    def have(self, *feeds):
        self.desk.outcomes.inbox.close()
        self.desk.connector.manifest = msgspec.structs.replace(self.desk.connector.manifest, feeds=feeds)
        self.open()

    def answer(self, path, body):
        if self.broken and path.startswith(self.broken):
            return Reply(503, {}, b"")
        if path == "/hooks":
            return msgspec.json.encode(self.wrong)
        if path.startswith("/subscribe"):
            if not self.deaf:
                self.wrong = {}
            return b"{}"
        cursor = path.removeprefix("/pull/")
        begin = int(cursor.rpartition("-")[2] or 0)
        found = [order for order in self.orders if T0 // SECOND + order >= begin]
        more = len(found) > 2
        return msgspec.json.encode((f"at-{T0 // SECOND + found[2]}" if more else "", more, [(f"o{order}", "x") for order in found[:2]]))

    def open(self):
        self.desk.open()
        feeds = self.desk.connector.manifest.feeds
        self.polls = [Poll(self.desk.connection, feed, self.desk.outcomes, self.desk.dice, DAY / SECOND) for feed in feeds]
        self.hooks = Hooks(self.desk.connection, "https://here", self.polls, self.desk.outcomes, {"order.changed", "product.changed"})

    def read(self):
        return [key for (key,) in rows(self.desk.outcomes.inbox.connection, "SELECT key FROM receipt WHERE topic = 'order' ORDER BY seq")]

    def pulls(self):
        return [path for path in self.desk.paths() if path.startswith("/pull")]

    def pass_by(self, run, seconds):
        run(asyncio.sleep(seconds))

    def crash(self):
        """What was not committed is forgotten."""
        outcomes = self.desk.outcomes
        if outcomes._flushing is not None:
            outcomes._flushing.cancel()
        outcomes.inbox.close()
        self.open()

    def held(self, topic="order.changed"):
        return self.hooks.known[topic]


def after(seconds):
    return T0 + seconds * SECOND


@pytest.fixture
def office(tmp_path, run):
    return Office(tmp_path, run.loop)


def once(office, run):
    return run(office.hooks.once())


ORDERS = {"order.changed": ("missing", ""), "order.paid": ("missing", "")}


def test_a_new_shop_is_subscribed_and_nothing_was_missed(office, run):
    office.wrong = dict.fromkeys((one.name for one in TOPICS), ("missing", ""))
    office.orders = [1]
    assert once(office, run) == EVERY_S
    assert office.desk.paths() == ["/hooks", "/subscribe/order.changed+order.paid+product.changed"]
    assert office.held().made_at and not office.held().wrong and office.hooks.silences == {}


@pytest.mark.parametrize("wrong", ["missing", "disabled", "elsewhere", "narrowed"])
def test_exactly_the_silent_interval_is_read_at_once(office, run, wrong):
    """Seen whole at 0 and at 600; gone at 1200: what happened from 600 on is read, page by page, and the feed's own cursor stays."""
    office.desk.outcomes.inbox.add([], [("cursor/paper/orders", "far-on")])
    office.orders = [100, 599, 600, 700, 800, 900, 1100]
    for _ in range(2):
        assert once(office, run) == EVERY_S
        office.pass_by(run, EVERY_S)
    office.wrong = {"order.paid": (wrong, ""), "order.changed": (wrong, "")}
    assert once(office, run) == EVERY_S
    assert office.read() == ["o600", "o700", "o800", "o900", "o1100"]
    assert office.pulls() == [f"/pull/at-{T0 // SECOND + second}" for second in (600, 800, 1100)]
    assert office.desk.outcomes.inbox.mark("cursor/paper/orders") == "far-on"
    silence = office.hooks.silences["orders"]
    assert (silence.since, silence.rows, silence.topics) == (after(600), 5, ("order.changed", "order.paid"))
    assert silence.until >= after(1200) and silence.read_at >= silence.until
    held = office.held()
    assert (held.wrong, held.was, held.noticed_at, held.made_at) == ("", wrong, after(1200), silence.until)
    office.pass_by(run, EVERY_S)
    once(office, run)
    assert len(office.pulls()) == 3, "and not again"


def test_what_an_outdated_one_says_is_heard_and_it_is_made_anew_once_a_day(office, run):
    once(office, run)
    office.pass_by(run, EVERY_S)
    office.wrong, office.deaf, office.orders = {"order.changed": ("outdated", "")}, True, [100]
    for _ in range(3):
        once(office, run)
        office.pass_by(run, EVERY_S)
    assert [path for path in office.desk.paths() if path.startswith("/subscribe")] == ["/subscribe/order.changed"]
    assert office.held().wrong == "outdated" and office.read() == []
    office.pass_by(run, DAY / SECOND)
    once(office, run)
    assert office.desk.paths()[-2:].count("/subscribe/order.changed") == 1


def test_what_a_person_must_make_is_shown_and_read_when_they_did(office, run):
    once(office, run)
    office.pass_by(run, EVERY_S)
    office.wrong = {"order.changed": ("missing", "make it by hand")}
    assert once(office, run) == EVERY_S
    assert office.held().hint == "make it by hand" and not any(path.startswith("/subscribe") for path in office.desk.paths())
    office.orders = [10, 700]
    office.pass_by(run, 3 * EVERY_S)
    office.wrong = {}
    once(office, run)
    assert office.read() == ["o10", "o700"] and office.hooks.silences["orders"].since == after(0)
    assert office.held().wrong == office.held().hint == ""


@pytest.mark.parametrize("died", ["before it was made", "after it was made"])
def test_a_crash_around_the_making_forgets_no_silence(office, run, died):
    once(office, run)
    office.desk.outcomes.flush()
    office.pass_by(run, EVERY_S)
    office.wrong, office.orders = dict(ORDERS), [30, 60]
    office.broken = "/subscribe"
    assert once(office, run) == AGAIN_S, "what cannot be made is tried again soon"
    assert office.hooks.failure and office.read() == []
    office.crash()
    office.broken = ""
    if died == "after it was made":
        office.wrong = {}
    once(office, run)
    assert office.read() == ["o30", "o60"] and office.hooks.silences["orders"].since == after(0)


def test_reading_goes_on_after_a_crash_where_it_was(office, run):
    once(office, run)
    office.pass_by(run, EVERY_S)
    office.wrong, office.orders = dict(ORDERS), [10, 20, 30, 40]
    office.broken = f"/pull/at-{T0 // SECOND + 30}"
    assert once(office, run) == AGAIN_S
    assert office.read() == ["o10", "o20"] and not office.hooks.silences["orders"].read_at
    office.crash()
    office.broken = ""
    assert once(office, run) == EVERY_S
    assert office.read() == ["o10", "o20", "o30", "o40"]
    silence = office.hooks.silences["orders"]
    assert silence.rows == 4 and silence.read_at
    office.crash()
    assert office.hooks.silences["orders"] == silence, "and it is known afterwards"


def test_a_second_silence_begins_where_the_first_one_did_while_that_is_not_read(office, run):
    once(office, run)
    office.pass_by(run, EVERY_S)
    office.wrong, office.orders, office.broken = dict(ORDERS), [10], "/pull"
    once(office, run)
    office.pass_by(run, EVERY_S)
    office.wrong, office.broken = dict(ORDERS), ""
    once(office, run)
    assert office.read() == ["o10"] and office.hooks.silences["orders"].since == after(0)


def test_a_feed_that_cannot_begin_at_a_moment_is_read_from_its_own_cursor_at_once(office, run):
    office.desk.connector.begins = False
    office.desk.outcomes.inbox.add([], [("cursor/paper/orders", f"at-{T0 // SECOND + 50}")])
    once(office, run)
    office.pass_by(run, EVERY_S)
    office.wrong, office.orders = dict(ORDERS), [10, 60]
    once(office, run)
    assert office.read() == ["o60"]


def test_a_silence_is_read_when_its_feed_shows_all_of_it(office, run):
    office.have(Feed("orders", "", ("order",), objects=("order",), lag_s=120.0))
    once(office, run)
    office.pass_by(run, EVERY_S)
    office.wrong, office.orders = dict(ORDERS), [10, 599]
    for _ in range(4):
        assert once(office, run) == AGAIN_S and office.pulls() == [], "what changed last may not show yet"
        office.pass_by(run, AGAIN_S - 1)
        office.crash()
    office.pass_by(run, AGAIN_S)
    assert once(office, run) == EVERY_S
    assert office.read() == ["o10", "o599"] and len(office.pulls()) == 1


def test_a_queue_cannot_make_up_for_what_was_not_put_there(office, run):
    office.have(Feed("queue", "", ("order.changed",), objects=("order",), queue=True))
    once(office, run)
    office.pass_by(run, EVERY_S)
    office.wrong = dict(ORDERS)
    assert once(office, run) == EVERY_S
    assert office.pulls() == [] and office.hooks.silences == {} and office.hooks.unread == ("order.changed", "product.changed")


def test_what_no_feed_brings_is_named(office, run):
    once(office, run)
    office.wrong = {"product.changed": ("missing", "")}
    office.pass_by(run, EVERY_S)
    once(office, run)
    assert office.hooks.unread == ("product.changed",) and office.pulls() == []


def test_a_look_that_finds_all_whole_writes_nothing(office, run):
    once(office, run)
    office.desk.outcomes.flush()
    before = office.desk.outcomes.inbox.connection.total_changes()
    for _ in range(20):
        office.pass_by(run, EVERY_S)
        once(office, run)
    office.pass_by(run, 1)
    assert office.desk.outcomes.inbox.connection.total_changes() == before
    assert office.held().whole_at > after(20 * EVERY_S - 1)
    office.desk.outcomes.close()
    office.open()
    assert office.held().whole_at > after(20 * EVERY_S - 1), "it comes with the next commit, and at the end"
