"""Delivery without a network: a loop whose time jumps to the next timer, a connector that writes on paper, a wire that is a function."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mainstay.contract.connector import Budget, Connector, Done, Feed, Manifest, Outcome, Page, Row, Sink
from mainstay.contract.talk import Call, Repeat, Reply, Talk
from mainstay.delivery.connection import Connection, Transport
from mainstay.delivery.lanes import Lanes
from mainstay.delivery.outcomes import Outcomes
from mainstay.model.commands import Command
from mainstay.model.failures import Reject
from mainstay.model.outcome import Outcome as Ended
from mainstay.model.times import SECOND
from mainstay.proof.sim.clockwork import Clockwork
from mainstay.storage.database import rows

T0 = 1_790_000_000_000_000


@pytest.fixture
def run():
    """Runs a coroutine to its end, in no time; one that waits for ever is a failure."""
    loop = Clockwork()

    def run(work: Awaitable[Any], within_s: float = 3 * 86_400) -> Any:
        return loop.run_until_complete(asyncio.wait_for(work, within_s))

    run.loop = loop
    yield run
    loop.close()


MANIFEST = Manifest(
    name="paper", title="Paper", summary="Writes on paper.", source="here", version="1",
    sinks=(
        Sink("ReleaseOrder", "", "release", Repeat.LOOKUP),
        Sink("CapturePayment", "", "capture", Repeat.KEYED, key_ttl_s=1000),
        Sink("CancelOrder", "", "cancel", Repeat.SAFE),
        Sink("SetPrice", "", "prices", Repeat.SAFE, batch_max=3, gather_s=5.0),
        Sink("SetLevel", "", "levels", Repeat.SAFE, batch_max=10, bulk_from=3),
    ),
    feeds=(Feed("orders", "", ("order",)),),
)  # fmt: skip


class Paper(Connector):
    """Says each batch in one call of the sink's name. The answer lists an outcome for each: "ok", or why it is refused."""

    manifest = MANIFEST

    def endpoints(self) -> Mapping[str, str]:
        return {"api": "http://paper"}

    def headers(self, call: Call, url: str, session: object, now: int) -> Mapping[str, str]:
        return {}

    def push(self, commands: Sequence[Command]) -> Talk[list[Outcome]]:
        sink = self.manifest.sink(type(commands[0]).__name__)
        assert sink is not None
        reply = yield Call(
            operation=sink.operation, method="POST", path=f"/{sink.operation}", body=msgspec.json.encode(commands), repeat=sink.repeat
        )
        told = msgspec.json.decode(reply.body or b"null") or ["ok"] * len(commands)
        return [Done({"ref": f"r-{command.key}"}) if one == "ok" else Reject(one) for command, one in zip(commands, told, strict=True)]

    def look_up(self, command: Command) -> Talk[Done | None]:
        reply = yield Call(operation="look_up", method="GET", path=f"/look_up/{command.key}")
        return Done({"ref": "found"}) if reply.body == b"found" else None

    def pull(self, feed: str, cursor: str) -> Talk[Page]:
        reply = yield Call(operation="pull", method="GET", path=f"/pull/{cursor}")
        cursor, more, found = msgspec.json.decode(reply.body, type=tuple[str, bool, list[tuple[str, str]]])
        return Page(tuple(Row("order", key, body.encode()) for key, body in found), cursor, more)

    def fetch(self, feed: str, reference: str) -> Talk[tuple[Row, ...]]:
        reply = yield Call(operation="fetch", method="GET", path=f"/fetch/{reference}")
        return (Row("order", reference, reply.body),)


Answer = Callable[[str, bytes], Any]  # (path, body) -> a Reply, bytes of a 200, an exception to raise, or something to await for one


class Desk:
    """One system with its lanes. `answer` is the other side; `calls` are (seconds, path, body) as they arrived there."""

    def __init__(self, folder: Path, loop: Clockwork, answer: Answer = lambda path, body: b"", budgets: tuple[Budget, ...] = ()) -> None:
        self.loop, self.answer, self.folder = loop, answer, folder
        self.calls: list[tuple[float, str, bytes]] = []
        self.over: list[int] = []  # intents that ended, in that order
        self.rings = 0
        self._news = asyncio.Event()
        self.connector = Paper(None)
        self.connector.manifest = msgspec.structs.replace(MANIFEST, budgets=budgets)
        self.dice = random.Random(1)
        self.open()

    def open(self) -> None:
        """Start, or start again after a crash, with what is in the file."""
        self.outcomes = Outcomes(self.folder / "outcomes.db", self.clock, self._ring)
        transport: Transport = self
        self.connection = Connection("paper", self.connector, transport, self.outcomes, self.clock)
        self.lanes = Lanes(self.connection, self.outcomes, self.dice, self.fill, self._ended, {"CapturePayment": 120.0})

    def clock(self) -> int:
        return T0 + int(self.loop.time() * SECOND)

    def _ring(self) -> None:
        self.rings += 1

    def _ended(self, intent: int) -> None:
        self.over.append(intent)
        self._news.set()

    def fill(self, command: Command, entity: int) -> Command:
        return command

    async def send(self, method: str, url: str, query: Any, headers: Any, body: bytes, timeout_s: float) -> Reply:
        path = url.removeprefix("http://paper")
        self.calls.append((self.loop.time(), path, body))
        answer = self.answer(path, body)
        if asyncio.iscoroutine(answer):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Reply) else Reply(200, {}, answer)

    # --- what happens ------------------------------------------------------------------------------------------------
    def add(self, number: int, command: Command, entity: int = 0, restarted: bool = False) -> None:
        attempt = self.outcomes.attempts().get(number)
        self.lanes.add(number, self.clock(), entity, msgspec.json.encode(command), attempt, restarted=restarted)

    async def killed_after(self, seconds: float) -> None:
        """Work for a while, and end in the middle of whatever is being said."""
        working = asyncio.ensure_future(self.lanes.run())
        await asyncio.sleep(seconds)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        self.outcomes.close()

    async def until_over(self, *numbers: int) -> None:
        """Work until these intents have ended."""
        working = asyncio.ensure_future(self.lanes.run())
        while not set(numbers) <= set(self.over):
            self._news.clear()
            await self._news.wait()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        self.outcomes.flush()

    def told(self) -> list[tuple[str, str]]:
        """(key, outcome) of everything that the core is told, in its order."""
        bodies = rows(self.outcomes.inbox.connection, "SELECT body FROM receipt WHERE topic = 'mainstay/outcome' ORDER BY seq")
        return [(one["key"], one["outcome"]) for (body,) in bodies for one in [msgspec.json.decode(body)]]

    def told_again(self) -> list[tuple[str, str, bool, bool]]:
        """(key, outcome, whether it had been done before, whether it was there) of everything that the core is told."""
        bodies = rows(self.outcomes.inbox.connection, "SELECT body FROM receipt WHERE topic = 'mainstay/outcome' ORDER BY seq")
        told = [msgspec.json.decode(body, type=Ended) for (body,) in bodies]
        return [(one.key, one.outcome, one.again, one.found) for one in told]

    def paths(self) -> list[str]:
        return [path for _, path, _ in self.calls]

    def said(self) -> list[list[str]]:
        """The commands' keys of each call that carried commands."""
        return [[one["key"] for one in msgspec.json.decode(body)] for _, _, body in self.calls if body]


@pytest.fixture
def desk(tmp_path, run):
    return Desk(tmp_path, run.loop)
