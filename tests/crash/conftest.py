"""Performances in which processes are killed: they mostly wait, so other proofs run beside them."""

from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.crash.killing import FEW, HISTORIES, KILLS, ORDERS, TOLD_FIRST, played


@pytest.fixture(scope="session")
def performances(tmp_path_factory):
    """Side by side: one in which nobody is killed, those with kills, and one with a broken door."""
    folder = tmp_path_factory.mktemp("kills")
    with ProcessPoolExecutor(HISTORIES + 2) as pool:
        broken = pool.submit(played, folder / "broken", *FEW, bug=TOLD_FIRST)
        calm = pool.submit(played, folder / "calm", ORDERS, 0)
        killed = [pool.submit(played, folder / f"killed-{luck}", ORDERS, KILLS, luck) for luck in range(HISTORIES)]
        yield calm, killed, broken


@pytest.fixture
def kills_under_way(request):
    """Begins them already, where they are wanted later."""
    if any("performances" in getattr(one, "fixturenames", ()) for one in request.session.items):
        request.getfixturevalue("performances")
