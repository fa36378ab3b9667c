"""The three processes of one machine: stopped, killed and started again while a shop talks to them. What was acknowledged is there."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mainstay.app.up import RESTART_S_MAX, Role, Watch
from mainstay.model.failures import Halt
from mainstay.storage import database
from mainstay.storage.database import connect, rows
from mainstay.storage.inbox import Inbox
from mainstay.storage.packing import unpack
from mainstay.storage.state import State
from mainstay.storage.together import FILES
from tests.running import Running, an_order


@pytest.fixture
def shop(tmp_path):
    shop = Running(tmp_path).start()
    yield shop
    if shop.up is not None and shop.up.poll() is None:
        shop.stop()


LOCKS = {"mainstay-data.lock", *(f"{name}.lock" for name in FILES)}


def known(shop) -> set[str]:
    """The orders of the store, by their external ids."""
    state = connect(shop.data / "state.db", write=False, schema="state")
    found = {json.loads(unpack(body))["external"] for (body,) in rows(state, "SELECT body FROM orders")}
    state.close()
    return found


def identical(shop) -> bool:
    code, told, wrong = shop.cli("verify", "--json")
    return code == 0 and json.loads(told)["identical"], told + wrong


def alive(process: int) -> bool:
    """Does it run? What has ended and only waits for its parent to notice does not."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=False).stdout.strip()
    return bool(found) and not found.startswith("Z")


class Talker(threading.Thread):
    """A shop that sends one order after the other, each again until it is acknowledged, as Shopify does."""

    def __init__(self, shop: Running, first: int) -> None:
        super().__init__(daemon=True)
        self.shop, self.number = shop, first
        self.acknowledged: list[str] = []
        self.refused: list[tuple[int, bytes]] = []
        self.enough = threading.Event()

    def run(self) -> None:
        while not self.enough.is_set():
            status, answer = self.shop.hook(an_order(self.number, name=f"#{self.number}"), f"e{self.number}")
            if status == 200:
                self.acknowledged.append(str(self.number))
                self.number += 1
            elif status:
                self.refused.append((status, answer))


def test_stopped_and_started_again_it_goes_on(shop):
    assert shop.hook(an_order(7), "e7") == (200, b"ok")
    assert shop.stop() == 0, "a stop that was asked for is no failure"
    assert shop.call("GET", "/health")[0] == 0
    assert known(shop) == {"7"} and identical(shop)[0]
    shop.start()
    assert shop.hook(an_order(7), "e7") == (200, b"ok"), "the sender may repeat itself"
    assert shop.hook(an_order(8), "e8") == (200, b"ok")
    shop.settled()
    assert shop.stop() == 0
    assert known(shop) == {"7", "8"} and identical(shop)[0]


def test_a_stop_drains_what_has_arrived(shop):
    talkers = [Talker(shop, 1_000 * n) for n in range(1, 5)]
    for one in talkers:
        one.start()
    shop.until(lambda: sum(len(one.acknowledged) for one in talkers) > 200, "nothing is acknowledged")
    assert shop.stop() == 0
    for one in talkers:
        one.enough.set()
        one.join(10)
    assert {number for one in talkers for number in one.acknowledged} <= known(shop), "after a stop, acknowledged means handled"
    assert identical(shop)[0]


@pytest.mark.parametrize("role", ["edge", "core", "dispatch"])
def test_who_stands_still_for_long_is_ended_and_started_again(tmp_path, monkeypatch, role):
    """Here after three looks; and not while the supervisor stands still with it."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif 'up' in sys.orig_argv:\n    from mainstay.app import up\n    up.SILENT_S_MAX = 3\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "shop").mkdir()
    shop = Running(tmp_path / "shop").start()
    old = shop.role(role)
    for process in (shop.up.pid, old):
        os.kill(process, signal.SIGSTOP)
    time.sleep(5)
    for process in (old, shop.up.pid):
        os.kill(process, signal.SIGCONT)
    time.sleep(2)
    assert shop.role(role) == old, "the machine slept, and nobody is to blame"
    os.kill(old, signal.SIGSTOP)
    shop.until(lambda: shop.role(role) not in (None, old), "nobody ended it")
    assert "process_stands_still" in shop.log() and shop.log().count("process_died") == 1
    shop.until(lambda: shop.call("GET", "/ready")[0] == 200, "it is not ready again")
    assert shop.stop() == 0 and identical(shop)[0]


@pytest.mark.parametrize("role", ["edge", "core", "dispatch"])
def test_killed_while_it_works_it_is_started_again_and_nothing_is_lost(shop, role):
    talkers = [Talker(shop, 1_000 * n) for n in range(1, 4)]
    for one in talkers:
        one.start()
    for kills in (1, 2):
        shop.until(lambda: sum(len(one.acknowledged) for one in talkers) > 60 * kills, "nothing is acknowledged")  # noqa: B023
        shop.kill(role)
    shop.until(lambda: sum(len(one.acknowledged) for one in talkers) > 250, "it did not come back")
    for one in talkers:
        one.enough.set()
        one.join(30)
    shop.settled()
    acknowledged = {number for one in talkers for number in one.acknowledged}
    assert acknowledged <= known(shop), "a 200 means that it is there"
    assert [one.refused for one in talkers] == [[], [], []]
    shop.until(lambda: shop.call("GET", "/ready")[0] == 200, "it is not ready again")
    assert shop.stop() == 0
    assert identical(shop)[0]


def test_when_the_supervisor_is_killed_its_processes_stop_by_themselves(shop):
    """Within about a second, and by their drain: another `mainstay up` takes over at once, and nothing is lost."""
    talker = Talker(shop, 1_000)
    talker.start()
    shop.until(lambda: len(talker.acknowledged) > 60, "nothing is acknowledged")
    children = [role for name in ("edge", "core", "dispatch") if (role := shop.role(name))]
    assert len(children) == 3
    shop.up.kill()
    shop.up.wait()
    shop.until(lambda: not any(alive(child) for child in children), "they still run", within_s=3)
    assert shop.log().count("supervisor_gone") == 3
    shop.start()
    talker.enough.set()
    talker.join(30)
    shop.settled()
    assert set(talker.acknowledged) <= known(shop) and identical(shop)[0]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_has_nothing_open_that_is_another_s(shop):
    """They are forked: what the supervisor holds would be theirs, too, and its lock would outlive it."""
    assert {Path(name).name for name in shop.held(shop.up.pid)} & LOCKS == {"mainstay-data.lock"}
    listened_at = []
    for name, own in (("core", "state.db"), ("edge", "inbox.db"), ("dispatch", "outcomes.db")):
        shop.kill(name)
        process = shop.role(name)

        def its_own(process=process, own=own):
            return {Path(one).name for one in shop.held(process, writable=True)} & {*LOCKS, *FILES} == {own, f"{own}.lock"}

        shop.until(its_own, f"{name} does not hold its own alone")  # it looks at others while it starts
        listened_at.append({one for one in shop.held(process) if one.startswith("pipe:")} - {*shop.held(process, writable=True)})
    assert len(set.intersection(*listened_at)) == 1, "their common lifeline, of which the supervisor alone has the other end"


def test_a_second_process_on_the_same_file_is_refused(shop):
    """And the first one goes on."""
    for name, writer in (("state", State), ("inbox", Inbox), ("outcomes", Inbox)):
        with pytest.raises(Halt, match="is being written by another process"):
            writer(shop.data / f"{name}.db")
    assert shop.hook(an_order(7), "e7")[0] == 200
    shop.settled()
    assert known(shop) == {"7"}


def test_a_second_up_says_so_and_the_first_goes_on(shop):
    code, told, wrong = shop.cli("up", "--config", str(shop.config))
    assert code == 2 and not told and "is being written by another process; stop it first" in wrong
    assert wrong.count("\n") == 1, "one sentence, no traceback"
    assert shop.hook(an_order(7), "e7")[0] == 200
    shop.settled()
    assert known(shop) == {"7"}


def test_a_port_that_is_taken_is_named(tmp_path):
    shop = Running(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", shop.port))
        other.listen()
        code, _, wrong = shop.cli("up", "--config", str(shop.config))
    assert code == 2 and f"127.0.0.1:{shop.port}" in wrong and "`port` in [server]" in wrong and wrong.count("\n") == 1


def test_a_store_of_a_newer_version_is_neither_written_nor_read(shop):
    assert shop.stop() == 0
    state = connect(shop.data / "state.db", write=True, schema="state")
    state.pragma("user_version", 99)
    state.close()
    for verb in ("up", "status", "verify"):
        code, told, wrong = shop.cli(verb, "--config", str(shop.config))
        assert code == 2 and not told and "state.db was written by a newer Mainstay (schema 99" in wrong, verb
        assert wrong.count("\n") == 1, verb
    code, told, _ = shop.cli("doctor", "--json")
    bad = {one["what"]: one["detail"] for one in json.loads(told) if not one["fine"]}
    assert code == 1 and set(bad) == {"state.db"} and "newer Mainstay" in bad["state.db"]


OLDER = """
from mainstay.storage import database

database.SCHEMA_VERSION -= 1
"""  # as far as the store can tell: a Mainstay that knows one step less


def as_an_older_one(shop, verb, *more):
    """A command of it, as a user types it who has gone back."""
    (shop.folder / "older").mkdir(exist_ok=True)
    (shop.folder / "older" / "sitecustomize.py").write_text(OLDER)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(shop.folder / "older"), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "mainstay.app.cli", verb, *more, "--config", str(shop.config)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("left", ["stopped", "killed"])
def test_who_goes_back_to_an_older_version_is_refused_and_finds_all_as_it_was_when_they_return(shop, left):
    """What a kill leaves in the write-ahead log stays there, too."""
    for number in range(1, 30):
        assert shop.hook(an_order(number), f"e{number}")[0] == 200
    if left == "stopped":
        shop.stop()
    else:
        processes = [shop.up.pid, *(shop.role(name) for name in ("edge", "core", "dispatch"))]
        for process in processes:
            os.kill(process, signal.SIGKILL)
        shop.up.wait()
        shop.until(lambda: not any(map(alive, processes)), "they still run")

    def kept():
        files = (path for path in shop.data.rglob("*") if path.is_file() and not path.name.endswith(("-shm", ".lock")))
        return {str(path): held for path in files if (held := path.read_bytes())}  # who reads makes an empty log beside a file

    before = kept()
    assert left == "stopped" or any(name.endswith("-wal") for name in before)
    for verb, *more in (["up"], ["status"], ["verify"], ["doctor"], ["backup", "--to", str(shop.folder / "backup")]):
        done = as_an_older_one(shop, verb, *more)
        assert done.returncode in (1, 2) and "was written by a newer Mainstay" in done.stdout + done.stderr, (verb, done)
        assert "Traceback" not in done.stderr and kept() == before, verb
    shop.start()
    shop.settled()
    assert known(shop) == {str(number) for number in range(1, 30)} and shop.hook(an_order(30), "e30")[0] == 200
    assert shop.stop() == 0 and identical(shop)[0]


def test_a_store_of_an_earlier_version_is_brought_up_to_date(tmp_path, monkeypatch):
    """By all that `up` starts: nobody meets the older file."""
    shop = Running(tmp_path)
    shop.data.mkdir(mode=0o700)
    with monkeypatch.context() as before:
        before.setattr(database, "_make_room", lambda connection: None)
        before.setattr(database, "SCHEMA_VERSION", 4)
        for name, schema in FILES.items():
            connect(shop.data / name, write=True, schema=schema).close()
    shop.start()
    assert shop.hook(an_order(7), "e7")[0] == 200
    shop.settled()
    assert known(shop) == {"7"}
    assert shop.stop() == 0
    for name in FILES:
        whole = connect(shop.data / name, write=False, schema="")
        assert whole.pragma("user_version") == database.SCHEMA_VERSION and whole.reserve_bytes() == database.SUM_BYTES, name


def test_a_process_that_cannot_start_is_not_started_again(tmp_path):
    """It has said why; whoever looks after it hears how it ended."""
    shop = Running(tmp_path)
    shop.data.mkdir()
    script = f"""
import os, time
from pathlib import Path
from mainstay.app.build import open_house
from mainstay.app.up import Cannot, Role
from mainstay.storage.state import State

state = State(Path({str(shop.data / "state.db")!r}))
role = Role("core", open_house(Path({str(shop.config)!r})), os.pipe()[0], lambda: None)
try:
    for _ in range(300):
        role.watch()
        time.sleep(0.1)
except Cannot:
    print("cannot")
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout == "cannot\n" and done.stderr.count("is being written by another process") == 1 and "Traceback" not in done.stderr


def test_a_process_for_which_there_is_no_room_is_started_later(tmp_path, monkeypatch):
    """And however often it failed, the supervisor goes on: 2 to the power of 1,024 is no number of seconds."""
    role = Role("core", None, -1, lambda: None)
    monkeypatch.setattr(os, "fork", lambda: (_ for _ in ()).throw(BlockingIOError(errno.EAGAIN, "no more processes")))
    open_before = len(os.listdir("/dev/fd"))
    for role.failures in (0, 5_000):
        began, role.next_at = time.monotonic(), 0.0
        role.watch()
        assert role.process is None and began < role.next_at <= began + RESTART_S_MAX + 1
    role.stop()
    assert role.failures == 5_001 and len(os.listdir("/dev/fd")) == open_before


def test_it_says_where_it_is_ready_and_which_system_has_gone(shop):
    shop.until(lambda: f"ready on http://127.0.0.1:{shop.port}, between shop (shopify)" in shop.log(), "it does not greet")
    shop.until(lambda: "cannot be worked with" in shop.log(), "nobody listens where the shop's systems are, and it does not say so")


def test_it_tells_programs_when_it_is_ready_and_when_it_has_stopped(tmp_path):
    shop = Running(tmp_path)
    command = [sys.executable, "-m", "mainstay.app.cli", "up", "--json", "--config", str(shop.config)]
    with (tmp_path / "mainstay.log").open("ab") as log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as up:
        ready = json.loads(up.stdout.readline())
        assert ready["event"] == "ready" and ready["url"] == f"http://127.0.0.1:{shop.port}" and ready["pids"]["up"] == up.pid
        assert set(ready["pids"]) == {"up", "core", "dispatch", "edge"} and all(map(alive, ready["pids"].values()))
        assert ready["systems"]["till"] == "api" and ready["hooks"]["shop"] == f"{ready['url']}/hooks/shop"
        assert shop.call("GET", "/health")[0] == 200
        up.send_signal(signal.SIGTERM)
        *others, last = map(json.loads, up.stdout)
        assert up.wait(30) == 0
    assert last == {"event": "stopped"} and all(one["event"] in ("gone", "back") for one in others)


def test_a_system_that_goes_and_comes_back_is_said_once_each(tmp_path):
    said, told = [], []
    watch = Watch(tmp_path, lambda text, event: (said.append(text), told.append(event)))
    up, down = {"breaker": "closed", "reason": ""}, {"breaker": "open", "reason": "orders: no route"}
    for shop in (up, down, down, up, up):
        watch.compare({"shop": shop, "till": up})
    assert said == ["shop cannot be worked with, its messages are kept: orders: no route", "shop is back"]
    assert told == [{"event": "gone", "system": "shop", "reason": "orders: no route"}, {"event": "back", "system": "shop"}]


def test_people_act_on_letters_orders_and_persons_from_the_command_line(shop):
    shop.hook(b"broken", "bad-1")
    shop.hook(b"broken too", "bad-2")
    shop.hook(an_order(7, total_price="1.00", email="ada@example.com"), "e7")
    first, second = shop.letter("bad-1")["id"], shop.letter("bad-2")["id"]
    shop.settled()
    code, _, wrong = shop.cli("deadletters", "retry", str(first), "--by", "ann")
    assert code and "json_syntax" in wrong and "the letter stays open" in wrong
    code, told, _ = shop.cli("deadletters", "suppress", str(second), "--reason", "a test", "--by", "ann")
    assert code == 0 and told == f"dead letter {second}: suppressed\n"
    code, _, wrong = shop.cli("deadletters", "retry", "999")
    assert code == 2 and "deadletters/999: no open dead letter has this id; `mainstay deadletters list` shows" in wrong
    code, told, wrong = shop.cli("deadletters", "suppress", str(second), "--reason", "again", "--json")
    assert code == 2 and not told and json.loads(wrong)["code"] == "not_found"
    code, told, _ = shop.cli("free", "ord.shop.7", "--by", "ann")
    assert code == 0 and told == "ord.shop.7 is placed; no longer held for totals_mismatch\n"
    code, _, wrong = shop.cli("free", "ord.shop.7")
    assert code == 2 and "ord.shop.7: nothing holds this order; `mainstay order` shows" in wrong
    for verb, why in (("free", "no order has this id"), ("erase", "no personal data is kept under this id or address")):
        code, told, wrong = shop.cli(verb, "ord.shop.999", "--json")
        assert code == 2 and not told and f"ord.shop.999: {why}; " in json.loads(wrong)["detail"], verb
    code, told, _ = shop.cli("erase", "ord.shop.7", "--by", "ann", "--json")
    assert code == 0 and json.loads(told)["status"] == "erased"
    everything = [path for path in shop.data.rglob("*") if path.is_file()]
    shop.until(
        lambda: not any(b"ada@example.com" in path.read_bytes() for path in everything if path.exists()), "her address is still there"
    )
    assert shop.stop() == 0 and identical(shop)[0]


def test_people_count_the_shelf_where_nobody_else_does(shop):
    table = shop.folder / "stock.csv"
    table.write_text("sku,units,location\nB-1,7,\nB-2,0,north\n")
    code, told, _ = shop.cli("count", "A-1=5", "--file", str(table))
    assert code == 0 and told == "3 of 3 counts taken\n"
    for sku, units in (("A-1", 5), ("B-1", 7), ("B-2", 0)):
        found = json.loads(shop.cli("stock", sku, "--json")[1])
        assert sum(level["on_hand"] for level in found["levels"]) == units, found
    for content, words, why in (
        ("", (), "the columns are missing; write sku,units"), ("sku;units\nA;1\n", (), "the columns are sku;units; write sku,units"),
        ("sku,units\nA-1,five\n", (), f"{table}:2: 'five' is no number of units"), ("sku,units\n", (), "say what was counted"),
        ("sku,units\n", ("A-1=-3",), "'A-1=-3' says no number of units"),
    ):  # fmt: skip
        table.write_text(content)
        code, told, wrong = shop.cli("count", *words, "--file", str(table))
        assert code != 0 and not told and why in wrong, (content, words, wrong)


def test_what_runs_loads_only_what_it_needs():
    """How soon it is back after a power cut hangs on that; rich alone would take a third of it."""
    script = "import mainstay.app.cli, mainstay.app.up, sys; print({'rich', 'mainstay.proof', 'mainstay.twins'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout == "set()\n"


def test_a_demo_that_is_told_to_stop_leaves_nothing_behind(tmp_path):
    """As a service manager or a CI job does."""
    command = [sys.executable, "-m", "mainstay.app.cli", "demo", "--orders", "300", "--headless"]
    demo = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    ends = time.monotonic() + 60
    while not list(tmp_path.glob("mainstay-demo-*/mainstay-data/state.db")) and time.monotonic() < ends:
        time.sleep(0.05)
    demo.send_signal(signal.SIGTERM)
    _, wrong = demo.communicate(timeout=60)
    assert demo.returncode == 128 + signal.SIGTERM and b"Traceback" not in wrong, wrong
    assert list(tmp_path.iterdir()) == []
    left = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True, check=False).stdout
    assert left == "", "no process of it runs on"
