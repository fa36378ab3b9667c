"""A counterparty that does not answer for hours: what waits for it goes out in order and at its rate, and by when is said beforehand."""

import asyncio
from collections import defaultdict

import msgspec
import pytest

from mainstay.contract.connector import Budget, Feed
from mainstay.contract.talk import Call, Repeat
from mainstay.delivery.backlog import backlog
from mainstay.delivery.connection import Unsent
from mainstay.delivery.polls import Poll
from mainstay.model.commands import CancelOrder, ReleaseOrder
from mainstay.model.times import HOUR, SECOND, iso
from tests.delivery.conftest import Desk, Paper

PER_MIN = 40
LIMIT = Budget("account", "leaky", PER_MIN, PER_MIN / 60)  # as ShipStation has it
STOPPED_S = 3 * HOUR // SECOND
EVERY_S = 30  # an effect for one of so many orders
ORDERS = 150


def effect(number):
    """Each order is released, then cancelled, then …"""
    if number // ORDERS % 2:
        return CancelOrder(key=f"k{number}", order=str(number % ORDERS), reason="oops")
    return ReleaseOrder(key=f"k{number}", release=f"r{number}", number="#1", channel="shop", currency="EUR", placed_at=0, lines=())


def backlog_of(desk, polls=()):
    return backlog(desk.connection, desk.lanes, (), polls, desk.clock())


async def drained(desk):
    while desk.lanes.waiting:
        desk._news.clear()
        await desk._news.wait()


@pytest.mark.proof
def test_a_counterparty_that_was_stopped_for_hours_is_told_everything_in_order_and_by_when_it_was_said(tmp_path, run, figure):
    async def answer(path, body):
        if desk.loop.time() < STOPPED_S:
            raise Unsent("nobody there")
        await asyncio.sleep(0.3)
        return b""

    desk = Desk(tmp_path, run.loop, answer, (LIMIT,))
    efforts = STOPPED_S // EVERY_S

    async def outage():
        working = asyncio.ensure_future(desk.lanes.run())
        for number in range(efforts):
            desk.add(number + 1, effect(number), entity=number % ORDERS + 1)
            await asyncio.sleep(EVERY_S)
        said, began = backlog_of(desk), desk.loop.time()
        assert sum(said.waiting.values()) == efforts and said.oldest_s == pytest.approx(STOPPED_S, abs=EVERY_S)
        assert said.gone_at == iso(desk.clock() + int(said.gone_in_s * SECOND))[: len(said.gone_at)]
        while desk.lanes.waiting > efforts / 2:
            await asyncio.sleep(10)
        halfway, half = backlog_of(desk), desk.loop.time()
        await drained(desk)
        working.cancel()
        assert said.gone_in_s == pytest.approx(desk.loop.time() - began, rel=0.2)
        assert halfway.gone_in_s == pytest.approx(desk.loop.time() - half, rel=0.2)
        return began, said.gone_in_s, desk.loop.time() - began

    began, said, took = run(outage())
    done = [(at, key) for (at, _, _), (key,) in zip(desk.calls, desk.said(), strict=True) if at >= STOPPED_S]
    of_order = defaultdict(list)
    for _, key in done:
        of_order[int(key[1:]) % ORDERS].append(int(key[1:]))
    assert len(done) == efforts and all(numbers == sorted(numbers) for numbers in of_order.values()), "once each, in order for each order"
    assert all(number <= LIMIT.capacity + (at - began) * LIMIT.per_s + 1 for number, (at, _) in enumerate(done, 1)), "never over the limit"
    assert backlog_of(desk).waiting == {} and backlog_of(desk).gone_in_s == 0
    told = (
        f"{len(done)} effects waited: in order for each order, never over {PER_MIN} a minute; gone in {took:.0f} s, {said:.0f} s were said"
    )
    figure(f"a counterparty that was stopped for {STOPPED_S // 3600} hours", told, "pytest tests/delivery/test_backlog.py -m proof")


class Costly(Paper):
    """Needs two calls for one effect, which cost by their content."""

    def push(self, commands):
        for part in ("begin", "end"):
            yield Call(operation="cancel", method="POST", path=f"/{part}", body=b"", cost=30.0, repeat=Repeat.SAFE)
        return (yield from super().push(commands))


@pytest.mark.parametrize(
    ("budgets", "first"),
    [((Budget("points", "cost", 100, 10),), None), ((Budget("server", "concurrency", 4),), None), ((LIMIT,), 120)],
    ids=["costs nobody knows yet", "no rate, only a speed", "a rate"],
)
def test_what_an_effect_takes_is_measured(tmp_path, run, budgets, first):
    """Before the first one nobody knows what it costs or how long it takes; then it is said, and so it comes."""

    async def answer(path, body):
        await asyncio.sleep(3)
        return b""

    desk = Desk(tmp_path, run.loop, answer, budgets)
    desk.connector = desk.connection.connector = desk.lanes.connector = Costly(None)
    desk.connector.manifest = msgspec.structs.replace(Paper.manifest, budgets=budgets)

    async def measure():
        for number in range(1, 121):
            desk.add(number, CancelOrder(key=f"k{number}", order=str(number), reason="oops"), entity=number)
        before = backlog_of(desk).gone_in_s
        assert before is None if first is None else before == first, "a call each, less what the bucket holds"
        working = asyncio.ensure_future(desk.lanes.run())
        while desk.lanes.waiting > 100:
            await asyncio.sleep(1)
        said, began = backlog_of(desk), desk.loop.time()
        await drained(desk)
        working.cancel()
        assert said.gone_in_s == pytest.approx(desk.loop.time() - began, rel=0.2)

    run(measure())


def test_reading_takes_its_part_of_the_rate(tmp_path, run):
    """A feed that is read every three seconds takes half of 40 a minute."""
    desk = Desk(tmp_path, run.loop, lambda path, body: msgspec.json.encode(["c", False, []]), (LIMIT,))
    poll = Poll(desk.connection, Feed("orders", "", ("order",)), desk.outcomes, desk.dice, 3.0)
    run(poll.once())
    for number in range(1, 121):
        desk.add(number, CancelOrder(key=f"k{number}", order=str(number), reason="oops"), entity=number)
    alone, beside = backlog_of(desk).gone_in_s, backlog_of(desk, (poll,)).gone_in_s
    assert beside == pytest.approx(2 * alone, rel=0.01)
