"""A backup is one moment of three files, whatever is written meanwhile; what is damaged or mixed is named; what is restored goes on."""

import json
import random
import shutil
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from mainstay.model.failures import Halt
from mainstay.storage import backup
from mainstay.storage.backup import MANIFEST, check, restore, take
from mainstay.storage.database import ask, connect, rows
from mainstay.storage.together import FILES
from tests.app.test_processes import Talker, identical, known
from tests.running import READY_S, Running

FLIPS = 200
RECEIVED = "SELECT max(a) FROM (SELECT max(seq) AS a FROM receipt UNION ALL SELECT max(seq) FROM seal)"


def one(folder, name, sql):
    """The one value that a query of a store file gives; 0 where there is none."""
    connection = connect(folder / name, write=False, schema="")
    found = next(iter(rows(connection, sql)), (0,))[0] or 0
    connection.close()
    return found


def of_one_moment(folder):
    """No file of a set speaks of what another does not know yet."""
    counters = {
        name: one(folder, "state.db", f"SELECT max(value) FROM counter WHERE name = '{name}'")
        for name in ("position/inbox", "position/outcomes", "intent", "handled")
    }  # fmt: skip
    for name in ("inbox", "outcomes"):
        received = one(folder, f"{name}.db", RECEIVED)
        assert counters[f"position/{name}"] <= received, f"{name}: the core has taken what is not there"
        sealed = one(folder, f"{name}.db", "SELECT max(seq) FROM seal")
        assert sealed <= counters[f"position/{name}"], f"{name}: what the core has not taken is archived already"
    assert one(folder, "outcomes.db", "SELECT max(intent) FROM attempt") <= counters["intent"], "an attempt at an intent that is not there"
    assert int(one(folder, "outcomes.db", "SELECT value FROM mark WHERE name = 'low_water'") or 0) <= counters["intent"]


@pytest.fixture
def shop_under_load(tmp_path):
    (tmp_path / "shop").mkdir()
    shop = Running(tmp_path / "shop").start()
    talkers = [Talker(shop, 10_000 * n) for n in range(1, 4)]
    for talker in talkers:
        talker.start()
    yield shop
    for talker in talkers:
        talker.enough.set()
        talker.join(30)
    shop.stop()


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """A shop under load, of which two backups were taken; it has stopped. The orders that were acknowledged before each of them."""
    shop = Running(tmp_path_factory.mktemp("shop")).start()
    talkers = [Talker(shop, 1_000 * n) for n in range(1, 4)]
    for talker in talkers:
        talker.start()
    before = {}
    for number in (1, 2):
        shop.until(lambda: sum(len(one.acknowledged) for one in talkers) > 300 * number, "nothing is acknowledged")  # noqa: B023
        acknowledged = {order for talker in talkers for order in talker.acknowledged}
        code, told, wrong = shop.cli("backup", "--to", f"backup-{number}", "--json", *(["--archive"] if number == 2 else []))
        assert code == 0, wrong
        before[json.loads(told)["folder"]] = acknowledged
    for talker in talkers:
        talker.enough.set()
        talker.join(30)
    shop.settled()
    assert shop.stop() == 0 and identical(shop)[0]
    assert [one.refused for one in talkers] == [[]] * 3, "nobody is refused because of a backup"
    return shop, {shop.folder / name: orders for name, orders in before.items()}


def test_a_backup_under_load_is_of_one_moment_and_what_is_restored_goes_on(installation):
    shop, backups = installation
    shutil.move(shop.data, shop.folder / "lost")
    for folder, acknowledged in backups.items():
        of_one_moment(folder)
        code, told, wrong = shop.cli("restore", str(folder))
        assert code == 0 and "mainstay verify" in told, wrong
        ok, said = identical(shop)
        assert ok, said
        shop.start()
        shop.settled()
        assert acknowledged <= known(shop), "what was acknowledged before the backup is in it"
        assert shop.hook(b"{}", "new")[0] in (200, 400)
        assert shop.stop() == 0 and identical(shop)[0]
        assert (shop.data / "archive").exists()
        shutil.rmtree(shop.data)
    shutil.move(shop.folder / "lost", shop.data)


def a_moment(data):
    """Until the core has handled what has not come in yet: under load that is soon, however far behind it is on a busy machine."""
    now, ends = one(data, "inbox.db", RECEIVED), time.monotonic() + READY_S
    while one(data, "state.db", "SELECT max(value) FROM counter WHERE name = 'position/inbox'") <= now:
        assert time.monotonic() < ends, "the core stands still"
        time.sleep(0.02)


@contextmanager
def nobody_waits(data):
    """A bug: readers that begin while the writers go on, a moment apart. Without that moment it is not noticed in a hundred backups."""
    with ExitStack() as stack:
        readers = {}
        for name, schema in FILES.items():
            readers[name] = connect(data / name, write=False, schema=schema)
            stack.callback(readers[name].close, True)
            readers[name].execute("BEGIN")
            ask(readers[name], "counters" if schema == "state" else "last_receipt")
            a_moment(data)
        yield readers


@contextmanager
def one_after_the_other(data):
    """A bug: each file is copied as it is when its turn comes, a moment apart. Without that moment it was noticed in two of three runs."""

    class Slowly(dict):
        def items(self):
            for one in super().items():
                yield one
                a_moment(data)

    with ExitStack() as stack:
        readers = Slowly({name: connect(data / name, write=False, schema=schema) for name, schema in FILES.items()})
        for reader in readers.values():
            stack.callback(reader.close, True)
        yield readers


@pytest.mark.parametrize("bug", [nobody_waits, one_after_the_other])
def test_a_backup_of_several_moments_is_noticed(shop_under_load, tmp_path, monkeypatch, bug):
    monkeypatch.setattr(backup, "one_moment", bug)
    with pytest.raises((Halt, AssertionError), match=r"is of another moment than the others|has taken what is not there"):
        take(shop_under_load.data, tmp_path / "backup", "1", 1)
        of_one_moment(tmp_path / "backup")


def test_a_folder_that_is_taken_is_left_alone(installation):
    shop, backups = installation
    folder = next(iter(backups))
    for words, why in (
        (("backup", "--to", str(folder)), "is not empty"), (("restore", str(folder)), "is not empty"),
        (("restore", str(shop.data)), "is no backup: it has no manifest.json"),
    ):  # fmt: skip
        code, told, wrong = shop.cli(*words)
        assert code == 2 and not told and why in wrong and wrong.count("\n") == 1, (words, wrong)


def test_secrets_are_not_in_a_backup(installation):
    _, backups = installation
    for folder in backups:
        assert not any(b"canary-" in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_set_that_is_mixed_or_not_whole_is_refused_by_name(installation, tmp_path):
    _, (first, second) = installation
    differ = [name for name in FILES if (first / name).read_bytes() != (second / name).read_bytes()]
    assert {"inbox.db", "state.db"} <= set(differ), "orders came in between; what delivery wrote may be the same"
    for name in FILES:
        mixed = tmp_path / name
        shutil.copytree(first, mixed)
        shutil.copyfile(second / name, mixed / name)
        if name in differ:
            with pytest.raises(Halt, match=f"{name} is damaged, or of another backup"):
                restore(mixed, tmp_path / "data", 1)
        (mixed / name).unlink()
        with pytest.raises(Halt, match=f"{name} is missing"):
            restore(mixed, tmp_path / "data", 1)
    assert not (tmp_path / "data").exists()


def flipped(path, dice):
    """Another bit at a place; the function that turns it back."""
    with path.open("r+b") as file:
        place = dice.randrange(path.stat().st_size)
        file.seek(place)
        old = file.read(1)
        file.seek(place)
        file.write(bytes([old[0] ^ 1 << dice.randrange(8)]))

    def back():
        with path.open("r+b") as file:
            file.seek(place)
            file.write(old)

    return back


def test_every_flipped_bit_of_a_backup_is_named(installation, tmp_path):
    _, backups = installation
    folder, dice = tmp_path / "backup", random.Random(3)
    shutil.copytree(list(backups)[-1], folder)
    for name in [*check(folder).files, MANIFEST]:
        for _ in range(FLIPS // 10):
            back = flipped(folder / name, dice)
            with pytest.raises(Halt, match=Path(name).name):
                check(folder)
            back()
    check(folder)


def test_a_damaged_store_is_not_backed_up(installation, tmp_path):
    """A copy of it would be damaged, too, and take the place of a good one."""
    shop, _ = installation
    data = tmp_path / "data"
    shutil.copytree(shop.data, data)
    with (data / "state.db").open("r+b") as file:
        file.seek(4096 * 7)
        file.write(bytes(4096 * 3))
    with pytest.raises(Halt, match=r"state\.db is damaged"):
        take(data, tmp_path / "backup", "1", 1)
