"""A message that breaks us stops only itself."""

import pytest

from mainstay.flows.rebuild import verify
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
