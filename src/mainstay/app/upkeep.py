"""What edge and dispatch share: they wait for the store, try again and again what may fail for a while, and end when no memory is left."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import apsw
import structlog

from mainstay.app.memory import need_memory
from mainstay.storage.database import NO_MEMORY, STORE_FAILED
from mainstay.storage.failing import Failing
from mainstay.storage.state import State

UPKEEP_S = 0.5

log = structlog.get_logger("upkeep")


async def wait_for_state(data: Path, stop: asyncio.Event) -> State:
    """The core makes state.db; until it has, there is nothing to read."""
    while not stop.is_set():
        try:
            state = State(data / "state.db", write=False)
            state.counters()
            return state
        except (apsw.CantOpenError, apsw.SQLError):
            await asyncio.sleep(0.02)
    raise asyncio.CancelledError


async def again_and_again(work: Callable[[], object], what: str) -> None:
    """What fails is tried again in a moment; the process goes on meanwhile."""
    failing = Failing(what)
    while True:
        await asyncio.sleep(UPKEEP_S)
        try:
            need_memory()
            work()
        except NO_MEMORY:
            end()
        except STORE_FAILED as failed:
            failing.failed(failed)
        except Exception:
            log.exception("upkeep_failed", doing=what)
        else:
            failing.worked()


def end() -> None:
    """At once, as a crash would: the supervisor starts another process, whose memory is its own."""
    with contextlib.suppress(Exception):
        log.error("out_of_memory", doing="end, to be started again")
    os._exit(1)
