"""A bit flips in a live file: it is named, or nothing that verify vouches for has changed; and it does not spread."""

import random
import shutil
from collections import Counter
from hashlib import blake2b

import pytest

from mainstay.app.doctor import _store
from mainstay.app.simulate import VARIANTS, fittings
from mainstay.flows.rebuild import COMPARED, verify
from mainstay.model.failures import Halt
from mainstay.proof.sim import run
from mainstay.proof.sim.story import play
from mainstay.storage.database import SQL, connect

SWARM = run.swarm(3, tuple(VARIANTS), "returns")
FILES = ("state.db", "inbox.db", "outcomes.db")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """The files of a shop that has worked for a quarter of an hour."""
    folder = tmp_path_factory.mktemp("store")
    assert not play(SWARM, fittings(SWARM.landscape), folder).broken
    return folder


def digest(path, *queries):
    """Of all that these queries find."""
    connection, told = connect(path, write=False, schema="state"), blake2b()
    for sql in queries:
        for row in connection.execute(sql):
            told.update(repr(row).encode())
    connection.close()
    return told.digest()


def vouched(path):
    """A digest of everything that verify compares."""
    return digest(path, *(SQL[f"compare_{table}"] for table in COMPARED))


def logged(path):
    """A digest of the log."""
    return digest(path, "SELECT seq, at, kind, entity, body FROM event ORDER BY seq")


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
    return "" if all(_store(folder / name).fine for name in FILES) else "named by the doctor"


def flips(store, folder, name, count):
    """Flip so many bits, one after the other; how each was found out."""
    dice, found = random.Random(name), Counter()
    whole, right, log = (store / name).read_bytes(), vouched(store / "state.db"), logged(store / "state.db")
    shutil.copytree(store, folder, dirs_exist_ok=True)
    for _ in range(count):
        place, bit = dice.randrange(len(whole)), dice.randrange(8)
        broken = bytearray(whole)
        broken[place] ^= 1 << bit
        (folder / name).write_bytes(broken)
        for beside in ("-wal", "-shm"):
            (folder / f"{name}{beside}").unlink(missing_ok=True)
        named = looked_at(folder, folder / "scratch.db")
        if not named and name == "state.db":
            assert vouched(folder / "state.db") == right, f"byte {place}, bit {bit}: verify vouches for what is not so"
            assert logged(folder / "state.db") == log, f"byte {place}, bit {bit}: the log says something else, and nobody says so"
        found[named or "changes nothing that verify vouches for"] += 1
    (folder / name).write_bytes(whole)
    assert looked_at(folder, folder / "scratch.db") == "", "one file's damage stays in it"
    return found


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_named_or_harmless(store, tmp_path, name):
    found = flips(store, tmp_path, name, 20)
    assert found.total() == 20


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_two_hundred_flipped_bits_are_named_or_harmless(store, tmp_path, name, capsys):
    found = flips(store, tmp_path, name, 200)
    with capsys.disabled():
        print(f"\n{name}: {dict(found)}")
    assert found.total() == 200


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_none_is_named(store, tmp_path, name):
    shutil.copytree(store, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).write_bytes(b"this is no database".ljust(8_192))
    assert looked_at(tmp_path, tmp_path / "scratch.db")
    seen = _store(tmp_path / name)
    assert not seen.fine and "mainstay restore" in seen.detail
