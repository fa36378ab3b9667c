"""A message that breaks us stops only itself."""

import pytest

from mainstay.flows import queue
from mainstay.flows.rebuild import verify
from mainstay.model.failures import Reject
from mainstay.orders import decide
from tests.flows.conftest import an_order


@pytest.fixture
def broken(monkeypatch):
    """A planted bug: one order, and only that one, cannot be decided."""
    settle = decide.settle

    def wrong(state, policy):
        assert state.external != "2", "planted"
        return settle(state, policy)

    monkeypatch.setattr(decide, "settle", wrong)


def test_its_neighbours_in_the_batch_go_on_and_it_becomes_a_letter(core, broken, tmp_path):
    core.count("A", 50)
    core.flush()
    core.batch = 10
    for number in "123":
        core.say("shop", an_order(number))
    core.flush()
    assert [core.order(number).status for number in "13"] == ["released", "released"]
    assert core.order("2") is None, "nothing of it was kept by halves"
    assert core.rows("SELECT code FROM letter") == [("bug",)]
    assert core.tally() == {"applied": 3, "parked": 1}
    assert verify(core.path, tmp_path / "rebuilt.db", core.shop).identical


def test_it_can_be_taken_again_when_the_bug_is_gone(core, broken, monkeypatch):
    core.count("A", 50)
    core.say("shop", an_order("2"))
    ((letter,),) = core.rows("SELECT id FROM letter")
    monkeypatch.undo()
    core.receive("operator", "operator/retry", str(letter), b"{}")
    assert core.order("2").status == "released"


def test_a_store_that_cannot_be_written_is_nobodys_fault(core, monkeypatch):
    def full(batch):
        raise OSError("disk full")

    monkeypatch.setattr(core.state, "write", full)
    with pytest.raises(OSError, match="disk full"):
        core.say("shop", an_order("1"))
    monkeypatch.undo()
    assert core.rows("SELECT count(*) FROM letter") == [(0,)]


@pytest.mark.parametrize("where", ["reading", "deciding"])
def test_that_no_memory_is_left_is_no_messages_fault(core, monkeypatch, where):
    """The process ends, and another takes the same message."""

    def none_left(*_args):
        raise MemoryError

    with monkeypatch.context() as broken:
        if where == "reading":
            broken.setitem(core.shop.translate, "shop", none_left)
        else:
            broken.setattr(decide, "settle", none_left)
        with pytest.raises(MemoryError):
            core.say("shop", an_order("1"))
    assert core.rows("SELECT count(*) FROM letter") == [(0,)]


def test_a_broken_timer_stops_only_itself(core, broken):
    core.count("A", 50)
    for number in "13":
        core.say("shop", an_order(number, payments=(f"pi_{number}",)))
    due = core.rows("SELECT due, kind, entity FROM timer WHERE kind = 'payment' ORDER BY due")
    core.intake.expire([(due[0][0], "payment", 999_999), *due], due[-1][0])
    assert [core.order(number).status for number in "13"] == ["cancelled", "cancelled"]
    assert core.rows("SELECT code FROM letter") == [("bug",)]


def test_a_broken_timer_can_be_tried_again_when_the_bug_is_gone(core, broken, monkeypatch, tmp_path):
    core.count("A", 50)
    monkeypatch.undo()
    core.say("shop", an_order("2", payments=("pi_2",)))
    due = core.rows("SELECT due, kind, entity FROM timer WHERE kind = 'payment'")
    monkeypatch.setattr(decide, "settle", lambda state, policy: 1 / 0)
    core.intake.expire(due, due[0][0])
    monkeypatch.undo()
    ((letter,),) = core.rows("SELECT id FROM letter WHERE code = 'bug'")
    assert core.order("2").status == "placed", "nothing was done"
    core.receive("operator", "operator/retry", str(letter), b"{}")
    assert core.order("2").status == "cancelled" and core.rows("SELECT status FROM letter") == [("retried",)]
    assert verify(core.path, tmp_path / "rebuilt.db", core.shop).identical


@pytest.mark.parametrize("action", ["retry", "repair"])
def test_a_letter_that_breaks_a_job_stays_as_it_is_and_the_others_are_done(core, broken, monkeypatch, tmp_path, action):
    """The job comes to its end, and says which; nothing of the steps that broke was kept by halves, and no letter is written of them."""
    core.count("A", 500)
    right = core.shop.translate["shop"]
    core.shop.translate["shop"] = lambda _topic, _body: unread()
    for number in range(40):
        core.say("shop", an_order(str(number)))
    core.shop.translate["shop"] = right
    asked = {"action": action, "query": {}, "by": "ann", "reason": "it can be read now"}
    status, told = core.ask("operator", "operator/job", "", asked)
    core.wait(60_000_000)
    found = queue.job(core.state, told["job"])
    assert status == 202 and (found["status"], found["done"], found["nothing_done"]) == ("done", 39, 1)
    (left,) = [one for one in found["results"] if not one["done"]]
    assert left["detail"].startswith("bug: AssertionError in wrong (test_poison.py, line ")
    assert core.rows("SELECT id FROM letter WHERE status = 'open'") == [(left["letter"],)] and core.order("2") is None
    assert {core.order(str(number)).status for number in range(40) if number != 2} == {"released"}
    assert verify(core.path, tmp_path / "rebuilt.db", core.shop).identical


def unread():
    raise Reject("unknown word", "unknown_word")


def test_what_a_caller_asked_for_and_broke_us_is_not_asked_again(core, broken):
    """They were told, and it was answered then."""
    core.count("A", 5)
    status, told = core.ask("till", "api/order", "2", {"external": "2", "order": an_order("2").order})
    assert (status, told["code"]) == (500, "bug")
    ((letter,),) = core.rows("SELECT id FROM letter")
    for action, body in (("retry", {}), ("repair", {"body": "{}", "reason": "why"})):
        status, told = core.ask("operator", f"operator/{action}", str(letter), body)
        assert status == 409 and "suppress it" in told["detail"]
    assert core.rows("SELECT count(*) FROM letter") == [(1,)]
