"""Polls lose nothing and repeat little; channels are told the last level of every item, and one failing item delays no other."""

import asyncio

import apsw
import msgspec
import pytest

from mainstay.contract.connector import Budget, Feed
from mainstay.contract.talk import LINGERS_S, Reply
from mainstay.delivery.changes import Changes
from mainstay.delivery.connection import Connection, Lost
from mainstay.delivery.levels import Levels, Prices
from mainstay.delivery.polls import Poll
from mainstay.model.commands import SetLevel, SetPrice
from mainstay.storage.database import rows
from mainstay.storage.state import Batch, State


def page(cursor, *found, more=False) -> bytes:
    return msgspec.json.encode((cursor, more, found))


def receipts(desk):
    return rows(desk.outcomes.inbox.connection, "SELECT key, body FROM receipt ORDER BY seq")


# --- polls -------------------------------------------------------------------------------------------------------------
@pytest.fixture
def poll(desk):
    return Poll(desk.connection, Feed("orders", "", ("order",)), desk.outcomes, desk.dice, pace=60.0)


def test_pages_are_read_from_where_the_last_one_ended(desk, poll, run):
    pages = {"": page("c1", ("o1", "a"), ("o2", "b"), more=True), "c1": page("c2", ("o3", "c")), "c2": page("c2")}
    desk.answer = lambda path, body: pages[path.removeprefix("/pull/")]
    assert [run(poll.once()) for _ in range(3)] == [0.0, 60.0, 60.0]
    assert receipts(desk) == [("o1", b"a"), ("o2", b"b"), ("o3", b"c")]
    assert desk.outcomes.inbox.mark("cursor/paper/orders") == "c2"
    desk.outcomes.close()
    desk.open()
    again = Poll(desk.connection, poll.feed, desk.outcomes, desk.dice, 60.0)
    run(again.once())
    assert desk.paths()[-1] == "/pull/c2", "after a restart too"


def test_a_row_that_was_recorded_is_not_recorded_again_unless_it_changed(desk, poll, run):
    told = iter([page("c1", ("o1", "a")), page("c2", ("o1", "a"), ("o2", "b")), page("c3", ("o1", "a2")), page("c4", ("o1", "a"))])
    desk.answer = lambda path, body: next(told)
    for _ in range(4):
        run(poll.once())
    assert receipts(desk) == [("o1", b"a"), ("o2", b"b"), ("o1", b"a2"), ("o1", b"a")]
    assert poll.rows == 4 and poll.pages == 4


def test_a_page_and_its_cursor_are_one_commit(desk, poll, run, monkeypatch):
    """The disk is full for a moment: neither rows nor cursor are there, and both come with the next commit."""
    desk.answer = lambda path, body: page("c1", ("o1", "a"))
    monkeypatch.setattr(desk.outcomes.inbox, "last", None)
    with pytest.raises(TypeError):
        run(poll.once())
    assert receipts(desk) == [] and desk.outcomes.inbox.mark("cursor/paper/orders") == ""
    monkeypatch.undo()
    desk.outcomes.flush()
    assert receipts(desk) == [("o1", b"a")] and desk.outcomes.inbox.mark("cursor/paper/orders") == "c1"


def test_a_commit_that_fails_on_disk_forgets_nothing(desk, run):
    async def learn():
        desk.outcomes.remember("cursor/paper/orders", "c1")
        desk.outcomes.documents("paper", ())

    desk.outcomes.inbox.connection.execute("CREATE TRIGGER full BEFORE INSERT ON mark BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    run(learn())
    with pytest.raises(apsw.ConstraintError):
        desk.outcomes.flush()
    desk.outcomes.inbox.connection.execute("DROP TRIGGER full")
    desk.outcomes.flush()
    assert desk.outcomes.inbox.mark("cursor/paper/orders") == "c1"


def test_what_stands_already_is_not_written_again(desk, run):
    """An idle process notes its place many times a second, and leaves the disk alone."""

    async def places():
        desk.outcomes.remember("levels/shop", "1")
        desk.outcomes.flush()
        before = desk.outcomes.inbox.connection.total_changes()
        desk.outcomes.remember("levels/shop", "1")
        desk.outcomes.flush()
        same = desk.outcomes.inbox.connection.total_changes()
        desk.outcomes.remember("levels/shop", "2")
        desk.outcomes.flush()
        return same - before, desk.outcomes.inbox.connection.total_changes() - same, desk.outcomes.mark("levels/shop")

    assert run(places()) == (0, 1, "2")


def test_a_card_number_in_what_is_read_is_redacted_before_it_is_recorded(desk, poll, run):
    desk.answer = lambda path, body: page("c1", ("o1", "note: 4242-4242-4242-4242"), ("o2", "b"))
    run(poll.once())
    first, second, said = sorted(receipts(desk), key=lambda receipt: receipt[1].startswith(b"{"))
    assert (first, second) == (("o1", b"note: 424242******4242"), ("o2", b"b"))
    assert said[0] == "o1" and msgspec.json.decode(said[1])["code"] == "pan_redacted"


@pytest.mark.parametrize("answer", [Reply(503), Reply(401), Reply(404), Lost("timed out"), b"not JSON", b'["c1"]'], ids=str)
def test_a_feed_that_fails_keeps_its_place_and_comes_back(desk, poll, run, answer):
    """Whatever it answers, a bug of the connector included, no other feed or effect is stopped by it."""
    desk.answer = lambda path, body: answer
    pauses = [run(poll.once()) for _ in range(3)]
    assert all(0 < pause <= 240 for pause in pauses) and poll.failure and poll.pages == 0
    desk.answer = lambda path, body: page("c1", ("o1", "a"))
    desk.connection.breaker.succeeded()
    assert run(poll.once()) == 60.0 and not poll.failure and receipts(desk) == [("o1", b"a")]


# --- levels ------------------------------------------------------------------------------------------------------------
class Channel:
    """A channel over a desk. `stock` is what may be shown now; `shown` is what the other side believes."""

    def __init__(self, desk):
        self.desk, self.stock, self.shown, self.history = desk, {}, {}, []
        self.levels = Levels("shop", desk.connection, desk.outcomes, self.commands, desk.dice)
        self.seq = 0
        self.stall: set[int] = set()
        desk.answer = self.answer

    def commands(self, channel, changes):
        return [self.level(item, seq) if item in self.stock else None for item, seq in changes]

    def level(self, item, seq):
        return SetLevel(key=f"l{item}.{seq}", sku=str(item), item=str(item), quantity=self.stock[item], revision=seq)

    async def answer(self, path, body):
        told = msgspec.json.decode(body, type=list[SetLevel])
        if any(int(one.item) in self.stall for one in told):
            return Reply(503)
        await asyncio.sleep(0.2)
        for one in told:
            self.shown[int(one.item)] = one.quantity
            self.history.append((int(one.item), one.quantity))
        return b""

    def change(self, **stock):
        self.seq += 1
        items = [int(name[1:]) for name in stock]
        self.stock |= dict(zip(items, stock.values(), strict=True))
        self.levels.changed(items, self.seq, self.desk.clock())

    async def work(self, seconds):
        working = asyncio.ensure_future(self.levels.run())
        await asyncio.sleep(seconds)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        self.desk.outcomes.flush()


@pytest.fixture
def channel(desk):
    return Channel(desk)


def test_a_change_is_told_and_noted(desk, channel, run):
    channel.change(_1=5)
    run(channel.work(1))
    assert channel.shown == {1: 5} and channel.levels.passed is None
    assert rows(desk.outcomes.inbox.connection, "SELECT channel, item, told FROM listing") == [("shop", 1, 5)]
    assert channel.levels.latencies_us[0] < 10_000


def test_a_level_that_cannot_be_read_now_is_told_in_a_moment(channel, run):
    """The disk fails for once: nobody has to start anything again."""
    read, failures = channel.commands, [apsw.IOError("the disk fails"), apsw.FullError("the disk is full")]

    def once_it_works(name, changes):
        if failures:
            raise failures.pop()
        return read(name, changes)

    channel.levels.commands = once_it_works
    channel.change(_1=5)
    run(channel.work(60))
    assert channel.shown == {1: 5} and channel.levels.passed is None and not failures


def test_the_latest_wins_and_the_last_value_always_arrives(channel, run):
    async def busy():
        working = asyncio.ensure_future(channel.work(30))
        for n in range(100):
            channel.change(_1=100 - n, _2=n)
            await asyncio.sleep(0.01)
        await working

    run(busy())
    assert channel.shown == {1: 1, 2: 99} and len(channel.history) < 40, "a hundred changes are not a hundred calls"
    assert channel.levels.passed is None


def test_no_item_is_in_two_calls_at_once(channel, run):
    """Otherwise an older value could arrive after the newer one."""
    open_calls = set()

    async def answer(path, body):
        told = {one["item"] for one in msgspec.json.decode(body)}
        assert not told & open_calls
        open_calls.update(told)
        await asyncio.sleep(0.3)
        open_calls.difference_update(told)
        return b""

    channel.desk.answer = answer

    async def busy():
        working = asyncio.ensure_future(channel.work(5))
        for n in range(50):
            channel.change(**{f"_{n % 3}": n})
            await asyncio.sleep(0.02)
        await working

    run(busy())
    assert channel.levels.passed is None


def test_one_failing_item_does_not_delay_the_others(channel, run):
    channel.stall = {1}
    channel.change(_1=5)
    channel.change(_2=6)
    run(channel.work(1))
    assert channel.shown == {2: 6} and channel.levels.passed == 0, "the cursor waits for the oldest that is not told"
    channel.stall = set()
    run(channel.work(60))
    assert channel.shown == {1: 5, 2: 6} and channel.levels.passed is None


def test_a_stalled_channel_is_told_only_the_last_value(channel, run):
    channel.stall = {1}

    async def busy():
        working = asyncio.ensure_future(channel.work(400))
        for n in range(20):
            channel.change(_1=n)
            await asyncio.sleep(1)
        channel.stall = set()
        await working

    run(busy())
    assert channel.history == [(1, 19)]


def test_what_changed_while_a_call_failed_is_told_under_its_own_revision(desk, channel, run):
    async def answer(path, body):
        await asyncio.sleep(1)
        return Reply(503) if b"l1.1" in body else b""

    desk.answer = answer

    async def busy():
        working = asyncio.ensure_future(channel.work(30))
        channel.change(_1=1)
        await asyncio.sleep(0.5)
        channel.change(_1=2)
        await working

    run(busy())
    assert desk.said() == [["l1.1"], ["l1.2"]]


def test_many_go_in_one_call_and_few_one_by_one(desk, channel, run):
    channel.change(_1=1, _2=2)
    run(channel.work(2))
    assert [len(call) for call in desk.said()] == [1, 1]
    channel.change(**{f"_{n}": n for n in range(1, 26)})
    run(channel.work(2))
    assert [len(call) for call in desk.said()][2:] == [10, 10, 5], "bulk is worth it from three on; a call holds ten"


def test_what_the_channel_does_not_list_is_passed_over(desk, channel, run):
    channel.levels.changed([99], 1, desk.clock())
    run(channel.work(1))
    assert desk.calls == [] and channel.levels.passed is None


def test_a_refused_level_becomes_a_letter_and_the_others_go_on(desk, channel, run):
    desk.answer = lambda path, body: msgspec.json.encode(
        ["no such listing" if one["item"] == "2" else "ok" for one in msgspec.json.decode(body)]
    )
    channel.change(_1=1, _2=2, _3=3)
    run(channel.work(1))
    assert desk.told() == [("level.shop.2", "rejected")]
    assert sorted(rows(desk.outcomes.inbox.connection, "SELECT item FROM listing")) == [(1,), (3,)]


def test_a_lost_answer_is_told_again(desk, channel, run):
    answers = iter([Lost("timed out"), b""])
    desk.answer = lambda path, body: next(answers)
    channel.change(_1=5)
    run(channel.work(5))
    assert len(desk.calls) == 2 and channel.levels.passed == 0, "the call that we gave up on may still bring an older value"


def test_a_level_that_comes_through_late_is_put_right(desk, channel, run):
    """The call of 5 was given up and is carried out after that of 3: the channel is told once more when nothing can follow."""
    late = []

    async def answer(path, body):
        if not late:
            late.append(body)
            return Lost("timed out")
        return await channel.answer(path, body)

    desk.answer = answer

    async def busy():
        working = asyncio.ensure_future(channel.work(90))
        channel.change(_1=5)
        await asyncio.sleep(10)
        channel.change(_1=3)
        await asyncio.sleep(20)
        assert channel.shown == {1: 3}, "news does not wait until the older call has ended"
        await channel.answer("/levels", late[0])
        assert channel.shown == {1: 5} and channel.levels.passed == 1, "the cursor waits, too: a crash forgets nothing"
        await working

    run(busy())
    assert channel.shown == {1: 3} and channel.levels.passed is None
    assert len(channel.history) == 4, "5 again, 3, 5 late, 3 again"


def again(desk, channel):
    """A new process for the same channel."""
    channel.levels = Levels("shop", desk.connection, desk.outcomes, channel.commands, desk.dice)
    return channel.levels


def test_after_a_restart_what_may_be_under_way_is_told_twice(desk, channel, run):
    """A call of the last process may still take effect, over what the new one tells at once: it is told once more when it no longer can."""

    async def began():
        channel.levels.note(0)

    channel.change(_1=5)
    run(began())
    levels = again(desk, channel)
    levels.changed([1], 1, desk.clock(), restarted=True)
    run(channel.work(1))
    assert channel.history == [(1, 5)] and levels.passed == 0, "it stays in the cursor's way"
    channel.shown[1] = 7  # what was under way
    run(channel.work(LINGERS_S))
    assert channel.history == [(1, 5), (1, 5)] and channel.shown == {1: 5} and levels.passed is None


def test_on_the_first_start_nothing_can_be_under_way(desk, channel, run):
    channel.stock = {1: 5}
    channel.levels.changed([1], 1, desk.clock(), restarted=True)
    run(channel.work(1))
    assert channel.history == [(1, 5)] and channel.levels.passed is None


def test_what_is_told_without_a_change_survives_a_restart_until_it_was_told(desk, channel, run):
    async def wanted():
        channel.levels.anew([2, 1])
        channel.levels.anew([3])

    async def noted():
        levels.note(4)

    channel.stock = {1: 5, 2: 6, 3: 7}
    run(wanted())
    desk.outcomes.flush()
    levels = again(desk, channel)
    levels.resume()
    run(channel.work(1 + LINGERS_S))
    assert channel.shown == {1: 5, 2: 6, 3: 7} and levels.passed is None
    run(noted())
    desk.outcomes.flush()
    levels = again(desk, channel)
    levels.resume()
    assert not levels.dirty and levels.told_up_to == 4


@pytest.mark.parametrize(("system", "told"), [("paper", {1: 5, 2: 6}), ("other", {})])
def test_a_system_that_lost_its_numbers_is_told_all_of_them_as_they_are_now(desk, channel, run, tmp_path, system, told):
    """A person asked for it: the row names the system, and no item."""
    state, batch = State(tmp_path / "state.db"), Batch()
    batch.items = [(1, "A", b"{}"), (2, "B", b"{}")]
    batch.level_changes = [(1, desk.clock(), msgspec.json.encode(system))]
    state.write(batch)
    channel.stock = {1: 5, 2: 6}
    changes = Changes("level", {"shop": channel.levels}, state, desk.outcomes)

    async def work():
        changes.take()
        await channel.work(1)
        changes.note()

    run(work())
    assert channel.shown == told and changes.taken == 1 and channel.levels.passed is None
    state.close()


def test_what_changes_while_the_vendors_budget_is_waited_for_is_told_as_it_is_then(desk, channel, run):
    """Eight items change in turn, the vendor takes a call in two seconds: they go together, and none waits behind seven others."""
    desk.connection.connector.manifest = msgspec.structs.replace(
        desk.connector.manifest, budgets=(Budget("slow", "token", 1, 0.5, ("levels",)),)
    )
    desk.connection = Connection("paper", desk.connector, desk, desk.outcomes, desk.clock)
    channel.levels = Levels("shop", desk.connection, desk.outcomes, channel.commands, desk.dice)
    late = []

    async def sells():
        working = asyncio.ensure_future(channel.work(60))
        for left in range(400, 0, -1):
            item = left % 8 + 1
            channel.change(**{f"_{item}": left})
            late.append(channel.shown.get(item, left) - left)
            await asyncio.sleep(0.1)
        await working

    run(sells())
    assert channel.shown == {left % 8 + 1: left for left in range(1, 9)}
    assert max(late) <= 70, (
        "some calls of two seconds, ten changes in each second; where each waited with a number of its own, some waited for ever"
    )


class Keeping:
    """Keeps one unit of item 1 back, and gives it free after some seconds."""

    def __init__(self, desk, channel, free_after_s):
        self.desk, self.channel, self.ages = desk, channel, []
        self.free_at = desk.clock() + int(free_after_s * 1e6)

    def told(self, channel, changed_at, *, done):
        self.ages += [self.desk.clock() - min(changed_at)] if done else []

    def released(self, channel):
        if self.free_at and self.desk.clock() >= self.free_at:
            self.free_at, self.channel.stock[1] = 0, self.channel.stock[1] + 1
            return [1]
        return []

    def look_in_s(self, channel):
        return max(0.0, (self.free_at - self.desk.clock()) / 1e6) if self.free_at else None


def test_an_item_that_fails_by_itself_does_not_count_for_how_long_numbers_take(desk, channel, run):
    keeping = Keeping(desk, channel, 3_600)
    channel.levels = Levels("shop", desk.connection, desk.outcomes, channel.commands, desk.dice, exposure=keeping)
    channel.stall = {1}

    async def busy():
        working = asyncio.ensure_future(channel.work(400))
        for n in range(300):
            channel.change(_2=n, **({"_1": n} if not n else {}))
            await asyncio.sleep(1)
        channel.stall = set()
        await working

    run(busy())
    assert channel.shown == {1: 0, 2: 299}
    assert max(keeping.ages) < 2e6, "item 1 waited for five minutes"


def test_what_is_given_free_is_told_without_a_change_and_the_time_that_numbers_take_is_measured(desk, channel, run):
    keeping = Keeping(desk, channel, 30)
    channel.levels = Levels("shop", desk.connection, desk.outcomes, channel.commands, desk.dice, exposure=keeping)
    channel.change(_1=4)

    async def busy():
        working = asyncio.ensure_future(channel.work(60))
        await asyncio.sleep(29)
        assert channel.shown == {1: 4}
        await working

    run(busy())
    assert channel.shown == {1: 5} and channel.levels.passed is None
    assert [round(age / 1e6, 1) for age in keeping.ages] == [0.2, 0.2], "from the change to the channel's answer"


def test_a_bug_on_one_item_stops_only_that_item(desk, channel, run):
    desk.answer = lambda path, body: b"not JSON" if b'"item":"1"' in body else b""
    channel.change(_1=1, _2=2)
    run(channel.work(5))
    assert desk.told() == [("level.shop.1", "rejected")] and channel.levels.passed is None
    assert rows(desk.outcomes.inbox.connection, "SELECT item FROM listing") == [(2,)]


# --- prices ------------------------------------------------------------------------------------------------------------
def test_of_many_prices_of_an_item_only_the_last_is_told_and_none_is_listed(desk, run):
    now = {1: 500, 2: 700}
    told: list[tuple[str, int]] = []

    def commands(system, changes):
        return [
            SetPrice(key=f"p{item}.{seq}", sku=str(item), item=str(item), currency="EUR", price=now[item], revision=seq)
            for item, seq in changes
        ]

    def answer(path, body):
        told.extend((one.sku, one.price) for one in msgspec.json.decode(body, type=list[SetPrice]))
        return Reply(503) if len(told) == 1 else b""

    desk.answer = answer
    prices = Prices("paper", desk.connection, desk.outcomes, commands, desk.dice)
    prices.changed([1], 1, desk.clock())

    async def work():
        working = asyncio.ensure_future(prices.run())
        await asyncio.sleep(0.05)
        now[1] = 450
        prices.changed([1], 2, desk.clock())
        now[1] = 480
        prices.changed([1, 2], 3, desk.clock())
        await asyncio.sleep(600)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        desk.outcomes.flush()

    run(work())
    assert dict(told) == {"1": 480, "2": 700} and ("1", 450) not in told and prices.passed is None
    assert rows(desk.outcomes.inbox.connection, "SELECT * FROM listing") == []
