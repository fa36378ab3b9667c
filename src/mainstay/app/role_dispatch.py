"""The dispatch process: calls to systems, over outcomes.db."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import structlog

from mainstay.app import build
from mainstay.app.alerting import Alerting, ways
from mainstay.app.build import House, clock
from mainstay.app.meters import snapshot
from mainstay.app.snapshots import write_snapshot
from mainstay.app.upkeep import again_and_again, wait_for_state
from mainstay.delivery.dispatch import ClockJumped, Dispatch
from mainstay.delivery.http import Http
from mainstay.delivery.outcomes import Outcomes
from mainstay.delivery.post import Post
from mainstay.flows.exposure import Exposure
from mainstay.flows.propagate import Propagate
from mainstay.storage.archive import Archive
from mainstay.storage.bell import Bell, Ringer
from mainstay.storage.state import State

log = structlog.get_logger("dispatch")


async def run_dispatch(house: House, stop: asyncio.Event, works: Callable[[], object]) -> None:
    """The dispatch process."""
    core = Ringer(house.data, "core")
    transport = Http()
    outcomes = Outcomes(house.data / "outcomes.db", clock, core.ring)
    bell = Bell(house.data, "dispatch")  # once the store is ours: a second process would take the bell of the first
    state = await wait_for_state(house.data, stop)
    policies = build.channel_policies(house)
    exposure = Exposure(policies, outcomes, clock)
    propagate = Propagate(state, policies, build.by_sku(house), build.pricing(house), exposure)
    plan = build.plan(house, build.scales(house))
    dispatch = Dispatch(state, outcomes, plan, transport, propagate, clock, random.Random(), exposure)
    archive = Archive(house.data, outcomes.inbox, "outcomes")
    loop = asyncio.get_running_loop()

    def rung() -> None:
        bell.drain()
        dispatch.news.set()

    loop.add_reader(bell.fileno(), rung)
    alerting = Alerting(house, Post(outcomes.inbox, ways(house), transport, clock, random.Random()))
    upkeep = asyncio.create_task(_upkeep(house, dispatch, alerting, archive, state, outcomes, works))
    works()
    try:
        await dispatch.run(stop, alerting.run())
    except ClockJumped as why:  # the supervisor starts it again
        log.error("begins_anew", why=str(why))
    finally:
        upkeep.cancel()
        write_snapshot(house.data, "dispatch", snapshot(dispatch) | alerting.standing())
        await transport.close()
        loop.remove_reader(bell.fileno())
        bell.close()
        state.close()


async def _upkeep(
    house: House, dispatch: Dispatch, alerting: Alerting, archive: Archive, state: State, outcomes: Outcomes, works: Callable[[], object]
) -> None:  # fmt: skip
    def work() -> None:
        works()
        write_snapshot(house.data, "dispatch", snapshot(dispatch) | alerting.standing())
        outcomes.flush()
        archive.step(state)

    await again_and_again(work, "the upkeep of dispatch")
