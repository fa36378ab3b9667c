"""Effects: in order for each order, side by side otherwise, never doubled by a lost answer, and over when their outcome is durable."""

import asyncio
from itertools import pairwise

import msgspec
import pytest

from mainstay.contract.connector import Budget
from mainstay.contract.talk import LINGERS_S, Reply
from mainstay.delivery.connection import Lost, Unable, Unsent
from mainstay.delivery.lanes import CONVERSATIONS, Task
from mainstay.delivery.retry import BREAKER_FAILURES, BREAKER_S_MAX
from mainstay.model.commands import CancelOrder, CapturePayment, Fetch, ReleaseOrder, SetPrice
from mainstay.model.failures import Reject
from mainstay.model.times import DAY, HOUR, SECOND
from mainstay.storage.database import rows
from tests.delivery.conftest import T0, Desk


def a_release(key="r1") -> ReleaseOrder:
    return ReleaseOrder(key=key, release="rel.shop.1.1", number="#1", channel="shop", currency="EUR", placed_at=T0, lines=())


def a_capture(key="c1") -> CapturePayment:
    return CapturePayment(key=key, payment="pi_1", amount=100, currency="EUR")


def a_cancel(key="x1") -> CancelOrder:
    return CancelOrder(key=key, order="1", reason="oops")


def a_price(key="p1", sku="A") -> SetPrice:
    return SetPrice(key=key, sku=sku, item=sku, currency="EUR", price=100, revision=1)


class Script:
    """Gives one answer after the other, then the last one for ever."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def __call__(self, path, body):
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


# --- order -------------------------------------------------------------------------------------------------------------
def test_effects_of_one_order_keep_their_order(desk, run):
    """The first takes three tries; the second does not overtake it."""
    desk.answer = Script(Reply(503), Reply(503), b"")
    desk.add(1, a_cancel("first"), entity=7)
    desk.add(2, a_capture("second"), entity=7)
    run(desk.until_over(1, 2))
    assert desk.said() == [["first"], ["first"], ["first"], ["second"]] and desk.over == [1, 2]


def others_while_one_is_stuck(desk, run):
    """In which order effects of 39 orders are over, of which the first takes long; and when the last of the others was asked for."""

    async def answer(path, body):
        if b'"stuck"' in body:
            await asyncio.sleep(1_000)
        return b""

    desk.answer = answer
    desk.add(1, a_cancel("stuck"), entity=1)
    for number in range(2, 40):
        desk.add(number, a_cancel(f"k{number}"), entity=number)
    run(desk.until_over(*range(1, 40)))
    return desk.over, [at for at, _, body in desk.calls if b'"stuck"' not in body][-1]


def test_other_orders_go_on_while_one_is_blocked(desk, run):
    over, last = others_while_one_is_stuck(desk, run)
    assert over == [*range(2, 40), 1] and last < 1


def test_with_one_queue_for_all_orders_one_holds_up_the_others(desk, run, monkeypatch):
    """The planted bug: what the test above looks at shows it."""
    monkeypatch.setattr(Task, "lane", property(lambda self: 1))
    over, last = others_while_one_is_stuck(desk, run)
    assert over[0] == 1 and last >= 1_000


def test_no_more_conversations_than_allowed_at_once(desk, run):
    talking, most = 0, 0

    async def answer(path, body):
        nonlocal talking, most
        talking += 1
        most = max(most, talking)
        await asyncio.sleep(1)
        talking -= 1
        return b""

    desk.answer = answer
    desk.connection._room = asyncio.Semaphore(100)
    for number in range(1, 40):
        desk.add(number, a_cancel(f"k{number}"), entity=number)
    run(desk.until_over(*range(1, 40)))
    assert most == CONVERSATIONS


# --- how an effect ends ------------------------------------------------------------------------------------------------
def test_done_is_told_once_with_what_it_got_over_there(desk, run):
    desk.add(1, a_cancel(), entity=7)
    run(desk.until_over(1))
    ((body,),) = rows(desk.outcomes.inbox.connection, "SELECT body FROM receipt")
    assert msgspec.json.decode(body) == {
        "key": "x1", "entity": 7, "outcome": "done", "system": "paper", "references": {"ref": "r-x1"},
    }  # fmt: skip
    assert desk.rings == 1 and desk.outcomes.attempts()[1].status == "done"


@pytest.mark.parametrize(
    ("answer", "code"),
    [(b'["no such order"]', "rejected"), (Reply(422, {}, b"no"), "rejected"), (Reply(404), "not_found"), (Reply(302), "redirect_refused")],
)
def test_what_is_refused_is_told_with_its_reason_and_frees_the_lane(desk, run, answer, code):
    desk.answer = Script(answer, b"")
    desk.add(1, a_cancel("bad"), entity=7)
    desk.add(2, a_cancel("good"), entity=7)
    run(desk.until_over(1, 2))
    assert desk.told() == [("bad", "rejected"), ("good", "done")]
    assert desk.outcomes.attempts()[1].code == code


@pytest.mark.parametrize("answer", [Reply(429), Reply(503, {"retry-after": "7"}), Reply(500), Unsent("no connection")], ids=str)
def test_what_surely_did_not_happen_is_said_again_byte_for_byte(desk, run, answer):
    desk.answer = Script(answer, b"")
    desk.add(1, a_cancel(), entity=7)
    run(desk.until_over(1))
    (first, _, said), (second, _, again) = desk.calls
    assert said == again and desk.told() == [("x1", "done")]
    assert second - first >= (7 if isinstance(answer, Reply) and answer.headers else 0.1)


def test_a_lost_answer_is_looked_up_before_anything_else(desk, run):
    """The release may have happened: it is found, and not made again."""
    desk.answer = Script(Lost("timed out"), b"found")
    desk.add(1, a_release(), entity=7)
    run(desk.until_over(1))
    assert desk.paths() == ["/release", "/look_up/r1"]
    assert desk.told() == [("r1", "unknown"), ("r1", "done")]


def test_what_can_no_longer_come_and_is_not_there_is_done_now(desk, run):
    """The other side may still be at the call that we gave up on: "it is not there" is the last word only when that has ended."""
    desk.answer = lambda path, body: b"absent" if path.startswith("/look_up") else Lost("timed out") if len(desk.calls) == 1 else b""
    desk.add(1, a_release(), entity=7)
    run(desk.until_over(1))
    first, *look_ups, last = desk.calls
    assert first[1] == last[1] == "/release" and {path for _, path, _ in look_ups} == {"/look_up/r1"}
    assert look_ups[-1][0] - first[0] >= LINGERS_S > look_ups[-2][0] - first[0] and len(look_ups) < 20


def test_what_is_carried_out_late_is_found_and_not_done_twice(desk, run):
    desk.answer = lambda path, body: Lost("timed out") if path == "/release" else b"found" if run.loop.time() > 40 else b"absent"
    desk.add(1, a_release(), entity=7)
    run(desk.until_over(1))
    assert desk.paths().count("/release") == 1 and desk.told()[-1] == ("r1", "done")


def test_nothing_of_the_order_overtakes_a_call_that_may_still_be_carried_out(desk, run):
    """A price set late would undo the newer one: what follows in the lane waits. An answer of the server itself ends its call."""
    desk.answer = Script(Lost("timed out"), b"")
    desk.add(1, a_cancel("first"), entity=7)
    desk.add(2, a_cancel("second"), entity=7)
    desk.add(3, a_cancel("of another"), entity=8)
    run(desk.until_over(1, 2, 3))
    (lost, _, _), (_, _, _), (_, _, _), (second, _, said) = desk.calls
    assert b"second" in said and second - lost >= LINGERS_S
    desk.answer = Script(Reply(503), b"")
    desk.add(4, a_cancel("third"), entity=7)
    desk.add(5, a_cancel("fourth"), entity=7)
    started = run.loop.time()
    run(desk.until_over(4, 5))
    assert run.loop.time() - started < 5


def test_a_look_up_that_fails_is_tried_again_and_nothing_else_is(desk, run):
    desk.answer = Script(Lost("timed out"), Reply(503), Lost("again"), Reply(404), b"found")
    desk.add(1, a_release(), entity=7)
    run(desk.until_over(1))
    assert desk.paths() == ["/release"] + ["/look_up/r1"] * 4
    assert desk.told() == [("r1", "unknown"), ("r1", "done")], "it is called unknown once"


def test_a_lost_answer_to_a_call_with_a_key_is_repeated_under_it(desk, run):
    desk.answer = Script(Lost("timed out"), b"")
    desk.add(1, a_capture(), entity=7)
    run(desk.until_over(1))
    assert desk.paths() == ["/capture", "/capture"] and desk.said() == [["c1"], ["c1"]]


def test_a_key_that_the_vendor_may_have_forgotten_is_looked_up_first(desk, run):
    """The vendor keeps it for 1000 s; after that the same key would be a new capture."""
    desk.answer = lambda path, body: Reply(503) if run.loop.time() < 950 and not path.startswith("/look_up") else b"found"
    desk.add(1, a_capture(), entity=7)
    run(desk.until_over(1))
    *pushes, last = desk.calls
    assert last[1] == "/look_up/c1" and {path for _, path, _ in pushes} == {"/capture"} and pushes[-1][0] < 1000


def test_a_key_from_before_a_restart_that_may_be_forgotten_is_looked_up_first(desk, run):
    """Nobody knows whether the dead process sent it: after the key's life it would be a second capture."""
    desk.answer = Script(b"absent", b"")
    run.loop.run_until_complete(asyncio.sleep(0))
    desk.lanes.add(1, desk.clock() - 1001 * SECOND, 7, msgspec.json.encode(a_capture()), None, restarted=True)
    run(desk.until_over(1))
    assert desk.paths() == ["/look_up/c1", "/capture"], "it is not there, so it is asked for, once"


def test_a_vault_that_breaks_blocks_no_lane(desk, run):
    """One command cannot be completed: it becomes a letter that says so, and the next one of its order goes on."""

    def fill(command, entity):
        if command.key == "c1":
            raise ValueError("what is this")
        return command

    desk.lanes.fill = fill
    desk.add(1, a_capture("c1"), entity=7)
    desk.add(2, a_capture("c2"), entity=7)
    run(desk.until_over(1, 2))
    assert desk.told() == [("c1", "rejected"), ("c2", "done")]


def test_credentials_that_do_not_work_keep_the_message_and_probe(desk, run):
    desk.answer = lambda path, body: Reply(401) if run.loop.time() < 3 * BREAKER_S_MAX else b""
    desk.add(1, a_cancel(), entity=7)
    run(desk.until_over(1))
    assert desk.told() == [("x1", "done")] and len(desk.calls) == 4
    assert not desk.connection.failures["try_again"]


def test_after_a_day_a_person_decides(desk, run):
    desk.answer = Script(Reply(500))
    desk.add(1, a_cancel(), entity=7)
    run(desk.until_over(1))
    assert desk.told() == [("x1", "rejected")] and desk.outcomes.attempts()[1].code == "expired"
    assert DAY <= desk.calls[-1][0] * SECOND < 1.02 * DAY


def test_what_the_business_needs_sooner_a_person_decides_sooner(desk, run):
    desk.answer = lambda path, body: b"" if path.startswith("/look_up") else Reply(500)
    desk.add(1, a_capture(), entity=7)
    run(desk.until_over(1))
    assert desk.outcomes.attempts()[1].code == "expired"
    assert 8 * HOUR <= desk.calls[-1][0] * SECOND < 8.2 * HOUR


def test_a_system_that_is_down_is_not_hammered(desk, run):
    """Fifty effects wait; for an hour all calls fail. A few probes go, not fifty times the back-off."""
    desk.answer = lambda path, body: Reply(503) if run.loop.time() < 3600 else b""
    for number in range(1, 51):
        desk.add(number, a_cancel(f"k{number}"), entity=number)
    run(desk.until_over(*range(1, 51)))
    failed = sum(at < 3600 for at, _, _ in desk.calls)
    assert failed < CONVERSATIONS + 3600 / BREAKER_S_MAX * 1.5 + BREAKER_FAILURES
    assert desk.told() and {outcome for _, outcome in desk.told()} == {"done"}


def test_a_machine_that_can_make_no_connection_blames_no_system(desk, run):
    """For a minute no file handle is left here: nothing is lost, and nobody is taken to be down, so that all goes on without a probe."""
    desk.answer = lambda path, body: Unable("no file handle is left") if run.loop.time() < 60 else b""
    for number in range(1, 51):
        desk.add(number, a_cancel(f"k{number}"), entity=number)
    run(desk.until_over(*range(1, 51)))
    assert desk.connection.healthy and not desk.connection.failures and len(desk.told()) == 50
    assert {outcome for _, outcome in desk.told()} == {"done"} and desk.loop.time() < 3 * 60


def test_calls_stay_within_the_budget(tmp_path, run):
    desk = Desk(tmp_path, run.loop, budgets=(Budget("b", "token", 4, 2.0),))
    for number in range(1, 41):
        desk.add(number, a_cancel(f"k{number}"), entity=number)
    run(desk.until_over(*range(1, 41)))
    moments = [at for at, _, _ in desk.calls]
    assert all(later - at >= (5 - 4) / 2.0 - 0.01 for at, later in zip(moments, moments[5:], strict=False))
    assert 18 <= moments[-1] <= 20 and desk.connection.starved_us > 15 * SECOND


def test_what_was_spent_before_a_crash_is_spent_after_it(tmp_path, run):
    """Killed right after its calls, before anything else was committed: the next process knows that the bucket is empty."""
    desk = Desk(tmp_path, run.loop, answer=lambda path, body: asyncio.Event().wait(), budgets=(Budget("b", "token", 4, 0.5),))

    async def until_killed(calls: int) -> None:
        working = asyncio.ensure_future(desk.lanes.run())
        while len(desk.calls) < calls:
            await asyncio.sleep(0.0001)
        desk.outcomes.inbox.close()  # as a kill does: nothing is flushed
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    for crash in range(3):
        for number in range(1, 7):
            desk.add(10 * crash + number, a_cancel(f"k{crash}.{number}"), entity=number)
        run(until_killed(4 + 2 * crash))
        desk.open()
    moments = [at for at, _, _ in desk.calls]
    assert len([at for at in moments if at < 1]) == 4 and moments[4] >= 1.9
    assert all(later - at >= 1.9 for at, later in pairwise(moments[4:])), "one call every two seconds, then"


# --- bugs --------------------------------------------------------------------------------------------------------------
def test_a_bug_in_a_connector_stops_only_its_message(desk, run):
    desk.answer = Script(b"this is not JSON", b"")
    desk.add(1, a_cancel("bad"), entity=1)
    run(desk.until_over(1))
    desk.add(2, a_cancel("good"), entity=2)
    run(desk.until_over(2))
    assert desk.told() == [("bad", "rejected"), ("good", "done")] and desk.outcomes.attempts()[1].code == "bug"


def test_a_bug_in_a_look_up_leaves_it_unknown_and_looked_up_again(desk, run):
    def broken(command):
        desk.connector.__dict__.pop("look_up")
        raise TypeError("a bug")

    desk.connector.look_up = broken
    desk.answer = Script(Lost("timed out"), b"found")
    desk.add(1, a_release(), entity=7)
    run(desk.until_over(1))
    assert desk.told() == [("r1", "unknown"), ("r1", "done")] and desk.paths() == ["/release", "/look_up/r1"]


def test_that_no_memory_is_left_in_a_conversation_is_looked_up_and_no_letter(desk, run):
    desk.answer = Script(MemoryError(), b"found")
    desk.add(1, a_release(), entity=7)
    run(desk.until_over(1))
    assert desk.told() == [("r1", "unknown"), ("r1", "done")] and desk.paths() == ["/release", "/look_up/r1"]


# --- after a restart ---------------------------------------------------------------------------------------------------
def test_after_a_restart_what_a_repeat_would_double_is_looked_up_first(desk, run):
    desk.answer = lambda path, body: b"found" if path.startswith("/look_up") else b""
    desk.add(1, a_release("r1"), entity=1, restarted=True)
    desk.add(2, a_capture("c1"), entity=2, restarted=True)
    run(desk.until_over(1, 2))
    assert sorted(desk.paths()) == ["/capture", "/look_up/r1"], "the vendor knows the capture by its key"


def test_tries_and_pauses_survive_a_restart(desk, run):
    desk.answer = Script(Reply(503, {"retry-after": "1000"}))
    desk.add(1, a_cancel(), entity=7)
    run(desk.killed_after(10))
    assert len(desk.calls) == 1
    desk.open()
    desk.answer = Script(b"")
    desk.add(1, a_cancel(), entity=7, restarted=True)
    run(desk.until_over(1))
    assert desk.calls[1][0] >= 1000, "not before the time that the other side asked for"
    assert desk.outcomes.attempts()[1].tries == 1


def test_it_stops_when_told_to_even_while_something_ends(desk, run):
    """The stop and the news come in the same turn of the loop: the stop must not get lost."""

    async def stopped():
        working = asyncio.ensure_future(desk.lanes.run())
        desk.lanes.ended = lambda intent: run.loop.call_soon(working.cancel)
        desk.answer = lambda path, body: Reply(503) if b"slow" in body else b""
        desk.add(1, a_cancel("slow"), entity=1)
        desk.add(2, a_cancel("fast"), entity=2)
        await asyncio.gather(working, return_exceptions=True)

    run(stopped(), within_s=60)


# --- many at once ------------------------------------------------------------------------------------------------------
def test_like_commands_share_a_call_up_to_its_size(desk, run):
    for number in range(1, 8):
        desk.add(number, a_price(f"p{number}"), entity=number)
    run(desk.until_over(*range(1, 8)))
    assert sorted(map(len, desk.said())) == [1, 3, 3]
    assert sorted(key for call in desk.said() for key in call) == [f"p{number}" for number in range(1, 8)]


def test_a_few_wait_for_others_and_then_go(desk, run):
    desk.add(1, a_price("p1"), entity=1)
    run(desk.until_over(1))
    assert 5.0 <= desk.calls[0][0] < 5.2, "gathered for five seconds, not longer"


def test_one_refused_row_does_not_spoil_its_neighbours(desk, run):
    desk.answer = Script(b'["ok","no such SKU","ok"]')
    for number in range(1, 4):
        desk.add(number, a_price(f"p{number}"), entity=number)
    run(desk.until_over(1, 2, 3))
    assert sorted(desk.told()) == [("p1", "done"), ("p2", "rejected"), ("p3", "done")]


def test_one_whose_person_was_erased_does_not_spoil_its_neighbours(desk, run):
    def fill(command, entity):
        if command.key == "p2":
            raise Reject("the personal data was erased", "personal_data_erased")
        return command

    desk.lanes.fill = fill
    for number in range(1, 4):
        desk.add(number, a_price(f"p{number}"), entity=number)
    run(desk.until_over(1, 2, 3))
    assert sorted(desk.told()) == [("p1", "done"), ("p2", "rejected"), ("p3", "done")]
    assert desk.outcomes.attempts()[2].code == "personal_data_erased"


def test_a_fetch_becomes_a_receipt_and_is_in_nobodys_way(desk, run):
    desk.answer = lambda path, body: Reply(503) if path == "/fetch/slow" and run.loop.time() < 100 else b'{"id":5}'
    desk.add(1, Fetch(key="f1", feed="orders", reference="slow"))
    desk.add(2, Fetch(key="f2", feed="orders", reference="o5"))
    run(desk.until_over(2))
    assert desk.over == [2]
    assert rows(desk.outcomes.inbox.connection, "SELECT system, topic, key, body FROM receipt") == [("paper", "order", "o5", b'{"id":5}')]
