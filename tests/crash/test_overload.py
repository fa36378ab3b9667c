"""A slow disk, a hundred times too much, no file handles left: latency grows, what is too much is refused before it is acknowledged, memory
stays bounded, and what was acknowledged is there."""

import asyncio
import resource
import socket
import sys
from collections import Counter

import pytest

from mainstay.edge.receive import BYTES_MAX, UNDER_WAY_MAX, Door
from mainstay.edge.record import GROUP_MAX, Recorder
from mainstay.model.times import SECOND
from mainstay.proof.disk import Slow
from mainstay.proof.sim.clockwork import Clockwork
from mainstay.storage.database import rows
from mainstay.storage.inbox import Inbox
from tests.edge.test_door import CONNECTORS, LIMIT, NOW_S
from tests.running import Running, an_order, shopify_headers

SYNC_S = 0.5
TIMES = 100  # as much as it can take
GROWS_MB_MAX = 100
AGAIN = "pytest tests/crash/test_overload.py -m proof"


class Crowd:
    """Deliveries at a door whose disk takes its time; the time is the loop's. `answers`: number -> (status, after so many seconds)."""

    def __init__(self, folder, pause_s):
        self.loop = Clockwork()
        self.disk = Slow(pause_s, self.passes)
        self.inbox = Inbox(folder / "inbox.db")
        self.recorder = Recorder(self.inbox, lambda: NOW_S * SECOND, lambda: None)
        self.door = Door(CONNECTORS, self.recorder, lambda: NOW_S * SECOND, LIMIT)
        self.answers = {}
        self.body = an_order(1)

    def passes(self, seconds):
        self.loop._now += seconds

    async def knock(self, number, wait_s=0.0, size=0):
        body = self.body if not size else b'{"id":1,"x":"' + b"x" * size + b'"}'
        headers = [(name.encode(), value.encode()) for name, value in shopify_headers(body, f"e{number}").items()]
        began, said = self.loop.time(), []

        async def receive():
            await asyncio.sleep(wait_s)
            return {"type": "http.request", "body": body}

        async def send(message):
            said.append(message)

        await self.door({"path": "/hooks/shop", "method": "POST", "headers": headers}, receive, send)
        self.answers[number] = said[0]["status"], self.loop.time() - began

    async def offer(self, many, per_s):
        """So many each second, whether they are answered or not."""
        knocks = []
        while len(knocks) < many:
            await asyncio.sleep(0.01)
            due = min(many, int(self.loop.time() * per_s))
            knocks += [asyncio.ensure_future(self.knock(number)) for number in range(len(knocks), due)]
        await asyncio.gather(*knocks)

    def kept(self):
        return Counter(key for (key,) in rows(self.inbox.connection, "SELECT key FROM receipt"))

    def said(self, status):
        return {f"e{number}" for number, (told, _) in self.answers.items() if told == status}

    def close(self):
        self.inbox.close()
        self.disk.end()
        self.loop.close()


@pytest.fixture
def crowd(tmp_path, request):
    crowd = Crowd(tmp_path, SYNC_S)
    yield crowd
    crowd.close()


def slow_disk(crowd):
    """Half a second for each sync: those who come together share one, and nobody is refused."""
    crowd.loop.run_until_complete(crowd.offer(1_000, per_s=GROUP_MAX))
    assert crowd.said(200) == set(crowd.kept()) and len(crowd.kept()) == 1_000
    waits = sorted(wait for _, wait in crowd.answers.values())
    assert waits[0] >= SYNC_S, "nobody is answered before the sync"
    assert waits[-1] <= 4 * SYNC_S + 0.1, "nobody waits for more than four"
    return f"{SYNC_S} s for each sync: {len(waits):,} deliveries in {waits[-1]:.1f} s at the most, none refused"


@pytest.mark.proof
def test_on_a_slow_disk_everything_takes_longer_and_nothing_is_lost(crowd, figure):
    figure("a slow disk at the doors", slow_disk(crowd), AGAIN)


def test_a_door_that_syncs_for_each_by_itself_is_noticed(crowd, monkeypatch):
    monkeypatch.setattr("mainstay.edge.record.GROUP_MAX", 1)
    with pytest.raises(AssertionError, match="nobody waits for more than four"):
        slow_disk(crowd)


def megabytes():
    """The memory of this process that was ever resident."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1_000_000 if sys.platform == "darwin" else 1_000)


def too_much(crowd):
    """What is refused is not kept, what is acknowledged is, and who is let in waits no longer than for what was there before."""
    can_per_s = GROUP_MAX / SYNC_S
    before = megabytes()
    crowd.loop.run_until_complete(crowd.offer(20_000, TIMES * can_per_s))
    shed, taken = crowd.said(503), crowd.said(200)
    assert len(shed) + len(taken) == 20_000 and len(taken) < 20_000 / 5 and crowd.door.refused == {("shop", "overloaded"): len(shed)}
    kept = crowd.kept()
    assert set(kept) == taken and set(kept.values()) == {1}, "what is acknowledged is kept"
    longest = max(wait for status, wait in crowd.answers.values() if status == 200)
    assert longest <= 2 * UNDER_WAY_MAX / can_per_s + 1, "nobody waits for long"
    assert megabytes() - before < GROWS_MB_MAX
    return f"{len(taken):,} of 20,000 deliveries acknowledged within {longest:.1f} s, and kept; {len(shed):,} refused, and not kept"


def test_a_door_that_lets_everybody_in_is_noticed(crowd, monkeypatch):
    monkeypatch.setattr("mainstay.edge.receive.UNDER_WAY_MAX", 1 << 40)
    monkeypatch.setattr("mainstay.edge.record.PENDING_MAX", 1 << 40)
    with pytest.raises(AssertionError):
        too_much(crowd)


def test_a_door_that_sheds_what_it_has_acknowledged_is_noticed(crowd, monkeypatch):
    add = crowd.inbox.add
    monkeypatch.setattr(crowd.inbox, "add", lambda new: add(new if crowd.door.under_way < UNDER_WAY_MAX else new[1:]) + 1)
    with pytest.raises(AssertionError, match="what is acknowledged is kept"):
        too_much(crowd)


@pytest.mark.proof
def test_a_hundred_times_too_much_is_shed_before_it_is_acknowledged(crowd, figure):
    figure("a hundred times too much at the doors", too_much(crowd), AGAIN)
    crowd.loop.run_until_complete(crowd.knock(20_001))
    assert crowd.answers[20_001][0] == 200 and crowd.door.under_way == crowd.door.bytes_held == 0


def test_large_bodies_are_bounded_all_together(crowd):
    """Each is within its limit; together they may not take all memory."""
    crowd.door.body_bytes_max = 2_000_000

    async def many():
        await asyncio.gather(*(crowd.knock(number, wait_s=1.0, size=1_900_000) for number in range(60)))

    crowd.loop.run_until_complete(many())
    assert set(crowd.kept()) == crowd.said(200) and 60 > len(crowd.said(200)) >= BYTES_MAX // 2_000_000
    assert crowd.said(200) | crowd.said(503) == {f"e{number}" for number in range(60)} and crowd.door.bytes_held == 0


# --- a real edge without file handles ----------------------------------------------------------------------------------
def test_an_edge_without_file_handles_refuses_before_it_acknowledges_and_comes_back(tmp_path):
    """Connections that nobody closes take all of them. What it holds goes on, what it cannot accept is closed at once."""
    shop = Running(tmp_path).start()
    answers = {f"e{number}": shop.hook(an_order(number), f"e{number}")[0] for number in range(20)}
    edge = shop.role("edge")
    limits = resource.prlimit(edge, resource.RLIMIT_NOFILE, (64, resource.prlimit(edge, resource.RLIMIT_NOFILE)[1]))
    idle = [socket.create_connection(("127.0.0.1", shop.port), timeout=5) for _ in range(100)]
    answers |= {f"e{number}": shop.hook(an_order(number), f"e{number}")[0] for number in range(20, 40)}
    refused = [event for event, status in answers.items() if status != 200]
    assert refused and all(answers[event] in (0, 503) for event in refused), answers
    for one in idle:
        one.close()
    resource.prlimit(edge, resource.RLIMIT_NOFILE, limits)
    shop.until(lambda: shop.hook(an_order(50), "e50")[0] == 200, "it does not come back", within_s=10)
    shop.settled()
    assert all(shop.order(int(event[1:])) for event, status in answers.items() if status == 200)
    assert shop.role("edge") == edge, "nobody had to start it again"
    assert shop.stop() == 0 and "Traceback" not in shop.log()
