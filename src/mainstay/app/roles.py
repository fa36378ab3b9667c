"""The three processes of one machine, each the only writer of its file: how each is loaded, and run until it is asked to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import uvloop

from mainstay.app.build import House

STOPS = (signal.SIGTERM, signal.SIGINT)
Works = Callable[[], object]  # called when a process is ready, and twice a second from then on
Work = Callable[[House, Works], None]


def core() -> Work:
    from mainstay.app.role_core import run_core

    def in_turns(house: House, works: Works) -> None:
        stopped: list[int] = []
        for name in STOPS:
            signal.signal(name, lambda *_: stopped.append(1))
        run_core(house, lambda: stopped, works)

    return in_turns


def edge() -> Work:
    from mainstay.app.role_edge import run_edge

    return partial(_on_a_loop, run_edge)


def dispatch() -> Work:
    from mainstay.app.role_dispatch import run_dispatch

    return partial(_on_a_loop, run_dispatch)


def _on_a_loop(work: Callable[[House, asyncio.Event, Works], Awaitable[None]], house: House, works: Works) -> None:
    """Until SIGTERM or SIGINT; then it drains."""

    async def until_signal() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for name in STOPS:
            loop.add_signal_handler(name, stop.set)
        with contextlib.suppress(asyncio.CancelledError):
            await work(house, stop, works)

    uvloop.run(until_signal())


# In the order in which they start. Each is loaded just before, by the process that is forked: the first works while the last is loaded.
ROLES: Mapping[str, Callable[[], Work]] = {"core": core, "edge": edge, "dispatch": dispatch}
STOPPED = ("edge", "dispatch", "core")  # and in which they stop: nothing more comes in, goes out, is left to be done
