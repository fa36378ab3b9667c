"""A hundred times what the core can decide is asked of the API, by one till: what is too much is refused before it is recorded, what was
answered is there, who asks beside it is not refused, and nor is the till right afterwards."""

import asyncio
import json
from collections import Counter
from types import SimpleNamespace

import pytest

from mainstay.app import build
from mainstay.app.role_core import BATCH_MAX, Core
from mainstay.app.role_edge import CONNECTIONS_MAX, Front
from mainstay.edge.api import DECISION_S_MAX, UNDECIDED_MAX, Api, Waiters
from mainstay.edge.receive import BODY_S_MAX, BYTES_MAX
from mainstay.edge.record import Recorder
from mainstay.model.times import SECOND
from mainstay.proof.sim.machine import own_time
from mainstay.storage.database import rows
from mainstay.storage.inbox import Inbox, InboxReader
from mainstay.storage.state import State
from tests.crash.test_overload import GROWS_MB_MAX, TIMES, megabytes
from tests.edge.test_over_http import T0, an_api_order, counted
from tests.running import JSON, TOKENS, Running

STEP_S = 0.5  # the core takes a batch so often
CAN_PER_S = BATCH_MAX / STEP_S
ASKED, POLITE = 10_000, 10  # by the till, and by the kiosk meanwhile


class Counters:
    """Edge and core of a real shop in one thread; the time is the loop's. `answers`: name -> (status, after so many seconds, headers)."""

    def __init__(self, folder, loop):
        self.loop, house = loop, build.open_house(Running(folder).config)
        house.data.mkdir()
        self.inbox, self.core = Inbox(house.data / "inbox.db"), Core(house)
        self.state, self.outcomes = State(house.data / "state.db", write=False), InboxReader(house.data / "outcomes.db")
        self.waiters, recorder = Waiters(self.state), Recorder(self.inbox, self.clock, lambda: None)
        policies = build.channel_policies(house)
        self.api = Api(self.state, self.outcomes, recorder, self.waiters, build.tokens(house), policies, bytes, str)
        self.door, self.answers = self.api.application(), {}
        self.core_works = True

    def clock(self):
        return T0 + int(self.loop.time() * SECOND)

    def play(self, *what):
        """Everything at once, while the core works."""

        async def all_of_it():
            working = asyncio.ensure_future(self.decide())
            await asyncio.gather(*what)
            working.cancel()

        self.loop.run_until_complete(all_of_it())

    async def decide(self):
        while True:
            await asyncio.sleep(STEP_S)
            if self.core_works:
                self.core.step(self.clock())
                self.waiters.look()

    async def ask(self, who, path, body, key="", breaks_off=False):
        """One request; `breaks_off`: its body never ends."""
        heads = {"authorization": f"Bearer {TOKENS[who]}", "content-type": JSON, "idempotency-key": key}
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": b"",
            "headers": [(k.encode(), v.encode()) for k, v in heads.items()],
        }
        told, began, parts = [], self.loop.time(), [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": breaks_off}]

        async def receive():
            return parts.pop() if parts else await asyncio.Event().wait()

        async def send(message):
            told.append(message)

        await self.door(scope, receive, send)
        answer = json.loads(b"".join(one.get("body", b"") for one in told[1:]))
        self.answers[key] = told[0]["status"], self.loop.time() - began, dict(told[0]["headers"]), answer.get("code", "")

    async def stock_up(self, units):
        await self.ask("operator", "/v1/statements", counted("A", units, at=self.clock()), "count")
        assert self.answers.pop("count")[0] == 200

    async def wish(self, who, number):
        """What a till asks first: half of them reserve, the others hand over an order."""
        name = f"{who}-{number}"
        if number % 2:
            await self.ask(who, "/v1/orders", an_api_order(name), name)
        else:
            await self.ask(who, "/v1/reservations", {"lines": [{"sku": "A", "quantity": 1}], "expires_in_s": 600}, name)

    async def rush(self, many, per_s):
        """So many each second by the till, whether they are answered or not; and now and then one by the kiosk."""
        wishes, began = [], self.loop.time()
        while len(wishes) < many:
            await asyncio.sleep(0.01)
            due = min(many, int((self.loop.time() - began) * per_s))
            wishes += [asyncio.ensure_future(self.wish("till", number)) for number in range(len(wishes), due)]
        await asyncio.gather(*wishes)

    async def politely(self):
        for number in range(POLITE):
            await self.wish("kiosk", number)

    def said(self, status):
        return {name for name, (told, *_) in self.answers.items() if told == status}

    def kept(self):
        """What is in the inbox, by the names of the wishes."""
        keys = rows(self.inbox.connection, "SELECT key FROM receipt WHERE topic IN ('api/reserve', 'api/order')")
        return Counter(key.removesuffix(":0") for (key,) in keys)

    def promised(self):
        """Units that are set aside, or reserved."""
        return sum(rows(self.state.connection, "SELECT allocated + reserved FROM stock")[0])

    def close(self):
        self.core.close()
        self.state.close()
        self.inbox.close()


@pytest.fixture
def shop(tmp_path):
    with own_time() as loop:
        shop = Counters(tmp_path, loop)
        shop.play(shop.stock_up(ASKED))
        yield shop
    shop.close()


def too_much(shop):
    """What is refused is not kept, what is answered is, each once; nobody waits for nothing, and the kiosk is never refused."""
    before = megabytes()
    shop.play(shop.rush(ASKED, TIMES * CAN_PER_S), shop.politely())
    shed, taken = shop.said(503), shop.said(201)
    assert len(shed) + len(taken) == ASKED + POLITE, "each is taken or refused"
    assert {name.partition("-")[0] for name in shed} == {"till"} and len(shed) > ASKED * 4 / 5
    assert {(heads[b"retry-after"], code) for status, _, heads, code in shop.answers.values() if status == 503} == {(b"1", "overloaded")}
    assert shop.kept() == Counter(taken) and shop.promised() == len(taken), "what is answered is there, and nothing else"
    longest = max(wait for status, wait, *_ in shop.answers.values() if status == 201)
    assert longest <= UNDECIDED_MAX / CAN_PER_S + 3 * STEP_S, "nobody waits for long"
    assert max(wait for status, wait, *_ in shop.answers.values() if status == 503) < STEP_S, "who is refused hears it at once"
    assert shop.waiters.refused == {("till", "overloaded"): len(shed)} and megabytes() - before < GROWS_MB_MAX
    refused = f"{len(shed):,} of {ASKED:,} requests of one till refused, and not kept"
    return f"{refused}; who was let in waited {longest:.1f} s at the most; {POLITE} of another till were all taken"


@pytest.mark.proof
def test_a_hundred_times_too_much_is_refused_before_it_is_recorded(shop, figure):
    figure("a hundred times too much asked", too_much(shop), "pytest tests/crash/test_overload_api.py -m proof")
    shop.play(shop.wish("till", ASKED + 1))
    status, wait, *_ = shop.answers[f"till-{ASKED + 1}"]
    assert status == 201 and wait <= 2 * STEP_S, "right afterwards it is as if nothing had been"


def test_an_api_that_lets_everybody_in_is_noticed(shop, monkeypatch):
    monkeypatch.setattr("mainstay.edge.api.UNDECIDED_MAX", 1 << 40)
    with pytest.raises(AssertionError, match="each is taken or refused"):
        too_much(shop)


def standing_still(shop):
    """A core that stands still decides nothing: who gave up waiting still counts, so that what gathers is bounded; then it goes on."""
    shop.core_works = False
    for again in range(3):
        shop.play(*(shop.wish("till", again * UNDECIDED_MAX + number) for number in range(UNDECIDED_MAX)))
    assert shop.kept().total() == len(shop.said(504)) == UNDECIDED_MAX, "no more is kept than is bounded"
    assert shop.loop.time() < 2 * DECISION_S_MAX and len(shop.said(503)) == 2 * UNDECIDED_MAX
    shop.core_works = True
    shop.play(asyncio.sleep(UNDECIDED_MAX / CAN_PER_S + STEP_S))
    shop.play(shop.wish("till", ASKED))
    assert shop.answers[f"till-{ASKED}"][0] == 201 and shop.promised() == UNDECIDED_MAX + 1


def test_while_the_core_stands_still_what_gathers_is_bounded(shop):
    standing_still(shop)


def test_an_api_that_forgets_who_gave_up_is_noticed(shop, monkeypatch):
    right = Waiters.decision

    async def decision(self, who, receipt):
        try:
            return await right(self, who, receipt)
        except TimeoutError:
            self.leave(who)
            raise

    monkeypatch.setattr(Waiters, "decision", decision)
    with pytest.raises(AssertionError, match="no more is kept than is bounded"):
        standing_still(shop)


def test_bodies_are_bounded_all_together_and_in_time(shop):
    """Each is within its limit; together they may not take all memory, and who never ends one is not waited for."""
    large = {"lines": [], "x": "x" * 1_900_000}
    shop.play(*(shop.ask("till", "/v1/reservations", large, f"large-{number}", breaks_off=True) for number in range(60)))
    slow, shed = shop.said(408), shop.said(503)
    assert len(slow) == BYTES_MAX // 1_900_000 and len(slow) + len(shed) == 60 and shop.api.bytes_held == 0
    assert max(wait for _, wait, *_ in shop.answers.values()) == BODY_S_MAX


def test_who_comes_when_too_many_are_connected_is_told_when_to_come_again(shop):
    """At either door, before anything of theirs is read."""
    shop.door = front = Front(SimpleNamespace(refused=Counter()), shop.door)
    front.connections = range(CONNECTIONS_MAX)
    shop.play(shop.wish("till", 1))
    ((status, _, heads, code),) = shop.answers.values()
    assert (status, heads[b"retry-after"], heads[b"connection"], code) == (503, b"1", b"close", "overloaded") and not shop.kept()
    assert front.door.refused == {("-", "overloaded"): 1}
    front.connections = range(CONNECTIONS_MAX - 1)
    shop.play(shop.wish("till", 1))
    assert shop.answers["till-1"][0] == 201
