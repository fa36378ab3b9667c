"""The n-th operation of the disk fails, for every n of a small history: nothing half done, nothing acknowledged lost, and work goes on."""

import os
import random
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path

import apsw
import pytest

from mainstay.app.simulate import fittings
from mainstay.proof.disk import Disk, Fault
from mainstay.proof.sim import run
from mainstay.proof.sim.acts import Act, Swarm
from mainstay.proof.sim.story import play
from mainstay.proof.sim.trouble import Failing
from mainstay.storage.database import STORE_FAILED
from mainstay.storage.inbox import Inbox
from mainstay.storage.state import Batch, State
from tests.crash.effects import effects, unlike

READ_EVERY = 8  # operations after whose failure what people are shown is compared, too
COMPARED = 0.7  # of the failures, that all effects are compared after
ALWAYS = 1 << 30  # until it is repaired
KINDS = {  # how it fails
    "once, as SQLITE_IOERR": partial(Fault, error=apsw.IOError),
    "once, as SQLITE_FULL, in the middle of a write": partial(Fault, error=apsw.FullError, torn=True),
    "as SQLITE_FULL, for a minute": partial(Fault, error=apsw.FullError, times=ALWAYS),
    "as SQLITE_IOERR, for a minute": partial(Fault, error=apsw.IOError, times=ALWAYS),
}
ACTS = (
    Act(1, "shop buys", 3), Act(2, "webshop buys", 5), Act(3, "till sells", 2), Act(4, "warehouse packs", 3), Act(5, "count", 4),
    Act(6, "goods come back", 5), Act(7, "goodwill", 5),  # soon after each other: what is polled meanwhile writes the same again and again
)  # fmt: skip
EVERYBODY = sorted(act.kind for act in ACTS)
SMALL = Swarm(1, "as in the demo", {twin: {} for twin in run.TWINS}, {"SKU-0": 5, "SKU-1": 4}, 16, ACTS)


def played(fault):
    """The small history on a disk with a fault, in which the power goes at the end; how many operations there were, and what was done to
    the outside systems."""
    troubles = []

    def failing(*of):
        troubles.append(Failing(fault, *of))
        return troubles[0]

    with tempfile.TemporaryDirectory(dir=run.memory()) as folder, Disk(Path(folder), random.Random(fault.at)) as disk:
        ending = play(
            SMALL, fittings(SMALL.landscape), Path(folder), prove=True, read=fault.at % READ_EVERY == 0, disk=disk, trouble=failing
        )
        return ending, disk.failed, troubles[0].operations, effects(troubles[0].machine.wires.twins)


@cache
def calm():
    """How many operations there are while people act, without a fault; and what is done to the outside systems."""
    ending, _, every, done = played(Fault(ALWAYS, apsw.IOError))
    assert not ending.broken and sorted(ending.played) == EVERYBODY
    return every, done


def broken(points):
    """Which faults broke something, how many there really were, and after how many what was done to the outside systems was compared: where
    a till gave up, or what people wait for came too late for them, they did something else."""
    run.silence()
    found, failed, compared = [], 0, 0
    for n, kind in points:
        ending, shown, _, done = played(KINDS[kind](n))
        failed += shown > 0
        same = sorted(ending.played) == EVERYBODY
        compared += same
        if why := ending.broken or (same and unlike(calm()[1], done)):
            found.append(f"operation {n} fails {kind}: {why}")
    return found, failed, compared


def test_operations_that_fail_here_and_there_break_nothing():
    points = [(n, list(KINDS)[number % len(KINDS)]) for number, n in enumerate(range(1, calm()[0], 23))]
    found, failed, compared = broken(points)
    assert found == [] and failed == len(points) and compared >= len(points) * COMPARED


def test_a_door_that_answers_though_the_disk_failed_is_noticed(monkeypatch):
    right = Inbox.add

    def add(self, new, *more):
        try:
            return right(self, new, *more)
        except STORE_FAILED:
            return self.last + len(new)

    monkeypatch.setattr(Inbox, "add", add)
    found, failed, _ = broken((n, next(iter(KINDS))) for n in range(1, calm()[0], 23))
    assert found and failed


@pytest.mark.slow
def test_every_operation_may_fail(kills_under_way, figure):
    """Each in one of the ways to fail, by turns; or, in four times as long, in every way. On two processes."""
    every = bool(os.environ.get("EVERY_WAY"))
    points = [(n, kind) for n in range(1, calm()[0]) for turn, kind in enumerate(KINDS) if every or turn == n % len(KINDS)]
    chunks = [points[start::16] for start in range(16)]
    with ProcessPoolExecutor(2, initializer=os.nice, initargs=(10,)) as pool:  # who is killed beside it goes first
        results = list(pool.map(broken, chunks))
    failed, compared = (sum(result[number] for result in results) for number in (1, 2))
    assert [one for found, *_ in results for one in found] == [] and failed == len(points) and compared >= len(points) * COMPARED
    tried = f"{len(points)}, each operation of a history {f'in {len(KINDS)} ways' if every else f'once, in {len(KINDS)} ways by turns'}"
    told = f"{tried}; nothing torn, nothing acknowledged lost; after {compared} of them all effects are compared, and as without"
    figure("I/O errors", told, f"{'EVERY_WAY=1 ' if every else ''}pytest tests/crash/test_io_errors.py -m slow")


def test_a_commit_that_fails_says_why_it_failed(tmp_path):
    """SQLite has rolled back by itself; that there is nothing left to roll back is no message's fault."""
    with Disk(tmp_path, random.Random(1)) as disk:
        state = State(tmp_path / "state.db")
        for error in (apsw.FullError, apsw.IOError):
            disk.fault, disk.failed = Fault(disk.operations + 1, error), 0
            batch = Batch()
            batch.counters = {"position/inbox": 7}
            with pytest.raises(error):
                state.write(batch)
            assert "position/inbox" not in state.counters()
        disk.fault = None
        state.write(batch)
        assert state.counters()["position/inbox"] == 7
        state.close()


def test_what_a_failed_sync_left_behind_is_written_anew(tmp_path):
    """Linux forgets pages that it could not write: a later sync says nothing of them. Found again by a restart, they must be safe."""
    with Disk(tmp_path, random.Random(2)) as disk:
        state, batch = State(tmp_path / "state.db"), Batch()
        batch.counters = {"event": 1}
        state.write(batch)
        began = disk.operations
        state.write(batch)
        syncs = disk.operations - began  # the last operation of a commit is its sync
        disk.fault = Fault(disk.operations + syncs, apsw.FullError, times=ALWAYS)  # and so does what closing would mend
        batch.counters = {"event": 2}
        with pytest.raises(apsw.FullError):
            state.write(batch)
        with pytest.raises(apsw.Error):
            state.close()
        disk.fault = None
        state = State(tmp_path / "state.db")
        found = state.counters()["event"]
        batch.counters = {"event": found + 1}
        state.write(batch)
        with pytest.raises(apsw.IOError):
            disk.cut()
        with pytest.raises(apsw.Error):
            state.close()
        disk.light()
        state = State(tmp_path / "state.db")
        assert state.counters()["event"] == found + 1
        state.close()
