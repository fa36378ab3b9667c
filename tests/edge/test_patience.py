"""One alarm for all waits: each is ended at its own time, and nobody else's end is taken for it."""

import asyncio

import pytest

from mainstay.edge.patience import Patience
from mainstay.proof.sim.clockwork import Clockwork

MOST_S = 10.0


def played(story):
    loop = Clockwork()
    try:
        return loop.run_until_complete(story)
    finally:
        loop.close()


async def waits(patience, from_s, for_s):
    """When the wait was over, and how."""
    await asyncio.sleep(from_s)
    loop = asyncio.get_running_loop()
    try:
        with patience:
            await asyncio.sleep(for_s)
    except TimeoutError:
        assert asyncio.current_task().cancelling() == 0, "the task may go on"
        await asyncio.sleep(0)
        return loop.time(), "ended"
    return loop.time(), "done"


def test_each_wait_is_ended_at_its_own_time():
    async def story():
        patience = Patience(MOST_S)
        waiting = [(0, 60), (1, 5), (2, 60), (2, 60), (11.5, 60), (30, 9), (31, 60)]
        return await asyncio.gather(*(waits(patience, *one) for one in waiting))

    assert played(story()) == [(10, "ended"), (6, "done"), (12, "ended"), (12, "ended"), (21.5, "ended"), (39, "done"), (41, "ended")]


def test_who_is_stopped_by_others_is_not_told_that_time_was_up():
    async def story():
        task = asyncio.create_task(waits(Patience(MOST_S), 0, 60))
        await asyncio.sleep(3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    played(story())


def test_a_failure_of_its_own_is_told_as_it_is():
    async def story():
        patience = Patience(MOST_S)
        with pytest.raises(KeyError), patience:
            raise KeyError
        return await waits(patience, 0, 60)

    assert played(story()) == (10, "ended")
