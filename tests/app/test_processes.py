"""The three processes of one machine: stopped, killed and started again while a shop talks to them. What was acknowledged is there."""

import json
import subprocess
import threading

import pytest

from mainstay.storage.database import connect, rows
from mainstay.storage.packing import unpack
from tests.running import Running, an_order


@pytest.fixture
def shop(tmp_path):
    shop = Running(tmp_path).start()
    yield shop
    if shop.up is not None and shop.up.poll() is None:
        shop.stop()


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


def test_a_second_process_on_the_same_file_is_refused(shop):
    """And the first one goes on."""
    code, _, wrong = shop.cli("role", "core", "--config", str(shop.config))
    assert code == 2 and "is being written by another process" in wrong
    assert shop.hook(an_order(7), "e7")[0] == 200
    shop.settled()
    assert known(shop) == {"7"}


def test_people_act_on_letters_orders_and_persons_from_the_command_line(shop):
    shop.hook(b"broken", "bad-1")
    shop.hook(b"broken too", "bad-2")
    shop.hook(an_order(7, total_price="1.00", email="ada@example.com"), "e7")
    first, second = shop.letter("bad-1")["id"], shop.letter("bad-2")["id"]
    shop.settled()
    code, told, _ = shop.cli("deadletters", "retry", str(first), "--by", "ann")
    assert code == 0 and "parked again" in json.loads(told)["detail"]
    code, told, _ = shop.cli("deadletters", "suppress", str(second), "--reason", "a test", "--by", "ann")
    assert code == 0 and json.loads(told)["status"] == "suppress"
    code, told, _ = shop.cli("free", "ord.shop.7", "--by", "ann")
    assert code == 0 and "totals_mismatch" in told
    code, told, _ = shop.cli("erase", "ord.shop.7", "--by", "ann")
    assert code == 0 and "erased" in told
    everything = [path for path in shop.data.rglob("*") if path.is_file()]
    shop.until(
        lambda: not any(b"ada@example.com" in path.read_bytes() for path in everything if path.exists()), "her address is still there"
    )
    assert shop.stop() == 0 and identical(shop)[0]
