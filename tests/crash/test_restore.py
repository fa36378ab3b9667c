"""The disk is lost, and a backup of some minutes ago is restored: the world has gone on, and nothing that can be looked up is doubled."""

import asyncio
import random
import shutil
import tempfile
from pathlib import Path

import pytest

from mainstay.app.simulate import VARIANTS, fittings
from mainstay.delivery import dispatch
from mainstay.flows.restored import Restored
from mainstay.proof.disk import Disk
from mainstay.proof.sim import reads, reads_orders, reads_trace, run
from mainstay.proof.sim.acts import SCENARIOS
from mainstay.proof.sim.story import play
from mainstay.storage import backup
from mainstay.storage.backup import restore, take

# What only they and Mainstay know is gone with what was after the backup.
ASK_FIRST = ("webshop buys", "till sells", "abandons", "one of a kind", "one item in two lines", "cart of before")
HELD = ("operator holds back", "operator replays")  # what was held back at the backup is held again, until somebody lets it go on
# What is released and taken back in the lost time is held, not undone: docs/back-up-and-restore.md.
CROSSING = ("buyer cancels", "part is cancelled", "buyer moves")
TOLD_ONCE = ("accounts are merged",)  # no feed reads a merge again
SELLERS = {"shop buys": 6, "amazon buys": 6, "warehouse packs": 5, "goods arrive": 1}  # two that want the same units
PARCELS = {"shop buys": 6, "amazon buys": 2, "warehouse packs": 8, "goods arrive": 2, "price changes": 1}  # many of them
BACKED_UP_S, LOST_S = 300.0, 260.0  # after people begin to act, and after the backup


@pytest.fixture(autouse=True)
def the_lost_time_is_in_no_book_of_ours(monkeypatch):
    """What was asked for in it stands in others' books, and is not shown; what is shown as done is looked for there all the same. Nor does
    anybody know what number the warehouse gave a release of then."""
    monkeypatch.setattr(reads_orders, "_made", lambda *_: ())
    right = reads_trace.numbers
    for room in (reads, reads_trace):
        monkeypatch.setattr(room, "numbers", lambda *of: [one for one in right(*of) if one[0][0] != "warehouse/release"])


class Lost:
    """The disk, some minutes after the last backup."""

    def __init__(self, machine, disk, dice):
        self.machine = machine
        self.backup = machine.place.with_name(f"{machine.place.name}.backup")
        self.restored = False

    def begin(self):
        self.losing = asyncio.get_running_loop().create_task(self.lose())

    async def lose(self):
        machine = self.machine
        await asyncio.sleep(BACKED_UP_S)
        take(machine.place, self.backup, "sim", machine.clock())
        await asyncio.sleep(LOST_S)
        machine.crash()
        for path in machine.place.iterdir():
            path.unlink()
        restore(self.backup, machine.place, machine.clock())
        shutil.rmtree(self.backup)
        machine.promised, machine.committed, machine.acknowledged = {}, {}, 0
        machine.start()

    async def over(self):
        await self.losing


class Twice(Lost):
    """And some minutes after the restore the process dies, too."""

    async def lose(self):
        await super().lose()
        await asyncio.sleep(LOST_S)
        self.machine.crash()
        self.machine.start()


def drawn(seed, kinds=None):
    """A history of shops that are read, not of those that ask first; nobody cancels."""
    some = {kind: often for kind, often in SCENARIOS["power cuts"].items() if kind not in ASK_FIRST + CROSSING + HELD + TOLD_ONCE}
    return run.draw(seed, tuple(VARIANTS), run.TWINS, kinds or some)


def ended(seed, kinds=None, trouble=Lost):
    swarm = drawn(seed, kinds)
    with tempfile.TemporaryDirectory(prefix="mainstay-sim-", dir=run.memory()) as folder, Disk(Path(folder), random.Random(seed)) as disk:
        return play(swarm, fittings(swarm.landscape), Path(folder), prove=True, read=True, disk=disk, trouble=trouble)


def broken(seeds):
    return {seed: ending.broken for seed in seeds if (ending := ended(seed)).broken}


def test_after_a_restore_the_books_of_all_agree_again():
    """Nobody's effects stand twice, no order is lost, and the state is what its log makes."""
    assert broken(range(16)) == {}


def test_without_looking_up_after_a_restore_effects_would_stand_twice(monkeypatch):
    monkeypatch.setattr(dispatch, "DOUBT_US", -(1 << 60))
    assert any("repeated_at_receiver" in ended(seed).broken for seed in range(100))


def test_if_orders_were_released_at_once_a_unit_would_be_promised_twice(monkeypatch):
    """The shop's order is told of first; the warehouse has it since before the disk was lost, or has the other one."""
    monkeypatch.setattr(backup, "RESTORED", "planted")
    monkeypatch.setattr(dispatch, "RESTORED", "planted")
    assert any("oversold_units_asked_first" in ended(seed, SELLERS).broken for seed in range(350, 360))


def test_a_core_that_never_deals_units_out_does_not_come_to_rest(monkeypatch):
    """Nothing is released, and everybody sees it."""
    monkeypatch.setattr(Restored, "_read_again", lambda self, receipt, ask: self.intake.count(receipt, "noted"))
    assert "come to rest" in ended(2).broken


def test_a_core_that_could_not_deal_units_out_is_told_again(monkeypatch):
    """Until then nothing is released."""
    right, told = Restored._read_again, []

    def read_again(self, receipt, ask):
        told.append(receipt.key)
        if len(told) > 1:
            right(self, receipt, ask)
        else:
            self.intake.count(receipt, "noted")

    monkeypatch.setattr(Restored, "_read_again", read_again)
    assert ended(2).broken == "" and len(set(told)) >= 2
    told.clear()
    assert ended(2, trouble=Twice).broken == "" and len(set(told)) >= 2


def test_if_the_shelf_were_counted_before_the_parcels_are_read_again_it_would_be_too_low(monkeypatch):
    monkeypatch.setattr(dispatch, "CATCH_UP_US", -(1 << 60))
    assert any("on_hand_differs" in ended(seed, PARCELS).broken for seed in range(36, 56))


@pytest.mark.slow
def test_after_many_restores_the_books_of_all_agree_again(figure):
    assert broken(range(16, 120)) == {}
    figure("restored backups", "104 histories: the books of all agree", "pytest tests/crash/test_restore.py -m slow")
