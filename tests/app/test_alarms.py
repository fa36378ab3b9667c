"""What counts as a cause of alarm, whose it is, and what is told of it through a restart."""

import random
import shlex

import msgspec
import pytest
from msgspec.structs import replace

from mainstay.alerts.causes import Alarm
from mainstay.app import build
from mainstay.app.alarms import Alarms
from mainstay.app.alerting import Alerting, ways
from mainstay.app.build import clock
from mainstay.app.cli import main
from mainstay.app.snapshots import write_snapshot
from mainstay.delivery.post import Post, told
from mainstay.flows.drift import Drifted
from mainstay.model.events import PauseSet
from mainstay.model.state import LetterState
from mainstay.model.times import DAY, HOUR, MINUTE, SECOND, iso
from mainstay.storage.inbox import Inbox, InboxReader
from mainstay.storage.state import Batch, State
from tests.docs.pages import wrong_command
from tests.running import Running

NOW = clock()
FINE = {"waiting": 0, "calls": {}, "failures": {}, "breaker": "closed", "reason": "", "since": "", "halted": False, "blocked": []}
GONE = FINE | {"breaker": "open", "reason": "no answer for ann@buyer.example, card 4111 1111 1111 1111", "since": iso(NOW - MINUTE)}
HEAD = {
    "key": "ord.shop.17:release.1", "command": "ReleaseOrder", "since": iso(NOW - HOUR), "tries": 9, "code": "try_again",
    "why": "no answer", "behind": 3, "held": "",
}  # fmt: skip


@pytest.fixture
def shop(tmp_path):
    """A shop with a store, and no process."""
    shop = Running(tmp_path)
    shop.data.mkdir()
    State(shop.data / "state.db").close()
    return shop


@pytest.fixture
def look(shop):
    """Every cause of now, by fingerprint, after what dispatch says."""

    def found(**dispatch):
        house = build.look_into(shop.config)
        write_snapshot(shop.data, "dispatch", dispatch)
        alarms = Alarms(shop.data, house.landscape, build.duties(house)).look(NOW)
        for one in alarms:
            assert one.owner in house.landscape.owners and one.what and one.next and one.runbooks, one
            for command in one.commands:
                assert not wrong_command(shlex.split(command), main), command
        return {one.cause: one for one in alarms}

    return found


def test_all_is_well(look):
    assert look(systems={"shop": FINE}, polls={"shop/orders": {"failure": ""}}) == {}


def test_a_system_that_is_gone_explains_what_fails_at_it(look):
    late = {"behind_s": 600.0, "within_s": 120.0, "late": True, "owner": "operations"}
    found = look(
        systems={"shop": GONE | {"waiting": 7, "blocked": [HEAD]}, "payments": FINE},
        flows={"order-from-shop": late, "payment-from-payments": late | {"late": False}},
        polls={"shop/orders": {"failure": "no answer"}, "shop/inventory": {"failure": "no answer"}, "payments/events": {"failure": "odd"}},
    )
    assert {cause: one.under for cause, one in found.items()} == {
        "system/shop": "", "blocked/shop": "system/shop", "late/order-from-shop": "system/shop", "reading/shop": "system/shop",
        "reading/payments": "",
    }  # fmt: skip
    gone = found["system/shop"]
    assert (gone.what, gone.count, gone.code, gone.whose) == ("shop cannot be worked with; 7 effects wait", 7, "breaker_open", "theirs")
    assert gone.since // SECOND == (NOW - MINUTE) // SECOND and gone.deadline == gone.since + 120 * SECOND, "its orders are needed at once"
    assert "runbooks.md#order" in gone.runbooks
    assert found["reading/shop"].what == "inventory, orders of shop cannot be read"
    assert "ann@" not in gone.why and "4111 1111" not in gone.why and "no answer for …@…" in gone.why


def test_a_connection_that_is_halted_says_so(look):
    one = look(systems={"shop": GONE | {"halted": True}})["system/shop"]
    assert one.what.startswith("shop refuses our credentials") and one.code == "connection_halted" and "Renew the secret" in one.next


def test_what_people_hold_back_is_not_blocked_and_is_said_after_a_day(shop, look):
    blocked = {"shop": FINE | {"blocked": [HEAD | {"held": "system:shop"}]}, "warehouse": FINE | {"blocked": [HEAD]}}
    assert list(look(systems=blocked)) == ["blocked/warehouse"]
    state = State(shop.data / "state.db")
    for name, ago in (("shop", DAY - MINUTE), ("warehouse", DAY)):
        told = PauseSet(target=f"system:{name}", mode="paused", by="ann", reason="moves")
        state.run("save_pause", (told.target, "paused", NOW - ago, msgspec.json.encode(told)))
    state.close()
    found = look()
    assert list(found) == ["held/system:warehouse"] and found["held/system:warehouse"].severity == "warning"


def test_subscriptions_that_only_a_person_can_mend(look):
    """What Mainstay makes again by itself within minutes is no alarm."""
    topic = {"wrong": "", "hint": "", "whole_at": "", "noticed_at": "", "was": "", "made_at": ""}
    held = {"failure": "", "topics": {"a": topic, "b": topic | {"wrong": "missing"}}}
    assert look(systems={"shop": FINE}, subscriptions={"shop": held}) == {}
    helpless = held | {"topics": {"b": topic | {"wrong": "outdated", "hint": "make a new endpoint"}}}
    found = look(systems={"shop": FINE}, subscriptions={"shop": helpless, "payments": held | {"failure": "no such endpoint"}})
    assert {cause: one.why for cause, one in found.items()} == {
        "subscriptions/shop": "make a new endpoint", "subscriptions/payments": "no such endpoint",
    }  # fmt: skip


def test_documents_that_look_otherwise(shop, look):
    changed = Drifted(3, "shop", "orders/updated", "gift", "new", (), "boolean", NOW - HOUR, NOW, 2, 9, False, False)
    refused = replace(changed, id=4, path="total", kind="retyped", was=("string",), now="number", reads=True, refused=True)
    for found, severity, id_ in (([changed], "warning", 3), ([changed, refused], "error", 4)):
        state, batch = State(shop.data / "state.db"), Batch()
        batch.drifts = [(one.id, one.status, msgspec.json.encode(one)) for one in found]
        state.write(batch)
        state.close()
        alarm = look(systems={"shop": FINE})["drift/shop"]
        assert (alarm.severity, alarm.count, alarm.since) == (severity, len(found), NOW - HOUR)
        assert f"mainstay drift accept {id_} " in alarm.commands[1]


def test_a_cause_that_was_given_to_several_is_told_each_of_them(shop, look):
    """Of an owner nobody has declared, whoever answers for such letters is told."""
    shop.config.write_text(shop.config.read_text() + '\n[owners.ben]\ncontact = "ben@shop.example"\n')
    state, batch = State(shop.data / "state.db"), Batch()
    for number, owner in enumerate(("operations", "ben", "ben", "carla"), 1):
        letter = LetterState(code="schema", why="odd", system="shop", topic="orders/create", owner=owner, currency="EUR", amount=100)
        batch.letters.append((number, NOW, "open", "schema", owner, 0, msgspec.json.encode(letter)))
    state.write(batch)
    state.close()
    found = {cause.partition("/")[2].partition("/")[2]: one for cause, one in look().items()}
    assert {name: (one.owner, one.count, one.at_risk["EUR"]) for name, one in found.items()} == {
        "": ("operations", 2, "2.00"), "ben": ("ben", 2, "2.00"),
    }  # fmt: skip
    assert " --owner ben" in found["ben"].commands[0] and "--owner" not in found[""].commands[0]


def test_files_that_cannot_be_read(look):
    found = look(folders={"/in": {"system": "shop", "failures": ["a.csv: permission denied", "b.csv: permission denied"]}})
    assert found["folder//in"].count == 2


def test_processes_that_are_down(shop, look):
    write_snapshot(shop.data, "up", {"roles": {"edge": {"running": False, "failures": 3}, "dispatch": {"running": True, "failures": 1}}})
    (shop.data / "core.now.json").write_text(f'{{"at": {NOW - 60 * SECOND}}}')
    found = look()
    assert {cause: one.severity for cause, one in found.items()} == {"process/edge": "critical", "process/core": "critical"}
    assert found["process/core"].why == "it has told nothing for 60 s"
    write_snapshot(shop.data, "up", {"roles": {"edge": {"running": True, "failures": 0, "silent_s": 60}}})
    assert look()["process/edge"].why == "it has told nothing for 60 s"


def test_a_supervisor_that_stands_still(shop, look):
    """What dies then is not started again, and what was said of the processes is no news."""
    (shop.data / "up.now.json").write_text(f'{{"at": {NOW - 60 * SECOND}, "roles": {{"edge": {{"running": false, "failures": 3}}}}}}')
    assert [(cause, one.why) for cause, one in look().items()] == [("process/up", "it has told nothing for 60 s")]


def test_a_core_that_does_not_keep_up(shop, look):
    inbox = Inbox(shop.data / "inbox.db")
    inbox.add([(NOW - 90 * SECOND, "shop", "orders/create", "e1", b"{}")])
    inbox.close()
    assert look()["lag/core"].why == "the oldest receipt of inbox waits for 90 s"


def test_books_that_do_not_balance(shop, look):
    state = State(shop.data / "state.db")
    for row in ((1, "a", "EUR", 5), (2, "b", "EUR", -5), (3, "c", "USD", 7)):
        state.run("save_account", row)
    state.close()
    assert {cause: one.severity for cause, one in look().items()} == {"books/USD": "critical"}


# --- through a restart -------------------------------------------------------------------------------------------------
class Machine:
    """Alerting over a real file, without a network: what is told is kept there."""

    def __init__(self, shop):
        self.shop, self.now = shop, NOW
        self.open()

    def open(self):
        self.inbox = Inbox(self.shop.data / "outcomes.db")
        house = build.open_house(self.shop.config)
        self.alerting = Alerting(house, Post(self.inbox, ways(house), None, lambda: self.now, random.Random(1)))

    def restart(self):
        self.inbox.close()
        self.open()

    def look(self, *alarms, after=0):
        """How many messages there are after this look."""
        self.now += after
        self.alerting.step(alarms, self.now)
        return len(told(InboxReader(self.shop.data / "outcomes.db"))[1])


SMTP = '\n[alerts.smtp]\nhost = "127.0.0.1"\ntls = "none"\nsender = "m@shop.example"\n'


def test_a_restart_neither_repeats_nor_forgets(shop):
    shop.config.write_text(shop.config.read_text() + SMTP)
    machine, one = Machine(shop), Alarm(cause="system/shop", owner="operations", what="shop is gone", next="wait")
    assert machine.look(one) == 0
    machine.restart()
    assert machine.look(one, after=MINUTE) == 1, "it was first seen before the restart"
    machine.restart()
    assert machine.look(one, after=HOUR) == 1
    assert machine.alerting.standing()["alerts"] == {"causes": 1, "ways": {"smtp": {"sent": 0, "waiting": 1, "failure": ""}}}
    assert machine.look(after=HOUR) == 1
    machine.restart()
    assert machine.look(after=2 * MINUTE) == 2
    newest = told(InboxReader(shop.data / "outcomes.db"))[1][0]
    assert newest.subject == "[Test] over: shop is gone" and newest.to == "ops@shop.example"


def test_whoever_cannot_be_reached_is_told_as_soon_as_there_is_a_way(shop):
    machine, one = Machine(shop), Alarm(cause="system/shop", owner="operations", what="shop is gone", next="wait")
    machine.look(one)
    assert machine.look(one, after=HOUR) == 0
    machine.shop.config.write_text(shop.config.read_text() + SMTP)
    machine.restart()
    assert machine.look(one, after=MINUTE) == 1


def test_a_store_that_cannot_be_read_is_told_and_ends_nothing(shop):
    machine, one = Machine(shop), Alarm(cause="system/shop", owner="operations", what="shop is gone", next="wait")
    machine.look(one)
    (shop.data / "state.db").write_bytes(b"no store" * 1000)
    assert {alarm.cause for alarm in machine.alerting._look(NOW)} == {"system/shop", "store"}
