"""A whole shop on a slow disk: every write and sync of its three files takes its time, and who waits for it waits. It ends as it should."""

import asyncio
import random
import tempfile
from pathlib import Path

import pytest

from mainstay.app.simulate import VARIANTS, fittings
from mainstay.proof.disk import Disk
from mainstay.proof.sim import run
from mainstay.proof.sim.mutants import planted
from mainstay.proof.sim.story import play
from mainstay.proof.sim.trouble import NoTrouble

OPERATION_S = 0.05  # a commit of the core takes some ten


class Slow(Disk):
    """Each operation takes OPERATION_S of the time of the history, in which nothing else goes on. `spent`: seconds."""

    spent = 0.0

    def operation(self, error=None):
        if loop := asyncio._get_running_loop():  # none: the history is over
            loop._now += OPERATION_S
            self.spent += OPERATION_S
        super().operation(error)


def played(seeds, scenario=""):
    """What broke, by seed; and the seconds that passed while the disk worked."""
    run.silence()
    broken, spent = {}, 0.0
    for swarm in (run.swarm(seed, tuple(VARIANTS), scenario) for seed in seeds):
        with tempfile.TemporaryDirectory(dir=run.memory()) as folder, Slow(Path(folder), random.Random(swarm.seed)) as disk:
            ending = play(swarm, fittings(swarm.landscape), Path(folder), prove=True, read=True, disk=disk, trouble=NoTrouble)
            broken |= {swarm.seed: ending.broken} if ending.broken else {}
            spent += disk.spent
    return broken, spent


@pytest.mark.proof
@pytest.mark.parametrize("scenario", ["", "the last one", "crashes"])
def test_on_a_slow_disk_a_shop_is_as_right_as_on_another(scenario, figure):
    broken, spent = played(range(8), scenario)
    assert broken == {} and spent >= 8 * 60
    what = f"a slow disk ({scenario or 'the whole shop'})"
    figure(what, f"8 histories, in which it took {spent:,.0f} s: nothing broke", "pytest tests/crash/test_slow_disk.py -m proof")


def test_what_is_acknowledged_and_not_kept_is_noticed_there_too():
    with planted("lose-acknowledged"):
        assert any("acknowledged" in why for why in played(range(3))[0].values())
