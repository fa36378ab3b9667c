"""What dispatch measures of sales and of channels, what it keeps back for that, when it gives it free, and what a restart knows of it."""

import asyncio

import pytest

from mainstay.delivery.outcomes import Outcomes
from mainstay.flows import journey
from mainstay.flows.exposure import DELAY_S_FIRST, LOOK_S, Exposure, told_of
from mainstay.flows.propagate import Propagate
from mainstay.model.state import Level
from mainstay.model.times import SECOND
from mainstay.stock.view import ChannelPolicy
from mainstay.storage.inbox import InboxReader
from tests.flows.conftest import an_order

T0 = 1_790_000_000_000_000
POLICIES = {
    "shop": ChannelPolicy(channel="shop", system="shop", chance=0.001),
    "market": ChannelPolicy(channel="market", system="market", chance=0.001),
    "outlet": ChannelPolicy(channel="outlet", system="outlet", buffer=2),
}


class Measured:
    """An exposure over a file, and a clock that is moved by hand."""

    def __init__(self, folder):
        self.folder, self.now = folder, T0
        self.open()

    def open(self):
        self.outcomes = Outcomes(self.folder / "outcomes.db", lambda: self.now, lambda: None)
        self.exposure = Exposure(POLICIES, self.outcomes, lambda: self.now)

    def again(self):
        self.outcomes.close()
        self.open()

    def pass_s(self, seconds):
        self.now += int(seconds * SECOND)

    def sells(self, units, *, every_s, until, counted_at=0):
        for left in range(units, until - 1, -1):
            self.exposure.seen(1, [Level(257, on_hand=units, allocated=units - left, counted_at=counted_at)])
            self.pass_s(every_s)

    def answers(self, channel, delay_s, times=1):
        """So many calls, each answered so long after the change that it tells of."""

        async def told():
            for _ in range(times):
                self.exposure.told(channel, [self.now], done=False)
                changed = self.now
                self.pass_s(delay_s)
                self.exposure.told(channel, [changed], done=True)

        asyncio.run(told())

    def kept(self, channel, available=100, sellers=("shop", "market")):
        return self.exposure.kept(channel, 1, available, sellers)


@pytest.fixture
def measured(tmp_path):
    one = Measured(tmp_path)
    yield one
    one.outcomes.close()


def test_nothing_is_kept_back_before_anything_sells_fast(measured):
    assert measured.kept("shop") is None
    measured.sells(100, every_s=3600, until=97)
    assert measured.kept("shop") is None and measured.exposure.holding == 0


def test_as_much_is_kept_back_as_is_sold_while_the_number_is_on_its_way(measured):
    measured.answers("shop", 0.5, times=20)
    measured.answers("market", 20.0, times=20)
    measured.sells(200, every_s=1.0, until=80)
    shop, market = measured.kept("shop"), measured.kept("market")
    assert (shop.delay_s, market.delay_s) == (0.5, 20.0) and 0.9 < shop.rate_per_s < 1.1
    assert shop.units == 4, "Poisson with mean 0.5: more than 4 come 2 times in 10,000, more than 3 come 18 times"
    assert 33 <= market.units <= 37, "mean 20: more than 35 come 8 times in 10,000"
    assert measured.kept("outlet") is None, "its buffer is typed"


def test_the_last_units_are_shown_where_the_number_is_there_first(measured):
    measured.answers("shop", 0.5, times=20)
    measured.answers("market", 20.0, times=20)
    measured.sells(200, every_s=1.0, until=80)
    shop, market = measured.kept("shop", 3), measured.kept("market", 3)
    assert (shop.units, shop.alone) == (0, True) and market.units > 3
    assert measured.kept("market", 3, sellers=("market",)).units == 0, "who alone lists it has the last units anyway"


@pytest.mark.parametrize(("locations", "left"), [((), True), (("north",), True), (("south",), False)])
def test_where_somebody_asks_first_the_last_units_are_left_to_them(measured, locations, left):
    policies = {
        "shop": ChannelPolicy(channel="shop", system="shop", chance=0.001, locations=("north", "west")),
        "till": ChannelPolicy(channel="till", system="till", asks_first=True, locations=locations),
    }
    measured.exposure = Exposure(policies, measured.outcomes, lambda: measured.now)
    measured.sells(200, every_s=1.0, until=80)
    assert measured.kept("shop", 3, sellers=("shop",)).units == (5 if left else 0), (
        "a second on its way: mean 1, more than 5 in 6 of 10,000"
    )


def test_a_count_is_no_sale(measured):
    measured.sells(100, every_s=1.0, until=99)
    measured.exposure.seen(1, [Level(257, on_hand=40, counted_at=measured.now)])
    measured.pass_s(1)
    assert measured.kept("shop") is None


def test_a_stall_is_felt_at_once_and_then_passes(measured):
    measured.answers("shop", 0.2, times=200)
    stalled = measured.now
    measured.pass_s(45)
    measured.exposure.told("shop", [stalled], done=False)
    assert measured.exposure.delay_s("shop") == 45.0, "not only when it is over"
    measured.answers("shop", 0.2, times=100)
    assert measured.exposure.delay_s("shop") == 0.2


def test_before_anything_is_measured_a_channel_is_taken_for_quick(measured):
    assert measured.exposure.delay_s("market") == DELAY_S_FIRST


def test_what_is_no_longer_needed_is_given_free_by_itself(measured):
    measured.sells(200, every_s=1.0, until=80)
    before = measured.kept("shop").need
    measured.pass_s(LOOK_S)
    assert measured.exposure.released("shop") == [] or before > 1
    measured.pass_s(1_200)
    assert measured.exposure.released("shop") == [1] and measured.exposure.look_in_s("market") is None
    assert measured.kept("shop") is None, "and so the channel is told all of it"
    assert measured.exposure.holding == 0 and measured.exposure.look_in_s("shop") is None


def test_a_restart_knows_the_rate_and_the_delay_and_what_was_kept_back(measured):
    measured.answers("shop", 8.0, times=20)
    measured.sells(200, every_s=1.0, until=80)
    before = measured.kept("shop")
    measured.again()
    assert measured.exposure.delay_s("shop") == 8.0 and measured.exposure.holding == 1
    assert abs(measured.kept("shop").need - before.need) <= 1


def test_what_is_declared_otherwise_or_not_listed_any_more_is_forgotten(measured):
    measured.outcomes.keep("kept/1/outlet/", '{"units":3,"need":3,"rate_per_s":1.0,"delay_s":1.0,"chance":0.001}')
    measured.sells(200, every_s=1.0, until=80)
    assert measured.kept("shop") and measured.kept("market")
    measured.again()
    measured.outcomes.flush()
    assert [name for name, _ in measured.outcomes.marks("kept/")] == ["kept/1/market/", "kept/1/shop/"]
    measured.exposure.drop("market", 1)
    measured.exposure.drop("outlet", 1)
    measured.outcomes.flush()
    assert [name for name, _ in measured.outcomes.marks("kept/")] == ["kept/1/shop/"] and measured.exposure.holding == 1


def test_people_are_shown_what_was_used_last_until_it_is_free(measured):
    measured.sells(200, every_s=1.0, until=80)
    kept = measured.kept("shop")
    measured.outcomes.flush()
    reader = InboxReader(measured.folder / "outcomes.db")
    assert told_of(reader, 1) == ({}, {"shop": kept}) and told_of(reader, 11) == ({}, {}) and told_of(reader, None) == ({}, {})
    measured.pass_s(3_600)
    assert measured.kept("shop") is None
    measured.outcomes.flush()
    assert told_of(reader, 1) == ({}, {})
    reader.close()


def test_an_idle_process_writes_nothing(measured):
    measured.sells(200, every_s=1.0, until=80)
    measured.kept("shop")
    measured.outcomes.flush()
    changes = measured.outcomes.inbox.connection.total_changes()
    measured.exposure.released("shop")
    measured.exposure.delay_s("shop")
    measured.outcomes.flush()
    assert measured.outcomes.inbox.connection.total_changes() == changes


# --- from the ledger to the number and its explanation -------------------------------------------------------------------
def test_orders_make_the_rate_and_the_number_told_is_the_number_explained(core, measured):
    """Twenty orders, one in a second: the shop, whose numbers take three seconds, is told less than there is, and `stock` says why."""
    core.count("A", 100)
    core.flush()
    item = core.world.item_of["A"]
    propagate = Propagate(core.state, POLICIES, by_sku=("shop", "outlet"), exposure=measured.exposure)
    measured.answers("shop", 3.0, times=20)
    told = []
    for n in range(20):
        told += propagate.levels("shop", [(item, n)])
        core.say("shop", an_order(str(n), lines=(("A", 1, 500),)))
        core.flush()
        measured.pass_s(1)
    told += propagate.levels("shop", [(item, 20)])
    assert [one.quantity for one in told[:2]] == [100, 99], "two looks, one sale: that is no rate yet"
    assert told[-1].quantity == 80 - measured.kept("shop", 80).need and 8 <= measured.kept("shop", 80).need <= 12
    assert propagate.levels("market", [(item, 1)]) == [None] and propagate.levels("outlet", [(item, 1)])[0].quantity == 78
    assert len({one.key for one in told}) == len(told)
    measured.outcomes.flush()
    with_marks = told_of(InboxReader(measured.folder / "outcomes.db"), item)
    shown = journey.stock(core.state, "A", POLICIES, *with_marks)["channels"]
    assert shown["shop"]["steps"][-1]["units"] == told[-1].quantity
    assert shown["shop"]["steps"][-2]["what"].startswith(f"less {shown['shop']['kept']['units']} kept back: 1/s sell, 3 s until")
    assert shown["outlet"]["kept"] is None and shown["outlet"]["steps"][-1]["units"] == 78
    measured.pass_s(1_200)
    assert measured.exposure.released("shop") == [item] and propagate.levels("shop", [(item, 20)])[0].quantity == 80
