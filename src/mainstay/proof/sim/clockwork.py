"""An event loop whose time jumps: where nothing is to be done now, it is at once the moment of the next timer."""

from __future__ import annotations

import asyncio
import heapq
import selectors
from collections.abc import Callable
from typing import Any


class Stuck(Exception):
    """Nothing is ready and nothing will be: whoever waits here waits for ever."""


class _NoFiles(selectors.SelectSelector):
    """Nothing is read from files or sockets here: the loop's own pipe is never rung, so the system need not be asked."""

    def select(self, timeout: float | None = None) -> list[Any]:
        return []


class Clockwork(asyncio.SelectorEventLoop):
    """Runs what asyncio runs, in the same order each time, and an hour in no time. Its clock begins at 0 seconds."""

    def __init__(self) -> None:
        super().__init__(_NoFiles())
        self._now = 0.0

    def time(self) -> float:
        return self._now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Here and at once: a thread of its own would take its own time, and a seed would not be the same twice."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as failed:
            done.set_exception(failed)
        return done

    def _run_once(self) -> None:
        timers = self._scheduled  # type: ignore[attr-defined]
        if not self._ready:  # type: ignore[attr-defined]
            while timers and timers[0]._cancelled:  # as BaseEventLoop does; a timer that nobody waits for is no reason to jump
                self._timer_cancelled_count -= 1  # type: ignore[attr-defined]
                heapq.heappop(timers)._scheduled = False
            if not timers:
                raise Stuck("nothing is ready and no timer runs")
            self._now = max(self._now, timers[0]._when)
        super()._run_once()  # type: ignore[misc]
