"""People hold back a system, a flow, a channel, a SKU or an order: nothing goes out of it, nothing is lost, and order is kept."""

import asyncio

import msgspec
import pytest

from mainstay.contract.connector import Feed
from mainstay.contract.talk import Reply
from mainstay.delivery.lateness import Promise
from mainstay.delivery.pauses import Pauses
from mainstay.delivery.polls import Poll
from mainstay.model.events import PauseSet
from tests.delivery.conftest import T0
from tests.delivery.test_lanes import a_cancel, a_capture, a_release
from tests.delivery.test_reading_and_levels import Channel

FLOWS = (
    Promise(flow="payments", object="payment", source="shop", targets=("paper",), within_s=60, owner="ops"),
    Promise(flow="stock", object="inventory", source="wms", targets=("paper",), within_s=60, owner="ops"),
    Promise(flow="reading", object="order", source="paper", targets=("erp",), within_s=60, owner="ops"),
)


class Table(Pauses):
    """The table of pauses, as people write it."""

    def __init__(self):
        self.rows = {}
        super().__init__(lambda: sorted(self.rows.values()), FLOWS)

    def set(self, target, mode="paused", at=T0, entity=0, now=T0):
        self.rows[target] = (target, mode, at, msgspec.json.encode(PauseSet(target=target, mode=mode, entity=entity)))
        if mode == "running":
            del self.rows[target]
        return self.refresh(now)


@pytest.fixture
def table():
    return Table()


@pytest.fixture
def held(desk, table):
    """The lanes of a system, with what people hold back."""
    desk.lanes.pauses = table
    return desk


# --- what holds what ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("target", "holds"),
    [
        ("system:paper", {"release", "capture", "level", "price", "reading"}),
        ("system:other", set()),
        ("flow:payments", {"capture"}),
        ("flow:stock", {"level"}),
        ("flow:reading", {"reading"}),
        ("flow:unknown", set()),
        ("channel:shop", {"level", "price"}),
        ("channel:other", set()),
        ("key:ord.shop.7", {"release", "capture"}),
        ("sku:TSH", {"level", "price"}),
    ],
)
def test_each_kind_holds_its_own(table, target, holds):
    table.set(target, entity=7)
    asked = {
        "release": table.of_command("paper", "ReleaseOrder", 7, T0),
        "capture": table.of_command("paper", "CapturePayment", 7, T0),
        "level": table.of_number("paper", "inventory", "shop", 7, T0),
        "price": table.of_number("paper", "price", "shop", 7, T0),
        "reading": table.of_reading("paper", ("order",)),
    }
    assert asked == {name: target if name in holds else "" for name in asked}
    assert not table.of_command("paper", "ReleaseOrder", 8, T0) or target == "system:paper", "another order is not meant"


def test_draining_lets_out_what_was_to_go_before(table):
    table.set("system:paper", "draining", at=T0)
    assert table.of_command("paper", "ReleaseOrder", 7, T0) == "" and table.of_command("paper", "ReleaseOrder", 7, T0 + 1)
    assert table.of_number("paper", "inventory", "shop", 7, T0 - 1) == "" and table.of_number("paper", "inventory", "shop", 7, T0 + 1)
    assert table.of_reading("paper", ("order",)), "nothing new is fetched"


def test_a_change_is_noticed_once(table):
    assert table.set("sku:A") and not table.refresh(T0) and table.set("sku:A", "running", now=T0 + 5)
    assert table.resumed_at == T0 + 5


# --- effects -----------------------------------------------------------------------------------------------------------
async def working(desk, seconds):
    run = asyncio.ensure_future(desk.lanes.run())
    await asyncio.sleep(seconds)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


def test_a_paused_system_is_told_nothing_and_everything_in_order_when_it_goes_on(held, table, run):
    table.set("system:paper")
    for n in range(1, 6):
        held.add(n, a_cancel(f"x{n}"), entity=7)

    async def day():
        await working(held, 2 * 86_400)
        assert held.calls == [] and held.lanes.waiting == 5
        (head,) = held.lanes.blocked(held.clock())
        assert (head.key, head.behind, head.held, head.tries) == ("x1", 4, "system:paper", 0)
        table.set("system:paper", "running", now=held.clock())
        held.lanes.look_again()

    run(day())
    run(held.until_over(1, 2, 3, 4, 5))
    assert held.said() == [["x1"], ["x2"], ["x3"], ["x4"], ["x5"]]


def test_what_was_held_for_days_is_not_given_up_at_its_first_failure(held, table, run):
    table.set("system:paper")
    held.add(1, a_capture("c1"))
    run(working(held, 2 * 86_400))
    table.set("system:paper", "running", now=held.clock())
    held.lanes.look_again()
    answers = [Reply(503), b""]
    held.answer = lambda path, body: answers.pop(0)
    run(held.until_over(1))
    assert held.told() == [("c1", "done")]


def test_an_order_is_held_and_others_go_on(held, table, run):
    table.set("key:ord.shop.7", entity=7)
    held.add(1, a_cancel("held"), entity=7)
    held.add(2, a_cancel("free"), entity=8)
    run(held.until_over(2))
    assert held.said() == [["free"]] and held.lanes.waiting == 1


def test_what_drains_goes_out_and_what_comes_later_waits(held, table, run):
    held.add(1, a_cancel("before"), entity=7)
    table.set("system:paper", "draining", at=held.clock())
    run(asyncio.sleep(1))
    held.add(2, a_cancel("after"), entity=7)
    run(held.until_over(1))
    run(working(held, 600))
    assert held.said() == [["before"]] and held.lanes.waiting == 1


# --- the watchdog ------------------------------------------------------------------------------------------------------
def test_a_key_whose_head_does_not_get_through_is_named_with_what_waits_behind_it(held, run):
    held.answer = lambda path, body: Reply(503) if b"stuck" in body else b""
    held.add(1, a_cancel("stuck"), entity=7)
    held.add(2, a_release("behind"), entity=7)
    held.add(3, a_cancel("free"), entity=8)

    async def wait():
        await working(held, 30)
        assert held.lanes.blocked(held.clock()) == [], "not yet"
        await working(held, 60)

    run(wait())
    (head,) = held.lanes.blocked(held.clock())
    assert (head.key, head.command, head.since, head.behind, head.held) == ("stuck", "CancelOrder", T0, 1, "")
    assert head.tries >= 3 and "503" in head.why


# --- numbers and readings ----------------------------------------------------------------------------------------------
def test_a_held_sku_is_told_its_last_value_when_it_goes_on(desk, table, run):
    channel = Channel(desk)
    channel.levels.pauses = table
    table.set("sku:A", entity=1)
    channel.change(_1=5, _2=7)
    run(channel.work(600))
    assert channel.shown == {2: 7} and channel.levels.passed == 0, "the cursor waits: a crash forgets nothing"
    channel.change(_1=4)
    table.set("sku:A", "running", now=desk.clock())
    channel.levels.look_again()
    run(channel.work(5))
    assert channel.shown == {1: 4, 2: 7} and channel.levels.passed is None


def test_a_held_feed_is_not_read_and_goes_on_from_where_it_was(desk, table, run):
    desk.answer = lambda path, body: msgspec.json.encode(("c1", False, [("1", "one")]))
    poll = Poll(desk.connection, Feed("orders", "", ("order",), objects=("order",)), desk.outcomes, desk.dice, 10.0, table)
    table.set("flow:reading")

    async def reading():
        run = asyncio.ensure_future(poll.run())
        await asyncio.sleep(3_600)
        assert desk.calls == []
        table.set("flow:reading", "running", now=desk.clock())
        await asyncio.sleep(1)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)

    run(reading())
    assert desk.paths() == ["/pull/"]
