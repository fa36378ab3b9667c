"""How long we wait for a body to arrive: one alarm for all that are under way, since one for each would cost as much as its signature."""

from __future__ import annotations

import asyncio
from typing import Any


class Patience:
    """Ends waits that take longer than `most_s`. The one whose wait was ended is told by a TimeoutError."""

    def __init__(self, most_s: float) -> None:
        self.most_s = most_s
        self._waiting: dict[asyncio.Task[Any], float] = {}  # since when, the oldest first
        self._ended: set[asyncio.Task[Any]] = set()
        self._alarm: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        """The task that runs begins to wait."""
        task = asyncio.current_task()
        assert task is not None
        now = asyncio.get_running_loop().time()
        self._waiting[task] = now
        if self._alarm is None:
            self._set(now)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._waiting.pop(task, None)
        if task in self._ended:
            self._ended.discard(task)
            if task.uncancel() == 0 and kind is asyncio.CancelledError:
                raise TimeoutError

    def _set(self, since: float) -> None:
        self._alarm = asyncio.get_running_loop().call_at(since + self.most_s, self._look)

    def _look(self) -> None:
        """End what has waited too long; look again when the oldest of the rest will have."""
        self._alarm = None
        now = asyncio.get_running_loop().time()
        for task, since in list(self._waiting.items()):
            if since + self.most_s > now:
                self._set(since)
                return
            self._ended.add(task)
            del self._waiting[task]
            task.cancel()
