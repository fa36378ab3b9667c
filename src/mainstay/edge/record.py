"""The durable inbox behind the doors: receipts that arrive together share a commit; whoever waits is told after it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mainstay.edge.problems import Overloaded, Unwritable
from mainstay.storage.database import STORE_FAILED
from mainstay.storage.failing import Failing
from mainstay.storage.inbox import Inbox, New

GROUP_MAX = 256
PENDING_MAX = 8_192  # beyond this we refuse before acknowledging, never after


class Recorder:
    """Makes receipts durable. Synchronous on the loop, in bounded groups: a thread beside a busy loop would be slower."""

    def __init__(self, inbox: Inbox, clock: Callable[[], int], recorded: Callable[[], None]) -> None:
        self.inbox, self.clock, self.recorded = inbox, clock, recorded
        self.accepted = 0
        self._failing = Failing("keep what is delivered")
        self._new: list[New] = []
        self._told: list[asyncio.Future[int]] = []
        self._seen = 0  # receipts of the group when it was last looked at

    def record(self, system: str, topic: str, key: str, body: bytes) -> asyncio.Future[int]:
        """Resolves to the receipt's number once its bytes survive power loss. Raises Overloaded; the future, Unwritable."""
        if len(self._new) >= PENDING_MAX:
            raise Overloaded
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        self._new.append((self.clock(), system, topic, key, body))
        self._told.append(future)
        if len(self._new) >= GROUP_MAX:
            self.flush()
        elif len(self._new) == 1:
            self._seen = 0
            loop.call_soon(self._look, loop, self._new)
        return future

    def _look(self, loop: asyncio.AbstractEventLoop, group: list[New]) -> None:
        """Commit the group as soon as a turn of the loop brings it nothing more: nobody waits for a timer."""
        if group is not self._new:
            return  # it was full, and is committed
        if len(group) > self._seen:
            self._seen = len(group)
            loop.call_soon(self._look, loop, group)
        else:
            self.flush()

    def flush(self) -> None:
        if not self._new:
            return
        new, told = self._new, self._told
        self._new, self._told = [], []
        try:
            last = self.inbox.add(new)
        except BaseException as error:  # nobody is acknowledged: every sender will send again
            failed = isinstance(error, STORE_FAILED)
            for future in told:
                if not future.done():
                    future.set_exception(Unwritable() if failed else error)
            if failed:
                self._failing.failed(error)
            return
        self._failing.worked()
        self.accepted += len(new)
        first = last - len(new) + 1
        for number, future in enumerate(told, first):
            if not future.done():
                future.set_result(number)
        self.recorded()
