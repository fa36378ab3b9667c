"""A bit flips in a file at rest, or its end is lost: it is told which file and page it is, and nothing is made of what stands there."""

import random
import shutil
from collections import Counter
from hashlib import blake2b
from types import SimpleNamespace

import pytest

from mainstay.app.doctor import _archive, _store
from mainstay.app.simulate import VARIANTS, fittings
from mainstay.flows.rebuild import verify
from mainstay.model.failures import Halt
from mainstay.proof.sim import run
from mainstay.proof.sim.story import play
from mainstay.storage import database
from mainstay.storage.archive import Archive
from mainstay.storage.backup import take
from mainstay.storage.database import PAGE_BYTES, STORE_FAILED, connect, damage
from mainstay.storage.inbox import Inbox, InboxReader
from mainstay.storage.receipts import between
from mainstay.storage.state import State
from mainstay.storage.together import FILES, refuse_apart

SWARM = run.swarm(6, tuple(VARIANTS), "flash sale")
PLACES = (*FILES, "archive/inbox-000001.seg")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The files of a shop that has worked for a quarter of an hour, with some of its messages in the archive."""
    folder = tmp_path_factory.mktemp("store")
    assert not play(SWARM, fittings(SWARM.landscape), folder).broken
    state, inbox = State(folder / "state.db", write=False), Inbox(folder / "inbox.db")
    batches = state.rows("handled_from", (0, "inbox", 1_000))
    assert len(batches) > 40, "it was a busy day"
    inbox.add([], [("archived", str(batches[len(batches) // 2][0]))])  # the first half stays where it is
    Archive(folder, inbox, "inbox").step(state, all_of_it=True)
    state.close()
    inbox.close()
    assert all((folder / name).stat().st_size for name in PLACES)
    return folder


def looked_at(folder, scratch):
    """Whether verify, or else the doctor, names what is wrong with a folder."""
    scratch.unlink(missing_ok=True)
    try:
        verdict = verify(folder / "state.db", scratch, fittings(SWARM.landscape).shop)
    except Halt:
        return "named by its version"
    if not verdict.identical:
        assert verdict.differences[0]
        return "named by verify"
    return "" if all(_store(folder / name).fine for name in FILES) and _archive(folder).fine else "named by the doctor"


def everything(folder):
    """A digest of each message that is kept, and of every row beside them."""
    told = blake2b(repr(list(between(folder, 0, 1 << 62))).encode())
    for name, schema in FILES.items():
        connection = connect(folder / name, write=False, schema=schema)
        for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall():
            told.update(repr(connection.execute(f"SELECT * FROM {table}").fetchall()).encode())
        connection.close()
    return told.digest()


def flips(store, folder, name, count):
    """Flip so many bits, one after the other; how each was found out. What nobody noticed stands where nothing is."""
    dice, found = random.Random(name), Counter()
    whole, right = (store / name).read_bytes(), everything(store)
    shutil.copytree(store, folder, dirs_exist_ok=True)
    for _ in range(count):
        place, bit = dice.randrange(len(whole)), dice.randrange(8)
        broken = bytearray(whole)
        broken[place] ^= 1 << bit
        (folder / name).write_bytes(broken)
        for beside in ("-wal", "-shm"):
            (folder / f"{name}{beside}").unlink(missing_ok=True)
        named = looked_at(folder, folder / "scratch.db")
        found[named or ("where nothing is" if everything(folder) == right else "not noticed")] += 1
    (folder / name).write_bytes(whole)
    assert looked_at(folder, folder / "scratch.db") == "", "one file's damage stays in it"
    return found


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_off_is_named(store, tmp_path, name):
    shutil.copytree(store, tmp_path, dirs_exist_ok=True)
    whole, dice = (store / name).read_bytes(), random.Random(name)
    for _ in range(8):
        (tmp_path / name).write_bytes(whole[: dice.randrange(1, len(whole))])
        assert looked_at(tmp_path, tmp_path / "scratch.db")


@pytest.mark.parametrize("name", FILES)
def test_pages_in_each_others_place_are_named(store, tmp_path, name):
    """Each bears the checksum of its bytes, which says nothing of where it stands: what stands in it does."""
    shutil.copytree(store, tmp_path, dirs_exist_ok=True)
    whole, dice, size = (store / name).read_bytes(), random.Random(name), PAGE_BYTES[FILES[name]]
    pages = [whole[at : at + size] for at in range(0, len(whole), size)]
    right = everything(store)
    for _ in range(8):
        one, other = dice.sample(range(len(pages)), 2)
        moved = list(pages)
        moved[one], moved[other] = pages[other], pages[one]
        (tmp_path / name).write_bytes(b"".join(moved))
        assert looked_at(tmp_path, tmp_path / "scratch.db") or everything(tmp_path) == right, (one, other)


@pytest.mark.parametrize("name", PLACES)
def test_a_flipped_bit_is_named(store, tmp_path, name):
    assert not flips(store, tmp_path, name, 20)["not noticed"]


@pytest.mark.slow
def test_two_hundred_flipped_bits_of_each_file_are_named(store, tmp_path, figure):
    found = {name: flips(store, tmp_path, name, 200) for name in PLACES}
    assert not [name for name, how in found.items() if how["not noticed"]]
    named = sum(how.total() - how["where nothing is"] for how in found.values())
    figure(
        "flipped bits",
        f"{200 * len(found)} in {len(found)} files: {named} named, the rest where nothing is",
        "pytest tests/crash/test_damage.py -m slow",
    )


def test_without_checksums_a_flipped_bit_of_a_message_would_not_be_noticed(tmp_path, monkeypatch):
    (tmp_path / "store").mkdir()
    monkeypatch.setattr(database, "_make_room", lambda connection: None)
    play(SWARM, fittings(SWARM.landscape), tmp_path / "store")
    assert flips(tmp_path / "store", tmp_path / "copy", "inbox.db", 20)["not noticed"]


def test_a_damaged_page_is_not_read_and_is_said_by_name(store, tmp_path, monkeypatch):
    """By the page of its file, wherever it is read; and what can still be read goes on."""
    heard: list[str] = []
    monkeypatch.setattr(database, "log", SimpleNamespace(error=lambda _event, why: heard.append(why)))
    shutil.copytree(store, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "inbox.db"
    reader, damaged = InboxReader(path), bytearray(path.read_bytes())
    place = damaged.index(reader.after(0, 1)[0].body)
    reader.close()
    page = place - place % PAGE_BYTES["inbox"]
    damaged[place] ^= 1
    path.write_bytes(damaged)
    reader = InboxReader(path)
    with pytest.raises(STORE_FAILED) as failed:
        reader.after(0, 1_000_000)
    assert damage(failed.value) == f"{path}: the page at byte {page} is not what was written" == heard[0]
    assert reader.mark("no such") == ""
    with pytest.raises((Halt, *STORE_FAILED)):
        take(tmp_path, tmp_path / "backup", "1", 1)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_none_is_named(store, tmp_path, name):
    shutil.copytree(store, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).write_bytes(b"this is no database".ljust(8_192))
    assert looked_at(tmp_path, tmp_path / "scratch.db")
    seen = _store(tmp_path / name)
    assert not seen.fine and "mainstay restore" in seen.detail


# --- the end of a file -------------------------------------------------------------------------------------------------
COMMITS = 30  # in the log when everything is killed, before anything of it has moved into the file


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """An inbox whose process was killed: its file, and beside it a log with all its commits."""
    folder, dice = tmp_path_factory.mktemp("killed"), random.Random(1)
    inbox = Inbox(folder / "inbox.db")
    for number in range(COMMITS):
        inbox.add([(number, "shop", "orders/create", f"{number}", dice.randbytes(3_000))])
    found = {beside: (folder / f"inbox.db{beside}").read_bytes() for beside in ("", "-wal")}
    inbox.close()
    return found


def opened(folder, killed, log):
    """How the inbox is found when it is opened again: with so many messages, or refused."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for beside, content in {**killed, "-wal": log}.items():
        (folder / f"inbox.db{beside}").write_bytes(content)
    try:
        inbox = Inbox(folder / "inbox.db")
    except Halt as refused:
        assert "inbox.db-wal: a commit that stands behind byte" in refused.why and "mainstay restore" in refused.why
        assert not _store(folder / "inbox.db").fine, "the doctor says so, too"
        return "named"
    inbox.close()
    return inbox.last


def flipped_logs(folder, killed, count):
    found, dice = Counter(), random.Random(count)
    for _ in range(count):
        log = bytearray(killed["-wal"])
        log[dice.randrange(len(log))] ^= 1 << dice.randrange(8)
        found[opened(folder, killed, log)] += 1
    return found


def test_a_bit_that_flips_in_the_log_takes_no_later_commit_along_silently(killed, tmp_path):
    """But in the last commit or right before it: that one looks as if the power had gone in its middle."""
    found = flipped_logs(tmp_path / "copy", killed, 150)
    assert found["named"] >= 120 and set(found) <= {"named", COMMITS - 1, COMMITS}, found


def test_without_a_look_at_the_end_of_the_log_commits_would_be_gone(killed, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "lost_from", lambda *_: 0)
    found = flipped_logs(tmp_path / "copy", killed, 20)
    assert sum(how for last, how in found.items() if last < COMMITS - 1) > 10


def test_a_log_that_breaks_off_in_its_last_commit_is_what_a_power_cut_leaves(killed, tmp_path):
    log = killed["-wal"]
    assert opened(tmp_path / "copy", killed, log) == COMMITS
    assert opened(tmp_path / "copy", killed, log[:-100]) == COMMITS - 1


BEHIND = {  # what a file lacks, and how it is said
    "inbox.db": ("DELETE FROM seal WHERE seq = (SELECT max(seq) FROM seal)", "inbox.db ends with message"),
    "outcomes.db": ("DELETE FROM receipt", "outcomes.db ends with message 0, and state.db has handled"),
    **{
        f"state.db {what}": (f"UPDATE counter SET value = value - 1 WHERE name = '{what}'", f"state.db ends with {what}")
        for what in ("intent", "level_change", "price_change", "handled")
    },
}


@pytest.mark.parametrize("which", BEHIND)
def test_a_file_that_has_lost_its_end_is_named_and_nobody_works_on(store, tmp_path, which):
    """What came in under a number that was given out before would be taken for handled."""
    name, (harm, said) = which.partition(" ")[0], BEHIND[which]
    shutil.copytree(store, tmp_path, dirs_exist_ok=True)
    refuse_apart(tmp_path)
    damaged = connect(tmp_path / name, write=True, schema=FILES[name])
    damaged.execute(harm)
    damaged.close()
    with pytest.raises(Halt, match=said):
        refuse_apart(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_gone_is_not_begun_anew_beside_the_others(store, tmp_path, name):
    shutil.copytree(store, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).unlink()
    with pytest.raises(Halt, match="is of another moment than the others"):
        refuse_apart(tmp_path)
